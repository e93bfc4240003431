//! The real captures, where they are present.

use std::fs;
use std::path::{Path, PathBuf};

use tidegate_trace::{Traces, read};

/// The folder of captures; says so when it is absent.
pub(crate) fn folder() -> Option<PathBuf> {
    // Beside the project, or in a folder above it.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = above
        .map(|above| above.join("shared/data/traces"))
        .find(|path| path.is_dir());
    if found.is_none() {
        println!("skipped: shared/data/traces is absent");
    }
    found
}

/// Every file that is a capture, with its name.
pub(crate) fn all() -> Vec<(String, Traces)> {
    let mut files = Vec::new();
    if let Some(folder) = folder() {
        walk(&folder, &mut files);
    }
    files.sort();
    files
        .iter()
        .filter_map(|file| {
            let name = file.file_name()?.to_str()?.to_owned();
            Some((name.clone(), read(&name, &fs::read(file).ok()?).ok()?))
        })
        .collect()
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files)
        } else {
            files.push(path)
        }
    }
}
