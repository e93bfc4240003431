//! Random pairs of Avro schemas: a *yes* holds for every event that is tried, a *no* is shown.

#![cfg(test)]

mod support;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use support::avro_maker::{change, datum, schema};
use support::{Chance, no_one_reads};
use tidegate_compat::{Answer, Mode, Profile, avro};
use tidegate_schema::avro::Avro;

/// Two schemas that parse, one a change of the other, or nothing to do with it.
fn pair(seed: u64) -> Option<(String, String)> {
    let mut chance = Chance::new(seed);
    let old = schema(&mut chance);
    let new = if chance.one_in(8) {
        schema(&mut chance)
    } else {
        change(&mut chance, &old)
    };
    let (old, new) = (old.to_string(), new.to_string());
    (Avro::parse(&old).is_ok() && Avro::parse(&new).is_ok()).then_some((old, new))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_no_is_shown_and_a_yes_holds(seed in any::<u64>()) {
        check(seed)?;
    }
}

/// Compares and refutes. Returns how many events were read where all should be.
fn check(seed: u64) -> Result<u64, TestCaseError> {
    let mut instances = 0;
    let Some((old, new)) = pair(seed) else {
        return Ok(0);
    };
    let verdict = avro::compare(&[&old], &new, Mode::Full, Profile::Exact).unwrap();
    let mut refused = [false, false];
    for finding in &verdict.findings {
        if finding.answer == Answer::Incompatible {
            let witness = finding.witness.as_ref();
            prop_assert!(witness.is_some(), "{old}\n{new}\n{finding:?}");
            prop_assert!(no_one_reads(&old, &new, &verdict, witness.unwrap()));
            refused[finding.direction as usize] = true;
        }
        prop_assert_ne!(finding.answer, Answer::NotProved, "{}\n{}", old, new);
    }
    let (old_schema, new_schema) = (Avro::parse(&old).unwrap(), Avro::parse(&new).unwrap());
    let mut chance = Chance::new(seed);
    let sides = [(&old_schema, &new_schema), (&new_schema, &old_schema)];
    for ((writer, reader), refused) in sides.into_iter().zip(refused) {
        for _ in 0..20 {
            let Some(event) = datum(&mut chance, writer) else {
                break;
            };
            let bytes = writer.encode(&event).unwrap();
            prop_assert_eq!(&writer.decode(&bytes).unwrap(), &event);
            prop_assert_eq!(&writer.from_json(&writer.to_json(&event)).unwrap(), &event);
            if !refused {
                instances += 1;
                let read = avro::read(writer, reader, &event);
                prop_assert!(
                    read.is_ok(),
                    "{:?}: {}\n{}\n{}",
                    read,
                    writer.to_json(&event),
                    writer.text(),
                    reader.text()
                );
            }
        }
    }
    Ok(instances)
}

/// A million events of writers, each read by a reader that is said to read all of them.
#[test]
#[ignore = "it takes minutes: cargo test -p tidegate-compat --release -- --ignored million"]
fn a_million_events_refute_nothing() {
    support::a_million("events", |seed| check(seed).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The library of Apache reads what ours says yes to, but for aliases, which it does not know.
    #[test]
    fn another_reader_agrees(seed in any::<u64>()) {
        let Some((old, new)) = pair(seed) else { return Ok(()) };
        if old.contains("aliases") || new.contains("aliases") {
            return Ok(());
        }
        let exact = avro::compare(&[&old], &new, Mode::Backward, Profile::Exact).unwrap();
        let parse = |text: &str| Schema::parse_str(text);
        let (Ok(writer), Ok(reader)) = (parse(&old), parse(&new)) else {
            prop_assert!(false, "the library refuses {old}\n{new}");
            return Ok(());
        };
        let registry = avro::compare(&[&old], &new, Mode::Backward, Profile::Confluent).unwrap();
        let library = SchemaCompatibility::can_read(&writer, &reader) == Ok(Compatibility::Full);
        prop_assert_eq!(registry.answer == Answer::Compatible, library, "{}\n{}\n{:?}", old, new,
            registry);
        // Nor does it promote what has a logical type: the specification promotes the type below.
        // And of a union it takes the default for the first branch alone, as older versions say.
        let foreign = old.contains("logicalType")
            || (new.contains("\"default\"") && new.contains("\"type\":["));
        if exact.answer == Answer::Compatible && !foreign {
            let own = Avro::parse(&old).unwrap();
            let mut chance = Chance::new(seed);
            for _ in 0..10 {
                let Some(event) = datum(&mut chance, &own) else { break };
                let bytes = own.encode(&event).unwrap();
                let reading = GenericDatumReader::builder(&writer).reader_schema(&reader).build();
                let read = reading.unwrap().read_value(&mut bytes.as_slice());
                prop_assert!(read.is_ok(), "{:?}\n{}\n{}\n{}", read, own.to_json(&event), old, new);
            }
        }
    }
}
