//! Rates over the last ten seconds and times over the last minute.

use std::collections::VecDeque;
use std::time::Duration;

use hdrhistogram::Histogram;
use tidegate_base::Timestamp;

/// How many whole seconds a rate looks back.
const RATE_SECONDS: u64 = 10;
/// How long one part of a minute is, in seconds.
const PART_SECONDS: u64 = 10;
/// How many parts a time looks back.
const PARTS: u64 = 6;

/// Counts things and says how many there are a second.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateMeter {
    /// Second and count.
    seconds: VecDeque<(u64, u64)>,
    first: Option<Timestamp>,
}

impl RateMeter {
    /// Counts `count` things at `now`.
    pub(crate) fn add(&mut self, now: Timestamp, count: u64) {
        self.first.get_or_insert(now);
        let second = now.millis() / 1_000;
        self.forget(second);
        match self.seconds.back_mut() {
            Some((last, sum)) if *last == second => *sum += count,
            _ => self.seconds.push_back((second, count)),
        }
    }

    fn forget(&mut self, second: u64) {
        while self
            .seconds
            .front()
            .is_some_and(|(first, _)| first + RATE_SECONDS < second)
        {
            self.seconds.pop_front();
        }
    }

    /// Things a second over the last ten seconds, or since the first one when that is later.
    pub(crate) fn per_second(&self, now: Timestamp) -> f64 {
        let Some(first) = self.first else {
            return 0.0;
        };
        let window = Duration::from_secs(RATE_SECONDS);
        let from = (now - window).millis() / 1_000;
        let sum: u64 = self
            .seconds
            .iter()
            .filter(|(second, _)| *second > from)
            .map(|(_, sum)| sum)
            .sum();
        let time = now.since(first).clamp(Duration::from_secs(1), window);
        sum as f64 / time.as_secs_f64()
    }
}

/// Collects durations and says their quantiles.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimeMeter {
    /// Part number and durations in microseconds, to two digits.
    parts: VecDeque<(u64, Histogram<u64>)>,
}

impl TimeMeter {
    /// Adds a duration at `now`.
    pub(crate) fn add(&mut self, now: Timestamp, time: Duration) {
        let part = now.millis() / 1_000 / PART_SECONDS;
        self.forget(part);
        if self.parts.back().is_none_or(|(last, _)| *last != part)
            && let Ok(histogram) = Histogram::new(2)
        {
            self.parts.push_back((part, histogram));
        }
        if let Some((_, histogram)) = self.parts.back_mut() {
            // It resizes itself, so recording has no way to fail.
            let _recorded = histogram.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        }
    }

    fn forget(&mut self, part: u64) {
        while self
            .parts
            .front()
            .is_some_and(|(first, _)| first + PARTS <= part)
        {
            self.parts.pop_front();
        }
    }

    /// For each quantile the duration in milliseconds; `None` when the last minute has none.
    pub(crate) fn quantiles_ms(&self, now: Timestamp, quantiles: [f64; 2]) -> [Option<f64>; 2] {
        let part = now.millis() / 1_000 / PART_SECONDS;
        let mut all: Option<Histogram<u64>> = None;
        for (_, histogram) in self.parts.iter().filter(|(first, _)| first + PARTS > part) {
            match &mut all {
                None => all = Some(histogram.clone()),
                Some(all) => {
                    // Both resize themselves, so adding has no way to fail.
                    let _added = all.add(histogram);
                }
            }
        }
        quantiles.map(|quantile| {
            all.as_ref()
                .map(|all| all.value_at_quantile(quantile) as f64 / 1_000.0)
        })
    }
}

/// What is measured of a consumer.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConsumerMeter {
    pub(crate) finished: RateMeter,
    pub(crate) retries: RateMeter,
    pub(crate) failures: RateMeter,
    pub(crate) handler: TimeMeter,
    pub(crate) transit: TimeMeter,
    pub(crate) succeeded_total: u64,
    pub(crate) failed_total: u64,
    pub(crate) retries_total: u64,
    pub(crate) dead_lettered_total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000_000);

    #[test]
    fn a_rate_is_over_ten_seconds_and_fades() {
        let mut meter = RateMeter::default();
        for tenth in 0..300 {
            meter.add(START + Duration::from_millis(tenth * 100), 5);
        }
        let end = START + Duration::from_secs(30);
        assert!(
            (meter.per_second(end) - 50.0).abs() < 6.0,
            "{}",
            meter.per_second(end)
        );
        assert_eq!(meter.per_second(end + Duration::from_secs(11)), 0.0);
    }

    #[test]
    fn a_young_meter_does_not_divide_by_ten() {
        let mut meter = RateMeter::default();
        meter.add(START, 20);
        assert_eq!(meter.per_second(START + Duration::from_secs(2)), 10.0);
    }

    #[test]
    fn quantiles_forget_after_a_minute() {
        let mut meter = TimeMeter::default();
        for ms in 1..=100 {
            meter.add(START, Duration::from_millis(ms));
        }
        let [p50, p99] = meter.quantiles_ms(START, [0.5, 0.99]);
        let (p50, p99) = (p50.unwrap(), p99.unwrap());
        assert!(
            (p50 / 50.0 - 1.0).abs() < 0.01 && (p99 / 99.0 - 1.0).abs() < 0.01,
            "{p50} {p99}"
        );
        let later = START + Duration::from_secs(61);
        assert_eq!(meter.quantiles_ms(later, [0.5, 0.99]), [None, None]);
    }
}
