//! The log as its users hold it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};

use crate::clean::{self, Compacted};
use crate::disk::{Directory, Disk};
use crate::frame::{FRAME_BYTES_MAX, frame_bytes};
use crate::housekeeping::Indexer;
use crate::lock::Lock;
use crate::queue::{Job, Queue, Work};
use crate::read;
use crate::record::misfit;
use crate::recovery::recover;
use crate::reserve;
use crate::shared::Shared;
use crate::writer::{Writer, head_of};
use crate::{
    AppendError, Batch, CleanError, Cleaned, Durability, Keep, OpenError, Options, Placed,
    ReadError, ReadLimit, Record, Recovery, SEGMENT_BYTES_MAX,
};

/// An open log. Dropping it closes it.
///
/// Appends take effect in the order of the calls, and become visible and are acknowledged in that
/// order. All methods may be called from any thread. None but `close` and `clean` waits for the disk
/// to sync.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    indexer: Arc<Indexer>,
    drive: Mutex<Drive>,
    compacted: Mutex<Compacted>,
    options: Options,
    _lock: Option<Arc<Lock>>,
}

/// Who writes.
#[derive(Debug)]
enum Drive {
    /// Threads of the log's own: the writer, and who makes indexes.
    Threads(JoinHandle<()>, JoinHandle<()>),
    /// Whoever calls [`Log::step`].
    Steps(Box<Writer>),
    /// Nobody any more.
    Ended,
}

impl Log {
    /// Opens the log in `directory`, or starts one there. Returns what was found with it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when another process has it open, when the header of a segment is damaged beyond
    /// its copies, or when the directory cannot be used. A torn tail is no error: it is cut off and
    /// kept aside. Damage is no error: it is in the [`Recovery`], and what is whole is read.
    pub fn open(directory: &Path, options: Options) -> Result<(Self, Recovery), OpenError> {
        let name = directory.display().to_string();
        let disk = Directory::create(directory).map_err(OpenError::io("create", &name))?;
        let lock = Lock::take(directory)?;
        Self::start(Arc::new(disk), Some(lock), options)
    }

    /// Opens the log on `disk`, of which the caller is the only user.
    ///
    /// # Errors
    ///
    /// As [`Log::open`].
    pub fn open_on(disk: Arc<dyn Disk>, options: Options) -> Result<(Self, Recovery), OpenError> {
        Self::start(disk, None, options)
    }

    /// As [`Log::open_on`], but without threads: nothing is written but in [`Log::step`] and
    /// [`Log::close`]. The same calls on the same disk do the same.
    ///
    /// # Errors
    ///
    /// As [`Log::open`].
    pub fn open_stepped(
        disk: Arc<dyn Disk>,
        options: Options,
    ) -> Result<(Self, Recovery), OpenError> {
        let (mut log, writer, recovery) = Self::prepare(disk, None, options)?;
        log.drive = Mutex::new(Drive::Steps(Box::new(writer)));
        Ok((log, recovery))
    }

