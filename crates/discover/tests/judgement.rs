//! What discovery says of captures whose truth is known.

#![cfg(test)]

mod captures;

use std::collections::BTreeMap;

use captures::{all, folder};
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_discover::{
    Changed, Class, Discovery, Paint, ReportFormat, Verdict, discover, report, report_difference,
};
use tidegate_trace::read;

fn load(path: &str) -> Option<Discovery> {
    let bytes = std::fs::read(folder()?.join(path)).unwrap();
    Some(discover(&[(path.to_owned(), read(path, &bytes).unwrap())]))
}

/// The class of every call, by the last word of the callee's operation.
fn classes(discovery: &Discovery) -> BTreeMap<&str, Vec<&'static str>> {
    let mut classes: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
    for call in &discovery.calls {
        let name = call.callee_operation.rsplit('/').next().unwrap();
        classes.entry(name).or_default().push(call.class.code());
    }
    classes
}

#[test]
fn the_boutique_has_side_work_and_reads() {
    let Some(discovery) = load("online_boutique/nezha_online_boutique_normal.otlp.json") else {
        return;
    };
    let classes = classes(&discovery);
    assert_eq!(classes["SendOrderConfirmation"], ["FIRE_AND_FORGET"]);
    for read in [
        "GetProduct",
        "ListProducts",
        "GetCart",
        "GetAds",
        "GetQuote",
        "Convert",
        "ListRecommendations",
    ] {
        // Several in a row could be asked at once; none could be an event.
        assert!(
            classes[read]
                .iter()
                .all(|class| ["NOT_A_CANDIDATE", "PARALLELISE"].contains(class)),
            "{read}"
        );
    }
    for call in &discovery.calls {
        assert!(
            (1..=3).contains(&call.exemplars.len()),
            "{}",
            call.callee_operation
        );
    }
}

#[test]
fn every_call_of_the_hotel_is_a_read() {
    let Some(discovery) = load("traceweaver/hotel_load25.jaeger.json") else {
        return;
    };
    assert_eq!(discovery.calls.len(), 5);
    for call in &discovery.calls {
        assert!(
            matches!(call.class, Class::NotACandidate { .. }),
            "{call:?}"
        );
    }
}

#[test]
fn the_delay_injected_into_shipping_is_found_on_its_call() {
    let path = |name| format!("online_boutique/nezha_online_boutique_{name}.otlp.json");
    let (Some(normal), Some(fault)) = (load(&path("normal")), load(&path("fault_shipping_delay")))
    else {
        return;
    };
    let wait = |discovery: &Discovery| {
        let call = discovery
            .calls
            .iter()
            .find(|call| call.callee_operation.ends_with("ShipOrder"));
        let call = call.unwrap();
        call.critical / u32::try_from(call.count).unwrap()
    };
    assert!(
        wait(&fault) > wait(&normal) * 20,
        "{:?} {:?}",
        wait(&fault),
        wait(&normal)
    );
}

#[test]
fn the_difference_of_two_captures_names_the_callers_side_of_the_slowed_call() {
    let path = |name| format!("online_boutique/nezha_online_boutique_{name}.otlp.json");
    let (Some(normal), Some(fault)) = (load(&path("normal")), load(&path("fault_shipping_delay")))
    else {
        return;
    };
    let difference = tidegate_discover::difference(&normal, &fault);
    let first = &difference.changes[0];
    assert_eq!(
        (first.service.as_str(), first.asks.as_deref()),
        ("frontend", Some("shippingservice"))
    );
    assert_eq!(first.verdict(), Verdict::More);
    // Every caller of shipping is slower, and shipping itself is not.
    for change in &difference.changes {
        if change.asks.as_deref() == Some("shippingservice") {
            assert!(change.each.1 > change.each.0 * 20.0, "{change:?}");
        }
        if change.service == "shippingservice" {
            assert!(change.total.abs() < 0.1, "{change:?}");
        }
    }
    let same = tidegate_discover::difference(&normal, &normal);
    assert!(same.changes.iter().all(|change| change.total == 0.0) && same.turned.is_empty());
    let differs = |change: &Changed| matches!(change.verdict(), Verdict::Less | Verdict::More);
    assert!(!same.changes.iter().any(differs));
    let said = report_difference(&same, ReportFormat::Human);
    assert!(
        said.contains("Nothing differs by more than chance explains"),
        "{said}"
    );
    assert!(
        !said.contains("largest change") && !said.contains("-0.00ms ("),
        "{said}"
    );
}

#[test]
fn kafka_of_the_train_ticket_is_a_message_without_any_span_kind() {
    let Some(discovery) = load("train_ticket/nezha_train_ticket_normal.otlp.json") else {
        return;
    };
    let messages: Vec<_> = discovery
        .calls
        .iter()
        .filter(|call| call.class == Class::AlreadyAsync)
        .collect();
    assert!(
        messages
            .iter()
            .any(|call| call.callee == "ts-delivery-service"),
        "{messages:?}"
    );
}

