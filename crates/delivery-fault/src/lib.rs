//! A simulator that holds the delivery machine to its promises in a world that fails.
//!
//! One seed is one history: what is published, what handlers answer, when records are kept, where the
//! process ends. `cargo run --release -p tidegate-delivery-fault -- --seeds 50000` runs many, `-- --seed
//! N` tells one.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a tool of tests: it stops at the first surprise"
)]

pub mod simulator;
