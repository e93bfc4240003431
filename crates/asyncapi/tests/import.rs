//! What documents of both versions become together.

#![cfg(test)]

use tidegate_asyncapi::{Bundle, Imported, import};
use tidegate_model::Source;

const SENDER: &str = "asyncapi: 3.0.0\ninfo: {title: orders, version: '1'}\nchannels: {c: {address: placed, messages: {Placed: {payload: {type: object}}}}}\noperations: {o: {action: send, channel: {$ref: '#/channels/c'}}}\n";
const RECEIVER: &str = "asyncapi: 2.6.0\ninfo: {title: billing, version: '1'}\nchannels: {placed: {publish: {message: {payload: {type: object}}}}}\n";

fn imported(documents: &[&str]) -> Imported {
    let sources: Vec<Source> = documents
        .iter()
        .zip(0..)
        .map(|(text, index)| Source {
            name: format!("{index}.yaml").into(),
            text: (*text).to_owned(),
        })
        .collect();
    import(&Bundle::read(&sources, &[]), None)
}

#[test]
fn who_writes_publish_in_version_2_receives() {
    let imported = imported(&[SENDER, RECEIVER]);
    assert_eq!(imported.flows, ["orders sends Placed to billing"]);
    let design = imported.design;
    assert_eq!(design["services"]["orders"]["publishes"][0], "Placed");
    assert!(design["services"]["billing"]["consumes"]["Placed"].is_object());
    assert!(design["services"]["billing"].get("publishes").is_none());
}

#[test]
fn who_writes_subscribe_in_version_2_sends() {
    let imported = imported(&[&RECEIVER.replace("publish", "subscribe")]);
    assert_eq!(
        imported.flows,
        ["billing sends placed to nobody that is known"]
    );
}

#[test]
fn a_trait_overrides_in_version_2_and_never_since() {
    let traits = "x-retry: {maxAttempts: 9}";
    let old = RECEIVER.replace(
        "publish: {",
        &format!("publish: {{x-retry: {{maxAttempts: 2}}, traits: [{{{traits}}}], "),
    );
    let new = SENDER.replace(
        "action: send,",
        &format!("action: receive, x-retry: {{maxAttempts: 2}}, traits: [{{{traits}}}],"),
    );
    let attempts = |design: &serde_json::Value, service: &str| {
        let consumes = design["services"][service]["consumes"].as_object().unwrap();
        consumes.values().next().unwrap()["retry"]["attempts"].clone()
    };
    assert_eq!(attempts(&imported(&[&old]).design, "billing"), 9);
    assert_eq!(attempts(&imported(&[&new]).design, "orders"), 2);
}

#[test]
fn what_two_operations_say_of_one_consumer_is_held_against_each_other() {
    let text = SENDER.replace(
        "operations: {o: {action: send, channel: {$ref: '#/channels/c'}}}",
        "operations: {o: {action: receive, channel: {$ref: '#/channels/c'}}, p: {action: receive, channel: {$ref: '#/channels/c'}, x-retry: {maxAttempts: 2}}}",
    );
    let findings = imported(&[&text]).findings;
    assert!(
        findings.iter().any(|finding| finding.code.0 == "E0872"),
        "{findings:#?}"
    );
}

#[test]
fn what_is_not_at_hand_is_lost_and_what_is_left_is_a_schema() {
    let with = |payload: &str| {
        let text = SENDER.replace("payload: {type: object}", payload);
        let imported = imported(&[&text]);
        let lost: Vec<String> = imported
            .findings
            .iter()
            .filter(|finding| finding.code.0 == "E0871")
            .map(|finding| finding.message.clone())
            .collect();
        (imported, lost)
    };
    let remote = "https://schemas.example/order.json";
    // Inside of a schema, its place allows everything.
    let inside = format!("payload: {{type: object, properties: {{o: {{$ref: '{remote}'}}}}}}");
    let (made, lost) = with(&inside);
    assert!(lost.iter().any(|text| text.contains(remote)), "{lost:?}");
    let schema = tidegate_schema::Compiled::json_schema(&made.files[0].1).unwrap();
    assert_eq!(schema.validate(&serde_json::json!({"o": 7})), []);
    assert!(!made.files[0].1.contains(remote));
    // As a whole, there is no schema.
    let avro = "application/vnd.apache.avro;version=1.9.0";
    for whole in [
        format!("payload: {{$ref: '{remote}'}}"),
        format!("payload: {{schemaFormat: '{avro}', schema: {{$ref: '{remote}'}}}}"),
        format!(
            "payload: {{schemaFormat: '{avro}', schema: {{type: record, name: A, fields: [{{name: b, type: {{$ref: '{remote}'}}}}]}}}}"
        ),
        format!(
            "payload: {{schemaFormat: application/vnd.google.protobuf, schema: {{$ref: '{remote}'}}}}"
        ),
    ] {
        let (made, lost) = with(&whole);
        assert!(
            lost.iter().any(|text| text.contains("schema of `Placed`")),
            "{whole}: {lost:?}"
        );
        for (_, text) in &made.files {
            assert!(
                tidegate_schema::Compiled::json_schema(text).is_ok(),
                "{text}"
            );
        }
    }
}

