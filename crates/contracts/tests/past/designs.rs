//! Designs of tests, read and compared.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidegate_compat::Profile;
use tidegate_compat::json::OpenContent;
use tidegate_contracts::past::{Change, Options, compare};
use tidegate_model::{Design, Reading, SchemaPath, Source};

/// A design in which every field of the language is written.
pub(crate) const SHOP: &str = include_str!("shop.yaml");

/// Reads a design of one file; schemas by file do not exist.
pub(crate) fn reading(name: &str, text: &str) -> Reading {
    let source = Source {
        name: Arc::from(name),
        text: text.to_owned(),
    };
    let none = |path: &SchemaPath| Err(format!("{}: not found", path.written));
    tidegate_model::read(&[source], &none)
}

/// A design without an error of the reader.
#[track_caller]
pub(crate) fn design(name: &str, text: &str) -> Design {
    let reading = reading(name, text);
    assert_eq!(reading.findings, [], "{text}");
    reading.design.expect("a design")
}

/// How tests compare: exactly, and for as long as it takes.
pub(crate) fn options() -> Options<'static> {
    Options {
        profile: Profile::Exact,
        open_content: OpenContent::Exact,
        keep_going: &|| true,
    }
}

/// The changes between two texts.
#[track_caller]
pub(crate) fn changes(old: &str, new: &str) -> Vec<Change> {
    compare(
        &design("old.yaml", old),
        &[],
        &design("new.yaml", new),
        &options(),
    )
}

/// Codes with their kinds, each once; harmless changes by their code alone.
pub(crate) fn codes(changes: &[Change]) -> BTreeSet<String> {
    let codes = changes.iter();
    codes
        .map(|change| format!("{} {:?}", change.finding.code, change.kind).to_lowercase())
        .collect()
}

/// `text` with the one place where `from` stands replaced.
#[track_caller]
pub(crate) fn edited(text: &str, from: &str, to: &str) -> String {
    assert_eq!(
        text.matches(from).count(),
        1,
        "`{from}` is not in the design once"
    );
    text.replace(from, to)
}
