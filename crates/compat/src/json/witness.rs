//! An event that the writer may write and the reader refuses: searched, checked, and made small.

use serde_json::Value;

use super::effort::size;
use super::failure::Failure;
use super::known::{Known, Node};
use super::schema::Schema;
use super::shrink;
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
    /// Whether the writer may write the event and the reader refuses it. Without effort it does not.
    fn breaks(&self, study: &mut Study<'a, '_>, event: &Value) -> bool {
        let reach = self.writer.reach().max(self.reader.reach());
        let amount = size(event).saturating_mul(1 + reach / 4);
        study.effort.work(amount)
            && self.writer.allows(event)
            && !self.reader.allows(event)
            && self.is_sent(study, event)
    }

    /// Whether the writer declares what is in the event, where it must.
    fn is_sent(&self, study: &mut Study<'a, '_>, event: &Value) -> bool {
        let spoken = study.spoken_of_event();
        study.is_sent(spoken.as_ref(), event)
    }

    /// An event that shows this failure; or else one that the reader refuses for another reason.
    pub(crate) fn of_failure(
        &self,
        study: &mut Study<'a, '_>,
        failure: &Failure<'a>,
    ) -> (Option<Witness>, Option<Value>) {
        study.effort.refill(STEPS);
        if study.effort.is_stopped() {
            return (None, None);
        }
        let depth = failure.trail.len();
        let mut other = None;
        let mut leaves = failure.hints.clone();
        leaves.extend(study.samples(&failure.known, depth));
        let found = self.of_leaves(study, failure, (leaves, &mut other));
        if found.is_some() {
            return (found, None);
        }
        // What was made for the writer fits the reader too: made once more for what it refuses.
        let refused = failure.known.and_not(failure.goal.clone());
        let leaves = study.samples(&refused, depth);
        match self.of_leaves(study, failure, (leaves, &mut other)) {
            None => (None, other),
            found => (found, None),
        }
    }

    /// The first event, made of a value at the place of the failure, that shows it.
    fn of_leaves(
        &self,
        study: &mut Study<'a, '_>,
        failure: &Failure<'a>,
        (leaves, other): (Vec<Value>, &mut Option<Value>),
    ) -> Option<Witness> {
        let wanted = failure.path();
        for leaf in leaves.into_iter().take(TRIES_MAX) {
            if study.effort.is_spent() {
                break;
            }
            let mut event = Some(leaf);
            for (depth, (known, step)) in failure.trail.iter().enumerate().rev() {
                let flat = study.flat(known);
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
                Some((path, _)) => return self.shown(study, event, Some(path)),
                None => *other = other.take().or(Some(event)),
            }
        }
        None
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
        if study.effort.is_stopped() {
            return None;
        }
        let known = study.whole();
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
        study.effort.refill(STEPS);
        while let Some(next) = self.smaller(study, &event, (&path, &mut left)) {
            event = next;
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

    /// A smaller event that breaks at the same place.
    fn smaller(
        &self,
        study: &mut Study<'a, '_>,
        event: &Value,
        (path, left): (&str, &mut usize),
    ) -> Option<Value> {
        let size = size(event);
        for at in 0..size.saturating_mul(2) {
            *left = left.checked_sub(1)?;
            if !study.effort.work(size) {
                return None;
            }
            let Some(smaller) = shrink::cut(event, at) else {
                break;
            };
            if self.breaks(study, &smaller) {
                let violations = self.reader.validate(&smaller);
                if violations.iter().any(|(place, _)| place == path) {
                    return Some(smaller);
                }
            }
        }
        None
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
