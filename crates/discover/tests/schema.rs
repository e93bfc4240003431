//! The JSON report has the fields of `docs/reference/discover.schema.json`, no more and no less.
//!
//! The schema is what the reports of all captures have in common; `TIDEGATE_WRITE_GOLDEN=1` writes it
//! anew. A field that goes or changes its type breaks those who read the report: then the report's schema
//! needs another version.

#![cfg(test)]

mod captures;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use captures::all;
use serde_json::{Value, json};
use tidegate_discover::{Paint, ReportFormat, discover, report};

/// What values at one place look like.
#[derive(Default)]
struct Shape {
    types: BTreeSet<&'static str>,
    objects: usize,
    fields: BTreeMap<String, (usize, Shape)>,
    items: Option<Box<Shape>>,
}

impl Shape {
    fn add(&mut self, value: &Value) {
        self.types.insert(match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        });
        match value {
            Value::Array(values) => {
                let items = self.items.get_or_insert_default();
                values.iter().for_each(|value| items.add(value));
            }
            Value::Object(fields) => {
                self.objects += 1;
                for (name, value) in fields {
                    let (count, shape) = self.fields.entry(name.clone()).or_default();
                    *count += 1;
                    shape.add(value);
                }
            }
            _ => {}
        }
    }

    fn schema(&self) -> Value {
        let mut types = self.types.clone();
        if types.contains("number") {
            types.remove("integer");
        }
        let mut schema = json!({});
        match types.iter().collect::<Vec<_>>()[..] {
            [] => {}
            [one] => schema["type"] = json!(one),
            ref several => schema["type"] = json!(several),
        }
        if let Some(items) = &self.items {
            schema["items"] = items.schema();
        }
        if self.objects > 0 {
            let always = self.fields.iter().filter(|(_, (n, _))| *n == self.objects);
            schema["required"] = always.map(|(name, _)| name.as_str()).collect();
            schema["properties"] = self
                .fields
                .iter()
                .map(|(name, (_, shape))| (name.clone(), shape.schema()))
                .collect();
            schema["additionalProperties"] = json!(false);
        }
        schema
    }
}

#[test]
fn the_report_has_the_fields_of_its_schema() {
    let captures = all();
    if captures.is_empty() {
        return;
    }
    let mut shape = Shape::default();
    for capture in captures {
        let discovery = discover(&[capture]);
        let text = report(&discovery, ReportFormat::Json, Paint::Plain);
        shape.add(&serde_json::from_str(&text).unwrap());
    }
    let mut schema = shape.schema();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("The report of `tidegate discover --format json`");
    schema["properties"]["schema"] = json!({"const": "tidegate/discover/v1"});
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/discover.schema.json");
    if std::env::var_os("TIDEGATE_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{schema:#}\n")).unwrap();
    }
    let known: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(known, schema, "write it anew with TIDEGATE_WRITE_GOLDEN=1");
}
