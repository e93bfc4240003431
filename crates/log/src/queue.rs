//! The batches that wait for the writer, encoded where they are appended: in the order of the calls,
//! numbered, bounded in bytes. While one group is written, the next one gathers.
//!
//! Numbers are given here, before anything is written. When the disk has no room, everything that
//! waits is refused and the numbers go back to what is visible.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use tidegate_base::Name;
use tidegate_base::limit::{CHANNELS_MAX, CURSORS_MAX};

use crate::acknowledge::Synced;
use crate::disk::Disk;
use crate::encode::{Change, Encoded, Target};
use crate::frame::FrameEncoder;
use crate::mutant::{self, Mutant};
use crate::registry::{Number, slot};
use crate::segment::{self, Header, SegmentId};
use crate::shared::Shared;
use crate::snapshot::{Extent, Snapshot};
use crate::{AppendError, Batch, Durability, Options, Placed};

/// What is called once an append is done or refused.
pub(crate) type Done = Box<dyn FnOnce(Result<Placed, AppendError>) + Send>;

/// Most bytes of one group: beyond, the time of one sync grows and nothing is gained.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// What a waiting batch costs beside its bytes, about.
const JOB_BYTES: usize = 256;
/// Most buffers that are kept to be used again.
const SPARE_MAX: usize = 4;
/// When to come back to a full queue: the writer empties it in this order of time.
const QUEUE_RETRY_AFTER: Duration = Duration::from_millis(20);
/// When to come back to a full log.
pub(crate) const FULL_RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is to be queued.
pub(crate) struct Job<'a> {
    pub(crate) work: Work<'a>,
    /// Bytes of its frame; 0 when it does nothing.
    pub(crate) frame_bytes: usize,
    pub(crate) durability: Durability,
    pub(crate) done: Done,
}

/// What a job writes.
#[derive(Clone, Copy)]
pub(crate) enum Work<'a> {
    /// Nothing: what comes behind it goes into a new segment.
    Roll,
    /// A batch.
    Batch(&'a Batch),
    /// For each channel the first sequence that stays.
    Trim(&'a [(Number, Name, u64)]),
}

/// A batch that waits in a group.
pub(crate) struct Pending {
    pub(crate) durability: Durability,
    /// Of its first record.
    pub(crate) position: u64,
    /// Position after its last record.
    pub(crate) next_position: u64,
    /// Its records of channels.
    pub(crate) appends: usize,
    /// Where its records end in the group's list.
    pub(crate) records_end: usize,
    /// Where its changes end in the group's list.
    pub(crate) changes_end: usize,
    pub(crate) done: Done,
}

/// What is written in one call and synced once.
#[derive(Default)]
pub(crate) struct Group {
    /// The segment to be started first.
    pub(crate) segment: Option<(Header, Vec<u8>)>,
    pub(crate) frames: Vec<u8>,
    pub(crate) records: Vec<Encoded>,
    pub(crate) changes: Vec<Change>,
    pub(crate) jobs: VecDeque<Pending>,
    cost: usize,
}

impl Group {
    /// Empties it, keeping its memory.
    pub(crate) fn clear(&mut self) {
        self.segment = None;
        self.frames.clear();
        self.records.clear();
        self.changes.clear();
        self.jobs.clear();
        self.cost = 0;
    }
}

/// Where the next frame goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// Where the frames of its segment start.
    pub(crate) frames_at: u64,
    /// Where it starts in its segment.
    pub(crate) end: u64,
    /// What the checksums of its segment start from.
    pub(crate) salt: u32,
    /// Bytes of its segment that are certainly on the disk.
    pub(crate) synced: u32,
    /// Position of its first record.
    pub(crate) position: u64,
}

/// Between the callers and the writer.
pub(crate) struct Queue {
    options: Options,
    disk: Arc<dyn Disk>,
    shared: Arc<Shared>,
    gathering: Mutex<Gathering>,
    changed: Condvar,
}

