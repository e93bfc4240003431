//! The log as its users hold it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tidegate_base::Name;

use crate::disk::{Directory, Disk};
use crate::frame::{FRAME_BYTES_MAX, frame_bytes};
use crate::lock::Lock;
use crate::queue::{Job, Queue};
use crate::read::{self, Place, READ_RECORDS_MAX};
use crate::recovery::recover;
use crate::shared::Shared;
use crate::writer::Writer;
use crate::{
    AppendError, Batch, Durability, OpenError, Options, Placed, ReadError, ReadLimit, Record,
    Recovery,
};

/// How far behind the end a record is likely still in the memory of the operating system.
const RECENT_BYTES: u64 = 16 << 20;

/// An open log. Dropping it closes it.
///
/// Appends take effect in the order of the calls, and become visible and are acknowledged in that
/// order. All methods may be called from any thread; none but `close` waits for the disk to sync.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
    _lock: Option<Lock>,
}

impl Log {
    /// Opens the log in `directory`, or starts one there. Returns what the scan found with it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] when another process has it open, when it is damaged, or when the directory
    /// cannot be used. A torn tail is no error: it is cut off and kept aside.
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

    fn start(
        disk: Arc<dyn Disk>,
        lock: Option<Lock>,
        options: Options,
    ) -> Result<(Self, Recovery), OpenError> {
        let (index, tail, recovery) = recover(disk.as_ref())?;
        let shared = Arc::new(Shared::new(index));
        let queue = Arc::new(Queue::new(options.queue_bytes_max));
        let writer = Writer::new(disk, options, Arc::clone(&shared), Arc::clone(&queue), tail);
        let thread = thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(OpenError::io("start", "log-writer"))?;
        let log = Self {
            shared,
            queue,
            writer: Mutex::new(Some(thread)),
            _lock: lock,
        };
        Ok((log, recovery))
    }

    /// Puts `batch` in the queue and returns. `done` is called once with where its appends went, in
    /// order, as soon as the batch is done in its class and visible; or with why it was refused, then
    /// possibly before this returns. It is called on the writer's thread and must not wait.
    ///
    /// An empty batch writes nothing and is done once all before it are.
    pub fn append(
        &self,
        batch: Batch,
        durability: Durability,
        done: impl FnOnce(Result<Vec<Placed>, AppendError>) + Send + 'static,
    ) {
        let frame_bytes = frame_bytes(&batch);
        if frame_bytes > FRAME_BYTES_MAX {
            done(Err(AppendError::Large {
                bytes: frame_bytes,
                bytes_max: FRAME_BYTES_MAX,
            }));
            return;
        }
        self.queue.push(Job {
            batch,
            frame_bytes,
            durability,
            done: Box::new(done),
        });
    }

    /// The records of `channel` from sequence `from` on: at least one and no more than the limit
    /// allows; none at the tail or for a channel that does not exist. Reads from the disk.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the first record asked for cannot be read.
    pub fn read(
        &self,
        channel: &Name,
        from: u64,
        limit: ReadLimit,
    ) -> Result<Vec<Record>, ReadError> {
        let places = {
            let index = self.shared.index();
            let count = limit.records.min(READ_RECORDS_MAX);
            let addresses = index.addresses(channel, from, count);
            places(&index, addresses)
        };
        read::records(channel, from, &places, limit)
    }

    /// The state: the records of the last replacement and of every addition since, in order.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when any of it cannot be read.
    pub fn state(&self) -> Result<Vec<Bytes>, ReadError> {
        let places = {
            let index = self.shared.index();
            places(&index, index.state_addresses())
        };
        read::state(&places)
    }

    /// One past the last visible sequence of `channel`; 0 when it does not exist.
    #[must_use]
    pub fn tail(&self, channel: &Name) -> u64 {
        self.shared.index().tail(channel.as_str())
    }

    /// Calls `observer` with the tail of `channel` now, and from then on, on the writer's thread,
    /// whenever it has grown. It must neither wait nor call the log.
    pub fn follow(&self, channel: &Name, observer: impl FnMut(u64) + Send + 'static) {
        self.shared.follow(channel, Box::new(observer));
    }

    /// Whether the record was written so recently that reading it will hardly wait for a disk.
    #[must_use]
    pub fn is_recent(&self, channel: &Name, sequence: u64) -> bool {
        let index = self.shared.index();
        let address = index.addresses(channel, sequence, 1).first().copied();
        address.is_none_or(|address| index.end.saturating_sub(address) <= RECENT_BYTES)
    }

    /// Why the writer takes no more; `None` while it does.
    #[must_use]
    pub fn stopped(&self) -> Option<String> {
        self.queue.stopped()
    }

    /// Refuses further appends, waits until what is queued is written and durable, and returns. Reads
    /// go on. The directory is free for another log once this one is dropped.
    pub fn close(&self) {
        self.queue.close();
        let thread = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // A panic of the writer has stopped the queue already, which is how callers learn of it.
        drop(thread.map(JoinHandle::join));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

fn places(index: &crate::index::Index, addresses: Vec<u64>) -> Vec<Place> {
    let place = |address| {
        let segment = Arc::clone(index.segment(address)?);
        let byte = address - segment.base;
        Some(Place { segment, byte })
    };
    addresses.into_iter().map_while(place).collect()
}
