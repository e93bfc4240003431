//! What requests depend on, what traces stand for, and values that travel, in made captures.
#![cfg(test)]

use serde_json::{Value, json};
use tidegate_base::Random;
use tidegate_discover::{
    Call, Class, Discovery, Options, Paint, ReportFormat, Signal, discover, discover_with, report,
};
use tidegate_trace::{Ingest, read};

/// A span of one request: id, parent, service, kind, name, start and length in ms, whether it failed.
type Made<'a> = (&'a str, &'a str, &'a str, u8, &'a str, u64, u64, bool);

/// One request of the shop: it reads stock and sends a receipt.
fn request(
    number: u64,
    stock_fails: bool,
    mail_fails: bool,
    fails: bool,
    mail_ms: u64,
) -> Vec<Value> {
    let spans: [Made<'_>; 5] = [
        ("a", "", "shop", 2, "POST /orders", 0, 20 + mail_ms, fails),
        ("b", "a", "shop", 3, "POST /adjust", 2, 6, stock_fails),
        ("c", "b", "stock", 2, "POST /adjust", 3, 4, stock_fails),
        (
            "d",
            "a",
            "shop",
            3,
            "POST /send-receipt",
            12,
            mail_ms,
            mail_fails,
        ),
        (
            "e",
            "d",
            "mail",
            2,
            "POST /send-receipt",
            13,
            mail_ms - 2,
            mail_fails,
        ),
    ];
    let at = |ms: u64| (1_700_000_000_000 + number * 500 + ms) * 1_000_000;
    spans
        .iter()
        .map(|(id, parent, service, kind, name, start, length, fails)| {
            json!({
                "service": service, "traceId": format!("{:032x}", number + 1),
                "spanId": format!("{id:0>16}"), "parentSpanId": if parent.is_empty() { String::new() } else { format!("{parent:0>16}") },
                "name": name, "kind": kind,
                "startTimeUnixNano": at(*start).to_string(),
                "endTimeUnixNano": at(start + length).to_string(),
                "status": {"code": if *fails { 2 } else { 0 }},
                "attributes": [],
            })
        })
        .collect()
}

fn capture(spans: &[Value]) -> String {
    let resources: Vec<Value> = spans
        .iter()
        .map(|span| {
            json!({
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": span["service"]}}]},
                "scopeSpans": [{"spans": [span]}],
            })
        })
        .collect();
    json!({"resourceSpans": resources}).to_string()
}

fn found(spans: &[Value], options: &Options) -> Discovery {
    let traces = read("made", capture(spans).as_bytes()).unwrap();
    discover_with(&[("made".to_owned(), traces)], options)
}

fn call<'a>(discovery: &'a Discovery, callee: &str) -> &'a Call {
    let mut calls = discovery.calls.iter();
    calls.find(|call| call.callee == callee).unwrap()
}

/// 1,000 requests: stock fails in 50 and takes 40 of them with it; mail fails in 20 and takes all; 10
/// fail on their own.
fn failing() -> Vec<Value> {
    (0..1_000)
        .flat_map(|number| {
            let stock = number % 20 == 0;
            let mail = number % 50 == 7;
            let own = number % 100 == 3;
            let fails = own || mail || (stock && number % 100 != 0);
            request(number, stock, mail, fails, 30)
        })
        .collect()
}

