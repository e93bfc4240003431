//! What must not be proposed: captures in which the evidence was destroyed, or never was.
#![cfg(test)]

mod captures;

use std::time::Duration;

use captures::{all, folder};
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_base::Random;
use tidegate_discover::{Class, Discovery, Options, Signal, Weight, discover_with};
use tidegate_trace::read;

fn judged(spans: &[Value], vocabulary: bool) -> Discovery {
    let text = Value::from(spans.to_vec()).to_string();
    let traces = read("made.json", text.as_bytes()).unwrap();
    let options = Options {
        vocabulary,
        ..Options::default()
    };
    discover_with(&[("made.json".to_owned(), traces)], &options)
}

/// One request, as a list of calls that its service makes one after the other.
struct Shop<'a> {
    requests: usize,
    /// Name, callee, tags of the answer.
    calls: Vec<(&'a str, &'a str)>,
    /// The tags of a call's answer, and of the request's, by request and call.
    tags: &'a dyn Fn(usize, Option<usize>) -> Value,
    /// The place of a call among the others, by request.
    place: &'a dyn Fn(usize, usize) -> usize,
}

impl Shop<'_> {
    fn spans(&self) -> Vec<Value> {
        let mut spans = Vec::new();
        let count = self.calls.len();
        for request in 0..self.requests {
            let start = 1_000_000_000_000 + request * 1_000_000;
            let mut span = |id: usize,
                            parent: usize,
                            kind,
                            service: &str,
                            name,
                            from: usize,
                            took: usize,
                            tags: Value| {
                let parent = if parent == 0 {
                    String::new()
                } else {
                    format!("{parent:016x}")
                };
                spans.push(json!({
                    "traceId": format!("{:032x}", request + 1), "id": format!("{id:016x}"),
                    "parentId": parent, "kind": kind, "name": name, "timestamp": from,
                    "duration": took, "localEndpoint": {"serviceName": service}, "tags": tags,
                }));
            };
            let whole = 5_000 + count * 12_000;
            let tags = (self.tags)(request, None);
            span(1, 0, "SERVER", "shop", "placeOrder", start, whole, tags);
            for (call, (name, callee)) in self.calls.iter().enumerate() {
                let from = start + 2_000 + (self.place)(request, call) * 12_000;
                let id = 10 + 2 * call;
                let tags = (self.tags)(request, Some(call));
                span(id, 1, "CLIENT", "shop", *name, from, 10_000, json!({}));
                span(
                    id + 1,
                    id,
                    "SERVER",
                    callee,
                    *name,
                    from + 1_000,
                    8_000,
                    tags,
                );
            }
        }
        spans
    }
}

fn in_order(_: usize, call: usize) -> usize {
    call
}

fn class<'a>(discovery: &'a Discovery, name: &str) -> &'a str {
    let call = discovery
        .calls
        .iter()
        .find(|call| call.callee_operation == name);
    call.unwrap().class.code()
}

fn nothing(_: usize, _: Option<usize>) -> Value {
    json!({})
}

#[test]
fn by_its_place_alone_a_last_call_is_a_candidate_and_a_payment_before_it_is_not() {
    let shop = Shop {
        requests: 40,
        calls: vec![("charge", "payment"), ("sendMail", "mailer")],
        tags: &nothing,
        place: &in_order,
    };
    let with = judged(&shop.spans(), true);
    assert_eq!(class(&with, "sendMail"), "FIRE_AND_FORGET");
    assert_eq!(class(&with, "charge"), "NOT_A_CANDIDATE");
    let without = judged(&shop.spans(), false);
    assert_eq!(class(&without, "sendMail"), "ASYNC_WITH_OUTBOX");
    assert_eq!(class(&without, "charge"), "UNKNOWN");
}

#[test]
fn a_shuffled_order_leaves_no_candidate_without_words() {
    let shop = Shop {
        requests: 60,
        calls: vec![("a", "one"), ("b", "two"), ("c", "three")],
        tags: &nothing,
        place: &|request, call| (call + request * 7 / 3) % 3,
    };
    let discovery = judged(&shop.spans(), false);
    assert!(discovery.calls.iter().all(|call| !call.class.is_feasible()));
    let ordered = Shop {
        place: &in_order,
        ..shop
    };
    let discovery = judged(&ordered.spans(), false);
    let feasible = discovery
        .calls
        .iter()
        .filter(|call| call.class.is_feasible());
    assert_eq!(
        feasible.count(),
        1,
        "the control itself finds the last call"
    );
}

