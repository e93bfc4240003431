//! How long work of one activity cannot start for reasons that are not in the log.
//!
//! Where work begins at a moment at which who does it was free, its delay is known. Where it begins
//! in a row with other work, or when a shift begins, the delay ended somewhere before: it is known
//! to lie in an interval. What could start first was taken up first, so the delays of a row ended
//! one after the other. Each gets its mean under both conditions in the distribution of the delays
//! that are known: drawn by turns, each between its neighbours.
//!
//! Source of drawing by turns: S. Geman, D. Geman, "Stochastic relaxation, Gibbs distributions, and
//! the Bayesian restoration of images", IEEE PAMI 6 (1984). The draws are of a fixed seed: the same
//! log gives the same result.

use std::time::Duration;

use tidegate_base::{Random, Timestamp};

/// Turns, and those before the draws count.
const TURNS: usize = 40;
const TURNS_BEFORE: usize = 10;

/// One delay as it was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Seen {
    Exactly(Duration),
    /// From the one to the other, both possible.
    Between(Duration, Duration),
}

/// A delay of which an interval is known, counted from when the work was ready.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hidden {
    pub(super) ready: Timestamp,
    pub(super) low: Duration,
    pub(super) high: Duration,
}

/// The distribution of an activity's delays: a share of none at all, and beyond it straight lines
/// between those that were seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Delays {
    /// Seconds and the share of delays up to there, ascending; the first is that of none.
    points: Vec<(f64, f64)>,
}

