//! `tidegate size`: how much a design needs.

use tidegate_base::{Bytes, Clock, Timestamp};
use tidegate_model::{Code, Design};
use tidegate_runtime::TokioClock;
use tidegate_select::Facts;
use tidegate_select::facts::{Fact, MessagingOption, Runs, Value, name_of};
use tidegate_size::facts::{Broker, Capacity};
use tidegate_size::{Options, Verdict};

use crate::arguments::ReportFormat;
use crate::arguments::size::Size;
use crate::commands::select::pretty;
use crate::commands::simulate::{beside, recording};
use crate::commands::size_trials::Trials;
use crate::design_files;
use crate::exit::{Exit, Failure, Kind};
use crate::terminal;

/// The finding that a consumer has too few workers for its load.
const TOO_FEW: Code = Code("E0401");
/// How many brokers are sized when the design names none: those that fit it best.
const RANKED: usize = 3;

pub(crate) fn run(arguments: &Size) -> Result<Exit, Failure> {
    // How many workers are too few is what is asked here.
    let design = design_files::sound_but_for(&arguments.design, TOO_FEW)?;
    let facts = Facts::bundled().map_err(|error| Failure::caused(Kind::Configuration, &error))?;
    let recording = match &arguments.recording {
        Some(file) => Some(recording(file)?),
        None => beside(&arguments.design, "nothing is taken as measured"),
    };
    let brokers = brokers(&design, &facts, TokioClock::new().now());
    if let Some(named) = &design.messaging.broker
        && brokers.is_empty()
    {
        terminal::say(&format!(
            "the design names `{}`, about which no facts are kept: no broker is sized",
            named.value
        ));
    }
    let trials = Trials::new(&design, recording.as_ref());
    let size = tidegate_size::size(
        &design,
        recording.as_ref(),
        &brokers,
        &options(arguments),
        &|question| trials.simulate(question),
    );
    terminal::print(&match arguments.format {
        ReportFormat::Human => size.to_human(),
        ReportFormat::Json => pretty(&size.to_json()),
        ReportFormat::Markdown => size.to_markdown(),
    })?;
    Ok(match size.verdict {
        Verdict::Insufficient => Exit::No,
        Verdict::Sufficient | Verdict::Unknown => Exit::Yes,
    })
}

fn options(arguments: &Size) -> Options {
    let bytes = |rate: Option<Bytes>| rate.map(|Bytes(bytes)| bytes as f64);
    Options {
        replicas: arguments.replicas,
        utilisation: arguments.utilisation,
        outage: arguments.outage,
        failures: arguments.failures,
        partitions: arguments.partitions,
        partition_rate: bytes(arguments.partition_rate),
        network: bytes(arguments.network),
        disk: bytes(arguments.disk),
        sync_time: arguments.fsync,
    }
}

/// The broker that the design names, in each of its kinds, or those that fit it best.
fn brokers(design: &Design, facts: &Facts, today: Timestamp) -> Vec<Broker> {
    if let Some(named) = &design.messaging.broker {
        let options = facts.options.iter();
        let called = options.filter(|option| option.is_called(&named.value));
        return called
            .map(|option| broker(option, true, facts, today))
            .collect();
    }
    let selection = tidegate_select::select(design, facts, today);
    let ranked = selection.ranking.iter().take(RANKED);
    ranked
        .filter_map(|ranked| facts.options.iter().find(|o| o.id == ranked.option))
        .map(|option| broker(option, false, facts, today))
        .collect()
}

fn broker(option: &MessagingOption, is_named: bool, facts: &Facts, today: Timestamp) -> Broker {
    let known = facts.facts.iter().filter(|fact| fact.option == option.id);
    Broker {
        option: option.id.clone(),
        name: option.name.clone(),
        is_named,
        is_managed: option.runs != Runs::Software,
        facts: known
            .filter(|fact| fact.decides())
            .filter_map(|fact| capacity(fact, facts.is_expired(fact, today)))
            .collect(),
    }
}

/// What a fact says of a size, if it is about one: the two sides have the same names.
fn capacity(fact: &Fact, is_old: bool) -> Option<tidegate_size::facts::Fact> {
    let Value::Number(amount) = fact.value else {
        return None;
    };
    let about: Capacity = serde_json::from_value(name_of(fact.criterion).into()).ok()?;
    let kind = serde_json::to_value(fact.kind).ok()?;
    Some(tidegate_size::facts::Fact {
        about,
        amount,
        counts: fact.unit.clone(),
        kind: kind.as_str()?.to_owned(),
        source: fact.source.clone(),
        as_of: fact.as_of.clone(),
        note: fact.note.clone(),
        is_old,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sized_by_is_what_the_table_has() {
        let facts = Facts::bundled().unwrap();
        let today = TokioClock::new().now();
        let sized = |id: &str| {
            let option = facts.options.iter().find(|option| option.id == id).unwrap();
            broker(option, true, &facts, today)
        };
        for (id, capacity) in [
            ("kafka", Capacity::BytesPerPartition),
            ("kafka", Capacity::PartitionsPerNode),
            ("kafka", Capacity::BytesPerNode),
            ("redpanda", Capacity::MemoryPerPartition),
            ("rabbitmq-quorum", Capacity::MessagesPerSync),
            ("rabbitmq-stream", Capacity::RatePerNode),
            ("nats-jetstream", Capacity::AssetsPerNode),
            ("redis-streams", Capacity::MemoryFactor),
            ("pulsar", Capacity::InFlight),
            ("sqs-fifo", Capacity::RatePerKey),
            ("event-hubs", Capacity::BytesOutPerUnit),
            ("postgres", Capacity::DeliveriesPerNode),
            ("embedded", Capacity::InFlight),
        ] {
            assert!(sized(id).fact(capacity).is_some(), "{id} {capacity:?}");
        }
        assert!(sized("sqs-fifo").is_managed && !sized("kafka").is_managed);
    }
}
