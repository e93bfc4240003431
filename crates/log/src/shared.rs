//! What the writer and the callers share: the index of visible records, and who follows channels.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tidegate_base::Name;

use crate::index::Index;

/// Called with a channel's tail whenever it has grown.
type Observer = Box<dyn FnMut(u64) + Send>;

/// The visible records and the observers of channels.
#[derive(Default)]
pub(crate) struct Shared {
    index: RwLock<Index>,
    observers: Mutex<HashMap<Name, Vec<Observer>>>,
}

impl Shared {
    /// Shares `index`.
    pub(crate) fn new(index: Index) -> Self {
        Self {
            index: RwLock::new(index),
            observers: Mutex::default(),
        }
    }

    /// The index, to read. Changes are whole whenever the lock is free.
    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index, to change.
    pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `observer` with the tail of `channel` now, and from then on whenever it has grown.
    pub(crate) fn follow(&self, channel: &Name, mut observer: Observer) {
        let mut observers = self
            .observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Under the lock of the observers, so that no growth falls between the two.
        observer(self.index().tail(channel.as_str()));
        observers.entry(channel.clone()).or_default().push(observer);
    }

    /// Tells the observers of channels that have grown.
    pub(crate) fn notify(&self, grown: Vec<(Name, u64)>) {
        let mut observers = self
            .observers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for (channel, tail) in grown {
            for observer in observers.get_mut(&channel).into_iter().flatten() {
                observer(tail);
            }
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("position", &self.index().position)
            .finish_non_exhaustive()
    }
}
