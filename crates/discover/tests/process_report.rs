//! Reports and drafts of process logs: every format, texts that mean to do harm, designs that read.

#![cfg(test)]

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;
use tidegate_base::Name;
use tidegate_discover::process::{
    CandidateClass, Options, ProcessDiscovery, Verdict, analyse, compare, draft, report,
    report_diff,
};
use tidegate_discover::{Draft, Paint, ReportFormat};
use tidegate_model::{SchemaPath, Severity, Source};
use tidegate_trace::process::{Columns, read_log};
use tidegate_trace::recording;

mod process_generator;
mod schemas;

fn discover(name: &str, bytes: &[u8]) -> ProcessDiscovery {
    let log = read_log(name, bytes, &Columns::default()).unwrap();
    analyse(&[log], &Options::default())
}

fn claims(seed: u64) -> ProcessDiscovery {
    let (_, stations, _, every) = process_generator::scenarios().pop().unwrap();
    let generated = process_generator::generate(&stations, 400, every, seed);
    assert!(generated.truth[4] > 0 && process_generator::CAUSES.len() == 5);
    discover("claims.csv", generated.csv.as_bytes())
}

/// Every log of real processes, with its name.
fn all() -> Vec<(String, ProcessDiscovery)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/eventlogs/simod");
    if !folder.is_dir() {
        println!("skipped: {} is absent", folder.display());
        return Vec::new();
    }
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("BPIC"))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let bytes = fs::read(folder.join(&name)).unwrap();
            (name.clone(), discover(&name, &bytes))
        })
        .collect()
}

/// Every tag that opens closes in order; nothing is loaded from elsewhere, nothing runs.
fn assert_is_whole(page: &str, name: &str) {
    const VOID: [&str; 3] = ["meta", "!doctype", "br"];
    let mut open = Vec::new();
    for part in page.split('<').skip(1) {
        let tag = part.split(['>', ' ', '\n']).next().unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{name}");
        } else if !VOID.contains(&tag) && !part.split('>').next().unwrap().ends_with('/') {
            open.push(tag);
        }
    }
    assert!(open.is_empty(), "{name}: {open:?} not closed");
    for forbidden in [
        "<script",
        "http-equiv=\"refresh",
        "src=",
        "href=",
        "url(",
        "@import",
    ] {
        assert!(!page.contains(forbidden), "{name} has {forbidden}");
    }
}

#[test]
fn a_process_for_a_terminal_and_for_a_wiki() {
    let discovery = claims(1);
    insta::assert_snapshot!(
        "claims_terminal",
        report(&discovery, ReportFormat::Human, Paint::Plain)
    );
    insta::assert_snapshot!(
        "claims_wiki",
        report(&discovery, ReportFormat::Markdown, Paint::Plain)
    );
}

#[test]
fn every_log_gives_json_that_is_json_and_a_page_that_is_whole() {
    let mut logs = all();
    logs.push(("claims".to_owned(), claims(2)));
    for (name, stations, _, every) in process_generator::beyond() {
        let csv = process_generator::generate(&stations, 60, every, 1).csv;
        logs.push((name.to_owned(), discover(name, csv.as_bytes())));
    }
    let schema = schema();
    for (name, discovery) in logs {
        let json = report(&discovery, ReportFormat::Json, Paint::Plain);
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["schema"], "tidegate/process/v1", "{name}");
        let wrong = schemas::refused(&schema, &json);
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        assert_eq!(json["cases"], discovery.cases, "{name}");
        let page = report(&discovery, ReportFormat::Html, Paint::Plain);
        assert_is_whole(&page, &name);
        for title in [
            "What happens today",
            "What would change",
            "How sure this is",
            "How to check it cheaply",
        ] {
            assert!(page.contains(title), "{name} lacks {title}");
        }
    }
}

fn schema() -> Validator {
    let text = include_str!("../../../docs/reference/process.schema.json");
    jsonschema::draft202012::new(&serde_json::from_str(text).unwrap()).unwrap()
}

#[test]
fn no_field_can_go_come_or_become_something_else_unnoticed() {
    let json = report(&claims(1), ReportFormat::Json, Paint::Plain);
    let json: Value = serde_json::from_str(&json).unwrap();
    let kinds = schemas::lets_nothing_else_pass(&schema(), &json);
    assert!(kinds > 20, "{kinds}");
}

