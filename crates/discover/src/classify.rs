//! From evidence to a class. The order of the questions is the whole method; vetoes come first.

use crate::discovery::Class;
use crate::evidence::Facts;
use crate::vocabulary::{self, Verb};

/// The share of calls that must come last to say that the call comes last.
pub(crate) const TAIL_SHARE: f64 = 0.95;
/// The share of calls that must be forwarded to say that the caller forwards.
pub(crate) const FORWARDED_SHARE: f64 = 0.8;
/// The fewest calls that a proposal can rest on.
pub(crate) const CALLS_MIN: usize = 5;

/// What the call could become, by its evidence.
pub(crate) fn classify(facts: &Facts<'_>) -> Class {
    let count = facts.observations.len();
    if facts.share(|observation| observation.is_message).share() >= 0.5 {
        return Class::AlreadyAsync;
    }
    if let Some(reason) = facts.read_only() {
        return Class::NotACandidate { reason };
    }
    if vocabulary::verb(&facts.words) == Verb::Answer {
        let word = facts.words.first().map(String::as_str).unwrap_or_default();
        let reason = format!("`{word}` asks for an answer, although something below it changes");
        return Class::NotACandidate { reason };
    }
    if facts.change().is_none() && facts.side_work().is_none() {
        let missing =
            "whether it changes anything: neither its name, an HTTP method nor a database \
                       statement says so"
                .to_owned();
        return Class::Unknown { missing };
    }
    let succeeded = facts.share(|observation| !observation.failed).hits;
    if succeeded < CALLS_MIN {
        let missing = format!(
            "it went well {succeeded} of {count} times; {CALLS_MIN} are the fewest to propose on"
        );
        return Class::Unknown { missing };
    }
    let is_tail = facts.share(|observation| observation.is_tail).share() >= TAIL_SHARE;
    let is_forwarded =
        facts.share(|observation| observation.is_forwarded).share() >= FORWARDED_SHARE;
    let writes_locally = facts
        .observations
        .iter()
        .any(|observation| observation.writes_locally);
    match (
        is_tail,
        is_forwarded,
        facts.side_work().is_some(),
        writes_locally,
    ) {
        (false, ..) | (_, true, ..) => Class::Async202Poll,
        (true, false, true, false) => Class::FireAndForget,
        (true, false, ..) => Class::AsyncWithOutbox,
    }
}
