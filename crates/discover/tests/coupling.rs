//! What callers do with answers: with few refusals, with codes of success, with attempts within one call, with failures
//! that they ignore.
#![cfg(test)]

use serde_json::{Value, json};
use tidegate_discover::{Call, Discovery, Options, discover, discover_with};
use tidegate_trace::{Traces, read};

/// One span below the request's own: its id, its parent's, its kind, service and operation, when it starts and how long it
/// takes in milliseconds, and its status.
type Row = (
    u64,
    u64,
    &'static str,
    &'static str,
    &'static str,
    u64,
    u64,
    u16,
);

fn found(count: u64, request: impl Fn(u64) -> (u16, Vec<Row>)) -> Discovery {
    discover(&[captured(count, request)])
}

/// Requests of `shop`, each with its status and the spans below it.
fn captured(count: u64, request: impl Fn(u64) -> (u16, Vec<Row>)) -> (String, Traces) {
    let mut spans = Vec::new();
    for number in 0..count {
        let start = 1_000_000_000_000 + number * 1_000_000;
        let (status, mut rows) = request(number);
        rows.push((1, 0, "SERVER", "shop", "POST /orders", 0, 50, status));
        for (id, parent, kind, service, name, at, took, status) in rows {
            let mut span = json!({
                "traceId": format!("{:032x}", number + 1), "id": format!("{id:016x}"), "kind": kind,
                "name": name, "timestamp": start + at * 1_000, "duration": took * 1_000 + number % 7,
                "localEndpoint": {"serviceName": service}, "tags": {"http.status_code": status.to_string()},
            });
            if parent > 0 {
                span["parentId"] = Value::from(format!("{parent:016x}"));
            }
            if status >= 500 {
                span["tags"]["error"] = Value::from("true");
            }
            spans.push(span);
        }
    }
    let text = Value::from(spans).to_string();
    (
        "made.json".to_owned(),
        read("made.json", text.as_bytes()).unwrap(),
    )
}

/// A call of `shop`, with its answer.
fn call(id: u64, service: &'static str, at: u64, status: u16) -> [Row; 2] {
    [
        (id, 1, "CLIENT", "shop", "POST", at, 8, status),
        (id + 1, id, "SERVER", service, "POST /do", at + 1, 6, status),
    ]
}

fn of<'a>(discovery: &'a Discovery, callee: &str) -> &'a Call {
    discovery
        .calls
        .iter()
        .find(|call| call.callee == callee)
        .unwrap()
}

fn claims(call: &Call) -> String {
    let claims: Vec<&str> = call.evidence.iter().map(|one| one.claim.as_str()).collect();
    claims.join("\n")
}

#[test]
fn few_refusals_that_all_refuse_the_request_are_a_veto() {
    let refused = |every: u64| {
        found(600, move |number| {
            let status = if number % every == 7 { 403 } else { 200 };
            (status, call(2, "mailer", 5, status).to_vec())
        })
    };
    let four = refused(150);
    let mailer = of(&four, "mailer");
    assert!(
        claims(mailer).contains("when it refuses, 4 of 4 requests are refused; otherwise 0 of 596")
    );
    assert!(!mailer.class.is_feasible(), "{}", mailer.class.code());
    // One alone may be chance.
    let one = refused(600);
    assert!(
        claims(of(&one, "mailer")).contains("1 of 1"),
        "{}",
        claims(of(&one, "mailer"))
    );
    assert!(
        of(&one, "mailer").class.is_feasible(),
        "{}",
        of(&one, "mailer").class.code()
    );
}

#[test]
fn what_is_done_after_a_202_and_not_after_a_200_depends_on_the_answer() {
    let discovery = found(600, |number| {
        let status = if number % 3 == 0 { 202 } else { 200 };
        let mut rows = call(2, "mailer", 5, status).to_vec();
        if status == 202 {
            rows.extend(call(4, "audit", 20, 200));
        }
        (200, rows)
    });
    let mailer = of(&discovery, "mailer");
    assert!(
        claims(mailer).contains("depends on how it is answered"),
        "{}",
        claims(mailer)
    );
    assert!(!mailer.class.is_feasible(), "{}", mailer.class.code());
}

#[test]
fn attempts_within_one_asking_span_are_one_call_that_went_well() {
    let discovery = found(600, |number| {
        let mut rows = call(2, "mailer", 5, 200).to_vec();
        if number % 10 < 3 {
            rows.insert(1, (9, 2, "SERVER", "mailer", "POST /do", 5, 1, 503));
        }
        (200, rows)
    });
    let mailer = of(&discovery, "mailer");
    assert_eq!((mailer.failures.hits, mailer.failures.total), (0, 600));
    let attempts = mailer.coupled.attempts.unwrap();
    assert!((attempts - 1.3).abs() < 1e-9, "{attempts}");
    // When every attempt fails, the call does.
    let discovery = found(600, |number| {
        let failing = number % 10 < 3;
        let status = if failing { 503 } else { 200 };
        let mut rows = call(2, "mailer", 5, status).to_vec();
        rows.insert(1, (9, 2, "SERVER", "mailer", "POST /do", 5, 1, 503));
        if let Some(asking) = rows.first_mut() {
            asking.7 = 200;
        }
        (200, rows)
    });
    assert_eq!(of(&discovery, "mailer").failures.hits, 180);
}

