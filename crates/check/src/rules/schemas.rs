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
    let (mut file, text) = (schema.path()?, schema.text.as_ref()?);
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
        _ => {
            let (part, text, pointer) = written(schema, text, error.pointer()?);
            file = part.unwrap_or(file);
            locate(text, pointer)?
        }
    };
    Some(Place {
        file: Arc::from(file),
        line,
        column,
        length,
    })
}

/// Where a place of a schema that was put together is written: in which file, if in one that it refers to, and where there.
fn written<'a>(
    schema: &'a Schema,
    text: &'a str,
    pointer: &'a str,
) -> (Option<&'a str>, &'a str, &'a str) {
    let Some(bundle) = &schema.bundle else {
        return (None, text, pointer);
    };
    let inside = bundle.parts.iter().find_map(|part| {
        let rest = pointer.strip_prefix(part.pointer.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some((part, rest))
    });
    match inside {
        Some((part, rest)) => (Some(&part.file), &part.text, rest),
        None => (None, &bundle.written, pointer),
    }
}
