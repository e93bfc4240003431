//! The seam between the runtime and whatever reaches a handler.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tidegate_base::{ConsumerId, Envelope, Timestamp};

use crate::answer::Answer;

/// Reaches handlers: over HTTP in the server, by a function in a test.
pub trait Caller: Send + Sync {
    /// Makes one attempt and says how it ended, with what is published if it is done. The runtime ends the attempt at its timeout, and
    /// takes a panic for a failure that may pass.
    fn call(&self, attempt: Attempt) -> BoxFuture<'static, Answer>;
}

/// One attempt to be made.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The consumer.
    pub consumer: ConsumerId,
    /// Where to, as the design says it.
    pub endpoint: Arc<str>,
    /// The event.
    pub envelope: Arc<Envelope>,
    /// `service/event/sequence`: the same for every attempt and redrive; the idempotency key. In a
    /// replay `/replay-` and its generation follow: what an earlier run did is to be done again.
    pub delivery_id: String,
    /// The event's place in its channel.
    pub sequence: u64,
    /// From 1; the first after a redrive is 1 again.
    pub attempt: u32,
    /// What the handler keeps for the event's key, as it last answered.
    pub state: Option<Arc<str>>,
    /// The replay that it is of, from 1; 0: of none.
    pub generation: u64,
    /// The owner epoch: a fencing token that only grows.
    pub epoch: u64,
    /// When the attempt ends at the latest.
    pub deadline: Timestamp,
    /// How long it may take.
    pub timeout: Duration,
}
