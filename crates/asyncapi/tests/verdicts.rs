//! The verdict on every official document, held against that of the official parser.
//!
//! The golden table has one line a document. Where the verdicts differ, the line says why in the
//! words of the specification.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate_asyncapi::{Bundle, files_referred_to, validate};
use tidegate_model::{Severity, Source};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/asyncapi");
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verdicts.txt");

/// Why a verdict differs, by the start of the document's name.
const REASONS: &str = include_str!("disagreements.txt");

fn source(path: &Path) -> Option<Source> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(Source {
        name: path.to_string_lossy().into(),
        text,
    })
}

/// The document with all files that it refers to.
fn bundle(path: &Path) -> Bundle {
    let document = source(path).unwrap();
    let mut others: Vec<Source> = Vec::new();
    let mut waiting = files_referred_to(&document);
    while let Some(name) = waiting.pop() {
        let known = others.iter().any(|other| *other.name == *name) || *document.name == *name;
        if let Some(other) = source(&PathBuf::from(&name)).filter(|_| !known) {
            waiting.extend(files_referred_to(&other));
            others.push(other);
        }
    }
    Bundle::read(&[document], &others)
}

fn word(valid: bool) -> &'static str {
    if valid { "valid" } else { "invalid" }
}

#[test]
fn verdicts_agree_with_the_official_parser_or_say_why_not() {
    let Ok(verdicts) = std::fs::read_to_string(format!("{DATA}/official_parser_verdicts.jsonl"))
    else {
        println!("skipped: no {DATA}");
        return;
    };
    let reasons: BTreeMap<&str, &str> = REASONS
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    let mut table = String::new();
    let (mut used, mut unexplained, mut agreed, mut all) = (BTreeSet::new(), Vec::new(), 0, 0);
    for line in verdicts.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        if row["unresolvedRef"] == true {
            continue;
        }
        let file = row["file"].as_str().unwrap();
        let official = row["valid"].as_bool().unwrap();
        let findings = validate(&bundle(&Path::new(DATA).join(file)));
        let errors: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        let codes: BTreeSet<&str> = findings.iter().map(|finding| finding.code.0).collect();
        let codes: Vec<&str> = codes.into_iter().collect();
        all += 1;
        write!(
            table,
            "{file} | {} | {} | {}",
            word(official),
            word(errors.is_empty()),
            codes.join(" ")
        )
        .unwrap();
        if official == errors.is_empty() {
            agreed += 1;
        } else {
            match reasons.get(file) {
                Some(reason) => write!(table, " | {reason}").unwrap(),
                None => unexplained.push(match errors.first() {
                    None => format!("{file}: {}", row["errors"]),
                    Some(error) => {
                        format!("{file}: {} {} {}", error.code, error.path, error.message)
                    }
                }),
            }
            used.insert(file.to_owned());
        }
        table.push('\n');
    }
    writeln!(table, "agreement: {agreed} of {all}").unwrap();
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    let idle: Vec<_> = reasons
        .keys()
        .filter(|file| !used.contains(**file))
        .collect();
    assert!(idle.is_empty(), "reasons without a disagreement: {idle:?}");
    #[expect(
        clippy::disallowed_methods,
        reason = "a test is told to write its golden file"
    )]
    if std::env::var("TIDEGATE_WRITE_GOLDEN").is_ok() {
        std::fs::write(GOLDEN, &table).unwrap();
    }
    assert_eq!(table, std::fs::read_to_string(GOLDEN).unwrap_or_default());
}
