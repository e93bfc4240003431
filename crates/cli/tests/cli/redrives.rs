//! Redrive jobs, edits and searches of dead letters, against a daemon that has some.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::dlq::{daemon, park, pulled};
use crate::support::{Daemon, agent, eventually, expect_exit, run, tidegate};

const LETTER: &str = "billing/OrderPlaced/0";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ask(daemon: &Daemon, arguments: &[&str]) -> Output {
    run(&[&["dlq"], arguments, &["--url", &daemon.url]].concat())
}

/// Pulls one delivery, and acknowledges it. Returns the delivery.
fn acknowledge(daemon: &Daemon) -> Value {
    let url = format!("{}/v1/consumers/billing/OrderPlaced/pull", daemon.url);
    let delivery = eventually("a delivery is pulled", || {
        let mut answer = agent().post(&url).send(r#"{"wait":"5s"}"#).unwrap();
        let answer: Value = answer.body_mut().read_json().unwrap();
        answer["deliveries"].get(0).cloned()
    });
    let path = format!("/v1/leases/{}", delivery["lease"].as_str().unwrap());
    let settled = daemon.post(&path, "application/json", r#"{"outcome":"done"}"#);
    assert_eq!(settled.0, 204);
    delivery
}

#[test]
fn a_job_sends_letters_back_in_steps_and_stops_when_they_fail() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(
        folder.path(),
        &[("a", "x"), ("b", "x"), ("c", "x"), ("d", "x")],
    );
    let job = |arguments: &[&str]| ask(&daemon, &[&["job"], arguments].concat());
    let begin = ["redrive", "--consumer", "billing/OrderPlaced", "--job"];
    let options = [
        "--rate",
        "500/s",
        "--note",
        "after 1.4.2",
        "--format",
        "json",
    ];

    let output = ask(&daemon, &[&begin[..], &options].concat());
    expect_exit(&output, 0);
    let begun = parsed(&output);
    assert_eq!((&begun["id"], &begun["letters"]), (&json!(1), &json!(4)));
    assert_eq!(
        (&begun["note"], &begun["rate"]),
        (&json!("after 1.4.2"), &json!(500.0))
    );
    // The first is acknowledged, then there are two at a time.
    acknowledge(&daemon);
    let two = eventually("two are on their way", || {
        let shown = parsed(&job(&["show", "1", "--format", "json"]));
        (shown["sent"] == 2).then_some(shown)
    });
    assert_eq!((&two["verified"], &two["waiting"]), (&json!(1), &json!(1)));
    acknowledge(&daemon);
    acknowledge(&daemon);
    acknowledge(&daemon);
    let output = job(&["show", "1", "--watch"]);
    expect_exit(&output, 0);
    assert!(
        text(&output.stderr).contains("job 1 done: 4 of 4 verified"),
        "{output:?}"
    );
    assert_eq!(daemon.get("/v1/dead-letters")["total"], 0);
    let output = job(&["resume", "1"]);
    expect_exit(&output, 1);
    assert!(text(&output.stderr).contains("it is done"));
    let output = ask(&daemon, &begin);
    expect_exit(&output, 1);
    assert!(text(&output.stderr).contains("no dead letter is selected"));

    for id in ["e", "f"] {
        daemon.publish(id, "OrderPlaced", json!({ "orderId": id }));
        park(&daemon, "y");
    }
    expect_exit(&ask(&daemon, &begin), 0);
    park(&daemon, "y again");
    let output = job(&["show", "2", "--watch"]);
    expect_exit(&output, 1);
    let shown = text(&output.stdout);
    assert!(
        shown.contains("stopped") && shown.contains("y again"),
        "{shown}"
    );
    let output = job(&["cancel", "2", "--format", "json"]);
    assert_eq!(parsed(&output)["state"], "cancelled");
    let output = ask(&daemon, &["jobs"]);
    expect_exit(&output, 0);
    assert_eq!(text(&output.stdout).lines().count(), 3);
    let output = ask(&daemon, &["jobs", "--format", "json"]);
    assert_eq!(parsed(&output), daemon.get("/v1/redrives"));
    expect_exit(&job(&["show", "9"]), 1);
}

/// A job goes on in the next process, without anybody asking.
#[test]
fn a_job_outlives_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let first = daemon(folder.path(), &[("a", "x"), ("b", "x")]);
    let job = ["redrive", "--consumer", "billing/OrderPlaced", "--job"];
    expect_exit(&ask(&first, &job), 0);
    first.kill();
    let daemon = daemon(folder.path(), &[]);
    acknowledge(&daemon);
    acknowledge(&daemon);
    let output = ask(&daemon, &["job", "show", "1", "--watch"]);
    expect_exit(&output, 0);
}

