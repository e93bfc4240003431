//! The workload of a call: what a broker and a consumer would have to carry.
//!
//! Source of the index of dispersion: R. Gusella, "Characterizing the variability of arrival
//! processes with indexes of dispersion", IEEE JSAC 9 (1991).

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::interval::number;
use crate::observe::Observation;

/// The windows of time over which arrivals are counted.
const WINDOWS: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_mins(1),
];
/// The fewest windows that a dispersion can be taken from.
const WINDOWS_MIN: u64 = 20;

/// The workload of one call path.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Calls each second; `None` when less than a second was observed.
    pub rate: Option<f64>,
    /// The most in one second.
    pub peak: usize,
    /// The variance over the mean of counts in windows of a tenth of a second, a second, ten
    /// seconds and a minute: 1 when arrivals are independent; `None` where there are too few.
    pub dispersion: [(Duration, Option<f64>); 4],
    /// The variance over the squared mean of the time between calls.
    pub interarrival_scv: Option<f64>,
    /// The mean time of one handling, in seconds.
    pub service_mean: f64,
    /// The variance over the squared mean of that time.
    pub service_scv: Option<f64>,
    /// The longest time of one handling, in seconds.
    pub service_max: f64,
    /// The median and the largest size of a request, in bytes.
    pub bytes: Option<(u64, u64)>,
    /// How the entities that requests name are distributed.
    pub keys: Option<Keys>,
    /// Calls of one request, on average.
    pub fan_out: f64,
}

/// How often each entity is named.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keys {
    /// How many there are.
    pub count: usize,
    /// The share of the most frequent one.
    pub hottest: f64,
    /// The exponent of Zipf's law that fits best; `None` when there are too few.
    pub zipf: Option<f64>,
}

impl Workload {
    /// Of occurrences in order of time.
    pub(crate) fn of(
        seen: &[Observation],
        observed: Duration,
        weight: impl Fn(&Observation) -> f64,
    ) -> Self {
        let all: f64 = seen.iter().map(&weight).sum();
        let kept = number(seen.len()) / all.max(1.0);
        let offsets: Vec<Duration> = seen.iter().map(|observation| observation.offset).collect();
        let handled: Vec<f64> = seen
            .iter()
            .map(|observation| observation.handled.as_secs_f64())
            .collect();
        let gaps: Vec<f64> = offsets
            .windows(2)
            .filter_map(|pair| Some(pair.last()?.saturating_sub(*pair.first()?).as_secs_f64()))
            .collect();
        let mut sizes: Vec<u64> = seen
            .iter()
            .filter_map(|observation| observation.request_bytes)
            .collect();
        sizes.sort_unstable();
        let mut requests: Vec<_> = seen.iter().map(|o| (o.site.trace, o.entry)).collect();
        requests.sort_unstable();
        requests.dedup();
        Self {
            rate: crate::services::rate(all, observed),
            peak: crate::services::peak(seen.iter().map(|seen| (seen.offset, weight(seen)))),
            dispersion: WINDOWS.map(|window| {
                // What is left of arrivals by chance varies less than all do.
                let thinned = dispersion(&offsets, window, observed);
                (window, thinned.map(|thinned| 1.0 + (thinned - 1.0) / kept))
            }),
            interarrival_scv: scv(&gaps),
            service_mean: mean(&handled),
            service_scv: scv(&handled),
            service_max: handled.iter().copied().fold(0.0, f64::max),
            bytes: sizes
                .get(sizes.len() / 2)
                .copied()
                .zip(sizes.last().copied()),
            keys: keys(seen),
            fan_out: number(seen.len()) / number(requests.len().max(1)),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / number(values.len().max(1))
}

/// The variance over the squared mean; `None` of fewer than ten, or of zeros.
pub(crate) fn scv(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    if values.len() < 10 || mean <= 0.0 {
        return None;
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some(squares / number(values.len() - 1) / (mean * mean))
}

/// The variance over the mean of counts; whole windows only.
fn dispersion(offsets: &[Duration], window: Duration, observed: Duration) -> Option<f64> {
    let windows = u64::try_from(observed.as_nanos() / window.as_nanos()).ok()?;
    if windows < WINDOWS_MIN || offsets.is_empty() {
        return None;
    }
    let window = u64::try_from(window.as_nanos()).ok()?.max(1);
    let mut places: Vec<u64> = offsets
        .iter()
        .filter_map(|offset| Some(u64::try_from(offset.as_nanos()).ok()? / window))
        .filter(|at| *at < windows)
        .collect();
    if !places.is_sorted() {
        places.sort_unstable();
    }
    let counts = || places.chunk_by(|a, b| a == b).map(<[u64]>::len);
    let all = f64::from(u32::try_from(windows).ok()?);
    let total: usize = counts().sum();
    let squares: usize = counts().map(|count| count * count).sum();
    let mean = number(total) / all;
    let variance = (number(squares) - all * mean * mean) / (all - 1.0);
    (mean > 0.0).then(|| variance / mean)
}

fn keys(seen: &[Observation]) -> Option<Keys> {
    let mut counts: HashMap<u64, usize, RandomState> = HashMap::default();
    for entity in seen
        .iter()
        .filter_map(|observation| observation.marks.entity)
    {
        *counts.entry(entity).or_default() += 1;
    }
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let total: usize = counts.iter().sum();
    let hottest = number(*counts.first()?) / number(total);
    Some(Keys {
        count: counts.len(),
        hottest,
        zipf: (counts.len() >= 10).then(|| slope(&counts)),
    })
}

/// Least squares over the logarithms of rank and frequency, of those seen at least twice.
fn slope(counts: &[usize]) -> f64 {
    let points: Vec<(f64, f64)> = counts
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 1)
        .map(|(rank, count)| (number(rank + 1).ln(), number(*count).ln()))
        .collect();
    let (xs, ys): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let (x, y) = (mean(&xs), mean(&ys));
    let over: f64 = points.iter().map(|(a, b)| (a - x) * (b - y)).sum();
    let under: f64 = points.iter().map(|(a, _)| (a - x).powi(2)).sum();
    if under > 0.0 {
        (-over / under).max(0.0)
    } else {
        0.0
    }
}
