//! What `lint` and `test` run, each step shown before it starts.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{floors, tidy, workspace};

/// Prints a line for people.
#[expect(clippy::print_stderr, reason = "progress of the automation")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// Runs a program, shown before it starts.
pub(crate) fn step(folder: &Path, program: &str, arguments: &[&str]) -> Result<()> {
    say(&format!("\n── {program} {}", arguments.join(" ")));
    let status = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .status()
        .with_context(|| format!("`{program}` did not start"))?;
    ensure!(
        status.success(),
        "`{program} {}` failed: {status}",
        arguments.join(" ")
    );
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
    step(
        &root,
        "cargo",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    // The library as most have it: the workspace builds it with its databases, as the tests of `cli` want them.
    step(
        &root,
        "cargo",
        &["clippy", "--package", "tidegate", "--", "-D", "warnings"],
    )?;
    if is_installed("cargo-deny", "--version") {
        step(
            &root,
            "cargo",
            &["deny", "check", "licenses", "bans", "sources"],
        )?;
    } else {
        say("skipped: cargo-deny is not installed");
    }
    Ok(())
}

/// Every test; those that need a server start one of their own, where it is installed.
pub(crate) fn test() -> Result<()> {
    let root = workspace::root();
    let console = root.join("console");
    step(&root, "cargo", &["test", "--workspace"])?;
    step(
        &console,
        "npm",
        &["ci", "--no-audit", "--no-fund", "--loglevel=error"],
    )?;
    step(&console, "npm", &["run", "check"])?;
    step(&console, "npm", &["test"])?;
    if is_installed("chromium", "--version") {
        browser_tests(&root, &console)
    } else {
        say("skipped: the browser tests, as chromium is not installed (apt-get install chromium)");
        Ok(())
    }
}

/// The console in a browser: against fixtures, and against the demo of the built binary.
fn browser_tests(root: &Path, console: &Path) -> Result<()> {
    step(root, "cargo", &["build", "--package", "tidegate-cli"])?;
    let demo = Demo::start(root)?;
    say(&format!("\n── npm run e2e, with the demo at {}", demo.url));
    let status = Command::new("npm")
        .args(["run", "e2e"])
        .env("TIDEGATE_URL", &demo.url)
        .current_dir(console)
        .status()
        .context("`npm` did not start")?;
    ensure!(status.success(), "`npm run e2e` failed: {status}");
    Ok(())
}

/// The demo of the built binary; killed when dropped.
struct Demo {
    process: Child,
    url: String,
}

impl Demo {
    fn start(root: &Path) -> Result<Self> {
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        let mut process = Command::new(target.join("debug/tidegate"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .context("the built `tidegate` did not start")?;
        let mut lines = BufReader::new(process.stderr.take().context("no stderr")?).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("console: ")?;
            rest.split('/').nth(2).map(str::to_owned)
        });
        // Reads on, so that the demo never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.context("the demo ended before it printed its address")?;
        Ok(Self {
            process,
            url: format!("http://{address}"),
        })
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself, which the tests have then told.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
