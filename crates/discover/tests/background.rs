//! Work that a request leaves behind is no waiting: it begins no request, and takes no time of one.
#![cfg(test)]

#[expect(dead_code, reason = "single captures are read, not all")]
mod captures;

use std::time::Duration;

use captures::folder;
use serde_json::{Value, json};
use tidegate_discover::critical_path::critical_paths;
use tidegate_discover::{Discovery, ReportFormat, Turn, difference, discover, report_difference};
use tidegate_trace::{Traces, read};

/// Requests of 20 ms that wait 8 ms for `stock`, and then ask `mailer` for 200 ms, `beside` ms after they began.
fn requests(count: u64, beside: u64, kind: &str) -> Vec<Value> {
    let mut spans = Vec::new();
    for request in 0..count {
        let start = 1_000_000_000_000 + request * 1_000_000;
        let mut span = |id: u64, parent: u64, kind, service: &str, name, at: u64, took: u64| {
            let parent = match parent {
                0 => String::new(),
                parent => format!("{parent:016x}"),
            };
            spans.push(json!({
                "traceId": format!("{:032x}", request + 1), "id": format!("{id:016x}"),
                "parentId": parent, "kind": kind, "name": name, "timestamp": start + at * 1_000,
                "duration": took * 1_000 + request % 7, "localEndpoint": {"serviceName": service},
            }));
        };
        span(1, 0, "SERVER", "shop", "placeOrder", 0, 20);
        span(2, 1, "CLIENT", "shop", "reserve", 2, 8);
        span(3, 2, "SERVER", "stock", "reserve", 3, 6);
        let (asks, answers) = match kind {
            "call" => ("CLIENT", "SERVER"),
            _ => ("PRODUCER", "CONSUMER"),
        };
        let took = if kind == "call" { 202 } else { 1 };
        span(4, 1, asks, "shop", "sendMail", beside, took);
        span(5, 4, answers, "mailer", "sendMail", beside + 1, 200);
    }
    spans
}

fn found(spans: Vec<Value>) -> Discovery {
    discover(&[("made.json".to_owned(), captured(spans))])
}

fn captured(spans: Vec<Value>) -> Traces {
    read("made.json", Value::from(spans).to_string().as_bytes()).unwrap()
}

fn mean(discovery: &Discovery) -> f64 {
    discovery.waiting.as_secs_f64() / discovery.traces as f64
}

/// Pages that send a browser on to the next one, which asks `stock` for 8 ms; by a span of the first service, or straight.
fn pages(count: u64, by_span: bool, status: &str) -> Vec<Value> {
    let mut spans = Vec::new();
    for page in 0..count {
        let start = 1_000_000_000_000 + page * 1_000_000;
        let mut span = |id: u64, parent: Option<u64>, kind, service: &str, at: u64, took: u64| {
            let status = if id == 1 { status } else { "200" };
            spans.push(json!({
                "traceId": format!("{:032x}", page + 1), "id": format!("{id:016x}"),
                "parentId": parent.map(|parent| format!("{parent:016x}")), "kind": kind,
                "name": format!("step {id}"), "timestamp": start + at * 1_000,
                "duration": took * 1_000 + page % 7, "localEndpoint": {"serviceName": service},
                "tags": {"http.status_code": status},
            }));
        };
        span(1, None, "SERVER", "login", 0, 20);
        if by_span {
            span(2, Some(1), "CLIENT", "login", 21, 60);
        }
        span(3, Some(1 + u64::from(by_span)), "SERVER", "web", 40, 30);
        span(4, Some(3), "CLIENT", "web", 45, 10);
        span(5, Some(4), "SERVER", "stock", 46, 8);
    }
    spans
}

