//! Every code has a page, every page a code, and each example shows just what it explains.

use std::collections::BTreeSet;

use tidegate_check::explain;
use tidegate_contracts::parties::{CODES, check};

use crate::support::parts;

#[test]
fn every_page_has_a_code_and_every_code_a_page() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/findings");
    let pages: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("E090") || name.starts_with("E091"))
        .map(|name| name.trim_end_matches(".md").to_owned())
        .collect();
    let codes: BTreeSet<String> = CODES.iter().map(|info| info.code.0.to_owned()).collect();
    assert_eq!(pages, codes);
    for info in CODES {
        let page = explain(info.code.0).unwrap();
        assert!(
            page.starts_with(&format!("# {}: {}\n", info.code, info.title)),
            "{}",
            info.code
        );
    }
}

#[test]
fn each_example_yields_exactly_its_code() {
    for info in CODES {
        let page = explain(info.code.0).unwrap();
        let example = page.split("## Example").nth(1).unwrap();
        let example = example
            .split("```yaml\n")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        let (design, mut findings) = parts(example, &[]);
        let design = design.unwrap_or_else(|| panic!("{}: {findings:#?}", info.code));
        findings.extend(tidegate_check::check(&design));
        findings.extend(check(&design));
        let found: BTreeSet<_> = findings
            .iter()
            .map(|one| (one.code.0, one.severity))
            .collect();
        assert_eq!(
            found,
            BTreeSet::from([(info.code.0, info.severity)]),
            "{}: {findings:#?}",
            info.code
        );
    }
}
