//! Classes of failures, and what a design says of each: the words, and what is counted for them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::mutant::{self, Mutant};
use crate::outcome::RetryClass;
use crate::retry::{Backoff, Jitter, RetryPolicy};

/// What kind of failure an attempt ended with. A fault of the endpoint is none of them: whatever is said of it, it
/// holds its consumer and never makes a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// The handler failed.
    Retryable,
    /// The handler, or something that it needs, could not be reached.
    Unavailable,
    /// No answer came in time.
    Timeout,
    /// The handler has too much to do.
    Overload,
    /// The handler said that it can never succeed.
    Permanent,
}

/// What a design says of a class of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassRule {
    /// A dead letter at once.
    Park,
    /// Retried as the policy says; it counts with all others.
    Retry,
    /// Retried in its own way: only failures of this class count for that.
    Own(OwnRetry),
}

/// How failures of one class are retried, in place of what the policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnRetry {
    /// How the delay grows.
    pub backoff: Backoff,
    /// So many retries come without a delay, before those with one.
    pub immediate: u32,
    /// The first delay.
    pub initial: Duration,
    /// The longest delay.
    pub max: Duration,
    /// How much is left to chance.
    pub jitter: Jitter,
    /// Most attempts that fail in this way; at least 1.
    pub attempts: u32,
}

/// What a design says of each class; nothing where it is as ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClassRules {
    rules: [Option<ClassRule>; FailureClass::ALL.len()],
}

/// What becomes of a failure by its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It counts, and is tried again as long as it may.
    Retried,
    /// It is a dead letter at once.
    Parked,
    /// It does not count: its consumer is left alone for a while.
    Held,
}

/// The rule that was applied to a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppliedRule {
    /// A dead letter at once.
    Park,
    /// As the policy says.
    Retry,
    /// By attempts of its own.
    Own {
        /// Failures of this class in the redrive round, this one included.
        failures: u32,
        /// Most that there may be.
        attempts: u32,
    },
}

/// Failed attempts of one redrive round, those that are [`Retryable`](FailureClass::Retryable) left out: they are
/// what is missing to all. So what nobody has rules for takes no room in the state, and failures that an earlier
/// version has recorded without a class are taken for such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassCounts {
    /// Of those that could not be reached.
    #[serde(skip_serializing_if = "is_zero")]
    pub unavailable: u32,
    /// Of those that gave no answer in time.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: u32,
    /// Of those that had too much to do, where these count.
    #[serde(skip_serializing_if = "is_zero")]
    pub overload: u32,
    /// Of those that can never succeed, where these are retried.
    #[serde(skip_serializing_if = "is_zero")]
    pub permanent: u32,
}

/// How often a delivery has failed in its redrive round, and in which ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All failed attempts.
    pub failures: u32,
    /// Those of each class.
    pub classes: ClassCounts,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl FailureClass {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Retryable,
        Self::Unavailable,
        Self::Timeout,
        Self::Overload,
        Self::Permanent,
    ];

    /// Its word in views, records and designs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Retryable => "retryable",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Overload => "overload",
            Self::Permanent => "permanent",
        }
    }

    /// Whether it says something about a dependency, so that breakers count it.
    #[must_use]
    pub const fn is_of_dependency(self) -> bool {
        matches!(self, Self::Unavailable | Self::Timeout | Self::Overload)
    }

    const fn number(self) -> usize {
        match self {
            Self::Retryable => 0,
            Self::Unavailable => 1,
            Self::Timeout => 2,
            Self::Overload => 3,
            Self::Permanent => 4,
        }
    }

    /// What becomes of it where nothing is said.
    const fn usual(self) -> Fate {
        match self {
            Self::Retryable | Self::Unavailable | Self::Timeout => Fate::Retried,
            Self::Overload => Fate::Held,
            Self::Permanent => Fate::Parked,
        }
    }
}

impl From<RetryClass> for FailureClass {
    fn from(class: RetryClass) -> Self {
        match class {
            RetryClass::Retryable => Self::Retryable,
            RetryClass::Unavailable => Self::Unavailable,
            RetryClass::Timeout => Self::Timeout,
        }
    }
}

impl ClassRules {
    /// The rules with one more, in place of that of the same class.
    #[must_use]
    pub fn with(mut self, class: FailureClass, rule: ClassRule) -> Self {
        if let Some(place) = self.rules.get_mut(class.number()) {
            *place = Some(rule);
        }
        self
    }

