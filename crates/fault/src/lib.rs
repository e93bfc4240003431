//! A disk that fails as a seed says, and a simulator that holds the embedded log to its promises on it.
//!
//! One seed is one history: appends, reads, retention, full disks, failing syncs, ends of the process and
//! power failures, in an order and at places that the seed decides. The same seed gives the same history,
//! byte for byte. `cargo run --release -p tidegate-fault -- --seeds 100000` runs many.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a tool of tests: it stops at the first surprise"
)]

mod content;
mod dice;
mod disk;
pub mod simulator;

pub use dice::Dice;
pub use disk::{FaultDisk, HeldSyncs};
