//! Random pairs of schemas: no proof that an event refutes, no event that breaks nothing.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use tidegate_compat::json::{Draft, Named, OpenContent, Schema, compare};

use crate::{events, schemas};

fn read(text: &str, draft: Draft) -> Option<Schema> {
    Schema::read(
        Named {
            name: "schema",
            text,
        },
        &[],
        draft,
    )
    .ok()
}

/// Compares and refutes. Returns how many events of the writer were read where all should be.
fn check(old: &Value, new: &Value, draft: Draft, seed: u64) -> Result<u64, TestCaseError> {
    let (Some(writer), Some(reader)) =
        (read(&old.to_string(), draft), read(&new.to_string(), draft))
    else {
        return Ok(0);
    };
    let mut instances = 0;
    for open in [OpenContent::Exact, OpenContent::Reserved] {
        let reasons = compare(&writer, &reader, open, &|| true);
        for reason in &reasons {
            if let Some(witness) = &reason.witness {
                prop_assert_eq!(
                    writer.validate(&witness.event),
                    [],
                    "{} {} {:?}",
                    old,
                    new,
                    reason
                );
                let refused = reader.validate(&witness.event);
                prop_assert!(
                    refused.iter().any(|(path, _)| *path == witness.path),
                    "{} {} {:?}",
                    old,
                    new,
                    reason
                );
            }
        }
        if open == OpenContent::Exact && reasons.is_empty() {
            for event in events::all([old, new], seed) {
                if !writer.validate(&event).is_empty() {
                    continue;
                }
                instances += 1;
                prop_assert!(
                    reader.validate(&event).is_empty(),
                    "draft {draft}: {old}\n and {new}\n are said to be compatible: {event}"
                );
            }
        }
        if open == OpenContent::Exact && old == new {
            prop_assert!(
                reasons.is_empty(),
                "{old} does not read itself: {reasons:?}"
            );
        }
    }
    Ok(instances)
}

proptest! {
    #[test]
    fn a_schema_and_a_change_of_it((old, new) in schemas::pair(), seed in any::<u64>()) {
        check(&old, &new, Draft::Twenty, seed)?;
        check(&new, &old, Draft::Twenty, seed)?;
    }

    #[test]
    fn two_schemas(old in schemas::schema(), new in schemas::schema(), seed in any::<u64>()) {
        check(&old, &new, Draft::Twenty, seed)?;
    }

    #[test]
    fn drafts(old in schemas::old_schema(), new in schemas::old_schema(), seed in any::<u64>()) {
        for draft in [Draft::Four, Draft::Six, Draft::Seven, Draft::Nineteen] {
            check(&old, &new, draft, seed)?;
        }
    }

    #[test]
    fn every_schema_reads_itself(schema in schemas::schema()) {
        check(&schema, &schema.clone(), Draft::Twenty, 0)?;
    }
}

/// A million events of writers, each read by a reader that is said to read all of them. Takes minutes.
#[test]
#[ignore = "it takes minutes: cargo test -p tidegate-compat --release -- --ignored million"]
#[expect(
    clippy::disallowed_methods,
    reason = "how long it took is shown, and decides nothing"
)]
fn a_million_events_refute_nothing() {
    use proptest::strategy::ValueTree;
    let start = std::time::Instant::now();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut instances, mut pairs) = (0, 0_u64);
    while instances < 1_000_000 {
        let seed = pairs;
        pairs += 1;
        let pair = match pairs % 4 {
            0 => (schemas::schema(), schemas::schema()).boxed(),
            1 => (schemas::old_schema(), schemas::old_schema()).boxed(),
            _ => schemas::pair(),
        };
        let (old, new) = pair.new_tree(&mut runner).unwrap().current();
        let old_drafts = [Draft::Four, Draft::Six, Draft::Seven, Draft::Nineteen];
        let draft = match pairs % 4 {
            1 => old_drafts[usize::try_from(pairs / 4 % 4).unwrap()],
            _ => Draft::Twenty,
        };
        instances += check(&old, &new, draft, seed).unwrap();
        instances += check(&new, &old, draft, seed).unwrap();
    }
    println!(
        "{instances} events of {pairs} pairs of schemas in {:?}",
        start.elapsed()
    );
}

#[test]
fn what_was_wrong_once() {
    let pairs = [
        (
            json!({"type": "integer"}),
            json!({"anyOf": [{"type": "integer", "minimum": 5, "maximum": 10}, {"type": "integer", "minimum": 0}]}),
        ),
        (
            json!({"prefixItems": [{"contains": {"dependentRequired": {"a": []}}}, {"$ref": "#/$defs/d"}], "items": false, "oneOf": [{}, {"unevaluatedItems": {"enum": [[null]]}}], "$defs": {"d": false}}),
            json!({"prefixItems": [{"contains": {"dependentRequired": {"a": []}}}, {"$ref": "#/$defs/d"}], "items": false, "oneOf": [{}, {"unevaluatedItems": {"enum": [[null]]}}], "$defs": {"d": false}}),
        ),
        (
            json!({"type": "object", "propertyNames": {"const": "a"}}),
            json!({"additionalProperties": false}),
        ),
        (
            json!({"type": "object", "additionalProperties": true, "unevaluatedProperties": false}),
            json!({"maxProperties": 0}),
        ),
        (
            json!({"if": {"unevaluatedProperties": true}, "unevaluatedProperties": false}),
            json!({"additionalProperties": {"maxProperties": 0}}),
        ),
        (
            json!({"if": {"items": true}, "unevaluatedItems": false}),
            json!({"maxItems": 0}),
        ),
        (
            json!({}),
            json!({"allOf": [{"patternProperties": {"^x": {}}}], "unevaluatedProperties": false}),
        ),
        (json!({"enum": [1.0]}), json!({"type": "integer"})),
        (json!({"enum": [1, 2]}), json!({"type": "integer"})),
        (
            json!({"enum": [1], "not": {"type": "integer"}}),
            json!({"type": "string"}),
        ),
        (
            json!({"if": {"maxProperties": 2, "properties": {"a": {}, "c": {"dependentRequired": {"c": []}}}}, "else": {"minItems": 3}, "unevaluatedProperties": false}),
            json!({"propertyNames": {"not": {}}}),
        ),
    ];
    for (old, new) in pairs {
        for draft in Draft::ALL {
            for seed in 0..20 {
                check(&old, &new, draft, seed).unwrap();
                check(&new, &old, draft, seed).unwrap();
            }
        }
    }
}

/// Random pairs are of all kinds, and few of them are left open: else the tests above say little.
#[test]
fn few_random_pairs_are_left_open() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut yes, mut no, mut open) = (0, 0, Vec::new());
    for _ in 0..600 {
        let (old, new) = schemas::pair().new_tree(&mut runner).unwrap().current();
        let (Some(writer), Some(reader)) = (
            read(&old.to_string(), Draft::Twenty),
            read(&new.to_string(), Draft::Twenty),
        ) else {
            continue;
        };
        let reasons = compare(&writer, &reader, OpenContent::Exact, &|| true);
        if reasons.is_empty() {
            yes += 1;
        } else if reasons.iter().any(|reason| reason.witness.is_some()) {
            no += 1;
        } else {
            open.push(format!("{old}\n  {new}\n  {}", reasons[0].code));
        }
    }
    println!(
        "{yes} yes, {no} no, {} open\n{}",
        open.len(),
        open.join("\n")
    );
    assert!(
        yes > 150 && no > 60 && open.len() * 20 < yes + no,
        "{yes} {no} {}",
        open.len()
    );
}
