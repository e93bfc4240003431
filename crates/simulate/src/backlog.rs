//! The backlog over time: what has arrived and is not finished, at evenly spaced moments.

use serde::Serialize;

use crate::nanos::seconds;
use crate::station::Served;

/// How many moments are kept while simulating.
const MOMENTS: usize = 1_200;
/// How many are shown.
const SHOWN: usize = 60;

/// The backlog as it is reported: the highest of each stretch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Backlog {
    /// How long one stretch is.
    pub interval_seconds: f64,
    /// The most deliveries not finished in each stretch, from the start of the run.
    pub highest: Vec<u64>,
    /// The most of all.
    pub max: u64,
    /// How many are not finished when arrivals end.
    pub at_end: u64,
    /// The mean after the warm-up.
    pub mean: f64,
}

/// Counts arrivals and departures between moments.
#[derive(Debug)]
pub(crate) struct Timeline {
    warm_up_ns: u64,
    end_ns: u64,
    interval_ns: u64,
    /// The integral of the backlog between warm-up and end.
    area_ns: u128,
    arrived: Vec<u64>,
    finished: Vec<u64>,
}

impl Timeline {
    /// A timeline from 0 to `end_ns` that takes its mean after `warm_up_ns`.
    pub(crate) fn new(warm_up_ns: u64, end_ns: u64) -> Self {
        let interval_ns = (end_ns / MOMENTS as u64).max(1);
        let (arrived, finished) = (vec![0; MOMENTS], vec![0; MOMENTS]);
        Self {
            warm_up_ns,
            end_ns,
            interval_ns,
            area_ns: 0,
            arrived,
            finished,
        }
    }

    /// Adds a delivery.
    pub(crate) fn add(&mut self, served: &Served) {
        count(&mut self.arrived, served.arrived_ns / self.interval_ns);
        count(&mut self.finished, served.finished_ns / self.interval_ns);
        let from_ns = served.arrived_ns.max(self.warm_up_ns);
        let to_ns = served.finished_ns.min(self.end_ns);
        self.area_ns += u128::from(to_ns.saturating_sub(from_ns));
    }

    /// The backlog at the end of each interval.
    pub(crate) fn levels(&self) -> Vec<u64> {
        let mut level = 0_u64;
        self.arrived
            .iter()
            .zip(&self.finished)
            .map(|(arrived, finished)| {
                level = (level + arrived).saturating_sub(*finished);
                level
            })
            .collect()
    }

    /// When the backlog is first back at `level` or below, from `from_ns` on; `None`: not by the end.
    pub(crate) fn falls_to(&self, level: f64, from_ns: u64) -> Option<u64> {
        let first = from_ns / self.interval_ns;
        (0_u64..)
            .zip(self.levels())
            .find(|(moment, backlog)| *moment >= first && *backlog as f64 <= level)
            .map(|(moment, _)| (moment + 1).saturating_mul(self.interval_ns))
    }

    /// The mean backlog between two times; 0 when no moment lies there.
    pub(crate) fn mean(&self, from_ns: u64, to_ns: u64) -> f64 {
        let within: Vec<u64> = (1_u64..)
            .zip(self.levels())
            .filter(|(moment, _)| (from_ns..=to_ns).contains(&(moment * self.interval_ns)))
            .map(|(_, level)| level)
            .collect();
        within.iter().sum::<u64>() as f64 / within.len().max(1) as f64
    }

    /// The highest backlog from `from_ns` on.
    pub(crate) fn highest(&self, from_ns: u64) -> u64 {
        let first = usize::try_from(from_ns / self.interval_ns).unwrap_or(usize::MAX);
        self.levels().into_iter().skip(first).max().unwrap_or(0)
    }

    /// What is reported.
    pub(crate) fn report(&self) -> Backlog {
        let levels = self.levels();
        let each = MOMENTS / SHOWN;
        let span_ns = self.end_ns.saturating_sub(self.warm_up_ns).max(1);
        Backlog {
            interval_seconds: seconds(self.interval_ns) * each as f64,
            highest: levels
                .chunks(each)
                .map(|stretch| stretch.iter().copied().max().unwrap_or(0))
                .collect(),
            max: levels.iter().copied().max().unwrap_or(0),
            at_end: levels.last().copied().unwrap_or(0),
            mean: self.area_ns as f64 / span_ns as f64,
        }
    }
}

/// Counts one at `place`; what lies beyond the end is not counted.
fn count(counts: &mut [u64], place: u64) {
    if let Some(count) = usize::try_from(place)
        .ok()
        .and_then(|place| counts.get_mut(place))
    {
        *count += 1;
    }
}
