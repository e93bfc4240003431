//! Writes the indexes of closed segments, off the path of the writer.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::index_file;
use crate::shared::Shared;

/// Most closed segments whose places may wait in memory for their index.
const SEALED_MAX: usize = 2;

/// Makes the indexes of closed segments, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Indexer {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wanted {
    more: bool,
    ended: bool,
}

impl Indexer {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that there is a closed segment without an index.
    pub(crate) fn wake(&self) {
        self.wanted().more = true;
        self.changed.notify_one();
    }

    /// Ends [`Indexer::run`].
    pub(crate) fn end(&self) {
        self.wanted().ended = true;
        self.changed.notify_one();
    }

    /// Makes indexes whenever it is woken, until it is ended. One that cannot be written stays in
    /// memory and is tried again with the next.
    pub(crate) fn run(&self, shared: &Shared) {
        loop {
            let mut wanted = self.wanted();
            while !wanted.more && !wanted.ended {
                wanted = self
                    .changed
                    .wait(wanted)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if wanted.ended {
                return;
            }
            wanted.more = false;
            drop(wanted);
            drop(self.make_all(shared));
        }
    }

    /// Makes all indexes that wait.
    ///
    /// # Errors
    ///
    /// When one cannot be written; it and those after it wait on.
    pub(crate) fn make_all(&self, shared: &Shared) -> io::Result<()> {
        let _making = shared.directories.making();
        loop {
            let sealed = shared.visible().sealed.first().cloned();
            let Some(sealed) = sealed else {
                return Ok(());
            };
            let closed = &sealed.closed;
            let disk = shared.files.disk();
            // A copy: nobody who appends may wait for the disk.
            let registry = shared.registry().clone();
            index_file::write(
                disk,
                &closed.segment,
                closed.bytes,
                &sealed.places,
                &registry,
            )?;
            shared.files.forget(&closed.segment.id.index_name());
            let mut visible = shared.visible_mut();
            visible.sealed.retain(|other| other.closed != *closed);
        }
    }

    /// Makes room for one more closed segment in memory.
    pub(crate) fn keep_up(&self, shared: &Shared) -> io::Result<()> {
        let waiting = shared.visible().sealed.len();
        match waiting < SEALED_MAX {
            true => Ok(()),
            false => self.make_all(shared),
        }
    }
}