/// Every third answer of the first call is an error; the request's is one when `shared` says so.
fn failing(shared: impl Fn(usize) -> bool) -> impl Fn(usize, Option<usize>) -> Value {
    move |request, call| {
        let error = match call {
            Some(0) => request.is_multiple_of(3),
            Some(_) => false,
            None => shared(request),
        };
        if error {
            json!({"error": "true"})
        } else {
            json!({})
        }
    }
}

#[test]
fn requests_that_go_on_when_it_fails_free_a_call_and_swapped_outcomes_do_not() {
    let calls = || vec![("stepOne", "one"), ("stepTwo", "two")];
    let shop = |tags| Shop {
        requests: 120,
        calls: calls(),
        tags,
        place: &in_order,
    };
    let method = |tags: &dyn Fn(usize, Option<usize>) -> Value, request, call| {
        let mut tags = tags(request, call);
        tags["http.method"] = "POST".into();
        tags
    };
    let ignored = failing(|_| false);
    let tags = |request, call| method(&ignored, request, call);
    let free = judged(&shop(&tags).spans(), false);
    assert!(
        free.calls
            .iter()
            .any(|call| call.callee_operation == "stepOne" && call.class.is_feasible())
    );
    // The request's outcomes are those of the call: it decides.
    let decides = failing(|request| request.is_multiple_of(3));
    let tags = |request, call| method(&decides, request, call);
    let bound = judged(&shop(&tags).spans(), false);
    assert!(
        !bound
            .calls
            .iter()
            .any(|call| call.callee_operation == "stepOne" && call.class.is_feasible())
    );
    let call = bound
        .calls
        .iter()
        .find(|call| call.callee_operation == "stepOne")
        .unwrap();
    let (excess, low, high) = call.coupled.excess.unwrap();
    assert!(
        (excess - 1.0).abs() < 1e-9 && low > 0.8 && high <= 1.0,
        "{:?}",
        call.coupled
    );
    // A third of calls fails, and every one of them takes a request with it.
    let removed = call.coupled.removed_per_million.unwrap();
    assert!((removed - 333_333.0).abs() < 1_000.0, "{removed}");
    // Outcomes that belong to other requests show neither.
    let swapped = failing(|request| request % 3 == 1 || request.is_multiple_of(6));
    let tags = |request, call| method(&swapped, request, call);
    let swapped = judged(&shop(&tags).spans(), false);
    assert!(
        !swapped
            .calls
            .iter()
            .any(|call| call.callee_operation == "stepOne" && call.class.is_feasible())
    );
}

#[test]
fn a_service_of_reads_has_no_candidate() {
    let shop = Shop {
        requests: 60,
        calls: vec![
            ("GET /a/{id}", "one"),
            ("GET /b", "two"),
            ("GET /mail", "mailer"),
        ],
        tags: &|_, _| json!({"http.method": "GET"}),
        place: &in_order,
    };
    for vocabulary in [true, false] {
        let discovery = judged(&shop.spans(), vocabulary);
        assert!(discovery.calls.iter().all(|call| !call.class.is_feasible()));
    }
}

#[test]
fn a_value_that_travels_on_is_a_veto() {
    let id = |request: usize| {
        format!(
            "{:016x}{:016x}",
            request * 7_919 + 0x00ab_cdef_1234,
            request + 77
        )
    };
    let shop = |before: bool, later: bool| {
        let tags = move |request: usize, call: Option<usize>| match call {
            None if before => json!({"http.url": format!("http://shop/orders/{}", id(request))}),
            Some(0) => {
                json!({"http.method": "POST", "db.statement": format!("insert into t values ('{}')", id(request))})
            }
            Some(1) if later => json!({"http.url": format!("http://two/ship/{}", id(request))}),
            _ => json!({}),
        };
        let shop = Shop {
            requests: 40,
            calls: vec![("createParcel", "one"), ("sendMail", "two")],
            tags: &tags,
            place: &in_order,
        };
        judged(&shop.spans(), true)
    };
    let used = shop(false, true);
    assert_eq!(class(&used, "createParcel"), "NOT_A_CANDIDATE");
    let evidence = |discovery: &Discovery| {
        let call = discovery
            .calls
            .iter()
            .find(|call| call.callee_operation == "createParcel");
        let taint = call
            .unwrap()
            .evidence
            .iter()
            .find(|e| e.signal == Signal::Taint);
        taint.map(|evidence| (evidence.weight, evidence.share.unwrap().hits, evidence.n))
    };
    assert_eq!(evidence(&used), Some((Weight::Veto, 40, 40)));
    assert_eq!(evidence(&shop(false, false)), Some((Weight::For, 0, 40)));
    // What came with the request tells nothing of an answer.
    assert_eq!(evidence(&shop(true, false)), None);
    assert_eq!(evidence(&shop(true, true)), None);
}

