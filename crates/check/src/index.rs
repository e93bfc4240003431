//! A design prepared for the rules: who publishes, who consumes, who needs, what the schemas say.

use std::collections::{HashMap, HashSet};

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use tidegate_base::{Name, Rate};
use tidegate_model::design::{
    ConsumerRef, Criticality, Event, Located, Schema, SchemaFormat, Service,
};
use tidegate_model::{Design, Place};
use tidegate_schema::{Outline, SchemaError};

use crate::graph::Graph;

/// One service that publishes an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publisher<'a> {
    /// The service's name.
    pub(crate) service_name: &'a Name,
    /// Where it says so.
    pub(crate) place: &'a Place,
}

/// What a schema says, or why it is none.
pub(crate) type Outcome = Result<Outline, SchemaError>;

/// A design with what the rules ask for again and again; every lookup is one hash.
pub(crate) struct Index<'a> {
    /// The design.
    pub(crate) design: &'a Design,
    /// Every consumer, in the order written.
    pub(crate) consumers: Vec<ConsumerRef<'a>>,
    /// Which event leads to which.
    pub(crate) graph: Graph<'a>,
    publishers: HashMap<&'a Name, Vec<Publisher<'a>>>,
    published: HashSet<(&'a Name, &'a Name)>,
    by_event: HashMap<&'a Name, Vec<ConsumerRef<'a>>>,
    by_dependency: HashMap<&'a Name, Vec<ConsumerRef<'a>>>,
    critical: HashMap<&'a Name, &'a Name>,
    schemas: HashMap<Identity<'a>, Outcome>,
}

impl<'a> Index<'a> {
    pub(crate) fn of(design: &'a Design) -> Self {
        let consumers: Vec<_> = design.consumers().collect();
        let mut by_event: HashMap<_, Vec<_>> = HashMap::new();
        let mut by_dependency: HashMap<_, Vec<_>> = HashMap::new();
        for consumer in &consumers {
            by_event
                .entry(consumer.event_name)
                .or_default()
                .push(*consumer);
            for need in &consumer.consume.needs {
                by_dependency
                    .entry(&need.value)
                    .or_default()
                    .push(*consumer);
            }
        }
        let published = design.services.iter().flat_map(|(service, of)| {
            of.publishes
                .iter()
                .map(move |event| (service, &event.value))
        });
        Self {
            design,
            published: published.collect(),
            graph: Graph::of(design, &consumers),
            publishers: publishers(design),
            by_event,
            by_dependency,
            critical: critical(design),
            schemas: schemas(design),
            consumers,
        }
    }

    /// The services that publish `event`, in the order written.
    pub(crate) fn publishers(&self, event: &Name) -> &[Publisher<'a>] {
        self.publishers
            .get(event)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// Whether `service` publishes `event`.
    pub(crate) fn does_publish(&self, service: &Name, event: &Name) -> bool {
        self.published.contains(&(service, event))
    }

    /// The consumers of `event`, in the order written.
    pub(crate) fn consumers_of(&self, event: &Name) -> &[ConsumerRef<'a>] {
        self.by_event
            .get(event)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The consumers that need `dependency`, in the order written.
    pub(crate) fn needed_by(&self, dependency: &Name) -> &[ConsumerRef<'a>] {
        self.by_dependency
            .get(dependency)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// A process of high criticality that `service` is a step of.
    pub(crate) fn critical_process(&self, service: &Name) -> Option<&'a Name> {
        self.critical.get(service).copied()
    }

    /// The schema of `event`, compiled; `None` without one, or when it could not be read.
    pub(crate) fn schema(&self, event: &'a Event) -> Option<&Outcome> {
        self.outcome(event.schema.as_ref()?)
    }

    /// What a schema says; `None` when it could not be read.
    pub(crate) fn outcome(&self, schema: &'a Schema) -> Option<&Outcome> {
        self.schemas.get(&identity(schema)?)
    }

    /// Every consumer whose event is known, with that event.
    pub(crate) fn resolved(&self) -> impl Iterator<Item = (ConsumerRef<'a>, &'a Event)> {
        self.consumers
            .iter()
            .filter_map(|consumer| Some((*consumer, self.design.events.get(consumer.event_name)?)))
    }

    /// Every service with its name, in the order written.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&'a Name, &'a Service)> {
        self.design.services.iter()
    }
}

/// How many events arrive while `rate` holds and each keeps a worker busy for its handler time:
/// the mean number of busy workers, `None` when either is not declared.
///
/// Source: J. D. C. Little, "A Proof for the Queuing Formula L = λW", 1961.
pub(crate) fn busy_workers(rate: Option<Rate>, consumer: &ConsumerRef<'_>) -> Option<f64> {
    let handler_time = consumer.consume.deliver.handler_time.as_ref()?;
    Some(rate?.value() * handler_time.value.as_secs_f64())
}

fn publishers(design: &Design) -> HashMap<&Name, Vec<Publisher<'_>>> {
    let mut publishers: HashMap<_, Vec<_>> = HashMap::new();
    for (service_name, service) in &design.services {
        for Located { value, place } in &service.publishes {
            publishers.entry(value).or_default().push(Publisher {
                service_name,
                place,
            });
        }
    }
    publishers
}

fn critical(design: &Design) -> HashMap<&Name, &Name> {
    let mut critical = HashMap::new();
    for (name, process) in &design.processes {
        if process.criticality == Criticality::High {
            for step in &process.steps {
                critical.entry(&step.value).or_insert(name);
            }
        }
    }
    critical
}

/// What makes a schema another one: its format, its text, its file, which of Protobuf names the
/// message and the folder of what it imports.
type Identity<'a> = (SchemaFormat, &'a str, Option<&'a str>);

fn identity(schema: &Schema) -> Option<Identity<'_>> {
    let text = schema.text.as_deref()?;
    let file = schema.file.as_deref();
    let file = file.filter(|_| schema.format == SchemaFormat::Protobuf);
    Some((schema.format, text, file))
}

/// Each schema once, on all cores: reading them is a third of a check.
fn schemas(design: &Design) -> HashMap<Identity<'_>, Outcome> {
    let schemas = design
        .events
        .values()
        .flat_map(|event| event.all_versions())
        .filter_map(|(_, schema)| schema);
    let schemas: HashMap<Identity<'_>, &Schema> = schemas
        .filter_map(|schema| Some((identity(schema)?, schema)))
        .collect();
    let schemas = schemas.into_par_iter();
    schemas
        .map(|(identity, schema)| (identity, outline(schema)))
        .collect()
}

fn outline(schema: &Schema) -> Outcome {
    let text = schema.text.as_deref().unwrap_or_default();
    match schema.format {
        SchemaFormat::JsonSchema => Outline::json_schema(text),
        SchemaFormat::Avro => Outline::avro(text),
        SchemaFormat::Protobuf => {
            Outline::protobuf(&schema.sources(), schema.message().unwrap_or_default())
        }
    }
}
