//! What follows a write: it is made visible and the callers are told, in the order of the calls.
//!
//! While more waits, a thread of its own does so for one group as the writer syncs the next: the disk
//! does not wait for callers.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

use crate::Placed;
use crate::mutant::{self, Mutant};
use crate::queue::{Group, Queue};
use crate::recent::Chunk;
use crate::registry::STATE;
use crate::shared::Shared;

/// A group that is written, and how far it is acknowledged.
pub(crate) struct Progress {
    pub(crate) group: Group,
    /// Its frames, until readers find them.
    pub(crate) chunk: Option<Arc<Chunk>>,
    /// Where its frames end in the segment.
    pub(crate) end: u64,
    records_shown: usize,
    records_acknowledged: usize,
    changes_shown: usize,
    /// Buffers that are free again.
    free: Vec<Vec<u8>>,
}

impl Progress {
    /// A group of which nothing is written yet.
    pub(crate) fn new(group: Group, end: u64) -> Self {
        Self {
            group,
            chunk: None,
            end,
            records_shown: 0,
            records_acknowledged: 0,
            changes_shown: 0,
            free: Vec::new(),
        }
    }
}

/// How much of a segment is on the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Synced {
    /// Of the segment.
    pub(crate) salt: u32,
    pub(crate) bytes: u64,
}

/// Makes groups visible and tells their callers.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledger {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) recent_bytes_max: usize,
}

impl Acknowledger {
    /// Makes what is left of a group visible, says so, and gives its memory back.
    pub(crate) fn finish(&self, mut progress: Progress, synced: Synced) {
        let left = progress.group.jobs.len();
        self.acknowledge(&mut progress, left);
        let Progress {
            mut group, free, ..
        } = progress;
        group.clear();
        self.queue.written(synced, group, free);
    }

    /// Makes the first `count` batches visible, then says so.
    pub(crate) fn acknowledge(&self, progress: &mut Progress, count: usize) {
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
    pub(crate) fn show(&self, progress: &mut Progress, count: usize) {
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
            let gone = chunk.map(|c| visible.recent.push(c, self.recent_bytes_max));
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
}

/// Between the writer and the thread that acknowledges beside it: one group at a time.
#[derive(Default)]
pub(crate) struct Relay {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    handed: Option<(Progress, Synced)>,
    /// A group is handed over and not yet acknowledged.
    busy: bool,
    ended: bool,
}

/// Whatever ends the thread, a panic of a caller's too, leaves nobody waiting for it.
pub(crate) struct EndOnDrop<'a>(pub(crate) &'a Relay);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A panic of a caller lets no more be appended, and wakes the writer, which may sleep.
struct StopOnPanic<'a>(&'a Queue);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close("the writer has ended");
        }
    }
}

impl Relay {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Acknowledges what is handed over until it is ended.
    pub(crate) fn run(&self, acknowledger: &Acknowledger) {
        let _end = EndOnDrop(self);
        let _stop = StopOnPanic(&acknowledger.queue);
        acknowledger.shared.answer_here();
        loop {
            let mut state = self.state();
            let (progress, synced) = loop {
                if let Some(handed) = state.handed.take() {
                    break handed;
                }
                if state.ended {
                    return;
                }
                state = self.wait(state);
            };
            drop(state);
            acknowledger.finish(progress, synced);
            self.state().busy = false;
            self.changed.notify_one();
        }
    }

    /// Whether a group is not yet acknowledged.
    pub(crate) fn is_busy(&self) -> bool {
        self.state().busy
    }

    /// Hands a group over once the one before it is acknowledged. Returns it when nobody is there.
    pub(crate) fn hand_over(&self, progress: Progress, synced: Synced) -> Option<Progress> {
        let mut state = self.idle();
        if state.ended {
            return Some(progress);
        }
        state.handed = Some((progress, synced));
        state.busy = true;
        drop(state);
        self.changed.notify_one();
        None
    }

    /// Waits until all that was handed over is acknowledged. Returns whether it is: a panic may have
    /// ended that.
    pub(crate) fn settle(&self) -> bool {
        !self.idle().busy
    }

    fn idle(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while state.busy && !state.ended {
            state = self.wait(state);
        }
        state
    }

    /// Ends [`Relay::run`] once what is handed over is acknowledged.
    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_one();
    }
}
