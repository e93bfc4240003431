//! Contracts of producers and consumers, and what a change of a design breaks.
//!
//! It stands above the rules of `check` and the comparison of `compat`, as it needs both. It is pure all the same.

pub mod parties;
pub mod past;