    /// What is said of a class.
    #[must_use]
    pub fn of(&self, class: FailureClass) -> Option<ClassRule> {
        self.rules.get(class.number()).copied().flatten()
    }

    fn rule(&self, class: FailureClass) -> Option<ClassRule> {
        self.of(class)
            .filter(|_| !mutant::is(Mutant::ClassRuleIgnored))
    }

    /// What becomes of a failure.
    #[must_use]
    pub fn fate(&self, class: FailureClass) -> Fate {
        match self.rule(class) {
            Some(ClassRule::Park) => Fate::Parked,
            Some(ClassRule::Retry | ClassRule::Own(_)) => Fate::Retried,
            None => class.usual(),
        }
    }

    /// The classes that count by themselves, each with how.
    fn own(&self) -> impl Iterator<Item = (FailureClass, OwnRetry)> {
        FailureClass::ALL
            .into_iter()
            .filter_map(|class| match self.rule(class) {
                Some(ClassRule::Own(own)) => Some((class, own)),
                Some(ClassRule::Park | ClassRule::Retry) | None => None,
            })
    }
}

impl Tally {
    /// Failures of one class.
    #[must_use]
    pub const fn of(&self, class: FailureClass) -> u32 {
        let ClassCounts {
            unavailable,
            timeout,
            overload,
            permanent,
        } = self.classes;
        match class {
            FailureClass::Unavailable => unavailable,
            FailureClass::Timeout => timeout,
            FailureClass::Overload => overload,
            FailureClass::Permanent => permanent,
            FailureClass::Retryable => {
                let others = unavailable.saturating_add(timeout);
                let others = others.saturating_add(overload).saturating_add(permanent);
                self.failures.saturating_sub(others)
            }
        }
    }

    /// With one more failure.
    #[must_use]
    pub const fn and(mut self, class: FailureClass) -> Self {
        self.failures = self.failures.saturating_add(1);
        let count = match class {
            FailureClass::Retryable => return self,
            FailureClass::Unavailable => &mut self.classes.unavailable,
            FailureClass::Timeout => &mut self.classes.timeout,
            FailureClass::Overload => &mut self.classes.overload,
            FailureClass::Permanent => &mut self.classes.permanent,
        };
        *count = count.saturating_add(1);
        self
    }
}

impl RetryPolicy {
    /// What becomes of a failure by its class.
    #[must_use]
    pub fn fate(&self, class: FailureClass) -> Fate {
        self.classes.fate(class)
    }

    /// By which policy a class is retried, if it is, and how many failures count for it.
    #[must_use]
    pub fn counted(&self, class: FailureClass, tally: Tally) -> (u32, Self) {
        match self.classes.rule(class) {
            Some(ClassRule::Own(own)) => {
                let failures = match mutant::is(Mutant::ClassCountsAll) {
                    true => tally.failures,
                    false => tally.of(class),
                };
                (failures, self.with(own))
            }
            Some(ClassRule::Park | ClassRule::Retry) | None => {
                let apart = self.classes.own().map(|(class, _)| tally.of(class));
                (apart.fold(tally.failures, u32::saturating_sub), *self)
            }
        }
    }

    /// Most attempts of a delivery, whatever it fails with: the most that any class has that is retried. Otherwise
    /// one that fails in another way each time would have the sum of all.
    #[must_use]
    pub fn most_attempts(&self) -> u32 {
        self.retried()
            .map(|policy| policy.attempts)
            .fold(1, u32::max)
    }

    /// The policies of the classes that are retried.
    pub fn retried(&self) -> impl Iterator<Item = Self> {
        let classes = FailureClass::ALL.into_iter();
        let classes = classes.filter(|class| self.fate(*class) == Fate::Retried);
        classes.map(|class| match self.classes.rule(class) {
            Some(ClassRule::Own(own)) => self.with(own),
            Some(ClassRule::Park | ClassRule::Retry) | None => *self,
        })
    }

    /// The rule that applies to a failure, which is counted in `tally`.
    #[must_use]
    pub fn applied(&self, class: FailureClass, tally: Tally) -> Option<AppliedRule> {
        Some(match self.classes.rule(class)? {
            ClassRule::Park => AppliedRule::Park,
            ClassRule::Retry => AppliedRule::Retry,
            ClassRule::Own(own) => AppliedRule::Own {
                failures: tally.of(class),
                attempts: own.attempts,
            },
        })
    }

