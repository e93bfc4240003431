//! What is known of a broker, as data: given by the caller, who has the table of facts.

use serde::{Deserialize, Serialize};

/// A broker with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Broker {
    /// Its id in the table of facts.
    pub option: String,
    /// Its name for people.
    pub name: String,
    /// Whether the design names it.
    pub is_named: bool,
    /// Whether somebody else runs it, so that its brokers are not counted.
    pub is_managed: bool,
    /// At most one fact for each capacity.
    pub facts: Vec<Fact>,
}

/// One number that is known of a broker.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fact {
    /// Of what.
    pub about: Capacity,
    /// How much.
    pub amount: f64,
    /// What the number counts.
    pub counts: String,
    /// How binding it is: `hard-limit`, `default`, `guideline`, `vendor-benchmark`, `third-party` or
    /// `general-knowledge`.
    pub kind: String,
    /// Where it is written.
    pub source: String,
    /// When it was so.
    pub as_of: String,
    /// The conditions under which it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it is older than the table allows.
    pub is_old: bool,
}

/// What of a broker bounds a size: criteria of the table of facts, by their names there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the table of facts says what each one is")]
pub enum Capacity {
    AssetsPerNode,
    BytesOutPerUnit,
    BytesPerCore,
    BytesPerKey,
    BytesPerNode,
    BytesPerPartition,
    BytesPerUnit,
    DeliveriesPerNode,
    DeliveriesPerUnit,
    InFlight,
    MemoryFactor,
    MemoryPerCore,
    MemoryPerMessage,
    MemoryPerNode,
    MemoryPerPartition,
    MessageTime,
    MessagesPerSync,
    PartitionsPerCore,
    PartitionsPerNode,
    RatePerKey,
    RatePerNode,
    RatePerUnit,
    ReplicasMax,
    SyncTime,
    UnitsMax,
}

impl Broker {
    /// What is known of `capacity`.
    #[must_use]
    pub fn fact(&self, capacity: Capacity) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.about == capacity)
    }
}
