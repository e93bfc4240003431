//! The batches that wait for the writer: bounded in bytes, taken in the order of the calls.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{AppendError, Batch, Durability, Placed};

/// What is called once an append is done or refused.
pub(crate) type Done = Box<dyn FnOnce(Result<Vec<Placed>, AppendError>) + Send>;

/// What a waiting batch costs beside its bytes, about.
const JOB_BYTES: usize = 256;
/// When to come back to a full queue: the writer empties it in this order of time.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// A batch that waits.
pub(crate) struct Job {
    pub(crate) batch: Batch,
    /// Bytes of its frame.
    pub(crate) frame_bytes: usize,
    pub(crate) durability: Durability,
    pub(crate) done: Done,
}

/// Between the callers and the writer.
#[derive(Debug)]
pub(crate) struct Queue {
    bytes_max: usize,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Why no more are taken.
    stopped: Option<String>,
    /// Whether the writer ends once it has written what waits.
    draining: bool,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("frame_bytes", &self.frame_bytes)
            .finish_non_exhaustive()
    }
}

impl Queue {
    /// An empty queue that holds at most `bytes_max` bytes, or one batch of any size.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            waiting: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch at the end, or refuses it at once.
    pub(crate) fn push(&self, job: Job) {
        let refused = {
            let mut waiting = self.waiting();
            let bytes = job.frame_bytes + JOB_BYTES;
            if let Some(reason) = &waiting.stopped {
                Some((
                    job,
                    AppendError::Stopped {
                        reason: reason.clone(),
                    },
                ))
            } else if waiting.bytes > 0 && waiting.bytes + bytes > self.bytes_max {
                let reason = format!(
                    "{} bytes wait for the writer, of at most {}",
                    waiting.bytes, self.bytes_max
                );
                Some((
                    job,
                    AppendError::Full {
                        reason,
                        retry_after: RETRY_AFTER,
                    },
                ))
            } else {
                waiting.bytes += bytes;
                waiting.jobs.push_back(job);
                None
            }
        };
        match refused {
            Some((job, error)) => (job.done)(Err(error)),
            None => self.changed.notify_one(),
        }
    }

    /// Waits for batches and takes them, up to `bytes_max` and at least one; `None` once the queue
    /// is closed and empty.
    pub(crate) fn take(&self, bytes_max: usize) -> Option<VecDeque<Job>> {
        let mut waiting = self.waiting();
        while waiting.jobs.is_empty() {
            if waiting.draining {
                return None;
            }
            waiting = self
                .changed
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.bytes <= bytes_max {
            waiting.bytes = 0;
            return Some(std::mem::take(&mut waiting.jobs));
        }
        let mut taken = VecDeque::new();
        let mut bytes = 0;
        while let Some(job) = waiting.jobs.pop_front() {
            bytes += job.frame_bytes + JOB_BYTES;
            taken.push_back(job);
            if bytes >= bytes_max {
                break;
            }
        }
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        Some(taken)
    }

    /// Takes no more; the writer ends once what waits is written.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.draining = true;
        waiting
            .stopped
            .get_or_insert_with(|| "the log is closed".to_owned());
        drop(waiting);
        self.changed.notify_all();
    }

    /// Takes no more and refuses what waits. The first reason stays.
    pub(crate) fn stop(&self, reason: &str) {
        let (jobs, reason) = {
            let mut waiting = self.waiting();
            waiting.bytes = 0;
            waiting.draining = true;
            let reason = waiting
                .stopped
                .get_or_insert_with(|| reason.to_owned())
                .clone();
            (std::mem::take(&mut waiting.jobs), reason)
        };
        for job in jobs {
            (job.done)(Err(AppendError::Stopped {
                reason: reason.clone(),
            }));
        }
    }

    /// Why no more are taken; `None` while they are.
    pub(crate) fn stopped(&self) -> Option<String> {
        self.waiting().stopped.clone()
    }
}
