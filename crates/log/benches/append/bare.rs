//! The limit: one file, zero-filled ahead, appended by one thread with group commit. No frames, no
//! checksums, no channels, no index, nothing to read back.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};

use bytes::Bytes;

/// Zeros written at once ahead of the end; the same as the log's.
const AHEAD_BYTES: usize = 1 << 20;

type Done = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    waiting: Mutex<(Vec<(Bytes, Done)>, bool)>,
    changed: Condvar,
}

/// A bare appended file.
pub(crate) struct BareFile {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
}

impl BareFile {
    /// An empty file at `path` with its writer.
    pub(crate) fn create(path: &Path) -> Self {
        let file = File::create(path).expect("a new file");
        let queue = Arc::new(Queue::default());
        let writer = Some(thread::spawn({
            let queue = Arc::clone(&queue);
            move || write(&file, &queue)
        }));
        Self { queue, writer }
    }

    /// Queues `body`; `done` is called once it is durable.
    pub(crate) fn append(&self, body: Bytes, done: Done) {
        self.queue.waiting.lock().unwrap().0.push((body, done));
        self.queue.changed.notify_one();
    }
}

impl Drop for BareFile {
    fn drop(&mut self) {
        self.queue.waiting.lock().unwrap().1 = true;
        self.queue.changed.notify_one();
        self.writer
            .take()
            .expect("one writer")
            .join()
            .expect("it ends");
    }
}

fn write(file: &File, queue: &Queue) {
    let (mut end, mut allocated) = (0, 0);
    let mut buffer = Vec::new();
    loop {
        let waiting = queue.waiting.lock().unwrap();
        let mut waiting = queue
            .changed
            .wait_while(waiting, |(jobs, ended)| jobs.is_empty() && !*ended)
            .unwrap();
        let jobs = std::mem::take(&mut waiting.0);
        drop(waiting);
        if jobs.is_empty() {
            return;
        }
        buffer.clear();
        for (body, _) in &jobs {
            buffer.extend_from_slice(body);
        }
        let length = buffer.len();
        if end + length as u64 > allocated && length < AHEAD_BYTES {
            buffer.resize(length + AHEAD_BYTES, 0);
        }
        file.write_all_at(&buffer, end).expect("a write");
        allocated = allocated.max(end + buffer.len() as u64);
        end += length as u64;
        file.sync_data().expect("a sync");
        for (_, done) in jobs {
            done();
        }
    }
}
