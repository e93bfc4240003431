//! An event that the writer may write and the reader refuses: searched, checked, and made small.

use serde_json::Value;

use super::failure::Failure;
use super::fields::parts;
use super::flat::Flat;
use super::known::{Known, Node};
use super::schema::Schema;
use super::study::Study;
use crate::verdict::Witness;

/// Most values that are tried for one failure.
const TRIES_MAX: usize = 160;
/// Most times that a smaller event is tried.
const SMALLER_MAX: usize = 400;
/// Work for the samples of one failure.
const STEPS: u64 = 6_000;

/// Two schemas as they judge events.
pub(crate) struct Court<'a> {
    pub(crate) writer: &'a Schema,
    pub(crate) reader: &'a Schema,
    /// Whether the writer never sends names that it does not declare.
    pub(crate) is_reserved: bool,
}

impl<'a> Court<'a> {
    /// Whether the writer may write the event and the reader refuses it.
    fn breaks(&self, study: &mut Study<'a, '_>, event: &Value) -> bool {
        self.writer.allows(event)
            && !self.reader.allows(event)
            && (!self.is_reserved
                || only_declared(study, &[Node::start(&self.writer.lowered)], event))
    }

    /// An event that shows this failure; or else one that the reader refuses for another reason.
    pub(crate) fn of_failure(
        &self,
        study: &mut Study<'a, '_>,
        failure: &Failure<'a>,
    ) -> (Option<Witness>, Option<Value>) {
        study.effort.refill(STEPS);
        let mut leaves = failure.hints.clone();
        leaves.extend(study.samples(&failure.known, failure.trail.len()));
        let wanted = failure.path();
        let mut other = None;
        for leaf in leaves.into_iter().take(TRIES_MAX) {
            let mut event = Some(leaf);
            for (depth, (known, step)) in failure.trail.iter().enumerate().rev() {
                let flat = Flat::of(known, study.integers);
                event = event.and_then(|inner| study.embed(&flat, (step, inner), depth));
            }
            let Some(event) = event.filter(|event| self.breaks(study, event)) else {
                continue;
            };
            let violations = self.reader.validate(&event);
            let about = violations
                .iter()
                .find(|(path, message)| is_about((path, message), (&wanted, failure.code)));
            match about {
                Some((path, _)) => return (self.shown(study, event, Some(path)), None),
                None => other = other.or(Some(event)),
            }
        }
        (None, other)
    }

    /// An event of those that a schema allows.
    pub(crate) fn of_samples(
        &self,
        study: &mut Study<'a, '_>,
        samples: impl IntoIterator<Item = Value>,
    ) -> Option<Witness> {
        for event in samples {
            if self.breaks(study, &event) {
                return self.shown(study, event, None);
            }
        }
        None
    }

    /// An event of those that the writer allows.
    pub(crate) fn of_writer(&self, study: &mut Study<'a, '_>) -> Option<Witness> {
        study.effort.refill(STEPS * 4);
        let known = Known::of(vec![Node::start(&self.writer.lowered)]);
        let mut samples = study.samples(&known, 0);
        // What the reader treats apart, and the writer does not.
        let reader = Known::of(vec![Node::start(&self.reader.lowered)]);
        samples.extend(study.samples(&reader, 0));
        self.of_samples(study, samples)
    }

    /// The event made small, with what the reader says of it.
    fn shown(
        &self,
        study: &mut Study<'a, '_>,
        event: Value,
        wanted: Option<&str>,
    ) -> Option<Witness> {
        let violations = self.reader.validate(&event);
        let (path, _) = violations
            .iter()
            .find(|(path, _)| wanted == Some(path.as_str()))
            .or_else(|| violations.first())?
            .clone();
        let mut event = event;
        let mut left = SMALLER_MAX;
        loop {
            let next = smaller(&event).into_iter().find(|smaller| {
                left = left.saturating_sub(1);
                left > 0
                    && self.breaks(study, smaller)
                    && self
                        .reader
                        .validate(smaller)
                        .iter()
                        .any(|(p, _)| *p == path)
            });
            match next {
                Some(next) => event = next,
                None => break,
            }
        }
        let violations = self.reader.validate(&event);
        let said = violations.into_iter().find(|(at, _)| *at == path);
        let (path, error) = said?;
        Some(Witness {
            event,
            bytes: None,
            path,
            error,
        })
    }
}

