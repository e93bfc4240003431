//! Every real capture is read as what it is, or refused with a reason.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tidegate_trace::{Traces, read};

fn folder() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/traces");
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: {} is absent", path.display());
    None
}

/// Spans, traces, services, links, orphans.
fn counts(traces: &Traces) -> (usize, usize, usize, usize, usize) {
    let services: BTreeSet<_> = traces.spans().map(|span| &span.service).collect();
    (
        traces.spans().count(),
        traces.traces.len(),
        services.len(),
        traces.spans().map(|span| span.links.len()).sum(),
        traces.completeness().orphans,
    )
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
    files.sort();
}

#[test]
fn every_file_is_read_or_refused_with_a_reason() {
    let Some(folder) = folder() else { return };
    let mut files = Vec::new();
    walk(&folder, &mut files);
    let mut lines = Vec::new();
    for file in files {
        let name = file.strip_prefix(&folder).unwrap().to_str().unwrap();
        let line = match read(name, &fs::read(&file).unwrap()) {
            Ok(traces) => format!("{name}: {} {:?}", traces.format, counts(&traces)),
            Err(error) => error.to_string(),
        };
        lines.push(line);
    }
    insta::assert_snapshot!("every_file", lines.join("\n"));
}
