//! A batch as it is numbered and encoded into the group that gathers, and what is noted of it for readers.

use std::collections::BTreeMap;

use tidegate_base::Name;

use crate::frame::FrameEncoder;
use crate::record::STATE_NAME;
use crate::registry::{Number, STATE, slot_mut};
use crate::snapshot::Extent;
use crate::{Batch, StateChange};

/// A record of a channel or of the state that is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded {
    pub(crate) number: Number,
    pub(crate) byte: u32,
    pub(crate) bytes: u32,
    pub(crate) sequence: u64,
    pub(crate) time: u64,
}

/// What else a batch changes.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The first sequence of a channel that stays.
    Low(Number, u64),
    /// A cursor's value.
    Cursor(Name, u64),
    /// Where a checkpoint of several batches has begun that is not finished.
    Begun(Option<u64>),
}

/// Where one batch is encoded.
pub(crate) struct Target<'a> {
    /// Address in the segment of the buffer's first byte.
    pub(crate) base: u64,
    pub(crate) frame: FrameEncoder<'a>,
    pub(crate) records: &'a mut Vec<Encoded>,
    pub(crate) changes: &'a mut Vec<Change>,
    pub(crate) extents: &'a mut Vec<Extent>,
    /// The first sequence of a channel that has none yet.
    pub(crate) floor: u64,
    pub(crate) cursors: &'a mut BTreeMap<Name, u64>,
    /// Where a checkpoint of several batches has begun, until it is finished.
    pub(crate) begun: &'a mut Option<u64>,
}

impl Target<'_> {
    /// Numbers and encodes a batch.
    pub(crate) fn batch(&mut self, batch: &Batch, numbers: &[Number]) {
        for (append, number) in batch.appends.iter().zip(numbers) {
            let sequence = self.next(*number);
            let at = self.frame.append(append, sequence);
            self.note(*number, at, sequence, append.time.nanos());
        }
        if !batch.state.is_none() {
            self.state(&batch.state);
        }
        for (name, value) in &batch.cursors {
            self.frame.cursor(name.as_str(), *value);
            self.cursors.insert(name.clone(), *value);
            self.changes.push(Change::Cursor(name.clone(), *value));
        }
    }

    fn state(&mut self, change: &StateChange) {
        let sequence = self.next(STATE);
        let low = match change {
            StateChange::Append(_) => None,
            StateChange::Begin(_) => {
                *self.begun = Some(sequence);
                None
            }
            StateChange::Replace(_) => {
                *self.begun = None;
                Some(sequence)
            }
            StateChange::Finish(_) => self.begun.take(),
        };
        let at = self.frame.state(change, sequence);
        self.note(STATE, at, sequence, 0);
        if !matches!(change, StateChange::Append(_)) {
            self.changes.push(Change::Begun(*self.begun));
        }
        let Some(low) = low else {
            return;
        };
        if matches!(change, StateChange::Finish(_)) {
            self.frame.trim(STATE_NAME, low);
        }
        slot_mut(self.extents, STATE).low = low;
        self.changes.push(Change::Low(STATE, low));
    }

    /// Encodes how far retention has passed channels.
    pub(crate) fn trim(&mut self, lows: &[(Number, Name, u64)]) {
        for (number, name, low) in lows {
            self.frame.trim(name.as_str(), *low);
            slot_mut(self.extents, *number).low = *low;
            self.changes.push(Change::Low(*number, *low));
        }
    }

    /// Takes the next sequence of a channel.
    fn next(&mut self, number: Number) -> u64 {
        let extent = slot_mut(self.extents, number);
        if extent.next == 0 && self.floor > 0 {
            (extent.next, extent.low) = (self.floor, self.floor);
        }
        extent.next += 1;
        extent.next - 1
    }

    fn note(&mut self, number: Number, at: usize, sequence: u64, time: u64) {
        let byte = u32::try_from(self.base + at as u64).unwrap_or(u32::MAX);
        let bytes = u32::try_from(self.frame.end() - at).unwrap_or(u32::MAX);
        self.records.push(Encoded {
            number,
            byte,
            bytes,
            sequence,
            time,
        });
    }
}
