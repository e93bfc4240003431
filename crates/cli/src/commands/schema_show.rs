//! `tidegate schema show`: the fields of a schema, one by one.

use serde_json::{Value, json};
use tidegate_schema::listing::{LISTED_MAX, Listed};

use super::schema_read::Judge;
use crate::arguments::schema::{SchemaFormat, Show};
use crate::exit::{Exit, Failure};
use crate::table::{Cell, Side, Tone, table};
use crate::terminal;

/// Longest text of what else is said of a field, in characters.
const CONSTRAINTS_CHARS_MAX: usize = 100;

pub(crate) fn run(arguments: &Show) -> Result<Exit, Failure> {
    let judge = Judge::read(&arguments.subject)?;
    let fields = judge.fields();
    terminal::print(&match arguments.format {
        SchemaFormat::Human => human(&judge, &fields, terminal::paints_stdout()),
        SchemaFormat::Json => page(&judge, &fields).to_string(),
    })?;
    Ok(Exit::Yes)
}

fn human(judge: &Judge, fields: &[Listed], paint: bool) -> String {
    let heads = [
        ("field", Side::Left),
        ("type", Side::Left),
        ("required", Side::Left),
        ("also", Side::Left),
    ];
    let rows = fields.iter().map(|field| {
        let path = match field.path.as_str() {
            "" => "(the event)",
            path => path,
        };
        let required = match (field.path.is_empty(), field.required) {
            (true, _) => Cell::new(""),
            (_, true) => Cell::toned("yes", Tone::Good),
            (_, false) => Cell::new("no"),
        };
        [
            Cell::new(path),
            Cell::new(&field.kind),
            required,
            Cell::cut(&field.constraints.join("; "), CONSTRAINTS_CHARS_MAX),
        ]
    });
    let mut text = super::schema_report::subject(judge);
    text.push('\n');
    text.push_str(&table(heads, rows, paint));
    if fields.len() >= LISTED_MAX {
        text.push_str("more fields than these are not listed\n");
    }
    text
}

fn page(judge: &Judge, fields: &[Listed]) -> Value {
    let rows = fields.iter().map(|field| {
        json!({"path": field.path, "type": field.kind, "required": field.required,
            "constraints": field.constraints})
    });
    let rows: Vec<Value> = rows.collect();
    json!({"schema": judge.name, "type": judge.format().name(), "draft": judge.draft().map(|draft| draft.name()),
        "message": judge.message(), "complete": fields.len() < LISTED_MAX, "fields": rows})
}