#[test]
fn an_endpoint_is_as_available_as_all_that_it_needs() {
    let discovery = found(&failing(), &Options::default());
    let shop = &discovery.endpoints[0];
    assert_eq!((shop.service.as_str(), shop.failures.hits), ("shop", 70));
    // Of those in which no call failed.
    assert_eq!((shop.own.hits, shop.own.total), (10, 930));
    let of = |service: &str| {
        let mut all = shop.dependencies.iter();
        all.find(|one| one.service == service).unwrap()
    };
    let (stock, mail) = (of("stock"), of("mail"));
    assert_eq!((stock.failures.hits, stock.passed_on.hits), (50, 40));
    assert_eq!((mail.failures.hits, mail.passed_on.hits), (20, 20));
    let own = 1.0 - 10.0 / 930.0;
    let serial = own * 0.96 * 0.98;
    assert!((shop.serial - serial).abs() < 1e-9, "{}", shop.serial);
    assert!((mail.without - own * 0.96).abs() < 1e-9, "{}", mail.without);
    let (value, low, high) = mail.availability;
    assert!(low < value && value < high && (value - 0.98).abs() < 1e-9);
    // Failures do not coincide here, so the product is close to what was seen.
    assert!((shop.serial - shop.observed()).abs() < 0.003);
    let text = report(&discovery, ReportFormat::Human, Paint::Plain);
    assert!(
        text.contains("How available requests are, and by what"),
        "{text}"
    );
}

#[test]
fn what_is_asked_of_calls_is_answered_by_replay() {
    let asked = [
        "remove:mail",
        "async:mail/POST /send-receipt",
        "slow=20ms:mail",
        "parallel:mail",
        "remove:stock",
        "remove:nobody",
    ];
    let options = Options {
        suppositions: asked.iter().map(|text| text.parse().unwrap()).collect(),
        ..Options::default()
    };
    let spans: Vec<Value> = (0..200)
        .flat_map(|number| request(number, false, false, false, 30))
        .collect();
    let discovery = found(&spans, &options);
    let answers: Vec<(usize, Option<f64>)> = discovery
        .answers
        .iter()
        .map(|answer| {
            let saving = answer.savings.first();
            (answer.calls, saving.and_then(|saving| saving.mean.value()))
        })
        .collect();
    let millis = |millis: f64| Some(millis * 1e6);
    // The receipt takes 30 ms; to publish takes 2 ms. It begins 4 ms after the adjustment ends, at 12 ms: without
    // waiting for that, 4 ms after it begins.
    let expected = [
        (200, millis(30.0)),
        (200, millis(28.0)),
        (200, millis(-20.0)),
        (200, millis(6.0)),
        (200, millis(6.0)),
        (0, None),
    ];
    assert_eq!(answers, expected);
    let plain = found(&spans, &Options::default());
    assert!(plain.answers.is_empty());
    for format in [
        ReportFormat::Human,
        ReportFormat::Markdown,
        ReportFormat::Html,
    ] {
        let text = report(&discovery, format, Paint::Plain);
        assert!(text.contains("slow=20ms:mail"), "{text}");
        assert!(text.contains("-20ms (-20ms to -20ms)"), "{text}");
        assert!(!report(&plain, format, Paint::Plain).contains("What was asked"));
    }
}

#[test]
fn a_call_without_which_its_caller_answers_is_not_its_answer() {
    // The collector does nothing but call analytics, and answers all the same when that fails.
    let spans: Vec<Value> = (0..400)
        .flat_map(|number| {
            let spans = request(number, false, number % 4 == 0, false, 900);
            spans
                .into_iter()
                .filter(|span| span["service"] != "stock" && span["name"] != "POST /adjust")
        })
        .collect();
    let discovery = found(&spans, &Options::default());
    let mail = call(&discovery, "mail");
    assert!(mail.coupling.total >= 20 && mail.coupling.hits == 0);
    assert_eq!(mail.class, Class::FireAndForget);
    let forwards = |evidence: &&tidegate_discover::Evidence| evidence.signal == Signal::Forwarding;
    assert!(mail.evidence.iter().find(forwards).is_none());
}

