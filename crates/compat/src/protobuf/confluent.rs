//! What the Confluent Schema Registry answers: fields by their numbers, kinds by groups.

use std::collections::HashMap;

use prost_reflect::{Kind, MessageDescriptor};
use tidegate_schema::protobuf::Protobuf;

use super::Found;
use super::element::{Element, Presence};
use super::kinds::word;
use crate::verdict::Answer;

/// What breaks when the second reads the first.
pub(super) fn compare(original: &Protobuf, update: &Protobuf) -> Vec<Found> {
    let mut found = Vec::new();
    for file in original.files() {
        let same = update.files().find(|other| other.name() == file.name());
        // One file a version is the usual case, whatever it is called.
        let other = same.or_else(|| {
            update
                .files()
                .next()
                .filter(|_| update.files().count() == 1)
        });
        if let Some(other) = other
            && other.package_name() != file.package_name()
        {
            let reason = format!(
                "the package was `{}`, and is `{}`",
                file.package_name(),
                other.package_name()
            );
            found.push(Found::new(
                Answer::Incompatible,
                "package-changed",
                other.name(),
                reason,
            ));
        }
    }
    let updated = update.messages();
    let updated: HashMap<String, &MessageDescriptor> = updated
        .iter()
        .map(|message| (relative(message), message))
        .collect();
    for message in original.messages() {
        match updated.get(&relative(&message)) {
            Some(other) => compare_messages(&message, other, &mut found),
            None => {
                let reason = format!("the message `{}` is gone", message.full_name());
                let path = message.full_name();
                found.push(Found::new(
                    Answer::Incompatible,
                    "message-removed",
                    path,
                    reason,
                ));
            }
        }
    }
    found
}

/// The name without the package.
fn relative(message: &MessageDescriptor) -> String {
    let full = message.full_name();
    let rest = full.strip_prefix(message.package_name()).unwrap_or(full);
    rest.trim_start_matches('.').to_owned()
}

fn compare_messages(
    original: &MessageDescriptor,
    update: &MessageDescriptor,
    found: &mut Vec<Found>,
) {
    for field in original.fields() {
        let before = Element::of(&field);
        let Some(new) = update.get_field(field.number()) else {
            let whole = before
                .oneof
                .as_ref()
                .is_none_or(|oneof| !update.oneofs().any(|other| other.name() == oneof));
            if before.presence == Presence::Required {
                let reason = format!("the required field `{}` is gone", before.name);
                add(found, "required-removed", &before.full_name, reason);
            } else if !whole {
                let reason = format!("the field `{}` of a oneof is gone", before.name);
                add(found, "oneof-field-removed", &before.full_name, reason);
            }
            continue;
        };
        let after = Element::of(&new);
        let required = |element: &Element| element.presence == Presence::Required;
        if required(&before) != required(&after) {
            let reason = "the field is required in one version alone".to_owned();
            add(found, "required-changed", &after.full_name, reason);
        }
        let many = |element: &Element| element.presence == Presence::Repeated;
        let map = |element: &Element| element.presence == Presence::Map;
        let text = matches!(after.kind, Kind::String | Kind::Bytes | Kind::Message(_));
        if map(&before) != map(&after) || (many(&before) != many(&after) && !text) {
            let reason = "the field is repeated in one version alone".to_owned();
            add(found, "label-changed", &after.full_name, reason);
        }
        if group(&before.kind) != group(&after.kind) || named(&before.kind) != named(&after.kind) {
            let (from, to) = (word(&before.kind), word(&after.kind));
            let reason = format!("the type was {from}, and is {to}");
            add(found, "type-changed", &after.full_name, reason);
        }
        if let (Kind::Message(old), Kind::Message(new)) = (&before.kind, &after.kind)
            && old.is_map_entry()
            && new.is_map_entry()
        {
            compare_messages(old, new, found);
        }
    }
    for field in update
        .fields()
        .filter(prost_reflect::FieldDescriptor::is_required)
    {
        if original.get_field(field.number()).is_none() {
            let reason = format!("the required field `{}` is added", field.name());
            add(found, "required-added", field.full_name(), reason);
        }
    }
    merged(original, update, found);
}

fn add(found: &mut Vec<Found>, code: &'static str, path: &str, reason: String) {
    found.push(Found::new(Answer::Incompatible, code, path, reason));
}

/// Fields that were independent of each other and are in one oneof now.
fn merged(original: &MessageDescriptor, update: &MessageDescriptor, found: &mut Vec<Found>) {
    for oneof in update.oneofs() {
        let members = oneof
            .fields()
            .filter_map(|field| original.get_field(field.number()));
        let outside = members.filter(|field| Element::of(field).oneof.is_none());
        if outside.count() > 1 {
            let reason = format!(
                "fields that were independent are in the oneof `{}`",
                oneof.name()
            );
            let path = oneof.full_name();
            found.push(Found::new(
                Answer::Incompatible,
                "oneof-merged",
                path,
                reason,
            ));
        }
    }
}

fn named(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Message(message) if !message.is_map_entry() => Some(relative(message)),
        _ => None,
    }
}

/// Kinds of one group may take each other's place.
fn group(kind: &Kind) -> u8 {
    match kind {
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Bool | Kind::Enum(_) => 1,
        Kind::Sint32 | Kind::Sint64 => 2,
        Kind::String | Kind::Bytes => 3,
        Kind::Fixed32 | Kind::Sfixed32 => 4,
        Kind::Fixed64 | Kind::Sfixed64 => 5,
        Kind::Float => 6,
        Kind::Double => 7,
        Kind::Message(message) if message.is_map_entry() => 9,
        Kind::Message(_) => 8,
    }
}
