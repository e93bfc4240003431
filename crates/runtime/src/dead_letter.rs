//! Dead letters: how they are listed, sent back, given up and taken back.

use thiserror::Error;
use tidegate_base::ConsumerId;

use crate::view::{DeadLetterGroup, DeadLetterView};

/// Which dead letters to list.
#[derive(Clone, Debug)]
pub struct DeadLetterFilter {
    /// Only of this consumer.
    pub consumer: Option<ConsumerId>,
    /// Only with this cause.
    pub group: Option<String>,
    /// Most letters of the page.
    pub limit: usize,
    /// Only those after this letter of an earlier page.
    pub after: Option<String>,
    /// Those that were given up and can be taken back, instead of those that wait.
    pub discarded: bool,
}

impl Default for DeadLetterFilter {
    fn default() -> Self {
        Self {
            consumer: None,
            group: None,
            limit: 100,
            after: None,
            discarded: false,
        }
    }
}

/// Dead letters, by consumer in the order of the design, then oldest event first.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct DeadLetterPage {
    /// The letters of this page.
    pub letters: Vec<DeadLetterView>,
    /// All that match, by cause, most first; not only those of this page.
    pub groups: Vec<DeadLetterGroup>,
    /// How many match.
    pub total: u64,
}

/// Which dead letters to send back or to give up.
#[derive(Clone, Debug)]
pub enum LettersSelection {
    /// These.
    Ids(Vec<String>),
    /// All of a consumer with one cause.
    Group {
        /// The consumer.
        consumer: ConsumerId,
        /// The cause.
        group: String,
    },
    /// All of a consumer.
    Consumer(ConsumerId),
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
    /// The system finishes what runs and starts nothing new.
    #[error("the system is draining")]
    Draining,
    /// The system has stopped.
    #[error("the system has stopped")]
    Stopped,
}
