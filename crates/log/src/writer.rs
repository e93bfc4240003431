//! The one that writes: it takes the group that waits, writes it in one call, syncs once, makes it
//! visible, and then acknowledges all of it, in the order of the calls.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::disk::Disk;
use crate::frame;
use crate::housekeeping::Indexer;
use crate::mutant::{self, Mutant};
use crate::queue::{FULL_RETRY_AFTER, Group, Head, Pending, Queue};
use crate::recent::Chunk;
use crate::registry::STATE;
use crate::segment::{self, Header, Segment};
use crate::shared::Shared;
use crate::tail::{Tail, WriteError};
use crate::{AppendError, Durability, Options, Placed};

/// A group so much smaller than its buffer is copied, so that the buffer can be used again at once.
const COPY_BELOW: usize = 4;

/// Writes what the queue has.
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    options: Options,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    indexer: Arc<Indexer>,
    tail: Tail,
    failed: bool,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("tail", &self.tail)
            .finish_non_exhaustive()
    }
}

/// A group that is written, and how far.
struct Progress {
    group: Group,
    records_shown: usize,
    records_acknowledged: usize,
    changes_shown: usize,
    chunk: Option<Arc<Chunk>>,
    /// Where its frames end in the segment.
    end: u64,
    /// Buffers that are free again.
    free: Vec<Vec<u8>>,
}

/// Why a group is not written.
enum Failure {
    /// There is no room; the log is as it was.
    Full(String),
    /// The writer cannot go on.
    Stop(String),
}

/// Whatever ends the writer, a panic too, leaves a queue that says so.
struct StopOnDrop(Arc<Queue>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop("the writer has ended");
    }
}

