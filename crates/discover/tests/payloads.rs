//! Schemas and keys of drafts, from what spans tell of payloads; and recordings of sampled captures.
#![cfg(test)]

use std::time::Duration;

use serde_json::{Value, json};
use tidegate_base::{Name, Random};
use tidegate_discover::{Draft, discover, draft};
use tidegate_model::{Severity, Source};
use tidegate_trace::Ingest;

/// One order of a shop that mails while the customer waits.
struct Order<'a> {
    number: u64,
    /// Of the span that asks the mailer.
    asking: &'a dyn Fn(u64) -> Value,
    /// Of the span that answers.
    answering: &'a dyn Fn(u64) -> Value,
    /// With what probability its trace was kept.
    kept: f64,
}

fn attributes(values: &Value) -> Vec<Value> {
    let each = values.as_object().into_iter().flatten();
    each.map(|(name, value)| match value {
        Value::String(text) => json!({"key": name, "value": {"stringValue": text}}),
        Value::Bool(flag) => json!({"key": name, "value": {"boolValue": flag}}),
        Value::Number(number) if number.is_f64() => {
            json!({"key": name, "value": {"doubleValue": number}})
        }
        other => json!({"key": name, "value": {"intValue": other.to_string()}}),
    })
    .collect()
}

impl Order<'_> {
    /// The spans of both services.
    fn spans(&self) -> [Value; 2] {
        const MS: u64 = 1_000_000;
        let random = Random::new(7, "order", "");
        let start = 1_700_000_000_000 * MS + self.number * 100 * MS;
        let times = Duration::from_millis(20).mul_f64(random.exponential(self.number));
        let took = u64::try_from(times.as_nanos()).unwrap() + MS;
        let span = |id: u64,
                    parent: Option<u64>,
                    kind: u8,
                    name: &str,
                    (from, to): (u64, u64),
                    own: &Value| {
            let mut span = json!({
                "traceId": format!("{:032x}", self.number + 1), "spanId": format!("{:016x}", self.number * 9 + id),
                "name": name, "kind": kind,
                "startTimeUnixNano": (start + from).to_string(), "endTimeUnixNano": (start + to).to_string(),
                "attributes": attributes(own),
            });
            if let Some(parent) = parent {
                span["parentSpanId"] = format!("{:016x}", self.number * 9 + parent).into();
            }
            span
        };
        let status = json!({"http.request.method": "POST", "http.route": "/checkout",
            "http.response.status_code": 201, "sampling.probability": self.kept});
        let mut asking = (self.asking)(self.number);
        let mut answering = (self.answering)(self.number);
        for own in [&mut asking, &mut answering] {
            own["http.request.method"] = "POST".into();
            own["http.response.status_code"] = 202.into();
            own["http.response.body.size"] = 0.into();
        }
        answering["http.route"] = "/orders/{id}/mails".into();
        let end = 3 * MS + took;
        [
            json!([
                span(1, None, 2, "POST /checkout", (0, end + 2 * MS), &status),
                span(2, Some(1), 4 - 1, "POST", (2 * MS, end), &asking),
            ]),
            json!([span(
                3,
                Some(2),
                2,
                "POST /orders/{id}/mails",
                (2 * MS + 1000, 2 * MS + 1000 + took),
                &answering
            )]),
        ]
    }
}

/// A capture of orders with these numbers, in this order.
fn capture(numbers: &[u64], order: &dyn Fn(u64) -> [Value; 2]) -> String {
    let mut spans = [Vec::new(), Vec::new()];
    for number in numbers {
        for (all, own) in spans.iter_mut().zip(order(*number)) {
            all.extend(own.as_array().unwrap().iter().cloned());
        }
    }
    let [shop, mailer] = spans;
    let resource = |name: &str, spans: Vec<Value>| json!({"resource": {"attributes": attributes(&json!({"service.name": name}))}, "scopeSpans": [{"spans": spans}]});
    json!({"resourceSpans": [resource("shop", shop), resource("mailer", mailer)]}).to_string()
}

fn drafted(capture: &str) -> Draft {
    let mut ingest = Ingest::new().with_payloads();
    ingest.read("shop.json", capture.as_bytes()).unwrap();
    let captures = ingest.into_captures().unwrap();
    draft(&discover(&captures), Name::new("shop").unwrap())
}

