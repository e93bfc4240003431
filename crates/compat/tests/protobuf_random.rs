//! Random pairs of Protobuf schemas: a *yes* holds for every message that is tried, a *no* is shown.

#![cfg(test)]

mod support;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use support::proto_maker::{Model, message};
use support::{Chance, is_shown};
use tidegate_compat::protobuf::{Version, compare, difference};
use tidegate_compat::{Answer, Direction, Mode, Profile};
use tidegate_schema::protobuf::{Protobuf, Sources};

fn pair(seed: u64) -> Option<(Sources, Sources)> {
    let mut chance = Chance::new(seed);
    let old = Model::random(&mut chance);
    let new = old.change(&mut chance);
    let file = |model: &Model| Sources::from([("m.proto".to_owned(), model.text())]);
    let (old, new) = (file(&old), file(&new));
    let compiles = |files| Protobuf::compile(files, Some("M0")).is_ok();
    (compiles(&old) && compiles(&new)).then_some((old, new))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_no_is_shown_and_a_yes_holds(seed in any::<u64>()) {
        check(seed)?;
    }
}

/// Compares and refutes. Returns how many messages were read where all should be.
fn check(seed: u64) -> Result<u64, TestCaseError> {
    let mut instances = 0;
    let Some((old_files, new_files)) = pair(seed) else {
        return Ok(0);
    };
    let old = Version {
        files: &old_files,
        root: Some("M0"),
    };
    let new = Version {
        files: &new_files,
        root: Some("M0"),
    };
    let verdict = compare(&[old], &new, Mode::Full, Profile::Exact).unwrap();
    let texts = || format!("{}\n{}", old_files["m.proto"], new_files["m.proto"]);
    for finding in &verdict.findings {
        if finding.answer == Answer::Incompatible {
            let Some(witness) = finding.witness.as_ref() else {
                prop_assert!(false, "{finding:?}\n{}", texts());
                continue;
            };
            prop_assert!(
                is_shown(&old, &new, &verdict, witness),
                "{witness:?}\n{}",
                texts()
            );
        }
    }
    let compile = |files| Protobuf::compile(files, Some("M0")).unwrap();
    let (old, new) = (compile(&old_files), compile(&new_files));
    let mut chance = Chance::new(seed);
    for direction in [Direction::Backward, Direction::Forward] {
        let is_yes = verdict
            .findings
            .iter()
            .all(|finding| finding.direction != direction || finding.answer == Answer::Compatible);
        let (writer, reader) = match direction {
            Direction::Backward => (&old, &new),
            Direction::Forward => (&new, &old),
        };
        for _ in 0..20 {
            let event = message(&mut chance, writer.root().unwrap(), 4);
            if is_yes && tidegate_schema::protobuf::missing(&event).is_empty() {
                instances += 1;
                let differs = difference(&event, reader.root().unwrap());
                prop_assert!(
                    differs.is_empty(),
                    "{differs:?}\n{}\n{}",
                    serde_json::to_string(&event).unwrap(),
                    texts()
                );
            }
        }
    }
    Ok(instances)
}

/// A million messages of writers, each read by a reader that is said to read all of them.
#[test]
#[ignore = "it takes minutes: cargo test -p tidegate-compat --release -- --ignored million"]
fn a_million_messages_refute_nothing() {
    support::a_million("messages", |seed| check(seed).unwrap());
}

/// It refuted a yes once: an empty message that is read as bytes, and one that is not sent and read as bytes with a default.
#[test]
fn what_was_wrong_once() {
    for seed in [25_744, 17_928_803_195_732_531_165] {
        check(seed).unwrap();
    }
}

/// It refuted a yes that was right: a message with a map is read as bytes, and the entries came in another order.
#[test]
fn a_map_that_is_read_as_bytes_has_no_order() {
    let compiled = |fields: &str| {
        let text =
            format!("syntax = \"proto3\"; message M {{ map<int32, fixed64> a = 1; {fields} }}");
        let files = Sources::from([("m.proto".to_owned(), text)]);
        Protobuf::compile(&files, Some("M")).unwrap()
    };
    let writer = compiled("oneof o { M b = 2; fixed32 c = 3; }");
    let reader = compiled("repeated bytes b = 2; oneof o { fixed32 c = 3; }");
    let entries: serde_json::Map<String, Value> =
        (0..30).map(|key| (key.to_string(), json!("8"))).collect();
    let event = json!({"b": {"a": entries}});
    let message = DynamicMessage::deserialize(writer.root().unwrap().clone(), &event).unwrap();
    let differs = difference(&message, reader.root().unwrap());
    assert!(differs.is_empty(), "{differs:?}");
}

/// What was not proved is rare, so a *yes* or a *no* is what is usually had.
#[test]
fn little_is_not_proved() {
    let (mut all, mut count) = (0, 0);
    let mut open = std::collections::BTreeMap::new();
    for seed in 0..3_000 {
        let Some((old, new)) = pair(seed) else {
            continue;
        };
        let old = Version {
            files: &old,
            root: Some("M0"),
        };
        let new = Version {
            files: &new,
            root: Some("M0"),
        };
        let verdict = compare(&[old], &new, Mode::Backward, Profile::Exact).unwrap();
        all += 1;
        if verdict.answer == Answer::NotProved {
            count += 1;
            let codes: Vec<String> = verdict
                .findings
                .iter()
                .filter(|finding| finding.answer == Answer::NotProved)
                .map(|finding| format!("{}: {}", finding.code, finding.reason))
                .collect();
            open.entry(codes.join("; ")).or_insert(seed);
        }
    }
    assert!(
        all > 1_000 && count * 200 < all,
        "{count} of {all}: {open:#?}"
    );
}
