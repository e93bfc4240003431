//! Every pair of a writer's and a reader's message that meet, field by field, breadth first.

use std::collections::HashSet;

use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value as Json;
use tidegate_schema::protobuf::Protobuf;

use super::kinds::{Reading, Shape, reading, shape, word};
use super::meaning::{difference, same_scalar};
use super::sample::{complete, samples, something, wrap};
use super::{FINDINGS_MAX, Found};
use crate::verdict::{Answer, Witness};

/// Most pairs of messages that are compared.
const PAIRS_MAX: usize = 20_000;

struct Visit {
    parent: Option<(usize, FieldDescriptor)>,
    writer: MessageDescriptor,
    reader: MessageDescriptor,
}

/// What a reader makes of what a writer writes.
pub(super) fn compare(
    writer: &Protobuf,
    reader: &Protobuf,
    keep_going: &dyn Fn() -> bool,
) -> Vec<Found> {
    let mut walk = Walk {
        visits: Vec::new(),
        seen: HashSet::new(),
        found: Vec::new(),
        shown: 0,
    };
    for (writer, reader) in roots(writer, reader, &mut walk.found) {
        walk.push(None, writer, reader);
    }
    let mut at = 0;
    while let Some(visit) = walk.visits.get(at) {
        if !keep_going() {
            let reason = "the comparison takes more work than it may".to_owned();
            let found = Found::new(Answer::NotProved, "effort-spent", "", reason);
            walk.found.push(found);
            break;
        }
        if at >= PAIRS_MAX {
            let reason = "the schemas have too many pairs of messages to compare them all";
            walk.found.push(Found::new(
                Answer::NotProved,
                "too-large",
                "",
                reason.to_owned(),
            ));
            break;
        }
        let pair = (visit.writer.clone(), visit.reader.clone());
        walk.messages(at, &pair.0, &pair.1);
        at += 1;
    }
    walk.found
}

/// The messages that events are: those named, or all that both have.
fn roots(
    writer: &Protobuf,
    reader: &Protobuf,
    found: &mut Vec<Found>,
) -> Vec<(MessageDescriptor, MessageDescriptor)> {
    if let (Some(writer), Some(reader)) = (writer.root(), reader.root()) {
        return vec![(writer.clone(), reader.clone())];
    }
    let relative = |message: &MessageDescriptor| {
        let full = message.full_name();
        let package = message.package_name();
        let rest = full.strip_prefix(package).unwrap_or(full);
        rest.trim_start_matches('.').to_owned()
    };
    let others = reader.messages();
    let mut pairs = Vec::new();
    for message in writer.messages() {
        let full = others
            .iter()
            .find(|other| other.full_name() == message.full_name());
        let same = full.or_else(|| {
            let mut all = others.iter();
            all.find(|other| relative(other) == relative(&message))
        });
        match same {
            Some(other) => pairs.push((message, other.clone())),
            None if message.parent_message().is_none() => {
                let reason = format!(
                    "the reader has no message `{}`, so events of it cannot be compared",
                    message.full_name()
                );
                let path = message.full_name().to_owned();
                let mut missing = Found::new(Answer::NotProved, "message-removed", &path, reason);
                missing.fix = Some("name the message that an event is".to_owned());
                found.push(missing);
            }
            None => {}
        }
    }
    pairs
}

struct Walk {
    visits: Vec<Visit>,
    seen: HashSet<(String, String)>,
    found: Vec<Found>,
    /// How many breaks have an event.
    shown: usize,
}

impl Walk {
    fn push(
        &mut self,
        parent: Option<(usize, FieldDescriptor)>,
        writer: MessageDescriptor,
        reader: MessageDescriptor,
    ) {
        let names = (writer.full_name().to_owned(), reader.full_name().to_owned());
        if self.seen.insert(names) {
            self.visits.push(Visit {
                parent,
                writer,
                reader,
            });
        }
    }