#[test]
fn a_failure_is_put_down_to_the_deepest_call_alone() {
    let mut spans = Vec::new();
    for number in 0..100 {
        let fails = number % 10 == 0;
        let mut one = request(number, fails, false, fails, 30);
        // Stock asks a depot, which is what fails.
        let mut client = one[1].clone();
        let mut server = one[2].clone();
        client["spanId"] = json!(format!("{:0>16}", "f"));
        client["parentSpanId"] = one[2]["spanId"].clone();
        client["service"] = json!("stock");
        client["name"] = json!("POST /pick");
        server["spanId"] = json!(format!("{:0>16}", "1"));
        server["parentSpanId"] = client["spanId"].clone();
        server["service"] = json!("depot");
        server["name"] = json!("POST /pick");
        one.extend([client, server]);
        spans.extend(one);
    }
    let discovery = found(&spans, &Options::default());
    let shop = discovery.endpoints.iter().find(|one| one.service == "shop");
    let lost: Vec<(&str, usize)> = shop
        .unwrap()
        .dependencies
        .iter()
        .map(|one| (one.service.as_str(), one.passed_on.hits))
        .collect();
    assert_eq!(lost, [("depot", 10), ("mail", 0), ("stock", 0)]);
}

#[test]
fn slow_calls_make_requests_slow_by_the_limit_that_is_told() {
    let spans: Vec<Value> = (0..1_000)
        .flat_map(|number| {
            request(
                number,
                false,
                false,
                false,
                if number % 25 == 0 { 200 } else { 30 },
            )
        })
        .collect();
    let options = Options {
        limit: Some(std::time::Duration::from_millis(100)),
        workers: Some(4),
        ..Options::default()
    };
    let discovery = found(&spans, &options);
    let slow = call(&discovery, "mail").slowness.unwrap();
    assert_eq!((slow.with.hits, slow.with.total), (40, 40));
    assert_eq!(slow.without.hits, 0);
    assert!(
        slow.excess.1 > 0.8 && slow.excess.2 <= 1.0 + 1e-9,
        "{slow:?}"
    );
    // Stock is never slow, so nothing is said of it being so.
    let stock = call(&discovery, "stock").slowness;
    assert_eq!(stock.map(|slow| slow.with.total).unwrap_or(0), 0);
    let credit = call(&discovery, "mail").queueing.unwrap();
    assert!(
        credit.is_told && credit.workers == 4 && credit.busy.0 > credit.busy.1,
        "{credit:?}"
    );
}

/// The same requests, of which each says that it stands for so many.
fn sampled(probability: &[f64]) -> Discovery {
    let mut spans = Vec::new();
    for (number, probability) in (0..400).zip(probability.iter().cycle()) {
        let mut one = request(number, false, false, false, 30 + number % 3);
        for span in &mut one {
            span["attributes"] =
                json!([{"key": "sampling.probability", "value": {"doubleValue": probability}}]);
        }
        spans.extend(one);
    }
    found(&spans, &Options::default())
}

#[test]
fn rates_are_those_of_what_sampled_traces_stand_for() {
    let (all, tenth) = (sampled(&[1.0]), sampled(&[0.1]));
    let (one, other) = (call(&all, "mail"), call(&tenth, "mail"));
    let ratio = other.rate.unwrap() / one.rate.unwrap();
    assert!((ratio - 10.0).abs() < 1e-9, "{ratio}");
    assert_eq!((other.peak, other.count), (one.peak * 10, one.count));
    let day = |call: &Call| call.worth.seconds_per_day.unwrap();
    assert!((day(other) / day(one) - 10.0).abs() < 1e-9);
    assert_eq!(one.savings[0].mean, other.savings[0].mean);
    let text = report(&tenth, ReportFormat::Human, Paint::Plain);
    assert!(text.contains("all stand for 4000 requests"), "{text}");
    // Where they differ, what stands for more counts more.
    let uneven = sampled(&[1.0, 0.05, 0.05]);
    assert!(uneven.sampling.is_uneven && !tenth.sampling.is_uneven);
}

