//! What each broker does by itself for the promises of a design, what is done instead, and what is lost.
//!
//! The facts are data, in `compare.json`, each with where it is written. That they hold is what the conformance suite
//! of the brokers is for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate_model::Design;
use tidegate_model::design::{CleanupPolicy, Consume, Guarantee, Order, Replay};

/// The facts that come with the program.
const BUNDLED: &str = include_str!("compare.json");

/// The promises of designs, and what brokers make of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Always `tidegate/promises/v1`.
    pub schema: String,
    /// The brokers, in the order of the columns.
    pub brokers: Vec<BrokerColumn>,
    /// The promises, in the order of the rows.
    pub promises: Vec<PromiseRow>,
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerColumn {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
}

/// A promise, and what each broker makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromiseRow {
    /// Its id.
    pub id: String,
    /// What is promised.
    pub promise: String,
    /// What in a design asks for it.
    pub asked_by: AskedBy,
    /// What each broker makes of it, by its id.
    pub cells: BTreeMap<String, PromiseCell>,
}

/// What a broker makes of a promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromiseCell {
    /// Who keeps it.
    pub how: Keeps,
    /// How, or why not.
    pub what: String,
    /// Where that is written.
    pub source: String,
}

/// Who keeps a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keeps {
    /// The broker.
    Native,
    /// Tidegate, or the library, beside it.
    Instead,
    /// Nobody.
    Lost,
}

/// What in a design asks for a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AskedBy {
    /// Every design.
    Always,
    /// A consumer with `order: key`.
    OrderKey,
    /// A consumer with `order: total`.
    OrderTotal,
    /// A consumer with `dead-letter`.
    DeadLetter,
    /// A consumer that may be replayed.
    Replay,
    /// A consumer with `guarantee: deduplicated` or more.
    Deduplicated,
    /// A consumer with `guarantee: exactly-once-effect`.
    Effect,
    /// A consumer with `guarantee: kafka-transaction`.
    KafkaTransaction,
    /// A consumer with `needs`.
    Needs,
    /// A consumer with `deliver.rate`.
    Rate,
    /// An event with `backlog`.
    Backlog,
    /// An event with `cleanup-policy: compact`.
    Compact,
}

/// What brokers make of the promises that `design` asks for.
///
/// # Errors
///
/// When the table that comes with the program is damaged.
pub fn compare(design: &Design) -> Result<Comparison, serde_json::Error> {
    let mut comparison = bundled()?;
    comparison
        .promises
        .retain(|promise| is_asked(design, promise.asked_by));
    Ok(comparison)
}

/// Every fact.
///
/// # Errors
///
/// When the table that comes with the program is damaged.
pub fn bundled() -> Result<Comparison, serde_json::Error> {
    serde_json::from_str(BUNDLED)
}

fn is_asked(design: &Design, asked_by: AskedBy) -> bool {
    let mut events = design.events.values();
    let any = |asks: fn(&Consume) -> bool| design.consumers().any(|c| asks(c.consume));
    match asked_by {
        AskedBy::Always => true,
        AskedBy::OrderKey => any(|c| c.order.value == Order::Key),
        AskedBy::OrderTotal => any(|c| c.order.value == Order::Total),
        AskedBy::DeadLetter => any(|c| c.dead_letter.is_some()),
        AskedBy::Replay => any(|c| c.replay == Replay::Allowed),
        AskedBy::Deduplicated => any(|c| c.guarantee.value != Guarantee::AtLeastOnce),
        AskedBy::Effect => any(|c| c.guarantee.value == Guarantee::ExactlyOnceEffect),
        AskedBy::KafkaTransaction => any(|c| c.guarantee.value == Guarantee::KafkaTransaction),
        AskedBy::Needs => any(|c| !c.needs.is_empty()),
        AskedBy::Rate => any(|c| c.deliver.rate.is_some()),
        AskedBy::Backlog => events.any(|event| event.backlog.is_some()),
        AskedBy::Compact => events.any(|e| e.cleanup_policy.value == CleanupPolicy::Compact),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broker_has_a_fact_for_every_promise() {
        let facts = bundled().unwrap();
        for promise in &facts.promises {
            let known: Vec<&String> = promise.cells.keys().collect();
            let mut wanted: Vec<&String> = facts.brokers.iter().map(|b| &b.id).collect();
            wanted.sort();
            assert_eq!(known, wanted, "{}", promise.id);
            for cell in promise.cells.values() {
                assert!(
                    !cell.what.is_empty() && !cell.source.is_empty(),
                    "{}",
                    promise.id
                );
            }
        }
    }
}
