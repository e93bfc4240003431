//! How a consumer does: one word, one sentence of cause, one of what to do.
//!
//! The cause is the first of a fixed list that applies, so the same situation always reads the same.

use std::time::Duration;

use tidegate_base::limit::INBOX_IDENTITIES_MAX;
use tidegate_base::{BreakerName, Timestamp, format_duration};
use tidegate_delivery::{BreakerStatus, ConsumerStatus, HaltCause, Mode, Obstacle};

use crate::view::ConsumerState;

/// Beyond this share of waiting deliveries, a few keys are the cause.
const SKEW_SHARE: f64 = 0.6;
/// A consumer with nothing running and a backlog older than this has stalled, whatever its objective.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// Everything that the word and the sentences are made of.
#[derive(Clone, Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) now: Timestamp,
    pub(crate) status: &'a ConsumerStatus,
    pub(crate) mode: Mode,
    pub(crate) concurrency: u32,
    pub(crate) lag: Duration,
    pub(crate) objective: Duration,
    pub(crate) in_per_second: f64,
    pub(crate) out_per_second: f64,
    pub(crate) handler_p50_ms: Option<f64>,
    /// The breaker that holds it.
    pub(crate) breaker: Option<(&'a BreakerName, BreakerStatus)>,
}

impl Situation<'_> {
    /// How it does, in a word.
    pub(crate) fn word(&self) -> ConsumerState {
        let status = self.status;
        let behind = self.lag > self.objective;
        let unserved = matches!(status.obstacle, None | Some(Obstacle::NobodyPulls));
        if status.halt.is_some() {
            ConsumerState::Halted
        } else if status.paused.is_some() || (self.is_held() && status.runnable > 0) {
            ConsumerState::Held
        } else if status.backlog == 0 && self.in_per_second == 0.0 {
            ConsumerState::Idle
        } else if status.backlog > 0
            && status.in_flight == 0
            && status.waiting_retry == 0
            && unserved
            && self.is_stalled()
        {
            ConsumerState::Stalled
        } else if !behind {
            ConsumerState::Ok
        } else if self.out_per_second > self.in_per_second {
            ConsumerState::CatchingUp
        } else {
            ConsumerState::FallingBehind
        }
    }

    /// Whether a breaker holds it, or its handler has asked for time.
    fn is_held(&self) -> bool {
        let asked = matches!(self.status.obstacle, Some(Obstacle::Overload { .. }));
        self.breaker.is_some() || asked
    }

    /// Whether what waits has waited for longer than pullers leave between two pulls.
    fn is_stalled(&self) -> bool {
        self.lag > STALLED_AFTER.min(self.objective)
    }

    /// Time until the backlog is gone at the present rates; `None`: never.
    pub(crate) fn drain_seconds(&self) -> Option<f64> {
        // What is for later is not done before its time, whatever the rates.
        let due = self.status.backlog.saturating_sub(self.status.scheduled);
        let backlog = due as f64;
        let net = self.out_per_second - self.in_per_second;
        if backlog == 0.0 {
            Some(0.0)
        } else {
            (net > 0.0).then(|| backlog / net)
        }
    }

    /// Deliveries that could run but are held, and by what.
    pub(crate) fn held(&self) -> (u64, Option<String>) {
        let status = self.status;
        let by = match &status.obstacle {
            Some(Obstacle::Breaker(name)) => Some(format!("breaker {name}")),
            Some(Obstacle::Halted) => Some("halted".to_owned()),
            Some(Obstacle::Overload { .. }) => Some("overload".to_owned()),
            Some(Obstacle::Budget { .. }) => Some("retry budget".to_owned()),
            Some(Obstacle::Rate { .. }) => Some("rate".to_owned()),
            Some(Obstacle::Dependency(name)) => Some(format!("dependency {name}")),
            Some(Obstacle::Share) => Some("process".to_owned()),
            Some(Obstacle::Suspect) => Some("suspect".to_owned()),
            Some(Obstacle::Replay) => Some("replay".to_owned()),
            Some(Obstacle::Inbox) => Some("inbox".to_owned()),
            Some(Obstacle::Paused | Obstacle::Draining | Obstacle::Boot) => {
                Some("paused".to_owned())
            }
            Some(Obstacle::Concurrency | Obstacle::NobodyPulls) | None => None,
        };
        match by {
            Some(by) => (status.runnable + status.behind_key, Some(by)),
            None if status.behind_key > 0 => (status.behind_key, Some("key".to_owned())),
            None => (0, None),
        }
    }

    /// Why it does as it does: the limiting factor.
    pub(crate) fn reason(&self) -> String {
        self.stopped()
            .or_else(|| self.held_back())
            .or_else(|| self.failing())
            .or_else(|| self.unserved())
            .or_else(|| self.saturated())
            .unwrap_or_else(|| self.fine())
    }

    fn until(&self, time: Timestamp) -> String {
        format_duration(round(time.since(self.now)))
    }

    fn stopped(&self) -> Option<String> {
        if let Some(pause) = &self.status.paused {
            let since = format_duration(round(self.now.since(pause.since)));
            return Some(format!("paused for {since}: {}", pause.reason));
        }
        let halt = self.status.halt.as_ref()?;
        let reason = &halt.reason;
        Some(match halt.cause {
            HaltCause::Endpoint => {
                let next = self.until(self.status.probe_at);
                format!("the endpoint refuses: {reason}; it is tried again in {next}")
            }
            HaltCause::DeadLetters => format!("it has {reason}; it goes on when some are redriven"),
            HaltCause::DeadLetterBudget => format!(
                "dead letters come faster than their budget allows, the next with: {reason}; \
                 it goes on when it is resumed"
            ),
            HaltCause::Channel => format!("its channel cannot be read: {reason}"),
        })
    }

    fn held_back(&self) -> Option<String> {
        let status = self.status;
        if let Some((name, breaker)) = &self.breaker {
            let since = format_duration(round(self.now.since(breaker.since)));
            return Some(match breaker.probes_at {
                Some(at) => {
                    let next = self.until(at);
                    format!("breaker `{name}` is open for {since}; it probes in {next}")
                }
                None if breaker.forced => {
                    format!("breaker `{name}` is held open for {since} by an operator")
                }
                None if breaker.ramp_limit.is_some() => {
                    format!("breaker `{name}` has closed and lets calls through slowly at first")
                }
                None => format!("breaker `{name}` probes"),
            });
        }
        match &status.obstacle {
            Some(Obstacle::Overload { until }) => {
                let (next, said) = (self.until(*until), &status.hold_reason);
                Some(match status.endpoint_faults {
                    0 => {
                        format!("the handler asked for time: {said}; it is called again in {next}")
                    }
                    _ => format!("the endpoint refuses: {said}; it is tried again in {next}"),
                })
            }
            Some(Obstacle::Suspect) => {
                Some("a delivery that may have ended the process runs alone".to_owned())
            }
            Some(Obstacle::Replay) => Some("a replay of earlier events goes first".to_owned()),
            Some(Obstacle::Inbox) => Some(format!(
                "{INBOX_IDENTITIES_MAX} finished events must be remembered until its oldest delivery \
                 is done"
            )),
            Some(Obstacle::Draining) => Some("the system is draining".to_owned()),
            Some(Obstacle::Boot) => Some("the system is starting".to_owned()),
            _ => None,
        }
    }

    fn failing(&self) -> Option<String> {
        let failing = self.status.failing.as_ref()?;
        let waits = self.status.behind_key;
        let after = failing.until.map_or_else(String::new, |until| {
            format!("; it is tried again in {}", self.until(until))
        });
        let behind = match waits {
            0 => String::new(),
            1 => "; 1 waits behind one of the same key".to_owned(),
            waits => format!("; {waits} wait behind one of the same key"),
        };
        (failing.failures > 1).then(|| {
            format!(
                "delivery {} has failed {} times: {}{after}{behind}",
                failing.sequence, failing.failures, failing.error
            )
        })
    }

    fn unserved(&self) -> Option<String> {
        match &self.status.obstacle {
            Some(Obstacle::NobodyPulls) if self.status.in_flight == 0 && self.is_stalled() => {
                Some("nobody pulls".to_owned())
            }
            Some(Obstacle::Budget { until }) => {
                let next = self.until(*until);
                Some(format!(
                    "the retry budget is used up; the next retry is in {next}"
                ))
            }
            _ => None,
        }
    }

    fn saturated(&self) -> Option<String> {
        let status = self.status;
        if self.lag <= self.objective {
            return None;
        }
        let arrive = self.in_per_second;
        match &status.obstacle {
            Some(Obstacle::Rate { .. }) => {
                return Some(format!(
                    "it starts as fast as its rate allows, and {arrive:.0}/s arrive"
                ));
            }
            Some(Obstacle::Dependency(name)) => {
                let what = "is taken, by it or by others that need it";
                return Some(format!(
                    "every place of `{name}` {what}, and {arrive:.0}/s arrive"
                ));
            }
            Some(Obstacle::Share) => {
                return Some(format!(
                    "every place of the process is taken, and {arrive:.0}/s arrive"
                ));
            }
            _ => {}
        }
        if status.in_flight >= status.limit {
            let most = self
                .handler_p50_ms
                .filter(|ms| *ms > 0.0)
                .map_or_else(String::new, |ms| {
                    let rate = f64::from(status.limit) * 1_000.0 / ms;
                    format!("; at {ms:.0} ms each that is at most {rate:.0}/s")
                });
            let taken = match status.limit {
                less if less < self.concurrency => {
                    format!("all {less} places that it can use by its times are taken")
                }
                1 => "its one place is taken".to_owned(),
                places => format!("all {places} places are taken"),
            };
            return Some(format!("{taken}{most}, and {arrive:.0}/s arrive"));
        }
        if status.behind_key as f64 > SKEW_SHARE * status.backlog as f64 {
            return Some(format!(
                "{} of {} deliveries wait for one of the same key",
                status.behind_key, status.backlog
            ));
        }
        (self.in_per_second > self.out_per_second).then(|| {
            let (arrive, done) = (self.in_per_second, self.out_per_second);
            format!("{arrive:.0}/s arrive and {done:.0}/s are finished")
        })
    }

    fn fine(&self) -> String {
        let status = self.status;
        if status.backlog == 0 && status.followers > 0 {
            return match status.followers {
                1 => "1 delivery waits behind a dead letter of its key".to_owned(),
                many => format!("{many} deliveries wait behind dead letters of their keys"),
            };
        }
        match self.word() {
            ConsumerState::Idle => "nothing to do".to_owned(),
            ConsumerState::CatchingUp => "the backlog shrinks".to_owned(),
            _ if self.lag > self.objective => "it is behind its objective".to_owned(),
            _ => "within its objective".to_owned(),
        }
    }

    /// What to do about it.
    pub(crate) fn next_step(&self) -> &'static str {
        if self.status.paused.is_some() {
            return "resume it once its reason is gone";
        }
        match (
            self.status.halt.as_ref().map(|halt| halt.cause),
            &self.status.obstacle,
        ) {
            (Some(HaltCause::Endpoint), _) => "put the endpoint right: it goes on by itself",
            (Some(HaltCause::DeadLetters), _) => "find their common cause, then redrive them",
            (Some(HaltCause::DeadLetterBudget), _) => "mend their common cause, then resume it",
            (Some(HaltCause::Channel), _) => "repair or restore the store, then start again",
            (None, _) if self.breaker.is_some_and(|(_, breaker)| breaker.forced) => {
                "reset the breaker once its reason is gone"
            }
            (None, _) if let Some((name, _)) = self.breaker => match name {
                BreakerName::Dependency(_) => {
                    "nothing is lost: it goes on when the dependency answers"
                }
                BreakerName::Own(_) => "nothing is lost: it goes on when its handler answers",
            },
            (None, Some(Obstacle::Overload { .. })) => {
                "nothing is lost: it goes on by itself then, or at once when it is resumed"
            }
            (None, Some(Obstacle::NobodyPulls)) => "start a puller",
            (None, Some(Obstacle::Concurrency)) => {
                "raise its concurrency or make the handler faster"
            }
            (None, Some(Obstacle::Rate { .. })) => "raise its rate, if the handler can take more",
            (None, Some(Obstacle::Dependency(_))) => {
                "raise the concurrency of the dependency, if it can take more"
            }
            (None, _) if self.status.failing.is_some() => "look at the failing delivery",
            (None, _) => "look at its handler",
        }
    }
}

/// Whole seconds, or milliseconds below one.
pub(crate) fn round(time: Duration) -> Duration {
    if time < Duration::from_secs(1) {
        Duration::from_millis(u64::from(time.subsec_millis()))
    } else {
        Duration::from_secs(time.saturating_add(Duration::from_millis(500)).as_secs())
    }
}