#[test]
fn what_only_prepares_a_call_moves_with_it() {
    let id = |request: usize| {
        format!(
            "{:016x}{:016x}",
            request * 7_919 + 0x00ab_cdef_1234,
            request + 77
        )
    };
    let saved = |used_by: usize| {
        let tags = move |request: usize, call: Option<usize>| match call {
            Some(0) => {
                json!({"db.statement": format!("select address from t where id = '{}'", id(request))})
            }
            Some(call) if call == used_by => {
                json!({"http.url": format!("http://mail/{}", id(request))})
            }
            _ => json!({}),
        };
        let shop = Shop {
            requests: 40,
            calls: vec![
                ("getAddress", "one"),
                ("store", "two"),
                ("sendMail", "mailer"),
            ],
            tags: &tags,
            place: &in_order,
        };
        let discovery = judged(&shop.spans(), true);
        let call = discovery
            .calls
            .iter()
            .find(|call| call.callee == "mailer")
            .unwrap();
        let follows = call.evidence.iter().any(|e| e.signal == Signal::Follower);
        (call.savings[0].mean.value().unwrap(), follows)
    };
    // Ten milliseconds of the mail, less two for the event; ten more for the address.
    assert_eq!(saved(2), (18e6, true));
    assert_eq!(saved(1), (8e6, false));
}

#[test]
fn a_refusal_that_refuses_the_request_is_a_veto() {
    let tags = |request: usize, call: Option<usize>| {
        let refused = request.is_multiple_of(4) && call != Some(1);
        json!({"http.method": "POST", "http.status_code": if refused { "422" } else { "200" }})
    };
    let shop = Shop {
        requests: 80,
        calls: vec![("checkLimit2", "one"), ("store", "two")],
        tags: &tags,
        place: &in_order,
    };
    let discovery = judged(&shop.spans(), true);
    let call = discovery
        .calls
        .iter()
        .find(|call| call.callee == "one")
        .unwrap();
    assert_eq!(call.class.code(), "NOT_A_CANDIDATE");
    let veto = |signal| {
        call.evidence
            .iter()
            .any(|e| e.signal == signal && e.weight == Weight::Veto)
    };
    assert!(veto(Signal::Rejection), "{:?}", call.evidence);
}

#[test]
fn the_boutique_keeps_its_payment_and_loses_its_mail_with_words_and_without() {
    let Some(folder) = folder() else { return };
    let path = "online_boutique/nezha_online_boutique_normal.otlp.json";
    let bytes = std::fs::read(folder.join(path)).unwrap();
    for vocabulary in [true, false] {
        let traces = read(path, &bytes).unwrap();
        let options = Options {
            vocabulary,
            ..Options::default()
        };
        let discovery = discover_with(&[(path.to_owned(), traces)], &options);
        let first = &discovery.calls[0];
        assert_eq!(first.callee, "emailservice", "{vocabulary}");
        assert!(first.class.is_feasible());
        let payment = discovery
            .calls
            .iter()
            .find(|call| call.callee == "paymentservice");
        assert!(!payment.unwrap().class.is_feasible(), "{vocabulary}");
        let shipping = discovery
            .calls
            .iter()
            .find(|call| call.callee_operation.ends_with("ShipOrder"));
        assert!(!shipping.unwrap().class.is_feasible(), "{vocabulary}");
    }
}

#[test]
fn no_payment_of_the_train_ticket_is_a_candidate_and_its_message_is_one_already() {
    let Some(folder) = folder() else { return };
    let path = "train_ticket/nezha_train_ticket_normal.otlp.json";
    let bytes = std::fs::read(folder.join(path)).unwrap();
    for vocabulary in [true, false] {
        let traces = read(path, &bytes).unwrap();
        let options = Options {
            vocabulary,
            ..Options::default()
        };
        let discovery = discover_with(&[(path.to_owned(), traces)], &options);
        for call in &discovery.calls {
            assert!(
                !(call.callee.contains("payment") && call.class.is_feasible()),
                "{call:?}"
            );
            if call.callee == "ts-delivery-service" {
                assert_eq!(call.class.code(), "ALREADY_ASYNC");
            }
        }
    }
}

