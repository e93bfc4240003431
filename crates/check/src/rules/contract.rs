//! What consumers and keys rely on is what the schema promises.

use tidegate_base::Name;
use tidegate_model::design::{ConsumerRef, Located, Presence, Requirement, Schema};
use tidegate_schema::{Declared, Outline};

use crate::codes::{FIELD_NOT_DECLARED, FIELD_NOT_REQUIRED, KEY_NOT_DECLARED, KEY_NOT_REQUIRED};
use crate::draft::Findings;
use crate::index::Index;

pub(super) fn rule(index: &Index<'_>, out: &mut Findings) {
    for (name, event) in &index.design.events {
        if let (Some(key), Some(schema), Some(Ok(outline))) =
            (&event.key, &event.schema, index.schema(event))
        {
            key_is_promised(name, key, (schema, outline), out);
        }
    }
    for (consumer, event) in index.resolved() {
        if let (Some(schema), Some(Ok(outline))) = (&event.schema, index.schema(event)) {
            for required in &consumer.consume.requires {
                field_is_promised(&consumer, required, (schema, outline), out);
            }
        }
    }
}

/// Without its key, an event has no order and no partition of its own.
fn key_is_promised(
    name: &Name,
    key: &Located<String>,
    (schema, outline): (&Schema, &Outline),
    out: &mut Findings,
) {
    let (pointer, path) = (&key.value, format!("events.{name}.key"));
    if outline.declares(pointer) == Declared::No {
        let message = format!("key `{pointer}` of `{name}` is not declared in its schema");
        let hint = undeclared(outline, pointer, out);
        out.add(KEY_NOT_DECLARED, &key.place, path, message)
            .hint(hint)
            .related(&schema.place, "the schema");
    } else if outline.requires(pointer) == Declared::No {
        let message = format!(
            "key `{pointer}` of `{name}` is optional in its schema: an event without it has no order"
        );
        out.add(KEY_NOT_REQUIRED, &key.place, path, message)
            .hint(make_required(outline, pointer))
            .related(&schema.place, "the schema");
    }
}

fn field_is_promised(
    consumer: &ConsumerRef<'_>,
    required: &Requirement,
    (schema, outline): (&Schema, &Outline),
    out: &mut Findings,
) {
    let field = &required.field;
    let (name, path) = (&field.value, format!("{}.requires", consumer.path()));
    let event = consumer.event_name;
    if outline.declares(name) == Declared::No {
        let message = format!(
            "`{}` reads `{name}`, which the schema of `{event}` does not declare",
            consumer.id()
        );
        let hint = undeclared(outline, name, out);
        out.add(FIELD_NOT_DECLARED, &field.place, path, message)
            .hint(hint)
            .related(&schema.place, "the schema");
    } else if required.presence == Presence::Always && outline.requires(name) == Declared::No {
        let message = format!(
            "`{}` reads `{name}`, which the schema of `{event}` leaves optional",
            consumer.id()
        );
        out.add(FIELD_NOT_REQUIRED, &field.place, path, message)
            .hint(make_required(outline, name))
            .related(&schema.place, "the schema");
    }
}

fn undeclared(outline: &Outline, field: &str, out: &mut Findings) -> String {
    let fields = if out.may_compare() {
        outline.declared_fields()
    } else {
        Vec::new()
    };
    let (slash, name) = match field.strip_prefix('/') {
        Some(name) => ("/", name),
        None => ("", field),
    };
    match out.closest(name, fields.iter().map(String::as_str)) {
        // Of a pointer further down, only its first name could be compared.
        Some(close) if !name.contains('/') && close != name => {
            format!("did you mean `{slash}{close}`?")
        }
        _ if !outline.is_json_schema() => format!("add the field `{field}` to the schema"),
        _ => format!("add `{field}` to `properties` and `required` of the schema"),
    }
}

fn make_required(outline: &Outline, field: &str) -> String {
    if !outline.is_json_schema() {
        return format!("make the type of `{field}` one that is always there: no union");
    }
    format!(
        "add `{}` to `required` of the schema",
        field.strip_prefix('/').unwrap_or(field)
    )
}
