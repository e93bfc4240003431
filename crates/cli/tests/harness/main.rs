//! The whole process under load, killed at random moments: what consumers saw and what the publisher was
//! told must fit together in the end.
//!
//! `TIDEGATE_KILLS=300 cargo test --release -p tidegate-cli --test harness` kills it more often;
//! `TIDEGATE_SEED=n` makes the same choices again (the processes still race).
//!
//! What handlers apply is in the history as [`history::Happening::Applied`]: a checker of effects in a
//! database belongs beside `checker.rs` and compares with that.

#[cfg(test)]
mod checker;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod history;
#[cfg(test)]
mod publisher;
#[cfg(test)]
mod puller;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod service;
#[cfg(test)]
#[path = "../cli/support.rs"]
#[expect(dead_code, reason = "shared with the other tests of the binary")]
mod support;
