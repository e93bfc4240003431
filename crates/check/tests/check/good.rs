//! A design that is as it should be stays silent.

use std::sync::Arc;

use insta::assert_snapshot;
use tidegate_model::{SchemaPath, Severity, Source};

use crate::reading::{CHECKOUT, checked, findings};

#[test]
fn the_checkout_design_has_no_finding() {
    assert_snapshot!(findings(CHECKOUT), @"");
}

#[test]
fn every_default_is_silent() {
    let text = "
tidegate: 1
system: bare
events:
  A:
    summary: It happened.
    schema: {type: object, properties: {id: {type: string}}, required: [id]}
    key: /id
    targets: {rate: 10/s}
services:
  one: {owner: a, publishes: [A]}
  two: {owner: b, consumes: {A: {dead-letter: {}, needs: [api]}}}
dependencies:
  api: {}
";
    assert_snapshot!(findings(text), @"");
}

/// A saga: each service answers the other's events, and no handler says what it emits.
#[test]
fn a_saga_gets_no_warning() {
    let event = |name: &str| {
        format!(
            "  {name}: {{summary: It happened., key: /id, schema: {{type: object, properties: \
             {{id: {{type: string}}}}, required: [id]}}}}\n"
        )
    };
    let service = |name: &str, publishes: &str, consumes: &[&str]| {
        let consumes: String = consumes
            .iter()
            .map(|event| format!("      {event}: {{dead-letter: {{}}}}\n"))
            .collect();
        format!(
            "  {name}:\n    owner: team-{name}\n    publishes: [{publishes}]\n    consumes:\n{consumes}"
        )
    };
    let text = format!(
        "tidegate: 1\nsystem: saga\nevents:\n{}{}{}services:\n{}{}",
        event("OrderPlaced"),
        event("PaymentTaken"),
        event("OrderCancelled"),
        service("orders", "OrderPlaced, OrderCancelled", &["PaymentTaken"]),
        service(
            "billing",
            "PaymentTaken",
            &["OrderPlaced", "OrderCancelled"]
        ),
    );
    let all = checked(&text);
    assert!(
        all.iter().all(|finding| finding.severity == Severity::Note),
        "{}",
        findings(&text)
    );
    assert_snapshot!(findings(&text), @r###"
E0219 Note 17:7 services.billing.consumes.OrderPlaced
  event `OrderPlaced` may lead back to itself without end: `OrderPlaced` → billing → `PaymentTaken` → orders → `OrderPlaced`
  help: write `emits: […]` in consumer `billing/OrderPlaced`: what its handler publishes, or `[]`
"###);
}

/// The design that the project shows to newcomers.
#[test]
fn the_example_of_the_project_has_nothing_to_answer_for() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/checkout");
    let text = std::fs::read_to_string(format!("{folder}/design.yaml")).unwrap();
    let source = Source {
        name: Arc::from("design.yaml"),
        text,
    };
    let schema_text = |path: &SchemaPath| {
        std::fs::read_to_string(format!("{folder}/{}", path.path())).map_err(|e| e.to_string())
    };
    let reading = tidegate_model::read(&[source], &schema_text);
    let mut findings = reading.findings;
    findings.extend(tidegate_check::check(&reading.design.unwrap()));
    findings.retain(|finding| finding.severity > Severity::Note);
    assert_eq!(findings, []);
}
