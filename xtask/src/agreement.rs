//! `cargo xtask agreement`: our verdicts beside those of others, after the tests that hold every row to the code.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::command::step;
use crate::workspace;

/// The tests that run every case, and whose tables are shown.
const TESTS: [&[&str]; 3] = [
    &["tidegate-compat", "--test", "suite", "agreement::"],
    &[
        "tidegate-compat",
        "--test",
        "avro_cases",
        "--test",
        "protobuf_cases",
    ],
    &["tidegate-asyncapi", "--test", "verdicts"],
];
const TABLES: &str = "crates/compat/tests/agreement";
const VERDICTS: &str = "crates/asyncapi/tests/verdicts.txt";
/// The cases of others, which are no part of the project.
const DATA: &str = "../shared/data/compat/cases";

/// Runs the cases and prints the tables.
pub(crate) fn show() -> Result<()> {
    let root = workspace::root();
    ensure!(
        root.join(DATA).is_dir(),
        "the cases of others are not at `{DATA}`: without them there is nothing to compare"
    );
    for test in TESTS {
        step(
            &root,
            "cargo",
            &[&["test", "--quiet", "--package"], test].concat(),
        )?;
    }
    let mut tables: Vec<_> = std::fs::read_dir(root.join(TABLES))?
        .collect::<std::io::Result<Vec<_>>>()?
        .into_iter()
        .map(|entry| entry.path())
        .collect();
    tables.sort();
    for table in tables {
        print(&format!("\n{}", name(&table)));
        print(head(&read(&table)?));
    }
    let verdicts = read(&root.join(VERDICTS))?;
    print("\nAsyncAPI, the official parser's verdicts");
    let is_explained = |line: &&str| line.split(" | ").count() > 4 || line.starts_with("agreement");
    for line in verdicts.lines().filter(is_explained) {
        print(line);
    }
    Ok(())
}

/// The counts of a table: all before its first empty line.
fn head(table: &str) -> &str {
    table.split("\n\n").next().unwrap_or_default().trim_end()
}

fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("`{}` is not readable", path.display()))
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn print(line: &str) {
    println!("{line}");
}
