//! What the writer hands to the consumer: the same for the log and the bare file.

use std::sync::{Condvar, Mutex};

/// A list that one thread fills and another takes as a whole, woken only when it sleeps.
pub(crate) struct Inbox<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

struct State<T> {
    items: Vec<T>,
    sleeps: bool,
    ended: bool,
}

impl<T> Inbox<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                items: Vec::new(),
                sleeps: false,
                ended: false,
            }),
            filled: Condvar::new(),
        }
    }

    pub(crate) fn push(&self, item: T) {
        let mut state = self.state.lock().unwrap();
        state.items.push(item);
        let wake = std::mem::take(&mut state.sleeps);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Waits for items and swaps them for the empty `items`. Returns whether it goes on.
    pub(crate) fn take(&self, items: &mut Vec<T>) -> bool {
        let mut state = self.state.lock().unwrap();
        while state.items.is_empty() && !state.ended {
            state.sleeps = true;
            state = self.filled.wait(state).unwrap();
        }
        std::mem::swap(&mut state.items, items);
        !state.ended
    }

    pub(crate) fn end(&self) {
        self.state.lock().unwrap().ended = true;
        self.filled.notify_one();
    }
}