struct Gathering {
    head: Head,
    /// The numbers of channels that were appended to: those who append need not meet those who read.
    known: HashMap<Box<str>, Number, RandomState>,
    /// Of the batch that is pushed: the channel of each of its appends.
    numbers: Vec<Number>,
    extents: Vec<Extent>,
    cursors: BTreeMap<Name, u64>,
    /// Where a checkpoint of several batches has begun, until it is finished.
    begun: Option<u64>,
    /// The first sequence of a channel that has none yet.
    floor: u64,
    /// Bytes of all segments before the one of `head`.
    closed_bytes: u64,
    groups: VecDeque<Group>,
    /// What the waiting batches cost.
    cost: usize,
    /// Groups and buffers to be used again: all empty.
    spare_groups: Vec<Group>,
    spare: Vec<Vec<u8>>,
    /// Whether the writer waits to be woken.
    idle: bool,
    /// Why no more are taken.
    stopped: Option<String>,
    /// Whether the writer ends once it has written what waits.
    draining: bool,
    /// Whether only cleaning may write: the room that it was given is for nobody else.
    held: bool,
}

/// Only cleaning may write.
pub(crate) struct Held<'a>(&'a Queue);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.gathering().held = false;
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    /// An empty queue that goes on at `head`, after what is visible.
    pub(crate) fn new(
        options: Options,
        disk: Arc<dyn Disk>,
        shared: Arc<Shared>,
        head: Head,
    ) -> Self {
        let gathering = {
            let visible = shared.visible();
            Gathering {
                head,
                known: HashMap::default(),
                numbers: Vec::new(),
                extents: visible.extents.clone(),
                cursors: visible.cursors.clone(),
                begun: visible.begun,
                floor: visible.floor,
                closed_bytes: visible.closed_bytes(),
                groups: VecDeque::new(),
                cost: 0,
                spare_groups: Vec::new(),
                spare: Vec::new(),
                idle: false,
                stopped: None,
                draining: false,
                held: false,
            }
        };
        Self {
            options,
            disk,
            shared,
            gathering: Mutex::new(gathering),
            changed: Condvar::new(),
        }
    }

    fn gathering(&self) -> MutexGuard<'_, Gathering> {
        self.gathering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Encodes a batch behind those that wait, or refuses it at once.
    pub(crate) fn push(&self, job: Job<'_>) {
        let mut gathering = self.gathering();
        if let Some(error) = self.refusal(&gathering, &job) {
            drop(gathering);
            (job.done)(Err(error));
            return;
        }
        if let Work::Batch(batch) = job.work
            && !self.number(&mut gathering, batch)
        {
            drop(gathering);
            let channels_max = CHANNELS_MAX;
            (job.done)(Err(AppendError::Channels { channels_max }));
            return;
        }
        let head = gathering.head;
        match job.work {
            Work::Roll if head.end > head.frames_at => self.roll(&mut gathering),
            _ => self.make_room(&mut gathering, job.frame_bytes),
        }
        gathering.encode(job);
        let wake = std::mem::take(&mut gathering.idle);
        drop(gathering);
        if wake {
            self.changed.notify_one();
        }
    }

    /// Looks up the channel of each append. Returns whether there are not too many channels.
    fn number(&self, gathering: &mut Gathering, batch: &Batch) -> bool {
        gathering.numbers.clear();
        for append in &batch.appends {
            let name = &append.channel;
            let number = match gathering.known.get(name.as_str()) {
                Some(number) => *number,
                None => {
                    let Some(number) = self.shared.registry_mut().number(name) else {
                        return false;
                    };
                    gathering.known.insert(name.as_str().into(), number);
                    number
                }
            };
            gathering.numbers.push(number);
        }
        true
    }

    fn refusal(&self, gathering: &Gathering, job: &Job<'_>) -> Option<AppendError> {
        if let Some(reason) = &gathering.stopped {
            let reason = reason.clone();
            return Some(AppendError::Stopped { reason });
        }
        // What cleaning needs to free room is small, and not refused for want of it.
        let cleans = matches!(job.work, Work::Trim(_) | Work::Roll);
        let cost = job.frame_bytes + JOB_BYTES;
        if !cleans && gathering.cost > 0 && gathering.cost + cost > self.options.queue_bytes_max {
            let (waiting, most) = (gathering.cost, self.options.queue_bytes_max);
            return Some(AppendError::Full {
                reason: format!("{waiting} bytes wait for the writer, of at most {most}"),
                retry_after: QUEUE_RETRY_AFTER,
            });
        }
        if gathering.held && !cleans {
            return Some(AppendError::Full {
                reason: "the disk is full, and is being cleaned".to_owned(),
                retry_after: FULL_RETRY_AFTER,
            });
        }
        let held = gathering.closed_bytes + gathering.head.end;
        let bytes_max = self.options.bytes_max.unwrap_or(u64::MAX);
        if held.saturating_add(job.frame_bytes as u64) > bytes_max && !cleans {
            return Some(AppendError::Full {
                reason: format!("the log holds {held} of at most {bytes_max} bytes"),
                retry_after: FULL_RETRY_AFTER,
            });
        }
        match job.work {
            Work::Batch(batch) if gathering.cursors_exceed(&batch.cursors) => {
                Some(AppendError::Invalid {
                    reason: format!("the log has {CURSORS_MAX} cursors already, the most"),
                })
            }
            _ => None,
        }
    }

    /// Makes sure that a frame fits into the group that gathers, in a new segment if need be.
    fn make_room(&self, gathering: &mut Gathering, frame_bytes: usize) {
        let head = gathering.head;
        let end = head.end + frame_bytes as u64;
        if end - head.frames_at > self.options.segment_bytes && head.end > head.frames_at {
            self.roll(gathering);
            return;
        }
        let last = gathering.groups.back();
        if last.is_none_or(|group| group.frames.len() + frame_bytes > GROUP_BYTES_MAX) {
            gathering.start_group(None);
        }
    }

    /// Starts a group that starts a segment.
    fn roll(&self, gathering: &mut Gathering) {
        let snapshot = self.snapshot(gathering);
        let id = SegmentId {
            position: gathering.head.position,
            generation: 0,
        };
        let (header, page) = segment::page(id, 0, self.disk.salt(), &snapshot);
        gathering.closed_bytes += gathering.head.end;
        gathering.head = Head {
            frames_at: page.len() as u64,
            end: page.len() as u64,
            salt: header.salt,
            synced: header.frames_at,
            position: gathering.head.position,
        };
        gathering.start_group(Some((header, page)));
    }

    fn snapshot(&self, gathering: &Gathering) -> Snapshot {
        let registry = self.shared.registry();
        let channels = registry.numbers().filter_map(|number| {
            let extent = gathering.extents.get(slot(number)).copied()?;
            (extent.next > 0).then(|| (registry.name(number).cloned(), extent))
        });
        Snapshot {
            channels: channels.collect(),
            cursors: gathering.cursors.clone(),
            floor: gathering.floor,
        }
    }

    /// Waits for a group and takes it; `None` once the queue is closed and empty.
    pub(crate) fn take(&self) -> Option<Group> {
        let mut gathering = self.gathering();
        loop {
            if let Some(group) = gathering.take() {
                return Some(group);
            }
            if gathering.draining {
                return None;
            }
            gathering.idle = true;
            gathering = self
                .changed
                .wait(gathering)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes a group; `None` when none waits.
    pub(crate) fn try_take(&self) -> Option<Group> {
        self.gathering().take()
    }

    /// Whether a group waits.
    pub(crate) fn has_group(&self) -> bool {
        !self.gathering().groups.is_empty()
    }

    /// Tells how much of a segment is on the disk, and gives an empty group back, with buffers that are
    /// free.
    pub(crate) fn written(&self, synced: Synced, group: Group, buffers: Vec<Vec<u8>>) {
        let mut gathering = self.gathering();
        if gathering.head.salt == synced.salt {
            gathering.head.synced = u32::try_from(synced.bytes).unwrap_or(u32::MAX);
        }
        if gathering.spare_groups.len() < SPARE_MAX {
            gathering.spare_groups.push(group);
        }
        let room = SPARE_MAX.saturating_sub(gathering.spare.len());
        gathering.spare.extend(buffers.into_iter().take(room));
    }

    /// Takes everything that waits out again, because nothing could be written: numbers go on at
    /// `head` after what is visible. Returns what must be refused.
    pub(crate) fn take_back(&self, head: Head) -> Vec<Done> {
        let mut gathering = self.gathering();
        let visible = self.shared.visible();
        gathering.head = head;
        if !mutant::is(Mutant::SequencesNotTakenBack) {
            gathering.extents.clone_from(&visible.extents);
        }
        gathering.cursors.clone_from(&visible.cursors);
        if !mutant::is(Mutant::BegunNotTakenBack) {
            gathering.begun = visible.begun;
        }
        gathering.closed_bytes = visible.closed_bytes();
        gathering.drain()
    }

    /// Removes segments, or makes them smaller, with `free`, by that many bytes. Nothing is taken back
    /// between the two: what is visible then is counted anew.
    pub(crate) fn freed(&self, bytes: u64, free: impl FnOnce()) {
        let mut gathering = self.gathering();
        free();
        gathering.closed_bytes = gathering.closed_bytes.saturating_sub(bytes);
    }

    /// Only cleaning may write until what is returned is dropped.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.gathering().held = true;
        Held(self)
    }

    /// Takes no more; the writer ends once what waits is written.
    pub(crate) fn close(&self, reason: &str) {
        let mut gathering = self.gathering();
        gathering.draining = true;
        gathering.stopped.get_or_insert_with(|| reason.to_owned());
        drop(gathering);
        self.changed.notify_all();
    }

    /// Takes no more and refuses what waits. The first reason stays.
    pub(crate) fn stop(&self, reason: &str) {
        self.stop_behind([], reason);
    }

    /// As [`Queue::stop`]; `jobs` were called before all that waits, and are refused before it.
    pub(crate) fn stop_behind(&self, jobs: impl IntoIterator<Item = Done>, reason: &str) {
        let (waiting, first) = {
            let mut gathering = self.gathering();
            gathering.draining = true;
            let reason = gathering
                .stopped
                .get_or_insert_with(|| reason.to_owned())
                .clone();
            (gathering.drain(), reason)
        };
        let jobs = jobs.into_iter().map(|done| (done, reason));
        let waiting = waiting.into_iter().map(|done| (done, first.as_str()));
        for (done, reason) in jobs.chain(waiting) {
            let reason = reason.to_owned();
            let refused = AppendError::Stopped { reason };
            // A caller that panics keeps nobody else from an answer, least of all while one is unwound.
            drop(catch_unwind(AssertUnwindSafe(|| done(Err(refused)))));
        }
    }

    /// Why no more are taken; `None` while they are.
    pub(crate) fn stopped(&self) -> Option<String> {
        self.gathering().stopped.clone()
    }
}

