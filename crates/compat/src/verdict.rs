//! What was found between two schemas.

use serde_json::Value;

use crate::mode::Direction;

/// The answer to "can the reader read every event of the writer?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Yes, for every event.
    Compatible,
    /// No, and there is an event or a rule that shows it.
    Incompatible,
    /// Neither was shown within the budget.
    NotProved,
}

/// An event that the writer's schema allows and the reader's does not; both were asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// The event as JSON; of Avro and Protobuf, the value that was encoded.
    pub event: Value,
    /// The bytes that the writer makes of it, where the format is a binary one.
    pub bytes: Option<Vec<u8>>,
    /// Where the reader fails: a JSON pointer into the event.
    pub path: String,
    /// What the reader says; for a format that reads on, what it makes of the event.
    pub error: String,
}

/// One reason for a no, or for a *not proved*.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Who reads whose events.
    pub direction: Direction,
    /// The old version, counted from 0 in the order given.
    pub against: usize,
    /// [`Answer::Incompatible`], or [`Answer::NotProved`]; [`Answer::Compatible`] for what is worth
    /// saying and breaks nothing.
    pub answer: Answer,
    /// What kind of change it is, in words joined by `-`: `required-added`. Codes are never reused.
    pub code: &'static str,
    /// Where in the schema that changed: a JSON pointer, or for Protobuf the full name of the
    /// element.
    pub path: String,
    /// What changed and why it breaks, in a sentence.
    pub reason: String,
    /// What to do instead.
    pub fix: Option<String>,
    /// The event that breaks.
    pub witness: Option<Witness>,
}

/// A reason before it is known which versions it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// As in [`Finding::answer`].
    pub answer: Answer,
    /// As in [`Finding::code`].
    pub code: &'static str,
    /// As in [`Finding::path`]; of the reader's schema.
    pub path: String,
    /// As in [`Finding::reason`].
    pub reason: String,
    /// As in [`Finding::fix`].
    pub fix: Option<String>,
    /// As in [`Finding::witness`].
    pub witness: Option<Witness>,
}

impl Reason {
    /// The finding between two versions.
    #[must_use]
    pub fn between(self, direction: Direction, against: usize) -> Finding {
        Finding {
            direction,
            against,
            answer: self.answer,
            code: self.code,
            path: self.path,
            reason: self.reason,
            fix: self.fix,
            witness: self.witness,
        }
    }
}

/// The whole answer for a new version against those before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// [`Answer::Incompatible`] if a finding is, else [`Answer::NotProved`] if one is.
    pub answer: Answer,
    /// Every finding, by old version, then direction, then path.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// The verdict that these findings add up to.
    #[must_use]
    pub fn of(findings: Vec<Finding>) -> Self {
        let has = |answer| findings.iter().any(|finding| finding.answer == answer);
        let answer = if has(Answer::Incompatible) {
            Answer::Incompatible
        } else if has(Answer::NotProved) {
            Answer::NotProved
        } else {
            Answer::Compatible
        };
        Self { answer, findings }
    }

    /// The event shown first: of the first finding that has one.
    #[must_use]
    pub fn witness(&self) -> Option<&Witness> {
        let mut all = self.findings.iter();
        all.find_map(|finding| finding.witness.as_ref())
    }
}
