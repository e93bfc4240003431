//! From records to the design: every default that depends on others is filled in here.

mod bundle;
mod consume;
mod contract;
mod schema;

use indexmap::IndexMap;
use tidegate_base::Name;

use crate::design::{
    Backlog, Breaker, Dependency, Design, Event, Located, Messaging, Order, Process, Service,
    Targets,
};
use crate::findings::Findings;
use crate::reader::Record;
use crate::source::SchemaPath;

pub(crate) use schema::Schemas;
pub use schema::{is_within, protobuf_imports};

/// What a system without a name is called until it has one.
const UNNAMED: &str = "unnamed";

/// The design that a record stands for; `None` only when even [`UNNAMED`] were not a name.
pub(crate) fn resolve(
    record: &Record,
    schema_text: &dyn Fn(&SchemaPath) -> Result<String, String>,
    findings: &mut Findings,
) -> Option<Design> {
    let system = match record.get("system") {
        Some(system) => system,
        None => Located {
            value: Name::new(UNNAMED).ok()?,
            place: record.place.clone(),
        },
    };
    let mut schemas = Schemas::new(schema_text, findings);
    let events: IndexMap<_, _> = record
        .named("events")
        .iter()
        .map(|(name, record)| (name.clone(), event(name, record, &mut schemas)))
        .collect();
    let services = record
        .named("services")
        .iter()
        .map(|(name, record)| (name.clone(), service(record, &events)));
    Some(Design {
        system,
        processes: each(record, "processes", process),
        services: services.collect(),
        dependencies: each(record, "dependencies", dependency),
        messaging: record
            .section("messaging")
            .map(messaging)
            .unwrap_or_default(),
        events,
    })
}

fn each<T>(record: &Record, section: &str, read: fn(&Record) -> T) -> IndexMap<Name, T> {
    record
        .named(section)
        .iter()
        .map(|(name, record)| (name.clone(), read(record)))
        .collect()
}

fn process(record: &Record) -> Process {
    Process {
        place: record.place.clone(),
        summary: summary(record),
        owner: record.get("owner"),
        criticality: record.value("criticality"),
        steps: record.list("steps").unwrap_or_default(),
    }
}

fn event(name: &Name, record: &Record, schemas: &mut Schemas<'_>) -> Event {
    let event_type: Option<Located<String>> = record.get("type");
    let schema = record.slot("schema");
    let schema = schema.and_then(|written| schemas.resolve((name, None), written));
    let versions = contract::versions(name, record, schemas);
    Event {
        place: record.place.clone(),
        event_type: event_type.map_or_else(|| name.to_string(), |written| written.value),
        summary: summary(record),
        owner: record.get("owner"),
        schema,
        version: record.get("version"),
        versions,
        rules: contract::rules(record, "rules"),
        is_schema_refused: record.is_refused("schema"),
        key: record.get("key"),
        compatibility: record.value("compatibility"),
        retention: record.located("retention"),
        retention_size: record.get("retention-size"),
        cleanup_policy: record.located("cleanup-policy"),
        backlog: record.section("backlog").map(backlog),
        targets: record.section("targets").map(targets).unwrap_or_default(),
    }
}

fn backlog(record: &Record) -> Backlog {
    Backlog {
        place: record.place.clone(),
        events: record.get("events"),
        bytes: record.get("bytes"),
        age: record.get("age"),
    }
}

fn targets(record: &Record) -> Targets {
    Targets {
        place: Some(record.place.clone()),
        rate: record.get("rate").map(|rate| rate.value),
        peak: record.get("peak").map(|peak| peak.value),
        p99: record.get("p99").map(|p99| p99.value),
        size: record.get("size").map(|size| size.value),
    }
}

fn service(record: &Record, events: &IndexMap<Name, Event>) -> Service {
    let consumes = record.named("consumes").iter().map(|(name, record)| {
        let event_has_key = events.get(name).is_some_and(|event| event.key.is_some());
        let natural_order = if event_has_key {
            Order::Key
        } else {
            Order::None
        };
        (name.clone(), consume::resolve(record, natural_order))
    });
    Service {
        place: record.place.clone(),
        summary: summary(record),
        owner: record.get("owner"),
        publishes: contract::published(record),
        publishes_versions: contract::published_versions(record),
        consumes: consumes.collect(),
    }
}

fn dependency(record: &Record) -> Dependency {
    Dependency {
        place: record.place.clone(),
        summary: summary(record),
        owner: record.get("owner"),
        concurrency: record.get("concurrency"),
        breaker: breaker(record.section("breaker").unwrap_or(record)),
    }
}

fn breaker(record: &Record) -> Breaker {
    Breaker {
        place: record.place.clone(),
        failure_rate: record.located("failure-rate"),
        minimum: record.located("minimum"),
        window: record.located("window"),
        open: record.located("open"),
        probes: record.located("probes"),
    }
}

fn messaging(record: &Record) -> Messaging {
    Messaging {
        place: Some(record.place.clone()),
        broker: record.get("broker"),
        existing: record.list("existing").unwrap_or_default(),
        clouds: record.list("clouds").unwrap_or_default(),
        requires: record.list("requires").unwrap_or_default(),
        weights: record.weights("weights").iter().cloned().collect(),
    }
}

fn summary(record: &Record) -> Option<String> {
    record.get("summary").map(|summary| summary.value)
}
