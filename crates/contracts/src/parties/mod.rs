//! What consumers rely on, held against what producers promise.
//!
//! A consumer relies on what its `requires` says, clause by clause, or else on the whole event as the
//! version says that it was built to read. A [`Matrix`] holds each of that against each version; every
//! *no* comes with an event that the producer may send. [`Upgrade`] is the order that follows from it,
//! and [`Impact`] what a change would do. [`check`] makes findings of it all. [`Rules`] are the rules of
//! an event, for who takes events in.

mod change;
mod codes;
mod demand;
mod findings;
mod impact;
mod judge;
mod keepable;
mod matrix;
mod order;
mod payload;
mod promise;
pub mod report;
mod rule;
mod rules;
mod shape;

pub use change::Change;
pub use codes::{CODES, NOT_MET_CODE};
pub use findings::{check, check_beside};
pub use impact::{Changed, Impact, ImpactError, Party, Reader};
pub use judge::{Broken, Verdict};
pub use matrix::{Answer, Cell, EventContracts, Judged, Matrix, Producer};
pub use order::{Move, Upgrade};
pub use rules::{BrokenRule, Rules, RulesError};
