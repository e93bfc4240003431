//! The `tidegate` command: reads arguments and environment, chooses adapters, prints, and exits.

mod arguments;
mod captures;
mod client;
mod commands;
mod daemon;
mod design_files;
mod document_files;
mod estate;
mod event_logs;
mod example;
mod exit;
mod past_design;
mod place;
mod receive;
mod registry_client;
mod registry_source;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
mod shards;
mod table;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use tidegate_generate::Language;

use crate::arguments::asyncapi::Asyncapi;
use crate::arguments::estate::{Broker, DeadLetters};
use crate::arguments::{Arguments, Command, Generate, Log};
use crate::exit::{Exit, Failure};

/// Reading and checking a large design is mostly small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A reader that goes away, such as `head`, ends the program without a message.
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(terminal::paints_stderr())
        .with_max_level(tracing::Level::WARN)
        .init();
    match run(arguments.command) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(arguments) => commands::init::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Contracts(arguments) => commands::contracts::contracts(&arguments),
        Command::Impact(arguments) => commands::contracts::impact(&arguments),
        Command::Explain(arguments) => commands::explain::run(&arguments),
        Command::Discover(arguments) => commands::discover::run(&arguments),
        Command::Select(arguments) => commands::select::run(&arguments),
        Command::Size(arguments) => commands::size::run(&arguments),
        Command::Simulate(arguments) => commands::simulate::run(&arguments),
        Command::Generate(Generate::Asyncapi(arguments)) => {
            commands::generate::asyncapi(&arguments)
        }
        Command::Generate(Generate::Mermaid(arguments)) => commands::generate::mermaid(&arguments),
        Command::Generate(Generate::Rust(arguments)) => {
            commands::types::run(&arguments, Language::Rust, None)
        }
        Command::Generate(Generate::Typescript(arguments)) => {
            commands::types::run(&arguments, Language::TypeScript, None)
        }
        Command::Generate(Generate::Java(arguments)) => commands::types::run(
            &arguments.types,
            Language::Java,
            arguments.package.as_deref(),
        ),
        Command::Generate(Generate::Python(arguments)) => {
            commands::types::run(&arguments, Language::Python, None)
        }
        Command::Asyncapi(Asyncapi::Validate(arguments)) => {
            commands::asyncapi::validate(&arguments)
        }
        Command::Import(import) => commands::import::run(&import),
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Demo(arguments) => commands::demo::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(&arguments),
        Command::Log(Log::Verify(arguments)) => commands::log::verify(&arguments),
        Command::Log(Log::Dump(arguments)) => commands::log::dump(&arguments),
        Command::Log(Log::Repair(arguments)) => commands::log::repair(&arguments),
        Command::Dlq(dlq) => commands::dlq::run(&dlq),
        Command::Consumer(consumer) => commands::consumer::run(&consumer),
        Command::Breaker(breaker) => commands::breaker::run(&breaker),
        Command::Why(arguments) => commands::why::run(&arguments),
        Command::Outbox(outbox) => commands::outbox::run(&outbox),
        Command::Schema(schema) => commands::schema::run(&schema),
        Command::Event(event) => commands::event::run(&event),
        Command::Generate(Generate::KafkaTopics(arguments)) => {
            commands::topology_files::kafka_topics(&arguments)
        }
        Command::Generate(Generate::Strimzi(arguments)) => {
            commands::topology_files::strimzi(&arguments)
        }
        Command::Generate(Generate::RabbitmqDefinitions(arguments)) => {
            commands::topology_files::rabbitmq_definitions(&arguments)
        }
        Command::Generate(Generate::Nats(arguments)) => commands::topology_files::nats(&arguments),
        Command::Apply(arguments) => commands::apply::apply(&arguments),
        Command::Drift(arguments) => commands::apply::drift(&arguments),
        Command::Doctor(arguments) => commands::doctor::run(&arguments),
        Command::Broker(Broker::Compare(arguments)) => commands::broker_compare::run(&arguments),
        Command::Lag(arguments) => commands::lag::run(&arguments),
        Command::DeadLetters(DeadLetters::Read(arguments)) => {
            commands::dead_letters::run(&arguments)
        }
    }
}
