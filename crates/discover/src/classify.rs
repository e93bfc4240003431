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
    let messages = facts.share(|observation| observation.is_message);
    let left = facts.share(|observation| observation.marks.is_left_behind);
    let unsure = facts.share(|observation| observation.marks.may_be_joined);
    if left.share() >= 0.5 && unsure.hits * 2 > left.hits {
        let missing = format!(
            "whether its request waits for it: the span that asks has ended before it, and the request has not, in {} of {}",
            unsure.hits, unsure.total
        );
        return Class::Unknown { missing };
    }
    if messages.share() >= 0.5 || left.share() >= 0.5 {
        return Class::AlreadyAsync;
    }
    if let Some(reason) = facts.read_only().or_else(|| facts.veto()) {
        return Class::NotACandidate { reason };
    }
    if vocabulary::verb(&facts.words) == Verb::Answer {
        let word = facts.words.first().map(String::as_str).unwrap_or_default();
        let reason = format!("`{word}` asks for an answer, although something below it changes");
        return Class::NotACandidate { reason };
    }
    if let Some(word) = facts.decision().filter(|_| !facts.is_ignored()) {
        let reason = format!(
            "`{word}` decides about the request, and nothing shows that the answer is ignored"
        );
        return Class::NotACandidate { reason };
    }
    let changes = facts.change().is_some() || facts.side_work().is_some();
    if !changes && !facts.is_by_position() {
        let missing = if facts.vocabulary {
            "whether it changes anything: neither its name, an HTTP method nor a database \
                       statement says so"
        } else {
            "whether it changes anything: neither an HTTP method nor a database statement says so, \
                       and it does not come last"
        };
        return Class::Unknown {
            missing: missing.to_owned(),
        };
    }
    let succeeded = facts.share(|observation| !observation.failed).hits;
    if succeeded < CALLS_MIN {
        let missing = format!(
            "it went well {succeeded} of {count} times; {CALLS_MIN} are the fewest to propose on"
        );
        return Class::Unknown { missing };
    }
    by_place(facts)
}

/// What a call that changes something could become, by where it stands.
fn by_place(facts: &Facts<'_>) -> Class {
    let tail = facts.share(|observation| observation.is_tail);
    let is_tail = tail.share() >= TAIL_SHARE;
    let is_forwarded =
        facts.share(|observation| observation.is_forwarded).share() >= FORWARDED_SHARE;
    // A word alone frees no call: it has to be followed alike, whatever it answers.
    let is_told = facts.notice().is_some() && facts.is_followed_alike();
    let is_free = facts.is_ignored() || facts.is_independent() || is_told;
    if facts.is_decisive() {
        let coupled = facts.coupled();
        let missing = format!(
            "why requests fail when it fails, {} of {}: whether the user needs the outcome at once",
            coupled.hits, coupled.total
        );
        return Class::Unknown { missing };
    }
    if !is_tail && !is_free {
        let missing = format!(
            "whether the caller needs its answer for what it does next, in {} of {}: needs values \
             of the answer in spans, or failures of it",
            tail.total - tail.hits,
            tail.total
        );
        return Class::Unknown { missing };
    }
    // What callers answer without is not their answer, however much of their time it takes.
    if is_forwarded && !facts.is_ignored() {
        return Class::Async202Poll;
    }
    let writes_locally = facts.observations.iter().any(|observation| {
        observation.writes_locally
            || observation.marks.in_transaction
            || observation.marks.compensated
    });
    if facts.side_work().is_some() && !writes_locally {
        Class::FireAndForget
    } else {
        Class::AsyncWithOutbox
    }
}