fn file<'a>(draft: &'a Draft, path: &str) -> &'a str {
    let found = draft.files.iter().find(|(name, _)| name == path);
    found.map(|(_, text)| text.as_str()).unwrap()
}

#[test]
fn a_draft_is_a_design_that_reads_and_is_the_same_again() {
    let mut logs = all();
    logs.push(("claims".to_owned(), claims(1)));
    for (name, discovery) in logs {
        let drafted = draft(&discovery, Name::new("claims").unwrap());
        let again = draft(&discovery, Name::new("claims").unwrap());
        assert_eq!(drafted.files, again.files, "{name}");
        let source = Source {
            name: "design.yaml".into(),
            text: file(&drafted, "design.yaml").to_owned(),
        };
        let reading = tidegate_model::read(&[source], &|path: &SchemaPath| {
            let found = drafted.files.iter().find(|(name, _)| *name == path.path());
            found
                .map(|(_, text)| text.clone())
                .ok_or_else(|| "absent".to_owned())
        });
        let bad: Vec<_> = reading
            .findings
            .iter()
            .filter(|f| f.severity != Severity::Note)
            .collect();
        assert!(
            bad.is_empty(),
            "{name}: {bad:#?}\n{}",
            file(&drafted, "design.yaml")
        );
        let read = recording::read(
            "recording.jsonl",
            file(&drafted, "recording.jsonl").as_bytes(),
        )
        .unwrap();
        assert_eq!(read, drafted.recording, "{name}");
    }
    let names = draft(&claims(1), Name::new("claims").unwrap());
    let design = file(&names, "design.yaml");
    assert!(design.contains("  CaseChecked:\n"), "{design}");
    assert!(design.contains("key: /caseId"), "{design}");
}

/// Sixty applications: one of three is cancelled, the others are approved; then a contract is printed and filed, side by
/// side. Whatever comes next is taken up hours later by somebody who was free.
fn applications(time: fn(u64, u64, u64) -> String) -> String {
    let mut csv = "case,activity,start,end,resource\n".to_owned();
    for case in 0..60_u64 {
        let day = case / 2 + 1;
        let minute = case % 2 * 20;
        let mut row = |activity: &str, hour: u64, from: u64, to: u64, by: &str| {
            let (from, to) = (time(day, hour, minute + from), time(day, hour, minute + to));
            csv.push_str(&format!("{case},{activity},{from},{to},{by}\n"));
        };
        row("Check application", 8, 0, 5, "ann");
        if case % 3 == 0 {
            row("Cancel application", 11, 0, 5, "bob");
            continue;
        }
        row("Approve application", 12, 0, 5, "cy");
        let (one, two) = if case % 2 == 0 { (5, 9) } else { (9, 5) };
        row("Print contract", 16, 0, one, "dan");
        row("File contract", 16, 0, two, "eve");
    }
    csv
}

#[test]
fn what_is_decided_between_has_an_event_each_and_what_goes_side_by_side_one() {
    let csv = applications(|day, hour, minute| format!("2025-04-{day:02}T{hour:02}:{minute:02}Z"));
    let drafted = draft(
        &discover("applications.csv", csv.as_bytes()),
        Name::new("loans").unwrap(),
    );
    let streams: Vec<(String, usize)> = drafted
        .recording
        .streams
        .iter()
        .map(|(event, stream)| (event.to_string(), stream.arrivals.len()))
        .collect();
    let count = |event: &str| {
        let found = streams.iter().find(|(name, _)| name == event);
        found.map(|(_, count)| *count)
    };
    assert_eq!(count("CancelApplicationDecided"), Some(20));
    assert_eq!(count("ApproveApplicationDecided"), Some(40));
    assert_eq!(count("ApplicationApproved"), Some(40));
    assert_eq!(streams.len(), 3, "{streams:?}");
    let design: Vec<&str> = file(&drafted, "design.yaml")
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect();
    insta::assert_snapshot!("applications_design", design.join("\n"));
    assert!(file(&drafted, "README.md").contains("each way has an event of its own"));
}

