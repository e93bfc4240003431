//! What `cargo xtask brokers up` has started, kept in a file, so that tests use it and `down` finds it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::server::Server;

/// The servers that were started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Each with its URL, its folder and its processes.
    pub servers: Vec<Server>,
}

/// Where the servers of `cargo xtask brokers` have their data: `brokers` in cargo's target folder.
#[must_use]
pub fn folder() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).unwrap_or(here);
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    target.join("brokers")
}

fn file(folder: &Path) -> PathBuf {
    folder.join("state.json")
}

/// What was started with its data in `folder`; nothing, if there is no such file.
///
/// # Errors
///
/// When the file cannot be read or understood.
pub fn read_state(folder: &Path) -> Result<State> {
    let file = file(folder);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(State::default()),
        Err(error) => return Err(error).context(format!("cannot read `{}`", file.display())),
    };
    serde_json::from_str(&text).with_context(|| {
        format!(
            "`{}` cannot be understood; end the servers by hand and remove it",
            file.display()
        )
    })
}

/// Keeps what was started. Written beside the file and then put in its place, so that it is never half there.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_state(folder: &Path, state: &State) -> Result<()> {
    fs::create_dir_all(folder)?;
    let file = file(folder);
    let beside = file.with_extension("json.new");
    fs::write(&beside, serde_json::to_vec_pretty(state)?)?;
    fs::rename(&beside, &file).with_context(|| format!("cannot write `{}`", file.display()))
}

/// Forgets what was started, and throws its data away.
///
/// # Errors
///
/// When something cannot be removed.
pub fn remove_state(folder: &Path, state: &State) -> Result<()> {
    for server in &state.servers {
        // Only what lies where servers are put: the file could name anything.
        let inside = folder.canonicalize().map(|f| server.folder.starts_with(f));
        if inside.unwrap_or(false) && server.folder.exists() {
            fs::remove_dir_all(&server.folder)?;
        }
    }
    match fs::remove_file(file(folder)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
