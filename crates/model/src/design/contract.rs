//! What producers promise and consumers rely on.

use serde_json::Value;
use tidegate_base::Name;

use super::{Event, Located, Schema, Service};
use crate::finding::Place;

/// What the newest version of an event is called when the design gives no name.
pub const NEWEST: &str = "current";

/// An older version of an event's schema.
#[derive(Clone, Debug)]
pub struct EventVersion {
    /// Where it is written.
    pub place: Place,
    /// The schema; `None` when it is missing, which is a finding.
    pub schema: Option<Schema>,
}

/// A rule on data.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The expression, in CEL.
    pub expression: Located<String>,
    /// Why, in one sentence.
    pub because: Option<String>,
}

/// A field that a consumer relies on.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// Where it is written.
    pub place: Place,
    /// A top-level name or a JSON pointer.
    pub field: Located<String>,
    /// Whether it must be there.
    pub presence: Presence,
    /// The only type that it may have; `None`: any.
    pub field_type: Option<Located<FieldType>>,
    /// The only values that it may have; `None`: any.
    pub values: Option<Vec<Located<Value>>>,
    /// Why, in one sentence.
    pub because: Option<String>,
}

impl Requirement {
    /// Whether it says no more than that the field must be there.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.presence == Presence::Always && self.field_type.is_none() && self.values.is_none()
    }
}

/// Whether a required field must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// In every event. The default.
    #[default]
    Always,
    /// It may be absent.
    Optional,
}

/// A type of a field, in the words of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A text.
    String,
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// Fields.
    Object,
    /// Items.
    Array,
}

impl Event {
    /// The name of the newest version: the one that `schema` is of.
    #[must_use]
    pub fn newest(&self) -> &str {
        let named = self.version.as_ref();
        named.map_or(NEWEST, |version| version.value.as_str())
    }

    /// Every version with its schema, the oldest first.
    pub fn all_versions(&self) -> impl Iterator<Item = (&str, Option<&Schema>)> {
        let older = self.versions.iter();
        let older = older.map(|(name, version)| (name.as_str(), version.schema.as_ref()));
        older.chain([(self.newest(), self.schema.as_ref())])
    }

    /// Whether there is a version of this name.
    #[must_use]
    pub fn has_version(&self, name: &str) -> bool {
        self.all_versions().any(|(known, _)| known == name)
    }
}

impl Service {
    /// The versions in which it publishes an event; empty for the newest alone.
    #[must_use]
    pub fn versions_of(&self, event: &Name) -> &[Located<Name>] {
        self.publishes_versions
            .get(event)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}
