//! `tidegate dlq`: against a daemon with dead letters, and against written answers.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::scripted::{Scripted, problem, scene};
use crate::support::{Daemon, agent, eventually, expect_exit, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A daemon with these dead letters: each an event, and what its handler said.
pub(crate) fn daemon(folder: &Path, letters: &[(&str, &str)]) -> Daemon {
    let design = folder.join("design.yaml");
    let written = r"tidegate: 1
system: operated
events:
  OrderPlaced:
    summary: An order.
    owner: team
    key: /orderId
    schema: {type: object, required: [orderId], properties: {orderId: {type: string}}}
services:
  orders: {owner: team, publishes: [OrderPlaced]}
  billing:
    owner: team
    consumes:
      OrderPlaced:
        deliver: {concurrency: 100, timeout: 10s}
        dead-letter: {retention: 30d}
";
    std::fs::write(&design, written).unwrap();
    let data = folder.join("data");
    let (design, data) = (design.to_str().unwrap(), data.to_str().unwrap());
    let daemon = Daemon::start(&["run", design, "--data", data]);
    for (id, error) in letters {
        let (status, _) = daemon.publish(id, "OrderPlaced", json!({ "orderId": id }));
        assert_eq!(status, 202);
        park(&daemon, error);
    }
    daemon
}

/// Pulls one delivery, and gives it up.
pub(crate) fn park(daemon: &Daemon, error: &str) {
    let lease = eventually("the delivery is pulled", || pulled(daemon));
    let body = json!({ "outcome": "park", "error": error }).to_string();
    let path = format!("/v1/leases/{lease}");
    assert_eq!(daemon.post(&path, "application/json", &body).0, 204);
}

pub(crate) fn pulled(daemon: &Daemon) -> Option<String> {
    let url = format!("{}/v1/consumers/billing/OrderPlaced/pull", daemon.url);
    let mut answer = agent().post(url).send(r#"{"wait":"5s"}"#).unwrap();
    // As text: the event may nest deeper than JSON is read.
    let answer = answer.body_mut().read_to_string().unwrap();
    let (_, rest) = answer.split_once(r#""lease":""#)?;
    Some(rest.split('"').next()?.to_owned())
}

#[test]
fn a_puller_hears_that_its_delivery_is_a_dead_letter() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), &[]);
    let (status, _) = daemon.publish("a", "OrderPlaced", json!({ "orderId": "a" }));
    assert_eq!(status, 202);
    let lease = eventually("the delivery is pulled", || pulled(&daemon));
    let path = format!("/v1/leases/{lease}");
    let output =
        json!({"specversion": "1.0", "id": "1", "source": "/billing", "type": "PaymentTaken"});
    let body = json!({ "outcome": "done", "outputs": [output] }).to_string();
    let (status, answer) = daemon.post(&path, "application/json", &body);
    let error = &answer["error"];
    assert_eq!(
        (status, &error["code"]),
        (422, &json!("dead-letter")),
        "{error}"
    );
    assert_eq!(error["letter"], "billing/OrderPlaced/0");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("`PaymentTaken` is not in the design"),
        "{message}"
    );
    let letter = daemon.get("/v1/dead-letters/billing/OrderPlaced/0");
    assert!(
        message.ends_with(letter["error"].as_str().unwrap()),
        "{letter}"
    );
    assert_eq!(daemon.post(&path, "application/json", &body).0, 409, "once");
}

