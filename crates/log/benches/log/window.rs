//! How many records a producer has in flight.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};

/// Nobody waits.
const NOBODY: u64 = u64::MAX;

/// Bounds what one producer has in flight. Whoever is done wakes it only when it sleeps, and not for
/// a single free place of many: a quarter of the window must be free.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    done: AtomicU64,
    /// The producer waits until this many are done.
    awaited: AtomicU64,
    ended: AtomicBool,
    producer: OnceLock<Thread>,
}

impl Window {
    pub(crate) fn new(size: u64) -> Self {
        Self {
            size,
            done: AtomicU64::new(0),
            awaited: AtomicU64::new(NOBODY),
            ended: AtomicBool::new(false),
            producer: OnceLock::new(),
        }
    }

    /// Waits until the record after `sent` may go. Always called by the same thread. Returns whether
    /// to go on.
    pub(crate) fn enter(&self, sent: u64) -> bool {
        if sent - self.done() >= self.size {
            self.wait(sent);
        }
        !self.ended.load(Ordering::Relaxed)
    }

    #[cold]
    fn wait(&self, sent: u64) {
        self.producer.get_or_init(thread::current);
        let enough = sent - self.size + self.size.div_ceil(4);
        self.awaited.store(enough, Ordering::SeqCst);
        while self.done.load(Ordering::SeqCst) < enough && !self.ended.load(Ordering::SeqCst) {
            thread::park();
        }
        self.awaited.store(NOBODY, Ordering::SeqCst);
    }

    /// `count` more are done.
    pub(crate) fn leave(&self, count: u64) {
        let done = self.done.fetch_add(count, Ordering::SeqCst) + count;
        if done >= self.awaited.load(Ordering::SeqCst)
            && self.awaited.swap(NOBODY, Ordering::SeqCst) != NOBODY
        {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(producer) = self.producer.get() {
            producer.unpark();
        }
    }

    /// How many are done.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    /// Lets the producer stop.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.wake();
    }
}

/// Ends windows however the scope is left, so that no producer waits for ever.
pub(crate) struct EndOnDrop<'a>(pub(crate) Vec<&'a Window>);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        for window in &self.0 {
            window.end();
        }
    }
}
