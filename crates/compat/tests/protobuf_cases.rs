//! The cases that Karapace and Buf test their checkers with.

#![cfg(test)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;
use support::{Tally, assert_golden, cases, counts, is_shown, one_file, tree};
use tidegate_compat::protobuf::{Version, compare};
use tidegate_compat::{Answer, Mode, Profile};
use tidegate_schema::protobuf::{Protobuf, Sources};

const PROFILES: [Profile; 4] = [
    Profile::Exact,
    Profile::Confluent,
    Profile::BufWire,
    Profile::BufWireJson,
];

/// Counts one answer; a line when it is not what was expected.
fn answer(
    old: &Version<'_>,
    new: &Version<'_>,
    expected: bool,
    profile: Profile,
    tally: &mut Tally,
) -> Option<String> {
    let verdict = match compare(&[*old], new, Mode::Backward, profile) {
        Ok(verdict) => verdict,
        Err(error) => {
            tally.refused += 1;
            return Some(error.to_string());
        }
    };
    let found = match verdict.answer {
        Answer::Compatible => true,
        Answer::Incompatible => false,
        Answer::NotProved => {
            tally.not_proved += 1;
            return None;
        }
    };
    if found == expected {
        tally.agree += 1;
        return None;
    }
    // A rule about definitions has no event: it is another policy than Karapace's.
    let witness = verdict.witness();
    if witness.is_some_and(|witness| is_shown(old, new, &verdict, witness)) {
        tally.disproved += 1;
    } else {
        tally.open += 1;
    }
    let codes: BTreeSet<&str> = verdict
        .findings
        .iter()
        .map(|finding| finding.code)
        .collect();
    Some(format!("expected {expected}, found {found} by {codes:?}"))
}

#[test]
fn the_cases_of_karapace_are_answered_or_disproved() {
    let mut tallies: BTreeMap<(String, &str, &str), Tally> = BTreeMap::new();
    let mut differs = String::new();
    let source = "karapace_protobuf";
    let Some(cases) = cases(source) else { return };
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let (old, new) = (one_file(&case["old"]), one_file(&case["new"]));
        let (old, new) = (
            Version {
                files: &old,
                root: None,
            },
            Version {
                files: &new,
                root: None,
            },
        );
        let expected = case["expect"]["BACKWARD"].as_bool().unwrap();
        for profile in PROFILES {
            let key = (source.to_owned(), Mode::Backward.name(), profile.name());
            let tally = tallies.entry(key).or_default();
            if let Some(line) = answer(&old, &new, expected, profile, tally) {
                writeln!(differs, "{id} {profile}: {line}").unwrap();
            }
        }
    }
    assert_golden(
        "protobuf-karapace.txt",
        &format!("{}\n{differs}", Tally::table(&tallies)),
    );
    let exact = tallies
        .iter()
        .filter(|((_, _, profile), _)| *profile == "exact");
    assert_eq!(
        exact.map(|(_, tally)| tally.open).sum::<usize>(),
        0,
        "{differs}"
    );
}

/// Rules in the categories `WIRE` and `WIRE_JSON`, with whether they are in the second alone.
const RULES: [(&str, bool); 24] = [
    ("ENUM_SAME_JSON_FORMAT", true),
    ("ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED", true),
    ("ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED", false),
    ("ENUM_VALUE_SAME_NAME", true),
    ("FIELD_NO_DELETE_UNLESS_NAME_RESERVED", true),
    ("FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED", false),
    ("FIELD_SAME_DEFAULT", false),
    ("FIELD_SAME_JSON_NAME", true),
    ("FIELD_SAME_NAME", true),
    ("FIELD_SAME_ONEOF", false),
    ("FIELD_WIRE_COMPATIBLE_CARDINALITY", false),
    ("FIELD_WIRE_COMPATIBLE_TYPE", false),
    ("FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY", true),
    ("FIELD_WIRE_JSON_COMPATIBLE_TYPE", true),
    ("FILE_SAME_PACKAGE", false),
    ("MESSAGE_SAME_JSON_FORMAT", true),
    ("MESSAGE_SAME_REQUIRED_FIELDS", false),
    ("RESERVED_ENUM_NO_DELETE", false),
    ("RESERVED_MESSAGE_NO_DELETE", false),
    ("RPC_SAME_CLIENT_STREAMING", false),
    ("RPC_SAME_IDEMPOTENCY_LEVEL", false),
    ("RPC_SAME_REQUEST_TYPE", false),
    ("RPC_SAME_RESPONSE_TYPE", false),
    ("RPC_SAME_SERVER_STREAMING", false),
];

