//! Designs: one with everything that the language has, and any.

use proptest::prelude::*;
use proptest::sample::{Select, select, subsequence};
use serde_json::{Map, Value, json};

/// The schema files that designs name.
pub(crate) fn files() -> Vec<(String, String)> {
    let order = r##"{"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://example.com/order", "type": "object", "required": ["orderId"], "properties": {"orderId": {"$ref": "#/definitions/id"}, "lines": {"type": "array", "items": [{"type": "string"}]}}, "definitions": {"id": {"type": "string"}}}"##;
    let avro =
        r#"{"type": "record", "name": "Parcel", "fields": [{"name": "id", "type": "string"}]}"#;
    let proto = "syntax = \"proto3\";\nmessage Audited {\n  string who = 1;\n}\nmessage Other {}\n";
    [
        ("schemas/order.json", order),
        (
            "schemas/order-v2.json",
            r#"{"type": "object", "required": ["orderId"]}"#,
        ),
        ("parcel.avsc", avro),
        ("audited.proto", proto),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .to_vec()
}

/// A design that uses every field of the language.
pub(crate) fn everything() -> Value {
    json!({
        "tidegate": 1,
        "system": "shop",
        "processes": {"checkout": {"summary": "Buying.", "owner": "retail", "criticality": "high", "steps": ["orders", "billing"]}},
        "events": {
            "OrderPlaced": {
                "type": "com.example.order-placed", "summary": "An order: \"new\".\nAnd more.", "owner": "team-orders",
                "schema": "schemas/order.json", "version": "v3",
                "versions": {"v1": {"schema": {"type": "object", "required": ["orderId"], "properties": {"orderId": {"type": "string"}}}}, "v2": {"schema": "schemas/order-v2.json"}},
                "rules": [{"rule": "has(event.orderId)", "because": "it is asked for"}, {"rule": "attributes.source != 'x'"}],
                "key": "/orderId", "compatibility": "full-transitive",
                "retention": "30d", "retention-size": "10GB",
                "backlog": {"events": 1000, "bytes": "1GB", "age": "1h"},
                "targets": {"rate": "2000/s", "peak": "10000/s", "p99": "250ms", "size": "1KiB"}
            },
            "PaymentTaken": {
                "key": "/a~1b/c", "cleanup-policy": "compact", "retention": "36h",
                "schema": {"type": "object", "properties": {"id": {"$ref": "#/$defs/id", "minLength": 3}}, "$defs": {"id": {"type": "string"}}, "unevaluatedProperties": false}
            },
            "ParcelSent": {"schema": "parcel.avsc", "backlog": {"age": "90s"}},
            "Audited": {"schema": "audited.proto#Audited", "targets": {"rate": "1/h"}},
            "Forgotten": {"schema": {"type": "object"}}
        },
        "services": {
            "orders": {"summary": "Takes orders.", "owner": "team-orders", "publishes": ["Audited", {"event": "OrderPlaced", "versions": ["v1", "v3"]}]},
            "billing": {
                "publishes": ["PaymentTaken"],
                "consumes": {"OrderPlaced": {
                    "requires": ["orderId", {"field": "/lines/0", "presence": "optional", "type": "string", "values": ["a", 1, null, true], "because": "that is all we know"}, {"rule": "has(event.orderId)", "because": "it is promised"}],
                    "reads": "v2",
                    "deliver": {"to": "http://localhost:9001/events", "concurrency": 4, "limit": "adaptive", "rate": "50/s", "burst": 7, "timeout": "5s", "handler-time": "40ms", "transaction": "postgres"},
                    "order": "total", "guarantee": "exactly-once-effect", "replay": "allowed",
                    "needs": ["payments-api", "ledger"],
                    "retry": {"backoff": "linear", "initial": "150ms", "max": "90s", "jitter": "decorrelated", "attempts": 5, "age": "1h", "budget": "20%", "mode": "non-blocking"},
                    "dead-letter": {"owner": "team-billing", "retention": "60d", "followers": "continue", "budget": "1%"},
                    "emits": [], "objective": "45s"
                }}
            },
            "shipping": {
                "publishes": ["ParcelSent"],
                "consumes": {"OrderPlaced": {"dead-letter": {}}}
            },
            "idle": {}
        },
        "dependencies": {
            "payments-api": {"summary": "Takes money.", "owner": "team-billing", "concurrency": 32, "breaker": {"failure-rate": "20%", "minimum": 50, "window": "1m", "open": "30s", "probes": 3}},
            "ledger": {}
        },
        "messaging": {"broker": "kafka", "existing": ["kafka", "postgres"], "clouds": ["self-hosted", "aws"], "requires": ["replay"], "weights": {"latency": 2.0, "durability": 1.0}}
    })
}

const EVENTS: [&str; 6] = ["A", "a.b", "a_b", "B-1", "end", "1"];
const SERVICES: [&str; 4] = ["a", "a.b", "send", "end"];
const DEPENDENCIES: [&str; 3] = ["api", "a.b", "1"];

/// One of some values, or nothing.
fn maybe(values: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(select(values))
}

fn durations() -> Select<&'static str> {
    select(
        &[
            "1ns", "1500us", "250ms", "7d", "30s", "36h", "90s", "100ms", "10s", "30d",
        ][..],
    )
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[a-zA-Z0-9:#'\"{}é -]{1,12}".prop_map(|text| format!("x{text}x")))
}

fn names(all: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(all, 0..=all.len())
}

/// Puts what is there.
fn set(map: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value.into());
    }
}

