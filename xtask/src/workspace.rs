//! The workspace as cargo sees it: packages with their floors and edges, and its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) floor: Option<u64>,
    /// Names of what it depends on, tests and build scripts included.
    pub(crate) dependencies: Vec<String>,
    /// Names of what its library or binary depends on.
    pub(crate) normal_dependencies: Vec<String>,
}

/// The workspace's folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Every package of the workspace.
pub(crate) fn packages() -> Result<Vec<Package>> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .context("`cargo metadata` did not start")?;
    ensure!(output.status.success(), "`cargo metadata` failed");
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata.pointer("/packages").and_then(Value::as_array);
    packages
        .context("`cargo metadata` lists no packages")?
        .iter()
        .map(package)
        .collect()
}

fn package(value: &Value) -> Result<Package> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let manifest = PathBuf::from(text("manifest_path").context("a package has no manifest")?);
    let dependencies = value.get("dependencies").and_then(Value::as_array);
    let dependencies = dependencies.map(Vec::as_slice).unwrap_or_default();
    let name = |dependency: &Value| dependency.get("name")?.as_str().map(str::to_owned);
    let normal = dependencies
        .iter()
        .filter(|d| d.get("kind").is_none_or(Value::is_null));
    Ok(Package {
        name: text("name").context("a package has no name")?,
        folder: manifest
            .parent()
            .context("a manifest has no folder")?
            .to_path_buf(),
        floor: value.pointer("/metadata/floor").and_then(Value::as_u64),
        dependencies: dependencies.iter().filter_map(name).collect(),
        normal_dependencies: normal.filter_map(name).collect(),
    })
}

/// Every file that git tracks or would track, relative to the root, sorted.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .context("`git ls-files` did not start")?;
    ensure!(output.status.success(), "`git ls-files` failed");
    let text = String::from_utf8(output.stdout)?;
    let mut files: Vec<PathBuf> = text.lines().map(PathBuf::from).collect();
    files.retain(|file| root().join(file).is_file());
    files.sort();
    Ok(files)
}

/// The text of a file, relative to the root.
pub(crate) fn read(file: &Path) -> Result<String> {
    let path = root().join(file);
    fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
}