#[test]
fn where_an_answer_sends_a_browser_a_request_of_its_own_begins() {
    for by_span in [false, true] {
        let sent_on = found(pages(100, by_span, "302"));
        let told = |discovery: &Discovery| -> Vec<(String, String, &str)> {
            let calls = discovery.calls.iter();
            calls
                .map(|call| (call.caller.clone(), call.callee.clone(), call.class.code()))
                .collect()
        };
        // The next page is no call of the login, and waits for what it asks.
        let only = told(&sent_on);
        assert_eq!(only.len(), 1, "{only:?}");
        let call = sent_on.calls.first().unwrap();
        assert_eq!(
            (call.caller.as_str(), call.callee.as_str()),
            ("web", "stock")
        );
        assert_ne!(call.class.code(), "ALREADY_ASYNC");
        assert_eq!((call.on_path.hits, call.on_path.total), (100, 100));
        let second = if by_span { 0.060 } else { 0.030 };
        assert!(
            (mean(&sent_on) - 0.020 - second).abs() < 1e-5,
            "{}",
            mean(&sent_on)
        );

        // After any other answer it is work that is left behind.
        let left = found(pages(100, by_span, "200"));
        let classes = told(&left);
        assert!(
            classes
                .iter()
                .all(|(_, _, class)| *class == "ALREADY_ASYNC"),
            "{classes:?}"
        );
        assert_eq!(classes.len(), 2, "{classes:?}");
    }
}

#[test]
fn a_call_after_the_answer_is_asynchronous_already_and_nobody_waits_for_it() {
    let discovery = found(requests(200, 25, "call"));
    let call = |callee: &str| {
        let mut calls = discovery.calls.iter();
        calls.find(|call| call.callee == callee).unwrap()
    };
    let mail = call("mailer");
    assert_eq!(mail.class.code(), "ALREADY_ASYNC");
    assert_eq!(mail.critical, Duration::ZERO);
    assert_eq!((mail.on_path.hits, mail.on_path.total), (0, 200));
    assert!(mail.savings.is_empty(), "{:?}", mail.savings);
    let claims = mail.evidence.iter().map(|evidence| evidence.claim.as_str());
    assert!(
        claims
            .clone()
            .any(|claim| claim == "no request waits for it in 200 of 200")
    );
    // Nor is it a dependency of the endpoint, or an endpoint itself.
    assert_eq!(call("stock").on_path.hits, 200);
    assert!(
        (mean(&discovery) - 0.020).abs() < 1e-5,
        "{}",
        mean(&discovery)
    );
    let endpoints = discovery.endpoints.iter();
    let names: Vec<_> = endpoints.map(|one| one.operation.as_str()).collect();
    assert_eq!(names, ["placeOrder"]);
    assert!(
        discovery.endpoints[0]
            .dependencies
            .iter()
            .all(|one| one.service == "stock")
    );
}

#[test]
fn a_call_inside_work_that_is_left_behind_is_waited_for_by_no_request() {
    let mut spans = requests(60, 25, "call");
    for request in 0..60_u64 {
        let start = 1_000_000_000_000 + request * 1_000_000;
        for (id, parent, kind, service, at, took) in [
            (6, 5, "CLIENT", "mailer", 40, 100),
            (7, 6, "SERVER", "audit", 41, 98),
        ] {
            spans.push(json!({
                "traceId": format!("{:032x}", request + 1), "id": format!("{id:016x}"),
                "parentId": format!("{parent:016x}"), "kind": kind, "name": "recordMail",
                "timestamp": start + at * 1_000, "duration": took * 1_000,
                "localEndpoint": {"serviceName": service},
            }));
        }
    }
    let discovery = found(spans);
    let audit = discovery.calls.iter().find(|call| call.callee == "audit");
    let audit = audit.unwrap();
    assert_eq!(audit.class.code(), "ALREADY_ASYNC");
    assert_eq!(audit.critical, Duration::ZERO);
}

#[test]
fn a_message_is_handled_as_a_request_of_its_own_that_its_sender_does_not_wait_for() {
    let discovery = found(requests(200, 12, "message"));
    let mail = discovery.calls.iter().find(|call| call.callee == "mailer");
    assert_eq!(mail.unwrap().class.code(), "ALREADY_ASYNC");
    // Both requests are on their critical paths: 20 ms and 200 ms.
    assert!(
        (mean(&discovery) - 0.220).abs() < 1e-4,
        "{}",
        mean(&discovery)
    );
}

