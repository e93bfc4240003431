//! The cases that Avro itself, Apicurio and Karapace test their checkers with.

#![cfg(test)]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write;

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use support::{Tally, assert_golden, cases, has_a_datum, no_one_reads};
use tidegate_compat::{Answer, Mode, Profile, Verdict, avro};
use tidegate_schema::avro::Avro;

const SOURCES: [&str; 3] = ["apache_avro_py", "apicurio_avro", "karapace_avro"];

/// The second opinion; `None` when that library takes one of the schemas for none.
fn library(old: &str, new: &str, mode: Mode) -> Option<bool> {
    let (old, new) = (Schema::parse_str(old).ok()?, Schema::parse_str(new).ok()?);
    let reads = |writer: &Schema, reader: &Schema| {
        SchemaCompatibility::can_read(writer, reader) == Ok(Compatibility::Full)
    };
    Some(match mode {
        Mode::Backward => reads(&old, &new),
        Mode::Forward => reads(&new, &old),
        Mode::Full => reads(&old, &new) && reads(&new, &old),
        _ => return None,
    })
}

/// A disagreement in a line.
fn difference(verdict: &Verdict, expected: bool, second: Option<bool>) -> String {
    let second = match second {
        Some(true) => "yes",
        Some(false) => "no",
        None => "refuses a schema",
    };
    let breaks = verdict.findings.iter();
    let codes: Vec<&str> = breaks
        .filter(|finding| finding.answer != Answer::Compatible)
        .map(|finding| finding.code)
        .collect();
    let event = verdict.witness().map_or_else(
        || "no event".to_owned(),
        |witness| format!("{} at `{}`", witness.event, witness.path),
    );
    format!(
        "expected {expected}, found {:?} by {}, apache-avro {second}: {event}",
        verdict.answer,
        codes.join(" "),
    )
}

#[test]
fn the_cases_of_others_are_answered_or_disproved() {
    let mut tallies: BTreeMap<(String, &str, &str), Tally> = BTreeMap::new();
    let mut differs = String::new();
    for source in SOURCES {
        let Some(cases) = cases(source) else { return };
        for case in cases {
            let (old, new) = (case["old"].to_string(), case["new"].to_string());
            for (mode, expected) in case["expect"].as_object().unwrap() {
                let mode: Mode = mode.parse().unwrap();
                let expected = expected.as_bool().unwrap();
                for profile in [Profile::Exact, Profile::Confluent] {
                    let key = (source.to_owned(), mode.name(), profile.name());
                    let tally = tallies.entry(key).or_default();
                    let verdict = match avro::compare(&[&old], &new, mode, profile) {
                        Ok(verdict) => verdict,
                        Err(error) => {
                            tally.refused += 1;
                            let id = case["id"].as_str().unwrap();
                            writeln!(differs, "{id} {mode} {profile}: {error}").unwrap();
                            continue;
                        }
                    };
                    let agrees = match verdict.answer {
                        Answer::Compatible => expected,
                        Answer::Incompatible => !expected,
                        Answer::NotProved => {
                            tally.not_proved += 1;
                            continue;
                        }
                    };
                    if agrees {
                        tally.agree += 1;
                        continue;
                    }
                    let witness = verdict.witness();
                    let proven = match witness {
                        Some(witness) => no_one_reads(&old, &new, &verdict, witness),
                        // Where there is no event, none breaks.
                        None => !has_a_datum(&Avro::parse(&old).unwrap()),
                    };
                    if proven {
                        tally.disproved += 1;
                    } else {
                        tally.open += 1;
                    }
                    let id = case["id"].as_str().unwrap();
                    let second = library(&old, &new, mode);
                    let line = difference(&verdict, expected, second);
                    writeln!(differs, "{id} {mode} {profile}: {line}").unwrap();
                }
            }
        }
    }
    let table = Tally::table(&tallies);
    assert_golden("avro.txt", &format!("{table}\n{differs}"));
    let open: usize = tallies.values().map(|tally| tally.open).sum();
    assert_eq!(open, 0, "disagreements without a proof:\n{differs}");
}

#[test]
fn the_library_of_apache_agrees_with_the_registry_profile() {
    let mut said = Vec::new();
    for source in SOURCES {
        let Some(cases) = cases(source) else { return };
        for case in cases {
            let (old, new) = (case["old"].to_string(), case["new"].to_string());
            let Some(second) = library(&old, &new, Mode::Backward) else {
                said.push(format!("{}: refuses a schema", case["id"]));
                continue;
            };
            let ours = avro::compare(&[&old], &new, Mode::Backward, Profile::Confluent).unwrap();
            if (ours.answer == Answer::Compatible) != second {
                said.push(format!(
                    "{}: {:?}, the library {second}",
                    case["id"], ours.answer
                ));
            }
        }
    }
    assert_golden("avro-library.txt", &(said.join("\n") + "\n"));
}

/// Every *no* comes with an event that apache-avro was asked about too.
#[test]
fn every_no_of_the_cases_has_an_event() {
    for source in SOURCES {
        let Some(cases) = cases(source) else { return };
        for case in cases {
            let (old, new) = (case["old"].to_string(), case["new"].to_string());
            for mode in [Mode::Backward, Mode::Forward] {
                let Ok(verdict) = avro::compare(&[&old], &new, mode, Profile::Exact) else {
                    continue;
                };
                for finding in &verdict.findings {
                    if finding.answer == Answer::Incompatible {
                        let witness = finding.witness.as_ref().unwrap();
                        assert!(no_one_reads(&old, &new, &verdict, witness), "{case}");
                    }
                }
            }
        }
    }
}
