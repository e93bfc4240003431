//! Documents of others: each good one becomes a design that has no errors.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate_asyncapi::{Bundle, Imported, files_referred_to, import, validate};
use tidegate_model::{Severity, Source};

use crate::design_of;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/asyncapi");

fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.into(),
        text: text.to_owned(),
    }
}

fn imported(documents: &[&str]) -> Imported {
    let sources: Vec<Source> = documents
        .iter()
        .enumerate()
        .map(|(index, text)| source(&format!("{index}.yaml"), text))
        .collect();
    import(&Bundle::read(&sources, &[]), None)
}

fn lost(imported: &Imported) -> Vec<&str> {
    imported
        .findings
        .iter()
        .map(|f| f.message.as_str())
        .collect()
}

/// The document with all files that it refers to.
fn bundle(path: &Path) -> Bundle {
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).ok()?;
        Some(source(&path.to_string_lossy(), &text))
    };
    let document = read(path).unwrap();
    let mut others: Vec<Source> = Vec::new();
    let mut waiting = files_referred_to(&document);
    while let Some(name) = waiting.pop() {
        let known = others.iter().any(|other| *other.name == *name);
        if let Some(other) = read(&PathBuf::from(&name)).filter(|_| !known) {
            waiting.extend(files_referred_to(&other));
            others.push(other);
        }
    }
    Bundle::read(&[document], &others)
}

#[test]
fn every_good_official_document_becomes_a_design_without_errors() {
    let Ok(verdicts) = std::fs::read_to_string(format!("{DATA}/official_parser_verdicts.jsonl"))
    else {
        println!("skipped: no {DATA}");
        return;
    };
    let mut imports = 0;
    for line in verdicts.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        if row["unresolvedRef"] == true || row["valid"] == false {
            continue;
        }
        let file = row["file"].as_str().unwrap();
        let bundle = bundle(&Path::new(DATA).join(file));
        let imported = import(&bundle, None);
        let design = design_of(&imported.design, &imported.files);
        let findings = tidegate_check::check(&design);
        let errors: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert!(
            errors.is_empty(),
            "{file}: {errors:#?}\n{:#}",
            imported.design
        );
        let messages = row["stats"]["messages"].as_u64().unwrap();
        assert!(messages == 0 || !design.events.is_empty(), "{file}");
        imports += 1;
    }
    assert!(imports > 60, "{imports}");
}

const ORDERS: &str = r##"
asyncapi: 3.0.0
info: {title: Order Service, version: 1.0.0, description: "# Orders\n\nTakes orders.", contact: {name: team-orders}}
servers: {main: {host: kafka, protocol: kafka}}
channels:
  placed:
    address: shop.orders.{region}
    parameters: {region: {location: '$message.payload#/region'}}
    messages: {placed: {$ref: '#/components/messages/OrderPlaced'}}
    bindings: {kafka: {partitions: 6, topicConfiguration: {retention.ms: 86400000, retention.bytes: 1000, cleanup.policy: [compact]}}}
operations:
  place: {action: send, channel: {$ref: '#/channels/placed'}}
components:
  messages:
    OrderPlaced:
      name: com.example.placed
      summary: An order was accepted.
      headers: {type: object}
      payload: {$ref: '#/components/schemas/order'}
  schemas:
    order: {type: object, properties: {id: {$ref: '#/components/schemas/id'}, region: {type: string}}}
    id: {type: string}
"##;

/// In version 2 the receiver writes `publish`.
const BILLING: &str = r##"
asyncapi: 2.6.0
info: {title: billing, version: 1.0.0}
channels:
  shop.orders.{region}:
    parameters: {region: {schema: {type: string}}}
    publish:
      operationId: bill
      bindings: {kafka: {groupId: {type: string, enum: [billing-v2]}}}
      x-retry: {maxAttempts: 4, strategy: {type: fixed, delaySeconds: 5}, channel: {$ref: '#/channels/retry'}}
      x-dead-letter: {owner: team-billing, retention: P90D}
      x-breaker: {scope: payments-api, failureRate: 0.2, openFor: PT30S}
      message: {name: com.example.placed, payload: {type: object}}
"##;