#[test]
fn to_answer_without_a_call_is_a_gain_however_it_is_made_later() {
    let waits = found(requests(200, 12, "call").into_iter().map(longer).collect());
    for (kind, beside) in [("call", 25), ("message", 12)] {
        let later = found(requests(200, beside, kind));
        let difference = difference(&waits, &later);
        let (before, after) = difference.request;
        assert!((before - 0.220).abs() < 1e-4, "{before}");
        assert!((after - 0.020).abs() < 1e-4, "{kind}: {after}");
    }
}

/// Requests that wait for the mail.
fn longer(mut span: Value) -> Value {
    if span["name"] == "placeOrder" {
        span["duration"] = (span["duration"].as_u64().unwrap() + 200_000).into();
    }
    span
}

#[test]
fn segments_of_real_requests_add_up_to_their_first_spans() {
    let Some(folder) = folder() else { return };
    for path in [
        "online_boutique/nezha_online_boutique_normal.otlp.json",
        "online_boutique/nezha_online_boutique_fault_shipping_delay.otlp.json",
    ] {
        let traces = read(path, &std::fs::read(folder.join(path)).unwrap()).unwrap();
        let mut all = Duration::ZERO;
        for trace in &traces.traces {
            let paths = critical_paths(trace);
            let roots: Duration = trace
                .roots()
                .filter_map(|root| trace.span(root))
                .map(tidegate_trace::Span::duration)
                .sum();
            let segments: i64 = paths
                .iter()
                .flat_map(|path| &path.segments)
                .map(|segment| segment.end - segment.start)
                .sum();
            assert_eq!(
                roots.as_nanos(),
                u128::try_from(segments).unwrap(),
                "{path} {}",
                trace.id()
            );
            all += roots;
        }
        let discovery = discover(&[(path.to_owned(), traces)]);
        assert_eq!(discovery.waiting, all, "{path}");
    }
}

/// A span of request `request`: id, parent, kind, service, name, start and length in milliseconds.
type Made<'a> = (u64, u64, &'a str, &'a str, &'a str, u64, u64);

fn spans_of<'a>(count: u64, made: impl Fn(u64) -> Vec<Made<'a>>) -> Vec<Value> {
    let mut spans = Vec::new();
    for request in 0..count {
        for (id, parent, kind, service, name, at, took) in made(request) {
            let parent = match parent {
                0 => String::new(),
                parent => format!("{parent:016x}"),
            };
            spans.push(json!({
                "traceId": format!("{:032x}", request + 1), "id": format!("{id:016x}"),
                "parentId": parent, "kind": kind, "name": name,
                "timestamp": 1_000_000_000_000 + request * 1_000_000 + at * 1_000,
                "duration": took * 1_000 + request % 7, "localEndpoint": {"serviceName": service},
            }));
        }
    }
    spans
}

fn call<'a>(discovery: &'a Discovery, callee: &str) -> &'a tidegate_discover::Call {
    let mut calls = discovery.calls.iter();
    calls.find(|call| call.callee == callee).unwrap()
}

#[test]
fn a_few_requests_that_end_before_their_call_say_nothing_of_the_others() {
    for given_up in [0, 1, 10] {
        let discovery = found(spans_of(100, |request| {
            let whole = if request < given_up { 15 } else { 62 };
            vec![
                (1, 0, "SERVER", "shop", "POST /buy", 0, whole),
                (2, 1, "CLIENT", "shop", "UpdateLedger", 2, 8),
                (3, 2, "SERVER", "ledger", "UpdateLedger", 3, 6),
                (4, 1, "CLIENT", "shop", "SendMail", 12, 30),
                (5, 4, "SERVER", "mailer", "SendMail", 13, 28),
            ]
        }));
        let mail = call(&discovery, "mailer");
        assert_eq!(mail.on_path.hits, 100, "{given_up}");
        assert_ne!(mail.class.code(), "ALREADY_ASYNC", "{given_up}");
        let saved = mail.savings[0].mean.value().unwrap() / 1e6;
        assert!((24.0..30.0).contains(&saved), "{given_up}: {saved}");
    }
}

