//! Dead letters: how they are listed, sent back, given up and taken back.

use thiserror::Error;
use tidegate_base::ConsumerId;
use tidegate_base::limit::JOB_LETTERS_MAX;

use crate::letter_filter::LetterFilter;
use crate::view::{DeadLetterGroup, DeadLetterView};

/// Which dead letters to list.
#[derive(Clone, Debug)]
pub struct DeadLetterFilter {
    /// What they have in common.
    pub which: LetterFilter,
    /// Most letters of the page.
    pub limit: usize,
    /// Only those after this letter of an earlier page.
    pub after: Option<String>,
}

impl Default for DeadLetterFilter {
    fn default() -> Self {
        Self {
            which: LetterFilter::default(),
            limit: 100,
            after: None,
        }
    }
}

/// Dead letters, by consumer in the order of the design, then oldest event first.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct DeadLetterPage {
    /// The letters of this page.
    pub letters: Vec<DeadLetterView>,
    /// All that match, by cause, most first; not only those of this page. When payloads are looked
    /// into, only those of this page.
    pub groups: Vec<DeadLetterGroup>,
    /// How many match, as the groups.
    pub total: u64,
    /// Where to go on: the letters after this one have not been looked at. `None`: there are none.
    pub next: Option<String>,
}

/// Which dead letters to send back or to give up.
#[derive(Clone, Debug)]
pub enum LettersSelection {
    /// These.
    Ids(Vec<String>),
    /// All that have this in common.
    Matching(Box<LetterFilter>),
}

impl LettersSelection {
    /// All of a consumer.
    #[must_use]
    pub fn of(consumer: ConsumerId) -> Self {
        Self::Matching(Box::new(LetterFilter {
            consumer: Some(consumer),
            ..LetterFilter::default()
        }))
    }
}

/// What became of the letters of a selection.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LettersReport {
    /// The letters with which it was done, durably.
    pub done: Vec<String>,
    /// The letters that did not, each with the reason.
    pub refused: Vec<(String, String)>,
}

/// Why nothing was done with any letter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LettersError {
    /// The design has no such consumer.
    #[error("consumer `{consumer}` is not in the design")]
    UnknownConsumer {
        /// The consumer asked for.
        consumer: ConsumerId,
    },
    /// More letters match than can be taken together.
    #[error("more than {JOB_LETTERS_MAX} dead letters match; narrow the selection down")]
    Many,
    /// The system finishes what runs and starts nothing new.
    #[error("the system is draining")]
    Draining,
    /// The system has stopped.
    #[error("the system has stopped")]
    Stopped,
}
