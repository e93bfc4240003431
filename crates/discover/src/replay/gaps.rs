//! How long a caller works after each of its calls before it goes on, learned over all traces.
//!
//! What a branch of a fork does after its call is no span. Where the call is no longer the last to end,
//! the work of another branch is waited for instead: it may take longer or shorter.

use super::layout::NO_SLOT;

/// The step that is the end of the parent.
pub(crate) const END: u16 = NO_SLOT - 1;
/// How often a child must have been the last to end for its own gap to be known.
const SEEN_MIN: u32 = 5;

/// How long work after a call takes, where it is not certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// As long as it usually did.
    Usual,
    /// As long as it may at most: less is saved.
    Longest,
    /// As long as it may at least: more is saved.
    Shortest,
}

/// Gaps of one kind, added up.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: u32,
    gaps: f64,
    squares: f64,
}

impl Sum {
    fn mean(self) -> f64 {
        self.gaps / f64::from(self.count.max(1))
    }

    /// How far the mean may be off: twice its standard error.
    fn reach(self) -> f64 {
        let count = f64::from(self.count.max(2));
        let spread = (self.squares / count - self.mean().powi(2)).max(0.0) * count / (count - 1.0);
        2.0 * (spread / count).sqrt()
    }
}

/// Of one call path: the gaps between the last child to end and each next step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gaps {
    children: usize,
    /// For each step, those of each child that was the last, and those of all.
    sums: Vec<Sum>,
}

impl Gaps {
    /// Of so many children.
    pub(crate) fn of(children: usize) -> Self {
        Self {
            children,
            sums: vec![Sum::default(); (children + 1) * (children + 1)],
        }
    }

    /// Those from a child to a step; `None` as the child is of them all.
    fn at(&self, step: u16, child: Option<u16>) -> Option<usize> {
        let place = |slot: u16| Some(usize::from(slot)).filter(|slot| *slot < self.children);
        let step = if step == END {
            self.children
        } else {
            place(step)?
        };
        let child = child.map_or(Some(self.children), place)?;
        Some(step * (self.children + 1) + child)
    }

    /// Notes that the child was the last to end before the step, and how long before.
    pub(crate) fn add(&mut self, step: u16, child: u16, gap: i64) {
        let gap = crate::interval::nanos(gap);
        for at in [self.at(step, Some(child)), self.at(step, None)] {
            if let Some(sum) = at.and_then(|at| self.sums.get_mut(at)) {
                sum.count = sum.count.saturating_add(1);
                sum.gaps += gap;
                sum.squares += gap * gap;
            }
        }
    }

    /// The gap from the child to the step. Where the child was seldom the last it is not known, and may
    /// be anything up to twice that of the others.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "gaps inside requests are far below 2^63 nanoseconds"
    )]
    pub(crate) fn usual(&self, step: u16, child: u16, doubt: Doubt) -> i64 {
        let sum = |child: Option<u16>| self.at(step, child).and_then(|at| self.sums.get(at));
        let own = sum(Some(child)).filter(|sum| sum.count >= SEEN_MIN);
        let Some((mean, reach)) = own
            .map(|sum| (sum.mean(), sum.reach()))
            .or_else(|| sum(None).map(|sum| (sum.mean(), sum.mean().abs())))
        else {
            return 0;
        };
        let gap = match doubt {
            Doubt::Usual => mean,
            Doubt::Longest => mean + reach,
            Doubt::Shortest => (mean - reach).max(0.0),
        };
        gap as i64
    }
}
