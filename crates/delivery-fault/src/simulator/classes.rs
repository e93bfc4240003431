//! What must become of a failure by its class, worked out apart from the machine.
//!
//! C1 a failure is retried, given up or held as the design says of its class · C2 a class that counts by itself has the
//! attempts that it was given, whatever else failed, and after a restart too · C3 none has more than the most of any.

use std::time::Duration;

use tidegate_base::Timestamp;
use tidegate_base::limit::RETRY_AFTER_SECONDS_MAX;
use tidegate_delivery::{
    Backoff, ClassCounts, ClassRule, ClassRules, Conclusion, FailureClass, Jitter, Outcome,
    OwnRetry, Release, RetryPolicy, SystemConfig,
};

use super::chance::Chance;
use super::promises::{Place, Watch};

/// Failures of each class, in the order of [`FailureClass::ALL`].
pub(super) type Counts = [u32; 5];

/// What becomes of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Held,
    Parked,
    Exhausted,
    Retried,
}

/// Says something of some classes, in some histories. The others stay what they were before there were rules, and
/// with them the seeds that have broken a promise once.
pub(super) fn rules(config: &mut SystemConfig, seed: u64) {
    if !matches!(seed % 7, 2 | 4 | 6) {
        return;
    }
    let mut chance = Chance::new(seed ^ 0xc1a5_5e50);
    for consumer in &mut config.consumers {
        let mut rules = ClassRules::default();
        for class in FailureClass::ALL {
            let rule = match chance.below(6) {
                0 => ClassRule::Park,
                1 => ClassRule::Retry,
                2 | 3 => ClassRule::Own(OwnRetry {
                    backoff: [Backoff::Constant, Backoff::Linear][chance.below(2) as usize],
                    immediate: chance.below(2) as u32,
                    initial: Duration::from_millis(5 + chance.below(40)),
                    max: Duration::from_millis(500),
                    jitter: [Jitter::None, Jitter::Full][chance.below(2) as usize],
                    attempts: 1 + chance.below(4) as u32,
                }),
                _ => continue,
            };
            rules = rules.with(class, rule);
        }
        consumer.retry.classes = rules;
    }
}

/// By class, where the rest of all failures is of none that is counted.
pub(super) fn counts(failures: u32, classes: ClassCounts) -> Counts {
    let ClassCounts {
        unavailable,
        timeout,
        overload,
        permanent,
    } = classes;
    let others = unavailable + timeout + overload + permanent;
    let retryable = failures.saturating_sub(others);
    [retryable, unavailable, timeout, overload, permanent]
}

pub(super) fn add(counts: &mut Counts, class: FailureClass) {
    let place = FailureClass::ALL.iter().position(|one| *one == class);
    counts[place.unwrap()] += 1;
}

/// Most attempts of a class, where it is retried.
fn attempts(policy: &RetryPolicy, class: FailureClass) -> Option<u32> {
    match (policy.classes.of(class), class) {
        (Some(ClassRule::Park), _) => None,
        (Some(ClassRule::Own(own)), _) => Some(own.attempts),
        (None, FailureClass::Overload | FailureClass::Permanent) => None,
        (Some(ClassRule::Retry) | None, _) => Some(policy.attempts),
    }
}

/// Most attempts of a delivery.
pub(super) fn most(policy: &RetryPolicy) -> u32 {
    let each = FailureClass::ALL.map(|class| attempts(policy, class));
    each.into_iter().flatten().max().unwrap_or(1)
}

fn due(policy: &RetryPolicy, class: FailureClass, before: &Counts) -> Due {
    let rule = policy.classes.of(class);
    let Some(attempts) = attempts(policy, class) else {
        return match (rule, class) {
            (None, FailureClass::Overload) => Due::Held,
            _ => Due::Parked,
        };
    };
    let mut counts = *before;
    add(&mut counts, class);
    let is_own =
        |class: &FailureClass| matches!(policy.classes.of(*class), Some(ClassRule::Own(_)));
    let by_class = FailureClass::ALL.into_iter().zip(counts);
    let failures: u32 = match is_own(&class) {
        true => by_class
            .filter(|(one, _)| *one == class)
            .map(|(_, n)| n)
            .sum(),
        false => by_class
            .filter(|(one, _)| !is_own(one))
            .map(|(_, n)| n)
            .sum(),
    };
    match failures >= attempts || counts.iter().sum::<u32>() >= most(policy) {
        true => Due::Exhausted,
        false => Due::Retried,
    }
}

/// Whether an attempt that ran was concluded as its outcome and the design say. `None`: its end is being recorded.
pub(super) fn is_right(
    policy: &RetryPolicy,
    outcome: &Outcome,
    before: &Counts,
    open: bool,
    found: Option<Conclusion>,
    now: Timestamp,
) -> bool {
    let (class, after) = match outcome {
        Outcome::Done | Outcome::DoneWith(_) | Outcome::Refused { .. } => return found.is_none(),
        Outcome::EndpointFault { .. } => {
            return found == Some(Conclusion::Released(Release::EndpointFault));
        }
        Outcome::Cancelled => return found == Some(Conclusion::Released(Release::Cancelled)),
        Outcome::Permanent { .. } => (FailureClass::Permanent, None),
        Outcome::Overload { after, .. } => (FailureClass::Overload, *after),
        Outcome::Retry { class, after, .. } => (FailureClass::from(*class), *after),
    };
    let is_of_dependency = !matches!(class, FailureClass::Retryable | FailureClass::Permanent);
    match due(policy, class, before) {
        Due::Held => found == Some(Conclusion::Released(Release::Overload)),
        _ if open && is_of_dependency => found == Some(Conclusion::Released(Release::BreakerOpen)),
        Due::Parked | Due::Exhausted => found.is_none(),
        Due::Retried => match found {
            Some(Conclusion::Failed { until, class: of }) => {
                let most = Duration::from_secs(RETRY_AFTER_SECONDS_MAX);
                of == class && until >= now + after.unwrap_or_default().min(most)
            }
            // It is too old, and that is being recorded.
            found => found.is_none() && policy.age.is_some(),
        },
    }
}

/// Whether an overload holds the consumer.
pub(super) fn holds(policy: &RetryPolicy) -> bool {
    policy.classes.of(FailureClass::Overload).is_none()
}

impl Watch {
    /// A failure that counts is retried: there are attempts left.
    pub(super) fn failed(&mut self, place: Place, class: FailureClass, until: Timestamp) {
        let attempts = most(&self.consumer(&place.0).retry);
        let process = &mut self.process;
        add(process.classes.entry(place.clone()).or_default(), class);
        let failures = process.failures.entry(place.clone()).or_default();
        *failures += 1;
        let failures = *failures;
        self.broken.unless(failures < attempts, || {
            format!("I6: {failures} failures of {attempts}, and {place:?} is retried")
        });
        process.retry_at.insert(place.clone(), until);
        process.tainted.insert(place.clone());
        *process.next_attempt.entry(place).or_insert(1) += 1;
    }
}
