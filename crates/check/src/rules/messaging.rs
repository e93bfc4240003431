//! What the design asks of the messaging infrastructure is in known words.

use tidegate_model::closest;
use tidegate_model::design::Located;

use crate::codes::{UNKNOWN_BROKER, UNKNOWN_CRITERION};
use crate::draft::Findings;
use crate::index::Index;

/// The brokers that a design runs on.
const BROKERS: [&str; 4] = ["embedded", "kafka", "rabbitmq", "nats"];
/// Where a broker may run.
const CLOUDS: [&str; 4] = ["self-hosted", "aws", "gcp", "azure"];

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    let messaging = &index.design.messaging;
    if let Some(broker) = &messaging.broker {
        let info = UNKNOWN_BROKER;
        let known = (info, "broker", BROKERS.as_slice());
        known_word(known, broker, "messaging.broker", out);
    }
    for cloud in &messaging.clouds {
        let known = (UNKNOWN_CRITERION, "cloud", CLOUDS.as_slice());
        known_word(known, cloud, "messaging.clouds", out);
    }
    for (name, weight) in &messaging.weights {
        if weight.value.is_finite() && weight.value >= 0.0 {
            continue;
        }
        let message = format!(
            "criterion `{name}` weighs {}, which is not a weight",
            weight.value
        );
        out.add(
            UNKNOWN_CRITERION,
            &weight.place,
            format!("messaging.weights.{name}"),
            message,
        )
        .hint("write a number from 0 on; only the proportions of the weights count");
    }
}

fn known_word(
    (info, kind, known): (tidegate_model::CodeInfo, &str, &[&str]),
    word: &Located<String>,
    path: &str,
    out: &mut Findings,
) {
    if known.contains(&word.value.as_str()) {
        return;
    }
    let hint = match closest(&word.value, known.iter().copied()) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("write one of {}", known.join(", ")),
    };
    out.add(
        info,
        &word.place,
        path,
        format!("`{}` is not a known {kind}", word.value),
    )
    .hint(hint);
}