#[test]
fn what_the_log_does_not_say_is_named() {
    let csv = applications(|day, hour, minute| format!("2025-04-{day:02}T{hour:02}:{minute:02}Z"));
    let without = |column: usize| -> String {
        let rows = csv.lines().map(|row| {
            let fields = row.split(',').enumerate();
            let kept = fields.filter(|(place, _)| *place != column);
            kept.map(|(_, field)| field).collect::<Vec<_>>().join(",")
        });
        rows.collect::<Vec<_>>().join("\n")
    };
    for (column, said) in [
        (2, "why it waits: when work starts is not recorded"),
        (4, "why it waits: who does the work is not recorded"),
    ] {
        let found = discover("applications.csv", without(column).as_bytes());
        let missing = found.candidates.iter().filter_map(|one| match &one.class {
            CandidateClass::Unknown { missing } => Some(missing.as_str()),
            _ => None,
        });
        assert!(missing.clone().count() > 0);
        assert!(
            missing.clone().all(|missing| missing == said),
            "{:?}",
            missing.collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_log_differs_from_another_only_where_it_does() {
    let (one, two) = (claims(1), claims(2));
    for row in compare(&one, &one) {
        assert!(
            !matches!(row.verdict, Verdict::Less | Verdict::More),
            "{row:?}"
        );
        assert_eq!(row.before, row.after);
    }
    let (_, mut stations, _, every) = process_generator::scenarios().pop().unwrap();
    stations[1].timer = 0;
    let faster = process_generator::generate(&stations, 400, every, 1);
    let faster = discover("claims.csv", faster.csv.as_bytes());
    let compared = compare(&one, &faster);
    let of = |what: &str| {
        compared
            .iter()
            .find(|row| row.what == what)
            .unwrap()
            .verdict
    };
    assert_eq!(of("wait before ask, median"), Verdict::Less);
    assert_eq!(of("waiting for EXTRANEOUS"), Verdict::Less);
    assert_eq!(of("wait before weigh, median"), Verdict::NoDifference);
    let json: Value =
        serde_json::from_str(&report_diff(&compare(&one, &two), ReportFormat::Json)).unwrap();
    assert_eq!(json["schema"], "tidegate/process-diff/v1");
    assert!(report_diff(&compared, ReportFormat::Markdown).contains("| wait before ask, median |"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Names of activities, cases and resources mean what they say, whatever they say.
    #[test]
    fn no_name_breaks_out(name in "[ -~\u{1b}\u{7}äß—]{1,30}") {
        let quoted = name.replace('"', "\"\"");
        let mut csv = "case,activity,start,end,resource\n".to_owned();
        for case in 0..25 {
            let day = case + 1;
            csv.push_str(&format!(
                "\"{quoted}{case}\",\"<{quoted}>\",2025-03-{day:02}T08:00Z,2025-03-{day:02}T09:00Z,\"{quoted}\"\n\
                 \"{quoted}{case}\",\"`{quoted}|\",2025-03-{day:02}T12:00Z,2025-03-{day:02}T13:00Z,\"x{quoted}\"\n"
            ));
        }
        let discovery = discover(&name, csv.as_bytes());
        assert_is_whole(&report(&discovery, ReportFormat::Html, Paint::Plain), &name);
        let human = report(&discovery, ReportFormat::Human, Paint::Plain);
        prop_assert!(!human.chars().any(|letter| letter.is_control() && letter != '\n'));
        let json = report(&discovery, ReportFormat::Json, Paint::Plain);
        prop_assert!(serde_json::from_str::<Value>(&json).is_ok());
        let drafted = draft(&discovery, Name::new("any").unwrap());
        let source = Source { name: "design.yaml".into(), text: file(&drafted, "design.yaml").to_owned() };
        let reading = tidegate_model::read(&[source], &|path: &SchemaPath| {
            let found = drafted.files.iter().find(|(name, _)| *name == path.path());
            found.map(|(_, text)| text.clone()).ok_or_else(|| "absent".to_owned())
        });
        prop_assert!(reading.findings.iter().all(|f| f.severity == Severity::Note), "{:#?}", reading.findings);
    }
}