#[test]
fn no_interval_of_any_capture_misses_its_value() {
    for (name, traces) in all() {
        for call in discover_with(&[(name.clone(), traces)], &Options::default()).calls {
            for saving in &call.savings {
                for estimate in [saving.mean, saving.p50, saving.p95, saving.p99] {
                    if let (Some(value), Some((low, high))) =
                        (estimate.value(), estimate.interval())
                    {
                        assert!(low <= value && value <= high, "{name} {estimate:?}");
                        assert!(high.abs() < 1e13, "{name}: hours are saved: {estimate:?}");
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn intervals_hold_their_values_whatever_is_captured(
        requests in 1_usize..60, seed in any::<u64>(), calls in 1_usize..5
    ) {
        let names = ["sendMail", "store", "track", "audit", "notify"];
        let shop = Shop {
            requests,
            calls: names.iter().take(calls).map(|name| (*name, *name)).collect(),
            tags: &|request, call| {
                let odd = (seed >> ((request + call.unwrap_or(9)) % 60)) & 1 == 1;
                if odd { json!({"error": "true"}) } else { json!({"http.method": "POST"}) }
            },
            place: &in_order,
        };
        for call in judged(&shop.spans(), true).calls {
            for saving in &call.savings {
                for estimate in [saving.mean, saving.p50, saving.p95, saving.p99] {
                    if let (Some(value), Some((low, high))) = (estimate.value(), estimate.interval()) {
                        prop_assert!(low <= value && value <= high, "{estimate:?}");
                    }
                }
            }
            if let Some((value, low, high)) = call.coupled.excess {
                prop_assert!(low <= value && value <= high && low >= -1.0 && high <= 1.0);
            }
        }
    }
}

#[test]
fn a_shuffled_order_leaves_no_candidate_with_words_either() {
    // A word of side work alone is no evidence: it needs a place, or what follows it.
    let random = Random::new(11, "shuffle", "");
    let swapped = |request: usize| random.bits(request as u64) & 1 == 1;
    let shop = Shop {
        requests: 200,
        calls: vec![("charge", "payment"), ("sendMail", "mailer")],
        tags: &nothing,
        place: &|request, call| if swapped(request) { 1 - call } else { call },
    };
    for vocabulary in [true, false] {
        let discovery = judged(&shop.spans(), vocabulary);
        let feasible = discovery.calls.iter().find(|call| call.class.is_feasible());
        assert!(feasible.is_none(), "{vocabulary}: {feasible:?}");
    }
    // Where the same follows each time, the word counts though something follows.
    let first = Shop {
        calls: vec![("sendMail", "mailer"), ("charge", "payment")],
        place: &in_order,
        ..shop
    };
    let discovery = judged(&first.spans(), true);
    assert_eq!(class(&discovery, "sendMail"), "FIRE_AND_FORGET");
}

#[test]
fn a_word_frees_no_call_that_requests_fail_with() {
    let tags = |request: usize, call: Option<usize>| {
        // All but two of the failures of the mail fail the request.
        let mail = request.is_multiple_of(5);
        match call {
            Some(1) if mail => json!({"error": "true"}),
            None if mail && request > 10 => json!({"error": "true"}),
            _ => json!({}),
        }
    };
    let shop = Shop {
        requests: 200,
        calls: vec![("reserve", "stock"), ("sendMail", "mailer")],
        tags: &tags,
        place: &in_order,
    };
    let discovery = judged(&shop.spans(), true);
    assert_eq!(class(&discovery, "sendMail"), "UNKNOWN");
}

#[test]
fn what_makes_requests_slower_for_certain_is_no_candidate() {
    let shop = Shop {
        requests: 60,
        calls: vec![("reserve", "stock"), ("sendMail", "mailer")],
        tags: &nothing,
        place: &in_order,
    };
    let text = Value::from(shop.spans()).to_string();
    let publish = |millis| {
        let traces = read("made.json", text.as_bytes()).unwrap();
        let options = Options {
            publish: Duration::from_millis(millis),
            ..Options::default()
        };
        discover_with(&[("made.json".to_owned(), traces)], &options)
    };
    assert_eq!(class(&publish(2), "sendMail"), "FIRE_AND_FORGET");
    // The call takes 10 ms.
    let slower = publish(11);
    assert_eq!(class(&slower, "sendMail"), "NOT_A_CANDIDATE");
    let call = slower
        .calls
        .iter()
        .find(|call| call.callee_operation == "sendMail");
    let class = &call.unwrap().class;
    assert!(
        matches!(class, Class::NotACandidate { reason } if reason.contains("1ms longer")),
        "{class:?}"
    );
}

#[test]
fn all_evidence_has_a_value_a_count_and_an_interval() {
    let mut signals = std::collections::BTreeSet::new();
    for (name, traces) in all() {
        let discovery = discover_with(&[(name.clone(), traces)], &Options::default());
        for evidence in discovery.calls.iter().flat_map(|call| &call.evidence) {
            let (low, high) = evidence.interval().unwrap();
            let value = evidence.value().unwrap();
            assert!(evidence.n > 0, "{name}: {evidence:?}");
            assert!(low <= value && value <= high, "{name}: {evidence:?}");
            signals.insert(evidence.signal.id());
        }
    }
    assert!(signals.len() > 8 || signals.is_empty(), "{signals:?}");
}
