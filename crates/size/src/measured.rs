//! What a recording says of an event and of the consumer that was recorded.

use std::collections::BTreeMap;

use tidegate_trace::recording::{Outcome, Recording, Stream};

/// The fewest arrivals of the most frequent key from which its share is taken.
const HOTTEST_MIN: u64 = 5;
/// The fewest handler times from which their spread is taken.
const TIMES_MIN: usize = 10;
/// The fewest whole seconds from which the dispersion is taken.
const SECONDS_MIN: u64 = 20;
/// The fewest handler times from which a 99th percentile is taken.
///
/// Source: exact binomial interval of order statistics.
const P99_TIMES_MIN: usize = 368;

/// An event, measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) arrivals: u64,
    /// Events a second on average.
    pub(crate) rate: f64,
    /// The most in one second.
    pub(crate) peak: f64,
    /// Variance over mean of the counts of whole seconds.
    pub(crate) dispersion: Option<f64>,
    pub(crate) keys: Option<Keys>,
    pub(crate) handler: Option<Times>,
    /// The share of attempts that failed.
    pub(crate) failures: f64,
    /// The mean size of a payload.
    pub(crate) bytes: Option<f64>,
}

/// How arrivals are distributed over keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Keys {
    pub(crate) count: u64,
    /// Arrivals of the most frequent key.
    pub(crate) hottest_count: u64,
    /// Their share of all.
    pub(crate) hottest: f64,
    /// The sum of the squared shares of all keys.
    pub(crate) squares: f64,
}

/// How long handling took, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Times {
    pub(crate) count: usize,
    pub(crate) mean: f64,
    /// Variance over squared mean.
    pub(crate) scv: f64,
    /// The 99th percentile over the mean, where enough were measured.
    pub(crate) p99_over_mean: Option<f64>,
}

/// What `recording` says of the event `name`.
pub(crate) fn measured(recording: &Recording, name: &tidegate_base::Name) -> Option<Measured> {
    let stream = recording.streams.get(name)?;
    let arrivals = u64::try_from(stream.arrivals.len()).ok()?;
    let length = recording.duration.as_secs_f64();
    if arrivals == 0 || length <= 0.0 {
        return None;
    }
    let mut seconds: BTreeMap<u64, u64> = BTreeMap::new();
    for arrival in &stream.arrivals {
        *seconds.entry(arrival.offset.as_secs()).or_default() += 1;
    }
    let failed = stream
        .arrivals
        .iter()
        .filter(|a| a.outcome == Outcome::Failed);
    let sizes: Vec<f64> = stream
        .arrivals
        .iter()
        .filter_map(|a| Some(a.payload_bytes? as f64))
        .collect();
    Some(Measured {
        arrivals,
        rate: arrivals as f64 / length,
        // Of less than a second, the fullest second has not been seen.
        peak: (seconds.values().copied().max().unwrap_or(0) as f64).max(arrivals as f64 / length),
        dispersion: dispersion(&seconds, recording.duration.as_secs()),
        keys: keys(stream),
        handler: times(stream),
        failures: failed.count() as f64 / arrivals as f64,
        bytes: (!sizes.is_empty()).then(|| sizes.iter().sum::<f64>() / sizes.len() as f64),
    })
}

/// The variance over the mean of the counts of whole seconds.
///
/// Source: R. Gusella, "Characterizing the variability of arrival processes with indexes of
/// dispersion", IEEE JSAC 9 (1991).
fn dispersion(seconds: &BTreeMap<u64, u64>, length: u64) -> Option<f64> {
    if length < SECONDS_MIN {
        return None;
    }
    let counts = || seconds.range(..length).map(|(_, count)| *count as f64);
    let windows = length as f64;
    let mean = counts().sum::<f64>() / windows;
    let squares: f64 = counts().map(|count| count * count).sum();
    let variance = (squares - windows * mean * mean) / (windows - 1.0);
    (mean > 0.0).then(|| variance / mean)
}