fn rabbit(definitions: &str) -> Imported {
    let source = Source {
        name: "definitions.json".into(),
        text: definitions.to_owned(),
    };
    tidegate_asyncapi::rabbitmq::import(&source, &"shop".parse().unwrap())
}

/// A queue `a` with a dead-letter exchange, and a queue `dlq` that is bound to that by `key`.
fn with_dead_letters(kind: &str, bound_by: &str, key: &str, queue: &str) -> Imported {
    rabbit(&format!(
        r#"{{"exchanges": [
            {{"name": "dlx", "vhost": "/", "type": "direct"}},
            {{"name": "ex", "vhost": "/", "type": "{kind}"}}],
        "queues": [
            {{"name": "a", "vhost": "/", {queue}, "arguments": {{"x-dead-letter-exchange": "dlx"}}}},
            {{"name": "dlq", "vhost": "/", "durable": true, "arguments": {{"x-message-ttl": 86400000}}}}],
        "bindings": [
            {{"source": "ex", "vhost": "/", "destination": "a", "destination_type": "queue", "routing_key": "{bound_by}"}},
            {{"source": "dlx", "vhost": "/", "destination": "dlq", "destination_type": "queue", "routing_key": "{key}"}}]}}"#
    ))
}

fn lost(imported: &Imported) -> Vec<&str> {
    let lost = imported.findings.iter();
    let lost = lost.filter(|finding| finding.code.0 == "E0871");
    lost.map(|finding| finding.message.as_str()).collect()
}

#[test]
fn dead_letters_that_no_binding_takes_are_none() {
    for (kind, bound_by, key, is_taken) in [
        ("direct", "k", "k", true),
        ("direct", "k", "other", false),
        ("topic", "k.*", "k.a", true),
        ("topic", "k.*", "other", false),
        // Whoever publishes to a fanout exchange may give any key.
        ("fanout", "", "other", true),
    ] {
        let imported = with_dead_letters(kind, bound_by, key, r#""durable": true"#);
        let services = imported.design["services"].as_object().unwrap();
        let consumes = services["a"]["consumes"].as_object().unwrap();
        let has_letters = consumes
            .values()
            .all(|one| one["dead-letter"]["retention"] == "1d");
        assert_eq!(has_letters, is_taken, "{kind} {bound_by} {key}");
        assert_eq!(services.contains_key("dlq"), !is_taken);
        let said =
            format!("dead letters of `a` by the key `{bound_by}`: exchange `dlx` has no binding");
        let lost = lost(&imported);
        let is_said = lost.iter().any(|text| text.contains(&said));
        assert_eq!(is_said, !is_taken, "{kind} {bound_by} {key}: {lost:?}");
    }
}

#[test]
fn what_does_not_outlive_the_broker_is_told_as_lost() {
    let passing = r#""durable": false, "auto_delete": true"#;
    let imported = with_dead_letters("direct", "k", "k", passing);
    let told = [
        "`durable: false` of queue `a`",
        "`auto_delete: true` of queue `a`",
    ];
    for part in told {
        let lost = lost(&imported);
        assert!(lost.iter().any(|text| text.contains(part)), "{lost:?}");
    }
    let two = r#"{"exchanges": [{"name": "x", "vhost": "v", "type": "direct", "durable": false}],
        "queues": [{"name": "a", "vhost": "v"}, {"name": "b", "vhost": "v"}, {"name": "c", "vhost": "/"}]}"#;
    assert_eq!(
        lost(&rabbit(two)),
        [
            "lost: `durable: false` of exchange `x`",
            "lost: the virtual host `v`"
        ]
    );
}