    fn messages(&mut self, at: usize, writer: &MessageDescriptor, reader: &MessageDescriptor) {
        for from in writer.fields() {
            match reader.get_field(from.number()) {
                Some(to) => self.fields(at, &from, &to),
                None => self.gone(at, &from, reader),
            }
        }
        for to in reader.fields().filter(FieldDescriptor::is_required) {
            if writer
                .get_field(to.number())
                .is_some_and(|from| from.is_required())
            {
                continue;
            }
            let reason = format!(
                "the reader requires the field {}, which the writer may leave out",
                to.number()
            );
            let tried = complete(writer.clone()).into_iter().collect();
            let fix = "make the field optional";
            self.broken(
                at,
                "required-added",
                (to.full_name(), to.json_name()),
                (reason, fix),
                tried,
            );
        }
        self.oneofs(at, writer, reader);
    }

    fn note(&mut self, code: &'static str, path: &str, reason: String) {
        self.found
            .push(Found::new(Answer::Compatible, code, path, reason));
    }

    /// A field whose number the reader does not know.
    fn gone(&mut self, at: usize, from: &FieldDescriptor, reader: &MessageDescriptor) {
        let Some(moved) = reader.get_field_by_name(from.name()) else {
            let reason = format!("the reader drops the field {}", from.number());
            return self.note("field-dropped", from.full_name(), reason);
        };
        let reason = format!(
            "the field `{}` is number {} for the writer and {} for the reader",
            from.name(),
            from.number(),
            moved.number()
        );
        let fix = "leave the number as it was";
        let place = (moved.full_name(), from.json_name());
        self.broken(
            at,
            "field-number-changed",
            place,
            (reason, fix),
            samples(from),
        );
    }

    /// Fields that a writer sends together, and of which a reader keeps one.
    fn oneofs(&mut self, at: usize, writer: &MessageDescriptor, reader: &MessageDescriptor) {
        for oneof in reader.oneofs() {
            let members = oneof
                .fields()
                .filter_map(|to| writer.get_field(to.number()));
            let members: Vec<FieldDescriptor> = members.collect();
            let group = |field: &FieldDescriptor| {
                field
                    .containing_oneof()
                    .map(|oneof| oneof.full_name().to_owned())
            };
            let together = members.iter().enumerate().find_map(|(index, first)| {
                let rest = members.iter().skip(index + 1);
                let mut apart =
                    rest.filter(|second| group(first).is_none() || group(first) != group(second));
                apart.next().map(|second| (first, second))
            });
            let Some((first, second)) = together else {
                continue;
            };
            let mut both = complete(writer.clone());
            for field in [first, second] {
                let value = match shape(field) {
                    Shape::One => something(field),
                    _ => None,
                };
                both = both.zip(value).map(|(mut message, value)| {
                    message.set_field(field, value);
                    message
                });
            }
            let reason = format!(
                "the writer may send `{}` and `{}` together, and the reader keeps one of them",
                first.name(),
                second.name()
            );
            let fix = "leave fields outside of a oneof that were outside before";
            let path = oneof.full_name().to_owned();
            let tried = both.into_iter().collect();
            let name = first.json_name().to_owned();
            self.broken(at, "oneof-merged", (&path, &name), (reason, fix), tried);
        }
    }

    fn fields(&mut self, at: usize, from: &FieldDescriptor, to: &FieldDescriptor) {
        if from.name() != to.name() {
            let reason = format!(
                "the field `{}` is called `{}` by the reader",
                from.name(),
                to.name()
            );
            self.note("field-renamed", to.full_name(), reason);
        }
        if from.is_list() && to.is_list() && from.is_packed() != to.is_packed() {
            let reason = "packed and unpacked are read alike".to_owned();
            self.note("packing-changed", to.full_name(), reason);
        }
        match (shape(from), shape(to)) {
            (Shape::Map, Shape::Map) => self.maps(at, from, to),
            (Shape::Map, Shape::Many) | (Shape::Many, Shape::Map) if are_entries(from, to) => {
                self.entries(at, from, to);
            }
            (writer, reader)
                if writer == reader || (writer, reader) == (Shape::One, Shape::Many) =>
            {
                self.kinds(at, from, to);
            }
            _ => self.shapes(at, from, to),
        }
        let single = shape(from) == Shape::One && shape(to) == Shape::One;
        // A message may be read as bytes, which have a default when it is not sent.
        if single && to.kind().as_message().is_none() {
            self.defaults(at, from, to);
        }
    }