#[test]
fn dead_letters_of_a_daemon_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(
        folder.path(),
        &[
            ("a", "card 1 is refused"),
            ("b", "card 2 is refused"),
            ("c", "no address"),
        ],
    );
    let ask = |arguments: &[&str]| run(&[arguments, &["--url", &daemon.url]].concat());

    let output = ask(&["dlq", "list", "--format", "json"]);
    expect_exit(&output, 0);
    assert_eq!(parsed(&output), daemon.get("/v1/dead-letters"));
    let output = ask(&["dlq", "list", "--limit", "2"]);
    expect_exit(&output, 0);
    let listed = text(&output.stdout);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(listed.contains("card 2 is refused"), "{listed}");
    assert_eq!(
        text(&output.stderr),
        "2 of 3; the next page: --after billing/OrderPlaced/1\n"
    );
    let output = ask(&["dlq", "list", "--after", "billing/OrderPlaced/1"]);
    assert_eq!(text(&output.stdout).lines().count(), 2);
    expect_exit(
        &ask(&["dlq", "list", "--after", "billing/OrderPlaced/2"]),
        1,
    );
    expect_exit(&ask(&["dlq", "list", "--consumer", "billing/Nothing"]), 1);

    let output = ask(&["dlq", "groups", "--format", "json"]);
    expect_exit(&output, 0);
    let groups = parsed(&output);
    assert_eq!(
        (&groups["total"], &groups["letters"]),
        (&json!(3), &Value::Null)
    );
    let group = groups["groups"][0]["group"].as_str().unwrap();
    let output = ask(&["dlq", "list", "--group", group, "--format", "json"]);
    assert_eq!(parsed(&output)["total"], groups["groups"][0]["count"]);
    let output = ask(&["dlq", "groups", "--consumer", "billing/OrderPlaced"]);
    expect_exit(&output, 0);
    assert!(text(&output.stdout).contains("no address"));

    let output = ask(&["dlq", "show", "billing/OrderPlaced/2", "--format", "json"]);
    expect_exit(&output, 0);
    assert_eq!(parsed(&output)["event"]["data"]["orderId"], "c");
    let output = ask(&["dlq", "show", "billing/OrderPlaced/9"]);
    expect_exit(&output, 1);
    assert!(text(&output.stderr).contains("there is no dead letter `billing/OrderPlaced/9`"));

    let output = ask(&["dlq", "export", "--consumer", "billing/OrderPlaced"]);
    expect_exit(&output, 0);
    let exported = text(&output.stdout);
    let ids: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"]["id"].clone())
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    expect_exit(&ask(&["dlq", "export", "--group", "none"]), 1);
}

/// Poison is what dead letters are made of: an event as deep as it is taken stops no export.
#[test]
fn a_deep_event_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), &[]);
    let depth = 126;
    let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let published = agent()
        .post(format!("{}/v1/events", daemon.url))
        .header("content-type", "application/json")
        .header("ce-specversion", "1.0")
        .header("ce-id", "deep")
        .header("ce-source", "/test")
        .header("ce-type", "OrderPlaced")
        .send(format!(r#"{{"orderId":"deep","items":{deep}}}"#));
    assert_eq!(published.unwrap().status(), 202);
    park(&daemon, "too deep");
    let output = run(&["dlq", "export", "--url", &daemon.url]);
    expect_exit(&output, 0);
    assert!(text(&output.stdout).contains(&deep));
}

#[test]
fn dead_letters_of_a_daemon_are_redriven() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), &[("a", "x"), ("b", "x"), ("c", "y")]);
    let redrive =
        |arguments: &[&str]| run(&[&["dlq", "redrive", "--url", &daemon.url], arguments].concat());
    let (first, absent) = ("billing/OrderPlaced/0", "billing/OrderPlaced/9");
    let consumer = ["--consumer", "billing/OrderPlaced"];

    let output = redrive(&[first, absent, "--dry-run", "--format", "json"]);
    expect_exit(&output, 0);
    let mut rehearsal = parsed(&output);
    // They have times.
    let groups = rehearsal.as_object_mut().unwrap().remove("groups").unwrap();
    assert_eq!(
        (groups[0]["count"].as_u64(), groups[1].as_object()),
        (Some(1), None)
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&rehearsal).unwrap());
    let output = redrive(&[&consumer[..], &["--dry-run"]].concat());
    expect_exit(&output, 0);
    let causes = text(&output.stdout).lines().count() - 1;
    assert_eq!(causes, 2);
    assert_eq!(text(&output.stderr), "3 would be redriven\n");
    assert_eq!(daemon.get("/v1/dead-letters")["total"], 3);

    let output = redrive(&[first, absent]);
    expect_exit(&output, 5);
    insta::assert_snapshot!(text(&output.stdout));
    let output = redrive(&[first]);
    expect_exit(&output, 1);
    insta::assert_snapshot!(text(&output.stdout));
    let output = redrive(&[&consumer[..], &["--format", "json"]].concat());
    expect_exit(&output, 0);
    assert_eq!(parsed(&output)["redriven"], 2);
    let output = redrive(&consumer);
    expect_exit(&output, 1);
    assert!(text(&output.stderr).contains("nothing was selected"));
    let output = redrive(&["--consumer", "billing/Nothing"]);
    expect_exit(&output, 1);
    assert!(text(&output.stderr).contains("`billing/Nothing` is not in the design"));
    let output = redrive(&[&consumer[..], &["--dry-run"]].concat());
    expect_exit(&output, 0);
    assert_eq!(text(&output.stderr), "0 would be redriven\n");
}

