//! `floors`: a crate uses only crates of a lower floor, and floors 0 to 2 do no I/O.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::command::say;
use crate::workspace::{self, Package};

/// The lowest floor that may do I/O.
const IO_FLOOR: u64 = 3;

/// What a pure crate may not depend on, as each brings I/O, a clock or async.
const IMPURE_CRATES: &[&str] = &[
    "tokio",
    "tokio-stream",
    "futures-util",
    "hyper",
    "hyper-util",
    "axum",
    "reqwest",
    "rustix",
    "tempfile",
    "tracing",
];

/// What a pure crate may not name.
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env::",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "SystemTime",
    "Instant::now",
    "async fn",
    "async move",
    ".await",
    "println!",
    "eprintln!",
];

/// Who alone may know HTTP: the server, the rehearsal of traffic with its stand-in services, and the library that asks a daemon.
const HTTP_CRATES: &[&str] = &["axum", "hyper", "hyper-util", "hyper-rustls", "http"];
const HTTP_USERS: &[&str] = &["tidegate-server", "tidegate-traffic", "tidegate"];
/// The client of a running daemon or broker, and who alone asks one.
const CLIENT_CRATE: &str = "ureq";
const CLIENT_USERS: &[&str] = &["tidegate-cli", "tidegate-estate"];

pub(crate) fn check() -> Result<()> {
    let packages = workspace::packages()?;
    let floors: HashMap<&str, u64> = packages
        .iter()
        .filter_map(|p| Some((p.name.as_str(), p.floor?)))
        .collect();
    let mut wrong = Vec::new();
    for package in &packages {
        edges(package, &floors, &mut wrong);
        if package.floor.is_some_and(|floor| floor < IO_FLOOR) {
            purity(package, &mut wrong)?;
        }
    }
    if !wrong.is_empty() {
        bail!("{} wrong\n  {}", wrong.len(), wrong.join("\n  "));
    }
    say(&format!(
        "floors: {} crates, every edge goes down",
        packages.len()
    ));
    Ok(())
}

fn edges(package: &Package, floors: &HashMap<&str, u64>, wrong: &mut Vec<String>) {
    let name = &package.name;
    let Some(floor) = package.floor else {
        wrong.push(format!(
            "`{name}` names no floor: add `[package.metadata] floor = …`"
        ));
        return;
    };
    for dependency in &package.dependencies {
        match floors.get(dependency.as_str()) {
            Some(lower) if *lower >= floor => wrong.push(format!(
                "`{name}` (floor {floor}) uses `{dependency}` (floor {lower}): edges go down only"
            )),
            _ => {}
        }
    }
    for dependency in &package.normal_dependencies {
        if HTTP_CRATES.contains(&dependency.as_str()) && !HTTP_USERS.contains(&name.as_str()) {
            wrong.push(format!(
                "`{name}` uses `{dependency}`: only {HTTP_USERS:?} know HTTP"
            ));
        }
        if dependency == CLIENT_CRATE && !CLIENT_USERS.contains(&name.as_str()) {
            wrong.push(format!(
                "`{name}` uses `{dependency}`: only {CLIENT_USERS:?} ask over it"
            ));
        }
    }
}

fn purity(package: &Package, wrong: &mut Vec<String>) -> Result<()> {
    for dependency in &package.normal_dependencies {
        if IMPURE_CRATES.contains(&dependency.as_str()) {
            wrong.push(format!(
                "`{}` is pure and uses `{dependency}`",
                package.name
            ));
        }
    }
    let source = package.folder.join("src");
    let mut files = Vec::new();
    for file in workspace::files()? {
        let path = workspace::root().join(&file);
        if path.starts_with(&source) && path.extension().is_some_and(|end| end == "rs") {
            files.push((path, workspace::read(&file)?));
        }
    }
    let tests: Vec<PathBuf> = files
        .iter()
        .flat_map(|(path, text)| test_modules(path, text))
        .collect();
    for (path, text) in &files {
        if !tests
            .iter()
            .any(|test| path.starts_with(test) || *path == test.with_extension("rs"))
        {
            words(path, text, wrong);
        }
    }
    Ok(())
}

/// The modules that a file declares for tests alone, as paths without an ending.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let stem = path.file_stem().unwrap_or_default();
    let parent = path.parent().unwrap_or(path);
    let is_root = ["lib", "main", "mod"].iter().any(|root| stem == *root);
    let folder = if is_root {
        parent.to_path_buf()
    } else {
        parent.join(stem)
    };
    let after_test = text.split("#[cfg(test)]").skip(1);
    after_test
        .filter_map(|rest| rest.trim_start().strip_prefix("mod ")?.split(';').next())
        .filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .map(|name| folder.join(name))
        .collect()
}

/// Looks at code only: comments may speak of anything, and so may tests.
fn words(path: &Path, text: &str, wrong: &mut Vec<String>) {
    for (index, line) in text.lines().enumerate() {
        let is_test = line.trim_start().starts_with("#[cfg(test)]");
        let declares = text
            .lines()
            .nth(index + 1)
            .is_some_and(|next| next.trim_end().ends_with(';'));
        if is_test && !declares {
            break;
        }
        let code = line.split("//").next().unwrap_or_default();
        for word in IMPURE_WORDS {
            if code.contains(word) {
                let place = format!("{}:{}", path.display(), index + 1);
                wrong.push(format!("{place}: `{word}` below floor {IO_FLOOR}"));
            }
        }
    }
}
