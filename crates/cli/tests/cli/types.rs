//! Types that are written, found stale and written again; events held against CloudEvents.

use serde_json::Value;

use crate::support::{expect_exit, files_below, repository, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn types_are_written_checked_and_never_over_other_files() {
    let checkout = repository("examples/checkout");
    let checkout = checkout.to_str().unwrap();
    for language in ["rust", "typescript", "java", "python"] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().to_str().unwrap();
        let generate = ["generate", language, checkout, "--out", out];
        let check = ["generate", language, checkout, "--out", out, "--check"];
        let missing = run(&check);
        expect_exit(&missing, 1);
        assert!(text(&missing.stdout).contains("missing  "), "{language}");
        expect_exit(&run(&generate), 0);
        expect_exit(&run(&check), 0);
        let files = files_below(folder.path());
        assert!(files.len() >= 6, "{language}: {files:?}");
        let file = &files[0];
        let written = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, format!("{written}\n")).unwrap();
        let stale = run(&check);
        expect_exit(&stale, 1);
        assert_eq!(
            text(&stale.stdout),
            format!("stale    {}\n", file.display())
        );
        expect_exit(&run(&generate), 0);
        expect_exit(&run(&check), 0);
        let left = file.with_file_name("old.txt");
        std::fs::write(&left, &written).unwrap();
        let output = run(&check);
        expect_exit(&output, 1);
        assert_eq!(
            text(&output.stdout),
            format!("left     {}\n", left.display())
        );
        std::fs::write(file, "mine\n").unwrap();
        expect_exit(&run(&generate), 2);
        assert_eq!(std::fs::read_to_string(file).unwrap(), "mine\n");
    }
}

#[test]
fn types_are_printed_without_a_folder_and_a_package_is_a_package() {
    let checkout = repository("examples/checkout");
    let checkout = checkout.to_str().unwrap();
    let output = run(&[
        "generate",
        "java",
        checkout,
        "--package",
        "com.example.shop",
    ]);
    expect_exit(&output, 0);
    let printed = text(&output.stdout);
    assert!(
        printed.contains("==> com/example/shop/OrderPlaced.java <=="),
        "{printed}"
    );
    assert!(printed.contains("package com.example.shop;"), "{printed}");
    for wrong in ["../up", "a..b", "A", ""] {
        expect_exit(&run(&["generate", "java", checkout, "--package", wrong]), 2);
    }
    expect_exit(&run(&["generate", "rust", checkout, "--check"]), 2);
}

#[test]
fn events_in_files_are_held_against_cloudevents() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let good = r#"{"specversion":"1.0","id":"1","source":"/s","type":"T"}"#;
    let bad = r#"{"specversion":"1.0","id":"1","source":"a b","type":"T"}"#;
    std::fs::write(path("one.json"), good).unwrap();
    std::fs::write(path("batch.json"), format!("[{good},{bad}]")).unwrap();
    std::fs::write(path("lines.jsonl"), format!("{good}\n\n{bad}\nnot json\n")).unwrap();
    std::fs::write(path("broken.json"), "{\n\"id\": }").unwrap();
    std::fs::write(path("empty.json"), "\n").unwrap();
    expect_exit(&run(&["event", "validate", &path("one.json")]), 0);
    let output = run(&["event", "validate", &path("batch.json")]);
    expect_exit(&output, 1);
    assert_eq!(
        text(&output.stdout),
        format!(
            "{}[1] /source: attribute `source` is not a URI-reference (RFC 3986) (REQUIRED Attributes)\n\
             2 events, 1 not valid\n",
            path("batch.json")
        )
    );
    let output = run(&[
        "event",
        "validate",
        "--format",
        "json",
        &path("lines.jsonl"),
    ]);
    expect_exit(&output, 1);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["schema"], "tidegate/event-validate/v1");
    let valid: Vec<bool> = answer["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["valid"] == true)
        .collect();
    assert_eq!(valid, [true, false, false]);
    assert_eq!(
        answer["events"][1]["event"],
        format!("{}:3", path("lines.jsonl"))
    );
    assert_eq!(answer["events"][1]["path"], "/source");
    let output = run(&["event", "validate", &path("broken.json")]);
    expect_exit(&output, 1);
    assert!(
        text(&output.stdout).contains("line 2"),
        "{}",
        text(&output.stdout)
    );
    expect_exit(&run(&["event", "validate", &path("empty.json")]), 2);
    expect_exit(&run(&["event", "validate", &path("absent.json")]), 2);
}