/// The keys; `None` when none came often enough to tell one that is hot from chance.
fn keys(stream: &Stream) -> Option<Keys> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for arrival in &stream.arrivals {
        *counts.entry(arrival.key.as_str()).or_default() += 1;
    }
    let total = stream.arrivals.len() as f64;
    let hottest_count = counts.values().copied().max()?;
    if hottest_count < HOTTEST_MIN {
        return None;
    }
    // Pairs with equal keys over all pairs: the squares of counted shares are too large by chance.
    let pairs: f64 = counts.values().map(|&c| c as f64 * (c as f64 - 1.0)).sum();
    Some(Keys {
        count: u64::try_from(counts.len()).unwrap_or(u64::MAX),
        hottest_count,
        hottest: hottest_count as f64 / total,
        squares: pairs / (total * (total - 1.0)).max(1.0),
    })
}

fn times(stream: &Stream) -> Option<Times> {
    let mut times: Vec<f64> = stream
        .arrivals
        .iter()
        .map(|arrival| arrival.handler_time.as_secs_f64())
        .collect();
    times.sort_by(f64::total_cmp);
    let count = times.len();
    let mean = times.iter().sum::<f64>() / count as f64;
    if count < TIMES_MIN || mean <= 0.0 {
        return None;
    }
    let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
    let rank = (count * 99).div_ceil(100).saturating_sub(1);
    Some(Times {
        count,
        mean,
        scv: squares / (count as f64 - 1.0) / (mean * mean),
        p99_over_mean: (count >= P99_TIMES_MIN)
            .then(|| times.get(rank).map(|time| time / mean))
            .flatten(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidegate_base::Name;
    use tidegate_trace::recording::Arrival;

    use super::*;

    fn recording(arrivals: Vec<Arrival>) -> Recording {
        let stream = Stream {
            publisher: Name::new("shop").unwrap(),
            consumer: Name::new("mail").unwrap(),
            arrivals,
        };
        Recording {
            origin: "x".to_owned(),
            duration: Duration::from_secs(30),
            streams: [(Name::new("E").unwrap(), stream)].into_iter().collect(),
        }
    }

    fn arrival(millis: u64, key: &str, handler: u64) -> Arrival {
        Arrival {
            offset: Duration::from_millis(millis),
            handler_time: Duration::from_millis(handler),
            outcome: if handler > 25 {
                Outcome::Failed
            } else {
                Outcome::Succeeded
            },
            key: key.to_owned(),
            payload_bytes: Some(100 * handler),
        }
    }

    #[test]
    fn an_even_beat_has_no_dispersion_and_a_burst_has_much() {
        let even: Vec<Arrival> = (0..300).map(|n| arrival(n * 100, "k", 10)).collect();
        let name = Name::new("E").unwrap();
        let found = measured(&recording(even), &name).unwrap();
        assert_eq!((found.rate, found.peak), (10.0, 10.0));
        assert!(found.dispersion.unwrap() < 1e-9);
        assert_eq!(found.keys.unwrap().hottest, 1.0);
        let burst: Vec<Arrival> = (0..300).map(|n| arrival(5_000 + n, "k", 10)).collect();
        let found = measured(&recording(burst), &name).unwrap();
        assert_eq!((found.rate, found.peak), (10.0, 300.0));
        assert!((found.dispersion.unwrap() - 300.0).abs() < 1e-6);
        assert!(measured(&recording(Vec::new()), &name).is_none());
    }

    #[test]
    fn keys_that_hardly_repeat_are_not_called_hot() {
        let name = Name::new("E").unwrap();
        let few: Vec<Arrival> = (0..8).map(|n| arrival(n, &format!("k{n}"), 10)).collect();
        let found = measured(&recording(few), &name).unwrap();
        assert_eq!(
            (found.keys, found.handler, found.dispersion.is_some()),
            (None, None, true)
        );
        let skewed: Vec<Arrival> = (0..100)
            .map(|n| arrival(n, if n % 4 == 0 { "hot" } else { "a" }, 10 + n % 2 * 20))
            .collect();
        let found = measured(&recording(skewed), &name).unwrap();
        let keys = found.keys.unwrap();
        assert_eq!(
            (keys.count, keys.hottest_count, keys.hottest),
            (2, 75, 0.75)
        );
        assert!((keys.squares - 0.625).abs() < 0.005, "{}", keys.squares);
        let times = found.handler.unwrap();
        assert!((times.mean - 0.02).abs() < 1e-9 && (times.scv - 0.25).abs() < 0.01);
        assert_eq!((found.failures, found.bytes), (0.5, Some(2_000.0)));
        assert_eq!(times.p99_over_mean, None, "100 are too few");
    }
}
