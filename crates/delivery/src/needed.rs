//! What of a channel is still needed: retention must leave it.

use std::collections::BTreeSet;

use crate::consumer::Consumer;
use crate::mutant::{self, Mutant};

/// What a channel's consumers may still ask for.
///
/// Nothing is added to it but what comes new to the channel: what was said earlier is never too
/// little.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Everything from this sequence on: the least watermark. `None` when the channel has no
    /// consumer.
    pub from: Option<u64>,
    /// Deliveries before it that are not finished: dead letters, those that wait behind one, and
    /// those that were sent back. The state keeps them, but not their payloads.
    pub pinned: BTreeSet<u64>,
}

impl Needed {
    pub(crate) fn by<'a>(consumers: impl Iterator<Item = &'a Consumer> + Clone) -> Self {
        let from = consumers.clone().map(Consumer::watermark).min();
        let pinned = consumers.flat_map(|consumer| consumer.live_before(from.unwrap_or_default()));
        let pinned = pinned.filter(|_| !mutant::is(Mutant::LettersNotNeeded));
        Self {
            from,
            pinned: pinned.collect(),
        }
    }
}
