//! How much arrives, how evenly, and whether more of it makes it wait longer.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_base::Timestamp;

use super::found::Estimate;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Hours in which a dispersion can be told.
const HOURS_MIN: u64 = 24;
/// The hours of a week: a process over four of them is told from the usual week.
const WEEK_HOURS: u64 = 168;
/// The normal quantile of two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// How often a day; `None` where less than a day was observed.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn per_day(count: usize, observed: Duration) -> Option<f64> {
    (observed >= DAY).then(|| count as f64 / observed.as_secs_f64() * DAY.as_secs_f64())
}

/// The most in one hour, and the index of dispersion of counts per hour over `span`: variance by
/// mean, what repeats every week taken out where there are four weeks.
///
/// Source: R. Gusella, "Characterizing the variability of arrival processes with indexes of
/// dispersion", IEEE JSAC 9 (1991).
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and hours are far below 2^52"
)]
pub(super) fn hours(times: &[Timestamp], span: (Timestamp, Timestamp)) -> (usize, Option<f64>) {
    let of = |time: &Timestamp| {
        u64::try_from(time.since(span.0).as_nanos() / HOUR.as_nanos()).unwrap_or(u64::MAX)
    };
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for time in times {
        *counts.entry(of(time)).or_default() += 1;
    }
    let peak = counts.values().copied().max().unwrap_or_default();
    let bins = of(&span.1);
    if bins < HOURS_MIN || times.len() < 2 {
        return (peak, None);
    }
    let bins = bins as f64;
    let mean = times.len() as f64 / bins;
    let weeks = bins / WEEK_HOURS as f64;
    let is_long = weeks >= 4.0;
    let mut usual: BTreeMap<u64, f64> = BTreeMap::new();
    for (hour, count) in &counts {
        *usual.entry(hour % WEEK_HOURS).or_default() += *count as f64 / weeks;
    }
    let expected = |hour: &u64| match usual.get(&(hour % WEEK_HOURS)) {
        Some(usual) if is_long => *usual,
        _ => mean,
    };
    // Most hours are empty: their squares are those of what was expected.
    let of_expected: f64 = if is_long {
        usual.values().map(|usual| usual * usual).sum::<f64>() * weeks
    } else {
        mean * mean * bins
    };
    let of_counts = counts.iter().map(|(hour, count)| {
        let (count, expected) = (*count as f64, expected(hour));
        count * count - 2.0 * count * expected
    });
    let squares = of_expected + of_counts.sum::<f64>();
    let freedom = if is_long { weeks / (weeks - 1.0) } else { 1.0 };
    (peak, Some(squares.max(0.0) / bins * freedom / mean))
}

/// How many were ready and not begun when each became ready.
pub(super) fn queue_at_arrival(works: &[(Timestamp, Timestamp)]) -> Vec<usize> {
    let mut ready: Vec<Timestamp> = works.iter().map(|(ready, _)| *ready).collect();
    let mut begun: Vec<Timestamp> = works.iter().map(|(_, begin)| *begin).collect();
    ready.sort_unstable();
    begun.sort_unstable();
    works
        .iter()
        .map(|(at, _)| {
            let before = ready.partition_point(|other| other < at);
            let gone = begun.partition_point(|other| other <= at);
            before.saturating_sub(gone)
        })
        .collect()
}

/// Spearman's rank correlation with Fisher's interval; `None` with fewer than 20 pairs or where
/// one side never changes.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn correlation(pairs: &[(f64, f64)]) -> Option<Estimate> {
    if pairs.len() < 20 {
        return None;
    }
    let left = ranks(pairs.iter().map(|pair| pair.0).collect());
    let right = ranks(pairs.iter().map(|pair| pair.1).collect());
    let n = pairs.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let (mut both, mut one, mut two) = (0.0, 0.0, 0.0);
    for (left, right) in left.iter().zip(&right) {
        let (l, r) = (left - middle, right - middle);
        both += l * r;
        one += l * l;
        two += r * r;
    }
    if one <= 0.0 || two <= 0.0 {
        return None;
    }
    let value = (both / (one * two).sqrt()).clamp(-1.0, 1.0);
    // Bonett and Wright (2000): the variance of Spearman's z is a little over Pearson's.
    let error = ((1.0 + value * value / 2.0) / (n - 3.0)).sqrt();
    let z = value.clamp(-0.999_999, 0.999_999).atanh();
    Some(Estimate {
        value,
        low: (z - Z * error).tanh(),
        high: (z + Z * error).tanh(),
    })
}

/// Ranks from 0, those of equals averaged.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn ranks(values: Vec<f64>) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let value = |index: &usize| values.get(*index).copied().unwrap_or_default();
    order.sort_by(|a, b| value(a).total_cmp(&value(b)));
    let mut ranks = vec![0.0; values.len()];
    let mut at = 0;
    while let Some(first) = order.get(at) {
        let equal = order
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take_while(|other| value(other) == value(first))
            .count();
        let rank = at as f64 + (equal as f64 - 1.0) / 2.0;
        for index in order.get(at..at + equal).unwrap_or_default() {
            if let Some(place) = ranks.get_mut(*index) {
                *place = rank;
            }
        }
        at += equal.max(1);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_base::Random;

    #[test]
    fn poisson_has_dispersion_one_and_bursts_have_more() {
        let random = Random::new(7, "arrivals", "poisson");
        let mut at = 0.0;
        let times: Vec<Timestamp> = (0..5_000_u64)
            .map(|n| {
                at += random.exponential(n) * 600.0;
                Timestamp::EPOCH + Duration::from_secs_f64(at)
            })
            .collect();
        let span = (Timestamp::EPOCH, *times.last().unwrap());
        let (_, even) = hours(&times, span);
        assert!((0.85..1.15).contains(&even.unwrap()), "{even:?}");
        let bursts: Vec<Timestamp> = times.iter().flat_map(|time| [*time; 8]).collect();
        let (peak, bursty) = hours(&bursts, span);
        assert!(bursty.unwrap() > 6.0 && peak % 8 == 0, "{bursty:?}");
        assert_eq!(hours(&times[..5], (Timestamp::EPOCH, times[5])).1, None);
    }

    #[test]
    fn correlation_sees_order_and_not_scale() {
        let pairs: Vec<(f64, f64)> = (0..40).map(|n| (f64::from(n), f64::from(n * n))).collect();
        assert!(correlation(&pairs).unwrap().value > 0.999);
        let flat: Vec<(f64, f64)> = (0..40).map(|n| (f64::from(n), 1.0)).collect();
        assert_eq!(correlation(&flat), None);
        assert_eq!(correlation(&pairs[..19]), None);
        assert_eq!(ranks(vec![5.0, 1.0, 5.0, 0.0]), [2.5, 1.0, 2.5, 0.0]);
    }

    #[test]
    fn the_queue_is_what_is_ready_and_not_begun() {
        let at = Timestamp::from_nanos;
        let works = [
            (at(0), at(10)),
            (at(5), at(20)),
            (at(10), at(30)),
            (at(25), at(31)),
        ];
        assert_eq!(queue_at_arrival(&works), [0, 1, 1, 1]);
    }
}
