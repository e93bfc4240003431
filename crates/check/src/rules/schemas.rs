//! Schemas compile, with the place of what is wrong inside them.

use std::sync::Arc;

use tidegate_model::Place;
use tidegate_model::design::Schema;
use tidegate_schema::{Position, SchemaError, locate};

use crate::codes::SCHEMA_INVALID;
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for (name, event) in &index.design.events {
        if let (Some(schema), Some(Err(error))) = (&event.schema, index.schema(event)) {
            let path = format!("events.{name}.schema");
            invalid(&format!("`{name}`"), path, (schema, error), out);
        }
        for (version, of) in &event.versions {
            let Some(schema) = &of.schema else { continue };
            if let Some(Err(error)) = index.outcome(schema) {
                let path = format!("events.{name}.versions.{version}.schema");
                let what = format!("version `{version}` of `{name}`");
                invalid(&what, path, (schema, error), out);
            }
        }
    }
}

fn invalid(what: &str, path: String, (schema, error): (&Schema, &SchemaError), out: &mut Findings) {
    let message = format!("the schema of {what} is not valid: {error}");
    let draft = out
        .add(SCHEMA_INVALID, &schema.place, path, message)
        .hint("correct the schema there: nothing can be published to this event until it compiles");
    if let Some(place) = inside(schema, error) {
        draft.related(&place, "inside the schema");
    }
}

/// The place in the schema's own file; `None` for one written inline, which has no text of its own.
fn inside(schema: &Schema, error: &SchemaError) -> Option<Place> {
    let (file, text) = (schema.path()?, schema.text.as_ref()?);
    if let SchemaError::Source {
        file: source,
        line,
        column,
        ..
    } = error
    {
        return Some(Place {
            file: Arc::from(format!("{}{source}", schema.folder())),
            line: *line,
            column: *column,
            length: 1,
        });
    }
    let Position {
        line,
        column,
        length,
    } = match error {
        SchemaError::Syntax { line, column, .. } => Position {
            line: u32::try_from(*line).ok()?.max(1),
            column: u32::try_from(*column).ok()?.max(1),
            length: 1,
        },
        _ => locate(text, error.pointer()?)?,
    };
    Some(Place {
        file: Arc::from(file),
        line,
        column,
        length,
    })
}