#[test]
fn a_frame_of_the_gateway_does_not_hide_what_it_waits_for() {
    let Some(discovery) = load("train_ticket/nezha_train_ticket_normal.otlp.json") else {
        return;
    };
    // Beside each call of the gateway is a span without children that takes as long.
    let call = discovery
        .calls
        .iter()
        .find(|call| call.callee == "ts-preserve-other-service");
    let saved = call.unwrap().savings[0].mean.value().unwrap();
    assert!(saved > 10e6, "{saved}");
}

#[test]
fn clocks_that_start_by_milliseconds_and_end_by_less_make_no_call_asynchronous() {
    let Some(discovery) = load("otel_demo/otel_demo_traces_only.otlp.jsonl") else {
        return;
    };
    let calls = discovery.calls.iter();
    let mut of_frontend = calls.filter(|call| call.caller == "frontend").peekable();
    assert!(of_frontend.peek().is_some());
    for call in of_frontend {
        assert_ne!(call.class, Class::AlreadyAsync, "{}", call.callee_operation);
    }
}

#[test]
fn the_services_are_those_of_the_published_dependencies() {
    let Some(discovery) = load("online_boutique/nezha_online_boutique_normal.otlp.json") else {
        return;
    };
    let text = std::fs::read_to_string(
        folder()
            .unwrap()
            .join("online_boutique/online_boutique_dependency.csv"),
    )
    .unwrap();
    let published: Vec<(&str, &str)> = text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut cells = line.split(',');
            Some((cells.next()?, cells.next()?))
        })
        .collect();
    for call in &discovery.calls {
        assert!(
            published
                .iter()
                .any(|(from, to)| call.caller.starts_with(from) && call.callee.starts_with(to)),
            "{} -> {} is not published: {published:?}",
            call.caller,
            call.callee
        );
    }
    // All of them are found but one: its callee's spans hang below nothing.
    let lacking: Vec<_> = published
        .iter()
        .filter(|(_, to)| to.parse::<std::net::IpAddr>().is_err())
        .filter(|(from, to)| {
            let is = |call: &&tidegate_discover::Call| {
                call.caller.starts_with(from) && call.callee.starts_with(to)
            };
            discovery.calls.iter().find(is).is_none()
        })
        .collect();
    assert_eq!(lacking, [&("checkoutservice", "currencyservice")]);
}

#[test]
fn the_same_capture_twice_counts_once() {
    let Some(folder) = folder() else { return };
    let load = |name: &str| {
        let bytes = std::fs::read(folder.join("otel_demo").join(name)).unwrap();
        (name.to_owned(), read(name, &bytes).unwrap())
    };
    let (json, protobuf) = (
        load("otel_demo_traces_only.otlp.jsonl"),
        load("otel_demo_traces.otlp.pb"),
    );
    let once = discover(std::slice::from_ref(&json));
    let twice = discover(&[json, protobuf]);
    assert_eq!((twice.spans, twice.calls.len()), (547, once.calls.len()));
    assert_eq!(twice.window, once.window);
    for (a, b) in once.calls.iter().zip(&twice.calls) {
        assert_eq!((a.count, a.critical), (b.count, b.critical));
    }
}

/// A request of 100 ms that calls `second` for 40 ms after `first`; `skew` shifts the clock of the
/// answering host.
fn requests(count: usize, operation: &str, error: &str, skew_micros: i64) -> Vec<Value> {
    let mut spans = Vec::new();
    for index in 0..count {
        let start = 1_000_000_000_000 + i64::try_from(index).unwrap() * 1_000_000;
        let span = |id: &str,
                    parent: &str,
                    kind: &str,
                    service: &str,
                    name: &str,
                    from: i64,
                    took: i64| {
            json!({
                "traceId": format!("{:032x}", index + 1), "id": id, "parentId": parent, "kind": kind,
                "name": name, "timestamp": from, "duration": took,
                "localEndpoint": {"serviceName": service},
                "tags": {"error": error},
            })
        };
        spans.push(span(
            "a000000000000001",
            "",
            "SERVER",
            "orders",
            "placeOrder",
            start,
            100_000,
        ));
        spans.push(span(
            "a000000000000002",
            "a000000000000001",
            "CLIENT",
            "orders",
            operation,
            start + 55_000,
            40_000,
        ));
        spans.push(span(
            "a000000000000003",
            "a000000000000002",
            "SERVER",
            "mailer",
            operation,
            start + 57_000 + skew_micros,
            30_000,
        ));
    }
    spans
}

fn judged(spans: &[Value]) -> Discovery {
    let text = Value::from(spans.to_vec()).to_string();
    discover(&[(
        "made.json".to_owned(),
        read("made.json", text.as_bytes()).unwrap(),
    )])
}

