//! Texts that repeat, each stored once and named by a number.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::RandomState;

/// How many texts are remembered as seen once.
const SEEN: usize = 1 << 14;

/// How many numbers are at hand without a look into the table.
const LAST: usize = 64;

/// Where the number of a text is at hand.
fn place(text: &[u8]) -> usize {
    let byte = |at: usize| text.get(at).copied().map_or(0, usize::from);
    let length = text.len();
    let mixed = byte(0) + 3 * byte(length / 2) + 7 * byte(length.saturating_sub(1));
    (mixed + 11 * length) % LAST
}

/// Numbered texts. At its limits it takes no more: those are stored where they occur.
///
/// A text gets its number when it is seen again, so that unique ones, such as URLs with identifiers,
/// cost nothing. Of two texts whose hashes share a slot, one may be seen more often before it does.
#[derive(Debug)]
pub(crate) struct Texts {
    numbers: HashMap<Arc<str>, u32, RandomState>,
    texts: Vec<Arc<str>>,
    seen: Vec<u32>,
    bytes: usize,
    texts_max: usize,
    bytes_max: usize,
    /// The numbers that were asked for last, by a few bytes of the text: most texts come again soon.
    last: [u32; LAST],
}

impl Texts {
    pub(crate) fn new(texts_max: usize, bytes_max: usize) -> Self {
        Self {
            numbers: HashMap::default(),
            texts: Vec::new(),
            seen: Vec::new(),
            bytes: 0,
            texts_max,
            bytes_max,
            last: [0; LAST],
        }
    }

    /// The number of the text; `None` when it is new, or there is no room.
    pub(crate) fn number(&mut self, text: &str) -> Option<u32> {
        let place = place(text.as_bytes());
        if let Some(last) = self.last.get(place)
            && self.text(*last).is_some_and(|known| known.as_ref() == text)
        {
            return Some(*last);
        }
        if let Some(number) = self.numbers.get(text) {
            if let Some(last) = self.last.get_mut(place) {
                *last = *number;
            }
            return Some(*number);
        }
        if !self.is_seen_again(text) {
            return None;
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

    /// Whether the text was seen lately; it is from now on.
    fn is_seen_again(&mut self, text: &str) -> bool {
        let hash = self.numbers.hasher().hash_one(text);
        if self.seen.is_empty() {
            self.seen = vec![0; SEEN];
        }
        let slot = usize::try_from(hash).unwrap_or_default() % SEEN;
        // Never the zero of an empty slot.
        let tag = u32::try_from(hash >> 33).unwrap_or_default() | 1 << 31;
        let Some(slot) = self.seen.get_mut(slot) else {
            return false;
        };
        std::mem::replace(slot, tag) == tag
    }

    /// The text of a number that was given out.
    pub(crate) fn text(&self, number: u32) -> Option<&Arc<str>> {
        self.texts.get(usize::try_from(number).ok()?)
    }
}
