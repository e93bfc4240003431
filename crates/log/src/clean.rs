//! Cleaning: what retention has passed is noted, then closed segments are removed or written anew.
//!
//! A segment that is needed for nothing goes as a whole. One that is needed for less than a half is
//! written anew with what is needed, together with small neighbours, under the name of the first and a
//! higher generation; only once that is durable do the old ones go. A crash in between leaves both, and
//! the next open removes what is replaced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use tidegate_base::{Name, Timestamp};

use crate::directories::{self, Directory};
use crate::frame::FRAME_HEAD_BYTES;
use crate::housekeeping::Indexer;
use crate::index_file::Listed;
use crate::keys::Superseded;
use crate::mutant::{self, Mutant};
use crate::queue::{Job, Queue, Work};
use crate::read;
use crate::record::named_bytes;
use crate::recovery::remove_if_there;
use crate::registry::{Number, STATE, slot, slot_mut};
use crate::rewrite::{self, Rewritten};
use crate::shared::{Closed, Shared};
use crate::snapshot::Extent;
use crate::{
    AppendError, CleanError, Cleaned, Durability, History, Keep, ReadError, SEGMENT_BYTES_MAX,
};

/// The segment that is written is closed early when this part of a full one is needed no more.
const ACTIVE_PASSED: u64 = 64;
/// Small segments side by side that are worth being written into one.
const SMALL_RUN: usize = 4;

/// Up to which sequence each channel was last compacted by key.
pub(crate) type Compacted = BTreeMap<Number, u64>;

/// Cleans a log once.
pub(crate) struct Cleaner<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) queue: &'a Queue,
    pub(crate) indexer: &'a Indexer,
    pub(crate) segment_bytes: u64,
}

/// What is needed, as of the start of a clean.
pub(crate) struct Needs {
    keeps: BTreeMap<Number, Arc<Keep>>,
    lows: Vec<u64>,
    superseded: BTreeMap<Number, Superseded>,
}

impl Needs {
    /// The first sequence that is needed in a channel, but for pinned ones before it.
    fn low(&self, number: Number) -> u64 {
        match number == STATE || self.keeps.contains_key(&number) {
            true => self.lows.get(number as usize).copied().unwrap_or(0),
            // Nobody has said yet what is pinned there.
            false => 0,
        }
    }

    /// Whether readers see a record unless compaction by key removes it.
    pub(crate) fn is_seen(&self, number: Number, sequence: u64) -> bool {
        number != STATE && sequence >= self.low(number)
    }

    /// Whether a record is needed.
    pub(crate) fn is_needed(&self, number: Number, sequence: u64, key: Option<&str>) -> bool {
        let Some(keep) = self.keeps.get(&number) else {
            return sequence >= self.low(number);
        };
        if sequence < self.low(number) {
            return keep.is_pinned(sequence);
        }
        let newer = |key| {
            let superseded = self.superseded.get(&number);
            superseded.is_some_and(|superseded| superseded.has_newer(key, sequence))
        };
        keep.is_needed(sequence) || !key.is_some_and(newer)
    }

    /// Bytes of the listed records that have no newer one of their key, about.
    fn latest_bytes(&self, number: Number, listed: &Listed, segment: u64) -> u64 {
        let of_keys = self.superseded.get(&number);
        let dead = of_keys.map_or(0, |superseded| superseded.dead_bytes(segment));
        listed.bytes.saturating_sub(dead).max(1)
    }

    /// Whether nothing of the listed records is needed, as far as that is seen without looking at them.
    fn is_passed(&self, number: Number, listed: &Listed) -> bool {
        let pinned = self.keeps.get(&number).is_some_and(|keep| {
            let first = keep.pinned.partition_point(|pinned| *pinned < listed.start);
            keep.pinned
                .get(first)
                .is_some_and(|pinned| *pinned < listed.next)
        });
        self.low(number) >= listed.next && !pinned
    }
}

/// What becomes of a closed segment.
struct Verdict {
    closed: Closed,
    needed_bytes: u64,
    record_bytes: u64,
}

impl Verdict {
    fn is_mostly_free(&self) -> bool {
        self.needed_bytes <= self.record_bytes / 2
    }
}

