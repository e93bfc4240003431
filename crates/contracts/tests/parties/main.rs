//! Contracts between parties.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod formats;
mod hostile;
mod impact;
mod matrix;
mod order;
mod pages;
mod properties;
mod rules;
mod support;
