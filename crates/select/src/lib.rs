//! Which messaging infrastructure fits a design: eliminations, ranking, and what would flip it.
//!
//! A design implies a [`Workload`]: needs that must be met. Every option of the fact table is held
//! against it; what provably cannot is out, with the fact, its source and the margin. What remains is
//! ranked by a weighted sum whose values do not depend on the other options, and the [`Selection`]
//! says which change of a weight would give another winner. Reports: for people, JSON, and a
//! decision record.

mod acceptability;
mod criteria;
mod decision;
mod elimination;
pub mod facts;
mod quantity;
mod report;
mod selection;
mod workload;

pub use criteria::{Ranking, Valued};
pub use decision::Interval;
pub use elimination::{Check, Outcome};
pub use facts::{Facts, FactsError};
pub use selection::{Certainty, Excluded, Flip, Ranked, Selection, Weight, select};
pub use workload::{Amount, Need, REQUIREMENTS, Workload};
