//! Delivery decisions: a pure state machine of lanes, retries, breakers and dead letters.
