//! A full reading of a log: what each segment holds and how it fits to those beside it.
//!
//! Every segment starts with a snapshot of how far the channels are, so what lies between two segments,
//! and what damage has taken at the end of one, is seen by the next snapshot.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tidegate_base::Name;

use super::inventory::{Inventory, Member, damage};
use super::pieces::{self, Met, Pieces};
use super::tally::{Stats, Tally};
use super::verify;
use super::{ChannelReport, IndexState, InspectError, Lost, Progress, Report, SegmentReport, Torn};
use crate::disk::DiskFile;
use crate::files::Files;
use crate::record::RECORD_BYTES_MIN;
use crate::recovery;
use crate::registry::{Number, Registry, slot, slot_mut};
use crate::scan::{self, Base, Behind};
use crate::segment::{SNAPSHOT_AT, Segment};
use crate::snapshot::{Extent, Snapshot};
use crate::walk::Walk;

/// What a full reading has found.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) report: Report,
    pub(crate) inventory: Inventory,
    /// Segments to be written anew, by their place in the inventory: with the snapshot that each gets.
    pub(crate) broken: BTreeMap<usize, Snapshot>,
    /// Places where segments are absent.
    pub(crate) gaps: Vec<Gap>,
    /// What comes behind all.
    pub(crate) end: End,
}

/// A place where records are absent, and no segment says that they may be.
#[derive(Debug)]
pub(crate) struct Gap {
    /// Position of the first absent record.
    pub(crate) position: u64,
    /// Position of the first record behind them.
    pub(crate) end: u64,
    /// How far all is before it.
    pub(crate) snapshot: Snapshot,
}

/// What comes behind all segments.
#[derive(Debug)]
pub(crate) struct End {
    /// The next position, as far as is known.
    pub(crate) position: u64,
    /// How far all is.
    pub(crate) snapshot: Snapshot,
    /// Most sequences of each channel that may be taken without a trace.
    pub(crate) unknown: u64,
    /// What the last segment that can be read starts from.
    pub(crate) base: Snapshot,
}

/// Reads all of the log of `files`, whose files these are.
pub(crate) fn survey(
    files: &Files,
    inventory: Inventory,
    progress: &mut dyn FnMut(Progress),
) -> Result<Survey, InspectError> {
    let bytes_total = inventory.members.iter().map(|member| member.bytes).sum();
    let mut surveyor = Surveyor {
        files,
        progress,
        done: Progress {
            bytes: 0,
            bytes_total,
        },
        carry: Carry::default(),
        report: Report::default(),
        broken: BTreeMap::new(),
        gaps: Vec::new(),
        base: Snapshot::default(),
        last_end: None,
    };
    surveyor.lows(&inventory)?;
    for at in 0..inventory.members.len() {
        surveyor.member(&inventory, at)?;
    }
    Ok(surveyor.finish(inventory))
}

/// How far the segments up to here have come.
#[derive(Default)]
struct Carry {
    registry: Registry,
    /// The latest of every channel, by number.
    lows: Vec<u64>,
    extents: Vec<Extent>,
    cursors: BTreeMap<Name, u64>,
    /// The first sequence of a channel that has none yet.
    floor: u64,
    position: u64,
    /// The segment before, by its place in the inventory, when it can be read.
    before: Option<usize>,
    /// Whether the segment before may lack what lies between it and the next one.
    covers: bool,
    /// Holes in the segment before, and how many of them each channel has seen.
    holes: u32,
    marks: Vec<u32>,
    /// Most sequences of each channel that may be taken without a trace.
    unknown: u64,
    /// Most records that are lost at the end of what is before.
    tail_missing: u64,
    missing: u64,
    accounted: u64,
    stats: Vec<Stats>,
    lost: Vec<Vec<Lost>>,
}

impl Carry {
    fn low(&self, number: Number) -> u64 {
        self.lows.get(slot(number)).copied().unwrap_or(0)
    }

    fn next(&self, number: Number) -> u64 {
        self.extents
            .get(slot(number))
            .map_or(0, |extent| extent.next)
    }

    fn raise_low(&mut self, number: Number, low: u64) {
        let held = slot_mut(&mut self.lows, number);
        *held = low.max(*held);
    }

    /// Notes that sequences are lost, but for those that retention has passed. Returns whether any is.
    fn lose(&mut self, number: Number, lost: Lost) -> bool {
        let from = lost.from.max(self.low(number));
        if from >= lost.next {
            return false;
        }
        let list = slot_mut(&mut self.lost, number);
        match list.last_mut() {
            Some(last) if last.next == from && last.certain == lost.certain => {
                last.next = lost.next;
            }
            _ => list.push(Lost { from, ..lost }),
        }
        true
    }

