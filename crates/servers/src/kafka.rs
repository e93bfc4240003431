//! Apache Kafka from Maven Central's jars, on the Java that is installed: one node, broker and controller.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::Process;
use crate::server::{Kind, Server, free_ports, program, run};

/// What it is made of.
const POM: &str = include_str!("../kafka/pom.xml");
const LOG4J: &str = include_str!("../kafka/log4j2.properties");
/// In the names of files, so that another version finds nothing of this one.
const VERSION: &str = "4.3.1";
/// Any will do: the data is of this server alone.
const CLUSTER: &str = "dGlkZWdhdGUtdGVzdHMtLQ";

/// What is missing to start one.
pub(crate) fn missing() -> Option<String> {
    if program("java", &[]).is_none() {
        return Some("no `java` (apt-get install openjdk-17-jre-headless)".to_owned());
    }
    match classpath() {
        Some(_) => None,
        None => Some(format!(
            "the jars of Kafka {VERSION} are not here (cargo xtask brokers install kafka)"
        )),
    }
}

/// The jars of an installation that is whole.
pub(crate) fn classpath() -> Option<String> {
    let jars = fs::read_to_string(classpath_file()?).ok()?;
    let jars = jars.trim();
    let whole = !jars.is_empty() && jars.split(':').all(|jar| Path::new(jar).is_file());
    whole.then(|| jars.to_owned())
}

fn classpath_file() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let folder = cache.or_else(home)?.join("tidegate");
    Some(folder.join(format!("kafka-{VERSION}.classpath")))
}

/// Has Maven fetch the jars into its own cache.
pub(crate) fn install() -> Result<()> {
    let file = classpath_file().context("neither HOME nor XDG_CACHE_HOME is set")?;
    let folder = file.parent().context("a file without a folder")?;
    fs::create_dir_all(folder)?;
    let pom = folder.join(format!("kafka-{VERSION}.pom.xml"));
    fs::write(&pom, POM)?;
    let mut maven = Command::new("mvn");
    maven
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(&pom)
        .arg("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath")
        .arg("-Dmdep.includeScope=runtime")
        .arg(format!("-Dmdep.outputFile={}", file.display()));
    run("mvn", &mut maven)?;
    classpath().context("Maven has not fetched every jar")?;
    Ok(())
}

/// Writes its configuration and formats its storage.
pub(crate) fn prepare(folder: &Path) -> Result<Server> {
    let ports = free_ports(2)?;
    let server = Server {
        kind: Kind::Kafka,
        url: String::new(),
        also: Vec::new(),
        folder: folder.to_path_buf(),
        ports,
        processes: Vec::new(),
    };
    let (clients, controller) = (server.port(0)?, server.port(1)?);
    let data = folder.join("data");
    let properties = format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{clients},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{clients}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
",
        data.display()
    );
    fs::write(folder.join("server.properties"), properties)?;
    fs::write(folder.join("log4j2.properties"), LOG4J)?;
    let mut format = java(folder)?;
    format
        .args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER])
        .arg("--config")
        .arg(folder.join("server.properties"));
    run("kafka.tools.StorageTool", &mut format)?;
    Ok(Server {
        url: format!("kafka://127.0.0.1:{clients}"),
        ..server
    })
}

pub(crate) fn start(server: &Server, log: &Path) -> Result<Vec<Process>> {
    let mut command = java(&server.folder)?;
    command
        .arg("kafka.Kafka")
        .arg(server.folder.join("server.properties"));
    Ok(vec![Process::start("kafka", &mut command, log)?])
}

/// Java with the jars: small, and quick to start rather than quick at last.
pub(crate) fn java(folder: &Path) -> Result<Command> {
    let classpath = classpath().context("the jars of Kafka are gone")?;
    let mut command = Command::new("java");
    command
        .args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
        .arg(format!(
            "-Dlog4j2.configurationFile={}",
            folder.join("log4j2.properties").display()
        ))
        .arg(format!("-Dkafka.logs.dir={}", folder.display()))
        .args(["-cp", &classpath])
        .current_dir(folder);
    Ok(command)
}