    const fn with(&self, own: OwnRetry) -> Self {
        Self {
            backoff: own.backoff,
            immediate: own.immediate,
            initial: own.initial,
            max: own.max,
            jitter: own.jitter,
            attempts: own.attempts,
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_base::Ratio;

    use super::*;
    use crate::random::Draws;
    use crate::retry::{Decision, RetryMode};
    use proptest::prelude::*;

    fn policy(classes: ClassRules) -> RetryPolicy {
        RetryPolicy {
            backoff: Backoff::Exponential,
            immediate: 0,
            initial: Duration::from_millis(100),
            max: Duration::from_secs(2),
            jitter: Jitter::None,
            attempts: 8,
            age: None,
            budget: None,
            mode: RetryMode::Blocking,
            classes,
        }
    }

    fn own(attempts: u32, millis: u64) -> ClassRule {
        ClassRule::Own(OwnRetry {
            backoff: Backoff::Linear,
            immediate: 0,
            initial: Duration::from_millis(millis),
            max: Duration::from_secs(5),
            jitter: Jitter::None,
            attempts,
        })
    }

    /// What is decided after each of these failures of one delivery.
    fn decided(policy: &RetryPolicy, failures: &[FailureClass]) -> Vec<Decision> {
        let mut tally = Tally::default();
        let each = failures.iter().map(|class| {
            tally = tally.and(*class);
            let draws = Draws::of(0, "");
            policy.decide(*class, tally, Duration::ZERO, Duration::ZERO, draws)
        });
        each.collect()
    }

    fn after(millis: u64) -> Decision {
        Decision::After(Duration::from_millis(millis))
    }

    #[test]
    fn without_a_rule_a_class_is_what_it_ever_was() {
        let policy = policy(ClassRules::default());
        let fates = FailureClass::ALL.map(|class| policy.fate(class));
        assert_eq!(
            fates,
            [
                Fate::Retried,
                Fate::Retried,
                Fate::Retried,
                Fate::Held,
                Fate::Parked
            ]
        );
        assert_eq!(policy.most_attempts(), 8);
        use FailureClass::{Retryable, Timeout, Unavailable};
        let mixed = [Retryable, Timeout, Unavailable];
        assert_eq!(
            decided(&policy, &mixed),
            [after(100), after(200), after(400)]
        );
    }

    #[test]
    fn a_class_is_parked_or_retried_by_its_rule() {
        use FailureClass::{Permanent, Retryable, Timeout};
        let rules = ClassRules::default()
            .with(Timeout, ClassRule::Park)
            .with(Permanent, ClassRule::Retry);
        let policy = policy(rules);
        assert_eq!(decided(&policy, &[Timeout]), [Decision::Parked]);
        // It counts with the others, for the delays and for the attempts.
        let eight = [Permanent, Retryable].repeat(4);
        let last = decided(&policy, &eight);
        assert_eq!(last[..3], [after(100), after(200), after(400)]);
        assert_eq!(last[7], Decision::Exhausted);
        let applied = |class| policy.applied(class, Tally::default().and(class));
        assert_eq!(applied(Timeout), Some(AppliedRule::Park));
        assert_eq!(applied(Permanent), Some(AppliedRule::Retry));
        assert_eq!(applied(Retryable), None);
    }

    #[test]
    fn a_class_with_attempts_of_its_own_counts_its_own_failures() {
        use FailureClass::{Retryable, Timeout, Unavailable};
        let rules = ClassRules::default()
            .with(Timeout, own(2, 700))
            .with(Unavailable, own(20, 10));
        let policy = policy(rules);
        // Seven others use up none of its attempts, nor it any of theirs.
        let mut failures = vec![Retryable; 7];
        failures.push(Timeout);
        assert_eq!(decided(&policy, &failures)[7], after(700));
        failures.push(Unavailable);
        failures.push(Unavailable);
        assert_eq!(decided(&policy, &failures)[8..], [after(10), after(20)]);
        failures.push(Timeout);
        assert_eq!(decided(&policy, &failures)[10], Decision::Exhausted);
        failures.pop();
        failures.push(Retryable);
        assert_eq!(decided(&policy, &failures)[10], Decision::Exhausted);
        let tally = Tally::default().and(Retryable).and(Timeout);
        let applied = AppliedRule::Own {
            failures: 1,
            attempts: 2,
        };
        assert_eq!(policy.applied(Timeout, tally), Some(applied));
        assert_eq!(policy.longest_wait(), Duration::from_secs(3_600));
    }

    #[test]
    fn what_an_earlier_version_has_recorded_counts_as_retryable() {
        let tally = Tally {
            failures: 7,
            ..Tally::default()
        };
        assert_eq!(tally.of(FailureClass::Retryable), 7);
        let policy = policy(ClassRules::default().with(FailureClass::Timeout, own(3, 10)));
        let decide = |class| {
            let draws = Draws::of(0, "");
            policy.decide(
                class,
                tally.and(class),
                Duration::ZERO,
                Duration::ZERO,
                draws,
            )
        };
        assert_eq!(decide(FailureClass::Retryable), Decision::Exhausted);
        // It has as many attempts as any delivery may have.
        assert_eq!(decide(FailureClass::Timeout), Decision::Exhausted);
        assert_eq!(policy.most_attempts(), 8);
    }

    /// A record of an earlier version is read, and one without a class looks as it did.
    #[test]
    fn records_without_a_class_are_those_of_earlier_versions() {
        use crate::record::StateRecord;
        let attempt = r#"{"attempt":1,"started":5,"ended":6,"outcome":"retryable","error":"no"}"#;
        let old = format!(
            r#"{{"failed":{{"consumer":"a/E","sequence":7,"failures":2,"until":9,"attempt":{attempt}}}}}"#
        );
        let record = StateRecord::decode(old.as_bytes()).unwrap();
        let StateRecord::Failed {
            classes, attempt, ..
        } = &record
        else {
            panic!("{record:?}");
        };
        assert_eq!((*classes, attempt.rule), (ClassCounts::default(), None));
        assert_eq!(String::from_utf8(record.encode()).unwrap(), old);

        let mut counted = record.clone();
        if let StateRecord::Failed {
            classes, attempt, ..
        } = &mut counted
        {
            classes.timeout = 2;
            attempt.rule = Some(AppliedRule::Own {
                failures: 2,
                attempts: 3,
            });
        }
        let text = String::from_utf8(counted.encode()).unwrap();
        assert!(text.contains(r#""classes":{"timeout":2}"#), "{text}");
        assert!(
            text.contains(r#""rule":{"own":{"failures":2,"attempts":3}}"#),
            "{text}"
        );
        assert_eq!(StateRecord::decode(text.as_bytes()).unwrap(), counted);
    }

    fn any_rule() -> impl Strategy<Value = Option<ClassRule>> {
        prop_oneof![
            Just(None),
            Just(Some(ClassRule::Park)),
            Just(Some(ClassRule::Retry)),
            (1_u32..12, 0_u64..3_000).prop_map(|(attempts, millis)| Some(own(attempts, millis))),
        ]
    }

    proptest! {
        /// Whatever it fails with: no more attempts than the most of any class, none beyond those of the class, and
        /// at least as many as the class has when nothing else failed.
        #[test]
        fn no_delivery_has_more_attempts_than_the_most_of_any_class(
            rules in prop::collection::vec(any_rule(), 5),
            failures in prop::collection::vec(0_usize..5, 1..40),
            budget: bool,
        ) {
            let mut classes = ClassRules::default();
            for (class, rule) in FailureClass::ALL.into_iter().zip(rules) {
                if let Some(rule) = rule {
                    classes = classes.with(class, rule);
                }
            }
            let mut policy = policy(classes);
            policy.budget = budget.then(Ratio::default);
            let mut tally = Tally::default();
            for class in failures.into_iter().map(|number| FailureClass::ALL[number]) {
                if policy.fate(class) == Fate::Held {
                    continue;
                }
                tally = tally.and(class);
                let (failed, of_class) = policy.counted(class, tally);
                let draws = Draws::of(0, "");
                match policy.decide(class, tally, Duration::ZERO, Duration::ZERO, draws) {
                    Decision::After(delay) => {
                        prop_assert!(tally.failures < policy.most_attempts());
                        prop_assert!(failed < of_class.attempts);
                        prop_assert!(delay <= policy.longest_wait());
                    }
                    Decision::Exhausted => {
                        prop_assert!(
                            failed >= of_class.attempts || tally.failures >= policy.most_attempts()
                        );
                        break;
                    }
                    Decision::Parked => {
                        prop_assert_eq!(policy.fate(class), Fate::Parked);
                        break;
                    }
                    Decision::Expired => prop_assert!(false, "there is no age"),
                }
                prop_assert_eq!(FailureClass::ALL.map(|one| tally.of(one)).iter().sum::<u32>(), tally.failures);
            }
        }
    }
}
