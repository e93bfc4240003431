//! What one segment holds, piece by piece, and what is seen to be lost in it.

use std::collections::BTreeMap;

use bytes::Bytes;
use tidegate_base::Name;

use super::Lost;
use super::inventory::damage;
use super::pieces::{self, Piece};
use crate::Damage;
use crate::places::{ChannelPlaces, Place, Places};
use crate::record::{Content, RECORD_BYTES_MIN, Wrong};
use crate::registry::{Number, Registry, STATE, slot_mut};
use crate::scan::Base;
use crate::segment::Segment;
use crate::snapshot::Extent;

/// Most damages of one segment that are listed.
const DAMAGES_MAX: usize = 10_000;

/// What is there of a channel.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stats {
    pub(crate) records: u64,
    pub(crate) sequences: Option<(u64, u64)>,
}

/// What one segment holds.
pub(crate) struct Tally {
    name: String,
    salt: u32,
    frames_at: u64,
    has_gaps: bool,
    /// Whether it is known where the channels start.
    exact: bool,
    /// The first sequence of a channel that the snapshot does not list.
    floor: u64,
    pub(crate) places: Places,
    pub(crate) extents: Vec<Extent>,
    pub(crate) cursors: BTreeMap<Name, u64>,
    pub(crate) position: u64,
    pub(crate) frames: u64,
    pub(crate) records: u64,
    pub(crate) stats: Vec<Stats>,
    pub(crate) lost: Vec<(Number, Lost)>,
    pub(crate) damages: Vec<Damage>,
    pub(crate) holes: u32,
    /// By number: the holes before its last record.
    pub(crate) marks: Vec<u32>,
    /// Bytes of holes since the last whole piece.
    pub(crate) since: u64,
    /// Most records that are lost before the last whole piece.
    pub(crate) missing: u64,
    /// Those of them that the numbers of channels show.
    pub(crate) accounted: u64,
}

impl Tally {
    /// Nothing yet of `segment`, which starts from `base`.
    pub(crate) fn new(segment: &Segment, base: &Base, exact: bool) -> Self {
        let starts = base.extents.iter().map(|extent| extent.next);
        Self {
            name: segment.name.clone(),
            salt: segment.salt,
            frames_at: segment.frames_at.into(),
            has_gaps: segment.has_gaps(),
            exact,
            floor: base.floor,
            places: Places::starting(starts),
            extents: base.extents.clone(),
            cursors: base.cursors.clone(),
            position: segment.id.position,
            frames: 0,
            records: 0,
            stats: Vec::new(),
            lost: Vec::new(),
            damages: Vec::new(),
            holes: 0,
            marks: Vec::new(),
            since: 0,
            missing: 0,
            accounted: 0,
        }
    }

    /// Bytes that are not whole.
    pub(crate) fn hole(&mut self, byte: u64, end: u64, wrong: &Wrong) {
        // What stands before the frames is looked at by itself.
        let byte = byte.max(self.frames_at).min(end);
        if byte == end {
            return;
        }
        self.holes += 1;
        self.since += end - byte;
        self.damaged(byte, end - byte, wrong);
    }

    fn damaged(&mut self, byte: u64, bytes: u64, wrong: &Wrong) {
        if self.damages.len() < DAMAGES_MAX {
            let damage = damage(&self.name, byte, bytes, &wrong.to_string());
            self.damages.push(damage);
        }
    }

    /// A piece whose place in the order is another one.
    pub(crate) fn misplaced(&mut self, piece: &Piece, expected: u64) {
        let wrong = Wrong::Place {
            what: "position",
            found: piece.position,
            expected,
        };
        self.damaged(piece.byte, piece.size as u64, &wrong);
    }

