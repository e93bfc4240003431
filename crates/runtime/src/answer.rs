//! What a handler answers.

use tidegate_base::Envelope;
use tidegate_delivery::{KeyState, Outcome};

/// How an attempt ended; if it is done, what is published and what is kept for its key: in one atomic batch
/// with the record of the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// Events that its service publishes, at most [`OUTPUTS_MAX`](tidegate_base::limit::OUTPUTS_MAX); ignored
    /// unless it is done. An empty `id` is filled in with [`output_id`](tidegate_base::output_id), an empty
    /// `source` with `/` and the service, an empty `time` with now.
    pub outputs: Vec<Envelope>,
    /// What the handler keeps for the event's key from now on; ignored unless it is done, `None` leaves it.
    pub state: Option<KeyState>,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            outputs: Vec::new(),
            state: None,
        }
    }
}