#[test]
fn a_tail_call_that_notifies_is_fire_and_forget_and_its_time_is_the_waiting() {
    let discovery = judged(&requests(10, "sendReceipt", "false", 0));
    let call = &discovery.calls[0];
    assert_eq!(call.class, Class::FireAndForget);
    assert_eq!(
        (call.caller.as_str(), call.callee.as_str(), call.count),
        ("orders", "mailer", 10)
    );
    assert_eq!(call.critical.as_millis(), 400);
    assert!((call.critical_share - 0.4).abs() < 1e-9);
}

#[test]
fn a_call_that_always_fails_is_no_basis_for_a_proposal() {
    let discovery = judged(&requests(10, "sendReceipt", "true", 0));
    assert!(matches!(discovery.calls[0].class, Class::Unknown { .. }));
    assert_eq!(
        (
            discovery.calls[0].coupling.hits,
            discovery.calls[0].coupling.total
        ),
        (10, 10)
    );
}

#[test]
fn four_calls_are_too_few() {
    let discovery = judged(&requests(4, "sendReceipt", "false", 0));
    assert!(matches!(discovery.calls[0].class, Class::Unknown { .. }));
}

#[test]
fn a_request_with_very_many_calls_has_one_call_path() {
    const CALLS: usize = 5_000;
    for kinds in [("SERVER", "CLIENT", "SERVER"), ("", "", "")] {
        let span =
            |id: String, parent: String, kind: &str, service: &str, start: usize, took: usize| {
                json!({
                    "traceId": "1", "id": id, "parentId": parent, "kind": kind, "name": "sendMail",
                    "timestamp": start, "duration": took, "localEndpoint": {"serviceName": service},
                })
            };
        let mut spans = vec![span(
            "1".to_owned(),
            String::new(),
            kinds.0,
            "shop",
            1,
            10 * CALLS,
        )];
        for call in 0..CALLS {
            let (asking, answering) =
                (format!("{:x}", 2 * call + 2), format!("{:x}", 2 * call + 3));
            spans.push(span(
                asking.clone(),
                "1".to_owned(),
                kinds.1,
                "shop",
                10 * call + 1,
                8,
            ));
            spans.push(span(answering, asking, kinds.2, "mail", 10 * call + 2, 5));
        }
        let discovery = judged(&spans);
        assert_eq!(
            (discovery.calls.len(), discovery.calls[0].count),
            (1, CALLS)
        );
        assert_eq!(discovery.calls[0].critical.as_micros(), 8 * CALLS as u128);
    }
}

#[test]
fn nothing_is_proposed_where_everything_reads() {
    for operation in [
        "getStock",
        "list",
        "findUser",
        "GET /stock/{id}",
        "checkPrice",
    ] {
        let discovery = judged(&requests(50, operation, "false", 0));
        assert!(
            discovery.calls.iter().all(|call| !call.class.is_feasible()),
            "{operation}"
        );
    }
}

proptest! {
    #[test]
    fn a_wrong_clock_changes_nothing(skew in -500_000_i64..500_000) {
        let right = judged(&requests(6, "sendReceipt", "false", 0));
        let wrong = judged(&requests(6, "sendReceipt", "false", skew));
        prop_assert_eq!(right.calls[0].critical, wrong.calls[0].critical);
        prop_assert_eq!(right.waiting, wrong.waiting);
        prop_assert_eq!(&right.calls[0].class, &wrong.calls[0].class);
        let own = |discovery: &Discovery| {
            let operations = discovery.operations.iter();
            operations.map(|one| (one.name.clone(), one.self_time)).collect::<Vec<_>>()
        };
        prop_assert_eq!(own(&right), own(&wrong));
    }

    #[test]
    fn the_order_of_spans_changes_nothing(seed in any::<u64>()) {
        let spans = requests(6, "sendReceipt", "false", 0);
        let mut mixed = spans.clone();
        let mut state = seed | 1;
        for index in (1..mixed.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            mixed.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
        }
        let json = |spans| report(&judged(spans), ReportFormat::Json, Paint::Plain);
        prop_assert_eq!(json(&spans), json(&mixed));
    }
}

#[test]
fn critical_time_never_exceeds_waiting_and_arrivals_are_in_order() {
    for (name, traces) in all() {
        let discovery = discover(&[(name.clone(), traces)]);
        for call in &discovery.calls {
            let offsets: Vec<_> = call.arrivals.iter().map(|arrival| arrival.offset).collect();
            assert!(offsets.is_sorted(), "{name} {}", call.callee_operation);
            assert!(
                call.critical <= discovery.waiting,
                "{name} {}",
                call.callee_operation
            );
            assert!(
                call.critical <= call.latency.max * u32::try_from(call.count).unwrap(),
                "{name}"
            );
        }
    }
}