impl Cleaner<'_> {
    /// Cleans; `step` writes what waits when nobody else does.
    pub(crate) fn clean(
        &self,
        now: Timestamp,
        compacted: &mut Compacted,
        step: impl Fn() -> bool,
    ) -> Result<Cleaned, CleanError> {
        let index = |source| CleanError::Io {
            segment: "index".to_owned(),
            source,
        };
        self.indexer.make_all(self.shared).map_err(index)?;
        let mut cleaned = Cleaned::default();
        let keeps = self.shared.keeps();
        let lows = self.new_lows(now, &keeps).map_err(CleanError::Read)?;
        cleaned.records = lows.iter().map(|low| low.records).sum();
        // Only what is durable may make anything else go: what is visible now is, once that is noted.
        let mut extents = self.shared.visible().extents.clone();
        if !mutant::is(Mutant::RemovedTooEarly) {
            self.note(&lows, &step)?;
        }
        for low in &lows {
            slot_mut(&mut extents, low.number).low = low.low;
        }
        if self.is_worth_closing(&extents) {
            self.wait_for(Work::Roll, 0, &step)?;
            self.indexer.make_all(self.shared).map_err(index)?;
        }
        self.sweep(&keeps, &extents, compacted, &mut cleaned)?;
        if mutant::is(Mutant::RemovedTooEarly) {
            self.note(&lows, &step)?;
        }
        Ok(cleaned)
    }

    /// How far retention has passed each channel, where that is farther than it was.
    fn new_lows(
        &self,
        now: Timestamp,
        keeps: &BTreeMap<Number, Arc<Keep>>,
    ) -> Result<Vec<NewLow>, ReadError> {
        let mut lows = Vec::new();
        for (number, keep) in keeps {
            let extent = self.shared.visible().extent(*number);
            let Some(channel) = self.shared.registry().name(*number).cloned() else {
                continue;
            };
            let mut low = extent.low;
            if let Some(age) = keep.age {
                let oldest = (now - age).nanos();
                low = low.max(match read::at_time(self.shared, &channel, oldest) {
                    // All before it is older. How old it is is not known: it stays until all around
                    // it is older.
                    Err(ReadError::Damaged { sequence, .. } | ReadError::Lost { sequence, .. }) => {
                        sequence
                    }
                    found => found?,
                });
            }
            if let Some(bytes) = keep.bytes {
                low = low.max(self.low_by_size(*number, bytes)?);
            }
            let needed_from = match mutant::is(Mutant::NeededRemoved) {
                true => u64::MAX,
                false => keep.needed_from,
            };
            let low = low.min(needed_from).min(extent.next);
            if low > extent.low {
                let passed = extent.low..low;
                let records = read::count(self.shared, &channel, passed, keep)?;
                lows.push(NewLow {
                    number: *number,
                    channel,
                    low,
                    records,
                });
            }
        }
        Ok(lows)
    }

    /// The start of the segment up to which, from the tail back, there are at least that many bytes.
    fn low_by_size(&self, number: Number, bytes_min: u64) -> Result<u64, ReadError> {
        let closed = self.indexed();
        let in_memory = {
            let visible = self.shared.visible();
            let sealed = visible.sealed.iter().rev().map(|sealed| &*sealed.places);
            let places = std::iter::once(&visible.places).chain(sealed);
            let channels = places.filter_map(|places| places.channel(number));
            channels.map(|c| (c.start, c.bytes)).collect::<Vec<_>>()
        };
        let mut bytes = 0;
        for (start, more) in in_memory {
            bytes += more;
            if bytes >= bytes_min {
                return Ok(start);
            }
        }
        for closed in closed.iter().rev() {
            let directory = self.directory(closed)?;
            if let Some(listed) = directory.channel(number) {
                bytes += listed.bytes;
                if bytes >= bytes_min {
                    return Ok(listed.start);
                }
            }
        }
        Ok(0)
    }

    fn directory(&self, closed: &Closed) -> Result<Arc<Directory>, ReadError> {
        directories::of(self.shared, closed).map_err(|error| unreadable(closed, &error))
    }

    /// Returns once everything that waited is written or refused.
    pub(crate) fn settle(&self, step: impl Fn() -> bool) -> Result<(), CleanError> {
        self.note(&[], &step)
    }

    /// Notes how far retention has passed. Returns once that and all that was visible is durable.
    fn note(&self, lows: &[NewLow], step: &impl Fn() -> bool) -> Result<(), CleanError> {
        let names = lows.iter().map(|low| named_bytes(low.channel.as_str()));
        let frame_bytes = match lows.is_empty() {
            true => 0,
            false => FRAME_HEAD_BYTES + names.sum::<usize>(),
        };
        let trim = |low: &NewLow| (low.number, low.channel.clone(), low.low);
        let lows: Vec<_> = lows.iter().map(trim).collect();
        self.wait_for(Work::Trim(&lows), frame_bytes, step)
    }

    /// Whether so much of the segment that is written is needed no more that it is worth a new one.
    fn is_worth_closing(&self, extents: &[Extent]) -> bool {
        let visible = self.shared.visible();
        let (mut bytes, mut passed_bytes) = (0, 0);
        for (number, channel) in visible.places.channels() {
            let low = extents.get(number as usize).map_or(0, |extent| extent.low);
            let span = channel.next - channel.start;
            let passed = low.min(channel.next).saturating_sub(channel.start);
            bytes += channel.bytes;
            passed_bytes += match passed == span {
                true => channel.bytes,
                false => (channel.bytes / span).saturating_mul(passed),
            };
        }
        passed_bytes.saturating_mul(2) > bytes && passed_bytes > self.segment_bytes / ACTIVE_PASSED
    }

    /// Queues what is to be written. Returns once it is durable.
    fn wait_for(
        &self,
        work: Work<'_>,
        frame_bytes: usize,
        step: &impl Fn() -> bool,
    ) -> Result<(), CleanError> {
        let (sender, done) = sync_channel(1);
        self.queue.push(Job {
            work,
            frame_bytes,
            durability: Durability::Durable,
            // Whoever waits for it is still there.
            done: Box::new(move |result| drop(sender.send(result))),
        });
        while step() {}
        match done.recv() {
            Ok(result) => result.map(drop).map_err(CleanError::Append),
            // The writer has ended in a panic: nothing is known to be durable.
            Err(_) => Err(CleanError::Append(AppendError::Stopped {
                reason: "the writer has ended".to_owned(),
            })),
        }
    }

    /// Removes and writes anew what the needs allow.
    fn sweep(
        &self,
        keeps: &BTreeMap<Number, Arc<Keep>>,
        extents: &[Extent],
        compacted: &mut Compacted,
        cleaned: &mut Cleaned,
    ) -> Result<(), CleanError> {
        let closed = self.indexed();
        let mut needs = Needs {
            keeps: keeps.clone(),
            lows: extents.iter().map(|extent| extent.low).collect(),
            superseded: BTreeMap::new(),
        };
        for (number, keep) in keeps {
            if keep.history == History::LatestPerKey {
                let low = needs.low(*number);
                let found = self.superseded(*number, keep, low, &closed, compacted);
                if let Some(found) = found.map_err(CleanError::Read)? {
                    needs.superseded.insert(*number, found);
                }
            }
        }
        let judge = |closed: &Closed| self.judge(closed, &needs);
        let verdicts: Result<Vec<_>, _> = closed.iter().map(judge).collect();
        let verdicts = verdicts.map_err(CleanError::Read)?;
        // What goes as a whole goes first: it makes room for what is written anew.
        for verdict in verdicts.iter().filter(|verdict| verdict.needed_bytes == 0) {
            self.remove(&verdict.closed, cleaned)?;
        }
        let mut run = Vec::new();
        for verdict in verdicts {
            if verdict.needed_bytes == 0 {
                self.rewrite(&mut run, &needs, cleaned)?;
            } else if self.joins(&run, &verdict, &needs)? {
                run.push(verdict);
            } else {
                self.rewrite(&mut run, &needs, cleaned)?;
                if self.is_candidate(&verdict) {
                    run.push(verdict);
                }
            }
        }
        self.rewrite(&mut run, &needs, cleaned)
    }

    /// The closed segments whose index is on the disk: one that was closed this moment waits for the next
    /// clean.
    fn indexed(&self) -> Vec<Closed> {
        let visible = self.shared.visible();
        let waits = |closed: &&Closed| visible.sealed.iter().any(|s| s.closed == **closed);
        let first = visible.closed.iter().position(|closed| waits(&closed));
        let count = first.unwrap_or(visible.closed.len());
        visible.closed.iter().take(count).cloned().collect()
    }

    fn superseded(
        &self,
        number: Number,
        keep: &Keep,
        low: u64,
        closed: &[Closed],
        compacted: &mut Compacted,
    ) -> Result<Option<Superseded>, ReadError> {
        let Some(channel) = self.shared.registry().name(number).cloned() else {
            return Ok(None);
        };
        let end = match closed.last() {
            Some(last) => self.directory(last)?.channel(number).map_or(0, |l| l.next),
            None => 0,
        };
        let before = compacted.get(&number).copied().unwrap_or(low);
        // Half as much again as was compacted before: each record is copied a bounded number of times.
        if end <= before || (end - before).saturating_mul(2) < before.saturating_sub(low) {
            return Ok(None);
        }
        let mut found = Superseded::default();
        for closed in closed.iter().rev() {
            let directory = self.directory(closed)?;
            let Some(listed) = directory.channel(number).filter(|l| l.count > 0) else {
                continue;
            };
            if listed.next <= low {
                break;
            }
            let range = listed.start.max(low)..listed.next;
            let segment = closed.segment.id.position;
            found.add(self.shared, &channel, segment, range, |s| keep.is_needed(s))?;
        }
        compacted.insert(number, end);
        Ok(Some(found))
    }

    fn judge(&self, closed: &Closed, needs: &Needs) -> Result<Verdict, ReadError> {
        let directory = self.directory(closed)?;
        let mut verdict = Verdict {
            closed: closed.clone(),
            needed_bytes: 0,
            record_bytes: 0,
        };
        for (number, listed) in directory.channels() {
            verdict.needed_bytes += self.needed_bytes(closed, *number, listed, needs)?;
            verdict.record_bytes += listed.bytes;
        }
        Ok(verdict)
    }

    /// Bytes of the listed records that are needed, about; 0 only when the segment may go for them.
    fn needed_bytes(
        &self,
        closed: &Closed,
        number: Number,
        listed: &Listed,
        needs: &Needs,
    ) -> Result<u64, ReadError> {
        let low = needs.low(number);
        if listed.count == 0 {
            // Compaction has removed them: the segment says that nothing is lost there.
            return Ok(u64::from(listed.next > listed.start.max(low)));
        }
        let latest = needs.latest_bytes(number, listed, closed.segment.id.position);
        if low <= listed.start {
            return Ok(latest);
        }
        if needs.is_passed(number, listed) {
            return Ok(0);
        }
        let count = u64::from(listed.count);
        let left = count.saturating_sub(self.passed(closed, number, low, needs)?);
        let bytes = u128::from(latest) * u128::from(left) / u128::from(count);
        let least = u64::from(left > 0 || listed.next > low);
        Ok(u64::try_from(bytes).unwrap_or(u64::MAX).max(least))
    }

    /// How many records of a channel in a closed segment retention has passed: counts places.
    fn passed(
        &self,
        closed: &Closed,
        number: Number,
        low: u64,
        needs: &Needs,
    ) -> Result<u64, ReadError> {
        let (mut from, mut passed) = (0, 0);
        loop {
            let places = directories::places(self.shared, closed, number, |listed, file| {
                listed.places(file, from)
            });
            let places = places.map_err(|error| unreadable(closed, &error))?;
            let before = places.iter().filter(|place| place.sequence < low);
            passed += before
                .filter(|place| !needs.is_needed(number, place.sequence, None))
                .count() as u64;
            match places.last() {
                Some(last) if last.sequence < low => from = last.sequence + 1,
                _ => return Ok(passed),
            }
        }
    }

    fn is_candidate(&self, verdict: &Verdict) -> bool {
        verdict.is_mostly_free() || verdict.record_bytes < self.segment_bytes / 4
    }

    fn joins(&self, run: &[Verdict], verdict: &Verdict, needs: &Needs) -> Result<bool, CleanError> {
        let Some(last) = run.last() else {
            return Ok(false);
        };
        let needed: u64 = run.iter().map(|verdict| verdict.needed_bytes).sum();
        // What is needed is only known about: all of it must fit into the addresses of a segment.
        let bytes: u64 = run.iter().map(|verdict| verdict.closed.bytes).sum();
        let fits = self.is_candidate(verdict)
            && needed + verdict.needed_bytes <= self.segment_bytes
            && bytes + verdict.closed.bytes <= SEGMENT_BYTES_MAX;
        let follows = || self.follows(&last.closed, &verdict.closed, needs);
        Ok(fits && follows().map_err(CleanError::Read)?)
    }

    /// Whether nothing is lost between two segments: what is must be told, and not be taken for what
    /// compaction has removed.
    fn follows(&self, before: &Closed, closed: &Closed, needs: &Needs) -> Result<bool, ReadError> {
        let (before, directory) = (self.directory(before)?, self.directory(closed)?);
        let low = |number: Number| needs.lows.get(slot(number)).copied().unwrap_or(0);
        Ok(directory.channels().all(|(number, listed)| {
            let next = before.channel(*number).map_or(0, |listed| listed.next);
            listed.start <= next.max(low(*number))
        }))
    }

    /// Writes a run of segments anew, when that is worth it.
    fn rewrite(
        &self,
        run: &mut Vec<Verdict>,
        needs: &Needs,
        cleaned: &mut Cleaned,
    ) -> Result<(), CleanError> {
        let run = std::mem::take(run);
        if run.len() < SMALL_RUN && !run.iter().any(Verdict::is_mostly_free) {
            return Ok(());
        }
        let old: Vec<Closed> = run.into_iter().map(|verdict| verdict.closed).collect();
        let Some(first) = old.first() else {
            return Ok(());
        };
        let io = |source| CleanError::Io {
            segment: first.segment.name.clone(),
            source,
        };
        let next = self.position_behind(&old);
        let new = match rewrite::write(self.shared, &old, next, needs).map_err(io)? {
            Rewritten::Whole(new, superseded) => {
                cleaned.records += superseded;
                new
            }
            Rewritten::Damaged => {
                cleaned.damaged += 1;
                return Ok(());
            }
        };
        let bytes: u64 = old.iter().map(|closed| closed.bytes).sum();
        let freed = bytes.saturating_sub(new.bytes);
        self.queue.freed(freed, || self.replace(&old, Some(new)));
        cleaned.bytes += freed;
        cleaned.segments += old.len();
        self.remove_files(&old).map_err(io)
    }

    /// Position of the segment behind these.
    fn position_behind(&self, old: &[Closed]) -> u64 {
        let visible = self.shared.visible();
        let last = old.last();
        let is_last = |closed: &Closed| last.is_some_and(|last| last == closed);
        let at = visible.closed.iter().position(is_last);
        let next = at.and_then(|at| visible.closed.get(at + 1));
        next.map_or(visible.active.id.position, |next| next.segment.id.position)
    }

    fn remove(&self, closed: &Closed, cleaned: &mut Cleaned) -> Result<(), CleanError> {
        let old = [closed.clone()];
        self.queue.freed(closed.bytes, || self.replace(&old, None));
        cleaned.bytes += closed.bytes;
        cleaned.segments += 1;
        self.remove_files(&old).map_err(|source| CleanError::Io {
            segment: closed.segment.name.clone(),
            source,
        })
    }

    /// Puts a segment in the place of others, for whoever reads from now on.
    fn replace(&self, old: &[Closed], new: Option<Closed>) {
        let mut visible = self.shared.visible_mut();
        let mut closed = Vec::clone(&visible.closed);
        if let Some(at) = closed.iter().position(|c| Some(c) == old.first()) {
            let end = (at + old.len()).min(closed.len());
            drop(closed.splice(at..end, new));
            visible.closed = Arc::new(closed);
        }
    }

    fn remove_files(&self, old: &[Closed]) -> std::io::Result<()> {
        let disk = self.shared.files.disk();
        for closed in old {
            let id = closed.segment.id;
            directories::forget(self.shared, id);
            remove_if_there(disk, &id.name())?;
            remove_if_there(disk, &id.index_name())?;
        }
        Ok(())
    }
}

fn unreadable(closed: &Closed, error: &std::io::Error) -> ReadError {
    ReadError::Io {
        segment: closed.segment.id.index_name(),
        byte: 0,
        kind: error.kind(),
        reason: error.to_string(),
    }
}

/// How far retention has passed a channel.
struct NewLow {
    number: Number,
    channel: Name,
    low: u64,
    /// Records that it has passed since the last time.
    records: u64,
}
