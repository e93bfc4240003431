//! The limit: one file, appended by one thread with group commit. No frames, no checksums, no
//! channels, no index; the consumer gets each group from memory.
//!
//! In all else it does what the log's writer does, but for answering on a thread of its own, by which it
//! gains nothing that can be measured: bodies are copied into the group that gathers
//! where they are appended; zeros are written ahead, so that a sync finds the file's length unchanged;
//! one write and one `fdatasync` a group; buffers are used again; threads are woken only when they
//! sleep.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use bytes::Bytes;

use crate::inbox::Inbox;
use crate::sink::{Reader, Sink};

/// Zeros written at once ahead of the end; the same as the log's.
const AHEAD_BYTES: usize = 1 << 20;
/// Most buffers that are kept to be used again; the same as the log's.
const SPARE_MAX: usize = 4;

type Done = Box<dyn FnOnce() + Send>;

/// Bodies that are written together.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    /// Where each body ends.
    ends: Vec<usize>,
}

#[derive(Default)]
struct Gathering {
    group: Group,
    done: Vec<Done>,
    spare: Vec<Group>,
    idle: bool,
    ended: bool,
}

#[derive(Default)]
struct Queue {
    gathering: Mutex<Gathering>,
    changed: Condvar,
}

impl Queue {
    /// Waits for a group and takes it; `done` is swapped along. `None` at the end.
    fn take(&self, done: &mut Vec<Done>) -> Option<Group> {
        let mut gathering = self.gathering.lock().unwrap();
        while gathering.done.is_empty() {
            if gathering.ended {
                return None;
            }
            gathering.idle = true;
            gathering = self.changed.wait(gathering).unwrap();
        }
        std::mem::swap(&mut gathering.done, done);
        let spare = gathering.spare.pop().unwrap_or_default();
        Some(std::mem::replace(&mut gathering.group, spare))
    }

    fn give_back(&self, mut group: Group) {
        group.bytes.clear();
        group.ends.clear();
        let mut gathering = self.gathering.lock().unwrap();
        if gathering.spare.len() < SPARE_MAX {
            gathering.spare.push(group);
        }
    }
}

/// A bare appended file.
pub(crate) struct BareFile {
    queue: Arc<Queue>,
    inbox: Arc<Inbox<Group>>,
    writer: Option<JoinHandle<()>>,
}

impl BareFile {
    /// An empty file at `path` with its writer.
    pub(crate) fn create(path: &Path, reader: Reader) -> Self {
        let file = File::create_new(path).expect("a new file");
        let queue = Arc::new(Queue::default());
        let inbox = Arc::new(Inbox::new());
        let writer = thread::spawn({
            let (queue, inbox) = (Arc::clone(&queue), Arc::clone(&inbox));
            let inbox = (reader == Reader::Consumer).then_some(inbox);
            move || write(&file, &queue, inbox.as_deref())
        });
        Self {
            queue,
            inbox,
            writer: Some(writer),
        }
    }
}

impl Sink for BareFile {
    fn send(&self, _channel: usize, body: &Bytes, done: impl FnOnce() + Send + 'static) {
        let done = Box::new(done);
        let mut gathering = self.queue.gathering.lock().unwrap();
        gathering.group.bytes.extend_from_slice(body);
        let end = gathering.group.bytes.len();
        gathering.group.ends.push(end);
        gathering.done.push(done);
        let wake = std::mem::take(&mut gathering.idle);
        drop(gathering);
        if wake {
            self.queue.changed.notify_one();
        }
    }

    fn consume(&self, mut each: impl FnMut(&[u8]), read: impl Fn(u64)) {
        let mut groups = Vec::new();
        while self.inbox.take(&mut groups) {
            for group in groups.drain(..) {
                let mut start = 0;
                for end in &group.ends {
                    each(&group.bytes[start..*end]);
                    start = *end;
                }
                read(group.ends.len() as u64);
                self.queue.give_back(group);
            }
        }
    }

    fn end(&self) {
        self.inbox.end();
    }
}

impl Drop for BareFile {
    fn drop(&mut self) {
        self.queue.gathering.lock().unwrap().ended = true;
        self.queue.changed.notify_one();
        let writer = self.writer.take().expect("one writer");
        writer.join().expect("it ends");
    }
}

fn write(file: &File, queue: &Queue, inbox: Option<&Inbox<Group>>) {
    let (mut end, mut allocated) = (0, 0);
    let mut done = Vec::new();
    while let Some(mut group) = queue.take(&mut done) {
        let length = group.bytes.len();
        if end + length as u64 > allocated && length < AHEAD_BYTES {
            group.bytes.resize(length + AHEAD_BYTES, 0);
        }
        file.write_all_at(&group.bytes, end).expect("a write");
        allocated = allocated.max(end + group.bytes.len() as u64);
        end += length as u64;
        file.sync_data().expect("a sync");
        match inbox {
            Some(inbox) => inbox.push(group),
            None => queue.give_back(group),
        }
        for done in done.drain(..) {
            done();
        }
    }
}
