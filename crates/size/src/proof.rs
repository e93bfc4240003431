//! The proposed number of workers, proved by simulation: formulas are far off where arrivals burst and
//! there are several workers.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_base::ConsumerId;

/// What is to be simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Whom.
    pub consumer: ConsumerId,
    /// With how many workers.
    pub workers: u32,
    /// Events a second, usually.
    pub rate: f64,
    /// Events a second at the peak.
    pub peak: f64,
    /// The mean time of one attempt, in seconds.
    pub handler_seconds: f64,
    /// The share of attempts that fail.
    pub failures: f64,
    /// Whether keys are drawn as often as they were recorded; otherwise all come equally often.
    pub recorded_keys: bool,
    /// Whether handler times vary as they were recorded.
    pub recorded_times: bool,
}

/// What arrives in a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// The peak for ever, arrivals independent of each other.
    Peak,
    /// The recording over and over, at the speed that gives the usual rate.
    Recorded,
}

/// What was simulated of one consumer under one load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// Under which load.
    pub load: Load,
    /// With how many workers.
    pub workers: u32,
    /// How many deliveries.
    pub deliveries: u64,
    /// The share of their time in which workers were busy.
    pub utilisation: f64,
    /// The mean from arrival to the end of handling.
    pub mean_seconds: Option<f64>,
    /// The 99th percentile; absent of too few deliveries.
    pub p99_seconds: Option<f64>,
    /// Half the width of its 95 % interval.
    pub plus_minus_seconds: Option<f64>,
}

impl Trial {
    /// The upper end of what the 99th percentile may be.
    fn p99_at_most(&self) -> Option<f64> {
        Some(self.p99_seconds? + self.plus_minus_seconds.unwrap_or(0.0))
    }
}

/// Simulates; nothing when it cannot.
pub type Simulate<'a> = dyn Fn(&Question) -> Vec<Trial> + 'a;

/// The search for the fewest workers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proof {
    /// Every trial, by workers.
    pub(crate) trials: BTreeMap<u32, Vec<Trial>>,
    /// The fewest workers, at least so many as were asked for, whose trials all meet the target;
    /// `None`: none does.
    pub(crate) fewest: Option<u32>,
}

impl Proof {
    /// The fewest workers from `least` on, at most `most`, with which the 99th percentile meets `target`.
    pub(crate) fn search(
        least: u32,
        most: u32,
        target: f64,
        simulate: &dyn Fn(u32) -> Vec<Trial>,
    ) -> Self {
        let mut proof = Self::default();
        let mut missed = None;
        let mut step = 0_u32;
        let met = loop {
            let workers = least.saturating_add(step).min(most.max(least));
            match proof.meets(workers, target, simulate) {
                None => return proof,
                Some(true) => break workers,
                Some(false) if workers >= most => return proof,
                Some(false) => missed = Some(workers),
            }
            step = (step * 2).max(1);
        };
        let (mut low, mut high) = (missed.unwrap_or(met), met);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match proof.meets(middle, target, simulate) {
                Some(true) => high = middle,
                _ => low = middle,
            }
        }
        proof.fewest = Some(high);
        proof
    }

    /// Whether `workers` meet the target under every load; `None` when that cannot be told.
    fn meets(
        &mut self,
        workers: u32,
        target: f64,
        simulate: &dyn Fn(u32) -> Vec<Trial>,
    ) -> Option<bool> {
        let trials = self.at(workers, simulate);
        let known: Vec<f64> = trials.iter().filter_map(Trial::p99_at_most).collect();
        (!known.is_empty()).then(|| known.iter().all(|p99| *p99 <= target))
    }

    /// The trials with `workers`, simulated once.
    pub(crate) fn at(&mut self, workers: u32, simulate: &dyn Fn(u32) -> Vec<Trial>) -> &[Trial] {
        self.trials
            .entry(workers)
            .or_insert_with(|| simulate(workers))
    }

    /// Whether anything could be told from the trials.
    pub(crate) fn is_known(&self) -> bool {
        let mut trials = self.trials.values().flatten();
        trials.any(|trial| trial.p99_seconds.is_some())
    }

    /// The mean time with `workers` at the peak.
    pub(crate) fn mean_at_peak(&self, workers: u32) -> Option<f64> {
        let mut trials = self.trials.get(&workers)?.iter();
        trials.find(|trial| trial.load == Load::Peak)?.mean_seconds
    }

    /// The trial with `workers` whose 99th percentile is worst.
    pub(crate) fn worst(&self, workers: u32) -> Option<&Trial> {
        let trials = self.trials.get(&workers)?.iter();
        trials.max_by(|a, b| {
            let key = |trial: &Trial| trial.p99_seconds.unwrap_or(0.0);
            key(a).total_cmp(&key(b))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Trials whose 99th percentile is `1 / workers`, but not below `floor`.
    fn simulated(workers: u32, floor: f64) -> Vec<Trial> {
        vec![Trial {
            load: Load::Peak,
            workers,
            deliveries: 1_000,
            utilisation: 0.5,
            mean_seconds: Some(0.1),
            p99_seconds: Some((1.0 / f64::from(workers)).max(floor)),
            plus_minus_seconds: None,
        }]
    }

    #[test]
    fn the_fewest_are_found_with_few_trials() {
        for (least, target, fewest) in [(1, 1.0, 1), (1, 0.1, 10), (3, 0.5, 3), (2, 0.013, 77)] {
            let asked = RefCell::new(Vec::new());
            let proof = Proof::search(least, 1_000, target, &|workers| {
                asked.borrow_mut().push(workers);
                simulated(workers, 0.0)
            });
            assert_eq!(proof.fewest, Some(fewest));
            assert!(asked.borrow().len() <= 16, "{asked:?}");
            // One fewer was tried as well, and missed, unless it is below the least.
            let one_fewer = proof.trials.contains_key(&(fewest - 1));
            assert_eq!(one_fewer, fewest > least, "{:?}", proof.trials.keys());
        }
    }

    #[test]
    fn a_target_that_no_number_reaches_ends_the_search() {
        let proof = Proof::search(2, 100, 0.1, &|workers| simulated(workers, 0.2));
        assert_eq!(proof.fewest, None);
        assert!(proof.worst(100).is_some());
        let proof = Proof::search(2, 100, 0.1, &|_| Vec::new());
        assert_eq!((proof.fewest, proof.trials.len()), (None, 1));
    }
}
