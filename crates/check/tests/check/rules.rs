//! What the rules say, in full: names, numbers and the edit that helps.

use insta::assert_snapshot;

use crate::reading::{checked, findings};

/// A design of events with key `/id` and of services as given.
fn design(events: &[&str], rest: &str) -> String {
    let event = |name: &&str| {
        format!(
            "  {name}: {{summary: It happened., key: /id, schema: {{type: object, properties: \
             {{id: {{type: string}}}}, required: [id]}}}}\n"
        )
    };
    let events: String = events.iter().map(event).collect();
    format!("tidegate: 1\nsystem: shop\nevents:\n{events}{rest}")
}

fn codes(text: &str) -> Vec<&'static str> {
    checked(text).iter().map(|finding| finding.code.0).collect()
}

#[test]
fn unknown_names_are_reported_where_they_are_used() {
    let text = design(
        &["OrderPlaced", "PaymentTaken"],
        "
services:
  orders: {owner: a, publishes: [OrderPlaced, OrderPlacd]}
  billing:
    owner: b
    publishes: [PaymentTaken]
    consumes:
      OrderPlaced: {needs: [payment-api], emits: [PaymentTakn, Unheard], dead-letter: {}}
      Refunded: {dead-letter: {}}
  ledger: {owner: c, consumes: {PaymentTaken: {emits: [OrderPlaced], dead-letter: {}}}}
processes:
  pay: {owner: x, steps: [orders, biling]}
dependencies:
  payments-api: {}
",
    );
    assert_snapshot!(findings(&text), @r###"
E0201 Error 8:47 services.orders.publishes
  event `OrderPlacd` is not defined
  help: did you mean `OrderPlaced`?
E0203 Error 13:29 services.billing.consumes.OrderPlaced.needs
  dependency `payment-api` is not defined
  help: did you mean `payments-api`?
E0201 Error 13:51 services.billing.consumes.OrderPlaced.emits
  event `PaymentTakn` is not defined
  help: did you mean `PaymentTaken`?
E0201 Error 13:64 services.billing.consumes.OrderPlaced.emits
  event `Unheard` is not defined
  help: define the event as `Unheard:` under `events:`
E0201 Error 14:7 services.billing.consumes.Refunded
  event `Refunded` is not defined
  help: define the event as `Refunded:` under `events:`
E0208 Error 15:56 services.ledger.consumes.PaymentTaken.emits
  `OrderPlaced` is emitted, but service `ledger` does not publish it
  help: add `OrderPlaced` to `publishes` of service `ledger`
E0202 Error 17:35 processes.pay.steps
  step `biling` of process `pay` is not a service
  help: did you mean `billing`?
E0206 Warning 19:3 dependencies.payments-api
  no consumer needs dependency `payments-api`, so its breaker holds nothing
  help: add `needs: [payments-api]` to the consumers that call it, or remove it
"###);
}

/// The findings of a consumer of `A` with `consume`, in a design with `broker`.
fn guarantee(consume: &str, broker: &str) -> String {
    let rest = format!(
        "services:\n  one: {{owner: a, publishes: [A]}}\n  two: {{owner: b, consumes: {{A: \
         {{dead-letter: {{}}, {consume}}}}}}}\n{broker}\n"
    );
    let found = findings(&design(&["A"], &rest));
    format!("{consume} {broker}\n{found}\n")
}

#[test]
fn exactly_once_effect_needs_one_transaction() {
    let said = [
        guarantee(
            "guarantee: exactly-once-effect, deliver: {to: \"https://b.example/\"}",
            "",
        ),
        guarantee("guarantee: exactly-once-effect", ""),
        guarantee(
            "guarantee: exactly-once-effect, deliver: {transaction: postgres}",
            "",
        ),
        guarantee(
            "guarantee: exactly-once-effect, deliver: {transaction: log}",
            "messaging: {broker: nats}",
        ),
        guarantee(
            "guarantee: exactly-once-effect, deliver: {transaction: log}",
            "messaging: {broker: embedded}",
        ),
        guarantee(
            "guarantee: exactly-once-effect, deliver: {transaction: kafka}",
            "messaging: {broker: kafka}",
        ),
        guarantee(
            "guarantee: deduplicated, deliver: {to: \"https://b.example/\"}",
            "",
        ),
    ];
    assert_snapshot!(said.join("\n"), @r###"
guarantee: exactly-once-effect, deliver: {to: "https://b.example/"} 
E0302 Error 7:62 services.two.consumes.A.guarantee
  `two/A` cannot reach exactly-once-effect: no transaction spans an HTTP call to its handler
  help: write `guarantee: deduplicated`; for one effect, remove `to` and consume in a Rust handler with `deliver: {transaction: postgres}`

guarantee: exactly-once-effect 
E0302 Error 7:62 services.two.consumes.A.guarantee
  `two/A` cannot reach exactly-once-effect: no transaction holds its effect and its inbox row
  help: write `deliver: {transaction: postgres}` (or `sqlite`, `log`) and use the transaction in the handler, or `guarantee: deduplicated`

guarantee: exactly-once-effect, deliver: {transaction: postgres} 


guarantee: exactly-once-effect, deliver: {transaction: log} messaging: {broker: nats}
E0302 Error 7:62 services.two.consumes.A.guarantee
  `two/A` cannot reach exactly-once-effect: a batch of the embedded log does not commit on `nats`
  help: write `messaging: {broker: embedded}`, or `transaction: postgres`

guarantee: exactly-once-effect, deliver: {transaction: log} messaging: {broker: embedded}


guarantee: exactly-once-effect, deliver: {transaction: kafka} messaging: {broker: kafka}
E0302 Error 7:62 services.two.consumes.A.guarantee
  `two/A` cannot reach exactly-once-effect: a Kafka transaction does not hold the handler's own change
  help: write `guarantee: kafka-transaction` when the effect is the emitted events alone, or `deliver: {transaction: postgres}`

guarantee: deduplicated, deliver: {to: "https://b.example/"}
"###);
}

#[test]
fn a_kafka_transaction_needs_kafka_alone() {
    let kafka = "messaging: {broker: kafka}";
    let said = [
        guarantee("guarantee: kafka-transaction", kafka),
        guarantee("guarantee: kafka-transaction", ""),
        guarantee("guarantee: kafka-transaction", "messaging: {broker: nats}"),
        guarantee(
            "guarantee: kafka-transaction, deliver: {transaction: postgres}",
            kafka,
        ),
        guarantee(
            "guarantee: kafka-transaction, deliver: {to: \"https://b.example/\"}",
            kafka,
        ),
    ];
    assert_snapshot!(said.join("\n"), @r###"
guarantee: kafka-transaction messaging: {broker: kafka}


guarantee: kafka-transaction 
E0302 Error 7:62 services.two.consumes.A.guarantee
  `two/A` cannot reach kafka-transaction: the design does not run on Kafka
  help: write `messaging: {broker: kafka}`, or `guarantee: deduplicated`

guarantee: kafka-transaction messaging: {broker: nats}
E0302 Error 7:62 services.two.consumes.A.guarantee
  `two/A` cannot reach kafka-transaction: the broker is `nats`, not `kafka`
  help: write `messaging: {broker: kafka}`, or `guarantee: deduplicated`

guarantee: kafka-transaction, deliver: {transaction: postgres} messaging: {broker: kafka}
E0302 Error 7:62 services.two.consumes.A.guarantee
  `two/A` cannot reach kafka-transaction: its effect commits in `postgres`, outside the Kafka transaction
  help: write `deliver: {transaction: kafka}`, or `guarantee: exactly-once-effect`

guarantee: kafka-transaction, deliver: {to: "https://b.example/"} messaging: {broker: kafka}
"###);
}

#[test]
fn a_cycle_is_shown_as_a_path_and_once() {
    let text = design(&["A", "B", "C", "D"], "
services:
  one: {owner: a, publishes: [A, D], consumes: {C: {emits: [A], dead-letter: {}}}}
  two: {owner: a, publishes: [B], consumes: {A: {emits: [B], dead-letter: {}}}}
  three: {owner: a, publishes: [C], consumes: {B: {emits: [C], dead-letter: {}}, D: {emits: [C], dead-letter: {}}}}
");
    assert_snapshot!(findings(&text), @r###"
E0219 Warning 11:46 services.two.consumes.A
  event `A` leads back to itself without end: `A` → two → `B` → three → `C` → one → `A`
  help: break the loop, or let one handler on it stop: emit only when something changed
"###);
    let itself = design(
        &["A"],
        "
services:
  one: {owner: a, publishes: [A], consumes: {A: {emits: [A], dead-letter: {}}}}
",
    );
    assert_snapshot!(findings(&itself), @r###"
E0219 Warning 7:46 services.one.consumes.A
  event `A` leads back to itself without end: `A` → one → `A`
  help: break the loop, or let one handler on it stop: emit only when something changed
"###);
}

/// A chain of `hops` consumers, each with `consume`.
fn chain(hops: usize, consume: &str) -> String {
    let names: Vec<_> = (0..=hops).map(|n| format!("E{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut rest = String::from("services:\n  s0: {owner: a, publishes: [E0]}\n");
    for hop in 0..hops {
        rest.push_str(&format!(
            "  s{}: {{owner: a, publishes: [E{}], consumes: {{E{hop}: {{dead-letter: {{}}, {consume}}}}}}}\n",
            hop + 1,
            hop + 1,
        ));
    }
    design(&names, &rest)
}

#[test]
fn amplification_is_the_product_along_the_chain_and_reported_once() {
    assert_snapshot!(findings(&chain(5, "retry: {attempts: 5}")), @r###"
E0205 Note 9:3 events.E5
  event `E5` is consumed by no service
  help: fine when someone outside this design consumes it; else remove it
E0319 Warning 14:68 services.s3.consumes.E2.retry
  one event can cause 125 attempts here: `s1/E0` 5 × `s2/E1` 5 × `s3/E2` 5
  help: bound it with `retry: {budget: 20%}` in `s3/E2`, or with fewer attempts along the chain
"###);
    let none: [&str; 5] = [
        &chain(2, "retry: {attempts: 10}"),
        &chain(5, "retry: {attempts: 5, budget: 20%}"),
        &chain(9, "retry: {attempts: 1}"),
        &chain(
            4,
            "retry: {attempts: 5}, guarantee: exactly-once-effect, deliver: {transaction: postgres}",
        ),
        &chain(4, "retry: {attempts: 5}, emits: []"),
    ];
    // The class with the most attempts counts, where it is retried.
    let more = "retry: {attempts: 2, classes: {unavailable: {attempts: 5}}}";
    assert!(codes(&chain(5, more)).contains(&"E0319"));
    let parked =
        "retry: {attempts: 5, classes: {retryable: park, unavailable: park, timeout: park}}";
    assert!(!codes(&chain(5, parked)).contains(&"E0319"));
    assert!(none.iter().all(|text| !codes(text).contains(&"E0319")));
}

#[test]
fn no_rule_for_a_class_of_failures_gives_up_what_an_endpoint_is_to_blame_for() {
    let text = "tidegate: 1
system: s
events:
  A: {summary: a, owner: a, key: /id, schema: {type: object, required: [id], properties: {id: {type: string}}}}
services:
  one: {owner: a, publishes: [A]}
  two:
    owner: b
    consumes:
      A:
        dead-letter: {owner: b}
        retry:
          budget: 20%
          classes:
            endpoint-fault: {attempts: 50}
            timeout: park
            overload: {attempts: 1}
            unavailable: {attempts: 2}
            retryable: park
            permanent: retry
";
    assert_snapshot!(findings(text), @r"
E0323 Error 15:13 services.two.consumes.A.retry.classes.endpoint-fault
  a fault of the endpoint of `two/A` holds it until the endpoint is right; with a rule its events would become dead letters for it
  help: remove it: the consumer is held, probes, and loses nothing
E0324 Warning 16:13 services.two.consumes.A.retry.classes.timeout
  `two/A` gives an event up at its first `timeout`: each outage makes dead letters of what meets it before a breaker opens
  help: write `{attempts: 3}` or more, unless each attempt does harm
E0324 Warning 17:13 services.two.consumes.A.retry.classes.overload
  `two/A` gives an event up at its first `overload`: each outage makes dead letters of what meets it before a breaker opens
  help: write `{attempts: 3}` or more, unless each attempt does harm
");
}

#[test]
fn a_long_chain_takes_no_recursion() {
    assert!(codes(&chain(3_000, "retry: {attempts: 1}")).contains(&"E0205"));
}

#[test]
fn capacity_names_the_numbers_and_the_concurrency_that_is_needed() {
    let at = |targets: &str, consume: &str| {
        let text = design(
            &["A"],
            &format!(
                "
services:
  one: {{owner: a, publishes: [A]}}
  two: {{owner: b, consumes: {{A: {{dead-letter: {{}}, retry: {{budget: 20%}}, {consume}}}}}}}
"
            ),
        )
        .replace("key: /id", &format!("targets: {{{targets}}}"));
        format!("{targets} {consume}\n{}\n", findings(&text))
    };
    let said = [
        at(
            "rate: 100/s, peak: 1000/s",
            "deliver: {handler-time: 50ms, concurrency: 8}",
        ),
        at(
            "rate: 100/s, peak: 1000/s",
            "deliver: {handler-time: 50ms, concurrency: 75}",
        ),
        at(
            "rate: 1000/s",
            "deliver: {handler-time: 2s, concurrency: 8}",
        ),
        at("rate: 30/s", "order: total, deliver: {handler-time: 50ms}"),
        at("rate: 10/s", "order: total, deliver: {handler-time: 50ms}"),
    ];
    assert_snapshot!(said.join("\n"), @r###"
rate: 100/s, peak: 1000/s deliver: {handler-time: 50ms, concurrency: 8}
E0401 Error 8:116 services.two.consumes.A.deliver.concurrency
  1000/s at 50ms each keeps 50.0 deliveries of `two/A` running, but at most 8 may run: its backlog grows without end
  help: write `deliver: {concurrency: 75}`: a third is left for catching up

rate: 100/s, peak: 1000/s deliver: {handler-time: 50ms, concurrency: 75}


rate: 1000/s deliver: {handler-time: 2s, concurrency: 8}
E0401 Error 8:114 services.two.consumes.A.deliver.concurrency
  1000/s at 2s each keeps 2000.0 deliveries of `two/A` running, but at most 8 may run: its backlog grows without end
  help: more than 1024 at a time in one process: make the handler faster, or split the event

rate: 30/s order: total, deliver: {handler-time: 50ms}
E0402 Error 8:80 services.two.consumes.A.order
  in total order, `two/A` handles one delivery at a time: 30/s at 50ms each is 1.5 times what it can do
  help: write `order: key` to run different keys at the same time, or make the handler faster

rate: 10/s order: total, deliver: {handler-time: 50ms}
"###);
}

#[test]
fn a_schema_is_blamed_at_the_place_inside_it() {
    let text = design(
        &["A"],
        "
services:
  one: {owner: a, publishes: [A]}
  two: {owner: b, consumes: {A: {dead-letter: {}}}}
",
    )
    .replace(
        "{type: object, properties: {id: {type: string}}, required: [id]}",
        "broken.json",
    );
    let found = checked(&text);
    assert_snapshot!(findings(&text), @r###"
E0502 Error 4:48 events.A.schema
  the schema of `A` is not valid: "decimal" is not a type: write array, boolean, integer, null, number, object or string at `/properties/total/type`
  help: correct the schema there: nothing can be published to this event until it compiles
"###);
    assert_snapshot!(format!("{:?}", found[0].related), @r###"[(Place { file: "broken.json", line: 3, column: 15, length: 6 }, "inside the schema")]"###);
}

#[test]
fn contracts_are_followed_through_references() {
    let text = design(&["A"], "
services:
  one: {owner: a, publishes: [A]}
  two: {owner: b, consumes: {A: {dead-letter: {}, requires: [id, totl, note, /total/amount, /total/currency]}}}
")
    .replace(
        "{type: object, properties: {id: {type: string}}, required: [id]}",
        "{$ref: '#/$defs/order', $defs: {order: {required: [id, total], properties: {id: {}, note: {}, \
         total: {$ref: '#/$defs/money'}}}, money: {properties: {amount: {}}, required: [amount]}}}",
    );
    assert_snapshot!(findings(&text), @r###"
E0506 Error 8:66 services.two.consumes.A.requires
  `two/A` reads `totl`, which the schema of `A` does not declare
  help: did you mean `total`?
E0507 Warning 8:72 services.two.consumes.A.requires
  `two/A` reads `note`, which the schema of `A` leaves optional
  help: add `note` to `required` of the schema
E0506 Error 8:93 services.two.consumes.A.requires
  `two/A` reads `/total/currency`, which the schema of `A` does not declare
  help: add `/total/currency` to `properties` and `required` of the schema
"###);
}

#[test]
fn what_is_compacted_goes_by_its_key_and_not_by_its_age() {
    let text = "
tidegate: 1
system: shop
events:
  PriceChanged: {summary: It changed., key: /sku, retention: 1h, cleanup-policy: compact, schema: {type: object, properties: {sku: {type: string}}, required: [sku]}}
  StockCounted: {summary: It was counted., cleanup-policy: compact, schema: {type: object}}
services:
  catalog: {owner: a, publishes: [PriceChanged, StockCounted]}
  shop:
    owner: b
    consumes:
      PriceChanged: {objective: 2h, dead-letter: {retention: 1h}}
      StockCounted: {dead-letter: {}}
";
    assert_snapshot!(findings(text), @r"
E0322 Error 6:60 events.StockCounted.cleanup-policy
  `StockCounted` is compacted by its key, but it has no key: none of it ever goes
  help: write `key: /…`, or `cleanup-policy: delete`
");
}

#[test]
fn limits_of_flow_that_contradict_the_rest_say_by_how_much() {
    let text = design(
        &["A", "B", "C"],
        "
services:
  one: {owner: a, publishes: [A, B]}
  two:
    owner: b
    publishes: [C]
    consumes:
      A: {emits: [C], dead-letter: {}, needs: [api], deliver: {concurrency: 64, rate: 3/m, timeout: 1s}}
      B: {emits: [], dead-letter: {}, deliver: {limit: adaptive, burst: 5}}
  three: {owner: c, consumes: {C: {emits: [], dead-letter: {}, objective: 2h}}}
dependencies:
  api: {breaker: {open: 10m}}
",
    );
    let text = text
        .replace(
            "  A: {",
            "  A: {backlog: {events: 32, age: 5m}, targets: {rate: 2/m, peak: 9/m}, ",
        )
        .replace(
            "  C: {",
            "  C: {backlog: {events: 100, age: 1h, bytes: 1GB}, ",
        );
    let found = of_flow_alone(&text);
    assert_snapshot!(found.join("\n"), @r#"
E0332 Warning events.A.backlog.events: `A` is refused at 32 unfinished events of `two/A`, which is less than the 64 that may run at the same time
E0332 Warning events.A.backlog.age: `A` is refused once an unfinished event of `two/A` is 5m old, but a breaker that opens holds deliveries for 10m
E0332 Note events.C.backlog.events: `C` is refused at 100 unfinished events of `three/C`, which is less than the 4096 deliveries that are in memory
E0332 Warning events.C.backlog.age: `C` is refused once an unfinished event of `three/C` is 1h old, but being behind is still fine up to 2h
E0411 Warning services.two.consumes.A.deliver.rate: `two/A` is delivered at most 3/m, and the peak of `A` is 0.15/s: the backlog grows as long as the peak lasts
E0333 Warning services.two.consumes.B.deliver.limit: `two/B` pulls, so nothing is known of its load and its limit does not adapt
E0334 Warning services.two.consumes.B.deliver.burst: `two/B` has a burst of 5 and no rate, so nothing is limited
"#);
}

/// Without the findings that have nothing to do with flow.
fn of_flow_alone(text: &str) -> Vec<String> {
    let of_flow = |code: &str| code.starts_with("E033") || code == "E0411";
    let found = checked(text);
    let found = found.iter().filter(|finding| of_flow(finding.code.0));
    found
        .map(|f| format!("{} {:?} {}: {}", f.code, f.severity, f.path, f.message))
        .collect()
}

/// Findings of the schema of one event with key `/orderId`, its consumer reading `note`.
fn of_schema(schema: &str) -> String {
    let text = format!(
        "tidegate: 1
system: shop
events:
  OrderPlaced: {{summary: It happened., schema: '{schema}', key: /orderId}}
services:
  orders: {{owner: a, publishes: [OrderPlaced]}}
  billing: {{owner: b, consumes: {{OrderPlaced: {{requires: [note], dead-letter: {{owner: b, retention: 30d}}}}}}}}
"
    );
    let all = checked(&text);
    let lines = all.iter().map(|finding| {
        let within = finding
            .related
            .iter()
            .map(|(place, what)| format!(" [{place}: {what}]"));
        let hint = finding.hint.as_deref().unwrap_or_default();
        let within: String = within.collect();
        format!("{} {}{within} help: {hint}", finding.code, finding.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn schemas_of_every_format_are_compiled_with_the_place_of_what_is_wrong() {
    let schemas = [
        "broken.avsc",
        "protos/broken.proto#Order",
        "protos/lost.proto#Order",
        "protos/main.proto#Invoice",
    ];
    let said: Vec<String> = schemas.iter().map(|schema| of_schema(schema)).collect();
    assert_snapshot!(said.join("\n"), @r###"
E0502 the schema of `OrderPlaced` is not valid: reference `text` at `/fields/0/type` leads nowhere inside the schema [broken.avsc:2:23: inside the schema] help: correct the schema there: nothing can be published to this event until it compiles
E0502 the schema of `OrderPlaced` is not valid: name 'Port' is not defined at broken.proto:3:17 [protos/broken.proto:3:17: inside the schema] help: correct the schema there: nothing can be published to this event until it compiles
E0502 the schema of `OrderPlaced` is not valid: import 'gone.proto' not found at lost.proto:2:1 [protos/lost.proto:2:1: inside the schema] help: correct the schema there: nothing can be published to this event until it compiles
E0502 the schema of `OrderPlaced` is not valid: no message is called `Invoice`; there are `Order`, `Part` at main.proto:1:1 [protos/main.proto:1:1: inside the schema] help: correct the schema there: nothing can be published to this event until it compiles
"###);
}

#[test]
fn keys_and_fields_are_held_against_schemas_of_every_format() {
    let schemas = ["full.avsc", "order.avsc", "protos/main.proto#Order"];
    let said: Vec<String> = schemas.iter().map(|schema| of_schema(schema)).collect();
    assert_snapshot!(said.join("\n--\n"), @r###"

--
E0504 key `/orderId` of `OrderPlaced` is not declared in its schema [design.yaml:4:48: the schema] help: add the field `/orderId` to the schema
E0506 `billing/OrderPlaced` reads `note`, which the schema of `OrderPlaced` does not declare [design.yaml:4:48: the schema] help: add the field `note` to the schema
--
E0506 `billing/OrderPlaced` reads `note`, which the schema of `OrderPlaced` does not declare [design.yaml:4:48: the schema] help: add the field `note` to the schema
"###);
}

#[test]
fn a_schema_that_is_refused_is_told_once() {
    for refused in [
        "/absolute.json",
        "https://shop.example/order.json",
        "order.proto",
        "gone.json",
    ] {
        let said = of_schema(refused);
        assert!(said.contains("E0111"), "{refused}: {said}");
        assert!(!said.contains("E0501"), "{refused}: {said}");
    }
}
