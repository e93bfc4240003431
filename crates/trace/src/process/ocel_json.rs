//! OCEL 2.0 as one JSON document.

use serde::Deserialize;
use serde_json::Value;

use super::ocel::{EventRow, OcelRows, is_resource};
use super::{Columns, EventLog, LogError, LogFormat};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    objects: Vec<Object>,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Object {
    id: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    time: String,
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default)]
    relationships: Vec<Relationship>,
}

#[derive(Deserialize)]
struct Attribute {
    name: String,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
struct Relationship {
    #[serde(rename = "objectId")]
    object: String,
}

pub(super) fn read(name: &str, text: &[u8], columns: &Columns) -> Result<EventLog, LogError> {
    let document: Document = serde_json::from_slice(text).map_err(|error| {
        let shown = error.to_string();
        let message = shown.split(" at line ").next().unwrap_or_default();
        let hint = if error.is_eof() {
            "the file is cut off: export it again"
        } else {
            "correct it there, or export it again"
        };
        let place = |place: usize| u64::try_from(place).unwrap_or(u64::MAX);
        LogError::Row {
            name: name.to_owned(),
            line: place(error.line()),
            column: place(error.column()),
            message: format!("not valid OCEL 2.0 JSON: {message}"),
            hint: hint.to_owned(),
        }
    })?;
    let events = document.events.into_iter().map(|event| EventRow {
        resource: event
            .attributes
            .iter()
            .find(|attribute| is_resource(columns, &attribute.name))
            .and_then(|attribute| attribute.value.as_str().map(str::to_owned)),
        id: event.id,
        kind: event.kind,
        time: event.time,
        objects: event
            .relationships
            .into_iter()
            .map(|relationship| relationship.object)
            .collect(),
        line: 0,
    });
    let rows = OcelRows {
        events: events.collect(),
        objects: document
            .objects
            .into_iter()
            .map(|object| (object.id, object.kind))
            .collect(),
    };
    rows.into_log(name, LogFormat::OcelJson, columns)
}
