//! Processes that were started here, told from others that were given the same id later.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::patience::until;

/// A process, with when it started: an id alone may be given to another one later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// What it is for, in messages.
    pub(crate) name: String,
    pub(crate) pid: i32,
    /// In ticks since the machine has started.
    pub(crate) started: u64,
}

impl Process {
    /// Starts `command` in a process group of its own, so that it outlives this process; what it says goes
    /// to `log`.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let output = append_to(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} did not start"))?;
        let pid = i32::try_from(child.id()).context("a process id is out of range")?;
        // Reaped, so that it is no zombie once it has ended.
        std::thread::spawn(move || {
            let mut child = child;
            drop(child.wait());
        });
        let started = started(pid).with_context(|| {
            format!("{name} ended at once; what it said is in {}", log.display())
        })?;
        Ok(Self {
            name: name.to_owned(),
            pid,
            started,
        })
    }

    /// Whether it runs.
    pub(crate) fn is_alive(&self) -> bool {
        started(self.pid) == Some(self.started)
    }

    /// Asks it to end, and ends it if it takes too long.
    pub(crate) fn stop(&self, patience: Duration) -> Result<()> {
        self.signal(Signal::TERM, false)?;
        if self.ends_within(patience) {
            return Ok(());
        }
        self.kill()
    }

    /// Ends it and those that it has started at once, as `kill -9` does.
    pub(crate) fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL, true)?;
        if self.ends_within(Duration::from_secs(10)) {
            return Ok(());
        }
        bail!("{} (process {}) does not end", self.name, self.pid)
    }

    fn signal(&self, signal: Signal, group: bool) -> Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        let pid = Pid::from_raw(self.pid).context("no process id")?;
        let sent = match group {
            true => kill_process_group(pid, signal),
            false => kill_process(pid, signal),
        };
        // It may have ended in between.
        match sent {
            Err(error) if self.is_alive() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Stops it where it stands, or lets it go on: a server that is slow.
    pub(crate) fn freeze(&self, frozen: bool) -> Result<()> {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        self.signal(signal, true)
    }

    fn ends_within(&self, patience: Duration) -> bool {
        until(patience, || !self.is_alive())
    }
}

/// When the process with this id started; `None`: there is none, or it is only not reaped yet.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may have spaces.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if matches!(fields.next(), Some("Z" | "X")) {
        return None;
    }
    // The first of the rest is field 3; the start time is field 22.
    fields.nth(18)?.parse().ok()
}

fn append_to(log: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(log);
    file.with_context(|| format!("cannot write `{}`", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_another_with_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut sleeps = Command::new("sleep");
        let process = Process::start("sleep", sleeps.arg("60"), &log).unwrap();
        assert!(process.is_alive());
        let another = Process {
            started: process.started - 1,
            ..process.clone()
        };
        assert!(!another.is_alive());
        another.kill().unwrap();
        assert!(process.is_alive());
        process.stop(Duration::from_secs(10)).unwrap();
        assert!(!process.is_alive());
    }

    #[test]
    fn what_does_not_listen_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut deaf = Command::new("sh");
        let script = format!(
            "trap '' TERM; touch {}; while true; do sleep 1; done",
            folder.path().join("deaf").display()
        );
        let process = Process::start("sh", deaf.args(["-c", &script]), &log).unwrap();
        let deaf = || folder.path().join("deaf").exists();
        assert!(until(Duration::from_secs(30), deaf));
        process.stop(Duration::from_millis(200)).unwrap();
        assert!(!process.is_alive());
    }
}
