//! `brokers`: real servers for tests, on loopback, with data that is thrown away.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use tidegate_servers::{
    Kind, Server, State, folder, install, read_state, remove_state, write_state,
};

use crate::command::say;

const USAGE: &str = "\
usage: cargo xtask brokers install|up|down|status [kafka] [rabbitmq] [nats]

  install  installs what is missing (Debian packages; Kafka's jars by Maven) and starts nothing
  up       installs, starts, and returns once each answers in its own protocol
  status   says of each whether it answers, and where; fails when one does not
  down     ends what `up` has started, by process id, and throws its data away

Without names: all of them.";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (command, names) = arguments.split_first().context(USAGE)?;
    let kinds = kinds(names)?;
    let folder = folder();
    match command.as_str() {
        "install" => kinds.into_iter().try_for_each(install_one),
        "up" => up(&folder, &kinds),
        "down" => down(&folder, &kinds),
        "status" => status(&folder, &kinds),
        _ => bail!("no such command: `{command}`\n{USAGE}"),
    }
}

fn kinds(names: &[String]) -> Result<Vec<Kind>> {
    if names.is_empty() {
        return Ok(Kind::ALL.to_vec());
    }
    let kind =
        |name: &String| Kind::of(name).with_context(|| format!("no broker `{name}`\n{USAGE}"));
    names.iter().map(kind).collect()
}

fn install_one(kind: Kind) -> Result<()> {
    if kind.missing().is_some() {
        say(&format!("── install {}", kind.word()));
    }
    install(kind).with_context(|| format!("{} cannot be installed", kind.word()))
}

fn up(folder: &Path, kinds: &[Kind]) -> Result<()> {
    let mut state = read_state(folder)?;
    let mut running = state.servers.iter();
    if let Some(server) = running.find(|s| kinds.contains(&s.kind) && s.is_alive()) {
        bail!(
            "{} runs already at {}; `cargo xtask brokers down` ends it",
            server.kind.word(),
            server.url
        );
    }
    forget(folder, &mut state, kinds)?;
    for kind in kinds {
        install_one(*kind)?;
        let server = Server::start(*kind, &folder.join(kind.word()))?;
        say(&format!("{:<9} {}", kind.word(), server.url));
        state.servers.push(server);
        // After each: what was started must be found, whatever becomes of the next.
        write_state(folder, &state)?;
    }
    Ok(())
}

/// Throws away what is left of servers that have ended.
fn forget(folder: &Path, state: &mut State, kinds: &[Kind]) -> Result<()> {
    let (gone, kept): (Vec<Server>, Vec<Server>) = std::mem::take(&mut state.servers)
        .into_iter()
        .partition(|server| kinds.contains(&server.kind));
    for server in &gone {
        // Such as an `epmd` without its server.
        server.stop()?;
    }
    remove_state(folder, &State { servers: gone })?;
    state.servers = kept;
    if !state.servers.is_empty() {
        write_state(folder, state)?;
    }
    Ok(())
}

fn down(folder: &Path, kinds: &[Kind]) -> Result<()> {
    let mut state = read_state(folder)?;
    for server in state.servers.iter().filter(|s| kinds.contains(&s.kind)) {
        server.stop()?;
        say(&format!("{:<9} ended", server.kind.word()));
    }
    forget(folder, &mut state, kinds)
}

fn status(folder: &Path, kinds: &[Kind]) -> Result<()> {
    let state = read_state(folder)?;
    let mut silent = 0;
    for kind in kinds {
        let server = state.servers.iter().find(|server| server.kind == *kind);
        let said = match server {
            None => "is not started".to_owned(),
            Some(server) if !server.is_alive() => format!("has ended ({})", server.log().display()),
            Some(server) => match server.ask() {
                Ok(()) => format!("answers at {}", server.url),
                Err(error) => format!("does not answer at {}: {error:#}", server.url),
            },
        };
        silent += usize::from(!said.starts_with("answers"));
        say(&format!("{:<9} {said}", kind.word()));
        for (name, url) in server.iter().flat_map(|server| &server.also) {
            say(&format!("{:<9} {name} at {url}", ""));
        }
    }
    ensure!(silent == 0, "{silent} of {} do not answer", kinds.len());
    Ok(())
}
