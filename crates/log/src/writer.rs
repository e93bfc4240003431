//! The one thread that writes: it takes everything that waits, writes it in one call, syncs once,
//! and then acknowledges all of it, in the order of the calls.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::Name;
use tidegate_base::limit::CHANNELS_MAX;

use crate::disk::Disk;
use crate::frame::{FrameEncoder, FrameHead};
use crate::index::Entry;
use crate::queue::{Done, Job, Queue};
use crate::segment::{HEADER_BYTES, Segment};
use crate::shared::Shared;
use crate::tail::{Tail, WriteError};
use crate::{AppendError, Batch, Durability, Options, Placed};

/// Most bytes that one sync waits for: beyond, the time of one group grows and nothing is gained.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// When to come back to a full log.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What the writer's thread owns.
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    options: Options,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    tail: Tail,
    /// The next position; ahead of the index by what is pending.
    position: u64,
    /// The next sequence of every channel; ahead of the index by what is pending.
    next: HashMap<Name, u64>,
    /// Frames that are encoded and not written.
    frames: Vec<u8>,
    /// The batches of these frames.
    pending: VecDeque<Pending>,
}

/// A batch whose frame is encoded.
struct Pending {
    durability: Durability,
    placed: Vec<Placed>,
    entries: Vec<Entry>,
    done: Done,
}

/// The writer cannot go on.
struct Stop(String);

/// Whatever ends the writer, a panic too, leaves a queue that says so.
struct StopOnDrop(Arc<Queue>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop("the writer has ended");
    }
}

