//! Servers for a test: one that runs already, or one of its own that it may kill.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::server::{Kind, Server};
use crate::state::{folder, read_state};

/// Ends the server with the test, however that ends, and throws its data away.
const KEEPER: &str = r#"
cat >/dev/null
for pid in $(cat "$1/pids"); do kill -KILL "-$pid"; done 2>/dev/null
rm -rf "$1"
"#;

/// A server of one test's own. It ends with the test.
#[derive(Debug)]
pub struct Own {
    /// The server.
    pub server: Server,
    /// Its standard input is open as long as this lives.
    keeper: Child,
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

/// Starts a server for one test alone, which may kill it. `None` where it cannot be started, which is said.
///
/// # Errors
///
/// When it is installed and does not start, or is not installed where everything is to be tested.
pub fn own(kind: Kind, test: &str) -> Result<Option<Own>> {
    if skipped(kind, test)? {
        return Ok(None);
    }
    let folders = folder().join("tests");
    std::fs::create_dir_all(&folders)?;
    let name = format!("{}-{}-{}", kind.word(), std::process::id(), number());
    let server = Server::start(kind, &folders.join(name))?;
    let keeper = Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(&server.folder)
        .stdin(Stdio::piped())
        .spawn()
        .context("`sh` did not start")?;
    Ok(Some(Own { server, keeper }))
}

fn number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// The server of this kind that `cargo xtask brokers up` has started, if it answers. Others may use it as well.
#[must_use]
pub fn running(kind: Kind) -> Option<Server> {
    let state = read_state(&folder()).ok()?;
    let mut servers = state.servers.into_iter();
    servers.find(|server| server.kind == kind && server.is_alive() && server.ask().is_ok())
}

/// Whether a test is skipped, as there is no such server on this machine; that is said with its name.
///
/// # Errors
///
/// Where everything is to be tested (`CI` is set), nothing may be left out.
pub fn skipped(kind: Kind, test: &str) -> Result<bool> {
    let Some(missing) = kind.missing() else {
        return Ok(false);
    };
    anyhow::ensure!(
        std::env::var_os("CI").is_none(),
        "`{test}` cannot be skipped in CI: {missing}"
    );
    let line = format!("skipped `{test}`: {missing}\n");
    std::io::stderr().write_all(line.as_bytes())?;
    Ok(true)
}

/// A number that whoever runs the tests has set, such as `TIDEGATE_ROUNDS`.
#[must_use]
pub fn setting(variable: &str) -> Option<u64> {
    let (_, value) = std::env::vars().find(|(name, _)| name == variable)?;
    value.parse().ok()
}
