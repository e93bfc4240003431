//! A design against what it was: every change that breaks, may break or breaks nothing.
//!
//! [`compare`] looks at each element of both designs and writes a [`Change`] for each difference.
//! A change is *breaking* when a promise of the past design to somebody else is no longer kept,
//! *risky* when that depends on what no design says (a backlog, a client outside of it), and
//! *harmless* otherwise. [`FIELDS`] says for every field of the design language what a change of it
//! may be.

mod accepted;
mod changes;
mod codes;
mod consumer;
mod dependencies;
mod events;
mod fields;
mod mermaid;
mod policies;
mod promises;
mod rename;
mod report;
mod schemas;
mod services;
mod side;
mod subject;
mod surroundings;

pub use accepted::{Acceptance, Acceptances, accept, is_of_acceptances};
pub use changes::{Affected, Change, Kind, Role};
pub use codes::CODES;
pub use fields::{FIELDS, Field, fields_table};
pub use report::{Report, unread};
use tidegate_compat::Profile;
use tidegate_compat::json::OpenContent;
use tidegate_model::Design;

use changes::Changes;
use side::Both;

/// How schemas are compared.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// By whose rules, where the format of a schema has them; else by the exact ones.
    pub profile: Profile,
    /// What is taken of names that an open JSON Schema does not declare.
    pub open_content: OpenContent,
    /// Asked now and then whether to work on; what is not decided then is not proved.
    pub keep_going: &'a (dyn Fn() -> bool + Sync),
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("profile", &self.profile)
            .field("open_content", &self.open_content)
            .finish_non_exhaustive()
    }
}

/// Every change from `past` to `new`: what breaks first, then by place.
///
/// `older` are designs before `past`, the newest first: schemas in a transitive mode are held
/// against theirs too. Schemas that changed are compared on all threads of the current pool of
/// rayon, which need a deep stack; all else takes time linear in the designs.
#[must_use]
pub fn compare(
    past: &Design,
    older: &[&Design],
    new: &Design,
    options: &Options<'_>,
) -> Vec<Change> {
    let both = Both::of(past, new);
    let mut changes = Changes::new();
    events::compare(&both, &mut changes);
    schemas::compare(&both, older, options, &mut changes);
    services::compare(&both, &mut changes);
    dependencies::compare(&both, &mut changes);
    surroundings::compare(&both, &mut changes);
    changes.finish()
}
