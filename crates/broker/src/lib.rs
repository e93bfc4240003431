//! The contract that every broker keeps: traits, declared promises, a memory broker, a conformance suite.
//!
//! A broker holds *channels* of records and one *state*: the delivery records of the runtime. A
//! [`Batch`] may touch both; whether it is atomic is a declared promise, and whether sequences have gaps.
//! A [`Keep`] says which records may go again.

mod batch;
#[cfg(feature = "conformance")]
pub mod conformance;
mod contract;
mod memory;
mod retention;
mod shard;
mod sharing;

pub use contract::{
    Append, AtomicBatch, Batch, Broker, CommitError, Durability, Promises, ReadError, ReadLimit,
    Record, Sequences, StateChange, Survives,
};
pub use memory::MemoryBroker;
pub use retention::{CleanError, Cleaned, History, Keep, Retention};
pub use shard::shard_of;
pub use sharing::{Shard, Sharing};