    fn kinds(&mut self, at: usize, from: &FieldDescriptor, to: &FieldDescriptor) {
        let (writer, reader) = (from.kind(), to.kind());
        let verdict = reading((&writer, from.is_group()), (&reader, to.is_group()));
        self.reading(at, from, to, (&writer, &reader), verdict);
    }

    fn maps(&mut self, at: usize, from: &FieldDescriptor, to: &FieldDescriptor) {
        let (Kind::Message(writer), Kind::Message(reader)) = (from.kind(), to.kind()) else {
            return;
        };
        let keys = (
            writer.map_entry_key_field().kind(),
            reader.map_entry_key_field().kind(),
        );
        let verdict = reading((&keys.0, false), (&keys.1, false));
        self.reading(at, from, to, (&keys.0, &keys.1), verdict);
        let values = (
            writer.map_entry_value_field().kind(),
            reader.map_entry_value_field().kind(),
        );
        let verdict = reading((&values.0, false), (&values.1, false));
        self.reading(at, from, to, (&values.0, &values.1), verdict);
    }

    /// A map on one side, and on the other what it is on the wire: messages with a key and a value.
    fn entries(&mut self, at: usize, from: &FieldDescriptor, to: &FieldDescriptor) {
        if let (Kind::Message(writer), Kind::Message(reader)) = (from.kind(), to.kind()) {
            self.push(Some((at, from.clone())), writer, reader);
        }
        if shape(from) == Shape::Map {
            let reason = "the reader has the entries of a map as messages, in any order; each key \
                          is there once"
                .to_owned();
            return self.note("map-as-entries", to.full_name(), reason);
        }
        let reason = "the writer may send two messages with one key, of which the reader's map \
                      keeps the last; where every key is sent once, both are alike but for the order"
            .to_owned();
        let fix = "leave it repeated, or make sure that no writer sends a key twice";
        let place = (to.full_name(), from.json_name());
        let tried = self.samples(from);
        self.broken(at, "entries-repeat-keys", place, (reason, fix), tried);
    }

    fn reading(
        &mut self,
        at: usize,
        from: &FieldDescriptor,
        to: &FieldDescriptor,
        (writer, reader): (&Kind, &Kind),
        verdict: Reading,
    ) {
        let place = (to.full_name(), from.json_name());
        let (code, reason, fix) = match verdict {
            Reading::Same => return,
            Reading::Inside => {
                if let (Kind::Message(writer), Kind::Message(reader)) = (writer, reader) {
                    self.push(Some((at, from.clone())), writer.clone(), reader.clone());
                }
                return;
            }
            Reading::Encoded => {
                let reason = "the reader has the message as its bytes".to_owned();
                return self.note("message-as-bytes", to.full_name(), reason);
            }
            Reading::Unnamed(numbers) => {
                let reason = format!("the reader has no name for {}", list(&numbers));
                return self.note("enum-value-unnamed", to.full_name(), reason);
            }
            Reading::Dropped(numbers) => (
                "enum-value-dropped",
                format!("the reader's enum is closed and has no {}", list(&numbers)),
                "keep the value, and reserve it once no writer sends it",
            ),
            Reading::Changed => (
                "type-changed",
                format!("{} is read as {}", word(writer), word(reader)),
                "add a field with another number, and reserve this one once nothing writes it",
            ),
            Reading::Form => (
                "wire-type-changed",
                format!("{} and {} differ on the wire", word(writer), word(reader)),
                "add a field with another number, and reserve this one once nothing writes it",
            ),
        };
        let tried = self.samples(from);
        self.broken(at, code, place, (reason, fix), tried);
    }

    fn shapes(&mut self, at: usize, from: &FieldDescriptor, to: &FieldDescriptor) {
        let name = |shape| match shape {
            Shape::One => "one",
            Shape::Many => "repeated",
            Shape::Map => "a map",
        };
        let (writer, reader) = (name(shape(from)), name(shape(to)));
        let reason = format!("the field is {writer} for the writer and {reader} for the reader");
        let fix = "add a field with another number";
        let place = (to.full_name(), from.json_name());
        self.broken(
            at,
            "cardinality-changed",
            place,
            (reason, fix),
            samples(from),
        );
    }