    fn start(
        disk: Arc<dyn Disk>,
        lock: Option<Lock>,
        options: Options,
    ) -> Result<(Self, Recovery), OpenError> {
        let (mut log, writer, recovery) = Self::prepare(disk, lock, options)?;
        let thread = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
            thread.map_err(OpenError::io("start", name))
        };
        let (indexer, shared) = (Arc::clone(&log.indexer), Arc::clone(&log.shared));
        let writing = thread("log-writer", Box::new(move || writer.run()))?;
        let indexing = thread("log-indexer", Box::new(move || indexer.run(&shared)))?;
        log.drive = Mutex::new(Drive::Threads(writing, indexing));
        // One that opening has closed may wait for its index.
        log.indexer.wake();
        Ok((log, recovery))
    }

    fn prepare(
        disk: Arc<dyn Disk>,
        lock: Option<Lock>,
        mut options: Options,
    ) -> Result<(Self, Writer, Recovery), OpenError> {
        options.segment_bytes = options.segment_bytes.min(SEGMENT_BYTES_MAX);
        let found = match recover(&disk) {
            // Keeping a torn tail takes room: that which was set aside.
            Err(error) if error.is_full() && reserve::give_back(disk.as_ref()).is_ok() => {
                recover(&disk)?
            }
            found => found?,
        };
        // A log without room for it is opened nevertheless.
        drop(reserve::set_aside(disk.as_ref(), options.reserve_bytes));
        let head = head_of(&found.tail, found.visible.position);
        let shared = Arc::new(Shared::new(found.registry, found.visible, found.files));
        let queue = Queue::new(options, Arc::clone(&disk), Arc::clone(&shared), head);
        let queue = Arc::new(queue);
        let indexer = Arc::<Indexer>::default();
        let mut writer = Writer::new(
            disk,
            options,
            Arc::clone(&shared),
            Arc::clone(&queue),
            Arc::clone(&indexer),
            found.tail,
        );
        let lock = lock.map(Arc::new);
        writer.hold(lock.clone());
        let log = Self {
            shared,
            queue,
            indexer,
            drive: Mutex::new(Drive::Ended),
            compacted: Mutex::default(),
            options,
            _lock: lock,
        };
        Ok((log, writer, found.recovery))
    }

    fn drive(&self) -> MutexGuard<'_, Drive> {
        self.drive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `batch` in the queue and returns. `done` is called once with where the batch went, as soon
    /// as it is done in its class and visible; or with why it was refused, then possibly before this
    /// returns. It is called on a thread of the log, one at a time, and must not wait.
    ///
    /// An empty batch writes nothing and is done once all before it are.
    pub fn append(
        &self,
        batch: Batch,
        durability: Durability,
        done: impl FnOnce(Result<Placed, AppendError>) + Send + 'static,
    ) {
        let bytes = frame_bytes(&batch);
        if bytes > FRAME_BYTES_MAX {
            done(Err(AppendError::Large {
                bytes,
                bytes_max: FRAME_BYTES_MAX,
            }));
            return;
        }
        if let Some(reason) = batch.appends.iter().find_map(misfit) {
            done(Err(AppendError::Invalid { reason }));
            return;
        }
        self.queue.push(Job {
            work: Work::Batch(&batch),
            frame_bytes: bytes,
            durability,
            done: Box::new(done),
        });
    }

    /// The records of `channel` from sequence `from` on, in order: at least one and no more than the
    /// limit allows; none at the tail or for a channel that does not exist. Sequences that retention
    /// or compaction has freed are skipped.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the first record asked for cannot be read. Those behind it can: ask for the
    /// next sequence.
    pub fn read(
        &self,
        channel: &Name,
        from: u64,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, ReadError> {
        read::records(&self.shared, channel, from, limit)
    }

    /// The state: the records of the last replacement, or from the start of the last checkpoint that was
    /// finished, and of every addition since, in order.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when any of it cannot be read.
    pub fn state(&self) -> Result<Vec<Bytes>, ReadError> {
        read::state(&self.shared)
    }

    /// The value of a cursor; `None` when it was never moved.
    #[must_use]
    pub fn cursor(&self, name: &Name) -> Option<u64> {
        self.shared.visible().cursors.get(name).copied()
    }

    /// One past the last visible sequence of `channel`; 0 when it does not exist.
    #[must_use]
    pub fn tail(&self, channel: &Name) -> u64 {
        let number = self.shared.registry().find(channel.as_str());
        number.map_or(0, |number| self.shared.visible().extent(number).next)
    }

    /// The first sequence of `channel` that retention has left; the tail when it has left none.
    #[must_use]
    pub fn head(&self, channel: &Name) -> u64 {
        let number = self.shared.registry().find(channel.as_str());
        number.map_or(0, |number| self.shared.visible().extent(number).low)
    }

    /// The sequence of the first record of `channel` whose time is `time` or later; the tail when
    /// there is none. Times need not ascend.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when a record on the way cannot be read.
    pub fn sequence_at(&self, channel: &Name, time: Timestamp) -> Result<u64, ReadError> {
        read::at_time(&self.shared, channel, time.nanos())
    }

    /// Calls `observer` with the tail of `channel` now, and from then on, on a thread of the log,
    /// whenever it has grown. It must neither wait nor call the log. A channel beyond the most that
    /// there may be never grows: its observer is called once, with 0.
    pub fn follow(&self, channel: &Name, mut observer: impl FnMut(u64) + Send + 'static) {
        let number = self.shared.registry_mut().number(channel);
        match number {
            Some(number) => self.shared.follow(number, Box::new(observer)),
            None => observer(0),
        }
    }

    /// Whether reading from that sequence on will not wait for a disk.
    #[must_use]
    pub fn is_recent(&self, channel: &Name, sequence: u64) -> bool {
        let Some(number) = self.shared.registry().find(channel.as_str()) else {
            return true;
        };
        let visible = self.shared.visible();
        if sequence >= visible.extent(number).next {
            return true;
        }
        let places = visible.places.channel(number);
        let places = places.filter(|places| places.start <= sequence);
        let place = places.and_then(|places| places.from(sequence).next());
        place.is_some_and(|place| visible.recent.holds(visible.active.id, place.byte))
    }

    /// Says what `channel` keeps, in the place of what was said before. It takes effect at the next
    /// [`Log::clean`]. Of a channel of which nothing was said since the log was opened, nothing is
    /// removed.
    pub fn keep(&self, channel: &Name, keep: Keep) {
        let number = self.shared.registry_mut().number(channel);
        if let Some(number) = number {
            self.shared.set_keep(number, keep);
        }
    }

    /// Removes what nobody needs: records that retention has passed, records of a key that has a newer
    /// one where only the latest is kept, state before the last replacement, old cursors. First what
    /// retention has passed is noted durably; then closed segments without anything that is needed are
    /// removed, and those that are needed for less than a half are written anew. On a full disk it uses
    /// the room that was set aside, and nothing is appended meanwhile. One clean runs at a time. Waits
    /// for the disk.
    ///
    /// # Errors
    ///
    /// [`CleanError`]: what was not removed is there, and the next clean goes on.
    pub fn clean(&self, now: Timestamp) -> Result<Cleaned, CleanError> {
        let mut compacted = self
            .compacted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let cleaner = clean::Cleaner {
            shared: &self.shared,
            queue: &self.queue,
            indexer: &self.indexer,
            segment_bytes: self.options.segment_bytes,
        };
        let mut clean = || {
            let cleaned = cleaner.clean(now, &mut compacted, || self.step());
            if cleaned.is_err() {
                // What was to be compacted is not known to be.
                compacted.clear();
            }
            cleaned
        };
        let disk = self.shared.files.disk();
        // Without room for it, it is tried again after the next clean.
        let set_aside = || drop(reserve::set_aside(disk, self.options.reserve_bytes));
        match clean() {
            Err(error) if error.is_full() => {
                let _held = self.queue.hold();
                // What waits already is refused before there is room that it could take.
                drop(cleaner.settle(|| self.step()));
                let cleaned = match reserve::give_back(disk) {
                    Ok(()) => clean(),
                    Err(_) => Err(error),
                };
                set_aside();
                cleaned
            }
            cleaned => {
                set_aside();
                cleaned
            }
        }
    }

    /// Writes one group of what waits, when the log was opened to be stepped. Returns whether there
    /// was one.
    pub fn step(&self) -> bool {
        match &mut *self.drive() {
            Drive::Steps(writer) => writer.step(),
            Drive::Threads(..) | Drive::Ended => false,
        }
    }

    /// Makes the indexes of closed segments now, when the log was opened to be stepped.
    ///
    /// # Errors
    ///
    /// When one cannot be written: it waits in memory.
    pub fn index(&self) -> std::io::Result<()> {
        self.indexer.make_all(&self.shared)
    }

    /// Why the writer takes no more; `None` while it does.
    #[must_use]
    pub fn stopped(&self) -> Option<String> {
        self.queue.stopped()
    }

    /// Refuses further appends, waits until what is queued is written and durable, and returns. Reads
    /// go on. The directory is free for another log once this one is dropped. From a callback of its own
    /// it does not wait: the directory is free a little later.
    pub fn close(&self) {
        self.queue.close("the log is closed");
        let drive = std::mem::replace(&mut *self.drive(), Drive::Ended);
        match drive {
            // From a callback: the threads cannot wait for themselves, and end on their own.
            Drive::Threads(..) if self.shared.answers_here() => {
                self.indexer.end();
                return;
            }
            Drive::Threads(writer, indexer) => {
                // A panic of a thread has stopped the queue already, which is how callers learn of it.
                drop(writer.join());
                self.indexer.end();
                drop(indexer.join());
            }
            Drive::Steps(mut writer) => {
                while writer.step() {}
                writer.close();
            }
            Drive::Ended => return,
        }
        // One that cannot be written now is made again at the next open.
        drop(self.indexer.make_all(&self.shared));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}
