//! What stands in the way of a proof, and how it is said.

use serde_json::Value;

use super::known::{Known, Node};

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Field(String),
    Item(usize),
}

/// A keyword of the reader that was not shown to hold for everything that the writer may write.
#[derive(Clone, Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) code: &'static str,
    /// Where the keyword was written, in the reader's schema.
    pub(crate) at: String,
    /// What changed and why it breaks.
    pub(crate) reason: String,
    pub(crate) fix: Option<String>,
    /// The way to the value, with what is known of each value that is gone through.
    pub(crate) trail: Vec<(Known<'a>, Step)>,
    /// What is known of the values that break.
    pub(crate) known: Known<'a>,
    /// What those values do not fit.
    pub(crate) goal: Node<'a>,
    /// Values that may break.
    pub(crate) hints: Vec<Value>,
}

impl Failure<'_> {
    /// The way to the value, as a JSON pointer.
    pub(crate) fn path(&self) -> String {
        let steps = self.trail.iter().map(|(_, step)| match step {
            Step::Field(name) => format!("/{}", super::bundle::escape(name)),
            Step::Item(index) => format!("/{index}"),
        });
        steps.collect()
    }

    /// The value, as people say it.
    pub(crate) fn subject(&self) -> String {
        match self.path().as_str() {
            "" => "the event".to_owned(),
            path => format!("`{path}`"),
        }
    }
}
