//! Changes put into a design on purpose, and into one that is changed back: each is found by its code,
//! and nothing else is.

use std::collections::BTreeSet;

use tidegate_contracts::past::FIELDS;

use crate::designs::{SHOP, changes, codes, edited};

/// One change: the field, the text of before, the text of after, what is found, and what is found
/// when it is taken back.
type Seed = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

#[rustfmt::skip]
pub(crate) const SEEDS: &[Seed] = &[
    ("system", "system: shop", "system: store", &["e1001 risky"], &["e1001 risky"]),
    ("processes", "  checkout:\n    summary: From basket to parcel.\n    owner: head-of-shop\n    criticality: high\n    steps: [orders, billing]\n", "", &["e1037 risky"], &["e1059 harmless"]),
    ("processes", "  returns: {criticality: low, steps: [orders]}\n", "", &["e1059 harmless"], &["e1059 harmless"]),
    ("processes.*.summary", "From basket to parcel.", "From basket to door.", &["e1059 harmless"], &["e1059 harmless"]),
    ("processes.*.owner", "owner: head-of-shop", "owner: head-of-sales", &["e1059 harmless"], &["e1059 harmless"]),
    ("processes.*.criticality", "criticality: high", "criticality: medium", &["e1037 risky"], &["e1059 harmless"]),
    ("processes.*.steps", "steps: [orders, billing]", "steps: [orders]", &["e1059 harmless"], &["e1059 harmless"]),
    ("events", "  Forgotten: {summary: Nobody publishes or consumes it.}\n", "", &["e1059 harmless"], &["e1059 harmless"]),
    ("services", "publishes: [OrderPlaced, Unheard]}", "publishes: [OrderPlaced, Unheard]}\n  more: {owner: team-more}", &["e1059 harmless"], &["e1015 risky"]),
    ("events.*.type", "type: com.shop.order.placed", "type: com.shop.order.taken", &["e1003 breaking"], &["e1003 breaking"]),
    ("events.*.summary", "A customer's order was accepted.", "An order was taken.", &["e1059 harmless"], &["e1059 harmless"]),
    ("events.*.owner", "owner: team-orders\n    schema", "owner: team-checkout\n    schema", &["e1059 harmless"], &["e1059 harmless"]),
    ("events.*.schema", "total: {type: integer}}, required: [orderId]", "total: {type: integer}}, required: [orderId, total]", &["e1004 breaking"], &["e1004 breaking"]),
    ("events.*.schema", "total: {type: integer}", "total: {type: [integer]}", &["e1059 harmless"], &["e1059 harmless"]),
    ("events.*.schema", ", schema: {type: object, properties: {number: {type: integer}}}", "", &["e1007 risky"], &["e1008 risky"]),
    ("events.*.schema", "    schema: {type: object, properties: {orderId: {type: string}, total: {type: integer}}, required: [orderId], additionalProperties: false}\n", "", &["e1007 breaking"], &["e1008 risky"]),
    ("events.*.version", "version: v2", "version: v3", &["e1059 harmless"], &["e1059 harmless"]),
    ("events.*.versions", "versions: {v1: {schema: {type: object, properties: {price: {type: string}}}}}, ", "", &["e1038 risky"], &["e1059 harmless"]),
    ("events.*.versions.*.schema", "{price: {type: string}}", "{price: {type: boolean}}", &["e1038 risky"], &["e1038 risky"]),
    ("events.*.rules", "event.price > 1.0", "event.price > 2.0", &["e1039 risky"], &["e1039 risky"]),
    ("events.*.rules", ", rules: [{rule: \"event.price > 1.0\"}]", "", &["e1039 risky"], &["e1039 risky"]),
    ("services.*.consumes.*.reads", "reads: current, ", "", &["e1059 harmless"], &["e1059 harmless"]),
    ("services.*.consumes.*.requires", "requires: [orderId]", "requires: [{field: orderId, type: string}]", &["e1020 risky", "e1059 harmless"], &["e1059 harmless"]),
    ("services.*.consumes.*.requires", "requires: [orderId]", "requires: [orderId, {rule: \"event.total > 0\"}]", &["e1020 risky"], &["e1059 harmless"]),
    ("events.*.key", "key: /orderId", "key: /total", &["e1010 breaking"], &["e1010 breaking"]),
    ("events.*.key", "    key: /orderId\n", "", &["e1010 breaking"], &["e1010 risky"]),
    ("events.*.key", "{summary: Money came., key: /number}", "{summary: Money came.}", &["e1010 breaking"], &["e1010 risky"]),
    ("events.*.compatibility", "compatibility: full", "compatibility: backward", &["e1009 risky"], &["e1059 harmless"]),
    ("events.*.compatibility", "compatibility: full", "compatibility: none", &["e1009 risky"], &["e1059 harmless"]),
    ("events.*.compatibility", "compatibility: full", "compatibility: full-transitive", &["e1059 harmless"], &["e1009 risky"]),
    ("events.*.retention", "retention: 7d", "retention: 1d", &["e1011 risky"], &["e1059 harmless"]),
    ("events.*.retention", "retention: 7d", "retention: 1m", &["e1011 breaking"], &["e1059 harmless"]),
    ("events.*.retention-size", "retention-size: 10GB", "retention-size: 1GB", &["e1011 risky"], &["e1059 harmless"]),
    ("events.*.retention-size", "    retention-size: 10GB\n", "", &["e1059 harmless"], &["e1011 risky"]),
    ("events.*.cleanup-policy", "cleanup-policy: delete", "cleanup-policy: compact", &["e1012 breaking"], &["e1012 breaking"]),
    ("events.*.backlog", "    backlog: {events: 1000, bytes: 1GB, age: 1h}\n", "", &["e1059 harmless"], &["e1013 risky"]),
    ("events.*.backlog.events", "events: 1000", "events: 100", &["e1013 risky"], &["e1059 harmless"]),
    ("events.*.backlog.bytes", "bytes: 1GB", "bytes: 1MB", &["e1013 risky"], &["e1059 harmless"]),
    ("events.*.backlog.age", "1GB, age: 1h", "1GB, age: 1m", &["e1013 risky"], &["e1059 harmless"]),
    ("events.*.targets", "    targets: {rate: 10/s, peak: 50/s, p99: 10s, size: 1KiB}\n", "", &["e1014 risky"], &["e1059 harmless"]),
    ("events.*.targets.rate", "rate: 10/s", "rate: 5/s", &["e1014 risky"], &["e1059 harmless"]),
    ("events.*.targets.peak", "peak: 50/s", "peak: 20/s", &["e1014 risky"], &["e1059 harmless"]),
    ("events.*.targets.p99", "p99: 10s", "p99: 20s", &["e1014 risky"], &["e1059 harmless"]),
    ("events.*.targets.size", "size: 1KiB", "size: 512B", &["e1014 risky"], &["e1059 harmless"]),
    ("services", "  archive: {owner: team-data, consumes: {InvoiceSent: {reads: current, needs: [disk]}}}\n", "", &["e1015 risky"], &["e1019 risky", "e1059 harmless"]),
    ("services", "  orders: {summary: Takes orders., owner: team-orders, publishes: [OrderPlaced, Unheard]}\n", "", &["e1015 breaking"], &["e1059 harmless"]),
    ("services.*.summary", "Takes orders.", "Takes all orders.", &["e1059 harmless"], &["e1059 harmless"]),
    ("services.*.owner", "owner: team-mail", "owner: team-post", &["e1059 harmless"], &["e1059 harmless"]),
    ("services.*.publishes", "publishes: [InvoiceSent, InvoicePaid]", "publishes: [InvoiceSent]", &["e1016 breaking"], &["e1059 harmless"]),
    ("services.*.publishes", "publishes: [OrderPlaced, Unheard]", "publishes: [OrderPlaced]", &["e1016 risky"], &["e1059 harmless"]),
    ("services.*.publishes", "publishes: [OrderPlaced, Unheard]", "publishes: [OrderPlaced, Unheard, InvoicePaid]", &["e1059 harmless"], &["e1016 risky"]),
    ("services.*.consumes", "      InvoicePaid: {dead-letter: {}}\n", "", &["e1018 risky"], &["e1019 risky"]),
    ("services.*.consumes.*.requires", "requires: [orderId]", "requires: [orderId, total]", &["e1020 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.requires", "        requires: [orderId]\n", "", &["e1059 harmless"], &["e1059 harmless"]),
    ("services.*.consumes.*.deliver", "      InvoiceSent: {}\n", "      InvoiceSent: {deliver: {concurrency: 3}}\n", &["e1023 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.deliver.to", "https://billing.shop/events", "https://billing.shop/v2", &["e1022 risky"], &["e1022 risky"]),
    ("services.*.consumes.*.deliver.to", "to: \"https://billing.shop/events\", ", "", &["e1021 breaking"], &["e1021 breaking"]),
    ("services.*.consumes.*.deliver.concurrency", "concurrency: 16", "concurrency: 4", &["e1023 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.deliver.limit", "limit: fixed", "limit: adaptive", &["e1059 harmless"], &["e1059 harmless"]),
    ("services.*.consumes.*.deliver.rate", "rate: 50/s, burst", "rate: 20/s, burst", &["e1023 risky"], &["e1024 risky"]),
    ("services.*.consumes.*.deliver", "rate: 50/s, burst: 100, ", "", &["e1024 risky", "e1059 harmless"], &["e1023 risky", "e1059 harmless"]),
    ("services.*.consumes.*.deliver.burst", "burst: 100", "burst: 10", &["e1059 harmless"], &["e1059 harmless"]),
    ("services.*.consumes.*.deliver.timeout", "timeout: 5s", "timeout: 1s", &["e1025 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.deliver.handler-time", "handler-time: 20ms", "handler-time: 40ms", &["e1059 harmless"], &["e1059 harmless"]),
    ("services.*.consumes.*.deliver.transaction", "transaction: postgres", "transaction: sqlite", &["e1026 breaking"], &["e1026 breaking"]),
    ("services.*.consumes.*.deliver.transaction", ", transaction: postgres", "", &["e1026 breaking"], &["e1026 risky"]),
    ("services.*.consumes.*.order", "order: key", "order: none", &["e1027 breaking"], &["e1059 harmless"]),
    ("services.*.consumes.*.order", "order: key", "order: total", &["e1059 harmless"], &["e1027 breaking"]),
    ("services.*.consumes.*.guarantee", "guarantee: exactly-once-effect", "guarantee: deduplicated", &["e1028 breaking"], &["e1059 harmless"]),
    ("services.*.consumes.*.guarantee", "guarantee: exactly-once-effect", "guarantee: kafka-transaction", &["e1028 breaking"], &["e1028 breaking"]),
    ("services.*.consumes.*.guarantee", "guarantee: exactly-once-effect\n        replay: refused", "guarantee: at-least-once", &["e1028 breaking"], &["e1059 harmless"]),
    ("services.*.consumes.*.replay", "replay: refused", "replay: allowed", &["e1029 risky"], &["e1029 risky"]),
    ("services.*.consumes.*.needs", "        needs: [payments]\n", "", &["e1024 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.needs", "needs: [payments]", "needs: [payments, idle]", &["e1059 harmless"], &["e1024 risky"]),
    ("services.*.consumes.*.retry", "initial: 1s, max: 1m, jitter: full, attempts: 8", "initial: 2s, max: 2m, jitter: full, attempts: 9", &["e1059 harmless"], &["e1030 risky"]),
    ("services.*.consumes.*.retry.backoff", "backoff: exponential", "backoff: constant", &["e1030 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.immediate", "attempts: 8", "immediate: 2, attempts: 8", &["e1030 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.initial", "initial: 1s", "initial: 100ms", &["e1030 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.max", "max: 1m", "max: 10s", &["e1030 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.jitter", "jitter: full", "jitter: none", &["e1024 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.attempts", "attempts: 8", "attempts: 3", &["e1030 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.age", "8, age: 1h", "8, age: 1m", &["e1030 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.age", "8, age: 1h", "8, age: 2h", &["e1059 harmless"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.classes", "attempts: 8", "attempts: 8, classes: {timeout: {max: 2h}}", &["e1059 harmless"], &["e1030 risky"]),
    ("services.*.consumes.*.retry.classes.timeout", "attempts: 8", "attempts: 8, classes: {timeout: {attempts: 3}}", &["e1030 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.classes.unavailable", "attempts: 8", "attempts: 8, classes: {unavailable: park}", &["e1030 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.classes.retryable", "attempts: 8", "attempts: 8, classes: {retryable: {initial: 10ms}}", &["e1030 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.classes.permanent", "attempts: 8", "attempts: 8, classes: {permanent: retry}", &["e1059 harmless"], &["e1030 risky"]),
    ("services.*.consumes.*.retry.classes.overload", "attempts: 8", "attempts: 8, classes: {overload: retry}", &["e1030 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.classes.endpoint-fault", "attempts: 8", "attempts: 8, classes: {endpoint-fault: retry}", &["e1059 harmless"], &["e1059 harmless"]),
    ("services.*.consumes.*.retry.budget", "budget: 20%", "budget: 10%", &["e1030 risky"], &["e1024 risky"]),
    ("services.*.consumes.*.retry.mode", "mode: blocking", "mode: non-blocking", &["e1027 breaking"], &["e1059 harmless"]),
    ("services.*.consumes.*.dead-letter", "      InvoicePaid: {dead-letter: {}}\n", "      InvoicePaid: {}\n", &["e1031 breaking"], &["e1059 harmless"]),
    ("services.*.consumes.*.dead-letter.owner", "{owner: team-dunning, ", "{", &["e1032 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.dead-letter.owner", "owner: team-dunning", "owner: team-debts", &["e1059 harmless"], &["e1059 harmless"]),
    ("services.*.consumes.*.dead-letter.retention", "retention: 30d", "retention: 10d", &["e1032 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.dead-letter.followers", "followers: wait", "followers: continue", &["e1027 breaking"], &["e1059 harmless"]),
    ("services.*.consumes.*.dead-letter.budget", "budget: 1%", "budget: 0.5%", &["e1032 risky"], &["e1024 risky"]),
    ("services.*.consumes.*.emits", "emits: [InvoiceSent, InvoicePaid]", "emits: [InvoiceSent]", &["e1017 risky"], &["e1059 harmless"]),
    ("services.*.consumes.*.emits", "        emits: [InvoiceSent, InvoicePaid]\n", "", &[], &[]),
    ("services.*.consumes.*.objective", "objective: 31s", "objective: 1m", &["e1014 risky"], &["e1059 harmless"]),
    ("dependencies", "  idle: {}\n", "", &["e1059 harmless"], &["e1059 harmless"]),
    ("dependencies.*.summary", "Takes money.", "Takes all money.", &["e1059 harmless"], &["e1059 harmless"]),
    ("dependencies.*.owner", "owner: team-money", "owner: team-cash", &["e1059 harmless"], &["e1059 harmless"]),
    ("dependencies.*.concurrency", "concurrency: 32", "concurrency: 8", &["e1023 risky"], &["e1024 risky"]),
    ("dependencies.*.breaker", ", breaker: {failure-rate: 50%, minimum: 20, window: 30s, open: 10s, probes: 2}", "", &["e1059 harmless"], &["e1034 risky"]),
    ("dependencies.*.breaker.failure-rate", "failure-rate: 50%", "failure-rate: 80%", &["e1034 risky"], &["e1059 harmless"]),
    ("dependencies.*.breaker.minimum", "minimum: 20", "minimum: 200", &["e1034 risky"], &["e1059 harmless"]),
    ("dependencies.*.breaker.window", "window: 30s", "window: 1m", &["e1059 harmless"], &["e1059 harmless"]),
    ("dependencies.*.breaker.open", "open: 10s", "open: 1s", &["e1034 risky"], &["e1059 harmless"]),
    ("dependencies.*.breaker.probes", "probes: 2", "probes: 5", &["e1034 risky"], &["e1059 harmless"]),
    ("messaging", "messaging: {broker: kafka, existing: [postgres], clouds: [aws, gcp], requires: [replay, delay], weights: {latency: 2}}\n", "", &["e1036 risky", "e1059 harmless"], &["e1059 harmless"]),
    ("messaging.broker", "broker: kafka", "broker: nats", &["e1035 breaking"], &["e1035 breaking"]),
    ("messaging.broker", "broker: kafka, ", "", &["e1059 harmless"], &["e1059 harmless"]),
    ("messaging.existing", "existing: [postgres]", "existing: [postgres, redis]", &["e1059 harmless"], &["e1059 harmless"]),
    ("messaging.clouds", "clouds: [aws, gcp]", "clouds: [aws]", &["e1059 harmless"], &["e1059 harmless"]),
    ("messaging.requires", "requires: [replay, delay]", "requires: [replay]", &["e1036 risky"], &["e1059 harmless"]),
    ("messaging.weights", "latency: 2", "latency: 3", &["e1059 harmless"], &["e1059 harmless"]),
];

fn expected(codes: &[&str]) -> BTreeSet<String> {
    codes.iter().map(|code| (*code).to_owned()).collect()
}

#[test]
fn each_seeded_change_is_found_by_its_code_and_nothing_else_is() {
    let mut wrong = Vec::new();
    for (field, from, to, forth, back) in SEEDS {
        let text = edited(SHOP, from, to);
        let found = changes(SHOP, &text);
        if codes(&found) != expected(forth) {
            wrong.push(format!("{field}: `{from}` → `{to}`: {:#?}", found));
        }
        let found = changes(&text, SHOP);
        if codes(&found) != expected(back) {
            wrong.push(format!("{field} back: `{to}` → `{from}`: {:#?}", found));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_change_of_a_field_says_the_path_of_the_field() {
    for (field, from, to, ..) in SEEDS {
        let pattern: Vec<&str> = field.split('.').collect();
        for change in changes(SHOP, &edited(SHOP, from, to)) {
            let path: Vec<&str> = change.finding.path.split(['.', '#']).collect();
            let fits = pattern.iter().zip(&path).all(|(a, b)| *a == "*" || a == b);
            assert!(
                fits && path.len() >= pattern.len().min(2),
                "{field}: {:?}",
                change.finding
            );
        }
    }
}

#[test]
fn the_table_of_fields_says_what_the_seeds_show() {
    for field in FIELDS.iter().filter(|field| field.path != "tidegate") {
        let seeds = SEEDS.iter().filter(|(path, ..)| *path == field.path);
        let shown: BTreeSet<String> = seeds
            .flat_map(|(_, _, _, forth, back)| forth.iter().chain(*back))
            .filter_map(|code| code.split(" ").next())
            .map(str::to_uppercase)
            .filter(|code| code != "E1059")
            .collect();
        let has_seed = SEEDS.iter().any(|(path, ..)| *path == field.path);
        assert!(has_seed, "no seed changes `{}`", field.path);
        let declared: BTreeSet<String> = field
            .codes
            .iter()
            .map(|info| info.code.0.to_owned())
            .collect();
        // A container is shown by its own seeds and those of its fields; some codes need designs of
        // their own, below and in `schemas`.
        let elsewhere = ["E1002", "E1005", "E1006", "E1033"];
        for code in &declared {
            assert!(
                shown.contains(code) || elsewhere.contains(&code.as_str()),
                "`{}`: no seed shows {code}",
                field.path
            );
        }
        let by_its_fields = field.says == "by its fields";
        for code in &shown {
            let is_of_a_part = by_its_fields
                && FIELDS.iter().any(|part| {
                    part.path.starts_with(field.path)
                        && part.codes.iter().any(|info| info.code.0 == code)
                });
            assert!(
                declared.contains(code)
                    || is_of_a_part
                    || field.path == "events"
                    || field.path == "services",
                "`{}`: {code} is found and not declared",
                field.path
            );
        }
    }
}

#[test]
fn no_change_is_no_finding() {
    assert_eq!(changes(SHOP, SHOP), []);
    let moved = SHOP.replace("\nevents:\n", "\n\n# A remark.\nevents:\n");
    assert_eq!(changes(SHOP, &moved), []);
}

#[test]
fn what_is_written_as_its_default_is_no_change() {
    let bare = "tidegate: 1\nsystem: s\nevents: {A: {key: /id}}\nservices: {a: {publishes: [A], consumes: {A: {}}}}\n";
    let written = "tidegate: 1\nsystem: s\nevents: {A: {key: /id, type: A, retention: 7d, compatibility: backward, \
                   cleanup-policy: delete}}\nservices: {a: {publishes: [A], consumes: {A: {order: key, guarantee: \
                   at-least-once, replay: allowed, objective: 30s, emits: [A], deliver: {concurrency: 16, timeout: 30s, \
                   limit: fixed}, retry: {attempts: 8, initial: 100ms, max: 30s, backoff: exponential, jitter: full, \
                   mode: blocking}}}}}\n";
    assert_eq!(changes(bare, written), []);
    assert_eq!(changes(written, bare), []);
}
