//! NATS with JetStream, Debian's package.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::Process;
use crate::server::{Kind, Server, free_ports, program};

const PROGRAM: &str = "nats-server";

/// What is missing to start one.
pub(crate) fn missing() -> Option<String> {
    let found = program(PROGRAM, &["/usr/sbin"]);
    let missing = "no `nats-server` (cargo xtask brokers install nats)";
    found.is_none().then(|| missing.to_owned())
}

pub(crate) fn prepare(folder: &Path) -> Result<Server> {
    let ports = free_ports(2)?;
    let mut server = Server {
        kind: Kind::Nats,
        url: String::new(),
        also: Vec::new(),
        folder: folder.to_path_buf(),
        ports,
        processes: Vec::new(),
    };
    let (clients, monitoring) = (server.port(0)?, server.port(1)?);
    let configuration = format!(
        "listen: 127.0.0.1:{clients}
http: 127.0.0.1:{monitoring}
max_payload: 8MB
jetstream {{
  store_dir: \"{}\"
  max_file_store: 4GB
}}
",
        folder.join("data").display()
    );
    fs::write(folder.join("nats.conf"), configuration)?;
    server.url = format!("nats://127.0.0.1:{clients}");
    let monitoring = format!("http://127.0.0.1:{monitoring}");
    server.also.push(("monitoring".to_owned(), monitoring));
    Ok(server)
}

pub(crate) fn start(server: &Server, log: &Path) -> Result<Vec<Process>> {
    let program = program(PROGRAM, &["/usr/sbin"]).context("`nats-server` is gone")?;
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(server.folder.join("nats.conf"))
        .current_dir(&server.folder);
    Ok(vec![Process::start(PROGRAM, &mut command, log)?])
}
