//! Delivery decisions: a pure state machine of lanes, retries, breakers and dead letters.

mod outcome;

pub use outcome::{Outcome, RetryClass};
