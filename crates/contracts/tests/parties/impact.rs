//! Who breaks when a field changes.

use tidegate_contracts::parties::report::{Format, Paint, impact};
use tidegate_contracts::parties::{Impact, ImpactError};

use crate::support::design;

const SHOP: &str = r"
tidegate: 1
system: shop
events:
  OrderPlaced:
    owner: team-orders
    key: /id
    schema:
      type: object
      additionalProperties: false
      required: [id, status, count, customer]
      properties:
        id: {type: string}
        status: {enum: [placed, paid]}
        count: {type: integer}
        customer: {$ref: '#/$defs/customer'}
        note: {type: string}
      $defs: {customer: {type: object, required: [name], properties: {name: {type: string}}}}
    rules: ['event.count > 0']
services:
  orders: {owner: team-orders, publishes: [OrderPlaced]}
  billing: {owner: team-billing, consumes: {OrderPlaced: {requires: [id, /customer/name, {field: count, type: integer}]}}}
  email: {owner: team-mail, consumes: {OrderPlaced: {requires: [id, {field: status, values: [placed, paid]}]}}}
  audit: {consumes: {OrderPlaced: {requires: [{rule: 'event.status != ''lost'''}]}}}
  archive: {owner: team-data, consumes: {OrderPlaced: {}}}
";

fn told(what: &str) -> String {
    impact(
        Format::Human,
        &Impact::of(&design(SHOP, &[]), what).unwrap(),
        Paint::Plain,
    )
}

#[test]
fn a_field_with_a_list_of_values() {
    insta::assert_snapshot!(told("OrderPlaced#/status"));
}

#[test]
fn a_field_inside_another_behind_a_reference() {
    insta::assert_snapshot!(told("OrderPlaced#/customer/name"));
}

#[test]
fn a_whole_number_that_is_read_as_one() {
    insta::assert_snapshot!(told("OrderPlaced#/count"));
}

#[test]
fn the_key_and_what_nobody_names() {
    assert!(told("OrderPlaced#/id").contains("it is the event's key"));
    insta::assert_snapshot!(told("OrderPlaced#/note"));
}

#[test]
fn a_whole_event() {
    insta::assert_snapshot!(told("OrderPlaced"));
}

#[test]
fn for_programs() {
    let design = design(SHOP, &[]);
    let found = Impact::of(&design, "OrderPlaced#/status").unwrap();
    assert!(found.breaks_any());
    insta::assert_snapshot!(impact(Format::Json, &found, Paint::Plain));
}

/// It was passed over in silence, as if nobody read the field.
#[test]
fn who_is_broken_without_the_change_is_named() {
    let wider = SHOP.replace("{enum: [placed, paid]}", "{enum: [placed, paid, lost]}");
    let found = Impact::of(&design(&wider, &[]), "OrderPlaced#/status").unwrap();
    let told = impact(Format::Human, &found, Paint::Plain);
    let line = "  broken without it, as `tidegate contracts` says: email (team-mail), audit\n";
    assert!(told.contains(line), "{told}");
    let told = impact(Format::Json, &found, Paint::Plain);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let already = &told["changes"][0]["already_broken"];
    assert_eq!(already[0]["service"], "email", "{told}");
}

#[test]
fn what_is_not_there_is_said_with_what_is_close() {
    let design = design(SHOP, &[]);
    let error = |what: &str| Impact::of(&design, what).unwrap_err();
    assert_eq!(
        error("OrderPlacd#/status").to_string(),
        "the design has no event `OrderPlacd`; did you mean `OrderPlaced`?"
    );
    assert_eq!(
        error("OrderPlaced#/customer/nme").to_string(),
        "the schema of `OrderPlaced` does not declare `/customer/nme`; did you mean `/customer/name`?"
    );
    assert!(matches!(
        error("OrderPlaced#/a~"),
        ImpactError::NotAPointer(_)
    ));
    assert!(matches!(error("OrderPlaced#"), ImpactError::NotAPointer(_)));
}
