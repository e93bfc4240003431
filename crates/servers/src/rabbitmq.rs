//! RabbitMQ, Debian's package: all of Erlang on loopback, with an `epmd` of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::patience::until;
use crate::process::Process;
use crate::server::{Kind, Server, free_ports, program, run};

/// Debian's programs without the wrapper that becomes another user.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";
const PLUGINS: &str = "[rabbitmq_management,rabbitmq_stream].\n";

/// What is missing to start one.
pub(crate) fn missing() -> Option<String> {
    let found = Path::new(PROGRAMS).join("rabbitmq-server").is_file();
    let whole = found && program("erl", &[]).is_some() && program("epmd", &[]).is_some();
    let missing = "no RabbitMQ (cargo xtask brokers install rabbitmq)";
    (!whole).then(|| missing.to_owned())
}

pub(crate) fn prepare(folder: &Path) -> Result<Server> {
    let ports = free_ports(5)?;
    let mut server = Server {
        kind: Kind::RabbitMq,
        url: String::new(),
        also: Vec::new(),
        folder: folder.to_path_buf(),
        ports,
        processes: Vec::new(),
    };
    let (amqp, management, stream) = (server.port(0)?, server.port(1)?, server.port(2)?);
    let configuration = format!(
        "listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
stream.listeners.tcp.1 = 127.0.0.1:{stream}
stream.advertised_host = 127.0.0.1
stream.advertised_port = {stream}
log.console = true
log.console.level = warning
log.file = false
disk_free_limit.absolute = 50MB
"
    );
    fs::write(folder.join("rabbitmq.conf"), configuration)?;
    fs::write(folder.join("enabled_plugins"), PLUGINS)?;
    fs::create_dir_all(folder.join("data"))?;
    server.url = format!("amqp://guest:guest@127.0.0.1:{amqp}/%2f");
    let management = format!("http://guest:guest@127.0.0.1:{management}");
    server.also.push(("management".to_owned(), management));
    let stream = format!("rabbitmq-stream://guest:guest@127.0.0.1:{stream}/%2f");
    server.also.push(("stream".to_owned(), stream));
    Ok(server)
}

pub(crate) fn start(server: &Server, log: &Path) -> Result<Vec<Process>> {
    let (distribution, epmd_port) = (server.port(3)?, server.port(4)?);
    let epmd = start_epmd(server, epmd_port, log)?;
    let mut command = tool(server, "rabbitmq-server")?;
    let folder = &server.folder;
    command
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env(
            "RABBITMQ_ENABLED_PLUGINS_FILE",
            folder.join("enabled_plugins"),
        )
        .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
        .env("RABBITMQ_LOG_BASE", folder)
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_PID_FILE", folder.join("rabbitmq.pid"))
        .env("RABBITMQ_DIST_PORT", distribution.to_string())
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
        )
        // It becomes the Erlang machine itself, which thus is the process that was started.
        .env("RUNNING_UNDER_SYSTEMD", "true")
        .env("RABBITMQ_ALLOW_INPUT", "");
    let started = Process::start("rabbitmq", &mut command, log);
    match started {
        Ok(rabbitmq) => Ok(vec![rabbitmq, epmd]),
        Err(error) => {
            drop(epmd.kill());
            Err(error)
        }
    }
}

/// Runs one of its own commands, such as `set_disk_free_limit 1MB`, on a server that runs.
pub(crate) fn control(server: &Server, arguments: &[&str]) -> Result<String> {
    let mut command = tool(server, "rabbitmqctl")?;
    run("rabbitmqctl", command.args(arguments))
}

/// One of its programs, with what all of them have to know to find the server.
pub(crate) fn tool(server: &Server, name: &str) -> Result<Command> {
    let (distribution, epmd_port) = (server.port(3)?, server.port(4)?);
    let mut command = Command::new(Path::new(PROGRAMS).join(name));
    command
        .current_dir(&server.folder)
        // Its cookie lies there.
        .env("HOME", &server.folder)
        .env(
            "RABBITMQ_NODENAME",
            format!("tidegate-{distribution}@localhost"),
        )
        .env(
            "RABBITMQ_CONF_ENV_FILE",
            server.folder.join("no-environment"),
        )
        .env("ERL_EPMD_PORT", epmd_port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1");
    Ok(command)
}

/// Erlang would start one for the whole machine, on all of its addresses.
fn start_epmd(server: &Server, port: u16, log: &Path) -> Result<Process> {
    let mut command = Command::new("epmd");
    command
        .args(["-address", "127.0.0.1", "-port", &port.to_string()])
        .current_dir(&server.folder);
    let epmd = Process::start("epmd", &mut command, log)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listens = || TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok();
    if !until(Duration::from_secs(20), || listens() || !epmd.is_alive()) || !epmd.is_alive() {
        drop(epmd.kill());
        bail!("epmd does not listen; what it said is in {}", log.display());
    }
    Ok(epmd)
}
