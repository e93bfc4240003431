//! Every code of a finding has a page, every page a code, and a code is defined once.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::workspace;

const PAGES: &str = "docs/reference/findings";

/// Where codes are named.
const SOURCES: [&str; 5] = [
    "crates/model/src",
    "crates/check/src",
    "crates/asyncapi/src",
    "crates/contracts/src",
    "crates/topology/src/codes.rs",
];

pub(crate) fn check(wrong: &mut Vec<String>) -> Result<()> {
    let mut pages = BTreeSet::new();
    let mut named = BTreeSet::new();
    for file in workspace::files()? {
        let stem = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if file.starts_with(PAGES) && is_code(&stem) {
            let text = workspace::read(&file)?;
            if !text.starts_with(&format!("# {stem}: ")) {
                wrong.push(format!(
                    "{}: does not open with `# {stem}: …`",
                    file.display()
                ));
            }
            pages.insert(stem);
        } else if SOURCES.iter().any(|folder| file.starts_with(folder)) {
            let text = workspace::read(&file)?;
            named.extend(
                text.split('"')
                    .filter(|word| is_code(word))
                    .map(str::to_owned),
            );
        }
    }
    for code in named.difference(&pages) {
        wrong.push(format!("{code} has no page {PAGES}/{code}.md"));
    }
    for code in pages.difference(&named) {
        wrong.push(format!(
            "{PAGES}/{code}.md explains a code that no rule names"
        ));
    }
    Ok(())
}

/// `E` and four digits.
fn is_code(word: &str) -> bool {
    let digits = word.strip_prefix('E').unwrap_or_default();
    digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
}