/// How long and how much is kept, and when producers are refused.
fn storage() -> impl Strategy<Value = Map<String, Value>> {
    let backlog = (
        prop::option::of(1_u32..9),
        prop::option::of(durations()),
        maybe(&["5MB"]),
    );
    (
        prop::option::of(durations()),
        maybe(&["1B", "1KiB", "10GB"]),
        maybe(&["compact", "delete"]),
        prop::option::of(backlog),
    )
        .prop_map(|(retention, size, policy, backlog)| {
            let mut event = Map::new();
            set(&mut event, "retention", retention);
            set(&mut event, "retention-size", size);
            set(&mut event, "cleanup-policy", policy);
            if let Some((events, age, bytes)) = backlog {
                let mut limits = Map::new();
                set(&mut limits, "events", events);
                set(&mut limits, "age", age);
                set(&mut limits, "bytes", bytes);
                event.insert("backlog".to_owned(), Value::Object(limits));
            }
            event
        })
}

fn targets() -> impl Strategy<Value = Map<String, Value>> {
    (
        maybe(&["1/h", "10/s"]),
        maybe(&["1.5k/s"]),
        prop::option::of(durations()),
        maybe(&["2KiB"]),
    )
        .prop_map(|(rate, peak, p99, bytes)| {
            let mut wanted = Map::new();
            set(&mut wanted, "rate", rate);
            set(&mut wanted, "peak", peak);
            set(&mut wanted, "p99", p99);
            set(&mut wanted, "size", bytes);
            wanted
        })
}

fn event() -> impl Strategy<Value = Value> {
    let schemas = select(vec![
        None,
        Some(
            json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}),
        ),
        Some(json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": [true]})),
        Some(
            json!({"type": "object", "properties": {"x": {"$ref": "#"}, "y": {"$ref": "#/properties/x"}}}),
        ),
        Some(json!("schemas/order.json")),
        Some(json!("parcel.avsc")),
        Some(json!("audited.proto#Audited")),
        Some(json!("audited.proto#Other")),
    ]);
    let compatibility = maybe(&["none", "full", "backward"]);
    let key = maybe(&["/id", "/a~1b"]);
    (
        text(),
        text(),
        schemas,
        key,
        compatibility,
        storage(),
        targets(),
    )
        .prop_map(
            |(summary, owner, schema, key, compatibility, mut event, targets)| {
                set(&mut event, "summary", summary);
                set(&mut event, "owner", owner);
                set(&mut event, "schema", schema);
                set(&mut event, "key", key);
                set(&mut event, "compatibility", compatibility);
                if !targets.is_empty() {
                    event.insert("targets".to_owned(), Value::Object(targets));
                }
                Value::Object(event)
            },
        )
}