#[test]
fn a_call_without_a_span_of_its_caller_lies_where_it_was_beside_other_work() {
    let discovery = found(spans_of(60, |_| {
        vec![
            (1, 0, "SERVER", "shop", "POST /orders", 0, 41),
            (2, 1, "SERVER", "mailer", "SendMail", 3, 29),
            (3, 1, "CLIENT", "shop", "INSERT orders", 34, 5),
        ]
    }));
    let mail = call(&discovery, "mailer");
    let each = mail.critical.as_secs_f64() * 1e3 / 60.0;
    assert!((each - 29.0).abs() < 0.1, "{each}");
    let saved = mail.savings[0].mean.value().unwrap() / 1e6;
    assert!((saved - 27.0).abs() < 0.1, "{saved}");
}

#[test]
fn a_few_requests_in_which_calls_overlap_are_exceptions_that_the_interval_allows_for() {
    let discovery = found(spans_of(400, |request| {
        let ledger = if request % 40 == 7 { 3 } else { 33 };
        vec![
            (1, 0, "SERVER", "shop", "POST /buy", 0, ledger + 82),
            (2, 1, "CLIENT", "shop", "SendMail", 3, 29),
            (3, 2, "SERVER", "mailer", "SendMail", 4, 27),
            (4, 1, "CLIENT", "shop", "UpdateLedger", ledger, 80),
            (5, 4, "SERVER", "ledger", "UpdateLedger", ledger + 1, 78),
        ]
    }));
    let mail = call(&discovery, "mailer");
    assert!(mail.on_path.hits >= 390, "{:?}", mail.on_path);
    let mean = mail.savings[0].mean;
    let (low, high) = mean.interval().unwrap();
    let saved = mean.value().unwrap() / 1e6;
    // 27 ms of each but one of forty.
    assert!((saved - 26.3).abs() < 0.3, "{saved}");
    // That none of them had to wait is not ruled out.
    assert!(low < 1e6 && high > 26e6, "{low} {high}");
}

#[test]
fn a_call_beside_a_longer_one_saves_nothing_and_is_no_candidate() {
    let discovery = found(spans_of(100, |_| {
        vec![
            (1, 0, "SERVER", "shop", "POST /buy", 0, 60),
            (2, 1, "CLIENT", "shop", "UpdateLedger", 2, 50),
            (3, 2, "SERVER", "ledger", "UpdateLedger", 3, 48),
            (4, 1, "CLIENT", "shop", "SendMail", 2, 5),
            (5, 4, "SERVER", "mailer", "SendMail", 3, 3),
        ]
    }));
    let mail = call(&discovery, "mailer");
    assert_eq!(mail.class.code(), "NOT_A_CANDIDATE", "{:?}", mail.class);
    assert_eq!((mail.on_path.hits, mail.savings[0].affected), (0, 0));
}

#[test]
fn what_asks_may_have_ended_before_it_while_its_request_goes_on() {
    let discovery = found(spans_of(60, |_| {
        vec![
            (1, 0, "SERVER", "shop", "POST /buy", 0, 60),
            (2, 1, "INTERNAL", "shop", "dispatch", 1, 2),
            (3, 2, "CLIENT", "shop", "SendMail", 10, 40),
            (4, 3, "SERVER", "mailer", "SendMail", 11, 38),
        ]
    }));
    let mail = call(&discovery, "mailer");
    assert_eq!(mail.class.code(), "UNKNOWN", "{:?}", mail.class);
}

#[test]
fn the_largest_difference_may_be_a_call_that_is_not_waited_for_any_more() {
    let waits = found(requests(200, 12, "call").into_iter().map(longer).collect());
    for (kind, beside, turn) in [
        ("call", 25, Turn::LeftBehind),
        ("message", 12, Turn::LeftBehind),
    ] {
        let later = found(requests(200, beside, kind));
        let difference = difference(&waits, &later);
        let most = &difference.turned[0];
        assert_eq!((most.callee.as_str(), most.turn), ("mailer", turn));
        assert!((most.waited - 0.202).abs() < 1e-3, "{}", most.waited);
        let said = report_difference(&difference, ReportFormat::Human);
        let line = "The largest change: sendMail of mailer is not waited for any more by shop";
        assert!(said.contains(line), "{said}");
    }
}
