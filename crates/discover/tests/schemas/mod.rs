//! Whether reports keep to their published schemas, and whether these let nothing else pass.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Value, json};

/// What the schema refuses about a report.
pub(crate) fn refused(schema: &Validator, report: &Value) -> Vec<String> {
    schema
        .iter_errors(report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Every place of the report that is an object, items of a list as one.
fn objects(value: &Value, place: &str, pointer: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            found.push((place.to_owned(), pointer.to_owned()));
            for (name, value) in fields {
                objects(
                    value,
                    &format!("{place}/{name}"),
                    &format!("{pointer}/{name}"),
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(
                    item,
                    &format!("{place}/*"),
                    &format!("{pointer}/{index}"),
                    found,
                );
            }
        }
        _ => {}
    }
}

/// That no field of the report can go, come or become something else unnoticed. How many kinds of objects it has.
pub(crate) fn lets_nothing_else_pass(schema: &Validator, report: &Value) -> usize {
    let mut places = Vec::new();
    objects(report, "", "", &mut places);
    let mut seen = BTreeSet::new();
    places.retain(|(place, _)| seen.insert(place.clone()));
    for (_, pointer) in &places {
        let changed = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
            let mut changed = report.clone();
            change(
                changed
                    .pointer_mut(pointer)
                    .unwrap()
                    .as_object_mut()
                    .unwrap(),
            );
            changed
        };
        let fields = report.pointer(pointer).unwrap().as_object().unwrap();
        for name in fields.keys() {
            let without = changed(&|fields| drop(fields.remove(name)));
            assert!(!schema.is_valid(&without), "without {pointer}/{name}");
            let other = changed(&|fields| fields[name] = json!([{"other": []}]));
            assert!(!schema.is_valid(&other), "another {pointer}/{name}");
        }
        let more = changed(&|fields| drop(fields.insert("more".to_owned(), json!(1))));
        assert!(!schema.is_valid(&more), "more in {pointer}");
    }
    places.len()
}
