//! Real captures, where they are there.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of real captures.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/traces")
}

/// A real capture; says so when it is absent.
pub(crate) fn shared(path: &str) -> Option<Vec<u8>> {
    let bytes = fs::read(folder().join(path)).ok();
    if bytes.is_none() {
        println!("skipped: {path} is absent");
    }
    bytes
}