/// First and longest delays: the longest is not below the first, 30s without one.
const DELAYS: &[(Option<&str>, Option<&str>)] = &[
    (None, None),
    (Some("1ns"), Some("30d")),
    (Some("1500us"), None),
    (None, Some("90s")),
    (Some("10s"), Some("10s")),
];

/// Rules for classes of failures; every first delay is below every longest one.
fn classes() -> impl Strategy<Value = Option<Value>> {
    let own = (
        maybe(&["constant", "linear", "exponential"]),
        prop::option::of(0_u32..3),
        maybe(&["5ms", "9ms"]),
        maybe(&["10m", "1h30m"]),
        maybe(&["none", "decorrelated"]),
        1_u32..20,
    );
    let own = own.prop_map(|(backoff, immediate, initial, max, jitter, attempts)| {
        let mut rule = Map::new();
        set(&mut rule, "backoff", backoff);
        set(&mut rule, "immediate", immediate);
        set(&mut rule, "initial", initial);
        set(&mut rule, "max", max);
        set(&mut rule, "jitter", jitter);
        set(&mut rule, "attempts", Some(attempts));
        Value::Object(rule)
    });
    let rule = prop_oneof![Just(json!("park")), Just(json!("retry")), own];
    let class = select(
        &[
            "retryable",
            "unavailable",
            "timeout",
            "overload",
            "permanent",
        ][..],
    );
    let rules = prop::collection::btree_map(class, rule, 1..4);
    let rules = rules.prop_map(|rules| {
        let rules = rules.into_iter();
        Value::Object(
            rules
                .map(|(class, rule)| (class.to_owned(), rule))
                .collect(),
        )
    });
    prop::option::of(rules)
}

fn retry() -> impl Strategy<Value = Value> {
    (
        maybe(&["constant", "linear", "exponential"]),
        (select(DELAYS), prop::option::of(durations())),
        maybe(&["none", "equal"]),
        prop::option::of(1_u32..20),
        maybe(&["20%", "0.3", "33%"]),
        maybe(&["non-blocking"]),
        classes(),
    )
        .prop_map(
            |(backoff, ((initial, max), age), jitter, attempts, budget, mode, classes)| {
                let mut retry = Map::new();
                set(&mut retry, "backoff", backoff);
                set(&mut retry, "initial", initial);
                set(&mut retry, "max", max);
                set(&mut retry, "age", age);
                set(&mut retry, "jitter", jitter);
                set(&mut retry, "attempts", attempts);
                set(&mut retry, "budget", budget);
                set(&mut retry, "mode", mode);
                set(&mut retry, "classes", classes);
                Value::Object(retry)
            },
        )
}

fn deliver() -> impl Strategy<Value = Value> {
    (
        maybe(&["http://localhost:9001/a?b=c"]),
        prop::option::of(1_u32..40),
        maybe(&["adaptive"]),
        maybe(&["50/s", "1/d"]),
        prop::option::of(1_u32..9),
        prop::option::of(durations()),
        maybe(&["postgres", "log"]),
    )
        .prop_map(
            |(to, concurrency, limit, rate, burst, timeout, transaction)| {
                let mut deliver = Map::new();
                set(&mut deliver, "to", to);
                set(&mut deliver, "concurrency", concurrency);
                set(&mut deliver, "limit", limit);
                set(&mut deliver, "rate", rate);
                set(&mut deliver, "burst", burst);
                set(&mut deliver, "timeout", timeout);
                set(&mut deliver, "transaction", transaction);
                Value::Object(deliver)
            },
        )
}