/// A dead letter as the daemon lists it.
fn letter(sequence: u64) -> Value {
    json!({
        "id": format!("billing/OrderPlaced/{sequence}"),
        "consumer": "billing/OrderPlaced",
        "event_id": format!("order-{sequence}"),
        "source": "/shop",
        "key": "o-1",
        "reason": "exhausted",
        "error": "the card \u{1b}[31mis refused",
        "group": "5f0c2a",
        "attempts": 5,
        "redrives": 1,
        "followers": 2,
        "accepted_ms": 1_730_291_041_637_u64,
        "dead_ms": 1_730_291_101_000_u64,
    })
}

fn detail(sequence: u64) -> Value {
    let mut detail = letter(sequence);
    detail["event"] = json!({
        "specversion": "1.0", "id": format!("order-{sequence}"), "source": "/shop",
        "type": "OrderPlaced", "data": { "orderId": "o-1" },
    });
    detail["history"] = json!([
        { "attempt": 1, "started_ms": 1_730_291_042_000_u64, "duration_ms": 1_250.0,
          "outcome": "timeout", "error": "no answer\nwithin 1s" },
        { "attempt": 2, "started_ms": 1_730_291_100_000_u64, "duration_ms": null,
          "outcome": "crash", "error": null },
    ]);
    detail
}

fn page(letters: &[Value], total: u64) -> Value {
    let group = json!({
        "group": "5f0c2a", "consumer": "billing/OrderPlaced", "reason": "exhausted",
        "error": "the card is refused", "count": total,
        "first_ms": 1_730_291_101_000_u64, "last_ms": 1_730_291_102_000_u64,
    });
    json!({ "letters": letters, "groups": [group], "total": total })
}

#[test]
fn people_see_tables() {
    let mut given_up = letter(9);
    given_up["discarded"] = json!({ "reason": "a test order", "at_ms": 1_730_291_200_000_u64 });
    let list = "GET /v1/dead-letters?";
    let daemon = Scripted::start(vec![
        scene(
            &format!("{list}limit=100"),
            200,
            page(&[letter(7), letter(12)], 2),
        ),
        scene(&format!("{list}limit=1"), 200, page(&[letter(7)], 2)),
        scene(
            &format!("{list}discarded=true&limit=100"),
            200,
            page(&[given_up], 1),
        ),
        scene("GET /v1/dead-letters/billing/OrderPlaced/7", 200, detail(7)),
    ]);
    for arguments in [
        &["dlq", "list"][..],
        &["dlq", "groups"],
        &["dlq", "list", "--discarded"],
        &["dlq", "show", "billing/OrderPlaced/7"],
    ] {
        let output = daemon.ask(arguments);
        expect_exit(&output, 0);
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
        insta::assert_snapshot!(text(&output.stdout));
    }
    let output = daemon.ask(&["dlq", "show", "billing/OrderPlaced/7", "--format", "json"]);
    assert_eq!(parsed(&output), detail(7));
}

#[test]
fn a_filter_goes_into_the_query() {
    let query =
        "consumer=billing%2FOrderPlaced&group=a%20%26b&limit=7&after=billing%2FOrderPlaced%2F3";
    let line = format!("GET /v1/dead-letters?{query}");
    let daemon = Scripted::start(vec![scene(&line, 200, page(&[], 0))]);
    let output = daemon.ask(&[
        "dlq",
        "list",
        "--consumer",
        "billing/OrderPlaced",
        "--group",
        "a &b",
        "--limit",
        "7",
        "--after",
        "billing/OrderPlaced/03",
    ]);
    expect_exit(&output, 1);
    assert_eq!(text(&output.stderr), "nothing is behind it\n");
}

