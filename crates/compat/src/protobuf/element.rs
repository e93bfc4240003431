//! Fields and extensions alike, for rules about definitions.

use prost_reflect::{
    Cardinality, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    Value,
};
use tidegate_schema::protobuf::Protobuf;

/// How a field may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is sent or not, and the reader can tell.
    Explicit,
    /// What is zero is not sent.
    Implicit,
    /// It is always sent.
    Required,
    /// There may be many.
    Repeated,
    /// There is one for each key.
    Map,
}

/// A field of a message, or an extension.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) full_name: String,
    pub(super) json_name: String,
    pub(super) kind: Kind,
    pub(super) is_group: bool,
    pub(super) presence: Presence,
    /// The oneof that it is in, unless that one stands for `optional` alone.
    pub(super) oneof: Option<String>,
    /// What is taken when it is not sent; `None` where there is no such thing.
    pub(super) default: Option<Value>,
    pub(super) is_extension: bool,
    pub(super) in_map_entry: bool,
    pub(super) file: String,
}

impl Element {
    pub(super) fn of(field: &FieldDescriptor) -> Self {
        let presence = if field.is_map() {
            Presence::Map
        } else if field.is_list() {
            Presence::Repeated
        } else if field.is_required() {
            Presence::Required
        } else if field.supports_presence() {
            Presence::Explicit
        } else {
            Presence::Implicit
        };
        let is_optional = field.field_descriptor_proto().proto3_optional();
        let oneof = field.containing_oneof().filter(|_| !is_optional);
        let single = matches!(
            presence,
            Presence::Explicit | Presence::Implicit | Presence::Required
        );
        let default =
            (single && field.kind().as_message().is_none()).then(|| field.default_value());
        Self {
            name: field.name().to_owned(),
            full_name: field.full_name().to_owned(),
            json_name: field.json_name().to_owned(),
            kind: field.kind(),
            is_group: field.is_group(),
            presence,
            oneof: oneof.map(|oneof| oneof.name().to_owned()),
            default,
            is_extension: false,
            in_map_entry: field.parent_message().is_map_entry(),
            file: field.parent_file().name().to_owned(),
        }
    }

    pub(super) fn of_extension(extension: &ExtensionDescriptor) -> Self {
        let presence = match extension.cardinality() {
            Cardinality::Repeated => Presence::Repeated,
            Cardinality::Required => Presence::Required,
            Cardinality::Optional => Presence::Explicit,
        };
        let single = presence != Presence::Repeated && extension.kind().as_message().is_none();
        Self {
            name: extension.full_name().to_owned(),
            full_name: extension.full_name().to_owned(),
            json_name: extension.json_name().to_owned(),
            kind: extension.kind(),
            is_group: extension.is_group(),
            presence,
            oneof: None,
            default: single.then(|| extension.default_value()),
            is_extension: true,
            in_map_entry: false,
            file: extension.parent_file().name().to_owned(),
        }
    }

    /// The name of its type, where that has one.
    pub(super) fn type_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Message(message) => Some(message.full_name()),
            Kind::Enum(of) => Some(of.full_name()),
            _ => None,
        }
    }
}

/// Every message of the files given, with the entries of maps.
pub(super) fn all_messages(schema: &Protobuf) -> Vec<MessageDescriptor> {
    let mut found = Vec::new();
    for message in schema.messages() {
        found.extend(
            message
                .child_messages()
                .filter(MessageDescriptor::is_map_entry),
        );
        found.push(message);
    }
    found
}

/// Every enum of the files given.
pub(super) fn all_enums(schema: &Protobuf) -> Vec<EnumDescriptor> {
    let mut found: Vec<EnumDescriptor> = Vec::new();
    for file in schema.files() {
        found.extend(file.enums());
    }
    for message in schema.messages() {
        found.extend(message.child_enums());
    }
    found
}