impl Gathering {
    fn take(&mut self) -> Option<Group> {
        let group = self.groups.pop_front()?;
        self.cost -= group.cost;
        Some(group)
    }

    fn drain(&mut self) -> Vec<Done> {
        self.cost = 0;
        let groups = std::mem::take(&mut self.groups);
        let jobs = groups.into_iter().flat_map(|group| group.jobs);
        jobs.map(|pending| pending.done).collect()
    }

    fn start_group(&mut self, segment: Option<(Header, Vec<u8>)>) {
        let mut group = self.spare_groups.pop().unwrap_or_default();
        if group.frames.capacity() == 0 {
            group.frames = self.spare.pop().unwrap_or_default();
        }
        group.segment = segment;
        self.groups.push_back(group);
    }

    fn cursors_exceed(&self, cursors: &[(Name, u64)]) -> bool {
        if self.cursors.len() + cursors.len() <= CURSORS_MAX {
            return false;
        }
        let new = cursors.iter().map(|(name, _)| name);
        let new: std::collections::BTreeSet<_> = new
            .filter(|name| !self.cursors.contains_key(*name))
            .collect();
        self.cursors.len() + new.len() > CURSORS_MAX
    }

    /// Numbers the records and adds the frame to the last group, which has room for it.
    fn encode(&mut self, job: Job<'_>) {
        let Some(group) = self.groups.back_mut() else {
            return;
        };
        let Job {
            work,
            frame_bytes,
            durability,
            done,
        } = job;
        let position = self.head.position;
        let mut appends = 0;
        if frame_bytes > 0 {
            // The buffer starts where the frames that were encoded before it end.
            let base = self.head.end - group.frames.len() as u64;
            let before = group.frames.len();
            let head = self.head;
            let frame = FrameEncoder::start(&mut group.frames, head.salt, head.synced, position);
            let mut target = Target {
                base,
                frame,
                records: &mut group.records,
                changes: &mut group.changes,
                extents: &mut self.extents,
                floor: self.floor,
                cursors: &mut self.cursors,
                begun: &mut self.begun,
            };
            match work {
                Work::Batch(batch) => {
                    appends = batch.appends.len();
                    target.batch(batch, &self.numbers);
                }
                Work::Trim(lows) => target.trim(lows),
                Work::Roll => {}
            }
            self.head.position = target.frame.finish();
            self.head.end += (group.frames.len() - before) as u64;
        }
        let cost = frame_bytes + JOB_BYTES;
        group.cost += cost;
        self.cost += cost;
        group.jobs.push_back(Pending {
            durability,
            position,
            next_position: self.head.position,
            appends,
            records_end: group.records.len(),
            changes_end: group.changes.len(),
            done,
        });
    }
}
