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
