//! The matrix of producers, consumers and versions.

use std::collections::HashMap;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use tidegate_base::Name;
use tidegate_model::design::{ConsumerRef, Event, Schema};
use tidegate_model::{Design, Place};

use super::demand::{self, Clause};
use super::judge::{Verdict, judge};
use super::promise::Promise;

/// Everything that producers send, held against everything that consumers rely on.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Every event with a consumer, in the order written.
    pub events: Vec<EventContracts>,
}

/// The contracts of one event.
#[derive(Clone, Debug)]
pub struct EventContracts {
    /// The event.
    pub event: Name,
    /// Who publishes it and in which versions; nobody's row is there when no service does.
    pub producers: Vec<Producer>,
    /// One for each consumer and version, by consumer, the oldest version first.
    pub cells: Vec<Cell>,
}

/// A service that publishes an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The service; `None` when the design names none.
    pub service: Option<Name>,
    /// The versions in which it publishes.
    pub versions: Vec<String>,
}

/// One consumer against one version.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The consumer.
    pub consumer: Name,
    /// The version.
    pub version: String,
    /// What came of each clause.
    pub clauses: Vec<Judged>,
}

/// A clause with what came of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What the consumer relies on, in words.
    pub clause: String,
    /// Why, as the design says.
    pub because: Option<String>,
    /// Where the design says so; the consumer's place for a reader of the whole event.
    pub place: Place,
    /// Whether it is no more than a field that must be there, which other rules look at too.
    pub is_plain: bool,
    /// What came of it.
    pub verdict: Verdict,
}

/// What a cell adds up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Every event is read.
    Yes,
    /// One is not.
    No,
    /// It was not shown.
    NotProved,
}

impl Answer {
    /// In a word or two.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::NotProved => "not proved",
        }
    }
}

impl Cell {
    /// No if a clause is not met, else not proved if one is not.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let has =
            |wanted: fn(&Verdict) -> bool| self.clauses.iter().any(|one| wanted(&one.verdict));
        if has(|verdict| matches!(verdict, Verdict::Unmet(_))) {
            Answer::No
        } else if has(|verdict| matches!(verdict, Verdict::NotProved(_))) {
            Answer::NotProved
        } else {
            Answer::Yes
        }
    }
}

impl EventContracts {
    /// The cell of a consumer and a version.
    #[must_use]
    pub fn cell(&self, consumer: &Name, version: &str) -> Option<&Cell> {
        let mut cells = self.cells.iter();
        cells.find(|cell| cell.consumer == *consumer && cell.version == version)
    }
}

impl Matrix {
    /// The contracts of a design, with every version that is declared, published or not.
    #[must_use]
    pub fn of(design: &Design) -> Self {
        Self::chosen(design, &|_, _, _| true)
    }

    /// The same of those events, versions and clauses that somebody asks for.
    pub(crate) fn chosen(
        design: &Design,
        is_asked: &(dyn Fn(&Event, &str, &Clause<'_>) -> bool + Sync),
    ) -> Self {
        let mut consumers: HashMap<&Name, Vec<ConsumerRef<'_>>> = HashMap::new();
        for consumer in design.consumers() {
            consumers
                .entry(consumer.event_name)
                .or_default()
                .push(consumer);
        }
        let events: Vec<_> = design
            .events
            .iter()
            .filter_map(|(name, event)| Some((name, event, consumers.remove(name)?)))
            .collect();
        let mut publishers = publishers(design);
        let events = events.into_iter().map(|(name, event, consumers)| {
            let producers = publishers.remove(name).unwrap_or_default();
            (name, event, consumers, producers)
        });
        let events: Vec<_> = events.collect();
        let events = events
            .into_par_iter()
            .map(|(name, event, consumers, producers)| {
                let cells = cells(event, &consumers, is_asked);
                EventContracts {
                    event: name.clone(),
                    producers: or_nobody(producers, event),
                    cells,
                }
            });
        Self {
            events: events.collect(),
        }
    }

    /// The worst answer of the versions that are published.
    #[must_use]
    pub fn answer(&self) -> Answer {
        let mut worst = Answer::Yes;
        for event in &self.events {
            for cell in &event.cells {
                let is_published = |producer: &Producer| producer.versions.contains(&cell.version);
                if !event.producers.iter().any(is_published) {
                    continue;
                }
                worst = match (worst, cell.answer()) {
                    (Answer::No, _) | (_, Answer::No) => Answer::No,
                    (Answer::NotProved, _) | (_, Answer::NotProved) => Answer::NotProved,
                    (Answer::Yes, Answer::Yes) => Answer::Yes,
                };
            }
        }
        worst
    }
}

/// Who publishes what, in which versions.
fn publishers(design: &Design) -> HashMap<&Name, Vec<Producer>> {
    let mut publishers: HashMap<&Name, Vec<Producer>> = HashMap::new();
    for (service, of) in &design.services {
        for event in &of.publishes {
            let Some(newest) = design.events.get(&event.value).map(Event::newest) else {
                continue;
            };
            let said = of.versions_of(&event.value);
            let versions = match said.is_empty() {
                true => vec![newest.to_owned()],
                false => said
                    .iter()
                    .map(|version| version.value.to_string())
                    .collect(),
            };
            publishers.entry(&event.value).or_default().push(Producer {
                service: Some(service.clone()),
                versions,
            });
        }
    }
    publishers
}

/// An event that no service publishes comes from outside, in its newest version.
fn or_nobody(producers: Vec<Producer>, event: &Event) -> Vec<Producer> {
    if !producers.is_empty() {
        return producers;
    }
    vec![Producer {
        service: None,
        versions: vec![event.newest().to_owned()],
    }]
}

fn cells(
    event: &Event,
    consumers: &[ConsumerRef<'_>],
    is_asked: &(dyn Fn(&Event, &str, &Clause<'_>) -> bool + Sync),
) -> Vec<Cell> {
    let versions: Vec<(&str, Promise<'_>)> = event
        .all_versions()
        .map(|(version, schema)| (version, Promise::of(event, schema)))
        .collect();
    let mut cells = Vec::new();
    for consumer in consumers {
        let clauses = demand::clauses(consumer.consume, event);
        for (version, promise) in &versions {
            let asked = clauses
                .iter()
                .filter(|clause| is_asked(event, version, clause));
            let judged = asked.map(|clause| judged(event, consumer, promise, clause));
            cells.push(Cell {
                consumer: consumer.service_name.clone(),
                version: (*version).to_owned(),
                clauses: judged.collect(),
            });
        }
    }
    cells
}

fn judged(
    event: &Event,
    consumer: &ConsumerRef<'_>,
    promise: &Promise<'_>,
    clause: &Clause<'_>,
) -> Judged {
    let place = clause.place().unwrap_or(&consumer.consume.place);
    let is_plain = matches!(clause, Clause::Field(requirement) if requirement.is_plain());
    Judged {
        clause: clause.words(),
        because: clause.because().map(str::to_owned),
        place: place.clone(),
        is_plain,
        verdict: judge(promise, clause, &|version| schema_of(event, version)),
    }
}

/// The schema of a version.
pub(crate) fn schema_of<'a>(event: &'a Event, version: &str) -> Option<&'a Schema> {
    let mut versions = event.all_versions();
    versions.find(|(name, _)| *name == version)?.1
}
