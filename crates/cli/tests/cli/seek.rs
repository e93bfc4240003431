//! `tidegate consumer seek`: against a daemon, and against written answers.

use std::process::Output;

use serde_json::{Value, json};

use crate::scripted::{Scripted, problem, scene};
use crate::support::{Daemon, eventually, expect_exit, run};

const ID: &str = "billing/OrderPlaced";
const PATH: &str = "/v1/consumers/billing/OrderPlaced";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A daemon with one consumer that pulls, and these events.
fn daemon(folder: &std::path::Path, events: &[&str]) -> Daemon {
    let design = folder.join("design.yaml");
    let written = r"tidegate: 1
system: rewound
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
        guarantee: deduplicated
        dead-letter: {retention: 30d}
";
    std::fs::write(&design, written).unwrap();
    let data = folder.join("data");
    let (design, data) = (design.to_str().unwrap(), data.to_str().unwrap());
    let daemon = Daemon::start(&["run", design, "--data", data]);
    for id in events {
        let (status, _) = daemon.publish(id, "OrderPlaced", json!({ "orderId": id }));
        assert_eq!(status, 202);
    }
    daemon
}

/// Pulls one delivery.
fn pull(daemon: &Daemon) -> Value {
    eventually("the delivery is pulled", || {
        let body = r#"{"max":1,"wait":"5s"}"#;
        let (_, answer) = daemon.post(&format!("{PATH}/pull"), "application/json", body);
        answer["deliveries"].get(0).cloned()
    })
}

fn settle(daemon: &Daemon, delivery: &Value, outcome: &str) {
    let path = format!("/v1/leases/{}", delivery["lease"].as_str().unwrap());
    let body = json!({ "outcome": outcome }).to_string();
    assert_eq!(daemon.post(&path, "application/json", &body).0, 204);
}

#[test]
fn a_consumer_of_a_daemon_is_sent_back_and_on() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), &["a", "b", "c"]);
    for _ in 0..2 {
        let delivery = pull(&daemon);
        assert_eq!(delivery["replay"], Value::Null);
        settle(&daemon, &delivery, "done");
    }
    let ask = |arguments: &[&str]| run(&[arguments, &["--url", &daemon.url]].concat());
    let seek = |arguments: &[&str]| {
        let order = ["consumer", "seek", ID, "--reason", "a fix"];
        ask(&[&order[..], arguments].concat())
    };

    let output = seek(&["--to", "earliest", "--dry-run"]);
    expect_exit(&output, 0);
    let said =
        "billing/OrderPlaced: 2 deliveries from sequence 0 up to 3 would run again, as replay 1\n";
    assert_eq!(text(&output.stdout), said);
    let output = seek(&["--to", "1", "--format", "json"]);
    expect_exit(&output, 0);
    let report = json!({
        "consumer": ID, "action": "replay", "from": 1, "until": 3, "deliveries": 1,
        "generation": 1, "dry_run": false, "note": null,
    });
    assert_eq!(parsed(&output), report);
    let view = daemon.consumer(ID);
    assert_eq!(
        (&view["backlog"], &view["replaying"]["generation"]),
        (&json!(2), &json!(1))
    );
    let output = ask(&["consumer", "show", ID]);
    let shown = text(&output.stdout);
    assert!(shown.contains("replay 1, 1 left: a fix"), "{shown}");
    let delivery = pull(&daemon);
    assert_eq!(
        (&delivery["replay"], &delivery["event"]["id"]),
        (&json!(1), &json!("b"))
    );
    assert_eq!(delivery["delivery"], "billing/OrderPlaced/1/replay-1");
    settle(&daemon, &delivery, "done");
    let told = text(&ask(&["why", "b"]).stdout);
    assert!(told.contains("billing/OrderPlaced 1: done"), "{told}");
    assert!(
        told.contains("replay 1, ordered ") && told.contains(": a fix"),
        "{told}"
    );

    let output = seek(&["--to", "latest"]);
    expect_exit(&output, 1);
    assert_eq!(text(&output.stdout), "");
    assert_eq!(
        text(&output.stderr),
        "error: 1 delivery from sequence 2 up to 3 would be skipped: they never run\n\
         help: with --yes they are\n"
    );
    let output = seek(&["--to", "latest", "--yes"]);
    expect_exit(&output, 0);
    let said = "billing/OrderPlaced: 1 delivery from sequence 2 up to 3 is skipped\n";
    assert_eq!(text(&output.stdout), said);
    let told = text(&ask(&["why", "c"]).stdout);
    assert!(told.contains("billing/OrderPlaced 2: skipped"), "{told}");
    let output = seek(&["--to", "latest"]);
    expect_exit(&output, 1);
    assert!(text(&output.stdout).contains("nothing is to be done"));
    let output = seek(&["--to", "2001-01-01T00:00:00Z", "--until", "1", "--dry-run"]);
    assert!(text(&output.stdout).contains("1 delivery from sequence 0 up to 1 would run again"));
}

