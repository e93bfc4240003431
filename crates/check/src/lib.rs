//! Rules over a design: every finding with its place, its reason and the next step.
//!
//! [`check`] runs every rule over a resolved design; [`CODES`] lists what they can say, [`explain`]
//! gives the page of any code, the reader's included, and [`report`] turns findings into text.

mod backoff;
mod codes;
mod components;
mod draft;
mod explain;
mod graph;
mod index;
pub mod report;
mod rules;
mod written;

pub use backoff::{delays, horizon};
pub use codes::CODES;
pub use explain::{explain, similar_code};
pub use tidegate_model::CodeInfo;
use tidegate_model::{Design, Finding};

/// Everything that the rules find in `design`, by file, line, column and code; the same design
/// always gives the same list. Takes time linear in the design but for sorting.
#[must_use]
pub fn check(design: &Design) -> Vec<Finding> {
    let index = index::Index::of(design);
    let mut findings = draft::Findings::new();
    for rule in rules::RULES {
        rule(&index, &mut findings);
    }
    findings.sorted()
}