#[derive(Debug, Default)]
struct Agreement {
    expected: usize,
    found: usize,
    agree: bool,
}

fn table(rules: &BTreeMap<&str, Agreement>, outside: &BTreeMap<String, usize>) -> String {
    let row = |(rule, agreement): (&&str, &Agreement)| {
        let mark = if agreement.agree { "" } else { " differs" };
        format!(
            "{rule:<45} {:>4} {:>5}{mark}\n",
            agreement.expected, agreement.found
        )
    };
    let inside: String = rules.iter().map(row).collect();
    let row = |(rule, count): (&String, &usize)| format!("{rule:<45} {count:>4}\n");
    let outside: String = outside.iter().map(row).collect();
    format!(
        "{:<45} {:>4} {:>5}\n{inside}\nOutside of WIRE and WIRE_JSON:\n{outside}",
        "rule", "Buf", "ours"
    )
}

#[test]
fn the_rules_of_buf_find_what_buf_finds() {
    let Some(cases) = cases("buf_breaking") else {
        return;
    };
    let mut rules: BTreeMap<&str, Agreement> = BTreeMap::new();
    let mut outside: BTreeMap<String, usize> = BTreeMap::new();
    let mut said = String::new();
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let (mut old, mut new) = (
            tree(case["old"].as_str().unwrap()),
            tree(case["new"].as_str().unwrap()),
        );
        // The compiler knows no editions: these files are left out, and counted.
        let is_edition = |text: &String| text.lines().any(|line| line.starts_with("edition"));
        let lost = old.values().filter(|text| is_edition(text)).count();
        let with_edition: BTreeSet<String> = new
            .iter()
            .filter(|(_, text)| is_edition(text))
            .map(|(name, _)| name.clone())
            .collect();
        old.retain(|_, text| !is_edition(text));
        new.retain(|_, text| !is_edition(text));
        let compile = |files: &Sources| Protobuf::compile(files, None);
        let (old, new) = match (compile(&old), compile(&new)) {
            (Ok(old), Ok(new)) => (old, new),
            (old, new) => {
                let why = old.err().or(new.err()).unwrap();
                writeln!(said, "{id} is refused: {why}").unwrap();
                continue;
            }
        };
        let named = |annotation: &Value| annotation["rule"].as_str().unwrap().to_owned();
        let used: Vec<String> = case["annotations"]
            .as_array()
            .unwrap()
            .iter()
            .map(named)
            .collect();
        let is_known = |rule: &&String| RULES.iter().any(|(known, _)| known == rule);
        for rule in used.iter().filter(|rule| !is_known(rule)) {
            *outside.entry(rule.clone()).or_default() += 1;
        }
        for (rule, json) in RULES {
            if !used.iter().any(|used| used == rule) {
                continue;
            }
            let [mut expected, mut found] = counts(&case, rule, json, (&old, &new));
            expected.retain(|file, _| !with_edition.contains(file));
            found.retain(|file, _| !with_edition.contains(file));
            if expected != found {
                let why = if lost > 0 {
                    "; an edition is left out before"
                } else {
                    ""
                };
                writeln!(said, "{id} {rule}: Buf {expected:?}, ours {found:?}{why}").unwrap();
            }
            let same = expected == found || lost > 0;
            let agreement = rules.entry(rule).or_insert(Agreement {
                agree: true,
                ..Agreement::default()
            });
            agreement.expected += expected.values().sum::<usize>();
            agreement.found += found.values().sum::<usize>();
            agreement.agree &= same;
        }
    }
    let table = table(&rules, &outside);
    assert_golden("protobuf-buf.txt", &format!("{table}\n{said}"));
    assert!(rules.values().all(|agreement| agreement.agree), "{said}");
}