/// Whether what is refused has to do with a failure: it is at its place, inside, or around it. A choice
/// of the reader is refused as a whole; but a field that is missing beside it is another reason.
fn is_about((path, message): (&str, &str), (place, code): (&str, &str)) -> bool {
    let below = |path: &str, place: &str| {
        path.strip_prefix(place)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_missing = message.ends_with("is a required property");
    below(path, place) && (!is_missing || path != place || wants_fields(code))
        || below(place, path) && !is_missing
}

/// Whether a failure of this kind is one of fields that are missing.
fn wants_fields(code: &str) -> bool {
    !matches!(code, "min-properties-raised" | "max-properties-lowered")
}

/// Values that are a little less than this one.
fn smaller(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    match value {
        Value::Object(fields) => {
            for name in fields.keys() {
                let mut fewer = fields.clone();
                fewer.shift_remove(name);
                found.push(Value::Object(fewer));
            }
            for (name, field) in fields {
                for less in smaller(field) {
                    let mut changed = fields.clone();
                    changed.insert(name.clone(), less);
                    found.push(Value::Object(changed));
                }
            }
        }
        Value::Array(items) => {
            for index in 0..items.len() {
                let mut fewer = items.clone();
                fewer.remove(index);
                found.push(Value::Array(fewer));
            }
            for (index, item) in items.iter().enumerate() {
                for less in smaller(item) {
                    let mut changed = items.clone();
                    if let Some(place) = changed.get_mut(index) {
                        *place = less;
                    }
                    found.push(Value::Array(changed));
                }
            }
        }
        Value::String(text) if text.chars().count() > 1 => {
            let half = text.chars().count() / 2;
            found.push(Value::String(text.chars().take(half).collect()));
            let all_but_one = text.chars().count() - 1;
            found.push(Value::String(text.chars().take(all_but_one).collect()));
        }
        _ => {}
    }
    found
}

/// Whether the writer declares every name in the event, wherever it declares names at all.
fn only_declared<'a>(study: &mut Study<'a, '_>, nodes: &[Node<'a>], value: &Value) -> bool {
    let mut all: Vec<Node<'a>> = Vec::new();
    let mut waiting: Vec<Node<'a>> = nodes.to_vec();
    while let Some(node) = waiting.pop() {
        if !all.iter().any(|known| known.key() == node.key()) {
            waiting.extend(parts(&node));
            all.push(node);
        }
    }
    match value {
        Value::Object(fields) => {
            let is_described = all.iter().any(|node| {
                !node.names("properties").is_empty() || !node.names("patternProperties").is_empty()
            });
            fields.iter().all(|(name, field)| {
                let mut inside: Vec<Node<'a>> = Vec::new();
                let mut is_other = true;
                for node in &all {
                    let named = node.named("properties", name);
                    is_other &= named.is_none();
                    inside.extend(named);
                    for pattern in node.names("patternProperties") {
                        if study.patterns.matches(pattern, name) != Some(false) {
                            is_other = false;
                            inside.extend(node.named("patternProperties", pattern));
                        }
                    }
                    for keyword in ["additionalProperties", "unevaluatedProperties"] {
                        if let Some(rest) = node.one(keyword)
                            && rest.object().is_some_and(|rest| !rest.is_empty())
                        {
                            is_other = false;
                            inside.push(rest);
                        }
                    }
                }
                !(is_described && is_other) && only_declared(study, &inside, field)
            })
        }
        Value::Array(items) => items.iter().enumerate().all(|(index, item)| {
            let schemas = all
                .iter()
                .filter_map(|node| super::items::schema_of_item(node, index));
            let inside: Vec<Node<'a>> = schemas.collect();
            only_declared(study, &inside, item)
        }),
        _ => true,
    }
}
