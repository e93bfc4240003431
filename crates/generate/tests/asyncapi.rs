//! AsyncAPI documents: valid by the official schema, every reference leading somewhere.

#![cfg(test)]

mod designs;

use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::Value;
use tidegate_generate::{asyncapi, to_yaml};
use tidegate_model::Design;

const SCHEMA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/data/asyncapi/json_schemas/3.0.0.json"
);

/// The official JSON Schema, compiled once; `None`, with a message, when the file is absent.
fn official() -> Option<&'static jsonschema::Validator> {
    static OFFICIAL: OnceLock<Option<jsonschema::Validator>> = OnceLock::new();
    OFFICIAL.get_or_init(compiled).as_ref()
}

fn compiled() -> Option<jsonschema::Validator> {
    let Ok(text) = std::fs::read_to_string(SCHEMA) else {
        println!("skipped: no {SCHEMA}");
        return None;
    };
    let schema: Value = serde_json::from_str(&text).unwrap();
    Some(jsonschema::validator_for(&schema).unwrap())
}

fn assert_valid(official: &jsonschema::Validator, document: &Value) {
    let errors: Vec<String> = official
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{}", to_yaml(document));
}

/// Every document of a design: the system's and one for each service.
fn documents(design: &Design) -> Vec<Value> {
    let services = design.services.keys();
    let each = services.map(|name| tidegate_generate::asyncapi::service(design, name).unwrap());
    std::iter::once(asyncapi(design)).chain(each).collect()
}

/// Every local `$ref` of `value`, but not properties of that name.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            for (key, inner) in object {
                match inner {
                    Value::String(target) if key == "$ref" => found.push(target),
                    Value::Object(_) | Value::Array(_) => references(inner, found),
                    _ => {}
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn assert_resolves(document: &Value) {
    let mut found = Vec::new();
    references(document, &mut found);
    assert!(found.len() >= document["channels"].as_object().unwrap().len());
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{target}\n{}",
            to_yaml(document)
        );
    }
}

#[test]
fn the_shop_is_valid_by_the_official_schema() {
    let Some(official) = official() else { return };
    for document in documents(&designs::read(designs::SHOP)) {
        assert_valid(official, &document);
        assert_resolves(&document);
    }
    let template = tidegate_model::template(&tidegate_base::Name::new("shop").unwrap());
    for document in documents(&designs::read(&template)) {
        assert_valid(official, &document);
        assert_resolves(&document);
    }
}

#[test]
fn the_official_schema_would_notice() {
    let Some(official) = official() else { return };
    let mut document = asyncapi(&designs::read(designs::SHOP));
    document["operations"]["orders.send.OrderPlaced"]["action"] = "publish".into();
    assert!(!official.is_valid(&document));
}

#[test]
fn the_shop_reads_well() {
    let design = designs::read(designs::SHOP);
    insta::assert_snapshot!("shop", to_yaml(&asyncapi(&design)));
    let billing = tidegate_base::Name::new("billing").unwrap();
    let document = tidegate_generate::asyncapi::service(&design, &billing).unwrap();
    insta::assert_snapshot!("billing", to_yaml(&document));
}

#[test]
fn a_service_that_is_not_there_has_no_document() {
    let design = designs::read(designs::SHOP);
    let nobody = tidegate_base::Name::new("nobody").unwrap();
    assert_eq!(tidegate_generate::asyncapi::service(&design, &nobody), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_design_is_valid_and_loses_nothing(design in designs::any()) {
        let document = asyncapi(&design);
        if let Some(official) = official() {
            assert_valid(official, &document);
        }
        assert_resolves(&document);
        // An id used twice would have taken the place of another entry.
        let publishes: usize = design.services.values().map(|s| s.publishes.len()).sum();
        let operations = document["operations"].as_object().unwrap().len();
        prop_assert_eq!(operations, publishes + design.consumers().count());
        let dead = design.consumers().filter(|c| c.consume.dead_letter.is_some()).count();
        let channels = document["channels"].as_object().unwrap();
        prop_assert_eq!(channels.len(), design.events.len() + dead);
        for (id, channel) in channels {
            prop_assert_eq!(&channel["address"], id);
        }
    }
}
