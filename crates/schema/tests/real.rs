//! Schemas that others wrote: all compile, or are refused for a reason that is true.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;
use tidegate_schema::{Compiled, Declared};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");

/// The text of a file of real data; `None`, said aloud, when it is absent.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn text(path: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new(DATA).join(path)).ok();
    if text.is_none() {
        println!("skipped: {path} is absent");
    }
    text
}

#[test]
fn schemas_of_compatibility_suites_compile_and_answer() {
    let mut refused = BTreeMap::new();
    let mut compiled_count = 0;
    for suite in [
        "apicurio_jsonschema",
        "karapace_jsonschema",
        "ibm_jsonsubschema",
    ] {
        let Some(lines) = text(&format!("compat/cases/{suite}.jsonl")) else {
            return;
        };
        for line in lines.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            for side in ["old", "new"] {
                let Some(schema) = case.get(side) else {
                    continue;
                };
                match Compiled::json_schema(&schema.to_string()) {
                    Ok(compiled) => {
                        compiled_count += 1;
                        for field in compiled.required_fields() {
                            let pointer =
                                format!("/{}", field.replace('~', "~0").replace('/', "~1"));
                            assert_eq!(compiled.requires(&pointer), Declared::Yes, "{line}");
                        }
                        for field in compiled.declared_fields() {
                            let pointer =
                                format!("/{}", field.replace('~', "~0").replace('/', "~1"));
                            assert_eq!(compiled.declares(&pointer), Declared::Yes, "{line}");
                        }
                    }
                    Err(error) => {
                        refused
                            .entry(error.to_string())
                            .or_insert_with(|| case["id"].to_string());
                    }
                }
            }
        }
    }
    let refused: Vec<_> = refused
        .iter()
        .map(|(why, id)| format!("{id}: {why}"))
        .collect();
    assert_snapshot!(format!("{compiled_count} compiled\n{}", refused.join("\n")), @r###"
1803 compiled
"ibm_jsonsubschema#340": `exclusiveMaximum` is a boolean in draft 4 alone: write the limit itself, or name that draft in `$schema` at `/exclusiveMaximum`
"ibm_jsonsubschema#282": `exclusiveMinimum` is a boolean in draft 4 alone: write the limit itself, or name that draft in `$schema` at `/anyOf/0/exclusiveMinimum`
"ibm_jsonsubschema#455": `exclusiveMinimum` is a boolean in draft 4 alone: write the limit itself, or name that draft in `$schema` at `/definitions/positiveInteger/exclusiveMinimum`
"ibm_jsonsubschema#320": `exclusiveMinimum` is a boolean in draft 4 alone: write the limit itself, or name that draft in `$schema` at `/exclusiveMinimum`
"ibm_jsonsubschema#157": `exclusiveMinimum` is a boolean in draft 4 alone: write the limit itself, or name that draft in `$schema` at `/properties/subsample/exclusiveMinimum`
"karapace_jsonschema#49": `items` is a list, which draft 2020-12 calls `prefixItems`: name an older draft in `$schema`, or rename it at `/items`
"ibm_jsonsubschema#413": `items` is a list, which draft 2020-12 calls `prefixItems`: name an older draft in `$schema`, or rename it at `/properties/X/items/items`
"###);
}

#[test]
fn the_schema_of_cloudevents_judges_events() {
    let Some(text) = text("cloudevents/spec/cloudevents/formats/cloudevents.json") else {
        return;
    };
    let schema = Compiled::json_schema(&text).unwrap();
    assert_snapshot!(schema.required_fields().join(" "), @"id source specversion type");
    let event = serde_json::json!({"specversion": "1.0", "id": "1", "source": "/shop", "type": ""});
    let said: Vec<_> = schema
        .validate(&event)
        .iter()
        .map(|v| format!("{}: {}", v.path, v.message))
        .collect();
    assert_snapshot!(said.join("\n"), @"/type: the value is shorter than 1 character");
}

#[test]
fn the_schema_of_asyncapi_judges_its_own_examples() {
    let Some(text) = text("asyncapi/json_schemas/3.0.0.json") else {
        return;
    };
    let schema = Compiled::json_schema(&text).unwrap();
    let document =
        serde_json::json!({"asyncapi": "3.0.0", "info": {"title": "shop", "version": "1"}});
    assert_eq!(schema.validate(&document), []);
    let wrong = serde_json::json!({"asyncapi": "3.0.0", "info": {"title": 5}});
    let said: Vec<_> = schema
        .validate(&wrong)
        .iter()
        .map(|v| format!("{}: {}", v.path, v.message))
        .collect();
    assert_snapshot!(said.join("\n"), @r###"
/info: "version" is a required property
/info/title: the value is not of type "string"
"###);
}