#[test]
fn a_dry_run_holds_letters_against_the_present_design() {
    let folder = tempfile::tempdir().unwrap();
    daemon(folder.path(), &[("a", "x"), ("bb", "x")]).kill();
    let path = folder.path().join("design.yaml");
    let design = std::fs::read_to_string(&path).unwrap();
    let stricter = design.replace("{type: string}", "{type: string, minLength: 2}");
    assert_ne!(design, stricter);
    let strict = folder.path().join("strict.yaml");
    std::fs::write(&strict, stricter).unwrap();
    let data = folder.path().join("data");
    let (strict, data) = (strict.to_str().unwrap(), data.to_str().unwrap());
    let daemon = Daemon::start(&["run", strict, "--data", data]);
    let all = ["redrive", "--consumer", "billing/OrderPlaced", "--dry-run"];
    let output = ask(&daemon, &all);
    expect_exit(&output, 0);
    let said = text(&output.stderr);
    assert_eq!(said, "2 would be redriven; 1 no longer keep the design\n");
    assert!(text(&output.stdout).contains("invalid"), "{output:?}");
    let output = ask(&daemon, &[&all[..], &["--format", "json"]].concat());
    let rehearsal = parsed(&output);
    assert_eq!(rehearsal["invalid"][0]["id"], LETTER);
    assert_eq!(rehearsal["invalid"][0]["violations"][0]["path"], "/orderId");
    assert_eq!(daemon.get("/v1/dead-letters")["letters"][0]["redrives"], 0);
}

#[test]
fn an_edit_over_http_needs_the_version_and_a_payload_that_the_design_takes() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), &[("a", "x")]);
    let path = format!("/v1/dead-letters/{LETTER}");
    let shown = ureq::get(format!("{}{path}", daemon.url)).call().unwrap();
    assert_eq!(shown.headers()["etag"], "\"1\"");
    let body = json!({ "data": { "orderId": "a", "total": 1 }, "reason": "the total" });
    let code = |answer: (u16, String, Value)| (answer.0, answer.2["error"]["code"].clone());
    let put = |version: Option<&str>, body: &Value| daemon.put(&path, version, body);
    assert_eq!(code(put(None, &body)), (428, json!("if-match")));
    assert_eq!(code(put(Some("\"2\""), &body)), (412, json!("version")));
    assert_eq!(code(put(Some("*"), &body)), (412, json!("version")));
    let with = |field: &str, value: Value| {
        let mut body = body.clone();
        body[field] = value;
        body
    };
    let first = Some("\"1\"");
    let wrong = put(first, &with("data", json!({ "total": 1 })));
    assert_eq!(
        (wrong.0, &wrong.2["error"]["code"]),
        (422, &json!("schema"))
    );
    assert!(wrong.2["error"]["violations"][0]["message"].is_string());
    let other = with("data", json!({ "orderId": "b" }));
    assert_eq!(code(put(first, &other)), (422, json!("key-changed")));
    assert_eq!(
        code(put(first, &with("reason", json!(" ")))),
        (400, json!("reason"))
    );
    assert_eq!(code(put(first, &with("colour", json!(1)))).0, 422);
    let large = "x".repeat(300 << 10);
    let large = with("data", json!({ "orderId": "a", "note": large }));
    assert_eq!(code(put(first, &large)), (413, json!("large")));
    let absent = daemon.put("/v1/dead-letters/billing/OrderPlaced/7", first, &body);
    assert_eq!(code(absent), (404, json!("unknown-dead-letter")));
    assert_eq!(daemon.get(&path)["version"], 1);

    let (status, tag, edited) = put(first, &body);
    assert_eq!((status, tag.as_str()), (200, "\"2\""));
    assert_eq!(
        (&edited["version"], &edited["id"]),
        (&json!(2), &json!(LETTER))
    );
    assert_eq!(code(put(first, &body)), (412, json!("version")));
    let detail = daemon.get(&path);
    assert_eq!(detail["event"]["id"], edited["event_id"]);
    assert_eq!(detail["event"]["data"]["total"], 1);
    assert_eq!(detail["original"]["data"], json!({ "orderId": "a" }));
    assert_eq!(detail["edited"][0]["reason"], "the total");
    assert_eq!(daemon.put("/v1/redrives", None, &body).0, 405);
}

