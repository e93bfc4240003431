//! Protobuf, read for the types of its JSON mapping: whole numbers of 64 bits are text, bytes are base64,
//! and what is not sent is absent.

use std::collections::HashMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use tidegate_schema::SchemaError;
use tidegate_schema::protobuf::{Protobuf, Sources};

use super::model::{Definition, Field, Model, Shape, Type};

/// The types of the event that the message describes, called `name`.
pub(super) fn model(sources: &Sources, message: &str, name: &str) -> Result<Model, SchemaError> {
    let schema = Protobuf::with_comments(sources, Some(message))?;
    let mut reading = Reading {
        definitions: Vec::new(),
        known: HashMap::new(),
        comments: schema.files().map(|file| comments(&file)).collect(),
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
    /// By the name of the file and the place in it.
    comments: HashMap<String, HashMap<Vec<i32>, String>>,
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

    fn comment(&self, file: &FileDescriptor, path: &[i32]) -> String {
        let found = self.comments.get(file.name()).and_then(|of| of.get(path));
        found.cloned().unwrap_or_default()
    }

    fn message(&mut self, message: &MessageDescriptor, name: Option<&str>) -> Type {
        if let Some(ty) = well_known(message.full_name()) {
            return ty;
        }
        if let Some(slot) = self.known.get(message.full_name()) {
            return Type::Named(*slot);
        }
        let doc = self.comment(&message.parent_file(), message.path());
        let slot = self.slot(name.unwrap_or_else(|| message.name()), doc);
        self.known.insert(message.full_name().to_owned(), slot);
        let fields = message.fields().map(|field| self.field(&field)).collect();
        self.fill(slot, Shape::Record { fields, rest: None });
        Type::Named(slot)
    }

    fn field(&mut self, field: &FieldDescriptor) -> Field {
        let mut doc = self.comment(&field.parent_message().parent_file(), field.path());
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
        let slot = self.slot(kind.name(), self.comment(&kind.parent_file(), kind.path()));
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

/// The comments of a file: each before what it is about, or behind it.
fn comments(file: &FileDescriptor) -> (String, HashMap<Vec<i32>, String>) {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let mut found = HashMap::new();
    for place in info.into_iter().flat_map(|info| &info.location) {
        let written = place.leading_comments.as_ref();
        let written = written.or(place.trailing_comments.as_ref());
        let text = written.map(|text| plain(text)).unwrap_or_default();
        if !text.is_empty() {
            found.entry(place.path.clone()).or_insert(text);
        }
    }
    (file.name().to_owned(), found)
}

/// A comment without the signs around it.
fn plain(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    // Those of a block begin with an asterisk where it is in the style of Java.
    let lines = lines.map(|line| line.strip_prefix('*').map_or(line, str::trim));
    let lines: Vec<&str> = lines.collect();
    lines.join("\n").trim().to_owned()
}
