//! A draft design folder from what was discovered.

pub(crate) mod comment;
pub(crate) mod design;
mod key;
pub(crate) mod naming;
mod proposal;
mod readme;
pub(crate) mod samples;
mod schema;
mod traffic;

use tidegate_base::Name;
use tidegate_trace::Recording;
use tidegate_trace::recording::write;

use crate::Discovery;
use proposal::proposals;
use traffic::{Traffic, traffic};

/// A design folder and the traffic that belongs to it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Paths in the folder with their texts: `design.yaml`, `schemas/*.json`, `recording.jsonl`,
    /// `README.md`.
    pub files: Vec<(String, String)>,
    /// What `recording.jsonl` holds.
    pub recording: Recording,
    /// Whether nothing says that its events can be events: they are there to explore.
    pub explores: bool,
}

/// Why the events of a draft are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Basis {
    /// The evidence says that they can be events.
    Feasible,
    /// No call can, by the evidence: the costliest ones, to explore.
    Exploring,
}

/// Drafts a design in which the feasible calls of the discovery are events; where none is, the
/// calls with the most critical-path time, marked as drawn for exploring only.
#[must_use]
pub fn draft(discovery: &Discovery, system: Name) -> Draft {
    let (basis, proposals) = proposals(discovery);
    let Traffic { recording, remark } = traffic(discovery, &proposals);
    let mut files = vec![(
        "design.yaml".to_owned(),
        design::yaml(discovery, &system, basis, &proposals, remark.as_deref()),
    )];
    for proposal in &proposals {
        files.push((schema::path(&proposal.event), proposal.schema.text.clone()));
    }
    files.push(("recording.jsonl".to_owned(), write(&recording)));
    files.push((
        "README.md".to_owned(),
        readme::markdown(discovery, &system, basis, &proposals, remark.as_deref()),
    ));
    Draft {
        files,
        recording,
        explores: basis == Basis::Exploring,
    }
}
