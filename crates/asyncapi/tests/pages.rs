//! Every code has a page, and each example shows what its page explains.

#![cfg(test)]

use std::collections::BTreeSet;

use tidegate_asyncapi::{Bundle, CODES, validate};
use tidegate_model::Source;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/findings");

/// What the import says, and not the validation.
const OF_THE_IMPORT: [&str; 2] = ["E0871", "E0872"];

fn page(code: &str) -> String {
    std::fs::read_to_string(format!("{FOLDER}/{code}.md"))
        .unwrap_or_else(|error| panic!("{code} has no page: {error}"))
}

fn example(page: &str) -> &str {
    let section = page
        .split("## Example")
        .nth(1)
        .expect("a section `## Example`");
    let block = section.split("```yaml\n").nth(1).expect("a block of YAML");
    block.split("```").next().expect("the end of the block")
}

#[test]
fn codes_are_in_order_and_each_has_a_page() {
    let codes: Vec<&str> = CODES.iter().map(|info| info.code.0).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    for info in CODES {
        let title = format!("# {}: {}\n", info.code, info.title);
        assert!(page(info.code.0).starts_with(&title), "{title}");
    }
}

#[test]
fn each_example_yields_exactly_its_code() {
    let mut wrong = Vec::new();
    for info in CODES {
        let text = page(info.code.0);
        let source = Source {
            name: "asyncapi.yaml".into(),
            text: example(&text).to_owned(),
        };
        let findings = validate(&Bundle::read(&[source], &[]));
        let found: BTreeSet<_> = findings.iter().map(|f| (f.code.0, f.severity)).collect();
        let expected: BTreeSet<_> = [(info.code.0, info.severity)]
            .into_iter()
            .filter(|(code, _)| !OF_THE_IMPORT.contains(code))
            .collect();
        if found != expected {
            wrong.push(format!("{}: {found:?}", info.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
