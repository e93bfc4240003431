//! One history of a log, and the promises that it is held to.
//!
//! After every opening: what was acknowledged as durable is there; what is there is a prefix of what was
//! appended, batch by batch, whole; nothing is invented; sequences are dense and never used twice; cursors
//! and the state are those of that prefix; retention has removed nothing that was needed. While it is
//! open: reads give what was acknowledged, nothing that a crash could take back, in order.

mod flip;
mod history;
mod model;
mod retention;

use tidegate_log::mutant::{self, Mutant};

pub use history::Trace;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which, and how.
    pub what: String,
    /// What happened before, in order.
    pub story: Vec<String>,
}

/// Runs the history of `seed`. Returns what happened.
///
/// # Errors
///
/// [`Violation`] at the first promise that is broken.
pub fn run(seed: u64) -> Result<Trace, Box<Violation>> {
    history::History::new(seed).run()
}

/// Runs the histories of seeds from `first` on with a fault built in, up to `count`. Returns the first
/// seed that shows it, with what it broke; `None` when none does.
#[must_use]
pub fn hunt(mutant: Mutant, first: u64, count: u64) -> Option<(u64, String)> {
    mutant::build_in(Some(mutant));
    let found =
        (first..first + count).find_map(|seed| match std::panic::catch_unwind(|| run(seed)) {
            Ok(Ok(_)) => None,
            Ok(Err(violation)) => Some((seed, violation.what)),
            Err(_) => Some((seed, "a panic".to_owned())),
        });
    mutant::build_in(None);
    found
}
