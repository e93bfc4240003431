//! What a handler answers.

use tidegate_base::Envelope;
use tidegate_delivery::Outcome;

/// How an attempt ended, and what is published if it is done: in one atomic batch with the record of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// Events that its service publishes, at most [`OUTPUTS_MAX`](tidegate_base::limit::OUTPUTS_MAX); ignored
    /// unless it is done. An empty `id` is filled in with [`output_id`](tidegate_base::output_id), an empty
    /// `source` with `/` and the service, an empty `time` with now.
    pub outputs: Vec<Envelope>,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            outputs: Vec::new(),
        }
    }
}
