//! Why an event is where it is: every delivery of it, with what it waits for.

use serde::Serialize;
use tidegate_base::{ConsumerId, Name};

use crate::view::{AttemptView, EditView};

/// An event and all its deliveries.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// The event.
    pub event: WhyEvent,
    /// One for each consumer, in the order of the design.
    pub deliveries: Vec<WhyDelivery>,
}

/// What is asked about.
#[derive(Clone, Debug, Serialize)]
pub struct WhyEvent {
    /// Its `id`.
    pub id: String,
    /// Its `source`.
    pub source: String,
    /// Its type, which names its channel.
    pub r#type: Name,
    /// Its partition key.
    pub key: Option<String>,
    /// When it was accepted, milliseconds since the Unix epoch.
    pub accepted_ms: u64,
}

/// One delivery.
#[derive(Clone, Debug, Serialize)]
pub struct WhyDelivery {
    /// To whom.
    pub consumer: ConsumerId,
    /// Its place in the channel.
    pub sequence: u64,
    /// `pending`, `held`, `waiting`, `running`, `settling`, `suspect`, `dead-letter`, `discarded`,
    /// `skipped`, `done`.
    pub state: &'static str,
    /// What holds it.
    pub gate: Option<WhyGate>,
    /// The delivery of its key that goes before it.
    pub behind: Option<WhyBehind>,
    /// When it may run at the earliest, milliseconds since the Unix epoch, if that is known.
    pub next_ms: Option<u64>,
    /// Attempts so far that did not succeed. Of deliveries that are over the latest are kept which did
    /// not simply succeed.
    pub attempts: Vec<AttemptView>,
    /// Its name as a dead letter, when it is one.
    pub dead_letter: Option<String>,
    /// How often it was redriven.
    pub redrives: u32,
    /// The `id` of the event that is delivered in the place of this one, when it was edited.
    pub edited_id: Option<String>,
    /// The edits, oldest first.
    pub edits: Vec<EditView>,
    /// The replay that it is of, or was the last time, from 1; 0: of none.
    pub generation: u64,
    /// Why that was ordered, and when.
    pub replay: Option<WhyOrder>,
    /// Why an operator has passed over it, and when.
    pub skip: Option<WhyOrder>,
}

/// What an operator has ordered.
#[derive(Clone, Debug, Serialize)]
pub struct WhyOrder {
    /// In the operator's words.
    pub reason: String,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// What holds a delivery.
#[derive(Clone, Debug, Serialize)]
pub struct WhyGate {
    /// `window`, `start`, `drain`, `halt`, `pause`, `overload`, `endpoint`, `breaker`, `concurrency`, `rate`, `dependency`,
    /// `share`, `pull`, `suspect`, `replay`, `inbox` or `budget`.
    pub what: &'static str,
    /// In a sentence.
    pub detail: String,
    /// Until when at the least, milliseconds since the Unix epoch.
    pub until_ms: Option<u64>,
}

/// A delivery that goes first.
#[derive(Clone, Debug, Serialize)]
pub struct WhyBehind {
    /// Its place in the channel.
    pub sequence: u64,
    /// Its event's `id`.
    pub event_id: String,
}
