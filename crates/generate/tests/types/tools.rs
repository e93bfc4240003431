//! The tools of other languages: found, installed once, run.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of this test that outlives it.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("types")
        .join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// An empty folder of this test.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let folder = folder(name);
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The output of a command; `Err` names the tool when it is not there.
pub(crate) fn run(tool: &Path, arguments: &[&str], folder: &Path) -> Result<String, String> {
    let output = Command::new(tool)
        .args(arguments)
        .current_dir(folder)
        .output();
    let output = output.map_err(|error| format!("{} is absent: {error}", tool.display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{} {arguments:?} in {}:\n{}\n{}",
        tool.display(),
        folder.display(),
        text(&output.stderr),
        text(&output.stdout).chars().take(4_000).collect::<String>()
    );
    Ok(text(&output.stdout))
}

/// Whether a command ends well; for what is only tried.
fn works(tool: &str, arguments: &[&str], folder: &Path) -> bool {
    let output = Command::new(tool)
        .args(arguments)
        .current_dir(folder)
        .output();
    output.is_ok_and(|output| output.status.success())
}

/// A program of npm.
pub(crate) fn npm(package: &str, program: &str) -> Result<PathBuf, String> {
    let folder = folder("npm");
    let path = folder.join("node_modules/.bin").join(program);
    let arguments = [
        "install",
        "--no-audit",
        "--no-fund",
        "--prefix",
        ".",
        package,
    ];
    if path.exists() || works("npm", &arguments, &folder) {
        return Ok(path);
    }
    Err(format!("npm cannot install {package}"))
}

/// A program of pip, in an environment of its own.
pub(crate) fn pip(package: &str, program: &str) -> Result<PathBuf, String> {
    let folder = folder("pip");
    let path = folder.join("bin").join(program);
    let pip = folder.join("bin/pip");
    if path.exists()
        || works("python3", &["-m", "venv", "."], &folder)
            && works(pip.to_str().unwrap(), &["install", "-q", package], &folder)
    {
        return Ok(path);
    }
    Err(format!("pip cannot install {package}"))
}