impl Writer {
    /// A writer that goes on at `tail`, after what the index holds.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        options: Options,
        shared: Arc<Shared>,
        queue: Arc<Queue>,
        tail: Tail,
    ) -> Self {
        let (position, next) = {
            let index = shared.index();
            (index.position, index.tails())
        };
        let (frames, pending) = (Vec::new(), VecDeque::new());
        Self {
            disk,
            options,
            shared,
            queue,
            tail,
            position,
            next,
            frames,
            pending,
        }
    }

    /// Writes until the queue is closed and empty, or until a write fails.
    pub(crate) fn run(mut self) {
        let _guard = StopOnDrop(Arc::clone(&self.queue));
        while let Some(mut jobs) = self.queue.take(GROUP_BYTES_MAX) {
            if let Err(Stop(reason)) = self.write(&mut jobs) {
                self.queue.stop(&reason);
                let pending = self.pending.drain(..).map(|pending| pending.done);
                for done in pending.chain(jobs.into_iter().map(|job| job.done)) {
                    done(Err(AppendError::Stopped {
                        reason: reason.clone(),
                    }));
                }
                return;
            }
        }
        if let Err(error) = self.tail.trim() {
            self.queue.stop(&format!(
                "closing segment `{}`: {error}",
                self.tail.segment.name
            ));
        }
    }

    fn write(&mut self, jobs: &mut VecDeque<Job>) -> Result<(), Stop> {
        while let Some(job) = jobs.pop_front() {
            match self.make_room(&job) {
                Ok(()) => self.encode(job),
                Err(Refusal::Refused(error)) => (job.done)(Err(error)),
                Err(Refusal::Stop(stop)) => {
                    jobs.push_front(job);
                    return Err(stop);
                }
            }
        }
        self.flush()
    }

    /// Makes sure that the frame of `job` fits, in a new segment if need be.
    fn make_room(&mut self, job: &Job) -> Result<(), Refusal> {
        if self.new_channels_exceed(&job.batch) {
            return Err(Refusal::Refused(AppendError::Channels {
                channels_max: CHANNELS_MAX,
            }));
        }
        let frame_bytes = job.frame_bytes as u64;
        let end = self.tail.end() + self.frames.len() as u64;
        let log_bytes = self.tail.segment.base + end;
        if let Some(bytes_max) = self.options.bytes_max
            && log_bytes + frame_bytes > bytes_max
        {
            let reason = format!("the log holds {log_bytes} of at most {bytes_max} bytes");
            return Err(full(reason));
        }
        if end + frame_bytes > self.options.segment_bytes && end > HEADER_BYTES {
            self.roll()?;
        }
        Ok(())
    }

    fn new_channels_exceed(&self, batch: &Batch) -> bool {
        if self.next.len() + batch.appends.len() <= CHANNELS_MAX {
            return false;
        }
        let names = batch.appends.iter().map(|append| &append.channel);
        let new: HashSet<&Name> = names
            .filter(|name| !self.next.contains_key(*name))
            .collect();
        self.next.len() + new.len() > CHANNELS_MAX
    }

    /// Closes the segment, durably, and goes on in a new one.
    fn roll(&mut self) -> Result<(), Refusal> {
        self.flush().map_err(Refusal::Stop)?;
        if self.tail.end() == HEADER_BYTES {
            return Ok(());
        }
        self.tail
            .trim()
            .map_err(|error| self.stop("closing", &error))?;
        let base = self.tail.segment.base + self.tail.end();
        match Segment::create(self.disk.as_ref(), self.position, base) {
            Ok(segment) => {
                self.shared.index_mut().segments.push(Arc::clone(&segment));
                self.tail = Tail::of_new(segment);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                Err(full(format!("the disk is full: a new segment: {error}")))
            }
            Err(error) => Err(self.stop("creating the segment after", &error)),
        }
    }

    fn stop(&self, action: &str, error: &io::Error) -> Refusal {
        Refusal::Stop(Stop(format!(
            "{action} `{}`: {error}",
            self.tail.segment.name
        )))
    }

    /// Numbers the records and adds the frame to those that are to be written.
    fn encode(&mut self, job: Job) {
        let Job {
            batch,
            durability,
            done,
            ..
        } = job;
        let mut placed = Vec::with_capacity(batch.appends.len());
        let mut entries = Vec::with_capacity(batch.appends.len() + 1);
        if !batch.appends.is_empty() || !batch.state.is_none() {
            let start = self.tail.segment.base + self.tail.end();
            let head = FrameHead {
                position: self.position,
                synced: self.tail.synced(),
            };
            let mut frame = FrameEncoder::start(&mut self.frames, self.tail.segment.salt, head);
            for append in batch.appends {
                let next = match self.next.get_mut(&append.channel) {
                    Some(next) => next,
                    None => self.next.entry(append.channel.clone()).or_default(),
                };
                let address = start + frame.append(&append, *next) as u64;
                placed.push(Placed {
                    position: self.position,
                    sequence: *next,
                });
                entries.push(Entry::Channel(append.channel, address));
                *next += 1;
                self.position += 1;
            }
            if !batch.state.is_none() {
                let address = start + frame.state(&batch.state) as u64;
                entries.push(Entry::of_state(&batch.state, address));
                self.position += 1;
            }
            frame.finish();
        }
        self.pending.push_back(Pending {
            durability,
            placed,
            entries,
            done,
        });
    }

    /// Writes the frames and acknowledges their batches, each once its class is reached; all of them
    /// are refused when the disk is full.
    fn flush(&mut self) -> Result<(), Stop> {
        if !self.frames.is_empty() {
            let written = self.tail.write(&mut self.frames, self.options.ahead_bytes);
            self.frames.clear();
            match written {
                Ok(()) => {}
                Err(WriteError::NoRoom(error)) => {
                    self.refuse_pending(&error);
                    return Ok(());
                }
                Err(WriteError::Broken(error)) => {
                    let segment = &self.tail.segment.name;
                    return Err(Stop(format!("writing segment `{segment}`: {error}")));
                }
            }
        }
        // In the order of the calls: what is only written waits for what is durable before it.
        let durable = |pending: &Pending| pending.durability == Durability::Durable;
        let written = self
            .pending
            .iter()
            .position(durable)
            .unwrap_or(self.pending.len());
        self.acknowledge(written);
        if !self.pending.is_empty() {
            self.tail.sync().map_err(|error| {
                Stop(format!(
                    "syncing segment `{}`: {error}",
                    self.tail.segment.name
                ))
            })?;
            self.acknowledge(self.pending.len());
        }
        Ok(())
    }

    /// Makes the first `count` pending batches visible, then says so.
    fn acknowledge(&mut self, count: usize) {
        let grown = {
            let mut index = self.shared.index_mut();
            for pending in self.pending.range_mut(..count) {
                index.add(pending.entries.drain(..));
            }
            index.end = self.tail.segment.base + self.tail.end();
            index.take_grown()
        };
        self.shared.notify(grown);
        for pending in self.pending.drain(..count) {
            (pending.done)(Ok(pending.placed));
        }
    }

    /// Refuses the pending batches: their frames are not in the file. Numbers go back to the index.
    fn refuse_pending(&mut self, error: &io::Error) {
        {
            let index = self.shared.index();
            self.position = index.position;
            self.next = index.tails();
        }
        for pending in self.pending.drain(..) {
            let reason = format!("the disk is full: {error}");
            (pending.done)(Err(AppendError::Full {
                reason,
                retry_after: RETRY_AFTER,
            }));
        }
    }
}

/// Why a batch has no room.
enum Refusal {
    /// It alone is refused.
    Refused(AppendError),
    /// Nothing can be written any more.
    Stop(Stop),
}

fn full(reason: String) -> Refusal {
    Refusal::Refused(AppendError::Full {
        reason,
        retry_after: RETRY_AFTER,
    })
}
