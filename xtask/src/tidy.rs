//! `tidy`: what a reader expects of every file, as a test.

use std::path::Path;

use anyhow::{Result, bail};

use crate::command::say;
use crate::findings_pages;
use crate::traps_page;
use crate::workspace;

/// Most lines of a source file, its tests included. Over it there are two ideas in one file.
const FILE_LINES_MAX: usize = 600;
/// Most lines of the README and of the map.
const README_LINES_MAX: usize = 120;
const ARCHITECTURE_LINES_MAX: usize = 300;
/// Largest file in the repository, in bytes; fixtures included.
const FILE_BYTES_MAX: u64 = 512 << 10;

pub(crate) fn check() -> Result<()> {
    let mut wrong = Vec::new();
    let files = workspace::files()?;
    for file in &files {
        size(file, &mut wrong)?;
        match file.extension().and_then(|end| end.to_str()) {
            Some("rs") => rust(file, &mut wrong)?,
            Some("ts" | "svelte") => lines(file, FILE_LINES_MAX, &mut wrong)?,
            Some("md") => markdown(file, &mut wrong)?,
            _ => {}
        }
    }
    lines(Path::new("README.md"), README_LINES_MAX, &mut wrong)?;
    lines(
        Path::new("ARCHITECTURE.md"),
        ARCHITECTURE_LINES_MAX,
        &mut wrong,
    )?;
    map(&mut wrong)?;
    manifests(&mut wrong)?;
    findings_pages::check(&mut wrong)?;
    traps_page::check(&mut wrong)?;
    if !wrong.is_empty() {
        bail!("{} untidy\n  {}", wrong.len(), wrong.join("\n  "));
    }
    say(&format!("tidy: {} files", files.len()));
    Ok(())
}

fn size(file: &Path, wrong: &mut Vec<String>) -> Result<()> {
    let bytes = workspace::root().join(file).metadata()?.len();
    if bytes > FILE_BYTES_MAX {
        wrong.push(format!(
            "{}: {bytes} bytes; the most is {FILE_BYTES_MAX}",
            file.display()
        ));
    }
    Ok(())
}

fn lines(file: &Path, max: usize, wrong: &mut Vec<String>) -> Result<()> {
    let count = workspace::read(file)?.lines().count();
    if count > max {
        wrong.push(format!(
            "{}: {count} lines; the most is {max}",
            file.display()
        ));
    }
    Ok(())
}

fn rust(file: &Path, wrong: &mut Vec<String>) -> Result<()> {
    lines(file, FILE_LINES_MAX, wrong)?;
    let text = workspace::read(file)?;
    if !text.starts_with("//!") {
        wrong.push(format!("{}: does not open with `//!`", file.display()));
    }
    let forbidden = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X:"].concat(),
    ];
    for (index, line) in text.lines().enumerate() {
        if forbidden.iter().any(|word| line.contains(word.as_str())) {
            let place = format!("{}:{}", file.display(), index + 1);
            wrong.push(format!(
                "{place}: finish it, or write it down in docs/decisions"
            ));
        }
    }
    Ok(())
}

fn markdown(file: &Path, wrong: &mut Vec<String>) -> Result<()> {
    let text = workspace::read(file)?;
    let mut fenced = false;
    let mut titles = 0;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && line.starts_with("# ") {
            titles += 1;
        }
    }
    if titles != 1 {
        wrong.push(format!(
            "{}: {titles} titles (`# …`); one is right",
            file.display()
        ));
    }
    Ok(())
}

/// The map names every crate, and no crate that is not there.
fn map(wrong: &mut Vec<String>) -> Result<()> {
    let text = workspace::read(Path::new("ARCHITECTURE.md"))?;
    let packages = workspace::packages()?;
    for package in &packages {
        let folder = package
            .folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        if !text.contains(&format!("`{folder}`")) {
            wrong.push(format!(
                "ARCHITECTURE.md does not name the crate `{folder}`"
            ));
        }
    }
    for word in text.split('`').skip(1).step_by(2) {
        if let Some(folder) = word.strip_prefix("crates/")
            && !workspace::root().join("crates").join(folder).exists()
        {
            wrong.push(format!(
                "ARCHITECTURE.md names `{word}`, which is not there"
            ));
        }
    }
    Ok(())
}

/// Every crate takes the workspace's lints.
fn manifests(wrong: &mut Vec<String>) -> Result<()> {
    for package in workspace::packages()? {
        let manifest = package.folder.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest)?;
        if !text.contains("[lints]\nworkspace = true") {
            wrong.push(format!(
                "{}: no `[lints] workspace = true`",
                manifest.display()
            ));
        }
    }
    Ok(())
}
