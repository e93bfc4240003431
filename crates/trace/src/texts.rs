//! Texts that repeat, each stored once and named by a number.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// Numbered texts. At its limits it takes no more: those are stored where they occur.
#[derive(Debug)]
pub(crate) struct Texts {
    numbers: HashMap<Arc<str>, u32, RandomState>,
    texts: Vec<Arc<str>>,
    bytes: usize,
    texts_max: usize,
    bytes_max: usize,
}

impl Texts {
    pub(crate) fn new(texts_max: usize, bytes_max: usize) -> Self {
        Self {
            numbers: HashMap::default(),
            texts: Vec::new(),
            bytes: 0,
            texts_max,
            bytes_max,
        }
    }

    /// The number of the text; `None` when it is new and there is no room.
    pub(crate) fn number(&mut self, text: &str) -> Option<u32> {
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        if self.texts.len() >= self.texts_max || self.bytes + text.len() > self.bytes_max {
            return None;
        }
        let number = u32::try_from(self.texts.len()).ok()?;
        let shared: Arc<str> = Arc::from(text);
        self.numbers.insert(Arc::clone(&shared), number);
        self.texts.push(shared);
        self.bytes += text.len();
        Some(number)
    }

    /// The text of a number that was given out.
    pub(crate) fn text(&self, number: u32) -> Option<&Arc<str>> {
        self.texts.get(usize::try_from(number).ok()?)
    }
}
