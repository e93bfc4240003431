//! The scan of one segment: where its records are, how far it takes the channels, and what is damaged.
//!
//! A sequence that damage has taken keeps a place, and that place is the damage: a reader that asks
//! for it is told so, and goes on behind it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tidegate_base::Name;

use crate::disk::DiskFile;
use crate::frame;
use crate::places::{ChannelPlaces, Place, Places};
use crate::record::{Content, RECORD_BYTES_MIN, STATE_NAME, Wrong};
use crate::registry::{Number, Registry, STATE, slot_mut};
use crate::segment::Segment;
use crate::snapshot::{Extent, Snapshot};
use crate::walk::Walk;

/// Bytes of a segment that are not what was written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment's file name.
    pub segment: String,
    /// Where it starts.
    pub byte: u64,
    /// How far it goes: up to the next whole frame, or to the end.
    pub bytes: u64,
    /// What is wrong there.
    pub reason: String,
}

/// Where a segment starts from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base {
    /// How far each channel has come, by number.
    pub(crate) extents: Vec<Extent>,
    pub(crate) cursors: BTreeMap<Name, u64>,
    /// Whether that is known: if not, a channel starts with the first record that is met.
    pub(crate) known: bool,
    /// The first sequence of other channels.
    pub(crate) floor: u64,
}

impl Base {
    /// What `snapshot` says.
    pub(crate) fn of(snapshot: Snapshot, registry: &mut Registry) -> Self {
        let mut base = Self {
            known: true,
            floor: snapshot.floor,
            cursors: snapshot.cursors,
            ..Self::default()
        };
        for (name, extent) in snapshot.channels {
            if let Some(number) = registry.number_or_state(name.as_ref()) {
                *slot_mut(&mut base.extents, number) = extent;
            }
        }
        base
    }
}

/// What lies behind a segment.
#[derive(Clone, Debug)]
pub(crate) enum Behind {
    /// Nothing: it is the last one, and a crash may have torn its end.
    Nothing,
    /// Another segment, which starts there, when that is known.
    Segment(Option<Snapshot>),
}

/// What a scan has found.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub(crate) places: Places,
    pub(crate) extents: Vec<Extent>,
    pub(crate) cursors: BTreeMap<Name, u64>,
    /// The position that comes next.
    pub(crate) position: u64,
    /// One past the last whole frame.
    pub(crate) end: u64,
    /// Bytes that were on the disk for sure, as later frames say.
    pub(crate) synced: u64,
    /// Why what follows the end is no frame: a crash has torn it.
    pub(crate) torn: Option<Wrong>,
    pub(crate) damages: Vec<Damage>,
    /// Positions whose records are lost, as far as no later record of the same channel shows which.
    pub(crate) lost: u64,
}

/// Scans `segment`, which starts from `base`.
pub(crate) fn scan(
    segment: &Segment,
    file: Arc<dyn DiskFile>,
    base: Base,
    behind: Behind,
    registry: &mut Registry,
) -> io::Result<Scanned> {
    let mut walk = Walk::new(file, segment.salt)?;
    let starts = base.extents.iter().map(|extent| extent.next);
    let mut scan = Scan {
        segment,
        registry,
        known: base.known,
        floor: base.floor,
        gap: None,
        found: Scanned {
            places: Places::starting(starts),
            extents: base.extents,
            cursors: base.cursors,
            position: segment.id.position,
            end: segment.frames_at.into(),
            synced: segment.frames_at.into(),
            torn: None,
            damages: Vec::new(),
            lost: 0,
        },
    };
    scan.run(&mut walk, &behind)?;
    if let Behind::Segment(Some(next)) = behind {
        scan.close(&next);
    }
    Ok(scan.found)
}

struct Scan<'a> {
    segment: &'a Segment,
    registry: &'a mut Registry,
    known: bool,
    floor: u64,
    /// Where the last damage starts, and how many records it can have held.
    gap: Option<(u32, u64)>,
    found: Scanned,
}