#[test]
fn what_an_inbox_may_forget_is_told_as_of_now() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), &["a", "b", "c"]);
    let mark = |below: u64, generation: u64| {
        let expected =
            json!({"consumer": ID, "replay_watermark": below, "replay_generation": generation});
        assert_eq!(daemon.get(PATH), expected);
    };
    mark(0, 0);
    for sequence in 0..2 {
        let delivery = pull(&daemon);
        assert_eq!(delivery["sequence"], sequence);
        settle(&daemon, &delivery, "done");
    }
    mark(2, 0);
    let order = json!({"to": 1, "reason": "a fix"}).to_string();
    let (status, _) = daemon.post(&format!("{PATH}/seek"), "application/json", &order);
    assert_eq!(status, 200);
    mark(1, 1);
    let delivery = pull(&daemon);
    let facts = (&delivery["sequence"], &delivery["replay"]);
    assert_eq!(facts, (&json!(1), &json!(1)));
    settle(&daemon, &delivery, "done");
    mark(2, 1);
    let agent = crate::support::agent();
    let unknown = format!("{}/v1/consumers/billing/Nothing", daemon.url);
    assert_eq!(agent.get(unknown).call().unwrap().status().as_u16(), 404);
}

#[test]
fn what_a_daemon_is_asked_must_make_sense() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(folder.path(), &["a"]);
    let post = |path: &str, body: &str| {
        let path = format!("{path}/seek");
        let (status, answer) = daemon.post(&path, "application/json", body);
        (
            status,
            answer["error"]["code"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    let refused = [
        (PATH, r#"{"to":"soon","reason":"x"}"#, 400, "place"),
        (PATH, r#"{"to":-1,"reason":"x"}"#, 400, ""),
        (PATH, r#"{"to":0}"#, 400, ""),
        (PATH, r#"{"to":0,"reason":" "}"#, 400, "reason"),
        (PATH, r#"{"to":1,"reason":"x"}"#, 409, "unconfirmed"),
        (PATH, r#"{"to":3,"until":1,"reason":"x"}"#, 409, "seek"),
        (
            "/v1/consumers/nobody/OrderPlaced",
            r#"{"to":0,"reason":"x"}"#,
            404,
            "unknown-consumer",
        ),
    ];
    for (path, body, status, code) in refused {
        let (found, why) = post(path, body);
        let fits = found == status || (status == 400 && found == 422);
        assert!(
            fits && (code.is_empty() || why == code),
            "{body}: {found} {why}"
        );
    }
    daemon.until("nothing is skipped", |state| {
        state["consumers"][0]["backlog"] == 1
    });
    let seek = ["consumer", "seek", ID, "--url", &daemon.url];
    expect_exit(&run(&[&seek[..], &["--to", "0"]].concat()), 2);
    expect_exit(
        &run(&[&seek[..], &["--to", "soon", "--reason", "x"]].concat()),
        2,
    );
}

/// A skip without `--yes` asks only what it would do; what a daemon refuses is said.
#[test]
fn a_skip_is_never_asked_for_by_the_way() {
    let would = json!({
        "consumer": ID, "action": "skip", "from": 3, "until": 9, "deliveries": 6,
        "generation": null, "dry_run": true, "note": null,
    });
    let daemon = Scripted::start(vec![scene(&format!("POST {PATH}/seek"), 200, would)]);
    let seek = ["consumer", "seek", ID, "--to", "9", "--reason", "old"];
    expect_exit(&daemon.ask(&seek), 1);
    let bodies: Vec<Value> = daemon
        .requests()
        .into_iter()
        .map(|request| serde_json::from_str(&request.body).unwrap())
        .collect();
    let asked = json!({
        "to": "9", "until": null, "reason": "old", "dry_run": true, "confirm": false,
    });
    assert_eq!(bodies, [asked]);
    let no = problem(
        "replay-refused",
        "consumer `x` refuses replays",
        "with `replay: allowed`",
    );
    let daemon = Scripted::start(vec![scene(&format!("POST {PATH}/seek"), 409, no)]);
    let output = daemon.ask(&seek);
    expect_exit(&output, 1);
    assert!(text(&output.stderr).contains("refuses replays"));
}
