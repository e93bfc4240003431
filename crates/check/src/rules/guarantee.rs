//! A guarantee is one that the handler can reach, and strong enough for what depends on it.

use tidegate_model::design::{ConsumerRef, Guarantee, Transaction};

use crate::codes::{DUPLICATES_ON_CRITICAL_PROCESS, GUARANTEE_UNREACHABLE};
use crate::draft::Findings;
use crate::index::Index;

/// Why a guarantee is out of reach, and what would bring it within.
struct Gap {
    why: String,
    hint: &'static str,
}

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    let broker = index
        .design
        .messaging
        .broker
        .as_ref()
        .map(|broker| broker.value.as_str());
    for consumer in &index.consumers {
        let guarantee = &consumer.consume.guarantee;
        if let Some(Gap { why, hint }) = gap(consumer, broker) {
            let message = format!(
                "`{}` cannot reach {}: {why}",
                consumer.id(),
                guarantee.value
            );
            out.add(
                GUARANTEE_UNREACHABLE,
                &guarantee.place,
                format!("{}.guarantee", consumer.path()),
                message,
            )
            .hint(hint)
            .related(
                &consumer.consume.deliver.place,
                "how its handler is reached",
            );
        }
        duplicates(index, consumer, out);
    }
}

fn gap(consumer: &ConsumerRef<'_>, broker: Option<&str>) -> Option<Gap> {
    let deliver = &consumer.consume.deliver;
    let transaction = deliver
        .transaction
        .as_ref()
        .map(|transaction| transaction.value);
    match consumer.consume.guarantee.value {
        Guarantee::AtLeastOnce | Guarantee::Deduplicated => None,
        Guarantee::ExactlyOnceEffect if deliver.to.is_some() => Some(over_http()),
        Guarantee::ExactlyOnceEffect => in_database(transaction, broker),
        // However the handler is reached: the events of its answer are committed by who hears it.
        Guarantee::KafkaTransaction => in_kafka(transaction, broker),
    }
}

/// No transaction spans an HTTP call: the answer can be lost after the effect.
fn over_http() -> Gap {
    Gap {
        why: "no transaction spans an HTTP call to its handler".to_owned(),
        hint: "write `guarantee: deduplicated`; for one effect, remove `to` and consume in a Rust \
               handler with `deliver: {transaction: postgres}`",
    }
}

fn in_database(transaction: Option<Transaction>, broker: Option<&str>) -> Option<Gap> {
    match transaction {
        Some(Transaction::Postgres | Transaction::Sqlite) => None,
        Some(Transaction::Log) => match broker {
            None | Some("embedded") => None,
            Some(other) => Some(Gap {
                why: format!("a batch of the embedded log does not commit on `{other}`"),
                hint: "write `messaging: {broker: embedded}`, or `transaction: postgres`",
            }),
        },
        Some(Transaction::Kafka) => Some(Gap {
            why: "a Kafka transaction does not hold the handler's own change".to_owned(),
            hint: "write `guarantee: kafka-transaction` when the effect is the emitted events \
                   alone, or `deliver: {transaction: postgres}`",
        }),
        None => Some(Gap {
            why: "no transaction holds its effect and its inbox row".to_owned(),
            hint: "write `deliver: {transaction: postgres}` (or `sqlite`, `log`) and use the \
                   transaction in the handler, or `guarantee: deduplicated`",
        }),
    }
}

fn in_kafka(transaction: Option<Transaction>, broker: Option<&str>) -> Option<Gap> {
    match (transaction, broker) {
        (None | Some(Transaction::Kafka), Some("kafka")) => None,
        (Some(other), Some("kafka")) if other != Transaction::Kafka => Some(Gap {
            why: format!("its effect commits in `{other}`, outside the Kafka transaction"),
            hint: "write `deliver: {transaction: kafka}`, or `guarantee: exactly-once-effect`",
        }),
        (_, broker) => Some(Gap {
            why: match broker {
                Some(other) => format!("the broker is `{other}`, not `kafka`"),
                None => "the design does not run on Kafka".to_owned(),
            },
            hint: "write `messaging: {broker: kafka}`, or `guarantee: deduplicated`",
        }),
    }
}

/// A handler that calls others may repeat the call; where money depends on it, that is worth a word.
fn duplicates(index: &Index<'_>, consumer: &ConsumerRef<'_>, out: &mut Findings) {
    let consume = consumer.consume;
    let Some(need) = consume.needs.first() else {
        return;
    };
    let Some(process) = index.critical_process(consumer.service_name) else {
        return;
    };
    if consume.guarantee.value != Guarantee::AtLeastOnce {
        return;
    }
    let message = format!(
        "`{}` calls `{}` in process `{process}` of high criticality, and each delivery may run more \
         than once",
        consumer.id(),
        need.value
    );
    let path = format!("{}.guarantee", consumer.path());
    out.add(
        DUPLICATES_ON_CRITICAL_PROCESS,
        &consume.guarantee.place,
        path,
        message,
    )
    .hint("write `guarantee: deduplicated`, and hand the `Idempotency-Key` on to the call")
    .related(&need.place, "the call");
}
