//! What `lint` and `test` run, each step shown before it starts.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{floors, tidy, workspace};

/// Prints a line for people.
#[expect(clippy::print_stderr, reason = "progress of the automation")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

fn step(folder: &Path, program: &str, arguments: &[&str]) -> Result<()> {
    say(&format!("\n── {program} {}", arguments.join(" ")));
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .status()
        .with_context(|| format!("`{program}` did not start"))?;
    ensure!(status.success(), "`{program} {}` failed: {status}", arguments.join(" "));
    Ok(())
}

fn is_installed(program: &str, argument: &str) -> bool {
    let output = Command::new(program).arg(argument).output();
    output.is_ok_and(|output| output.status.success())
}

/// Everything that reads the code without running it.
pub(crate) fn lint() -> Result<()> {
    let root = workspace::root();
    floors::check()?;
    tidy::check()?;
    step(&root, "cargo", &["fmt", "--all", "--check"])?;
    step(&root, "cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    if is_installed("cargo-deny", "--version") {
        step(&root, "cargo", &["deny", "check", "licenses", "bans", "sources"])?;
    } else {
        say("skipped: cargo-deny is not installed");
    }
    Ok(())
}

/// Every test that needs no server.
pub(crate) fn test() -> Result<()> {
    let root = workspace::root();
    let console = root.join("console");
    step(&root, "cargo", &["test", "--workspace"])?;
    step(&console, "npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"])?;
    step(&console, "npm", &["run", "check"])?;
    step(&console, "npm", &["test"])?;
    if is_installed("chromium", "--version") {
        step(&root, "cargo", &["build", "--package", "tidegate-cli"])?;
        step(&console, "npm", &["run", "e2e"])?;
    } else {
        say("skipped: the browser tests, as chromium is not installed (apt-get install chromium)");
    }
    Ok(())
}
