//! One server: where it listens, what it runs on, and how it is ended.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::patience::until;
use crate::process::Process;
use crate::{answer, kafka, nats, rabbitmq};

/// Longest time that a server may take until it answers: other work may be on the machine.
const START_TIME_MAX: Duration = Duration::from_secs(240);
/// How long it may take to end politely.
const STOP_TIME_MAX: Duration = Duration::from_secs(20);

/// A kind of broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Apache Kafka, one node that is broker and controller.
    Kafka,
    /// RabbitMQ, with its management interface and streams.
    RabbitMq,
    /// NATS with JetStream.
    Nats,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Kafka, Self::RabbitMq, Self::Nats];

    /// Its word on the command line and in the state.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::RabbitMq => "rabbitmq",
            Self::Nats => "nats",
        }
    }

    /// The kind with this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// What is missing on this machine to start one; `None`: nothing.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Kafka => kafka::missing(),
            Self::RabbitMq => rabbitmq::missing(),
            Self::Nats => nats::missing(),
        }
    }
}

/// A server that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// What it is.
    pub kind: Kind,
    /// Where clients connect.
    pub url: String,
    /// Where else it can be asked, such as a management interface.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<(String, String)>,
    /// Its data, configuration and log.
    pub folder: PathBuf,
    /// Its ports, in an order of its own.
    pub(crate) ports: Vec<u16>,
    /// Its processes, the server itself first.
    pub(crate) processes: Vec<Process>,
}

impl Server {
    /// Starts a server with new data in `folder` and waits until it answers.
    ///
    /// # Errors
    ///
    /// When something is missing, or it does not answer in time.
    pub fn start(kind: Kind, folder: &Path) -> Result<Self> {
        if let Some(missing) = kind.missing() {
            bail!("{} cannot be started: {missing}", kind.word());
        }
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make `{}`", folder.display()))?;
        let folder = folder.canonicalize()?;
        let mut server = match kind {
            Kind::Kafka => kafka::prepare(&folder),
            Kind::RabbitMq => rabbitmq::prepare(&folder),
            Kind::Nats => nats::prepare(&folder),
        }?;
        server.start_again()?;
        Ok(server)
    }

    /// Starts it on what it has kept, on the same ports, and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it does not answer in time.
    pub fn start_again(&mut self) -> Result<()> {
        let log = self.log();
        let processes = match self.kind {
            Kind::Kafka => kafka::start(self, &log),
            Kind::RabbitMq => rabbitmq::start(self, &log),
            Kind::Nats => nats::start(self, &log),
        };
        self.processes = processes?;
        self.note_pids()?;
        let awaited = self.await_answer();
        if awaited.is_err() {
            drop(self.kill());
        }
        awaited
    }

    fn await_answer(&self) -> Result<()> {
        let has_ended = || self.processes.iter().find(|process| !process.is_alive());
        let mut asked = answer::ask(self);
        until(START_TIME_MAX, || {
            asked = answer::ask(self);
            asked.is_ok() || has_ended().is_some()
        });
        let log = self.log();
        if let Some(ended) = has_ended() {
            bail!("{} ended; what it said is in {}", ended.name, log.display());
        }
        asked.with_context(|| {
            format!(
                "{} does not answer within {} s; what it said is in {}",
                self.kind.word(),
                START_TIME_MAX.as_secs(),
                log.display()
            )
        })
    }

    /// Asks it something in its own protocol.
    ///
    /// # Errors
    ///
    /// When it does not answer, or answers something else.
    pub fn ask(&self) -> Result<()> {
        answer::ask(self)
    }

    /// Whether its processes run.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.processes.is_empty() && self.processes.iter().all(Process::is_alive)
    }

    /// Asks it to end, and ends it if it takes too long.
    ///
    /// # Errors
    ///
    /// When it does not end at all.
    pub fn stop(&self) -> Result<()> {
        let mut processes = self.processes.iter();
        processes.try_for_each(|process| process.stop(STOP_TIME_MAX))
    }

    /// Ends it at once, as `kill -9` does.
    ///
    /// # Errors
    ///
    /// When it does not end.
    pub fn kill(&self) -> Result<()> {
        self.processes.iter().try_for_each(Process::kill)
    }

    /// Stops it where it stands, or lets it go on.
    ///
    /// # Errors
    ///
    /// When it cannot be told.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        let mut processes = self.processes.iter();
        processes.try_for_each(|process| process.freeze(frozen))
    }

    /// One of Kafka's own tools in Java, by the name of its class.
    ///
    /// # Errors
    ///
    /// When its jars are gone.
    pub fn kafka_tool(&self, class: &str) -> Result<Command> {
        let mut command = kafka::java(&self.folder)?;
        command.arg(class);
        Ok(command)
    }

    /// One of RabbitMQ's own tools, such as `rabbitmqctl`, that speaks to this server.
    ///
    /// # Errors
    ///
    /// When it is no server of RabbitMQ.
    pub fn rabbitmq_tool(&self, name: &str) -> Result<Command> {
        rabbitmq::tool(self, name)
    }

    /// Runs one of RabbitMQ's own commands on it, as `rabbitmqctl` does.
    ///
    /// # Errors
    ///
    /// When the command fails.
    pub fn rabbitmq_control(&self, arguments: &[&str]) -> Result<String> {
        rabbitmq::control(self, arguments)
    }

    /// Where what it says is kept.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub(crate) fn port(&self, index: usize) -> Result<u16> {
        let port = self.ports.get(index).copied();
        port.context("a server has fewer ports than expected")
    }

    /// For whoever has to end it after a process that could not.
    fn note_pids(&self) -> Result<()> {
        let pids: Vec<String> = self.processes.iter().map(|p| p.pid.to_string()).collect();
        fs::write(self.folder.join("pids"), pids.join(" "))?;
        Ok(())
    }
}

/// Ports of loopback that nobody uses now.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    let bind = |_| TcpListener::bind("127.0.0.1:0");
    let listeners: Vec<TcpListener> = (0..count).map(bind).collect::<Result<_, _>>()?;
    let port = |listener: &TcpListener| Ok(listener.local_addr()?.port());
    listeners.iter().map(port).collect()
}

/// Runs a command to its end.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("`{what}` did not start"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    bail!("`{what}` failed: {}\n{}", output.status, said.trim())
}

/// The program with this name on the path, or in one of the other folders.
pub(crate) fn program(name: &str, others: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(others.iter().map(PathBuf::from));
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
