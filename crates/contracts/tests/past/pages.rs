//! Every code has a page, and each example shows what its page explains.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidegate_contracts::past::{Acceptances, CODES, Kind, accept, compare, unread};
use tidegate_model::Source;

use crate::designs::{options, reading};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/findings");

fn page(code: &str) -> String {
    std::fs::read_to_string(format!("{FOLDER}/{code}.md"))
        .unwrap_or_else(|error| panic!("{code} has no page: {error}"))
}

/// The blocks of YAML of the example: before, after, and a file of acceptances where there is one.
fn blocks(page: &str) -> Vec<&str> {
    let section = page
        .split("## Example")
        .nth(1)
        .expect("a section `## Example`");
    let section = section.split("\n## ").next().expect("its end");
    let blocks = section.split("```yaml\n").skip(1);
    blocks
        .map(|block| block.split("```").next().expect("the end of the block"))
        .collect()
}

#[test]
fn codes_are_in_order_and_each_has_a_page() {
    let codes: Vec<&str> = CODES.iter().map(|info| info.code.0).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    for info in CODES {
        let text = page(info.code.0);
        let title = format!("# {}: {}\n", info.code, info.title);
        assert!(text.starts_with(&title), "{title}");
        for section in [
            "\n## What happened\n",
            "\n## Example\n",
            "\n## What to do\n",
        ] {
            assert_eq!(text.matches(section).count(), 1, "{}: {section}", info.code);
        }
    }
}

#[test]
fn each_example_yields_exactly_its_code() {
    let mut wrong = Vec::new();
    for info in CODES {
        let text = page(info.code.0);
        let blocks = blocks(&text);
        let [before, after, rest @ ..] = blocks.as_slice() else {
            panic!("{}: {} blocks", info.code, blocks.len());
        };
        let (old, new) = (reading("old.yaml", before), reading("new.yaml", after));
        let mut changes = compare(
            &old.design
                .unwrap_or_else(|| panic!("{}: {:?}", info.code, old.findings)),
            &[],
            &new.design
                .unwrap_or_else(|| panic!("{}: {:?}", info.code, new.findings)),
            &options(),
        );
        let mut said: Vec<_> = unread("main", &old.findings).into_iter().collect();
        if let [file] = rest {
            let source = Source {
                name: Arc::from("accepted.yaml"),
                text: (*file).to_owned(),
            };
            let file = Acceptances::read(&source);
            said.extend(file.findings);
            said.extend(accept(&mut changes, &file.list, "2026-11-28"));
        }
        let is_about_acceptances = info.code.0 > "E1049" && info.code.0 < "E1059";
        let found: BTreeSet<_> = changes
            .iter()
            .filter(|change| {
                !is_about_acceptances && (change.kind != Kind::Harmless || info.code.0 == "E1059")
            })
            .map(|change| (change.finding.code, change.finding.severity))
            .chain(said.iter().map(|finding| (finding.code, finding.severity)))
            .collect();
        if found != BTreeSet::from([(info.code, info.severity)]) {
            wrong.push(format!("{}: {found:?}", info.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
