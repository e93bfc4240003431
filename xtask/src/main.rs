//! The project's own automation: one program on a laptop and in CI.

mod agreement;
mod brokers;
mod command;
mod findings_pages;
mod floors;
mod tidy;
mod traps_page;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  floors     fail on an upward edge between crates, or on I/O below floor 3
  tidy       fail on long files, missing module docs, missing pages, stale maps
  lint       floors, tidy, rustfmt, clippy, and cargo-deny where it is installed
  test       every test: Rust, with PostgreSQL where it is found, then the console in a browser where one is
  ci         lint, then test
  agreement  verdicts on schemas and AsyncAPI documents beside those of others, as tables; runs the cases first
  brokers    real Kafka, RabbitMQ and NATS for tests: install, up, status, down
";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            command::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str) -> Result<()> {
    match command {
        "floors" => floors::check(),
        "tidy" => tidy::check(),
        "lint" => command::lint(),
        "test" => command::test(),
        "ci" => command::lint().and_then(|()| command::test()),
        "agreement" => agreement::show(),
        "brokers" => brokers::run(&std::env::args().skip(2).collect::<Vec<_>>()),
        _ => bail!("no such command: `{command}`\n{USAGE}"),
    }
}
