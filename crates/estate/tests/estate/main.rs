//! Real brokers: made as a design wants them, changed behind its back, examined, and asked how far behind readers are.
//!
//! One server of each kind, started for its test alone; the steps of a test use names of their own.

#![cfg(test)]

mod kafka;
mod nats;
mod rabbitmq;
mod support;
