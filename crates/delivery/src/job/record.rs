//! A job as the state keeps it: whole at its beginning and in checkpoints, by what changed between.

use serde::{Deserialize, Serialize};
use tidegate_base::{ConsumerId, Timestamp};

use super::ramp::{Ramp, StopRule};
use super::{JobLetter, JobState};

/// A job, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    pub(super) id: u64,
    pub(super) created: Timestamp,
    pub(super) note: String,
    /// The time between two letters.
    pub(super) every_micros: u64,
    pub(super) canary: bool,
    pub(super) stop: StopRule,
    pub(super) state: JobState,
    pub(super) ramp: Ramp,
    /// The letters by consumer, each with its sequences in order.
    pub(super) letters: Vec<(ConsumerId, Vec<u64>)>,
    /// What became of the letters, in their order: so many in a row are so.
    pub(super) runs: Vec<(u32, JobLetter)>,
}

/// What changed of a job. Everything in it is absolute: read twice it says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobProgress {
    pub(super) id: u64,
    pub(super) state: JobState,
    pub(super) ramp: Ramp,
    /// Letters by their place in the job.
    pub(super) letters: Vec<(u32, JobLetter)>,
}

/// Values in a row that are the same, counted.
pub(super) fn runs(letters: impl Iterator<Item = JobLetter>) -> Vec<(u32, JobLetter)> {
    let mut runs: Vec<(u32, JobLetter)> = Vec::new();
    for letter in letters {
        match runs.last_mut() {
            Some((count, last)) if *last == letter => *count += 1,
            _ => runs.push((1, letter)),
        }
    }
    runs
}