#[test]
fn dead_letters_are_discarded_and_restored() {
    let (seven, eight) = ("billing/OrderPlaced/7", "billing/OrderPlaced/8");
    let refused = json!([{ "id": eight, "reason": "there is no such dead letter" }]);
    let daemon = Scripted::start(vec![
        scene(
            "POST /v1/dead-letters/discard",
            200,
            json!({ "discarded": 1, "ids": [seven], "refused": refused }),
        ),
        scene(
            "POST /v1/dead-letters/restore",
            200,
            json!({ "restored": 1, "ids": [seven], "refused": [] }),
        ),
    ]);
    let output = daemon.ask(&["dlq", "discard", seven, eight, "--reason", "a test"]);
    expect_exit(&output, 5);
    insta::assert_snapshot!(text(&output.stdout));
    let consumer = [
        "dlq",
        "discard",
        "--consumer",
        "billing/OrderPlaced",
        "--reason",
        "old",
    ];
    let group = ["--group", "5f0c2a", "--format", "json"];
    let output = daemon.ask(&[&consumer[..], &group].concat());
    expect_exit(&output, 5);
    assert_eq!(parsed(&output)["refused"], refused);
    let output = daemon.ask(&["dlq", "restore", seven]);
    expect_exit(&output, 0);
    insta::assert_snapshot!(text(&output.stdout));
    let bodies: Vec<Value> = daemon
        .requests()
        .iter()
        .map(|request| serde_json::from_str(&request.body).unwrap())
        .collect();
    assert_eq!(
        bodies,
        [
            json!({ "ids": [seven, eight], "reason": "a test" }),
            json!({ "consumer": "billing/OrderPlaced", "group": "5f0c2a", "reason": "old" }),
            json!({ "ids": [seven] }),
        ]
    );
}

#[test]
fn an_export_follows_pages_and_leaves_out_what_is_decided_meanwhile() {
    let mut discarded = detail(4);
    discarded["discarded"] = json!({ "reason": "a test", "at_ms": 1_730_291_200_000_u64 });
    let gone = problem("unknown-dead-letter", "there is no such dead letter", "");
    let list = "GET /v1/dead-letters?limit=500";
    let one = "GET /v1/dead-letters/billing/OrderPlaced";
    let daemon = Scripted::start(vec![
        scene(list, 200, page(&[letter(1), letter(2)], 4)),
        scene(
            &format!("{list}&after=billing%2FOrderPlaced%2F2"),
            200,
            page(&[letter(3), letter(4)], 4),
        ),
        scene(
            &format!("{list}&after=billing%2FOrderPlaced%2F4"),
            200,
            page(&[], 3),
        ),
        scene(&format!("{one}/1"), 200, detail(1)),
        scene(&format!("{one}/2"), 404, gone),
        scene(&format!("{one}/3"), 200, detail(3)),
        scene(&format!("{one}/4"), 200, discarded),
    ]);
    let output = daemon.ask(&["dlq", "export"]);
    expect_exit(&output, 0);
    assert_eq!(
        text(&output.stdout),
        format!("{}\n{}\n", detail(1), detail(3))
    );
    assert_eq!(
        text(&output.stderr),
        "left out, as decided on meanwhile: 2\n"
    );
}

#[test]
fn an_export_that_fails_keeps_what_was_printed() {
    let list = "GET /v1/dead-letters?limit=500";
    let one = "GET /v1/dead-letters/billing/OrderPlaced";
    let daemon = Scripted::start(vec![
        scene(list, 200, page(&[letter(1)], 2)),
        scene(
            &format!("{list}&after=billing%2FOrderPlaced%2F1"),
            200,
            page(&[letter(1)], 2),
        ),
        scene(&format!("{one}/1"), 200, detail(1)),
    ]);
    let output = daemon.ask(&["dlq", "export"]);
    expect_exit(&output, 3);
    assert_eq!(text(&output.stdout), format!("{}\n", detail(1)));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("printed before it failed: 1\nerror: "),
        "{said}"
    );
}