#[test]
fn too_many_traces_are_chosen_alike_and_scaled_up() {
    let spans: Vec<Value> = (0..2_000)
        .flat_map(|number| request(number, number % 20 == 0, false, false, 30))
        .collect();
    let text = capture(&spans);
    let chosen_of = |spans: usize, traces: usize| {
        let mut ingest = Ingest::new();
        ingest.read("made", text.as_bytes()).unwrap();
        discover(&ingest.into_chosen(spans, traces).unwrap())
    };
    let chosen = |most: usize| chosen_of(most, usize::MAX);
    let (all, some) = (chosen(usize::MAX), chosen(2_500));
    // How many traces there are is told by a few of them.
    let few = chosen_of(usize::MAX, 500);
    assert!((300..800).contains(&few.traces), "{}", few.traces);
    assert_eq!(few.sampling.traces_read, 2_000);
    assert_eq!(chosen_of(usize::MAX, 10_000).traces, 2_000);
    assert_eq!((all.traces, all.sampling.traces_read), (2_000, 2_000));
    assert!((400..600).contains(&some.traces), "{}", some.traces);
    assert_eq!(
        (some.sampling.traces_read, some.sampling.spans_read),
        (2_000, 10_000)
    );
    let (one, other) = (call(&all, "mail"), call(&some, "mail"));
    let ratio = other.rate.unwrap() / one.rate.unwrap();
    assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
    // A fair choice: the share of failures is that of all.
    let (low, high) = call(&some, "stock").failures.interval().unwrap();
    assert!(low < 0.05 && 0.05 < high, "{low} {high}");
    let json = |discovery: &Discovery| report(discovery, ReportFormat::Json, Paint::Plain);
    assert_eq!(json(&some), json(&chosen(2_500)));
    assert!(report(&some, ReportFormat::Human, Paint::Plain).contains("too many to look at each"));
}

#[test]
fn an_identifier_in_an_attribute_of_the_services_own_is_seen_to_travel() {
    let with = |name: &str, later: bool| {
        let mut spans = Vec::new();
        for number in 0..40_u64 {
            let mut one = request(number, false, false, false, 30);
            let id = format!("{:016x}", (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let attribute = json!([{"key": name, "value": {"stringValue": id}}]);
            // First seen in the answer of stock, then in what mail is asked.
            one[2]["attributes"] = attribute.clone();
            if later {
                one[4]["attributes"] = attribute;
            }
            spans.extend(one);
        }
        found(&spans, &Options::default())
    };
    let class = |discovery: &Discovery| call(discovery, "stock").class.code();
    let used = with("app.reservation", true);
    assert_eq!(class(&used), "NOT_A_CANDIDATE");
    let claims = |discovery: &Discovery| -> Vec<String> {
        let all = call(discovery, "stock").evidence.iter();
        all.map(|evidence| evidence.claim.clone()).collect()
    };
    assert!(
        claims(&used)[0].contains("its answer is used"),
        "{:?}",
        claims(&used)
    );
    let unused = with("app.reservation", false);
    assert_ne!(class(&unused), "NOT_A_CANDIDATE");
}

#[test]
fn the_peak_of_what_was_sampled_is_no_tale_of_chance() {
    // A hundred requests in each second, of which one in ten is kept.
    let random = Random::new(3, "sampled", "");
    let mut spans = Vec::new();
    for request in (0..60_000_u64).filter(|request| random.bits(*request).is_multiple_of(10)) {
        spans.push(json!({
            "traceId": format!("{:032x}", request + 1), "id": "1", "kind": "SERVER", "name": "GET /",
            "timestamp": 1_700_000_000_000_000 + request * 10_000, "duration": 500,
            "localEndpoint": {"serviceName": "shop"}, "tags": {"sampling.probability": "0.1"},
        }));
    }
    let text = Value::from(spans).to_string();
    let traces = read("sampled.json", text.as_bytes()).unwrap();
    let discovery = discover(&[("sampled.json".to_owned(), traces)]);
    let operation = &discovery.operations[0];
    let rate = operation.rate.unwrap();
    assert!((rate - 100.0).abs() < 5.0, "{rate}");
    assert!((100..150).contains(&operation.peak), "{}", operation.peak);
}
