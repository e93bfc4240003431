//! What the choice of a broker weighs is something that it ranks by.

use tidegate_model::closest;

use crate::codes::UNKNOWN_CRITERION;
use crate::draft::Findings;
use crate::index::Index;

/// What brokers are ranked by.
const CRITERIA: [&str; 7] = [
    "headroom",
    "latency",
    "operations",
    "durability",
    "features",
    "familiarity",
    "independence",
];

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for (name, weight) in &index.design.messaging.weights {
        if CRITERIA.contains(&name.as_str()) {
            continue;
        }
        let hint = match closest(name, CRITERIA) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("the criteria are {}", CRITERIA.join(", ")),
        };
        let message = format!("no broker is ranked by `{name}`, so its weight counts for nothing");
        out.add(
            UNKNOWN_CRITERION,
            &weight.place,
            format!("messaging.weights.{name}"),
            message,
        )
        .hint(hint);
    }
}
