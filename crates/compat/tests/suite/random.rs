//! Random pairs of schemas: no proof that an event refutes, no event that breaks nothing.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use tidegate_compat::json::{Draft, Named, OpenContent, Schema, compare};

use crate::declared::Declared;
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

/// Events that were read where all should be.
#[derive(Default)]
struct Counts {
    exact: u64,
    reserved: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.exact += other.exact;
        self.reserved += other.reserved;
    }
}

/// Compares and refutes.
fn check(old: &Value, new: &Value, draft: Draft, seed: u64) -> Result<Counts, TestCaseError> {
    let mut counts = Counts::default();
    let (Some(writer), Some(reader)) =
        (read(&old.to_string(), draft), read(&new.to_string(), draft))
    else {
        return Ok(counts);
    };
    let mut declared = Declared::of(old, draft);
    let mut written = events::all([old, new], seed);
    written.retain(|event| writer.validate(event).is_empty());
    for open in [OpenContent::Exact, OpenContent::Reserved] {
        let is_exact = open == OpenContent::Exact;
        let mut sends = |event: &Value| is_exact || declared.sends(event);
        let reasons = compare(&writer, &reader, open, &|| true);
        for reason in &reasons {
            if let Some(witness) = &reason.witness {
                prop_assert!(
                    writer.validate(&witness.event).is_empty() && sends(&witness.event),
                    "{open:?}, {draft}: {old}\n and {new}\n{reason:?}"
                );
                let refused = reader.validate(&witness.event);
                prop_assert!(
                    refused.iter().any(|(path, _)| *path == witness.path),
                    "{open:?}, {draft}: {old}\n and {new}\n{reason:?}"
                );
            }
        }
        if reasons.is_empty() {
            written.retain(&mut sends);
            for event in &written {
                prop_assert!(
                    reader.validate(event).is_empty(),
                    "{open:?}, {draft}: {old}\n and {new}\n are said to be compatible: {event}"
                );
            }
            let count = u64::try_from(written.len()).unwrap();
            match open {
                OpenContent::Exact => counts.exact += count,
                OpenContent::Reserved => counts.reserved += count,
            }
        }
        if old == new {
            prop_assert!(
                reasons.is_empty(),
                "{open:?}: {old} does not read itself: {reasons:?}"
            );
        }
    }
    Ok(counts)
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

/// A million events of writers, each read by a reader that is said to read all of them, and a million
/// more where undeclared names are reserved. Takes minutes; `TIDEGATE_SEED=n` makes other choices.
#[test]
#[ignore = "it takes minutes: cargo test -p tidegate-compat --release -- --ignored million"]
#[expect(
    clippy::disallowed_methods,
    reason = "how long it took is shown, and decides nothing"
)]
fn a_million_events_refute_nothing() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
    let start = std::time::Instant::now();
    let first = std::env::var("TIDEGATE_SEED").map_or(0, |seed| seed.parse::<u64>().unwrap());
    let mut key = [7; 32];
    key[..8].copy_from_slice(&first.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &key);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let (mut counts, mut pairs) = (Counts::default(), 0_u64);
    while counts.exact.min(counts.reserved) < 1_000_000 {
        let seed = first.wrapping_add(pairs);
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
        counts.add(check(&old, &new, draft, seed).unwrap());
        counts.add(check(&new, &old, draft, seed).unwrap());
        if pairs.is_multiple_of(2_000) {
            println!(
                "{} and {} events of {pairs} pairs",
                counts.exact, counts.reserved
            );
        }
    }
    println!(
        "{} events, and {} with reserved names, of {pairs} pairs of schemas in {:?}",
        counts.exact,
        counts.reserved,
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
