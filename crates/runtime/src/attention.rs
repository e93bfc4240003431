//! What needs attention, in sentences: what is so, why, and what to do.

use std::time::Duration;

use tidegate_base::{ConsumerId, Timestamp, format_duration};
use tidegate_delivery::ConsumerStatus;

use crate::situation::{Situation, round};
use crate::view::{Attention, ConsumerState, DependencyView, Mode};

/// A consumer that is behind, held or stands still.
pub(crate) fn of_consumer(
    id: &ConsumerId,
    situation: &Situation<'_>,
    shown: ConsumerState,
    since: Timestamp,
) -> Option<Attention> {
    let (reason, step) = (situation.reason(), situation.next_step());
    let lag = format_duration(round(situation.lag));
    let objective = format_duration(situation.objective);
    let behind = situation.lag > situation.objective;
    let (severity, sentence) = match shown {
        ConsumerState::Ok | ConsumerState::Idle => return None,
        ConsumerState::Halted => ("error", format!("`{id}` stands still: {reason}; {step}")),
        ConsumerState::Stalled => {
            let backlog = situation.status.backlog;
            (
                "error",
                format!("`{id}` has {backlog} deliveries and nothing runs: {reason}; {step}"),
            )
        }
        ConsumerState::Held if !behind => ("warning", format!("`{id}` is held: {reason}; {step}")),
        ConsumerState::FallingBehind | ConsumerState::Held => (
            "error",
            format!("`{id}` is {lag} behind (objective {objective}): {reason}; {step}"),
        ),
        ConsumerState::CatchingUp => {
            let drain = situation
                .drain_seconds()
                .map_or_else(String::new, |seconds| {
                    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
                    format!(", caught up in {}", format_duration(round(time)))
                });
            (
                "warning",
                format!("`{id}` is {lag} behind (objective {objective}){drain}: {reason}"),
            )
        }
    };
    let (name, since_ms) = (id.to_string(), since.millis());
    Some(Attention {
        severity,
        sentence,
        kind: "consumer",
        name,
        since_ms,
    })
}

/// Dead letters that wait for a decision.
pub(crate) fn of_dead_letters(
    id: &ConsumerId,
    status: &ConsumerStatus,
    now: Timestamp,
) -> Option<Attention> {
    let (letters, followers) = (status.dead_letters, status.followers);
    if letters == 0 {
        return None;
    }
    let noun = if letters == 1 {
        "a dead letter"
    } else {
        "dead letters"
    };
    let count = if letters == 1 {
        String::new()
    } else {
        format!("{letters} ")
    };
    let behind = match followers {
        0 => String::new(),
        1 => "; 1 delivery of the same key waits behind".to_owned(),
        _ => format!("; {followers} deliveries of the same keys wait behind"),
    };
    let sentence =
        format!("`{id}` has {count}{noun}{behind}; look at the cause, mend it, then redrive");
    let since_ms = status.oldest_death.unwrap_or(now).millis();
    let (name, kind) = (id.to_string(), "dead-letters");
    Some(Attention {
        severity: "warning",
        sentence,
        kind,
        name,
        since_ms,
    })
}

/// A breaker that is not closed.
pub(crate) fn of_breaker(dependency: &DependencyView, now: Timestamp) -> Option<Attention> {
    let since = format_duration(round(
        now.since(Timestamp::from_millis(dependency.since_ms)),
    ));
    let what = match (dependency.state, dependency.probes_at_ms) {
        ("open", Some(at)) => {
            let next = format_duration(round(Timestamp::from_millis(at).since(now)));
            format!("is open for {since}; it probes in {next}")
        }
        ("half-open", _) => format!("probes for {since}"),
        _ => return None,
    };
    let held = match dependency.consumers.len() {
        1 => "1 consumer is held".to_owned(),
        count => format!("{count} consumers are held"),
    };
    Some(Attention {
        severity: "error",
        sentence: format!(
            "breaker `{}` {what}; {held} and lose nothing",
            dependency.name
        ),
        kind: "dependency",
        name: dependency.name.to_string(),
        since_ms: dependency.since_ms,
    })
}

/// A system that takes nothing.
pub(crate) fn of_mode(mode: Mode, now: Timestamp) -> Option<Attention> {
    let (severity, sentence) = match mode {
        Mode::Running => return None,
        Mode::Draining => (
            "warning",
            "the system finishes what runs and takes nothing new",
        ),
        Mode::Stopped => (
            "error",
            "the writer has stopped: nothing is accepted or delivered; see the log, then start again",
        ),
    };
    let (kind, name) = ("system", "system".to_owned());
    Some(Attention {
        severity,
        sentence: sentence.to_owned(),
        kind,
        name,
        since_ms: now.millis(),
    })
}
