//! Faults seeded into a good document: each is found, and a good document has none.

#![cfg(test)]

use tidegate_asyncapi::{Bundle, validate};
use tidegate_model::{Finding, Source};

/// A document without a single finding.
const GOOD: &str = r##"asyncapi: 3.0.0
info: {title: orders, version: 1.0.0}
servers:
  production: {host: 'kafka.example.com:9092', protocol: kafka, security: [{$ref: '#/components/securitySchemes/sasl'}]}
channels:
  orders:
    address: shop.{region}.orders
    parameters: {region: {enum: [eu, us]}}
    servers: [{$ref: '#/servers/production'}]
    messages:
      placed: {$ref: '#/components/messages/placed'}
      cancelled: {$ref: '#/components/messages/cancelled'}
    bindings: {kafka: {partitions: 6, topicConfiguration: {retention.ms: 604800000}, bindingVersion: 0.5.0}}
  answers:
    address: null
    messages: {answer: {payload: {type: object, required: [ok], properties: {ok: {type: boolean}}}}}
operations:
  receiveOrders:
    action: receive
    channel: {$ref: '#/channels/orders'}
    messages: [{$ref: '#/channels/orders/messages/placed'}]
    x-retry: {mode: blocking, maxAttempts: 5, backoff: {type: exponential, initial: PT1S, max: PT1M}}
    x-dead-letter: {owner: team-orders, retention: P30D}
    reply:
      address: {location: '$message.header#/replyTo'}
      channel: {$ref: '#/channels/answers'}
      messages: [{$ref: '#/channels/answers/messages/answer'}]
components:
  securitySchemes: {sasl: {type: scramSha256}}
  schemas:
    quantity: {type: integer, minimum: 1, maximum: 10, default: 1}
  messages:
    placed:
      contentType: application/json
      correlationId: {location: '$message.header#/correlationId'}
      headers: {type: object, properties: {correlationId: {type: string}, replyTo: {type: string}}}
      payload:
        type: object
        required: [kind, orderId]
        properties:
          kind: {const: placed}
          orderId: {type: string}
          quantity: {$ref: '#/components/schemas/quantity'}
      examples: [{payload: {kind: placed, orderId: a1, quantity: 2}}]
    cancelled:
      contentType: application/json
      payload:
        type: object
        required: [kind, orderId]
        properties: {kind: {const: cancelled}, orderId: {type: string}}
"##;

fn validated(text: &str) -> Vec<Finding> {
    let source = Source {
        name: "orders.yaml".into(),
        text: text.to_owned(),
    };
    validate(&Bundle::read(&[source], &[]))
}