    /// The next piece in order of positions.
    pub(crate) fn piece(&mut self, piece: &Piece, bytes: &Bytes, registry: &mut Registry) {
        let Ok(records) = pieces::records(piece, bytes, self.salt) else {
            return;
        };
        self.frames += u64::from(!piece.loose);
        let jump = piece.position.saturating_sub(self.position);
        if jump > 0 && (!self.has_gaps || self.since > 0) {
            if self.since == 0 {
                // Nothing is damaged here: bytes are absent.
                self.holes += 1;
                let wrong = Wrong::Place {
                    what: "position",
                    found: piece.position,
                    expected: self.position,
                };
                self.damaged(piece.byte, 0, &wrong);
                self.missing += jump;
            } else {
                self.missing += jump.min(self.since / RECORD_BYTES_MIN);
            }
        }
        if !piece.loose {
            self.since = 0;
        }
        // A record in a hole has what is lost before it, and may have more behind it.
        let mark = self.holes - u32::from(piece.loose && self.holes > 0);
        for (byte, record, entry) in records {
            match self.record(entry.content, (byte, record.len() as u64), mark, registry) {
                Ok(()) => self.records += 1,
                Err(wrong) => self.damaged(byte, record.len() as u64, &wrong),
            }
        }
        self.position = piece.next.max(self.position);
    }

    fn record(
        &mut self,
        content: Content<'_>,
        (byte, bytes): (u64, u64),
        mark: u32,
        registry: &mut Registry,
    ) -> Result<(), Wrong> {
        let mut number = |name: &str| {
            let wrong = || Wrong::Content("channel name");
            match registry.find(name) {
                Some(number) => Ok(number),
                None => {
                    let name = Name::new(name).map_err(|_| wrong())?;
                    registry.number(&name).ok_or_else(wrong)
                }
            }
        };
        let byte = u32::try_from(byte).unwrap_or(u32::MAX);
        match content {
            Content::Channel {
                name,
                sequence,
                time,
                ..
            } => {
                let number = number(name)?;
                self.numbered(number, sequence, mark)?;
                let places = self.places.channel_mut(number);
                places.push(Place { sequence, byte }, time, bytes);
            }
            Content::State {
                sequence, replaces, ..
            } => {
                self.numbered(STATE, sequence, mark)?;
                let places = self.places.channel_mut(STATE);
                places.push(Place { sequence, byte }, 0, bytes);
                if replaces {
                    slot_mut(&mut self.extents, STATE).low = sequence;
                }
            }
            Content::Cursor { name, value } => {
                let name = Name::new(name).map_err(|_| Wrong::Content("cursor name"))?;
                self.cursors.insert(name, value);
            }
            Content::Trim { name, first } => {
                let number = number(name)?;
                let extent = slot_mut(&mut self.extents, number);
                extent.low = extent.low.max(first.min(extent.next));
            }
        }
        Ok(())
    }

    fn numbered(&mut self, number: Number, sequence: u64, mark: u32) -> Result<(), Wrong> {
        let extent = slot_mut(&mut self.extents, number);
        if extent.next == 0 && self.floor > 0 && sequence >= self.floor {
            // It starts there, so that no sequence is given twice: nothing is lost before it.
            (extent.next, extent.low) = (self.floor, self.floor);
            *self.places.channel_mut(number) = ChannelPlaces::starting(self.floor);
        }
        let expected = extent.next;
        if sequence < expected {
            return Err(Wrong::Place {
                what: "sequence",
                found: sequence,
                expected,
            });
        }
        let seen = std::mem::replace(slot_mut(&mut self.marks, number), mark);
        let is_first = self.places.channel_mut(number).count() == 0;
        let certain = !self.has_gaps && (self.exact || !is_first);
        if sequence > expected {
            if self.has_gaps {
                self.accounted += if seen < self.holes {
                    sequence - expected
                } else {
                    0
                };
            } else {
                self.accounted += sequence - expected;
            }
            if !self.has_gaps || seen < self.holes {
                let lost = Lost {
                    from: expected,
                    next: sequence,
                    certain,
                };
                self.lost.push((number, lost));
            }
        }
        slot_mut(&mut self.extents, number).next = sequence + 1;
        let stats = slot_mut(&mut self.stats, number);
        stats.records += 1;
        let first = stats.sequences.map_or(sequence, |(first, _)| first);
        stats.sequences = Some((first, sequence));
        Ok(())
    }
}