#[test]
fn two_documents_share_an_event_and_2_publish_is_3_receive() {
    let imported = imported(&[ORDERS, BILLING]);
    let design = &imported.design;
    assert_eq!(
        imported.flows,
        ["Order-Service sends OrderPlaced to billing"]
    );
    assert_eq!(design["services"]["Order-Service"]["summary"], "Orders");
    assert_eq!(design["services"]["Order-Service"]["owner"], "team-orders");
    let event = &design["events"]["OrderPlaced"];
    let expected = serde_json::json!({
        "type": "com.example.placed", "summary": "An order was accepted.",
        "schema": "schemas/OrderPlaced.json", "key": "/region",
        "retention": "1d", "retention-size": "1000B", "cleanup-policy": "compact",
    });
    assert_eq!(event, &expected);
    let consume = &design["services"]["billing"]["consumes"]["OrderPlaced"];
    let expected = serde_json::json!({
        "needs": ["payments-api"],
        "retry": {"backoff": "constant", "initial": "5s", "attempts": 5, "mode": "non-blocking"},
        "dead-letter": {"owner": "team-billing", "retention": "90d"},
    });
    assert_eq!(consume, &expected);
    let breaker = &design["dependencies"]["payments-api"]["breaker"];
    assert_eq!(
        breaker,
        &serde_json::json!({"failure-rate": "0.2", "open": "30s"})
    );
    assert_eq!(design["messaging"]["broker"], "kafka");
    let (name, schema) = &imported.files[0];
    assert_eq!(name, "schemas/OrderPlaced.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    assert_eq!(schema["properties"]["id"]["$ref"], "#/definitions/id");
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    design_of(design, &imported.files);
}

#[test]
fn what_has_no_place_is_told() {
    let imported = imported(&[ORDERS, BILLING]);
    let lost = lost(&imported);
    for part in [
        "`partitions` of binding `kafka` of channel `placed`",
        "`headers` of message `placed`",
        "consumer group `billing-v2`",
        "`host` of the server",
        "another document says another `schema` of `OrderPlaced`",
        "parameter `region` of the address",
    ] {
        assert!(
            lost.iter().any(|text| text.contains(part)),
            "{part}: {lost:#?}"
        );
    }
}

#[test]
fn other_shapes_of_retry_and_dead_letters_are_read() {
    let document = |extra: &str| {
        format!(
            "asyncapi: 3.0.0\ninfo: {{title: a, version: '1'}}\nchannels:\n  c: {{address: c, messages: {{m: {{payload: {{type: object}}}}}}}}\n  dlq: {{address: dlq, messages: {{m: {{}}}}, bindings: {{kafka: {{topicConfiguration: {{retention.ms: 3600000}}}}}}}}\noperations:\n  o: {{action: receive, channel: {{$ref: '#/channels/c'}}, {extra}}}\n"
        )
    };
    let consume = |extra: &str| {
        let imported = imported(&[&document(extra)]);
        imported.design["services"]["a"]["consumes"]["m"].clone()
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(
        consume("bindings: {kafka: {errorTopics: {retryTopics: 3, dlq: {}}}}"),
        json(r#"{"retry": {"attempts": 4, "mode": "non-blocking"}, "dead-letter": {}}"#)
    );
    assert_eq!(
        consume("bindings: {kafka: {x-error-topics: {retry: {1m: {}, 5m: {}}, dlq: {}}}}"),
        json(r#"{"retry": {"attempts": 3, "mode": "non-blocking"}, "dead-letter": {}}"#)
    );
    assert_eq!(
        consume(
            "bindings: {sqs: {queues: [{redrivePolicy: {maxReceiveCount: 4, deadLetterQueue: {name: x}}}]}}"
        ),
        json(r#"{"retry": {"attempts": 4}, "dead-letter": {}}"#)
    );
    assert_eq!(
        consume(
            "retry: {maxAttempts: 2, strategy: {type: exponential, initialDelaySeconds: 1, maxDelaySeconds: 60}}, deadLetter: {channel: {$ref: '#/channels/dlq'}}"
        ),
        json(
            r#"{"retry": {"initial": "1s", "max": "1m", "attempts": 3}, "dead-letter": {"retention": "1h"}}"#
        )
    );
}

#[test]
fn a_channel_of_dead_letters_is_no_event_and_replies_travel_back() {
    let text = r##"
asyncapi: 3.0.0
info: {title: server, version: '1'}
channels:
  ask: {address: ask, messages: {question: {}}}
  answers: {address: null, messages: {answer: {}}}
  dead: {address: dead, messages: {question: {}}}
operations:
  answer:
    action: receive
    channel: {$ref: '#/channels/ask'}
    x-dead-letter: {channel: {$ref: '#/channels/dead'}}
    reply: {channel: {$ref: '#/channels/answers'}}
"##;
    let imported = imported(&[text]);
    let events: Vec<&String> = imported.design["events"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(events, ["question", "answer"]);
    assert_eq!(
        imported.design["services"]["server"]["publishes"][0],
        "answer"
    );
    assert!(
        lost(&imported)
            .iter()
            .any(|text| text.contains("is answered"))
    );
}

#[test]
fn schema_files_never_leave_the_folder() {
    for file in [
        "../evil.json",
        "/etc/evil.json",
        "a/../../b.json",
        "c:\\x.json",
        "",
    ] {
        let text = format!(
            "asyncapi: 3.0.0\ninfo: {{title: a, version: '1'}}\nchannels: {{c: {{address: c, messages: {{m: {{x-schema-file: '{file}', payload: {{type: object}}}}}}}}}}\n"
        );
        let imported = imported(&[&text]);
        assert_eq!(imported.files[0].0, "schemas/m.json", "{file}");
    }
}

#[test]
fn a_document_of_ours_is_valid_by_our_own_validation_and_the_good_are_never_refused() {
    let source = source("orders.yaml", ORDERS);
    let findings = validate(&Bundle::read(&[source], &[]));
    assert!(
        findings.iter().all(|f| f.severity != Severity::Error),
        "{findings:#?}"
    );
}
