//! Pull: what a consumer that fetches its own deliveries receives, and what can go wrong.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tidegate_base::{ConsumerId, Envelope, Timestamp};

/// A delivery handed to a puller, which must settle it before the deadline.
#[derive(Clone, Debug)]
pub struct PulledDelivery {
    /// What [`settle`](crate::Runtime::settle) takes; valid once, until the deadline.
    pub lease: String,
    /// `service/event/sequence`: the same for every attempt and redrive; the idempotency key. In a
    /// replay `/replay-` and its generation follow.
    pub delivery_id: String,
    /// The event's place in its channel.
    pub sequence: u64,
    /// From 1.
    pub attempt: u32,
    /// The replay that it is of, from 1; 0: of none.
    pub generation: u64,
    /// The owner epoch: a fencing token that only grows.
    pub epoch: u64,
    /// When the lease ends: after it the delivery counts as timed out and is retried.
    pub deadline: Timestamp,
    /// How long the lease lasts.
    pub timeout: Duration,
    /// What its consumer keeps for the event's key.
    pub state: Option<Arc<str>>,
    /// The event.
    pub envelope: Arc<Envelope>,
}

/// Why nothing can be pulled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PullError {
    /// The design has no such consumer.
    #[error("consumer `{consumer}` is not in the design{}", crate::publish::hint(.did_you_mean.as_deref()))]
    UnknownConsumer {
        /// The consumer asked for.
        consumer: ConsumerId,
        /// The nearest one.
        did_you_mean: Option<String>,
    },
    /// The consumer has an endpoint, so its deliveries are pushed.
    #[error("consumer `{consumer}` is pushed to: its design has `deliver.to`")]
    Pushed {
        /// The consumer asked for.
        consumer: ConsumerId,
    },
    /// Too many requests already wait for this consumer.
    #[error("{waiting} pulls already wait for consumer `{consumer}`")]
    Busy {
        /// The consumer asked for.
        consumer: ConsumerId,
        /// How many wait.
        waiting: usize,
    },
    /// The system finishes what runs and hands out nothing new.
    #[error("the system is draining")]
    Draining,
    /// The system has stopped.
    #[error("the system has stopped")]
    Stopped,
}

/// Why a lease cannot be settled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettleError {
    /// The text is not a lease.
    #[error("`{lease}` is not a lease")]
    Malformed {
        /// The text.
        lease: String,
    },
    /// The lease has ended, was settled before, or belongs to an earlier run of the system: its
    /// delivery is retried or was finished elsewhere.
    #[error("lease `{lease}` is no longer valid")]
    Stale {
        /// The lease.
        lease: String,
    },
    /// It was done, and could not be recorded so: the delivery comes again.
    #[error("the delivery is not recorded as done, and comes again: {reason}")]
    NotTaken {
        /// Why.
        reason: String,
    },
    /// It was done, but what the handler publishes or keeps is refused: the delivery is a dead letter.
    #[error("the delivery is a dead letter: {reason}")]
    DeadLettered {
        /// Which delivery, as `service/event/sequence`.
        letter: String,
        /// Why.
        reason: String,
    },
    /// The system has stopped before the outcome was durable.
    #[error("the system has stopped")]
    Stopped,
}
