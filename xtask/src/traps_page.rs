//! Every trap of the page has tests, and they are there: one that is renamed or removed is noticed.

use std::path::Path;

use anyhow::Result;

use crate::workspace;

const PAGE: &str = "docs/explanation/traps.md";
/// As many as were found.
const TRAPS: usize = 32;

pub(crate) fn check(wrong: &mut Vec<String>) -> Result<()> {
    let page = workspace::read(Path::new(PAGE))?;
    let mut next = 1;
    for line in page.lines() {
        let is_trap = line.starts_with(&format!("| {next} | "));
        next += usize::from(is_trap);
        let mut tests = 0;
        for (file, test) in line.split('`').skip(1).step_by(2).filter_map(named) {
            tests += 1;
            if !is_there(file, test)? {
                wrong.push(format!("{PAGE}: there is no test `{test}` in {file}"));
            }
        }
        if is_trap && tests == 0 {
            wrong.push(format!("{PAGE}: trap {} has no test", next - 1));
        }
    }
    if next - 1 != TRAPS {
        let found = next - 1;
        wrong.push(format!(
            "{PAGE}: {found} traps, one after the other; {TRAPS} are right"
        ));
    }
    Ok(())
}

/// `path/to/file.rs::name_of_test`.
fn named(word: &str) -> Option<(&str, &str)> {
    let (file, test) = word.split_once("::")?;
    file.ends_with(".rs").then_some((file, test))
}

/// Whether the file has the function, with an attribute that makes a test of it before.
fn is_there(file: &str, test: &str) -> Result<bool> {
    let path = Path::new(file);
    if !workspace::root().join(path).exists() {
        return Ok(false);
    }
    let text = workspace::read(path)?;
    let lines: Vec<&str> = text.lines().collect();
    let function = format!("fn {test}(");
    let at = lines.iter().position(|line| line.contains(&function));
    // Attributes and words about it may lie between.
    let before = at.map(|at| lines.iter().take(at).rev());
    Ok(before.is_some_and(|mut before| {
        before
            .by_ref()
            .take_while(|line| !line.trim().is_empty() && line.trim() != "}")
            .any(|line| line.contains("test") && line.trim_start().starts_with("#["))
    }))
}
