//! What a bare machine lacks, installed: Debian's packages, and Maven Central's jars.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::kafka;
use crate::server::{Kind, program, run};

/// Says to Debian's packages that no service is to be started.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const POLICY_TEXT: &str =
    "#!/bin/sh\n# Nothing is started: tests start servers of their own.\nexit 101\n";

/// Installs what is missing to start a server of this kind. Starts nothing.
///
/// # Errors
///
/// When it cannot be installed, such as without a network or the right to.
pub fn install(kind: Kind) -> Result<()> {
    if kind.missing().is_none() {
        return Ok(());
    }
    match kind {
        Kind::RabbitMq => packages(&["rabbitmq-server"])?,
        Kind::Nats => packages(&["nats-server"])?,
        Kind::Kafka => {
            let mut wanted = Vec::new();
            if program("java", &[]).is_none() {
                wanted.push("openjdk-17-jre-headless");
            }
            if program("mvn", &[]).is_none() {
                wanted.push("maven");
            }
            packages(&wanted)?;
            kafka::install()?;
        }
    }
    match kind.missing() {
        None => Ok(()),
        Some(missing) => bail!("after the installation there is still {missing}"),
    }
}

fn packages(names: &[&str]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    if program("apt-get", &[]).is_none() {
        bail!(
            "install {} by hand: there is no apt-get here",
            names.join(" ")
        );
    }
    let policy = Policy::set()?;
    let mut update = Command::new("apt-get");
    run("apt-get update", update.args(["update", "-qq"]))?;
    let mut install = Command::new("apt-get");
    install
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(names);
    let installed = run("apt-get install", &mut install);
    drop(policy);
    installed.map(drop)
}

/// Keeps packages from starting services; what was there before is left alone.
struct Policy {
    ours: bool,
}

impl Policy {
    fn set() -> Result<Self> {
        let file = Path::new(POLICY);
        if file.exists() {
            return Ok(Self { ours: false });
        }
        let place = || format!("cannot write `{POLICY}`; installing packages needs root");
        fs::write(file, POLICY_TEXT).with_context(place)?;
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).with_context(place)?;
        Ok(Self { ours: true })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours {
            drop(fs::remove_file(POLICY));
        }
    }
}