/// Writes a file into a folder. Returns its name.
fn file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

fn edit(daemon: &Daemon, arguments: &[&str]) -> Output {
    let order = [
        "edit",
        LETTER,
        "--reason",
        "the total was lost",
        "--by",
        "me",
    ];
    ask(daemon, &[&order[..], arguments].concat())
}

fn data_of(daemon: &Daemon) -> Value {
    daemon.get(&format!("/v1/dead-letters/{LETTER}"))["event"]["data"].clone()
}

#[test]
fn a_letter_is_edited_with_a_file_or_a_patch_and_sent_back() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), &[("a", "x")]);
    let file = |name: &str, content: &str| file(folder.path(), name, content);
    let edit = |arguments: &[&str]| edit(&daemon, arguments);

    // Byte for byte: a number keeps its digits.
    let whole = r#"{"orderId": "a", "total": 1.50}"#;
    let output = edit(&["--data", &file("data.json", whole), "--format", "json"]);
    expect_exit(&output, 0);
    assert_eq!(parsed(&output)["version"], 2);
    let output = edit(&[
        "--patch",
        &file("merge.json", r#"{"total": null, "paid": true}"#),
    ]);
    expect_exit(&output, 0);
    assert!(text(&output.stdout).contains("version 3"), "{output:?}");
    assert_eq!(data_of(&daemon), json!({ "orderId": "a", "paid": true }));
    let operations = r#"[{"op": "add", "path": "/total", "value": 7}]"#;
    expect_exit(&edit(&["--patch", &file("patch.json", operations)]), 0);
    assert_eq!(data_of(&daemon)["total"], 7);
    let output = edit(&["--patch", &file("nothing.json", "{}")]);
    expect_exit(&output, 1);
    assert_eq!(text(&output.stderr), "nothing was changed\n");
    let output = edit(&["--patch", &file("key.json", r#"{"orderId": "b"}"#)]);
    expect_exit(&output, 2);
    assert!(text(&output.stderr).contains("its key stays"), "{output:?}");
    let output = edit(&["--patch", &file("wrong.json", r#"{"orderId": 7}"#)]);
    expect_exit(&output, 2);
    assert!(text(&output.stderr).contains("/orderId: "), "{output:?}");
    expect_exit(&edit(&["--data", "/nowhere/at/all"]), 2);

    let output = edit(&["--data", &file("last.json", whole), "--redrive"]);
    expect_exit(&output, 0);
    let delivery = acknowledge(&daemon);
    assert_eq!(
        delivery["event"]["data"],
        json!({ "orderId": "a", "total": 1.5 })
    );
    assert_eq!(delivery["delivery"], "billing/OrderPlaced/0/edit-4");
    expect_exit(&edit(&["--data", &file("late.json", whole)]), 1);
    let again = pulled(&daemon);
    assert!(again.is_none(), "the original is not delivered as well");
}

#[test]
fn a_letter_is_edited_in_an_editor() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), &[("a", "x")]);
    let first = file(
        folder.path(),
        "data.json",
        r#"{"orderId": "a", "total": 7}"#,
    );
    expect_exit(&edit(&daemon, &["--data", &first]), 0);
    let editor = folder.path().join("editor.sh");
    let in_editor = |script: &str| {
        std::fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&editor, PermissionsExt::from_mode(0o755)).unwrap();
        let order = [
            "dlq",
            "edit",
            LETTER,
            "--reason",
            "by hand",
            "--url",
            &daemon.url,
        ];
        let mut command = tidegate(&order);
        command.env("TMPDIR", folder.path()).env_remove("VISUAL");
        command.env("EDITOR", &editor).output().unwrap()
    };
    let seen = folder.path().join("seen.json");
    let script = format!("cp \"$1\" {}; sed -i s/7/8/ \"$1\"", seen.display());
    expect_exit(&in_editor(&script), 0);
    assert_eq!(data_of(&daemon)["total"], 8);
    let seen = std::fs::read_to_string(&seen).unwrap();
    assert!(seen.contains("\"total\": 7"), "{seen}");
    let output = in_editor("true");
    expect_exit(&output, 1);
    assert_eq!(text(&output.stderr), "nothing was changed\n");
    expect_exit(&in_editor("exit 3"), 2);
    // What is refused is not lost.
    let output = in_editor("echo '{}' > \"$1\"");
    expect_exit(&output, 2);
    let said = text(&output.stderr);
    let (_, kept) = said.split_once("what was written is kept: ").unwrap();
    let kept = std::fs::read_to_string(kept.lines().next().unwrap()).unwrap();
    assert_eq!(kept, "{}\n");
    assert_eq!(data_of(&daemon)["total"], 8);
}

/// What is shown of an edited letter: both events, and who changed what.
#[test]
fn both_events_of_an_edited_letter_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), &[("a", "x")]);
    let body = json!({ "data": { "orderId": "a", "total": 1 }, "reason": "the total", "by": "me" });
    daemon.put(&format!("/v1/dead-letters/{LETTER}"), Some("\"1\""), &body);
    let output = ask(&daemon, &["show", LETTER]);
    expect_exit(&output, 0);
    let shown = text(&output.stdout);
    for expected in [
        "version    2",
        "the total",
        "as it was published",
        "as it is delivered",
    ] {
        assert!(shown.contains(expected), "{expected} is not in:\n{shown}");
    }

    // `why` finds it by either id, and tells where it comes from.
    let detail = daemon.get(&format!("/v1/dead-letters/{LETTER}"));
    let edited = detail["event"]["id"].as_str().unwrap().to_owned();
    assert_ne!(edited, "a");
    let why = |id: &str| {
        let output = tidegate(&["why", id, "--url", &daemon.url])
            .output()
            .unwrap();
        expect_exit(&output, 0);
        text(&output.stdout)
    };
    let told = why("a");
    for expected in [
        "event a replaced by me, ",
        ": the total\n",
        edited.as_str(),
        "dead-letter",
    ] {
        assert!(told.contains(expected), "{expected} is not in:\n{told}");
    }
    assert!(!told.contains("redriven"), "{told}");
    assert_eq!(why(&edited), told);
    expect_exit(&ask(&daemon, &["redrive", LETTER]), 0);
    acknowledge(&daemon);
    let told = why("a");
    for expected in ["redriven once", "event a replaced by me, ", ": done\n"] {
        assert!(told.contains(expected), "{expected} is not in:\n{told}");
    }
}