    /// All channels as they are now.
    fn snapshot(&self) -> Snapshot {
        snapshot_of(&self.registry, &self.extents, &self.cursors, self.floor)
    }
}

fn snapshot_of(
    registry: &Registry,
    extents: &[Extent],
    cursors: &BTreeMap<Name, u64>,
    floor: u64,
) -> Snapshot {
    let channels = registry.numbers().filter_map(|number| {
        let extent = *extents.get(slot(number))?;
        (extent.next > 0).then(|| (registry.name(number).cloned(), extent))
    });
    Snapshot {
        channels: channels.collect(),
        cursors: cursors.clone(),
        floor,
    }
}

struct Surveyor<'a> {
    files: &'a Files,
    progress: &'a mut dyn FnMut(Progress),
    done: Progress,
    carry: Carry,
    report: Report,
    broken: BTreeMap<usize, Snapshot>,
    gaps: Vec<Gap>,
    /// What the segment that was read last starts from.
    base: Snapshot,
    /// Where the last segment ends.
    last_end: Option<u64>,
}

impl Surveyor<'_> {
    /// Finds how far retention has passed each channel: the latest word counts, so it comes first. With
    /// it, finds where the last segment ends.
    fn lows(&mut self, inventory: &Inventory) -> Result<(), InspectError> {
        let last = inventory.members.len().saturating_sub(1);
        for (at, member) in inventory.members.iter().enumerate() {
            let Some(segment) = &member.segment else {
                continue;
            };
            let read = |error| InspectError::io("read", &segment.name)(error);
            let file = self.files.get(&segment.name).map_err(read)?;
            let snapshot = recovery::snapshot(file.as_ref(), segment).map_err(read)?;
            if at == last {
                let end = self.torn(&file, segment, snapshot.clone()).map_err(read)?;
                self.last_end = Some(end);
            }
            for (name, extent) in snapshot.unwrap_or_default().channels {
                let number = self.carry.registry.number_or_state(name.as_ref());
                if let Some(number) = number {
                    self.carry.raise_low(number, extent.low);
                }
            }
        }
        Ok(())
    }

    fn member(&mut self, inventory: &Inventory, at: usize) -> Result<(), InspectError> {
        let Some(member) = inventory.members.get(at) else {
            return Ok(());
        };
        let next = inventory.members.get(at + 1);
        match &member.segment {
            Some(segment) => {
                let read = |error| InspectError::io("read", &segment.name)(error);
                self.segment(at, member, segment, next).map_err(read)
            }
            None => {
                self.unusable(member, next);
                Ok(())
            }
        }
    }

    fn unusable(&mut self, member: &Member, next: Option<&Member>) {
        let position = member.id.position;
        let most = member.bytes / RECORD_BYTES_MIN;
        let between = next.map_or(u64::MAX, |next| next.id.position - position);
        self.carry.tail_missing += most.min(between);
        self.carry.unknown += most;
        self.advance(member.bytes);
        self.report.segments.push(SegmentReport {
            name: member.id.name(),
            position,
            next_position: position,
            bytes: member.bytes,
            frames: 0,
            records: 0,
            rewritten: false,
            damages: member.damages.clone(),
            index: IndexState::Unknown,
        });
    }

    fn advance(&mut self, bytes: u64) {
        self.done.bytes += bytes;
        (self.progress)(self.done);
    }

    fn segment(
        &mut self,
        at: usize,
        member: &Member,
        segment: &Arc<Segment>,
        next: Option<&Member>,
    ) -> io::Result<()> {
        let file = self.files.get(&segment.name)?;
        let mut damages = member.damages.clone();
        let stored = recovery::snapshot(file.as_ref(), segment)?;
        let limit = match self.last_end.filter(|_| next.is_none()) {
            Some(end) => end,
            None => file.length()?,
        };
        let stored = stored.ok_or_else(|| SNAPSHOT.to_owned());
        let stored = stored.and_then(|stored| self.conflict(&stored).map_or(Ok(stored), Err));
        let mut exact = true;
        let base = match stored {
            Ok(snapshot) => {
                self.start(at, segment, &snapshot);
                Base::of(snapshot, &mut self.carry.registry)
            }
            Err(reason) => {
                let bytes = u64::from(segment.frames_at).saturating_sub(SNAPSHOT_AT as u64);
                damages.push(damage(&segment.name, SNAPSHOT_AT as u64, bytes, &reason));
                let carry = &mut self.carry;
                let between = segment.id.position.saturating_sub(carry.position);
                exact = carry.before.is_some() && !carry.covers && between == 0 && carry.holes == 0;
                carry.unknown += between;
                Base {
                    extents: carry.extents.clone(),
                    cursors: carry.cursors.clone(),
                    known: exact,
                    floor: carry.floor,
                }
            }
        };
        self.carry.floor = self.carry.floor.max(base.floor);
        let floor = self.carry.floor;
        let snapshot = snapshot_of(&self.carry.registry, &base.extents, &base.cursors, floor);
        let tally = self.tally(file, segment, (base, exact), limit, next)?;
        self.advance(member.bytes);
        damages.extend(tally.damages.iter().cloned());
        if !damages.is_empty() {
            self.broken.entry(at).or_insert_with(|| snapshot.clone());
        }
        self.base = snapshot;
        let places = Some(&tally.places).filter(|_| damages.is_empty());
        let index = match next {
            Some(_) => {
                let registry = &self.carry.registry;
                verify::index_state(self.files, segment, member.bytes, places, registry)?
            }
            None => IndexState::NotNeeded,
        };
        self.report.segments.push(SegmentReport {
            name: segment.name.clone(),
            position: segment.id.position,
            next_position: tally.position,
            bytes: member.bytes,
            frames: tally.frames,
            records: tally.records,
            rewritten: segment.has_gaps(),
            damages,
            index,
        });
        self.close(at, segment, next, tally);
        Ok(())
    }

    /// Where the last segment ends, as opening sees it.
    fn torn(
        &mut self,
        file: &Arc<dyn DiskFile>,
        segment: &Segment,
        stored: Option<Snapshot>,
    ) -> io::Result<u64> {
        let registry = &mut self.carry.registry;
        let base = stored.map_or_else(Base::default, |stored| Base::of(stored, registry));
        let found = scan::scan(segment, Arc::clone(file), base, Behind::Nothing, registry)?;
        for (number, extent) in (0..).zip(&found.extents) {
            self.carry.raise_low(number, extent.low);
        }
        let end = pieces::last_end(file, segment, found.end)?;
        if let Some(wrong) = found.torn {
            let bytes = Walk::new(Arc::clone(file), segment.salt)?.content_bytes(end)?;
            if bytes > 0 {
                self.report.torn = Some(Torn {
                    segment: segment.name.clone(),
                    byte: end,
                    bytes,
                    reason: wrong.to_string(),
                });
            }
        }
        Ok(end)
    }

    /// Why `snapshot` cannot be what the segment started from.
    fn conflict(&mut self, snapshot: &Snapshot) -> Option<String> {
        let mut starts = Vec::new();
        for (name, extent) in &snapshot.channels {
            let number = self.carry.registry.number_or_state(name.as_ref())?;
            *slot_mut(&mut starts, number) = extent.next;
        }
        let behind = |(number, extent): (Number, &Extent)| {
            let start = starts.get(slot(number)).copied().unwrap_or(0);
            (start < extent.next).then_some((number, start, extent.next))
        };
        let (number, start, next) = (0..).zip(&self.carry.extents).find_map(behind)?;
        let channel = match self.carry.registry.name(number) {
            Some(name) => format!("`{name}`"),
            None => "the state".to_owned(),
        };
        Some(format!(
            "its snapshot starts {channel} at {start}, expected {next}"
        ))
    }

    /// Looks at what lies between the segment before and this one, which starts from `snapshot`.
    fn start(&mut self, at: usize, segment: &Segment, snapshot: &Snapshot) {
        let carry = &mut self.carry;
        let mut is_gap = false;
        for (name, extent) in &snapshot.channels {
            let Some(number) = carry.registry.number_or_state(name.as_ref()) else {
                continue;
            };
            let (from, next) = (carry.next(number), extent.next);
            if next <= from {
                continue;
            }
            if carry.tail_missing > 0 {
                carry.accounted += next - from;
            }
            let seen = carry.marks.get(slot(number)).copied().unwrap_or(0);
            let certain = !carry.covers;
            if certain || seen < carry.holes {
                let lost = carry.lose(
                    number,
                    Lost {
                        from,
                        next,
                        certain,
                    },
                );
                is_gap |= lost && certain;
            }
        }
        carry.unknown = 0;
        let is_covered = carry
            .before
            .is_some_and(|before| self.broken.contains_key(&before));
        if !is_gap || is_covered {
            return;
        }
        let position = carry.position;
        let before = carry
            .before
            .and_then(|before| self.report.segments.get(before));
        let is_taken = before.is_some_and(|before| before.position == position);
        let has_room = !is_taken && position < segment.id.position;
        match carry.before {
            _ if has_room => self.gaps.push(Gap {
                position,
                end: segment.id.position,
                snapshot: carry.snapshot(),
            }),
            // There is no place for a segment between the two.
            Some(before) => {
                self.broken.insert(before, self.base.clone());
            }
            None => {
                self.broken.insert(at, Snapshot::default());
            }
        }
    }

    fn tally(
        &mut self,
        file: Arc<dyn DiskFile>,
        segment: &Segment,
        (base, exact): (Base, bool),
        limit: u64,
        next: Option<&Member>,
    ) -> io::Result<Tally> {
        let mut pieces = Pieces::new(file, segment, next.map(|next| next.id.position))?;
        let mut all = Vec::new();
        let mut tally = Tally::new(segment, &base, exact);
        let (mut is_ordered, mut expected) = (true, 0);
        let start = self.done.bytes;
        let each: &mut dyn FnMut(Met<'_>) -> io::Result<()> = &mut |met| {
            match met {
                Met::Piece(piece, bytes) => {
                    if piece.position < expected {
                        is_ordered = false;
                        tally.misplaced(&piece, expected);
                    } else if is_ordered {
                        tally.piece(&piece, bytes, &mut self.carry.registry);
                    }
                    expected = expected.max(piece.next);
                    all.push(piece);
                    self.done.bytes = start + piece.byte + piece.size as u64;
                    (self.progress)(self.done);
                }
                Met::Hole(hole) => tally.hole(hole.byte, hole.end, &hole.wrong),
            }
            Ok(())
        };
        pieces.each(limit, each)?;
        if !is_ordered {
            let damages = std::mem::take(&mut tally.damages);
            let frames = tally.frames;
            tally = Tally::new(segment, &base, exact);
            for piece in pieces::in_order(all) {
                let bytes = pieces.again(&piece)?;
                tally.piece(&piece, &bytes, &mut self.carry.registry);
            }
            (tally.damages, tally.frames) = (damages, frames);
            tally.holes = tally.holes.max(1);
        }
        self.done.bytes = start;
        Ok(tally)
    }

    /// Takes over what a segment holds.
    fn close(&mut self, at: usize, segment: &Segment, next: Option<&Member>, mut tally: Tally) {
        let carry = &mut self.carry;
        let between = next.map_or(u64::MAX, |next| {
            next.id.position.saturating_sub(tally.position)
        });
        carry.tail_missing = (tally.since / RECORD_BYTES_MIN).min(between);
        carry.missing += tally.missing;
        carry.accounted += tally.accounted;
        carry.unknown += tally.missing + tally.since / RECORD_BYTES_MIN;
        for (number, lost) in std::mem::take(&mut tally.lost) {
            carry.lose(number, lost);
        }
        for (number, stats) in (0..).zip(&tally.stats) {
            let held = slot_mut(&mut carry.stats, number);
            held.records += stats.records;
            held.sequences = match (held.sequences, stats.sequences) {
                (Some((first, _)), Some((_, last))) => Some((first, last)),
                (one, other) => one.or(other),
            };
        }
        carry.covers = segment.has_gaps();
        let is_before = |next: &Member| segment.end < next.id.position;
        if carry.covers && next.is_some_and(is_before) {
            // Its index says how far it goes; one that is made again goes up to the next segment.
            let listed = verify::listed(self.files, segment);
            carry.covers = listed.is_none();
            for (name, next) in listed.unwrap_or_default() {
                if let Some(number) = carry.registry.number_or_state(name.as_ref()) {
                    let extent = slot_mut(&mut tally.extents, number);
                    extent.next = extent.next.max(next);
                }
            }
        }
        carry.position = tally.position.max(segment.end);
        carry.extents = tally.extents;
        carry.cursors = tally.cursors;
        carry.holes = tally.holes;
        carry.marks = tally.marks;
        carry.before = Some(at);
    }

    fn finish(self, inventory: Inventory) -> Survey {
        let Self {
            mut carry,
            mut report,
            broken,
            gaps,
            base,
            ..
        } = self;
        let missing = carry.missing + carry.tail_missing;
        report.lost_unseen = missing.saturating_sub(carry.accounted);
        report.first_version = inventory.first_version;
        report.leftovers.clone_from(&inventory.leftovers);
        for number in carry.registry.numbers() {
            let stats = slot_mut(&mut carry.stats, number);
            if stats.records == 0 && carry.extents.get(slot(number)).is_none_or(|e| e.next == 0) {
                continue;
            }
            report.channels.push(ChannelReport {
                channel: carry.registry.name(number).cloned(),
                records: stats.records,
                sequences: stats.sequences,
                low: carry.lows.get(slot(number)).copied().unwrap_or(0),
                lost: std::mem::take(slot_mut(&mut carry.lost, number)),
            });
        }
        report
            .channels
            .sort_by(|one, other| one.channel.cmp(&other.channel));
        let end = End {
            position: carry.position,
            snapshot: carry.snapshot(),
            unknown: carry.unknown,
            base,
        };
        Survey {
            report,
            inventory,
            broken,
            gaps,
            end,
        }
    }
}

/// What is said of a damaged snapshot.
pub(crate) const SNAPSHOT: &str = "its snapshot of channels and cursors is not what was written";
