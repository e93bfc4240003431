//! The matrix, as people and programs see it.

use tidegate_contracts::parties::report::{Format, Paint, contracts};
use tidegate_contracts::parties::{Answer, Matrix, Upgrade, Verdict};

use crate::support::{design, one, said, verdicts};

/// Three versions of an order, two producers, five consumers.
pub(crate) const SHOP: &str = r"
tidegate: 1
system: shop
events:
  OrderPlaced:
    owner: team-orders
    version: v3
    versions:
      v1: {schema: {type: object, additionalProperties: false, required: [id, status], properties: {id: {type: string}, status: {enum: [placed]}}}}
      v2: {schema: {type: object, additionalProperties: false, required: [id, status, total], properties: {id: {type: string}, status: {enum: [placed, paid]}, total: {type: integer}}}}
    schema: {type: object, additionalProperties: false, required: [id, status, total], properties: {id: {type: string}, status: {enum: [placed, paid, cancelled]}, total: {type: number}, note: {type: string}}}
    rules: [{rule: '!has(event.total) || event.total >= 0.0', because: a refund is another event}]
services:
  orders: {owner: team-orders, publishes: [OrderPlaced]}
  legacy: {owner: team-old, publishes: [{event: OrderPlaced, versions: [v1, v2]}]}
  billing:
    owner: team-billing
    consumes:
      OrderPlaced:
        requires: [id, {field: total, type: number}, {rule: 'event.total > -1.0', because: we charge it}]
  email: {owner: team-mail, consumes: {OrderPlaced: {requires: [id, {field: status, values: [placed, paid], because: no template for others}]}}}
  archive: {owner: team-data, consumes: {OrderPlaced: {}}}
  report: {owner: team-data, consumes: {OrderPlaced: {reads: v2}}}
  search: {owner: team-search, consumes: {OrderPlaced: {requires: [{field: note, presence: optional, type: string}]}}}
";

#[test]
fn every_consumer_is_held_against_every_version() {
    let design = design(SHOP, &[]);
    let matrix = Matrix::of(&design);
    let upgrade = Upgrade::of(&design, &matrix);
    assert_eq!(matrix.answer(), Answer::No);
    insta::assert_snapshot!(
        "human",
        contracts(Format::Human, &matrix, &upgrade, Paint::Plain)
    );
    insta::assert_snapshot!(
        "json",
        contracts(Format::Json, &matrix, &upgrade, Paint::Plain)
    );
    insta::assert_snapshot!(
        "markdown",
        contracts(Format::Markdown, &matrix, &upgrade, Paint::Plain)
    );
    let painted = contracts(Format::Human, &matrix, &upgrade, Paint::Ansi);
    assert!(painted.contains("\u{1b}[1;31mno\u{1b}[0m"));
    insta::assert_snapshot!("findings", said(SHOP));
}

#[test]
fn a_version_that_nobody_publishes_is_shown_and_no_finding() {
    let text = SHOP.replace(
        "[{event: OrderPlaced, versions: [v1, v2]}]",
        "[{event: OrderPlaced, versions: [v2]}]",
    );
    let design = design(&text, &[]);
    let matrix = Matrix::of(&design);
    let human = contracts(
        Format::Human,
        &matrix,
        &Upgrade::of(&design, &matrix),
        Paint::Plain,
    );
    assert!(
        human.contains("OrderPlaced  v1       (kept)    billing   no"),
        "{human}"
    );
    assert!(!said(&text).contains("version v1"), "{}", said(&text));
}

#[test]
fn what_is_required_is_said_in_short_and_at_length() {
    let schema = "{type: object, required: [a, b], properties: {a: {type: string}, b: {type: [integer, 'null']}, c: {type: array, items: {type: boolean}}}}";
    for (requires, expected) in [
        ("[a]", "met"),
        ("[/a]", "met"),
        ("[{field: a}]", "met"),
        ("[{field: a, type: string}]", "met"),
        ("[{field: a, type: number}]", "unmet"),
        ("[{field: a, values: [x, y]}]", "unmet"),
        ("[{field: b, type: integer}]", "unmet"),
        ("[{field: b, values: [1, null]}]", "unmet"),
        ("[c]", "unmet"),
        ("[{field: c, presence: optional, type: array}]", "met"),
        ("[{field: c, presence: optional, type: object}]", "unmet"),
        ("[{field: /c/0, presence: optional, type: boolean}]", "met"),
        ("[/c/0]", "unmet"),
        ("[d]", "unmet"),
        ("[/a/b]", "unmet"),
    ] {
        let design = design(&one(schema, "[]", requires), &[]);
        let found = match verdicts(&design).remove(0) {
            Verdict::Met => "met".to_owned(),
            Verdict::Unmet(broken) => format!("unmet by {}", broken.event),
            Verdict::NotProved(why) => format!("not proved: {why}"),
        };
        assert!(found.starts_with(expected), "{requires}: {found}");
    }
}

#[test]
fn a_requirement_that_says_nothing_or_two_things_is_reported() {
    let text = one(
        "{type: object}",
        "[]",
        "[{because: x}, {field: a, rule: 'true'}, {field: a, values: [], type: text}, [a]]",
    );
    insta::assert_snapshot!(said(&text));
}

#[test]
fn versions_are_named_once_and_known() {
    let text = "tidegate: 1
system: shop
events:
  E:
    version: v1
    versions: {v1: {schema: {type: object}}, v0: {}}
    schema: {type: object}
services:
  p: {publishes: [E, {event: E, versions: [v1]}, {event: F, versions: [v9]}]}
  q: {publishes: [{event: E, versions: [v2]}]}
  c: {consumes: {E: {reads: V0}}}
";
    insta::assert_snapshot!(said(text));
}
