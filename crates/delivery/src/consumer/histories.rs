//! Histories of deliveries that are over.

use std::collections::VecDeque;

use tidegate_base::limit::ENDED_HISTORIES_MAX;

use crate::ended::{End, EndedDelivery, Provenance};
use crate::record::Progress;

/// Longest error text of a history, in bytes.
const ERROR_BYTES_MAX: usize = 256;

/// The latest deliveries that are over and did not simply succeed, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histories {
    ended: VecDeque<EndedDelivery>,
}

impl Histories {
    /// Adds a delivery, with short errors, and returns what is remembered of it.
    pub(super) fn add(
        &mut self,
        sequence: u64,
        generation: u64,
        end: End,
        mut progress: Progress,
        edited: Option<Provenance>,
    ) -> EndedDelivery {
        progress.started = None;
        for attempt in &mut progress.history {
            let length = attempt.error.floor_char_boundary(ERROR_BYTES_MAX);
            attempt.error.truncate(length);
        }
        let ended = EndedDelivery {
            sequence,
            generation,
            end,
            progress,
            edited,
        };
        self.insert(ended.clone());
        ended
    }

    /// Adds what a record says. One that is there already, because its record was read twice, takes its
    /// own place.
    pub(super) fn insert(&mut self, ended: EndedDelivery) {
        let same = |other: &EndedDelivery| {
            (other.sequence, other.generation) == (ended.sequence, ended.generation)
        };
        self.ended.retain(|other| !same(other));
        if self.ended.len() >= ENDED_HISTORIES_MAX {
            // A long replay without failures must not push out what did fail.
            let plain = |ended: &EndedDelivery| {
                ended.progress.history.is_empty() && ended.progress.redrives == 0
            };
            let first = self.ended.iter().position(plain).unwrap_or(0);
            self.ended.remove(first);
        }
        self.ended.push_back(ended);
    }

    /// How a delivery ended the last time.
    pub(super) fn of(&self, sequence: u64) -> Option<&EndedDelivery> {
        let mut latest = self.ended.iter().rev();
        latest.find(|ended| ended.sequence == sequence)
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &EndedDelivery> {
        self.ended.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(sequence: u64, redrives: u32) -> EndedDelivery {
        let progress = Progress {
            redrives,
            ..Progress::default()
        };
        EndedDelivery {
            sequence,
            generation: 1,
            end: End::Succeeded,
            progress,
            edited: None,
        }
    }

    #[test]
    fn a_replay_that_just_succeeds_pushes_out_nothing_that_failed() {
        let mut histories = Histories::default();
        histories.insert(ended(0, 1));
        for sequence in 1..=2 * ENDED_HISTORIES_MAX as u64 {
            histories.insert(ended(sequence, 0));
        }
        assert!(histories.of(0).is_some() && histories.of(1).is_none());
        assert_eq!(histories.iter().count(), ENDED_HISTORIES_MAX);
        for sequence in 0..=ENDED_HISTORIES_MAX as u64 {
            histories.insert(ended(sequence, 1));
        }
        assert!(histories.of(0).is_none(), "the oldest goes");
        assert_eq!(histories.iter().count(), ENDED_HISTORIES_MAX);
    }
}
