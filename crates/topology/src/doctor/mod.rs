//! What the settings of a broker really promise to each consumer of a design.

mod kafka;
mod nats;
mod rabbitmq;

use serde::Serialize;
use tidegate_model::design::ConsumerRef;
use tidegate_model::{CodeInfo, Design, Finding, Place};

use crate::desired::Options;
use crate::resource::{Engine, Settings, Topology};

/// What a consumer gets, in sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Promise {
    /// Which consumer.
    pub consumer: String,
    /// Where its events are.
    pub place: String,
    /// What an acknowledged event survives.
    pub survives: String,
    /// How long an event that was not handled is kept.
    pub kept: String,
    /// What order it has.
    pub order: String,
    /// When an event runs again.
    pub repeats: String,
    /// What becomes of an event that cannot be handled.
    pub given_up: String,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Examination {
    /// What each consumer gets.
    pub promises: Vec<Promise>,
    /// What differs from what the design says, with what to change.
    pub findings: Vec<Finding>,
}

/// Holds what is on a broker against `design`.
#[must_use]
pub fn examine(design: &Design, options: &Options, actual: &Topology) -> Examination {
    let mut examined = Examiner {
        design,
        options,
        actual,
        found: Examination {
            promises: Vec::new(),
            findings: Vec::new(),
        },
    };
    match actual.engine {
        Engine::Kafka => kafka::examine(&mut examined),
        Engine::RabbitMq => rabbitmq::examine(&mut examined),
        Engine::Nats => nats::examine(&mut examined),
    }
    let mut found = examined.found;
    found
        .findings
        .sort_by(|a, b| a.place.cmp(&b.place).then_with(|| a.code.cmp(&b.code)));
    found.findings.dedup();
    found
}

struct Examiner<'a> {
    design: &'a Design,
    options: &'a Options,
    actual: &'a Topology,
    found: Examination,
}

impl<'a> Examiner<'a> {
    fn consumers(&self) -> impl Iterator<Item = ConsumerRef<'a>> + use<'a> {
        self.design.consumers()
    }

    /// Something is wrong with what is at `place` in the design.
    fn report(
        &mut self,
        info: &CodeInfo,
        (place, path): (&Place, &str),
        message: String,
        hint: impl Into<String>,
    ) {
        self.found.findings.push(Finding {
            code: info.code,
            severity: info.severity,
            place: place.clone(),
            path: path.to_owned(),
            message,
            hint: Some(hint.into()),
            related: Vec::new(),
        });
    }
}

/// A number of settings.
fn number(settings: &Settings, name: &str) -> Option<i64> {
    settings.get(name)?.number()
}

fn text<'s>(settings: &'s Settings, name: &str) -> Option<&'s str> {
    settings.get(name)?.text()
}

fn is_on(settings: &Settings, name: &str) -> bool {
    settings.get(name) == Some(&true.into())
}

/// So many of something, in words.
fn count(number: i64, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    }
}
