//! The first promise that was broken.

use std::cell::OnceCell;

#[derive(Default)]
pub(super) struct Broken(OnceCell<String>);

impl Broken {
    /// Notes what was broken unless something holds. What comes after the first is not noted.
    #[track_caller]
    pub(super) fn unless(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.get_or_init(what);
        }
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.get().is_some()
    }

    pub(super) fn take(&mut self) -> Option<String> {
        self.0.take()
    }
}
