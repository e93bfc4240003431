//! Numbers that nobody else has chosen.

use std::hash::{BuildHasher, Hasher, RandomState};

pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
