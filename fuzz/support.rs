//! What the targets share.

use std::cell::Cell;

/// Most questions whether to go on that one comparison may ask before it is told to stop.
pub const ASKED_MAX: u32 = 2_000;
/// Most questions after that: every loop that works must hear it.
pub const DEAF_MAX: u32 = 2_000;

/// The parts of an input, which are separated by lines of three dashes.
#[must_use]
pub fn parts(data: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(data).ok()?;
    Some(text.split("\n---\n").collect())
}

/// A caller that stops a comparison after some questions.
#[derive(Debug, Default)]
pub struct Patience {
    asked: Cell<u32>,
}

impl Patience {
    /// Whether to go on.
    pub fn go_on(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.asked.get() <= ASKED_MAX
    }

    /// Panics when it was asked on and on after it had said no.
    pub fn check(&self) {
        assert!(
            self.asked.get() <= ASKED_MAX + DEAF_MAX,
            "works on after it was told to stop"
        );
    }
}

/// Lets panics unwind that somebody catches; what nobody catches still ends the run.
pub fn let_panics_be_caught() {
    std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
}
