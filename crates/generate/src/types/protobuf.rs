//! Protobuf, read for the types of its JSON mapping: whole numbers of 64 bits are text, bytes are base64,
//! and what is not sent is absent.

use std::collections::HashMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use tidegate_schema::SchemaError;
use tidegate_schema::protobuf::{Protobuf, Sources};

use super::model::{Definition, Field, Model, Shape, Type};

/// The types of the event that the message describes, called `name`.
pub(super) fn model(sources: &Sources, message: &str, name: &str) -> Result<Model, SchemaError> {
    let schema = Protobuf::compile(sources, Some(message))?;
    let mut reading = Reading {
        definitions: Vec::new(),
        known: HashMap::new(),
    };
    match schema.root() {
        Some(root) => {
            let ty = reading.message(root, Some(name));
            if !matches!(ty, Type::Named(0)) {
                reading.slot(name, String::new());
                reading.fill(0, Shape::Wrapper(ty));
            }
        }
        None => {
            reading.slot(name, String::new());
        }
    }
    Ok(Model::of(reading.definitions))
}

struct Reading {
    definitions: Vec<Definition>,
    known: HashMap<String, usize>,
}

impl Reading {
    fn slot(&mut self, name: &str, doc: String) -> usize {
        self.definitions.push(Definition {
            name: name.to_owned(),
            doc,
            shape: Shape::Wrapper(Type::Any),
        });
        self.definitions.len() - 1
    }

    fn fill(&mut self, slot: usize, shape: Shape) {
        if let Some(definition) = self.definitions.get_mut(slot) {
            definition.shape = shape;
        }
    }

    fn message(&mut self, message: &MessageDescriptor, name: Option<&str>) -> Type {
        if let Some(ty) = well_known(message.full_name()) {
            return ty;
        }
        if let Some(slot) = self.known.get(message.full_name()) {
            return Type::Named(*slot);
        }
        let doc = comment(&message.parent_file(), message.path());
        let slot = self.slot(name.unwrap_or_else(|| message.name()), doc);
        self.known.insert(message.full_name().to_owned(), slot);
        let fields = message.fields().map(|field| self.field(&field)).collect();
        self.fill(slot, Shape::Record { fields, rest: None });
        Type::Named(slot)
    }

    fn field(&mut self, field: &FieldDescriptor) -> Field {
        let mut doc = comment(&field.parent_message().parent_file(), field.path());
        if let Some(oneof) = field
            .containing_oneof()
            .filter(|oneof| oneof.fields().len() > 1)
        {
            if !doc.is_empty() {
                doc.push_str("\n\n");
            }
            doc.push_str(&format!(
                "At most one of the fields of `{}` is there.",
                oneof.name()
            ));
        }
        let wire = field.json_name().to_owned();
        let own = field.name().to_owned();
        Field {
            aliases: if own == wire { Vec::new() } else { vec![own] },
            wire,
            doc,
            ty: self.of_field(field),
            required: field.is_required(),
        }
    }

    fn of_field(&mut self, field: &FieldDescriptor) -> Type {
        let kind = field.kind();
        if field.is_map()
            && let Some(entry) = kind.as_message()
        {
            let value = entry.map_entry_value_field();
            return Type::map(self.of_kind(&value.kind()));
        }
        let ty = self.of_kind(&kind);
        if field.is_list() { Type::list(ty) } else { ty }
    }

    fn of_kind(&mut self, kind: &Kind) -> Type {
        match kind {
            Kind::Double | Kind::Float => Type::Number,
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Uint32 | Kind::Fixed32 => {
                Type::Integer
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Type::LongText { signed: true },
            Kind::Uint64 | Kind::Fixed64 => Type::LongText { signed: false },
            Kind::Bool => Type::Boolean,
            Kind::String | Kind::Bytes => Type::Text,
            Kind::Message(message) => self.message(message, None),
            Kind::Enum(kind) => self.enumeration(kind),
        }
    }

    fn enumeration(&mut self, kind: &EnumDescriptor) -> Type {
        if kind.full_name() == "google.protobuf.NullValue" {
            return Type::Any;
        }
        if let Some(slot) = self.known.get(kind.full_name()) {
            return Type::Named(*slot);
        }
        let slot = self.slot(kind.name(), comment(&kind.parent_file(), kind.path()));
        self.known.insert(kind.full_name().to_owned(), slot);
        let values = kind.values().map(|value| value.name().to_owned()).collect();
        let shape = Shape::Enum {
            values,
            fixed: false,
        };
        self.fill(slot, shape);
        Type::Named(slot)
    }
}

/// The messages of Google that JSON has other values for.
fn well_known(name: &str) -> Option<Type> {
    Some(match name.strip_prefix("google.protobuf.")? {
        "Timestamp" | "Duration" | "FieldMask" => Type::Text,
        "Struct" | "Any" | "Empty" => Type::map(Type::Any),
        "Value" => Type::Any,
        "ListValue" => Type::list(Type::Any),
        "DoubleValue" | "FloatValue" => Type::Number,
        "Int32Value" | "UInt32Value" => Type::Integer,
        "Int64Value" => Type::LongText { signed: true },
        "UInt64Value" => Type::LongText { signed: false },
        "BoolValue" => Type::Boolean,
        "StringValue" | "BytesValue" => Type::Text,
        _ => return None,
    })
}

/// The comment before what stands at `path`, where the compiler has kept it.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let places = info.into_iter().flat_map(|info| &info.location);
    let found = places.filter(|place| place.path == path).find_map(|place| {
        place
            .leading_comments
            .clone()
            .or(place.trailing_comments.clone())
    });
    let text = found.unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join("\n").trim().to_owned()
}
