//! How fast and how much at once: rates, adaptive limits and fair shares, each driven by a queueing
//! server on a clock of the test.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test: what is wrong here should stop it, with its place"
)]

mod adaptive;
mod rate;
mod rig;
mod share;
