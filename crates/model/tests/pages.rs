//! Every code of the reader has a page, whose example is what it says.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod shown;

use shown::{findings, read};
use tidegate_model::CODES;

fn page(code: &str) -> String {
    let path = format!(
        "{}/../../docs/reference/findings/{code}.md",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(&path).expect(&path)
}

/// The only YAML block of a page.
fn example(page: &str) -> &str {
    let (_, rest) = page
        .split_once("\n```yaml\n")
        .expect("a page has a YAML block");
    let (block, after) = rest.split_once("\n```\n").expect("the block ends");
    assert!(!after.contains("```yaml"), "a page has one YAML block");
    block
}

#[test]
fn every_page_has_the_same_form() {
    for info in CODES {
        let page = page(info.code.0);
        let headings: Vec<_> = page.lines().filter(|line| line.starts_with('#')).collect();
        let title = format!("# {}: {}", info.code, info.title);
        assert_eq!(
            headings,
            [&title, "## What happened", "## Example", "## What to do"]
        );
    }
}

#[test]
fn every_example_triggers_its_code_and_no_other() {
    for info in CODES {
        let page = page(info.code.0);
        let design = example(&page);
        let reading = read(&[("design.yaml", design)]);
        let found: Vec<_> = reading
            .findings
            .iter()
            .map(|f| (f.code, f.severity))
            .collect();
        let said = findings(&[("design.yaml", design)]);
        assert!(
            found.contains(&(info.code, info.severity)),
            "{}:\n{said}",
            info.code
        );
        let alone = found.iter().all(|(code, _)| *code == info.code);
        assert!(
            alone || info.title == "more findings than are listed",
            "{}:\n{said}",
            info.code
        );
    }
}

#[test]
fn codes_are_in_order_and_none_is_used_twice() {
    assert!(CODES.is_sorted_by(|a, b| a.code < b.code));
    assert!(
        CODES
            .iter()
            .all(|info| info.code.0.len() == 5 && info.code.0.starts_with("E01"))
    );
}
