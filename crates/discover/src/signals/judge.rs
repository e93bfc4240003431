//! Evidence from what occurrences show beyond their times.

use crate::discovery::{Evidence, Signal, Weight};
use crate::evidence::Facts;
use crate::interval::number;
use crate::observe::Observation;
use crate::signals::independence;
use crate::statistics::{Proportion, Z, exceeds_by_chance};

/// The fewest refusals that say anything.
const REJECTIONS_MIN: usize = 5;
/// So rarely by chance that fewer refusals are enough.
const RARE: f64 = 1e-4;
/// The fewest values that travelled on that say anything, and their share.
const TAINTS_MIN: usize = 2;
const TAINT_SHARE: f64 = 0.1;
/// Below this chance an answer is said to decide what is next.
const CHANCE: f64 = 0.01;
/// Two writes of one entity in less than this time need an order: the lag of a consumer that keeps
/// up, at its 99th percentile.
pub(crate) const LAG_NANOS: u64 = 5_000_000_000;

impl Facts<'_> {
    fn marked(&self, is: impl Fn(&Observation) -> Option<bool>) -> Proportion {
        let mut share = Proportion::default();
        for hit in self.observations.iter().filter_map(is) {
            share.count(hit.into());
        }
        share
    }

    /// Why the answer is needed by what was seen of it, when that is certain enough.
    pub(crate) fn veto(&self) -> Option<String> {
        let all = [self.taint(), self.rejection(), self.dependence()];
        all.into_iter()
            .flatten()
            .find(|evidence| evidence.weight == Weight::Veto)
            .map(|evidence| evidence.claim)
    }

    /// What single occurrences show, vetoes first.
    pub(crate) fn marks(&self) -> Vec<Evidence> {
        let mut all: Vec<Evidence> = [
            self.taint(),
            self.rejection(),
            self.dependence(),
            self.transaction(),
            self.read_your_writes(),
            self.empty(),
            self.idempotency(),
            self.ordering(),
            self.retries(),
        ]
        .into_iter()
        .flatten()
        .collect();
        all.sort_by_key(|evidence| evidence.weight != Weight::Veto);
        all
    }

    fn taint(&self) -> Option<Evidence> {
        let share = self.marked(|observation| observation.marks.tainted);
        if share.total == 0 {
            return None;
        }
        let veto = share.hits >= TAINTS_MIN && share.share() >= TAINT_SHARE;
        let claim = if share.hits > 0 {
            format!(
                "a value first seen below it is seen elsewhere later in {} of {}: its answer is used",
                share.hits, share.total
            )
        } else {
            format!(
                "no value first seen below it is seen elsewhere later, in {} with such values",
                share.total
            )
        };
        let weight = match (veto, share.hits) {
            (true, _) => Weight::Veto,
            (false, 0) => Weight::For,
            _ => Weight::Against,
        };
        Some(Evidence::share(Signal::Taint, weight, claim, share))
    }

    fn rejection(&self) -> Option<Evidence> {
        let refused = self.marked(|observation| {
            let marks = &observation.marks;
            marks.rejected.then_some(marks.request_rejected)
        });
        let otherwise = self.marked(|observation| {
            let marks = &observation.marks;
            (!marks.rejected).then_some(marks.request_rejected)
        });
        let (low, _) = refused.interval()?;
        let more = otherwise.interval().is_none_or(|(_, high)| low > high);
        // Few refusals tell as well, where chance would hardly make them alike.
        let veto = match refused.total < REJECTIONS_MIN {
            true => refused.share() > 0.5 && exceeds_by_chance(refused, otherwise) < RARE,
            false => low > 0.5 && more,
        };
        let claim = format!(
            "when it refuses, {} of {} requests are refused; otherwise {} of {}",
            refused.hits, refused.total, otherwise.hits, otherwise.total
        );
        let weight = if veto { Weight::Veto } else { Weight::Against };
        Some(Evidence::share(Signal::Rejection, weight, claim, refused))
    }

    /// The permutation test over what was answered and what came next.
    fn dependence(&self) -> Option<Evidence> {
        let test = self.independence_test()?;
        let (weight, claim) = if test.chance < CHANCE {
            let claim = format!(
                "what the caller does next depends on how it is answered: {:.2} bits, by chance in {:.1}%",
                test.bits,
                test.chance * 100.0
            );
            (Weight::Veto, claim)
        } else {
            let claim = format!(
                "what the caller does next does not depend on how it is answered: {:.2} bits, by chance in {:.0}%",
                test.bits,
                test.chance * 100.0
            );
            (Weight::For, claim)
        };
        Some(Evidence {
            number: Some((test.bits, test.low, test.high)),
            n: test.n,
            ..Evidence::plain(Signal::Independence, weight, claim)
        })
    }

    fn independence_test(&self) -> Option<independence::Test> {
        *self.independence.get_or_init(|| {
            let pairs: Vec<(u64, u64)> = self
                .observations
                .iter()
                .filter_map(|observation| Some((observation.marks.answer?, observation.marks.next)))
                .collect();
            independence::test(&pairs)
        })
    }

    /// Whether what comes next was shown not to depend on the answer.
    pub(crate) fn is_independent(&self) -> bool {
        self.independence_test()
            .is_some_and(|test| test.chance >= CHANCE)
    }

    /// Whether requests were shown to go on when it fails.
    pub(crate) fn is_ignored(&self) -> bool {
        let coupled = self.coupled();
        coupled.total >= 20 && coupled.interval().is_some_and(|(_, high)| high < 0.1)
    }

    /// Whether requests were shown to fail with it.
    pub(crate) fn is_decisive(&self) -> bool {
        let coupled = self.coupled();
        coupled.total >= REJECTIONS_MIN && coupled.interval().is_some_and(|(low, _)| low > 0.5)
    }

    fn transaction(&self) -> Option<Evidence> {
        let inside = self.share(|observation| observation.marks.in_transaction);
        let undone =
            self.marked(|observation| observation.failed.then_some(observation.marks.compensated));
        let claim = match (inside.hits, undone.hits) {
            (0, 0) => return None,
            (0, _) => format!(
                "when it fails the caller undoes something in {} of {}: needs an outbox, or a saga",
                undone.hits, undone.total
            ),
            _ => format!(
                "the caller commits a transaction around it in {} of {}: needs an outbox",
                inside.hits, inside.total
            ),
        };
        let share = if inside.hits > 0 { inside } else { undone };
        let signal = Signal::LocalWrite;
        Some(Evidence::share(signal, Weight::Against, claim, share))
    }

    fn read_your_writes(&self) -> Option<Evidence> {
        let share = self.reads_after;
        if share.total == 0 {
            return None;
        }
        let claim = format!(
            "the same session reads from {} within {} s in {} of {}: it may not find what it wrote",
            self.callee,
            LAG_NANOS / 1_000_000_000,
            share.hits,
            share.total
        );
        let weight = if share.hits > 0 {
            Weight::Against
        } else {
            Weight::For
        };
        let signal = Signal::ReadYourWrites;
        Some(Evidence::share(signal, weight, claim, share))
    }

    fn empty(&self) -> Option<Evidence> {
        let share = self.share(|observation| observation.marks.is_empty);
        let claim = format!(
            "the answer is 202 or 204, without content, in {} of {}",
            share.hits, share.total
        );
        (share.hits > 0).then(|| Evidence::share(Signal::SmallAnswer, Weight::For, claim, share))
    }

    fn idempotency(&self) -> Option<Evidence> {
        let share = self.marked(|observation| observation.marks.idempotent);
        if share.total == 0 {
            return None;
        }
        let claim = format!(
            "doing it twice is harmless by its method, statement or key in {} of {}; at-least-once asks for that",
            share.hits, share.total
        );
        Some(Evidence::share(
            Signal::Idempotency,
            Weight::Benefit,
            claim,
            share,
        ))
    }

    fn ordering(&self) -> Option<Evidence> {
        let mut latest = std::collections::HashMap::new();
        let mut share = Proportion::default();
        for observation in self.observations {
            let marks = &observation.marks;
            if let Some(entity) = marks.entity {
                let last = latest.insert(entity, marks.start);
                let again = last.is_some_and(|last| marks.start.saturating_sub(last) < LAG_NANOS);
                share.count(again.into());
            }
        }
        if share.total == 0 {
            return None;
        }
        let claim = format!(
            "the same entity is named again within {} s in {} of {}: {}",
            LAG_NANOS / 1_000_000_000,
            share.hits,
            share.total,
            if share.hits > 0 {
                "its events need their order, by key"
            } else {
                "order is not shown to matter"
            }
        );
        Some(Evidence::share(
            Signal::Ordering,
            Weight::Benefit,
            claim,
            share,
        ))
    }

    /// How many attempts a call takes on average, where anything tells, with the 95 % interval.
    fn attempts_interval(&self) -> Option<(f64, f64, f64)> {
        let each = self.observations.iter();
        let attempts: Vec<f64> = each
            .filter_map(|observation| observation.marks.attempts.map(number))
            .collect();
        let n = number(attempts.len());
        let mean = attempts.iter().sum::<f64>() / n;
        let squares: f64 = attempts.iter().map(|one| (one - mean).powi(2)).sum();
        let error = (squares / (n - 1.0).max(1.0) / n).sqrt();
        let reach = Z * error;
        (!attempts.is_empty()).then(|| (mean, (mean - reach).max(1.0), mean + reach))
    }

    /// How many attempts a call takes on average, where anything tells.
    pub(crate) fn attempts(&self) -> Option<f64> {
        self.attempts_interval().map(|(mean, ..)| mean)
    }

    fn retries(&self) -> Option<Evidence> {
        let number = self.attempts_interval().filter(|(mean, ..)| *mean > 1.0)?;
        let attempts = number.0;
        let claim = format!("the caller makes {attempts:.2} attempts on average");
        Some(Evidence {
            number: Some(number),
            n: self.observations.len(),
            ..Evidence::plain(Signal::Reliability, Weight::Benefit, claim)
        })
    }
}
