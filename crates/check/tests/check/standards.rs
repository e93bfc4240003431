//! The formats of others, held against what their makers publish: the JSON Schema of SARIF, the XML Schema of
//! JUnit reports, the grammar of workflow commands.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tidegate_check::report::{Format, Paint, render};
use tidegate_model::{Finding, Severity};

use crate::report::{design, hostile, sources};

/// Findings of every kind: of a design, with all that must be escaped, none, and more than a run may have.
fn all() -> Vec<Vec<Finding>> {
    let mut many = Vec::new();
    for (number, finding) in (1..=25_001).zip(hostile().into_iter().cycle()) {
        many.push(Finding {
            path: format!("services.s{number}"),
            ..finding
        });
    }
    let mut notes = design();
    for finding in &mut notes {
        finding.severity = Severity::Note;
    }
    vec![design(), hostile(), notes, Vec::new(), many]
}

#[test]
fn sarif_keeps_its_schema() {
    let mut schema: Value = serde_json::from_str(include_str!("schemas/sarif-2.1.0.json")).unwrap();
    // A bracket that closes nothing makes it no pattern where these are read strictly; no report names a language.
    for of in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][of]["properties"]["language"];
        let pattern = language.as_object_mut().unwrap().remove("pattern");
        assert!(pattern.is_some(), "{of}");
    }
    let schema = jsonschema::options()
        .offline()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let wrong = |document: &Value| -> Vec<String> {
        let errors = schema.iter_errors(document);
        errors
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect()
    };
    for findings in all() {
        let text = render(Format::Sarif, &findings, &sources(), Paint::Plain);
        let mut document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(wrong(&document), Vec::<String>::new());
        // The schema is one that can refuse.
        document["runs"][0]["results"] = json!([{"ruleId": "E0201"}]);
        assert_eq!(wrong(&document).len(), 1);
        document["runs"][0]["columnKind"] = json!("bytes");
        assert_eq!(wrong(&document).len(), 2);
    }
}

#[test]
fn junit_keeps_its_schema() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("junit");
    std::fs::create_dir_all(&folder).unwrap();
    let validated = |files: &[String]| {
        let mut java = Command::new("java");
        java.arg(here.join("Validate.java"));
        java.arg(here.join("schemas/junit.xsd"));
        java.args(files).current_dir(&folder).output()
    };
    let mut files = Vec::new();
    for (number, findings) in all().iter().enumerate() {
        let file = format!("{number}.xml");
        let text = render(Format::Junit, findings, &sources(), Paint::Plain);
        std::fs::write(folder.join(&file), text).unwrap();
        files.push(file);
    }
    let output = match validated(&files) {
        Ok(output) => output,
        Err(absent) => return println!("skipped: java is absent: {absent}"),
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    // The schema is one that can refuse.
    let text = "<testsuites><testsuite name=\"a\" tests=\"1\"><case/></testsuite></testsuites>";
    std::fs::write(folder.join("wrong.xml"), text).unwrap();
    let output = validated(&["wrong.xml".to_owned()]).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("case"), "{said}");
}

/// A workflow command as the runner of GitHub Actions reads it: its name, its properties, its message.
///
/// Source: GitHub, "Workflow commands for GitHub Actions"; `actions/toolkit`, `core/src/command.ts`, for what is
/// escaped.
fn command(line: &str) -> (String, Vec<(String, String)>, String) {
    let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
    let (name, properties) = head.split_once(' ').unwrap();
    let properties = properties.split(',').map(|property| {
        let (name, value) = property.split_once('=').unwrap();
        let value = value.replace("%3A", ":").replace("%2C", ",");
        (name.to_owned(), plain(&value))
    });
    (name.to_owned(), properties.collect(), plain(message))
}

fn plain(text: &str) -> String {
    let lines = text.replace("%0D", "\r").replace("%0A", "\n");
    lines.replace("%25", "%")
}

#[test]
fn annotations_keep_their_grammar() {
    for findings in all() {
        let text = render(Format::Github, &findings, &sources(), Paint::Plain);
        assert_eq!(text.lines().count(), findings.len());
        for (line, finding) in text.lines().zip(&findings) {
            let (name, properties, message) = command(line);
            assert!(["error", "warning", "notice"].contains(&name.as_str()));
            let place = &finding.place;
            let expected = [
                ("file", place.file.trim_start_matches("./").to_owned()),
                ("line", place.line.to_string()),
                ("col", place.column.to_string()),
                ("endColumn", (place.column + place.length).to_string()),
                ("title", format!("{} {}", finding.code, finding.path)),
            ];
            let expected = expected.map(|(name, value)| (name.to_owned(), value));
            assert_eq!(properties, expected, "{line}");
            assert!(message.starts_with(&finding.message), "{line}");
        }
    }
}