fn consume() -> impl Strategy<Value = Value> {
    let words = (
        maybe(&["none", "key", "total"]),
        maybe(&["deduplicated", "exactly-once-effect"]),
        maybe(&["allowed", "refused"]),
    );
    let letter = prop::option::of((
        text(),
        prop::option::of(durations()),
        maybe(&["wait", "continue"]),
        maybe(&["1%"]),
    ));
    (
        words,
        deliver(),
        retry(),
        letter,
        names(&DEPENDENCIES),
        prop::option::of(names(&EVENTS)),
        prop::option::of(durations()),
    )
        .prop_map(
            |((order, guarantee, replay), deliver, retry, letter, needs, emits, objective)| {
                let mut consume = Map::new();
                set(&mut consume, "order", order);
                set(&mut consume, "guarantee", guarantee);
                set(&mut consume, "replay", replay);
                consume.insert("deliver".to_owned(), deliver);
                consume.insert("retry".to_owned(), retry);
                consume.insert("needs".to_owned(), json!(needs));
                set(&mut consume, "emits", emits);
                set(&mut consume, "objective", objective);
                if let Some((owner, retention, followers, budget)) = letter {
                    let mut letter = Map::new();
                    set(&mut letter, "owner", owner);
                    set(&mut letter, "retention", retention);
                    set(&mut letter, "followers", followers);
                    set(&mut letter, "budget", budget);
                    consume.insert("dead-letter".to_owned(), Value::Object(letter));
                }
                Value::Object(consume)
            },
        )
}

/// Any design whose parts exist.
pub(crate) fn any() -> impl Strategy<Value = Value> {
    let services = prop::collection::vec(
        (
            text(),
            text(),
            names(&EVENTS),
            prop::collection::vec(prop::option::weighted(0.4, consume()), EVENTS.len()),
        ),
        SERVICES.len(),
    );
    let dependencies = prop::collection::vec(
        (
            text(),
            prop::option::of(1_u32..9),
            maybe(&["20%", "50%"]),
            prop::option::of(durations()),
        ),
        DEPENDENCIES.len(),
    );
    let events = prop::collection::vec(event(), EVENTS.len());
    (events, services, dependencies, maybe(&["kafka", "embedded"]), text()).prop_map(|(events, services, dependencies, broker, owner)| {
        let mut all = Map::new();
        for (name, event) in EVENTS.iter().zip(events) {
            all.insert((*name).to_owned(), event);
        }
        let mut parts = Map::new();
        for (name, (summary, owner, publishes, consumes)) in SERVICES.iter().zip(services) {
            let mut service = Map::new();
            set(&mut service, "summary", summary);
            set(&mut service, "owner", owner);
            service.insert("publishes".to_owned(), json!(publishes));
            let consumes = EVENTS.iter().zip(consumes).filter_map(|(event, consume)| Some(((*event).to_owned(), consume?)));
            service.insert("consumes".to_owned(), Value::Object(consumes.collect()));
            parts.insert((*name).to_owned(), Value::Object(service));
        }
        let mut needed = Map::new();
        for (name, (summary, concurrency, rate, open)) in DEPENDENCIES.iter().zip(dependencies) {
            let mut dependency = Map::new();
            set(&mut dependency, "summary", summary);
            set(&mut dependency, "concurrency", concurrency);
            let mut breaker = Map::new();
            set(&mut breaker, "failure-rate", rate);
            set(&mut breaker, "open", open);
            dependency.insert("breaker".to_owned(), Value::Object(breaker));
            needed.insert((*name).to_owned(), Value::Object(dependency));
        }
        let mut design = json!({
            "tidegate": 1, "system": "any", "events": all, "services": parts, "dependencies": needed,
            "processes": {"p": {"steps": ["a", "send"]}},
        });
        if let Some(owner) = owner {
            design["processes"]["p"]["owner"] = owner.into();
        }
        if let Some(broker) = broker {
            design["messaging"] = json!({"broker": broker});
        }
        design
    })
}
