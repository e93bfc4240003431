//! The verdicts that others give, held against ours: where we say no, an event shows it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tidegate_compat::Answer;
use tidegate_compat::json::{
    Draft, Named, OpenContent, Policy, Schema, compare, compare_as_confluent,
};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");

/// The text of a file of real data; `None`, said aloud, when it is absent.
fn text(path: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new(DATA).join(path)).ok();
    if text.is_none() {
        println!("skipped: {path} is absent");
    }
    text
}

/// One case and direction: what they say, and what we do.
struct Row {
    id: String,
    mode: &'static str,
    theirs: bool,
    ours: Result<Answer, String>,
    reasons: Vec<String>,
}

fn draft(case: &Value) -> Draft {
    match case["dialect"].as_str() {
        Some("draft-04") => Draft::Four,
        Some("draft-07") => Draft::Seven,
        _ => Draft::Twenty,
    }
}

fn read(case: &Value, side: &str) -> Result<Schema, String> {
    let text = case[side].to_string();
    let named = Named {
        name: side,
        text: &text,
    };
    Schema::read(named, &[], draft(case)).map_err(|error| error.to_string())
}

/// By whose rules.
#[derive(Clone, Copy, PartialEq)]
enum Rules {
    Events,
    Confluent,
}

fn rows(case: &Value, rules: Rules) -> Vec<Row> {
    let mut rows = Vec::new();
    for (mode, writer, reader) in [("BACKWARD", "old", "new"), ("FORWARD", "new", "old")] {
        let Some(theirs) = case["expect"][mode].as_bool() else {
            continue;
        };
        let schemas = read(case, writer).and_then(|w| Ok((w, read(case, reader)?)));
        let mut reasons = Vec::new();
        let ours = schemas.map(|(writer, reader)| {
            let found = match rules {
                Rules::Events => compare(&writer, &reader, OpenContent::Exact, &|| true),
                Rules::Confluent => {
                    compare_as_confluent(&writer, &reader, Policy::Strict, &|| true)
                }
            };
            if rules == Rules::Events && found.is_empty() {
                let events = crate::events::all([&case["old"], &case["new"]], 7);
                let breaks = |event: &&Value| {
                    writer.validate(event).is_empty() && !reader.validate(event).is_empty()
                };
                assert_eq!(events.iter().find(breaks), None, "{case}");
            }
            for reason in &found {
                let event = reason.witness.as_ref().map(|w| &w.event);
                if let Some(event) = event {
                    assert_eq!(writer.validate(event), [], "{case}");
                    assert_ne!(reader.validate(event), [], "{case}");
                }
                let event = event.map_or_else(|| "?".to_owned(), Value::to_string);
                reasons.push(format!("{} {} {event}", reason.code, reason.path));
            }
            tidegate_compat::Verdict::of(
                found
                    .into_iter()
                    .map(|r| r.between(tidegate_compat::Direction::Backward, 0))
                    .collect(),
            )
            .answer
        });
        rows.push(Row {
            id: case["id"].as_str().unwrap().to_owned(),
            mode,
            theirs,
            ours,
            reasons,
        });
    }
    rows
}

fn report(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in rows {
        let kind = match (&row.ours, row.theirs) {
            (Err(_), _) => "no schema",
            (Ok(Answer::NotProved), _) => "not proved",
            (Ok(Answer::Compatible), true) | (Ok(Answer::Incompatible), false) => "agree",
            (Ok(Answer::Incompatible), true) => "we say no",
            (Ok(Answer::Compatible), false) => "we say yes",
        };
        *counts.entry((row.mode, kind)).or_default() += 1;
        *counts.entry((row.mode, "all")).or_default() += 1;
    }
    for ((mode, kind), count) in counts {
        writeln!(text, "{mode:<8} {kind:<24} {count:>4}").unwrap();
    }
    text.push('\n');
    for row in rows {
        let line = match (&row.ours, row.theirs) {
            (Err(error), _) => format!("no schema: {error}"),
            (Ok(Answer::NotProved), theirs) => {
                format!("not proved (they say {theirs}): {}", row.reasons.join("; "))
            }
            (Ok(Answer::Incompatible), true) => format!("no: {}", row.reasons.first().unwrap()),
            (Ok(Answer::Compatible), false) => "yes".to_owned(),
            _ => continue,
        };
        writeln!(text, "{} {}: {line}", row.id, row.mode).unwrap();
    }
    text
}

fn held_against(source: &str, rules: Rules) {
    let Some(lines) = text(&format!("compat/cases/{source}.jsonl")) else {
        return;
    };
    let mut all = Vec::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        all.extend(rows(&case, rules));
    }
    let open = all.iter().filter(|row| row.ours == Ok(Answer::NotProved));
    assert!(
        open.count() * 20 < all.len(),
        "{source}: too much is left open"
    );
    let report = report(&all);
    let of = if rules == Rules::Confluent {
        "_as_confluent"
    } else {
        ""
    };
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/agreement/{source}{of}.txt"));
    if std::env::var_os("TIDEGATE_WRITE_GOLDEN").is_some() {
        fs::write(&golden, &report).unwrap();
    }
    let known = fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        known == report,
        "{source}: run with TIDEGATE_WRITE_GOLDEN=1 and look at what changed\n{report}"
    );
}

#[test]
fn verdicts_of_apicurio() {
    held_against("apicurio_jsonschema", Rules::Events);
}

#[test]
fn verdicts_of_jsonsubschema() {
    held_against("ibm_jsonsubschema", Rules::Events);
}

#[test]
fn verdicts_of_karapace() {
    held_against("karapace_jsonschema", Rules::Events);
}

/// The verdicts of a registry, by the rules of a registry: these are two registries.
#[test]
fn verdicts_of_karapace_as_confluent() {
    held_against("karapace_jsonschema", Rules::Confluent);
}