#[test]
fn definitions_of_another_form_are_refused_with_their_place() {
    for (text, place) in [
        (r#"{"exchanges": {"name": "x"}}"#, "#/exchanges"),
        (r#"{"queues": [], "exchanges": "x"}"#, "#/exchanges"),
        (r#"{"queues": [7]}"#, "#/queues/0"),
        (r#"{"queues": [{"name": 7}]}"#, "#/queues/0"),
        (
            r#"{"queues": [], "exchanges": [{"name": "x", "type": 7}]}"#,
            "#/exchanges/0",
        ),
        (
            r#"{"queues": [], "bindings": [{"source": "x"}]}"#,
            "#/bindings/0",
        ),
    ] {
        let findings = rabbit(text).findings;
        let found = findings.iter().find(|finding| finding.code.0 == "E0803");
        assert!(
            found.is_some_and(|one| one.path == place),
            "{text}: {findings:#?}"
        );
    }
    let fine = r#"{"queues": [{"name": "q", "vhost": "/", "arguments": {}}], "exchanges": [], "bindings": []}"#;
    assert!(
        rabbit(fine)
            .findings
            .iter()
            .all(|finding| finding.code.0 != "E0803")
    );
}

#[test]
fn only_quorum_queues_have_a_limit_of_deliveries() {
    let attempts = |queue: &str| {
        let made = rabbit(&format!(
            r#"{{"queues": [{{"name": "q", "vhost": "/", {queue}}}]}}"#
        ));
        let consumes = &made.design["services"]["q"]["consumes"];
        let contract = consumes
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .clone();
        (contract["retry"]["attempts"].clone(), made.findings.len())
    };
    let null = serde_json::Value::Null;
    let quorum = r#""arguments": {"x-queue-type": "quorum", "x-delivery-limit": 4}"#;
    assert_eq!(attempts(quorum), (serde_json::json!(5), 0));
    assert_eq!(attempts(r#""arguments": {"x-queue-type": "quorum"}"#).0, 21);
    let endless = r#""arguments": {"x-queue-type": "quorum", "x-delivery-limit": -1}"#;
    assert_eq!(attempts(endless).0, null);
    let (none, findings) = attempts(r#""arguments": {"x-delivery-limit": 4}"#);
    assert_eq!((none, findings), (null, 1));
}

#[test]
fn of_amqp_and_nats_what_a_design_can_hold_is_kept_and_the_rest_is_named() {
    let text = SENDER
        .replace("payload: {type: object}", "payload: {type: object}, bindings: {amqp: {messageType: shop.placed, contentEncoding: gzip}}")
        .replace("address: placed,", "address: placed, bindings: {amqp: {is: routingKey, exchange: {name: orders, type: topic, durable: true, autoDelete: false, vhost: /}}},")
        .replace("action: send,", "action: receive, bindings: {amqp: {ack: true, deliveryMode: 2, priority: 9}, nats: {queue: workers}},");
    let made = imported(&[&text]);
    let lost: Vec<&str> = made
        .findings
        .iter()
        .filter(|finding| finding.code.0 == "E0871")
        .map(|finding| finding.message.as_str())
        .collect();
    let events = made.design["events"].as_object().unwrap();
    assert_eq!(events.values().next().unwrap()["type"], "shop.placed");
    for named in [
        "`contentEncoding`",
        "\"orders\"",
        "\"topic\"",
        "`priority`",
        "`workers`",
    ] {
        assert!(
            lost.iter().any(|text| text.contains(named)),
            "{named}: {lost:#?}"
        );
    }
    // What is so anyway is not lost.
    for held in [
        "`durable`",
        "`autoDelete`",
        "`vhost`",
        "`ack`",
        "`deliveryMode`",
        "`is`",
        "messageType",
    ] {
        assert!(
            !lost.iter().any(|text| text.contains(held)),
            "{held}: {lost:#?}"
        );
    }
}
