//! Every code has a page, every page a code, and each example shows just what it explains.

use std::collections::BTreeSet;

use tidegate_check::{CODES, explain, similar_code};

use crate::reading::checked;

/// The first block of `language` below the heading `## Example`.
fn example(page: &str) -> &str {
    let section = page
        .split("## Example")
        .nth(1)
        .expect("a section `## Example`");
    let block = section.split("```yaml\n").nth(1).expect("a block of YAML");
    block.split("```").next().expect("the end of the block")
}

#[test]
fn every_code_has_a_page_that_names_it() {
    for info in CODES.iter().chain(tidegate_model::CODES) {
        let page = explain(info.code.0).unwrap_or_else(|| panic!("{} has no page", info.code));
        let title = format!("# {}: {}\n", info.code, info.title);
        assert!(
            page.starts_with(&title),
            "{} starts with {:?}",
            info.code,
            page.lines().next()
        );
        for section in [
            "\n## What happened\n",
            "\n## Example\n",
            "\n## What to do\n",
        ] {
            assert_eq!(page.matches(section).count(), 1, "{}: {section}", info.code);
        }
    }
}

#[test]
fn every_page_has_a_code() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/findings");
    let known: BTreeSet<_> = CODES
        .iter()
        .chain(tidegate_model::CODES)
        .map(|i| i.code.0)
        .collect();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(code) = name
            .strip_suffix(".md")
            // Those of AsyncAPI documents, of contracts, of changes and of brokers are held against the codes of their own
            // crates.
            .filter(|code| {
                code.starts_with('E')
                    && !["E08", "E09", "E10", "E11"].contains(&code.get(..3).unwrap_or_default())
            })
        {
            assert!(known.contains(code), "page {code} is of no code");
        }
    }
}

#[test]
fn codes_are_in_order_and_used_once() {
    let codes: Vec<_> = CODES.iter().map(|info| info.code.0).collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
    assert!(codes.len() >= 28);
}

#[test]
fn each_example_yields_exactly_its_code() {
    let mut wrong = Vec::new();
    for info in CODES {
        let text = example(explain(info.code.0).unwrap());
        let found: BTreeSet<_> = checked(text)
            .into_iter()
            .map(|f| (f.code.0, f.severity))
            .collect();
        // A dead letter without owner cannot be without a service without owner.
        // Back-pressure in a cycle cannot be without a cycle.
        let allowed = match info.code.0 {
            "E0307" => vec!["E0209"],
            "E0331" => vec!["E0219"],
            _ => Vec::new(),
        };
        let others = found
            .iter()
            .any(|(code, _)| *code != info.code.0 && !allowed.contains(code));
        if others || !found.contains(&(info.code.0, info.severity)) {
            wrong.push(format!("{}: {found:?}", info.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn codes_are_found_in_any_case_and_near_ones_suggested() {
    assert!(explain("e0301").is_some());
    assert_eq!(explain("E9999"), None);
    assert_eq!(similar_code("E301"), Some("E0301"));
    assert_eq!(similar_code("301"), Some("E0301"));
    assert_eq!(similar_code("W0301"), Some("E0301"));
    assert_eq!(similar_code("retry"), None);
    assert_eq!(similar_code(&"9".repeat(100_000)), None);
}
