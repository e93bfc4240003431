//! `tidegate consumer`, `breaker` and `why`.

use std::process::Output;

use serde_json::{Value, json};

use crate::scripted::{Scripted, problem, scene};
use crate::support::{Daemon, expect_exit, repository, run};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_state_of_a_daemon_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (design, data) = (repository("examples/checkout"), folder.path().join("data"));
    let (design, data) = (design.to_str().unwrap(), data.to_str().unwrap());
    let daemon = Daemon::start(&["run", design, "--data", data]);
    let ask = |arguments: &[&str]| run(&[arguments, &["--url", &daemon.url]].concat());
    let state = daemon.get("/v1/state");
    let first = &state["consumers"][0];
    let id = first["id"].as_str().unwrap();

    let output = ask(&["consumer", "list", "--format", "json"]);
    expect_exit(&output, 0);
    let listed = parsed(&output);
    assert_eq!(listed["schema"], "tidegate/state/v1");
    assert_eq!(listed["consumers"][0]["id"], id);
    assert_eq!(listed["dependencies"], Value::Null);
    let output = ask(&["consumer", "list"]);
    expect_exit(&output, 0);
    let rows = text(&output.stdout).lines().count() - 1;
    assert_eq!(rows, state["consumers"].as_array().unwrap().len());
    let output = ask(&["consumer", "show", id, "--format", "json"]);
    expect_exit(&output, 0);
    assert_eq!(
        parsed(&output)["objective_seconds"],
        first["objective_seconds"]
    );
    let output = ask(&["consumer", "show", id]);
    expect_exit(&output, 0);
    assert!(text(&output.stdout).starts_with(&format!("{id}: ")));
    let output = ask(&["consumer", "show", "nobody/Nothing"]);
    expect_exit(&output, 1);
    assert!(text(&output.stderr).contains("there is no consumer `nobody/Nothing`"));

    let output = ask(&["breaker", "list", "--format", "json"]);
    expect_exit(&output, 0);
    assert_eq!(parsed(&output)["dependencies"][0]["state"], "closed");
    let output = ask(&["breaker", "list"]);
    expect_exit(&output, 0);
    assert!(text(&output.stdout).contains("payments-api"));
}

fn consumer(id: &str, more: Value) -> Value {
    let mut view = json!({
        "id": id, "service": "billing", "event": "OrderPlaced",
        "state": "ok", "state_since_ms": 1_730_291_041_637_u64, "reason": "within its objective",
        "mode": "push", "lag_seconds": 0.25, "objective_seconds": 30.0, "backlog": 3,
        "drain_seconds": 1.5, "in_flight": 2, "concurrency": 8, "waiting_retry": 1, "held": 0,
        "held_by": null, "in_per_second": 12.34, "out_per_second": 11.0,
        "retries_per_second": 0.5, "failures_per_second": 0.6, "handler_p50_ms": 12.0,
        "handler_p99_ms": 80.5, "transit_p99_ms": null, "succeeded_total": 100, "failed_total": 7,
        "retries_total": 6, "dead_lettered_total": 1, "dead_letters": 1, "followers": 4,
        "needs": ["payments-api"], "paused": null,
    });
    for (name, value) in more.as_object().unwrap() {
        view[name] = value.clone();
    }
    view
}

fn state() -> Value {
    let dependency = |name: &str, state: &str, probes: Value| {
        json!({
            "name": name, "state": state, "since_ms": 1_730_291_041_637_u64,
            "probes_at_ms": probes, "calls": 20, "failure_rate": 0.6, "threshold": 0.5,
            "opened_total": 3, "consumers": ["billing/OrderPlaced", "ledger/OrderPlaced"],
        })
    };
    let mut forced = dependency("search", "open", Value::Null);
    forced["forced"] = json!({ "reason": "their move", "since_ms": 1_730_291_050_000_u64 });
    let paused = json!({ "reason": "the card host moves", "since_ms": 1_730_291_050_000_u64 });
    let held = json!({
        "state": "held", "held": 3, "held_by": "breaker payments-api", "drain_seconds": null,
        "needs": [], "reason": "breaker `payments-api` is open",
    });
    json!({
        "schema": "tidegate/state/v1", "system": "shop", "time_ms": 1_730_291_060_000_u64,
        "totals": {},
        "consumers": [
            consumer("billing/OrderPlaced", json!({})),
            consumer("ledger/OrderPlaced", held),
            consumer("audit/OrderPlaced", json!({ "paused": paused })),
        ],
        "dependencies": [
            dependency("payments-api", "open", json!(1_730_291_065_000_u64)),
            dependency("mail-relay", "closed", Value::Null),
            forced,
        ],
    })
}

#[test]
fn people_see_how_consumers_and_breakers_do() {
    let daemon = Scripted::start(vec![scene("GET /v1/state", 200, state())]);
    for arguments in [
        &["consumer", "list"][..],
        &["consumer", "show", "ledger/OrderPlaced"],
        &["consumer", "show", "audit/OrderPlaced"],
        &["breaker", "list"],
    ] {
        let output = daemon.ask(arguments);
        expect_exit(&output, 0);
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
        insta::assert_snapshot!(text(&output.stdout));
    }
    let output = daemon.ask(&["consumer", "show", "audit/OrderPlaced", "--format", "json"]);
    assert_eq!(parsed(&output), state()["consumers"][2]);
}

