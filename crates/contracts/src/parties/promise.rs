//! What an event promises in one of its versions: its schema and its rules.

use std::cell::OnceCell;

use serde_json::{Map, Value};
use tidegate_compat::json::{Schema as Comparable, samples};
use tidegate_model::design::{Event, Schema};

use super::payload::{Payload, shape_of};
use super::rule::{Expression, schema as rule_schema};
use super::shape::Shape;

/// One version of an event. What takes time is worked out when it is asked for.
#[derive(Debug)]
pub(crate) struct Promise<'a> {
    schema: Option<&'a Schema>,
    shape: OnceCell<Option<Shape>>,
    payload: OnceCell<Option<Payload>>,
    writer: OnceCell<Option<Comparable>>,
    samples: OnceCell<Vec<Value>>,
    rules: OnceCell<Vec<Expression>>,
    texts: Vec<&'a str>,
}

impl<'a> Promise<'a> {
    /// A version of an event, with the rules of the event.
    pub(crate) fn of(event: &'a Event, schema: Option<&'a Schema>) -> Self {
        let texts = event
            .rules
            .iter()
            .map(|rule| rule.expression.value.as_str());
        Self {
            schema,
            shape: OnceCell::new(),
            payload: OnceCell::new(),
            writer: OnceCell::new(),
            samples: OnceCell::new(),
            rules: OnceCell::new(),
            texts: texts.collect(),
        }
    }

    /// A version that the design does not have, to see what it would do; without rules.
    pub(crate) fn supposed(payload: Payload) -> Self {
        Self {
            schema: None,
            shape: OnceCell::from(Some(payload.shape())),
            payload: OnceCell::from(Some(payload)),
            writer: OnceCell::new(),
            samples: OnceCell::new(),
            rules: OnceCell::new(),
            texts: Vec::new(),
        }
    }

    /// The schema as the design has it.
    pub(crate) fn schema(&self) -> Option<&'a Schema> {
        self.schema
    }

    pub(crate) fn shape(&self) -> Option<&Shape> {
        self.shape.get_or_init(|| shape_of(self.schema?)).as_ref()
    }

    pub(crate) fn payload(&self) -> Option<&Payload> {
        self.payload
            .get_or_init(|| Payload::of(self.schema?))
            .as_ref()
    }

    /// The rules that can be read; the others are findings.
    pub(crate) fn rules(&self) -> &[Expression] {
        self.rules.get_or_init(|| {
            let read = |text: &&str| Expression::read(text, self.shape()).ok();
            self.texts.iter().filter_map(read).collect()
        })
    }

    /// All that a producer may send, as a schema to compare: with those rules that a schema says
    /// exactly.
    pub(crate) fn writer(&self) -> Option<&Comparable> {
        let read = || {
            let rules = self.rules().iter();
            let rules = rules.filter_map(|rule| rule_schema::exactly(rule.root()));
            self.payload()?.writer(&rules.collect::<Vec<_>>()).ok()
        };
        self.writer.get_or_init(read).as_ref()
    }

    /// Some events that a producer may send.
    pub(crate) fn samples(&self) -> &[Value] {
        self.samples.get_or_init(|| {
            let all = self.writer().map(|writer| samples(writer, &|| true));
            let mut all = all.unwrap_or_default();
            all.retain(|event| self.may_send(event));
            all
        })
    }

    /// Whether a producer may send this: it fits the schema and keeps the rules.
    pub(crate) fn may_send(&self, event: &Value) -> bool {
        let (Some(payload), Some(shape)) = (self.payload(), self.shape()) else {
            return false;
        };
        let none = Map::new();
        let keeps = |rule: &Expression| rule.judge(shape, event, &none).holds();
        payload.allows(event) && self.rules().iter().all(keeps)
    }
}