fn nothing(_: u64) -> Value {
    json!({})
}

/// The draft of so many orders with these attributes.
fn of(count: u64, asking: &dyn Fn(u64) -> Value, answering: &dyn Fn(u64) -> Value) -> Draft {
    let numbers: Vec<u64> = (0..count).collect();
    let order = |number| {
        let order = Order {
            number,
            asking,
            answering,
            kept: 1.0,
        };
        order.spans()
    };
    drafted(&capture(&numbers, &order))
}

fn file<'a>(draft: &'a Draft, path: &str) -> &'a str {
    let found = draft.files.iter().find(|(name, _)| name == path);
    found.map(|(_, text)| text.as_str()).unwrap()
}

const SCHEMA: &str = "schemas/mailer-mails-requested.json";

fn schema(draft: &Draft) -> Value {
    serde_json::from_str(file(draft, SCHEMA)).unwrap()
}

/// The design has no finding that is not a note.
fn reads(draft: &Draft) {
    let source = Source {
        name: "design.yaml".into(),
        text: file(draft, "design.yaml").to_owned(),
    };
    let reading = tidegate_model::read(&[source], &|path| Ok(file(draft, &path.path()).to_owned()));
    let bad = reading
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Note);
    assert_eq!(bad.count(), 0, "{:#?}", reading.findings);
}

fn body(number: u64) -> Value {
    let mut body = json!({
        "orderId": format!("order-{number}"), "customerId": format!("c{}", number % 7), "amount": 12,
        "express": number.is_multiple_of(2), "at": format!("2026-01-01T00:00:{:02}Z", number % 60),
        "country": if number.is_multiple_of(2) { "DE" } else { "FR" },
        "lines": [{"sku": "a", "count": 1}, {"sku": "b", "count": 2, "gift": true}],
        "to": {"name": "Ann Example", "mail": "ann@example.com"},
    });
    if number.is_multiple_of(4) {
        body["coupon"] = "SECRET-COUPON".into();
    }
    if number.is_multiple_of(5) {
        body["amount"] = 12.5.into();
    }
    json!({"app.request.body": body.to_string()})
}

#[test]
fn a_body_becomes_the_schema_and_its_identity_the_key() {
    let draft = of(40, &body, &|_| json!({"payload.locale": "de"}));
    reads(&draft);
    insta::assert_snapshot!("order_schema", file(&draft, SCHEMA));
    let design = file(&draft, "design.yaml");
    assert!(
        design.contains("key: /orderId   # in all of 40 payloads, with 40 different values\n"),
        "{design}"
    );
    assert!(design.contains("requires: [orderId]\n"), "{design}");
    let readme = file(&draft, "README.md");
    assert!(
        readme.contains("the schema of MailerMailsRequested, from 40 of 40 calls"),
        "{readme}"
    );
}

#[test]
fn no_value_is_in_a_draft() {
    let draft = of(40, &body, &nothing);
    for (path, text) in &draft.files {
        for value in [
            "Ann",
            "example.com",
            "SECRET",
            "order-1",
            "\"DE\"",
            "2026-01-01T00",
        ] {
            assert!(!text.contains(value), "{value} in {path}");
        }
    }
}

#[test]
fn the_order_of_spans_changes_nothing() {
    let order = |number| {
        Order {
            number,
            asking: &body,
            answering: &nothing,
            kept: 1.0,
        }
        .spans()
    };
    let forwards: Vec<u64> = (0..40).collect();
    let backwards: Vec<u64> = forwards.iter().rev().copied().collect();
    let one = drafted(&capture(&forwards, &order));
    let other = drafted(&capture(&backwards, &order));
    assert_eq!(one.files, other.files);
}

#[test]
fn without_an_identity_for_sure_the_key_stays_an_id_of_its_own() {
    let cases: [&dyn Fn(u64) -> Value; 4] = [
        // Few values; of a message; two that could be it; not in all.
        &|n| json!({"payload.shopId": n % 3}),
        &|n| json!({"payload.messageId": n}),
        &|n| json!({"payload.personId": n, "payload.parcelId": n}),
        &|n| {
            if n.is_multiple_of(9) {
                json!({"payload.to": "x"})
            } else {
                json!({"payload.orderId": n})
            }
        },
    ];
    for (index, case) in cases.into_iter().enumerate() {
        let draft = of(30, case, &nothing);
        reads(&draft);
        let design = file(&draft, "design.yaml");
        assert!(
            design.contains("    key: /id\n") && design.contains("requires: [id]\n"),
            "{index}"
        );
        let schema = schema(&draft);
        assert_eq!(schema["properties"]["id"]["type"], "string", "{index}");
        let required = schema["required"].as_array().unwrap();
        assert!(required.contains(&"id".into()), "{index}: {schema}");
    }
}

