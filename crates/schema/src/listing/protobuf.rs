//! A Protobuf message's fields.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::{DEPTH_MAX, LISTED_MAX, Listed, below, some_of};
use crate::protobuf::Protobuf;

pub(super) fn list(schema: &Protobuf) -> Vec<Listed> {
    let mut walk = Walk {
        open: Vec::new(),
        listed: Vec::new(),
    };
    match schema.root() {
        Some(root) => walk.message("", root),
        None => {
            for message in schema.messages() {
                walk.listed.push(Listed {
                    path: message.full_name().to_owned(),
                    kind: "message".to_owned(),
                    required: false,
                    constraints: Vec::new(),
                });
                // Each message has its own lines here, so none is gone into twice.
                for field in message.fields() {
                    walk.line(&below(message.full_name(), field.name()), &field, false);
                }
            }
        }
    }
    walk.listed.truncate(LISTED_MAX);
    walk.listed
}

struct Walk {
    open: Vec<String>,
    listed: Vec<Listed>,
}

impl Walk {
    fn message(&mut self, path: &str, message: &MessageDescriptor) {
        self.open.push(message.full_name().to_owned());
        for field in message.fields() {
            if self.listed.len() >= LISTED_MAX {
                break;
            }
            let path = below(path, field.name());
            let kind = value_kind(&field);
            let inner = kind.as_message().filter(|_| self.open.len() < DEPTH_MAX);
            let is_again = inner.is_some_and(|inner| {
                let mut open = self.open.iter();
                open.any(|open| open == inner.full_name())
            });
            self.line(&path, &field, is_again);
            if let Some(inner) = inner.filter(|inner| !is_again && !is_well_known(inner)) {
                let inside = match (field.is_map(), field.is_list()) {
                    (true, _) => below(&path, "*"),
                    (_, true) => below(&path, "[]"),
                    _ => path,
                };
                self.message(&inside, inner);
            }
        }
        self.open.pop();
    }

    fn line(&mut self, path: &str, field: &FieldDescriptor, is_again: bool) {
        let mut constraints = vec![format!("number {}", field.number())];
        if let Some(oneof) = field
            .containing_oneof()
            .filter(|oneof| !oneof.is_synthetic())
        {
            constraints.push(format!("oneof {}", oneof.name()));
        }
        if let Kind::Enum(of) = value_kind(field) {
            let names = of.values().map(|value| value.name().to_owned());
            let names: Vec<String> = names.collect();
            constraints.push(format!("one of {}", some_of(names.into_iter())));
        }
        if field.supports_presence() && !field.is_required() {
            constraints.push("presence is told".to_owned());
        }
        if is_again {
            constraints.push("as above, again".to_owned());
        }
        self.listed.push(Listed {
            path: path.to_owned(),
            kind: kind(field),
            required: field.is_required(),
            constraints,
        });
    }
}

/// Messages of the language itself are known by their name.
fn is_well_known(message: &MessageDescriptor) -> bool {
    message.full_name().starts_with("google.protobuf.")
}

/// The kind of one value: of a map, of the values in it.
fn value_kind(field: &FieldDescriptor) -> Kind {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    }
}

fn kind(field: &FieldDescriptor) -> String {
    let word = |kind: &Kind| match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(of) => of.full_name().to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            let key = entry.map_entry_key_field().kind();
            let value = entry.map_entry_value_field().kind();
            format!("map<{}, {}>", word(&key), word(&value))
        }
        kind if field.is_list() => format!("repeated {}", word(&kind)),
        kind => word(&kind),
    }
}
