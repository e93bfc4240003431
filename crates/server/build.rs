//! Builds the console with Vite, so that a clean clone needs one command and no manual step.
//!
//! `TIDEGATE_CONSOLE_DIST` names a folder that is built already, for machines without Node.js.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=TIDEGATE_CONSOLE_DIST");
    let dist = match env::var_os("TIDEGATE_CONSOLE_DIST") {
        Some(dist) => PathBuf::from(dist),
        None => build(),
    };
    if !dist.join("index.html").is_file() {
        fail(&format!("`{}` has no index.html", dist.display()));
    }
    println!("cargo::rustc-env=TIDEGATE_CONSOLE_DIST={}", dist.display());
}

/// Copies the console's sources aside and builds them there: a build script writes nowhere else.
fn build() -> PathBuf {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let console = root.join("../../console");
    let work = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("console");
    for source in [
        "src",
        "public",
        "index.html",
        "package.json",
        "package-lock.json",
    ]
    .into_iter()
    .chain(["vite.config.ts", "svelte.config.js", "tsconfig.json"])
    {
        let from = console.join(source);
        println!("cargo::rerun-if-changed={}", from.display());
        let to = work.join(source);
        if to.is_dir() {
            check(fs::remove_dir_all(&to), &to);
        }
        copy(&from, &to);
    }
    if !installed(&work) {
        npm(
            &work,
            &["ci", "--no-audit", "--no-fund", "--loglevel=error"],
        );
        check(
            fs::copy(work.join("package-lock.json"), work.join("installed.json")).map(drop),
            &work,
        );
    }
    npm(&work, &["run", "--silent", "build"]);
    work.join("dist")
}

/// Whether the packages of the present lock file are there already.
fn installed(work: &Path) -> bool {
    let wanted = fs::read(work.join("package-lock.json")).ok();
    wanted.is_some() && wanted == fs::read(work.join("installed.json")).ok()
}

fn npm(folder: &Path, arguments: &[&str]) {
    let output = Command::new("npm")
        .args(arguments)
        .current_dir(folder)
        .output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => fail(&format!(
            "`npm {}` failed:\n{}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => fail(&format!(
            "the console needs Node.js 20 or later with npm, and npm did not start ({error}); \
             install it, or set TIDEGATE_CONSOLE_DIST to a console that is built already"
        )),
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        check(fs::create_dir_all(to), to);
        for entry in fs::read_dir(from).into_iter().flatten().flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else if from.is_file() {
        if let Some(parent) = to.parent() {
            check(fs::create_dir_all(parent), parent);
        }
        check(fs::copy(from, to).map(drop), to);
    }
}

fn check(result: std::io::Result<()>, place: &Path) {
    if let Err(error) = result {
        fail(&format!("`{}`: {error}", place.display()));
    }
}

#[expect(clippy::exit, reason = "a build script reports by its exit code")]
#[expect(
    clippy::print_stderr,
    reason = "cargo shows what a build script prints"
)]
fn fail(message: &str) -> ! {
    for line in message.lines() {
        println!("cargo::error={line}");
    }
    eprintln!("{message}");
    std::process::exit(1)
}