/// What stands in the good document, what stands there instead, the code that tells, and a line on
/// which it tells it.
const FAULTS: &[(&str, &str, &str, &str, u32)] = &[
    (
        "message not in channel",
        "messages: [{$ref: '#/channels/orders/messages/placed'}]",
        "messages: [{$ref: '#/channels/answers/messages/answer'}]",
        "E0821",
        21,
    ),
    (
        "message of a component",
        "messages: [{$ref: '#/channels/orders/messages/placed'}]",
        "messages: [{$ref: '#/components/messages/placed'}]",
        "E0821",
        21,
    ),
    (
        "missing parameter",
        "parameters: {region: {enum: [eu, us]}}",
        "description: Orders.",
        "E0811",
        7,
    ),
    (
        "extra parameter",
        "shop.{region}.orders",
        "shop.orders",
        "E0812",
        8,
    ),
    (
        "negative partitions",
        "partitions: 6",
        "partitions: -6",
        "E0803",
        13,
    ),
    (
        "wrong type of retention",
        "retention.ms: 604800000",
        "retention.ms: forever",
        "E0803",
        13,
    ),
    (
        "unknown binding version",
        "bindingVersion: 0.5.0",
        "bindingVersion: 9.9.9",
        "E0803",
        13,
    ),
    (
        "misspelt field",
        "    address: shop",
        "    adress: shop",
        "E0803",
        7,
    ),
    ("missing field", "    action: receive\n", "", "E0803", 18),
    (
        "example of the wrong type",
        "orderId: a1, quantity",
        "orderId: 17, quantity",
        "E0831",
        44,
    ),
    (
        "example without a field",
        "kind: placed, orderId: a1, ",
        "kind: placed, ",
        "E0831",
        44,
    ),
    (
        "example beyond a reference",
        "quantity: 2",
        "quantity: 0",
        "E0831",
        44,
    ),
    (
        "messages alike",
        "{kind: {const: cancelled}, ",
        "{kind: {type: string}, ",
        "E0833",
        12,
    ),
    (
        "reply with two addresses",
        "address: null",
        "address: answers",
        "E0825",
        25,
    ),
    (
        "binding of another protocol",
        "bindings: {kafka: {",
        "bindings: {amqp: {is: queue}, kafka: {",
        "E0841",
        13,
    ),
    (
        "bounds that exclude each other",
        "minimum: 1, maximum: 10",
        "minimum: 10, maximum: 1",
        "E0834",
        31,
    ),
    (
        "illegal topic",
        "address: shop.{region}.orders",
        "address: shop orders/{region}",
        "E0815",
        7,
    ),
    (
        "absent header",
        "properties: {correlationId: {type: string}, replyTo",
        "properties: {correlation: {type: string}, replyTo",
        "E0827",
        35,
    ),
    (
        "no headers at all",
        "      headers: {type: object, properties: {correlationId: {type: string}, replyTo: {type: string}}}\n",
        "",
        "E0827",
        35,
    ),
    (
        "reply to an absent header",
        "replyTo: {type: string}",
        "answerTo: {type: string}",
        "E0827",
        25,
    ),
    (
        "unused channel",
        "channels:\n",
        "channels:\n  forgotten: {address: forgotten}\n",
        "E0851",
        6,
    ),
    (
        "unused component",
        "  schemas:\n",
        "  schemas:\n    forgotten: {type: string}\n",
        "E0852",
        31,
    ),
    (
        "duplicate address",
        "channels:\n",
        "channels:\n  again: {address: 'shop.{region}.orders', parameters: {region: {}}, messages: {}}\n",
        "E0814",
        8,
    ),
    (
        "garbage in x-retry",
        "maxAttempts: 5",
        "maxAttempts: banana",
        "E0861",
        22,
    ),
    (
        "unknown field in x-retry",
        "maxAttempts: 5",
        "maxAttemps: 5",
        "E0861",
        22,
    ),
    (
        "garbage in x-dead-letter",
        "retention: P30D",
        "retention: thirty days",
        "E0861",
        23,
    ),
    (
        "dead reference",
        "payload: {type: object, required: [ok], properties: {ok: {type: boolean}}}",
        "payload: {$ref: '#/components/schemas/nothing'}",
        "E0804",
        16,
    ),
    (
        "missing file",
        "payload: {type: object, required: [ok], properties: {ok: {type: boolean}}}",
        "payload: {$ref: './answer.yaml'}",
        "E0804",
        16,
    ),
    (
        "outside reference",
        "payload: {type: object, required: [ok], properties: {ok: {type: boolean}}}",
        "payload: {$ref: 'https://example.com/answer.yaml'}",
        "E0805",
        16,
    ),
    (
        "reference to another kind",
        "cancelled: {$ref: '#/components/messages/cancelled'}",
        "cancelled: {$ref: '#/components/schemas/quantity'}",
        "E0806",
        12,
    ),
    (
        "channel of the components",
        "components:\n",
        "components:\n  channels: {orders: {address: x, messages: {placed: {$ref: '#/components/messages/placed'}}}}\n",
        "E0852",
        29,
    ),
    (
        "unknown server",
        "servers: [{$ref: '#/servers/production'}]",
        "servers: [{$ref: '#/components/servers/staging'}]",
        "E0804",
        9,
    ),
    (
        "server variable",
        "host: 'kafka.example.com:9092'",
        "host: '{zone}.example.com:9092'",
        "E0817",
        4,
    ),
    (
        "query in the address",
        "address: shop.{region}.orders",
        "address: 'shop.{region}.orders?a=1'",
        "E0813",
        7,
    ),
    (
        "default that does not fit",
        "default: 1",
        "default: 11",
        "E0832",
        31,
    ),
    (
        "key written twice",
        "    action: receive\n",
        "    action: receive\n    action: send\n",
        "E0807",
        20,
    ),
    (
        "unsupported version",
        "asyncapi: 3.0.0",
        "asyncapi: 4.0.0",
        "E0802",
        1,
    ),
    (
        "not YAML",
        "info: {title: orders",
        "info: {title: [orders",
        "E0801",
        3,
    ),
    (
        "tag used twice",
        "info: {",
        "info: {tags: [{name: a}, {name: a, description: A.}], ",
        "E0824",
        2,
    ),
    (
        "bad header in correlation",
        "'$message.header#/correlationId'",
        "'$message.headers#/correlationId'",
        "E0803",
        35,
    ),
];

#[test]
fn a_good_document_has_no_findings() {
    assert_eq!(validated(GOOD), []);
    // Version 3.1 changes nothing of what it uses.
    assert_eq!(
        validated(&GOOD.replace("asyncapi: 3.0.0", "asyncapi: 3.1.0")),
        []
    );
}

#[test]
fn every_seeded_fault_is_found_at_its_place() {
    let mut missed = Vec::new();
    for (name, from, to, code, line) in FAULTS {
        assert_eq!(GOOD.matches(from).count(), 1, "{name}: {from}");
        let findings = validated(&GOOD.replace(from, to));
        let found = findings
            .iter()
            .any(|finding| finding.code.0 == *code && finding.place.line == *line);
        if !found {
            let told: Vec<String> = findings
                .iter()
                .map(|f| format!("{} at {}: {}", f.code, f.place, f.message))
                .collect();
            missed.push(format!(
                "{name}: no {code} at line {line}\n    {}",
                told.join("\n    ")
            ));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn every_finding_says_what_to_do() {
    for (name, from, to, ..) in FAULTS {
        for finding in validated(&GOOD.replace(from, to)) {
            assert!(
                !finding.message.ends_with('.'),
                "{name}: {}",
                finding.message
            );
            let is_plain = ["E0801", "E0803", "E0831", "E0832"].contains(&finding.code.0);
            assert!(finding.hint.is_some() || is_plain, "{name}: {finding:?}");
        }
    }
}

#[test]
fn version_2_has_rules_of_its_own() {
    let text = "asyncapi: 2.6.0\ninfo: {title: a, version: '1'}\nchannels:\n  'x/{id}':\n    publish:\n      operationId: a\n      message: {oneOf: [{$ref: '#/components/messages/m'}, {$ref: '#/components/messages/m'}]}\n    subscribe: {operationId: a, security: [{nobody: []}], message: {payload: {type: string}}}\n    servers: [nowhere]\ncomponents: {messages: {m: {messageId: m, payload: {type: object}}}}\n";
    let mut codes: Vec<&str> = validated(text).iter().map(|f| f.code.0).collect();
    codes.dedup();
    assert_eq!(codes, ["E0811", "E0833", "E0823", "E0818", "E0816"]);
}