impl Writer {
    /// A writer that goes on at `tail`, after what is visible.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        options: Options,
        shared: Arc<Shared>,
        queue: Arc<Queue>,
        indexer: Arc<Indexer>,
        tail: Tail,
    ) -> Self {
        Self {
            disk,
            options,
            shared,
            queue,
            indexer,
            tail,
            failed: false,
        }
    }

    /// Writes until the queue is closed and empty, or until a write fails.
    pub(crate) fn run(mut self) {
        let _guard = StopOnDrop(Arc::clone(&self.queue));
        while let Some(group) = self.queue.take() {
            if !self.write(group) {
                return;
            }
        }
        self.close();
    }

    /// Writes the group that waits. Returns whether there was one and the writer goes on.
    pub(crate) fn step(&mut self) -> bool {
        match self.queue.try_take() {
            Some(group) => self.write(group),
            None => false,
        }
    }

    /// Ends the segment where its frames end, unless a write has failed.
    pub(crate) fn close(&mut self) {
        if self.failed {
            return;
        }
        if let Err(error) = self.tail.trim() {
            let name = &self.tail.segment.name;
            self.queue
                .stop(&format!("closing segment `{name}`: {error}"));
        }
    }

    fn write(&mut self, group: Group) -> bool {
        let mut progress = Progress {
            group,
            records_shown: 0,
            records_acknowledged: 0,
            changes_shown: 0,
            chunk: None,
            end: self.tail.end(),
            free: Vec::new(),
        };
        if mutant::is(Mutant::IndexAheadOfData) {
            let all = progress.group.jobs.len();
            self.show(&mut progress, all);
        }
        match self.write_group(&mut progress) {
            Ok(()) => {
                let Progress {
                    mut group, free, ..
                } = progress;
                group.clear();
                let (salt, synced) = (self.tail.segment.salt, self.tail.synced());
                self.queue.written(salt, synced, group, free);
                true
            }
            Err(Failure::Full(reason)) => {
                self.refuse(progress.group.jobs, &reason);
                true
            }
            Err(Failure::Stop(reason)) => {
                self.failed = true;
                self.queue.stop(&reason);
                for pending in progress.group.jobs {
                    let reason = reason.clone();
                    (pending.done)(Err(AppendError::Stopped { reason }));
                }
                false
            }
        }
    }

    fn write_group(&mut self, progress: &mut Progress) -> Result<(), Failure> {
        if let Some((header, page)) = progress.group.segment.take() {
            self.roll(header, &page)?;
        }
        let start = self.tail.end();
        let frames = &mut progress.group.frames;
        let length = frames.len();
        if length > 0 {
            let synced = u32::try_from(self.tail.synced()).unwrap_or(u32::MAX);
            frame::set_synced(frames, self.tail.segment.salt, synced);
            match self.tail.write(frames, self.options.ahead_bytes) {
                Ok(()) => frames.truncate(length),
                Err(WriteError::NoRoom(error)) => {
                    return Err(Failure::Full(format!("the disk is full: {error}")));
                }
                Err(WriteError::Broken(error)) => return Err(self.stop("writing", &error)),
            }
        }
        progress.end = self.tail.end();
        self.keep_in_memory(progress, start);
        // In the order of the calls: what is only written waits for what is durable before it.
        let jobs = &progress.group.jobs;
        let durable = |pending: &Pending| pending.durability == Durability::Durable;
        let mut written = jobs.iter().position(durable).unwrap_or(jobs.len());
        if mutant::is(Mutant::AckBeforeSync) {
            written = jobs.len();
        }
        self.acknowledge(progress, written);
        let left = progress.group.jobs.len();
        if left > 0 {
            self.tail
                .sync()
                .map_err(|error| self.stop("syncing", &error))?;
            self.acknowledge(progress, left);
        }
        Ok(())
    }

    fn stop(&self, action: &str, error: &io::Error) -> Failure {
        let name = &self.tail.segment.name;
        Failure::Stop(format!("{action} segment `{name}`: {error}"))
    }

    /// Makes the frames a chunk that readers find.
    fn keep_in_memory(&self, progress: &mut Progress, start: u64) {
        let frames = &mut progress.group.frames;
        if frames.is_empty() {
            return;
        }
        let bytes = match frames.len() < frames.capacity() / COPY_BELOW {
            true => frames.as_slice().to_vec(),
            false => std::mem::take(frames),
        };
        progress.chunk = Some(Arc::new(Chunk {
            segment: Some(self.tail.segment.id),
            start: u32::try_from(start).unwrap_or(u32::MAX),
            bytes,
        }));
    }

    /// Closes the segment, durably, and goes on in a new one.
    fn roll(&mut self, header: Header, page: &[u8]) -> Result<(), Failure> {
        // Whoever makes the indexes may be behind: memory has a limit.
        self.indexer.keep_up(&self.shared).map_err(|error| {
            Failure::Full(format!("the index of a segment cannot be written: {error}"))
        })?;
        self.tail
            .trim()
            .map_err(|error| self.stop("closing", &error))?;
        match segment::create(self.disk.as_ref(), header.id, page) {
            Ok(file) => {
                let segment = Arc::new(Segment::new(header));
                self.shared.files.put(&segment.name, Arc::clone(&file));
                self.shared.visible_mut().roll(Arc::clone(&segment));
                self.tail = Tail::new(segment, file, page.len() as u64);
                self.indexer.wake();
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(Failure::Full(
                format!("the disk is full: a new segment: {error}"),
            )),
            Err(error) => Err(self.stop("starting the segment after", &error)),
        }
    }

    /// Makes the first `count` batches visible, then says so.
    fn acknowledge(&mut self, progress: &mut Progress, count: usize) {
        if count == 0 {
            return;
        }
        if !mutant::is(Mutant::IndexAheadOfData) {
            self.show(progress, count);
        }
        let group = &mut progress.group;
        for pending in group.jobs.drain(..count) {
            let records = progress.records_acknowledged..pending.records_end;
            progress.records_acknowledged = pending.records_end;
            let records = group.records.get(records).unwrap_or_default().iter();
            let sequences: SmallVec<[u64; 2]> = records
                .filter(|record| record.number != STATE)
                .take(pending.appends)
                .map(|record| record.sequence)
                .collect();
            (pending.done)(Ok(Placed {
                position: pending.position,
                sequences,
            }));
        }
    }

    /// Makes the first `count` batches visible.
    fn show(&self, progress: &mut Progress, count: usize) {
        let group = &progress.group;
        let Some(last) = count.checked_sub(1).and_then(|at| group.jobs.get(at)) else {
            return;
        };
        let records = group.records.get(progress.records_shown..last.records_end);
        let changes = group.changes.get(progress.changes_shown..last.changes_end);
        let (grown, gone) = {
            let mut visible = self.shared.visible_mut();
            visible.add(records.unwrap_or_default());
            for change in changes.unwrap_or_default() {
                visible.change(change.clone());
            }
            visible.position = last.next_position;
            visible.end = progress.end;
            let chunk = progress.chunk.take();
            let gone = chunk.map(|c| visible.recent.push(c, self.options.recent_bytes_max));
            (visible.take_grown(), gone)
        };
        progress.records_shown = last.records_end;
        progress.changes_shown = last.changes_end;
        self.shared.notify(grown);
        for chunk in gone.into_iter().flatten() {
            // One that a reader holds is freed there.
            if let Ok(mut chunk) = Arc::try_unwrap(chunk) {
                chunk.bytes.clear();
                progress.free.push(chunk.bytes);
            }
        }
    }

    /// Refuses these batches and everything that waits: nothing of it is in the log.
    fn refuse(&self, jobs: VecDeque<Pending>, reason: &str) {
        let head = self.head();
        let waiting = self.queue.take_back(head);
        let dones = jobs.into_iter().map(|pending| pending.done).chain(waiting);
        for done in dones {
            done(Err(AppendError::Full {
                reason: reason.to_owned(),
                retry_after: FULL_RETRY_AFTER,
            }));
        }
    }

    /// Where the next frame goes when nothing waits.
    fn head(&self) -> Head {
        head_of(&self.tail, self.shared.visible().position)
    }
}

/// Where the next frame goes behind `tail`.
pub(crate) fn head_of(tail: &Tail, position: u64) -> Head {
    Head {
        frames_at: tail.segment.frames_at.into(),
        end: tail.end(),
        salt: tail.segment.salt,
        synced: u32::try_from(tail.synced()).unwrap_or(u32::MAX),
        position,
    }
}