    /// What is not sent is the default, and each side has its own.
    fn defaults(&mut self, at: usize, from: &FieldDescriptor, to: &FieldDescriptor) {
        if from.is_required() || same_scalar(&from.default_value(), &to.default_value()) {
            return;
        }
        let Some(least) = complete(from.parent_message().clone()) else {
            return;
        };
        let reason = "what is not sent is another default for the reader".to_owned();
        let fix = "leave the default as it was";
        let place = (to.full_name(), from.json_name());
        self.broken(at, "default-changed", place, (reason, fix), vec![least]);
    }

    /// A change that breaks, with the first message of those to try that shows it.
    fn broken(
        &mut self,
        at: usize,
        code: &'static str,
        (path, field): (&str, &str),
        (reason, fix): (String, &str),
        tried: Vec<DynamicMessage>,
    ) {
        let mut found = Found::new(Answer::NotProved, code, path, reason);
        found.fix = Some(fix.to_owned());
        // What is shown has a limit, and looking for an event takes time.
        if self.shown >= FINDINGS_MAX {
            found
                .reason
                .push_str("; no event was looked for after so many");
            self.found.push(found);
            return;
        }
        let (steps, root) = self.way(at);
        for message in tried {
            let Some(event) = wrap(&steps, message) else {
                found
                    .reason
                    .push_str("; the event would be nested too deep to show it");
                break;
            };
            if let Some(witness) = root
                .as_ref()
                .and_then(|root| show(&event, root, &steps, field))
            {
                found.answer = Answer::Incompatible;
                found.witness = Some(witness);
                self.shown += 1;
                break;
            }
        }
        if found.witness.is_none() {
            found.reason.push_str("; no event was found that shows it");
        }
        self.found.push(found);
    }

    /// Messages to try, while they would be.
    fn samples(&self, field: &FieldDescriptor) -> Vec<DynamicMessage> {
        if self.shown >= FINDINGS_MAX {
            return Vec::new();
        }
        samples(field)
    }

    /// The fields that lead to a visit, and the reader's root.
    fn way(&self, from: usize) -> (Vec<FieldDescriptor>, Option<MessageDescriptor>) {
        let mut steps = Vec::new();
        let mut at = from;
        while let Some((parent, field)) = self.visits.get(at).and_then(|v| v.parent.clone()) {
            steps.push(field);
            at = parent;
        }
        steps.reverse();
        (steps, self.visits.get(at).map(|visit| visit.reader.clone()))
    }
}

/// Writes the event and reads it on the other side; `None` when it is read as it was written.
fn show(
    event: &DynamicMessage,
    reader: &MessageDescriptor,
    steps: &[FieldDescriptor],
    field: &str,
) -> Option<Witness> {
    let mut prefix = String::new();
    for step in steps {
        prefix.push('/');
        prefix.push_str(step.json_name());
    }
    let found = difference(event, reader);
    let here = found.into_iter().find(|difference| {
        // Inside of a list or a map there is a number or a key between the names.
        let mut parts = difference.path.split('/');
        let mut names = prefix.split('/').skip(1).chain([field]);
        difference.path.is_empty() || names.all(|name| parts.any(|part| part == name))
    })?;
    let path = if here.path.is_empty() {
        format!("{prefix}/{field}")
    } else {
        here.path
    };
    Some(Witness {
        event: serde_json::to_value(event).unwrap_or(Json::Null),
        bytes: Some(event.encode_to_vec()),
        path,
        error: here.text,
    })
}

/// Whether the messages on both sides have what an entry of a map has, one of each.
fn are_entries(from: &FieldDescriptor, to: &FieldDescriptor) -> bool {
    let is_entry = |field: &FieldDescriptor| {
        let Kind::Message(message) = field.kind() else {
            return false;
        };
        let is_one = |number| {
            let part = message.get_field(number);
            part.is_some_and(|part| shape(&part) == Shape::One)
        };
        !field.is_group() && is_one(1) && is_one(2)
    };
    is_entry(from) && is_entry(to)
}

fn list(numbers: &[i32]) -> String {
    if numbers.is_empty() {
        return "the other numbers".to_owned();
    }
    let shown: Vec<String> = numbers.iter().take(8).map(ToString::to_string).collect();
    shown.join(", ")
}