#[test]
fn consumers_and_breakers_are_switched() {
    let consumer = "/v1/consumers/billing/OrderPlaced";
    let dependency = "/v1/dependencies/payments-api";
    let paused = |paused: bool| json!({ "consumer": "billing/OrderPlaced", "paused": paused });
    let breaker = |state: &str| json!({ "dependency": "payments-api", "state": state });
    let daemon = Scripted::start(vec![
        scene(&format!("POST {consumer}/pause"), 200, paused(true)),
        scene(&format!("POST {consumer}/resume"), 200, paused(false)),
        scene(&format!("POST {dependency}/open"), 200, breaker("open")),
        scene(&format!("POST {dependency}/reset"), 200, breaker("closed")),
    ]);
    let id = "billing/OrderPlaced";
    let cases: [(&[&str], &str, Value); 6] = [
        (
            &["consumer", "pause", id, "--reason", "a move"],
            "billing/OrderPlaced is paused\n",
            paused(true),
        ),
        (
            &["consumer", "pause", id],
            "billing/OrderPlaced is paused\n",
            paused(true),
        ),
        (
            &["consumer", "resume", id],
            "billing/OrderPlaced goes on\n",
            paused(false),
        ),
        (
            &["breaker", "open", "payments-api", "--reason", "a move"],
            "payments-api is open\n",
            breaker("open"),
        ),
        (
            &["breaker", "open", "payments-api"],
            "payments-api is open\n",
            breaker("open"),
        ),
        (
            &["breaker", "reset", "payments-api"],
            "payments-api is closed\n",
            breaker("closed"),
        ),
    ];
    for (arguments, said, json) in cases {
        let output = daemon.ask(arguments);
        expect_exit(&output, 0);
        assert_eq!(text(&output.stdout), said);
        let output = daemon.ask(&[arguments, &["--format", "json"]].concat());
        expect_exit(&output, 0);
        assert_eq!(parsed(&output), json);
    }
    let bodies: Vec<String> = daemon.requests().into_iter().map(|r| r.body).collect();
    let reason = r#"{"reason":"a move"}"#;
    let once = [reason, "", "", reason, "", ""];
    let twice: Vec<&str> = once.into_iter().flat_map(|body| [body, body]).collect();
    assert_eq!(bodies, twice);
}

fn trail() -> Value {
    let attempt = json!({
        "attempt": 1, "started_ms": 1_730_291_042_000_u64, "duration_ms": 12.5,
        "outcome": "unavailable", "error": "503 Service Unavailable",
    });
    let delivery = |consumer: &str, state: &str| {
        json!({
            "consumer": consumer, "sequence": 17, "state": state, "gate": null, "behind": null,
            "next_ms": null, "attempts": [], "dead_letter": null,
        })
    };
    let mut held = delivery("billing/OrderPlaced", "held");
    held["gate"] = json!({
        "what": "breaker", "detail": "breaker `payments-api` is open",
        "until_ms": 1_730_291_065_000_u64,
    });
    held["attempts"] = json!([attempt]);
    let mut behind = delivery("ledger/OrderPlaced", "pending");
    behind["behind"] = json!({ "sequence": 12, "event_id": "order-0" });
    let mut waiting = delivery("email/OrderPlaced", "waiting");
    waiting["next_ms"] = json!(1_730_291_070_000_u64);
    let mut dead = delivery("stock/OrderPlaced", "dead-letter");
    dead["dead_letter"] = json!("stock/OrderPlaced/17");
    let mut paused = delivery("search/OrderPlaced", "held");
    paused["gate"] = json!({ "what": "pause", "detail": null, "until_ms": null });
    json!({
        "event": {
            "id": "order-1", "source": "/shop", "type": "OrderPlaced", "key": "o-1",
            "accepted_ms": 1_730_291_041_637_u64,
        },
        "deliveries": [
            held, behind, waiting, dead, paused, delivery("audit/OrderPlaced", "done"),
        ],
    })
}

#[test]
fn an_event_is_followed() {
    let nobody = json!({
        "event": {
            "id": "order 2", "source": "/shop", "type": "OrderPlaced", "key": null,
            "accepted_ms": 1_730_291_041_637_u64,
        },
        "deliveries": [],
    });
    let unknown = problem(
        "unknown-event",
        "no event `x` is known",
        "was it published?",
    );
    let daemon = Scripted::start(vec![
        scene("GET /v1/why?event=order-1", 200, trail()),
        scene("GET /v1/why?event=order%202&source=%2Fshop", 200, nobody),
        scene("GET /v1/why?event=x", 404, unknown),
    ]);
    let output = daemon.ask(&["why", "order-1"]);
    expect_exit(&output, 0);
    insta::assert_snapshot!(text(&output.stdout));
    let output = daemon.ask(&["why", "order-1", "--format", "json"]);
    expect_exit(&output, 0);
    assert_eq!(parsed(&output), trail());
    let output = daemon.ask(&["why", "order 2", "--source", "/shop"]);
    expect_exit(&output, 0);
    insta::assert_snapshot!(text(&output.stdout));
    let output = daemon.ask(&["why", "x"]);
    expect_exit(&output, 1);
    assert_eq!(
        text(&output.stderr),
        "error: no event `x` is known\nhelp: was it published?\n"
    );
}
