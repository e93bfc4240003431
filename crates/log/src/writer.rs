//! The one that writes: it takes the group that waits, writes it in one call, syncs once, and has it
//! acknowledged.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;

use crate::acknowledge::{Acknowledger, EndOnDrop, Progress, Relay, Synced};
use crate::disk::Disk;
use crate::frame;
use crate::housekeeping::Indexer;
use crate::lock::Lock;
use crate::mutant::{self, Mutant};
use crate::queue::{FULL_RETRY_AFTER, Group, Head, Pending, Queue};
use crate::recent::Chunk;
use crate::segment::{self, Header, Segment};
use crate::shared::Shared;
use crate::tail::{Tail, WriteError};
use crate::{AppendError, Durability, Options};

/// A group so much smaller than its buffer is copied, so that the buffer can be used again at once.
const COPY_BELOW: usize = 4;

/// Why the writer stops when a caller has panicked.
const ENDED: &str = "whoever acknowledges has ended";

/// Writes what the queue has.
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    acknowledger: Acknowledger,
    /// When another thread may acknowledge.
    relay: Option<Arc<Relay>>,
    indexer: Arc<Indexer>,
    tail: Tail,
    /// Nobody else may write before it has ended.
    lock: Option<Arc<Lock>>,
    /// What is written ahead of the frames.
    zeros: Vec<u8>,
    failed: bool,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("tail", &self.tail)
            .finish_non_exhaustive()
    }
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
            acknowledger: Acknowledger {
                shared,
                queue,
                recent_bytes_max: options.recent_bytes_max,
            },
            relay: None,
            indexer,
            tail,
            lock: None,
            zeros: vec![0; options.ahead_bytes],
            failed: false,
        }
    }

    /// Holds the lock of the directory until it has ended.
    pub(crate) fn hold(&mut self, lock: Option<Arc<Lock>>) {
        self.lock = lock;
    }

    /// Writes until the queue is closed and empty, or until a write fails.
    pub(crate) fn run(mut self) {
        self.acknowledger.shared.answer_here();
        let _guard = StopOnDrop(Arc::clone(&self.acknowledger.queue));
        let relay = Arc::<Relay>::default();
        thread::scope(|scope| {
            let _end = EndOnDrop(&relay);
            let thread = thread::Builder::new().name("log-acknowledger".to_owned());
            let acknowledger = self.acknowledger.clone();
            let handed = Arc::clone(&relay);
            // Without that thread the writer does it all.
            if thread
                .spawn_scoped(scope, move || handed.run(&acknowledger))
                .is_ok()
            {
                self.relay = Some(Arc::clone(&relay));
            }
            while let Some(group) = self.acknowledger.queue.take() {
                if !self.write(group) {
                    return;
                }
            }
            if self.settle().is_ok() {
                self.close();
            }
        });
    }

    /// Writes the group that waits. Returns whether there was one and the writer goes on.
    pub(crate) fn step(&mut self) -> bool {
        match self.acknowledger.queue.try_take() {
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
            let reason = format!("closing segment `{name}`: {error}");
            self.acknowledger.queue.stop(&reason);
        }
    }

    fn write(&mut self, group: Group) -> bool {
        let mut progress = Progress::new(group, self.tail.end());
        if mutant::is(Mutant::IndexAheadOfData) {
            let all = progress.group.jobs.len();
            self.acknowledger.show(&mut progress, all);
        }
        match self.write_group(&mut progress) {
            Ok(()) => self.finish(progress),
            Err(failure) => {
                // What was written before is answered before.
                let failure = self.settle().err().unwrap_or(failure);
                self.fail(progress.group.jobs, failure)
            }
        }
    }

    /// Has a group acknowledged: here, unless more waits for the disk. Returns whether it goes on.
    fn finish(&mut self, progress: Progress) -> bool {
        let synced = Synced {
            salt: self.tail.segment.salt,
            bytes: self.tail.synced(),
        };
        match &self.relay {
            Some(relay) if relay.is_busy() || self.acknowledger.queue.has_group() => {
                match relay.hand_over(progress, synced) {
                    None => true,
                    Some(progress) => {
                        self.fail(progress.group.jobs, Failure::Stop(ENDED.to_owned()))
                    }
                }
            }
            _ => {
                self.acknowledger.finish(progress, synced);
                true
            }
        }
    }

    /// Waits until all groups before are acknowledged.
    fn settle(&self) -> Result<(), Failure> {
        match &self.relay {
            Some(relay) if !relay.settle() => Err(Failure::Stop(ENDED.to_owned())),
            _ => Ok(()),
        }
    }

    /// Refuses what is not written. Returns whether the writer goes on.
    fn fail(&mut self, jobs: VecDeque<Pending>, failure: Failure) -> bool {
        match failure {
            Failure::Full(reason) => {
                self.refuse(jobs, &reason);
                true
            }
            Failure::Stop(reason) => {
                self.failed = true;
                let jobs = jobs.into_iter().map(|pending| pending.done);
                self.acknowledger.queue.stop_behind(jobs, &reason);
                false
            }
        }
    }

    /// Writes a group, and syncs it if any of it is to be durable. What is only written and has nothing
    /// durable before it is acknowledged at once.
    fn write_group(&mut self, progress: &mut Progress) -> Result<(), Failure> {
        if let Some((header, page)) = progress.group.segment.take() {
            self.roll(header, &page)?;
        }
        let start = self.tail.end();
        let frames = &mut progress.group.frames;
        if !frames.is_empty() {
            let synced = u32::try_from(self.tail.synced()).unwrap_or(u32::MAX);
            frame::set_synced(frames, self.tail.segment.salt, synced);
            match self.tail.write(frames, &self.zeros) {
                Ok(()) => {}
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
        if written > 0 {
            self.settle()?;
            self.acknowledger.acknowledge(progress, written);
        }
        if !progress.group.jobs.is_empty() {
            self.tail
                .sync()
                .map_err(|error| self.stop("syncing", &error))?;
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
        self.settle()?;
        // Whoever makes the indexes may be behind: memory has a limit.
        self.indexer
            .keep_up(&self.acknowledger.shared)
            .map_err(|error| {
                Failure::Full(format!("the index of a segment cannot be written: {error}"))
            })?;
        self.tail
            .trim()
            .map_err(|error| self.stop("closing", &error))?;
        match segment::create(self.disk.as_ref(), header.id, page) {
            Ok(file) => {
                let segment = Arc::new(Segment::new(header));
                self.acknowledger
                    .shared
                    .files
                    .put(&segment.name, Arc::clone(&file));
                self.acknowledger
                    .shared
                    .visible_mut()
                    .roll(Arc::clone(&segment));
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

    /// Refuses these batches and everything that waits: nothing of it is in the log.
    fn refuse(&self, jobs: VecDeque<Pending>, reason: &str) {
        let head = self.head();
        let waiting = self.acknowledger.queue.take_back(head);
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
        head_of(&self.tail, self.acknowledger.shared.visible().position)
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