fn letters(daemon: &Daemon, filter: &[&str]) -> Vec<String> {
    let output = ask(daemon, &[&["list", "--format", "json"], filter].concat());
    let page = parsed(&output);
    let letters = page["letters"].as_array().unwrap();
    letters
        .iter()
        .map(|letter| letter["event_id"].as_str().unwrap().to_owned())
        .collect()
}

fn published(folder: &Path) -> Daemon {
    let daemon = daemon(folder, &[]);
    for (id, currency) in [("a", "SEK"), ("b", "EUR"), ("c", "SEK")] {
        daemon.publish(
            id,
            "OrderPlaced",
            json!({ "orderId": id, "currency": currency }),
        );
        park(&daemon, &format!("no rate for {currency}"));
    }
    daemon
}

#[test]
fn letters_are_found_by_what_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = published(folder.path());
    assert_eq!(letters(&daemon, &["--where", "/currency=SEK"]), ["a", "c"]);
    assert_eq!(letters(&daemon, &["--where", "/currency!=SEK"]), ["b"]);
    assert_eq!(letters(&daemon, &["--key", "b"]), ["b"]);
    assert_eq!(letters(&daemon, &["--error", "rate for E"]), ["b"]);
    assert_eq!(letters(&daemon, &["--death", "permanent"]), ["a", "b", "c"]);
    assert_eq!(
        letters(&daemon, &["--dead-from", "1h", "--accepted-from", "1h"]).len(),
        3
    );
    assert!(letters(&daemon, &["--dead-until", "1h"]).is_empty());
    assert!(letters(&daemon, &["--redrives-min", "1"]).is_empty());
    assert!(letters(&daemon, &["--event", "Other"]).is_empty());
    let both = ["--where", "/currency=SEK", "--where", "/orderId=c"];
    assert_eq!(letters(&daemon, &both), ["c"]);

    // One page has found something, and says where to go on.
    let output = ask(&daemon, &["list", "--where", "/currency", "--limit", "2"]);
    expect_exit(&output, 0);
    let said = text(&output.stderr);
    assert_eq!(
        said,
        "2 so far; the next page: --after billing/OrderPlaced/1\n"
    );
    let output = ask(
        &daemon,
        &["groups", "--where", "/currency=SEK", "--format", "json"],
    );
    let groups = parsed(&output);
    assert_eq!(
        (&groups["total"], &groups["groups"][0]["count"]),
        (&json!(2), &json!(2))
    );
    let output = ask(&daemon, &["export", "--where", "/currency=EUR"]);
    expect_exit(&output, 0);
    assert_eq!(text(&output.stdout).lines().count(), 1);

    let output = ask(
        &daemon,
        &["discard", "--where", "/currency=EUR", "--reason", "no"],
    );
    expect_exit(&output, 0);
    assert_eq!(letters(&daemon, &["--discarded"]), ["b"]);
    let output = ask(
        &daemon,
        &["redrive", "--where", "/currency=SEK", "--format", "json"],
    );
    expect_exit(&output, 0);
    assert_eq!(parsed(&output)["redriven"], 2);
    for wrong in [
        &["list", "--where", "currency=SEK"][..],
        &["list", "--death", "tired"],
        &["list", "--dead-from", "noon"],
        &["redrive"],
        &["redrive", LETTER, "--key", "a"],
        &["redrive", LETTER, "--rate", "1/s"],
        &["redrive", LETTER, "--job", "--dry-run"],
    ] {
        expect_exit(&ask(&daemon, wrong), 2);
    }
    let refused = |body: Value| {
        let body = body.to_string();
        daemon.post("/v1/redrives", "application/json", &body).0
    };
    assert_eq!(refused(json!({})), 400);
    assert_eq!(refused(json!({ "key": "a", "rate": "1000000/s" })), 400);
    assert_eq!(refused(json!({ "key": "a", "speed": 1 })), 400);
    assert_eq!(refused(json!({ "consumer": "billing/Nothing" })), 404);
}
