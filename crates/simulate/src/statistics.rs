//! Latency quantiles, and how sure they are.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::nanos::whole;

/// How many batches the run is cut into for confidence intervals.
const BATCHES: usize = 20;
/// Student's t for 19 degrees of freedom, 95 %, two-sided.
const STUDENT_T: f64 = 2.093;
/// The longest latency that is told apart, in microseconds: one year.
const LONGEST_US: u64 = 365 * 86_400 * 1_000_000;
/// The fewest values from which the 99th percentile has a finite 95 % interval.
///
/// Source: exact binomial interval of order statistics.
const P99_VALUES_MIN: u64 = 368;
/// The same for the 99.9th percentile.
const P999_VALUES_MIN: u64 = 3_688;

/// A value with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Half the width of its 95 % interval, by batch means; absent when too few values fell into a batch.
    pub plus_minus: Option<f64>,
}

/// How long deliveries take, from arrival to the end of the last attempt, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// How many deliveries it is taken from.
    pub count: u64,
    /// The mean.
    pub mean: Option<Estimate>,
    /// The median.
    pub p50: Option<f64>,
    /// The 99th percentile; absent below 368 deliveries.
    pub p99: Option<Estimate>,
    /// The 99.9th percentile; absent below 3,688 deliveries.
    pub p999: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

/// Collects latencies, in batches of time.
pub(crate) struct Recorder {
    from_ns: u64,
    batch_ns: u64,
    all: Histogram<u64>,
    batches: Vec<Batch>,
}

struct Batch {
    sum: f64,
    values: Histogram<u64>,
}

impl Recorder {
    /// A recorder of what arrives between two times.
    ///
    /// Returns `None` only if the bounds of the histogram were wrong, which they are not.
    pub(crate) fn new(from_ns: u64, to_ns: u64) -> Option<Self> {
        let batch_ns = (to_ns.saturating_sub(from_ns) / BATCHES as u64).max(1);
        let batch = || {
            Some(Batch {
                sum: 0.0,
                values: histogram(2)?,
            })
        };
        let batches = (0..BATCHES).map(|_| batch()).collect::<Option<_>>()?;
        Some(Self {
            from_ns,
            batch_ns,
            all: histogram(3)?,
            batches,
        })
    }

    /// Adds the latency of a delivery; those that arrived before the warm-up's end do not count.
    pub(crate) fn add(&mut self, arrived_ns: u64, latency_ns: u64) {
        let Some(offset) = arrived_ns.checked_sub(self.from_ns) else {
            return;
        };
        let micros = latency_ns.div_ceil(1_000).max(1);
        self.all.saturating_record(micros);
        let place = usize::try_from(offset / self.batch_ns).unwrap_or(usize::MAX);
        if let Some(batch) = self.batches.get_mut(place.min(BATCHES - 1)) {
            batch.sum += latency_ns as f64 / 1e9;
            batch.values.saturating_record(micros);
        }
    }

    /// What was collected.
    pub(crate) fn latency(&self) -> Latency {
        let count = self.all.len();
        let quantile = |q: f64, least: u64| {
            (count >= least).then(|| micros_to_seconds(self.all.value_at_quantile(q)))
        };
        Latency {
            count,
            mean: self.mean(),
            p50: quantile(0.5, 1),
            p99: quantile(0.99, P99_VALUES_MIN).map(|value| Estimate {
                value,
                plus_minus: self.p99_interval(),
            }),
            p999: quantile(0.999, P999_VALUES_MIN),
            max: (count > 0).then(|| micros_to_seconds(self.all.max())),
        }
    }

    fn mean(&self) -> Option<Estimate> {
        let count = self.all.len();
        let value = self.batches.iter().map(|b| b.sum).sum::<f64>() / count as f64;
        let filled = self.batches.iter().all(|b| !b.values.is_empty());
        let means = self.batches.iter().map(|b| b.sum / b.values.len() as f64);
        let plus_minus = filled.then(|| half_width(means));
        (count > 0).then_some(Estimate { value, plus_minus })
    }

    fn p99_interval(&self) -> Option<f64> {
        let enough = self
            .batches
            .iter()
            .all(|b| b.values.len() >= P99_VALUES_MIN);
        let quantiles = self
            .batches
            .iter()
            .map(|b| micros_to_seconds(b.values.value_at_quantile(0.99)));
        enough.then(|| half_width(quantiles))
    }
}

/// Half the 95 % interval of the mean of one value a batch.
fn half_width(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = BATCHES as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0);
    STUDENT_T * (variance / count).sqrt()
}

fn histogram(digits: u8) -> Option<Histogram<u64>> {
    Histogram::new_with_bounds(1, LONGEST_US, digits).ok()
}

fn micros_to_seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// `value` in the unit and precision in which people read it.
pub(crate) fn readable(seconds: f64) -> String {
    tidegate_base::format_duration(std::time::Duration::from_nanos(whole(
        seconds.max(0.0) * 1e9,
    )))
}