impl Delays {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of works are far below 2^52"
    )]
    pub(super) fn new(seen: &[Seen]) -> Self {
        let mut exact: Vec<f64> = seen
            .iter()
            .filter_map(|one| match one {
                Seen::Exactly(delay) => Some(delay.as_secs_f64()),
                Seen::Between(..) => None,
            })
            .collect();
        exact.sort_by(f64::total_cmp);
        let n = exact.len() as f64;
        let none = exact.partition_point(|delay| *delay <= 0.0);
        let mut points = vec![(0.0, none as f64 / n.max(1.0))];
        for (place, delay) in exact.iter().enumerate().skip(none) {
            points.push((*delay, (place as f64 + 0.5) / n));
        }
        if let [.., before, last] = points.as_slice() {
            points.push((last.0 + (last.0 - before.0), 1.0));
        }
        Self { points }
    }

    /// The delays of a row, in its order.
    pub(super) fn row(&self, row: &[Hidden], seed: u64) -> Vec<Duration> {
        if self.points.len() < 2 {
            // There never is any.
            return row.iter().map(|one| one.low).collect();
        }
        let random = Random::new(seed, "process", "delays");
        let mut draws = 0;
        let mut draw = |window: (Duration, Duration), one: &Hidden| {
            draws += 1;
            let u = random.uniform(draws);
            let drawn = self.draw(window, u);
            // Where the neighbours leave nothing possible, the row is not in order after all.
            drawn.or_else(|| self.draw((one.low, one.high), u))
        };
        // First each alone, put in order: near enough for the turns to matter from the start.
        let mut ends: Vec<Timestamp> = row
            .iter()
            .map(|one| one.ready + draw((one.low, one.high), one).unwrap_or(one.low))
            .collect();
        ends.sort_unstable();
        let mut delays: Vec<Duration> = row
            .iter()
            .zip(&ends)
            .map(|(one, end)| end.since(one.ready).clamp(one.low, one.high.max(one.low)))
            .collect();
        let mut sums = vec![0.0; row.len()];
        for turn in 0..TURNS {
            for (place, one) in row.iter().enumerate() {
                let end = |place: usize| {
                    let (one, delay) = (row.get(place)?, delays.get(place)?);
                    Some(one.ready + *delay)
                };
                let before = place.checked_sub(1).and_then(&end);
                let after = end(place + 1);
                let low = before.map_or(one.low, |before| before.since(one.ready).max(one.low));
                let high = after.map_or(one.high, |after| after.since(one.ready).min(one.high));
                let drawn = draw((low.min(one.high), high.max(low)), one).unwrap_or(one.low);
                if let Some(delay) = delays.get_mut(place) {
                    *delay = drawn;
                }
                if let Some(sum) = sums.get_mut(place)
                    && turn >= TURNS_BEFORE
                {
                    *sum += drawn.as_secs_f64();
                }
            }
        }
        let mean = |sum: &f64| sum / f64::from(u32::try_from(TURNS - TURNS_BEFORE).unwrap_or(1));
        row.iter()
            .zip(&sums)
            .map(|(one, sum)| {
                Duration::from_secs_f64(mean(sum)).clamp(one.low, one.high.max(one.low))
            })
            .collect()
    }

    /// The quantile `u` of the distribution within a window; `None` where it has nothing there.
    fn draw(&self, (low, high): (Duration, Duration), u: f64) -> Option<Duration> {
        let none = self.points.first()?.1;
        let from = if low.is_zero() {
            0.0
        } else {
            self.share(low.as_secs_f64())
        };
        let to = self.share(high.as_secs_f64());
        if to <= from {
            return None;
        }
        let share = from + (to - from) * u;
        if share <= none {
            return Some(Duration::ZERO.max(low));
        }
        let next = self.points.partition_point(|point| point.1 < share).max(1);
        let (x1, y1) = self.points.get(next - 1)?;
        let (x2, y2) = self.points.get(next)?;
        let value = x1 + (x2 - x1) * (share - y1) / (y2 - y1).max(f64::MIN_POSITIVE);
        Some(Duration::from_secs_f64(value.max(0.0)).clamp(low, high))
    }

    /// The share of delays up to `seconds`.
    fn share(&self, seconds: f64) -> f64 {
        let next = self.points.partition_point(|point| point.0 <= seconds);
        let before = next.checked_sub(1).and_then(|place| self.points.get(place));
        match (before, self.points.get(next)) {
            (Some((x1, y1)), Some((x2, y2))) => y1 + (y2 - y1) * (seconds - x1) / (x2 - x1),
            (Some((_, y1)), None) => *y1,
            (None, _) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(hours: f64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000) + HOUR.mul_f64(hours + 100.0)
    }

    /// Rows of which the truth is drawn: delays that end in order, each before its work begins.
    #[test]
    fn rows_are_filled_in_as_they_were() {
        let random = Random::new(5, "delays", "test");
        let mut draws = 0;
        let mut next = || {
            draws += 1;
            random.exponential(draws) * 5.0
        };
        let exact: Vec<Seen> = (0..400)
            .map(|_| Seen::Exactly(HOUR.mul_f64(next())))
            .collect();
        let delays = Delays::new(&exact);
        let (mut truth, mut found) = (0.0, 0.0);
        for seed in 0..200 {
            // Works that became possible while one work of three hours went on, in order.
            let mut ends: Vec<(f64, f64)> = Vec::new();
            while ends.len() < 6 {
                let (ready, delay) = (next() - 10.0, next());
                if (0.0..3.0).contains(&(ready + delay)) {
                    ends.push((ready + delay, ready));
                }
            }
            ends.sort_by(|a, b| a.0.total_cmp(&b.0));
            let row: Vec<Hidden> = ends
                .iter()
                .map(|(_, ready)| Hidden {
                    ready: at(*ready),
                    low: at(0.0).since(at(*ready)),
                    high: at(3.0).since(at(*ready)),
                })
                .collect();
            truth += ends.iter().map(|(end, ready)| end - ready).sum::<f64>();
            found += delays
                .row(&row, seed)
                .iter()
                .map(|one| one.as_secs_f64() / 3_600.0)
                .sum::<f64>();
        }
        let error = found / truth - 1.0;
        assert!(error.abs() < 0.03, "{error}: {found} {truth}");
    }

    #[test]
    fn work_that_never_waits_for_anything_else_has_no_delay() {
        let delays = Delays::new(&[Seen::Exactly(Duration::ZERO); 10]);
        let hidden = |ready, low| Hidden {
            ready: at(ready),
            low: HOUR * low,
            high: HOUR * 50,
        };
        // The second was ready before the first: it was overtaken.
        let row = [hidden(2.0, 0), hidden(1.0, 0)];
        assert_eq!(delays.row(&row, 1), [Duration::ZERO; 2]);
        assert_eq!(Delays::new(&[]).row(&[hidden(0.0, 3)], 1), [HOUR * 3]);
    }

    #[test]
    fn the_same_row_gives_the_same_delays() {
        let delays = Delays::new(&[Seen::Exactly(HOUR), Seen::Exactly(HOUR * 2)]);
        let row = [Hidden {
            ready: at(0.0),
            low: Duration::ZERO,
            high: HOUR * 2,
        }; 3];
        assert_eq!(delays.row(&row, 9), delays.row(&row, 9));
    }
}