impl Scan<'_> {
    fn run(&mut self, walk: &mut Walk, behind: &Behind) -> io::Result<()> {
        let mut byte = u64::from(self.segment.frames_at);
        while byte < walk.length() {
            match self.frame(walk, byte)? {
                Ok(size) => {
                    byte += size;
                    self.found.end = byte;
                }
                Err(wrong) => match self.resume(walk, byte, behind)? {
                    Some(next) => {
                        self.damaged(byte, next, &wrong);
                        byte = next;
                        self.found.end = next;
                    }
                    None => {
                        self.found.torn = Some(wrong);
                        return Ok(());
                    }
                },
            }
        }
        Ok(())
    }

    /// Takes in the frame at `byte`. Returns its size.
    fn frame(&mut self, walk: &mut Walk, byte: u64) -> io::Result<Result<u64, Wrong>> {
        let (head, bytes) = match walk.frame(byte)? {
            Ok(frame) => frame,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let decoded = frame::decode(&bytes, self.segment.salt);
        let records = match decoded {
            Ok((_, records)) => records,
            Err(wrong) => return Ok(Err(wrong)),
        };
        // All positions are looked at before any record counts.
        let mut expected = self.found.position;
        if let Some((_, _, first)) = records.first()
            && first.position > expected
            && !self.segment.has_gaps()
            && self.gap.is_none()
        {
            // Whole frames are missing in between: the file was cut and put together again.
            let wrong = Wrong::Place {
                what: "position",
                found: first.position,
                expected,
            };
            self.damaged(byte, byte, &wrong);
            let at = u32::try_from(byte).unwrap_or(u32::MAX);
            self.gap = Some((at, (first.position - expected).min(byte)));
        }
        let gaps = self.segment.has_gaps() || self.gap.is_some();
        for (_, _, entry) in &records {
            if entry.position < expected || (entry.position > expected && !gaps) {
                return Ok(Err(Wrong::Place {
                    what: "position",
                    found: entry.position,
                    expected,
                }));
            }
            expected = entry.position + 1;
        }
        let first = records.first().map_or(expected, |(_, _, e)| e.position);
        if self.gap.is_some() && !self.segment.has_gaps() {
            self.found.lost += first.saturating_sub(self.found.position);
        }
        for (offset, record, entry) in records {
            let at = u32::try_from(byte + offset as u64).unwrap_or(u32::MAX);
            if let Err(wrong) = self.record(entry.content, at, record.len() as u64) {
                return Ok(Err(wrong));
            }
            self.found.position = entry.position + 1;
        }
        self.found.synced = self.found.synced.max(u64::from(head.synced).min(byte));
        Ok(Ok(bytes.len() as u64))
    }

    fn record(&mut self, content: Content<'_>, byte: u32, bytes: u64) -> Result<(), Wrong> {
        match content {
            Content::Channel {
                name,
                sequence,
                time,
                ..
            } => {
                let number = self.number(name)?;
                self.numbered(number, sequence)?;
                let places = self.found.places.channel_mut(number);
                places.push(Place { sequence, byte }, time, bytes);
            }
            Content::State {
                sequence, replaces, ..
            } => {
                self.numbered(STATE, sequence)?;
                let places = self.found.places.channel_mut(STATE);
                places.push(Place { sequence, byte }, 0, bytes);
                if replaces {
                    slot_mut(&mut self.found.extents, STATE).low = sequence;
                }
            }
            Content::Cursor { name, value } => {
                let name = Name::new(name).map_err(|_| Wrong::Content("cursor name"))?;
                self.found.cursors.insert(name, value);
            }
            Content::Trim { name, first } => {
                let number = match name {
                    STATE_NAME => STATE,
                    name => self.number(name)?,
                };
                let extent = slot_mut(&mut self.found.extents, number);
                extent.low = extent.low.max(first.min(extent.next));
            }
        }
        Ok(())
    }

    fn number(&mut self, name: &str) -> Result<Number, Wrong> {
        if let Some(number) = self.registry.find(name) {
            return Ok(number);
        }
        let wrong = Wrong::Content("channel name");
        let name = Name::new(name).map_err(|_| Wrong::Content("channel name"))?;
        self.registry.number(&name).ok_or(wrong)
    }

    /// Takes `sequence` as the next one of a channel. Those that damage has taken get its place.
    fn numbered(&mut self, number: Number, sequence: u64) -> Result<(), Wrong> {
        let extent = slot_mut(&mut self.found.extents, number);
        if self.known && extent.next == 0 && self.floor > 0 && sequence >= self.floor {
            // It starts there, so that no sequence is given twice.
            (extent.next, extent.low) = (self.floor, self.floor);
            *self.found.places.channel_mut(number) = ChannelPlaces::starting(self.floor);
        }
        let expected = extent.next;
        let is_first = !self.known && self.found.places.channel_mut(number).count() == 0;
        if is_first {
            let places = self.found.places.channel_mut(number);
            *places = ChannelPlaces::starting(sequence);
        } else if sequence != expected {
            let jump = sequence.checked_sub(expected);
            let most = self.gap.map_or(0, |(_, records)| records);
            let jump = jump.filter(|jump| self.segment.has_gaps() || *jump <= most);
            let Some(jump) = jump else {
                return Err(Wrong::Place {
                    what: "sequence",
                    found: sequence,
                    expected,
                });
            };
            self.lose(number, expected, jump);
            self.found.lost = self.found.lost.saturating_sub(jump);
        }
        slot_mut(&mut self.found.extents, number).next = sequence + 1;
        Ok(())
    }

    /// Gives `count` lost sequences their place: where the damage is. Where gaps are right, the first
    /// one stands for all.
    fn lose(&mut self, number: Number, from: u64, count: u64) {
        let Some((byte, _)) = self.gap else {
            return;
        };
        let count = if self.segment.has_gaps() { 1 } else { count };
        let places = self.found.places.channel_mut(number);
        for sequence in (from..).take(usize::try_from(count).unwrap_or(usize::MAX)) {
            places.push(Place { sequence, byte }, 0, 0);
        }
    }

    /// Where to go on behind what is wrong at `byte`; `None` when it is the torn end of the log.
    fn resume(&mut self, walk: &mut Walk, byte: u64, behind: &Behind) -> io::Result<Option<u64>> {
        let next = walk.next_whole(byte)?;
        if matches!(behind, Behind::Segment(_)) {
            return Ok(Some(next.unwrap_or(walk.length())));
        }
        let mut at = next;
        while let Some(later) = at {
            let Ok((head, bytes)) = walk.frame(later)? else {
                break;
            };
            if u64::from(head.synced) > byte {
                return Ok(next);
            }
            let after = later + bytes.len() as u64;
            let whole = match walk.frame(after)? {
                Ok((_, bytes)) => frame::decode(&bytes, self.segment.salt).is_ok(),
                Err(_) => false,
            };
            at = match whole {
                true => Some(after),
                false => walk.next_whole(after)?,
            };
        }
        Ok(None)
    }

    fn damaged(&mut self, byte: u64, next: u64, wrong: &Wrong) {
        let at = u32::try_from(byte).unwrap_or(u32::MAX);
        let before = self.gap.map_or(0, |(_, records)| records);
        let records = (next - byte) / RECORD_BYTES_MIN;
        self.gap = Some((at, before + records));
        // Damage next to damage is one.
        if let Some(last) = self.found.damages.last_mut()
            && last.byte + last.bytes == byte
        {
            last.bytes = next - last.byte;
            return;
        }
        if self.found.damages.len() < DAMAGES_MAX {
            self.found.damages.push(Damage {
                segment: self.segment.name.clone(),
                byte,
                bytes: next - byte,
                reason: wrong.to_string(),
            });
        }
    }

    /// Takes every channel as far as the next segment says.
    fn close(&mut self, next: &Snapshot) {
        for (name, extent) in &next.channels {
            let Some(number) = self.registry.number_or_state(name.as_ref()) else {
                continue;
            };
            let found = slot_mut(&mut self.found.extents, number);
            let from = found.next.max(extent.low.min(extent.next));
            let missing = extent.next.saturating_sub(from);
            found.next = found.next.max(extent.next);
            let most = self.gap.map_or(0, |(_, records)| records);
            if missing > 0 && missing <= most {
                self.lose(number, from, missing);
            }
            let places = self.found.places.channel_mut(number);
            places.next = places.next.max(extent.next);
        }
    }
}

/// Most damages of one segment that are listed.
const DAMAGES_MAX: usize = 1_000;
