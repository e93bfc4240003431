//! Which versions stand on which side of a comparison.

use thiserror::Error;
use tidegate_schema::SchemaError;

use crate::mode::{Direction, Mode};

/// A version that is no schema, so that nothing can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {error}", match .version {
    Some(index) => format!("old version {index}"),
    None => "the new version".to_owned(),
})]
pub struct VersionError {
    /// The old version, counted from 0 in the order given; `None` for the new one.
    pub version: Option<usize>,
    /// What is wrong with it.
    pub error: SchemaError,
}

/// Every comparison that `mode` asks for, with the old version from the first to the last.
pub(crate) fn sides(olds: usize, mode: Mode) -> Vec<(usize, Direction)> {
    let first = if mode.is_transitive() {
        0
    } else {
        olds.saturating_sub(1)
    };
    let pairs =
        (first..olds).flat_map(|old| mode.directions().iter().map(move |side| (old, *side)));
    pairs.collect()
}
