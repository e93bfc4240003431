//! What happens after a failure.

use std::fmt;
use std::time::Duration;

use tidegate_base::{Ratio, format_duration};

use super::Located;
use crate::finding::Place;

/// What happens after a failure that may pass.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Where it is written; the consumer's place when absent.
    pub place: Place,
    /// How the delay grows.
    pub backoff: Backoff,
    /// Retries without a delay, before those with one.
    pub immediate: Located<u32>,
    /// The first delay.
    pub initial: Located<Duration>,
    /// The longest delay.
    pub max: Located<Duration>,
    /// How much is left to chance.
    pub jitter: Jitter,
    /// Most attempts, the first one included.
    pub attempts: Located<u32>,
    /// A delivery older than this is not retried.
    pub age: Option<Located<Duration>>,
    /// Retries as a share of first attempts; `None`: no budget.
    pub budget: Option<Located<Ratio>>,
    /// Whether later deliveries of the same key wait meanwhile.
    pub mode: Located<RetryMode>,
    /// Rules for single classes of failures, in the order of the classes.
    pub classes: Vec<ClassRule>,
}

/// How the delay between attempts grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backoff {
    /// Always `initial`.
    Constant,
    /// `initial` times the number of failed attempts.
    Linear,
    /// Doubles after each failed attempt. The default.
    #[default]
    Exponential,
}

/// How much of a delay is left to chance.
///
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// Nothing.
    None,
    /// All: uniform from zero to the delay. The default.
    #[default]
    Full,
    /// Half: the upper half of the delay.
    Equal,
    /// From `initial` to three times the previous delay.
    Decorrelated,
}

/// Whether later deliveries wait while one is retried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryMode {
    /// The key waits, other keys flow: order is kept. The default.
    #[default]
    Blocking,
    /// Nothing waits: order is lost, as with retry topics.
    NonBlocking,
}

/// What kind of failure an attempt ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// The handler failed.
    Retryable,
    /// It, or what it needs, could not be reached.
    Unavailable,
    /// No answer came in time.
    Timeout,
    /// The handler has too much to do.
    Overload,
    /// The handler said that it can never succeed.
    Permanent,
    /// The endpoint is wrong.
    EndpointFault,
}

/// What becomes of a delivery by a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// It is retried, as long as it may. The default.
    #[default]
    Retry,
    /// It is a dead letter at once.
    Park,
}

/// A rule for one class of failures. What it does not say is as in the policy that it is of.
#[derive(Clone, Debug)]
pub struct ClassRule {
    /// Where it is written.
    pub place: Place,
    /// The class.
    pub class: FailureClass,
    /// What becomes of a delivery; `None`: it is retried.
    pub then: Option<Located<Then>>,
    /// How the delay grows.
    pub backoff: Option<Located<Backoff>>,
    /// Retries without a delay, before those with one.
    pub immediate: Option<Located<u32>>,
    /// The first delay.
    pub initial: Option<Located<Duration>>,
    /// The longest delay.
    pub max: Option<Located<Duration>>,
    /// How much is left to chance.
    pub jitter: Option<Located<Jitter>>,
    /// Most attempts that end in this class.
    pub attempts: Option<Located<u32>>,
}

impl FailureClass {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Retryable,
        Self::Unavailable,
        Self::Timeout,
        Self::Overload,
        Self::Permanent,
        Self::EndpointFault,
    ];
}

impl ClassRule {
    /// Whether such failures make a dead letter at once.
    #[must_use]
    pub fn parks(&self) -> bool {
        let then = self.then.as_ref();
        then.is_some_and(|then| then.value == Then::Park)
    }

    /// Whether failures of this class are counted by themselves, since it says how they are retried.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.backoff.is_some()
            || self.immediate.is_some()
            || self.initial.is_some()
            || self.max.is_some()
            || self.jitter.is_some()
            || self.attempts.is_some()
    }
}

/// As a design says it, on one line.
impl fmt::Display for ClassRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parks() {
            return f.write_str("park");
        }
        let duration = |one: &Located<Duration>| format_duration(one.value);
        let fields = [
            (
                "backoff",
                self.backoff.as_ref().map(|b| b.value.to_string()),
            ),
            (
                "immediate",
                self.immediate.as_ref().map(|i| i.value.to_string()),
            ),
            ("initial", self.initial.as_ref().map(duration)),
            ("max", self.max.as_ref().map(duration)),
            ("jitter", self.jitter.as_ref().map(|j| j.value.to_string())),
            (
                "attempts",
                self.attempts.as_ref().map(|a| a.value.to_string()),
            ),
        ];
        let written = fields.into_iter();
        let written = written.filter_map(|(name, value)| Some(format!("{name}: {}", value?)));
        match written.collect::<Vec<_>>().join(", ") {
            fields if fields.is_empty() => f.write_str("retry"),
            fields => write!(f, "{{{fields}}}"),
        }
    }
}

impl Retry {
    /// The rule for a class of failures. One for faults of the endpoint counts for nothing: they hold the consumer.
    #[must_use]
    pub fn rule(&self, class: FailureClass) -> Option<&ClassRule> {
        let mut rules = self.classes.iter();
        rules.find(|rule| rule.class == class && class != FailureClass::EndpointFault)
    }

    /// How failures of a class are retried, with nothing left to its rules; `None`: they are not.
    #[must_use]
    pub fn of(&self, class: FailureClass) -> Option<Self> {
        let plain = Self {
            classes: Vec::new(),
            ..self.clone()
        };
        match (self.rule(class), class) {
            (Some(rule), _) if rule.parks() => None,
            (Some(rule), _) => Some(Self {
                place: rule.place.clone(),
                backoff: value_of(&rule.backoff, plain.backoff),
                immediate: rule.immediate.clone().unwrap_or(plain.immediate),
                initial: rule.initial.clone().unwrap_or(plain.initial),
                max: rule.max.clone().unwrap_or(plain.max),
                jitter: value_of(&rule.jitter, plain.jitter),
                attempts: rule.attempts.clone().unwrap_or(plain.attempts),
                ..plain
            }),
            (None, FailureClass::Retryable | FailureClass::Unavailable | FailureClass::Timeout) => {
                Some(plain)
            }
            (
                None,
                FailureClass::Overload | FailureClass::Permanent | FailureClass::EndpointFault,
            ) => None,
        }
    }

    /// The policies by which failures are retried, each with its class.
    pub fn retried(&self) -> impl Iterator<Item = (FailureClass, Self)> {
        let classes = FailureClass::ALL.into_iter();
        classes.filter_map(|class| Some((class, self.of(class)?)))
    }

    /// The policy with the most attempts of those by which failures are retried, of equals the first; one with a single
    /// attempt where every class is parked at once. Failures without a class are taken to be of its, so that there is no
    /// less work than there may be.
    #[must_use]
    pub fn heaviest(&self) -> Self {
        let policies = self.retried().map(|(_, policy)| policy);
        let heaviest =
            policies.reduce(|most, one| match one.attempts.value > most.attempts.value {
                true => one,
                false => most,
            });
        heaviest.unwrap_or_else(|| {
            let mut parked = self.clone();
            parked.attempts.value = 1;
            parked
        })
    }

    /// Most attempts of a delivery, whatever it fails with: the most that any class has that is retried.
    #[must_use]
    pub fn most_attempts(&self) -> u32 {
        let attempts = self.retried().map(|(_, policy)| policy.attempts.value);
        attempts.fold(1, u32::max)
    }
}

fn value_of<T: Copy>(written: &Option<Located<T>>, otherwise: T) -> T {
    written.as_ref().map_or(otherwise, |written| written.value)
}
