//! The embedded log behind the broker contract.
//!
//! A commit is encoded where it is called and queued before the call returns; its future waits for
//! the log's writer. A read of records that were written a moment ago is made in place, since it does
//! not wait for a disk; any other read is made on a thread that may wait.

mod broker;
mod convert;

pub use broker::LogBroker;
pub use tidegate_log::{Cut, OpenError, Options, Recovery};