/// A call whose failures nobody minds makes nothing less available, however often it fails.
#[test]
fn failures_beside_each_other_are_told_from_those_that_follow() {
    let discovery = found(3_000, |number| {
        // As independent as a grid makes them: each fails in every combination as often as chance would have it.
        let (audit, payment, own) = (
            number % 10 < 3,
            number / 10 % 10 == 0,
            number / 100 % 15 == 0,
        );
        let status = |failed| if failed { 503 } else { 200 };
        let mut rows = call(2, "audit", 5, status(audit)).to_vec();
        rows.extend(call(4, "payment", 20, status(payment)));
        (status(payment || own), rows)
    });
    let endpoint = discovery.endpoints.first().unwrap();
    let dependency = |name: &str| {
        let mut all = endpoint.dependencies.iter();
        all.find(|one| one.service == name).unwrap().availability
    };
    let (audit, payment) = (dependency("audit"), dependency("payment"));
    assert!(audit.0 > 0.9999 && audit.2 > 0.9999, "{audit:?}");
    assert!((payment.0 - 0.9).abs() < 1e-3, "{payment:?}");
    assert!(
        (endpoint.own.share() - 1.0 / 15.0).abs() < 1e-3,
        "{:?}",
        endpoint.own
    );
    let truth = 0.9 * (1.0 - 1.0 / 15.0);
    assert!(
        (endpoint.serial - truth).abs() < 2e-3,
        "{} {truth}",
        endpoint.serial
    );
    assert!((endpoint.observed() - truth).abs() < 2e-3);
}

/// A call that starts earlier is no reason to wait for less: what came after it still waits for what it came after.
#[test]
fn what_follows_a_call_in_parallel_waits_for_all_that_went_before() {
    let saved = |lengths: &[(&'static str, u64)], asked: &str| {
        let capture = captured(300, |_| {
            let (mut rows, mut at) = (Vec::new(), 1);
            for (number, (service, took)) in (1_u64..).zip(lengths) {
                let id = number * 2;
                rows.push((id, 1, "CLIENT", "shop", "GET", at, *took, 200));
                rows.push((id + 1, id, "SERVER", *service, "GET /it", at, *took, 200));
                at += took + 1;
            }
            (200, rows)
        });
        let options = Options {
            suppositions: vec![asked.parse().unwrap()],
            ..Options::default()
        };
        let found = discover_with(&[capture], &options);
        let answer = found.answers.first().unwrap();
        let saving = answer.savings.first();
        let mean = saving.and_then(|saving| saving.mean.value());
        mean.map(|nanos| format!("{:.1}ms", nanos / 1e6))
    };
    let expected = |text: &str| Some(text.to_owned());
    // Beside the longer one before it, all of it and the pause are saved; beside a shorter one, as much as that took.
    assert_eq!(
        saved(&[("a", 20), ("b", 5)], "parallel:b"),
        expected("6.0ms")
    );
    assert_eq!(
        saved(&[("a", 5), ("b", 20)], "parallel:b"),
        expected("5.0ms")
    );
    // What comes after waits for both; what comes before goes first.
    let three = [("a", 20), ("b", 5), ("c", 7)];
    assert_eq!(saved(&three, "parallel:b"), expected("6.0ms"));
    let four = [("order", 15), ("a", 6), ("b", 10), ("c", 7)];
    assert_eq!(saved(&four, "parallel:b"), expected("6.0ms"));
    let five = [("a", 8), ("b", 8), ("c", 8), ("d", 8), ("e", 8)];
    assert_eq!(saved(&five, "parallel:e"), expected("8.0ms"));
    // Several calls of one service: each together with the one before.
    let many = [("order", 15), ("a", 6), ("a", 8), ("a", 7), ("b", 5)];
    assert_eq!(saved(&many, "parallel:a"), expected("24.0ms"));
}

/// A call that timed out has no answer, and one whose answer is lost has none either: they are calls like the others.
#[test]
fn a_call_that_nobody_answered_is_told_by_those_that_were() {
    let unanswered = |status: u16, took: u64| {
        found(600, move |number| {
            let mut rows = call(2, "mailer", 5, 200).to_vec();
            if number % 10 == 3 {
                rows.truncate(1);
                if let Some(asking) = rows.first_mut() {
                    (asking.6, asking.7) = (took, status);
                }
            }
            (200, rows)
        })
    };
    let late = unanswered(504, 40);
    assert_eq!(late.calls.len(), 1, "{:?}", late.calls);
    let mailer = of(&late, "mailer");
    assert_eq!((mailer.count, mailer.failures.hits), (600, 60));
    let lost = unanswered(200, 8);
    let mailer = of(&lost, "mailer");
    assert_eq!((mailer.count, mailer.failures.hits), (600, 0));
}
