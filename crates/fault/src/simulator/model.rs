//! What a log should hold: a list of batches, and what comes of them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Append, History, Keep, StateChange};

/// Channels of a history.
pub(super) const CHANNELS: usize = 4;

/// A batch as it was appended.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// Its number in the history.
    pub(super) number: usize,
    pub(super) batch: tidegate_log::Batch,
    pub(super) durable: bool,
}

/// The name of a channel.
pub(super) fn channel(at: usize) -> Name {
    Name::new(["orders", "payments", "x", "stock.levels"][at]).unwrap()
}

fn number_of(name: &Name) -> usize {
    (0..CHANNELS).find(|at| channel(*at) == *name).unwrap()
}

/// A record that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) time: Timestamp,
    pub(super) key: Option<String>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) payload: Bytes,
}

impl Expected {
    fn of(append: &Append) -> Self {
        Self {
            time: append.time,
            key: append.key.clone(),
            headers: append.headers.clone(),
            payload: append.payload.clone(),
        }
    }
}

/// What comes of some batches.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    pub(super) channels: [Vec<Expected>; CHANNELS],
    pub(super) state: Vec<Bytes>,
    /// Where a checkpoint of several batches has begun; nobody knows once the log is opened anew.
    pub(super) begun: Option<usize>,
    pub(super) cursors: BTreeMap<Name, u64>,
}

impl Contents {
    pub(super) fn apply(&mut self, batch: &tidegate_log::Batch) {
        for append in &batch.appends {
            self.channels[number_of(&append.channel)].push(Expected::of(append));
        }
        match &batch.state {
            StateChange::Append(records) => self.state.extend(records.iter().cloned()),
            StateChange::Replace(records) => {
                self.begun = None;
                self.state.clone_from(records);
            }
            StateChange::Begin(records) => {
                self.begun = Some(self.state.len());
                self.state.extend(records.iter().cloned());
            }
            StateChange::Finish(records) => {
                self.state.drain(..self.begun.take().unwrap_or(0));
                self.state.extend(records.iter().cloned());
            }
        }
        self.cursors.extend(batch.cursors.iter().cloned());
    }

    pub(super) fn tails(&self) -> [u64; CHANNELS] {
        std::array::from_fn(|at| self.channels[at].len() as u64)
    }

    /// Adds to `may_go` what `keep` allows to be removed of a channel at `now`.
    pub(super) fn note_what_may_go(
        &self,
        at: usize,
        keep: &Keep,
        now: Timestamp,
        may_go: &mut BTreeSet<(usize, u64)>,
    ) {
        let records = || (0..).zip(&self.channels[at]);
        let needed = |sequence: u64| {
            sequence >= keep.needed_from || keep.pinned.binary_search(&sequence).is_ok()
        };
        let oldest = keep.age.map_or(Timestamp::EPOCH, |age| now - age);
        let is_young = |(sequence, record): &(u64, &Expected)| {
            record.time >= oldest && !may_go.contains(&(at, *sequence))
        };
        let young = records().find(is_young).map(|(sequence, _)| sequence);
        let young = match keep.age {
            Some(_) => young.unwrap_or(u64::MAX),
            None => 0,
        };
        let mut latest: BTreeMap<&str, u64> = BTreeMap::new();
        for (sequence, record) in records() {
            if let Some(key) = &record.key {
                latest.insert(key, sequence);
            }
        }
        for (sequence, record) in records().filter(|(sequence, _)| !needed(*sequence)) {
            let key = record.key.as_deref();
            let newer = key.is_some_and(|key| latest[key] > sequence);
            let superseded = keep.history == History::LatestPerKey && newer;
            if sequence < young || keep.bytes.is_some() || superseded {
                may_go.insert((at, sequence));
            }
        }
    }
}
