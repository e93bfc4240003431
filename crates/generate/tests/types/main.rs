//! Generated types, compiled by each language's own compiler, and run: what they read they write again.
//!
//! A language whose tools are not installed is skipped by its name. Tools of npm and pip are installed
//! once, below `target/tmp`.

#![cfg(test)]

mod cases;
mod languages;
mod samples;
mod tools;

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_generate::{File, Language, types};
use tidegate_model::{Design, SchemaPath, Source, read};

/// An event of a design of a test: its name, the file of its schema, and the text of that.
type Case = (String, String, String);

const LANGUAGES: [Language; 4] = [
    Language::Rust,
    Language::TypeScript,
    Language::Java,
    Language::Python,
];

/// A design with these events.
fn design(cases: &[Case]) -> Design {
    let mut text = String::from("tidegate: 1\nsystem: shop\nevents:\n");
    let mut files = BTreeMap::new();
    for (name, file, schema) in cases {
        text.push_str(&format!("  {name}:\n    schema: {file}\n"));
        files.insert(file.split('#').next().unwrap().to_owned(), schema.clone());
    }
    let source = Source {
        name: Arc::from("design.yaml"),
        text,
    };
    let file = |path: &SchemaPath| {
        files
            .get(&path.written)
            .cloned()
            .ok_or("no file".to_owned())
    };
    let reading = read(&[source], &file);
    assert!(reading.findings.is_empty(), "{:#?}", reading.findings);
    reading.design.unwrap()
}

fn file<'a>(files: &'a [File], path: &str) -> &'a str {
    let found = files.iter().find(|file| file.path == path);
    &found.unwrap_or_else(|| panic!("no {path}")).text
}

#[test]
fn the_same_design_gives_the_same_files() {
    let design = design(&cases::nasty());
    for language in LANGUAGES {
        assert_eq!(
            types(&design, language, None),
            types(&design, language, None)
        );
    }
}

#[test]
fn checkout_is_written_as_it_reads() {
    let design = design(&cases::checkout());
    let paths = [
        "order_shipped.rs",
        "order-shipped.ts",
        "shop/OrderShipped.java",
        "order_shipped.py",
    ];
    for (language, path) in LANGUAGES.into_iter().zip(paths) {
        let files = types(&design, language, None);
        insta::assert_snapshot!(path.replace('/', "_"), file(&files, path));
    }
}

#[test]
fn comments_of_protobuf_are_kept() {
    let design = design(&[cases::protobuf()]);
    for language in LANGUAGES {
        let files = types(&design, language, None);
        let all: String = files.iter().map(|file| file.text.as_str()).collect();
        for comment in ["An order.", "Who it is", "In cents.", "How far it is."] {
            let count = all.matches(comment).count();
            assert_eq!(count, 1, "{language:?}: {comment}");
        }
        assert!(!all.contains("* *"), "{language:?}");
    }
}

#[test]
fn nothing_hidden_is_written() {
    let design = design(&cases::nasty());
    for language in LANGUAGES {
        for file in types(&design, language, None) {
            let hidden = ['\u{202e}', '\r', '\u{2028}', '\u{7}'];
            assert!(!file.text.contains(hidden), "{}", file.path);
        }
    }
}

#[test]
fn every_language_compiles_and_writes_what_it_has_read() {
    let mut all = cases::checkout();
    all.extend(cases::nasty());
    round_trips("cases", &all, 40);
}

/// Every schema that others wrote: types of it compile in every language, and its events survive.
#[test]
fn schemas_that_others_wrote_compile_too() {
    let all = cases::shared();
    if all.is_empty() {
        println!("skipped: no shared schemas");
        return;
    }
    println!("{} schemas", all.len());
    round_trips("shared", &all, 6);
}

fn round_trips(name: &str, cases: &[Case], events_each: usize) {
    let design = design(cases);
    let events = samples::events(&design, events_each);
    println!("{name}: {} events of {} schemas", events.len(), cases.len());
    assert!(
        events.len() >= cases.len() / 2,
        "too few events: {}",
        events.len()
    );
    for language in LANGUAGES {
        let files = types(&design, language, None);
        match languages::written_again(name, language, &files, &events) {
            Err(absent) => println!("skipped: {language:?}, {absent}"),
            Ok(written) => samples::assert_same(language, &events, &written),
        }
    }
}
