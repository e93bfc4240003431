//! What needs attention, in sentences: what is so, why, and what to do.

use std::time::Duration;

use tidegate_base::{ConsumerId, Timestamp, format_duration};
use tidegate_delivery::ConsumerStatus;

use crate::situation::{Situation, round};
use crate::view::{Attention, ConsumerState, DependencyView, EventView, Mode};

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
            let backlog = match situation.status.backlog {
                1 => "1 delivery".to_owned(),
                many => format!("{many} deliveries"),
            };
            (
                "error",
                format!("`{id}` has {backlog} and nothing runs: {reason}; {step}"),
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

/// A registry of others that tells no schemas.
pub(crate) fn of_registry(since: Timestamp, reason: &str, now: Timestamp) -> Attention {
    let time = format_duration(round(now.since(since)));
    let sentence = format!(
        "the schema registry tells no schemas for {time}: {reason}; events whose schema is not known yet wait, and none is lost"
    );
    Attention {
        severity: "error",
        sentence,
        kind: "registry",
        name: String::new(),
        since_ms: since.millis(),
    }
}

/// An event that is refused to its producers.
pub(crate) fn of_backlog(event: &EventView) -> Option<Attention> {
    let backlog = event.backlog_limit.as_ref()?;
    let (name, reason) = (&event.name, &backlog.reason);
    let sentence = format!(
        "`{name}` is refused to its producers: {reason}; make the consumer faster, or raise the limit"
    );
    Some(Attention {
        severity: "error",
        sentence,
        kind: "event",
        name: name.to_string(),
        since_ms: backlog.since_ms,
    })
}

/// A breaker that is not closed.
pub(crate) fn of_breaker(dependency: &DependencyView, now: Timestamp) -> Option<Attention> {
    let since = format_duration(round(
        now.since(Timestamp::from_millis(dependency.since_ms)),
    ));
    if let Some(forced) = &dependency.forced {
        let sentence = format!(
            "breaker `{}` is held open for {since}: {}; reset it once that is over",
            dependency.name, forced.reason
        );
        return Some(Attention {
            severity: "warning",
            sentence,
            kind: "dependency",
            name: dependency.name.to_string(),
            since_ms: dependency.since_ms,
        });
    }
    let what = match (dependency.state, dependency.probes_at_ms) {
        ("open", Some(at)) => {
            let next = format_duration(round(Timestamp::from_millis(at).since(now)));
            format!("is open for {since}; it probes in {next}")
        }
        ("half-open", _) => format!("probes for {since}"),
        _ => return None,
    };
    // Of its own breaker a consumer says itself that it is held, once it has something to do.
    if dependency.own {
        return None;
    }
    let held = match dependency.consumers.len() {
        0 => "no consumer needs it".to_owned(),
        1 => "1 consumer is held and loses nothing".to_owned(),
        count => format!("{count} consumers are held and lose nothing"),
    };
    Some(Attention {
        severity: "error",
        sentence: format!("breaker `{}` {what}; {held}", dependency.name),
        kind: "dependency",
        name: dependency.name.to_string(),
        since_ms: dependency.since_ms,
    })
}

/// A store that has no room for the state.
pub(crate) fn of_room(limit: &str, since: Timestamp) -> Attention {
    let sentence = format!(
        "the state finds no room: {limit}; nothing starts and nothing is lost; make room: it goes on by itself"
    );
    let (kind, name) = ("system", "system".to_owned());
    Attention {
        severity: "error",
        sentence,
        kind,
        name,
        since_ms: since.millis(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_delivery::{Failing, Halt, HaltCause, Mode as Delivery, Obstacle};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn id() -> ConsumerId {
        "billing/OrderPlaced".parse().unwrap()
    }

    /// A consumer with so many deliveries and nothing wrong.
    fn status(backlog: u64) -> ConsumerStatus {
        ConsumerStatus {
            backlog,
            oldest: None,
            in_flight: 0,
            limit: 4,
            no_load: None,
            waiting_retry: 0,
            scheduled: 0,
            runnable: backlog,
            behind_key: 0,
            followers: 0,
            dead_letters: 0,
            condemned: 0,
            oldest_death: None,
            obstacle: None,
            hold_reason: String::new(),
            endpoint_faults: 0,
            paused: None,
            discarded: 0,
            halt: None,
            probe_at: NOW,
            failing: None,
            settled: 0,
            watermark: 0,
            position: 0,
            replaying: None,
        }
    }

    /// What is said of a consumer that is so far behind an objective of 30 s.
    fn said(status: &ConsumerStatus, lag_seconds: u64, rates: [f64; 2]) -> String {
        let situation = Situation {
            now: NOW,
            status,
            mode: Delivery::Push,
            concurrency: 4,
            lag: Duration::from_secs(lag_seconds),
            objective: Duration::from_secs(30),
            in_per_second: rates[0],
            out_per_second: rates[1],
            handler_p50_ms: Some(200.0),
            breaker: None,
        };
        let said = of_consumer(&id(), &situation, situation.word(), NOW);
        said.map_or_else(String::new, |attention| attention.sentence)
    }

    #[test]
    fn a_consumer_that_is_well_is_not_mentioned() {
        assert_eq!(said(&status(0), 0, [0.0, 0.0]), "");
        assert_eq!(said(&status(3), 2, [5.0, 5.0]), "");
    }

    #[test]
    fn a_consumer_that_stands_still_says_why_and_what_to_do() {
        let mut halted = status(3);
        let halt = |cause, reason: &str| {
            let (reason, since) = (reason.to_owned(), NOW);
            Some(Halt {
                cause,
                reason,
                since,
            })
        };
        halted.halt = halt(HaltCause::Endpoint, "HTTP 404");
        halted.probe_at = NOW + Duration::from_secs(20);
        insta::assert_snapshot!(said(&halted, 0, [0.0, 0.0]), @"`billing/OrderPlaced` stands still: the endpoint refuses: HTTP 404; it is tried again in 20s; put the endpoint right: it goes on by itself");
        halted.halt = halt(HaltCause::DeadLetters, "10 dead letters, which is the most");
        insta::assert_snapshot!(said(&halted, 0, [0.0, 0.0]), @"`billing/OrderPlaced` stands still: it has 10 dead letters, which is the most; it goes on when some are redriven; find their common cause, then redrive them");
        halted.halt = halt(HaltCause::Channel, "a checksum differs");
        insta::assert_snapshot!(said(&halted, 0, [0.0, 0.0]), @"`billing/OrderPlaced` stands still: its channel cannot be read: a checksum differs; repair or restore the store, then start again");
        let mut stalled = status(1);
        stalled.obstacle = Some(Obstacle::NobodyPulls);
        insta::assert_snapshot!(said(&stalled, 60, [0.0, 0.0]), @"`billing/OrderPlaced` has 1 delivery and nothing runs: nobody pulls; start a puller");
    }

    #[test]
    fn a_consumer_that_is_behind_says_by_how_much_and_why() {
        let mut busy = status(500);
        busy.in_flight = 4;
        busy.obstacle = Some(Obstacle::Concurrency);
        insta::assert_snapshot!(said(&busy, 90, [30.0, 20.0]), @"`billing/OrderPlaced` is 1.5m behind (objective 30s): all 4 places are taken; at 200 ms each that is at most 20/s, and 30/s arrive; raise its concurrency or make the handler faster");
        insta::assert_snapshot!(said(&busy, 90, [15.0, 20.0]), @"`billing/OrderPlaced` is 1.5m behind (objective 30s), caught up in 1.67m: all 4 places are taken; at 200 ms each that is at most 20/s, and 15/s arrive");
        let mut failing = status(2);
        failing.in_flight = 1;
        failing.behind_key = 1;
        failing.failing = Some(Failing {
            sequence: 7,
            failures: 3,
            until: Some(NOW + Duration::from_secs(4)),
            error: "HTTP 500".to_owned(),
        });
        insta::assert_snapshot!(said(&failing, 90, [1.0, 0.0]), @"`billing/OrderPlaced` is 1.5m behind (objective 30s): delivery 7 has failed 3 times: HTTP 500; it is tried again in 4s; 1 waits behind one of the same key; look at the failing delivery");
    }

    #[test]
    fn dead_letters_are_counted_in_words() {
        let said = |letters, followers| {
            let mut status = status(0);
            status.dead_letters = letters;
            status.followers = followers;
            of_dead_letters(&id(), &status, NOW).map(|attention| attention.sentence)
        };
        assert_eq!(said(0, 0), None);
        insta::assert_snapshot!(said(1, 1).unwrap(), @"`billing/OrderPlaced` has a dead letter; 1 delivery of the same key waits behind; look at the cause, mend it, then redrive");
        insta::assert_snapshot!(said(12, 3).unwrap(), @"`billing/OrderPlaced` has 12 dead letters; 3 deliveries of the same keys wait behind; look at the cause, mend it, then redrive");
    }

    #[test]
    fn a_breaker_says_whom_it_holds() {
        let said = |state, probes_at_ms, consumers| {
            let dependency = DependencyView {
                name: "payments-api".parse().unwrap(),
                own: false,
                state,
                since_ms: 940_000,
                probes_at_ms,
                calls: 4,
                failure_rate: 1.0,
                threshold: 0.5,
                opened_total: 1,
                in_flight: 0,
                concurrency: None,
                forced: None,
                consumers: vec![id(); consumers],
            };
            of_breaker(&dependency, NOW).map(|attention| attention.sentence)
        };
        assert_eq!(said("closed", None, 1), None);
        insta::assert_snapshot!(said("open", Some(1_005_000), 1).unwrap(), @"breaker `payments-api` is open for 1m; it probes in 5s; 1 consumer is held and loses nothing");
        insta::assert_snapshot!(said("open", Some(1_005_000), 2).unwrap(), @"breaker `payments-api` is open for 1m; it probes in 5s; 2 consumers are held and lose nothing");
        insta::assert_snapshot!(said("half-open", None, 0).unwrap(), @"breaker `payments-api` probes for 1m; no consumer needs it");
    }
}