#[test]
fn an_identity_inside_is_the_key_where_it_is_called_after_the_operation() {
    let draft = of(
        30,
        &nothing,
        &|n| json!({"app.order.id": n, "app.user.id": format!("u{n}"), "app.order.items.count": 3, "app.paid": true}),
    );
    reads(&draft);
    let design = file(&draft, "design.yaml");
    assert!(
        design.contains("    key: /order/id   #") && design.contains("requires: [\"/order/id\"]\n"),
        "{design}"
    );
    let schema = schema(&draft);
    assert_eq!(
        schema["properties"]["order"]["properties"],
        json!({"id": {"type": "integer"}})
    );
    assert_eq!(schema["properties"]["paid"]["type"], "boolean");
    assert!(
        schema["description"]
            .as_str()
            .unwrap()
            .contains("beside payloads"),
        "{schema}"
    );
}

#[test]
fn names_that_are_values_are_in_no_schema() {
    let draft = of(
        40,
        &|n| {
            let stock: serde_json::Map<String, Value> = (0..30)
                .map(|k| (format!("person{}", n * 30 + k), 1.into()))
                .collect();
            json!({"payload": json!({"orderId": n, "stock": stock}).to_string()})
        },
        &nothing,
    );
    let schema = schema(&draft);
    assert_eq!(schema["properties"]["stock"], json!({"type": "object"}));
    assert!(!file(&draft, SCHEMA).contains("person"));
}

#[test]
fn a_uuid_that_is_the_key_may_be_any_text() {
    let draft = of(
        20,
        &|n| json!({"payload.orderId": format!("3f2504e0-4f89-11d3-9a0c-{n:012x}")}),
        &nothing,
    );
    let id = &schema(&draft)["properties"]["orderId"];
    assert_eq!(
        id,
        &json!({"type": "string", "description": "Every value seen is a uuid."})
    );
}

#[test]
fn a_sampled_capture_is_recorded_at_the_real_rate() {
    let numbers: Vec<u64> = (0..400).collect();
    let order = |number| {
        Order {
            number,
            asking: &nothing,
            answering: &nothing,
            kept: 0.3,
        }
        .spans()
    };
    let draft = drafted(&capture(&numbers, &order));
    let stream = draft.recording.streams.values().next().unwrap();
    let design = file(&draft, "design.yaml");
    let rate = stream.arrivals.len() as f64 / draft.recording.duration.as_secs_f64();
    // 10/s were kept of 33.3/s.
    assert!((rate - 33.3).abs() < 0.5, "{rate}");
    assert!(design.contains("rate: 33.4"), "{design}");
    for text in [design, file(&draft, "README.md"), &draft.recording.origin] {
        assert!(text.contains("a kept call stands for 3.33"), "{text}");
    }
    assert!(stream.arrivals.is_sorted_by_key(|arrival| arrival.offset));
    let last = stream.arrivals.last().unwrap();
    assert!(last.offset <= draft.recording.duration);
    let mut keys: Vec<&str> = stream
        .arrivals
        .iter()
        .map(|arrival| arrival.key.as_str())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), stream.arrivals.len());
}

#[test]
fn the_handler_time_of_a_draft_is_the_mean() {
    let draft = of(200, &nothing, &nothing);
    let stream = draft.recording.streams.values().next().unwrap();
    let times = stream.arrivals.iter().map(|arrival| arrival.handler_time);
    let mean = times.sum::<Duration>() / 200;
    let written = format!(
        "handler-time: {}   # mean of 200; median",
        tidegate_base::format_duration(mean)
    );
    let design = file(&draft, "design.yaml");
    assert!(design.contains(&written), "{written} in {design}");
    assert!(
        design.contains("squared coefficient of variation"),
        "{design}"
    );
}
