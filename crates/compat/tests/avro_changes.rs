//! One change at a time, with the place, the words and the event; and schemas made to hurt.

#![expect(
    clippy::unwrap_used,
    reason = "a test: what is wrong here should stop it, with its place"
)]

use serde_json::{Value, json};
use tidegate_compat::{Answer, Mode, Profile, Verdict, avro};

fn verdict(old: &Value, new: &Value, mode: Mode, profile: Profile) -> Verdict {
    avro::compare(&[&old.to_string()], &new.to_string(), mode, profile).unwrap()
}

fn said(verdict: &Verdict) -> String {
    let lines: Vec<String> = verdict
        .findings
        .iter()
        .map(|finding| {
            let witness = finding.witness.as_ref();
            let shown = witness.map(|w| format!(" | {} at `{}`: {}", w.event, w.path, w.error));
            format!(
                "{:?} {} `{}`: {}{}",
                finding.answer,
                finding.code,
                finding.path,
                finding.reason,
                shown.unwrap_or_default()
            )
        })
        .collect();
    lines.join("\n")
}

fn record(fields: &Value) -> Value {
    json!({"type": "record", "name": "R", "fields": fields})
}

#[test]
fn every_break_has_its_code_its_place_and_its_event() {
    let cases = [
        (json!("long"), json!("int")),
        (json!("double"), json!("float")),
        (json!("string"), json!("int")),
        (json!("bytes"), json!("string")),
        (
            record(&json!([])),
            record(&json!([{"name": "a", "type": "int"}])),
        ),
        (
            json!({"type": "enum", "name": "E", "symbols": ["A", "B"]}),
            json!({"type": "enum", "name": "E", "symbols": ["A"]}),
        ),
        (
            json!({"type": "fixed", "name": "F", "size": 2}),
            json!({"type": "fixed", "name": "F", "size": 3}),
        ),
        (json!(["null", "string"]), json!(["null", "int"])),
        (
            json!({"type": "array", "items": ["int", "string"]}),
            json!({"type": "array", "items": "int"}),
        ),
        (
            record(&json!([])),
            json!({"type": "record", "name": "Other", "fields": []}),
        ),
        (
            record(&json!([{"name": "a", "type": {"type": "map", "values": "long"}}])),
            record(&json!([{"name": "a", "type": {"type": "map", "values": "int"}}])),
        ),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|(old, new)| said(&verdict(old, new, Mode::Backward, Profile::Exact)))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r###"
Incompatible type-changed ``: the writer writes long, which a reader of int cannot read | 9223372036854775807 at ``: a reader of int cannot read long; apache-avro: Decoded integer out of range for i32: 9223372036854775807: out of range integral type conversion attempted
Incompatible type-changed ``: the writer writes double, which a reader of float cannot read | 1.7976931348623157e+308 at ``: a reader of float cannot read double; apache-avro does not notice and reads on
Incompatible type-changed ``: the writer writes string, which a reader of int cannot read | "text" at ``: a reader of int cannot read string; apache-avro: Expected Value::Int, got: String("text")
Incompatible bytes-not-text ``: the reader takes bytes for a string, which fails for bytes that are not UTF-8 | "ÿ" at ``: the bytes are not UTF-8, so they are no string; apache-avro: Invalid utf-8 string
Incompatible field-without-default `/fields/0`: the writer has no field `a`, and the reader has no default for it | {} at ``: the writer has no field `a`, and the reader has no default for it; apache-avro: Missing field in record: "a"
Incompatible enum-symbol-missing ``: the writer may write `B`, and the reader has no default for it | "B" at ``: the reader's enum has neither `B` nor a default; apache-avro: Enum default "B" is not among allowed symbols ["A"]
Incompatible fixed-size-changed ``: the writer's has 2 bytes, the reader's 3 | "\u0000\u0000" at ``: the value has 2 bytes, the reader's 3; apache-avro: Fixed size mismatch, expected: 3, got: 2
Incompatible union-branch-missing ``: the writer may write string, and the reader's union has no branch for it | {"string":"text"} at `/string`: the reader's union has no branch for string; apache-avro: Could not find matching type in UnionSchema { schemas: [Null, Int] } for String("text")
Incompatible type-changed `/items`: the writer writes string, which a reader of int cannot read | [{"string":"text"}] at `/0/string`: a reader of int cannot read string; apache-avro: Expected Value::Int, got: String("text")
Incompatible name-changed ``: the record is called R by the writer and Other by the reader | {} at ``: the writer's R is not the reader's Other; apache-avro does not notice and reads on
Incompatible type-changed `/fields/0/type/values`: the writer writes long, which a reader of int cannot read | {"a":{"key":9223372036854775807}} at `/a/key`: a reader of int cannot read long; apache-avro: Decoded integer out of range for i32: 9223372036854775807: out of range integral type conversion attempted
"###);
}

#[test]
fn what_readers_resolve_is_no_break_and_some_of_it_is_worth_a_word() {
    let cases = [
        (json!("int"), json!("double")),
        (json!("long"), json!("float")),
        (json!("string"), json!("bytes")),
        (
            record(&json!([{"name": "old", "type": "int"}])),
            record(&json!([{"name": "new", "aliases": ["old"], "type": "long"}])),
        ),
        (
            json!({"type": "enum", "name": "E", "symbols": ["A", "B"]}),
            json!({"type": "enum", "name": "E", "symbols": ["A"], "default": "A"}),
        ),
        (
            json!({"type": "record", "name": "a.R", "fields": []}),
            json!({"type": "record", "name": "b.R", "fields": []}),
        ),
        (
            json!({"type": "long", "logicalType": "timestamp-millis"}),
            json!({"type": "long", "logicalType": "timestamp-micros"}),
        ),
        (json!("string"), json!(["null", "string"])),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|(old, new)| {
            let verdict = verdict(old, new, Mode::Backward, Profile::Exact);
            assert_eq!(
                verdict.answer,
                Answer::Compatible,
                "{old} to {new}: {verdict:#?}"
            );
            said(&verdict)
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r###"

Compatible promotion-rounds ``: long is read as float: a number of many digits is rounded


Compatible enum-default-taken ``: the reader takes its default `A` for `B`

Compatible logical-type-changed ``: the logical type changed: the bytes are read as before, and may mean something else
"###);
}

#[test]
fn a_recursive_schema_has_a_short_way_to_its_break() {
    let tree = |kind: &str| {
        record(&json!([
            {"name": "left", "type": ["null", "R"]},
            {"name": "children", "type": {"type": "array", "items": "R"}},
            {"name": "value", "type": ["null", kind]}
        ]))
    };
    let verdict = verdict(&tree("long"), &tree("int"), Mode::Full, Profile::Exact);
    insta::assert_snapshot!(said(&verdict), @r###"
Incompatible union-branch-missing `/fields/2/type`: the writer may write long, and the reader's union has no branch for it | {"left":null,"children":[],"value":{"long":9223372036854775807}} at `/value/long`: the reader's union has no branch for long; apache-avro: Could not find matching type in UnionSchema { schemas: [Null, Int] } for Long(9223372036854775807)
"###);
}

#[test]
fn the_registry_profile_takes_any_branch_that_reads() {
    // The reader's first `R` by its short name cannot read it, the second can.
    let old = json!({"type": "record", "name": "x.R", "fields": [{"name": "a", "type": "int"}]});
    let new = json!([
        {"type": "record", "name": "y.R", "fields": [{"name": "a", "type": "string"}]},
        {"type": "record", "name": "z.R", "fields": [{"name": "a", "type": "int"}]}
    ]);
    let answer = |profile| verdict(&old, &new, Mode::Backward, profile).answer;
    assert_eq!(answer(Profile::Confluent), Answer::Compatible);
    assert_eq!(answer(Profile::Exact), Answer::Incompatible);
}

#[test]
fn a_version_that_is_no_schema_is_named() {
    let error = avro::compare(
        &["\"int\"", "{"],
        "\"int\"",
        Mode::BackwardTransitive,
        Profile::Exact,
    );
    insta::assert_snapshot!(error.unwrap_err(), @"old version 1: the schema is not JSON: EOF while parsing an object at line 1 column 1");
    let error = avro::compare(&[], "[", Mode::Backward, Profile::Exact);
    insta::assert_snapshot!(error.unwrap_err(), @"the new version: the schema is not JSON: EOF while parsing a list at line 1 column 1");
}

/// Records that each refer to the one before: flat as a text, deep as a graph.
fn chain(length: usize, twice: bool, last: &str) -> Value {
    let mut fields = vec![json!({"name": "f0", "type": {
        "type": "record", "name": "A0", "fields": [{"name": "x", "type": last}]
    }})];
    for n in 1..length {
        let before = format!("A{}", n - 1);
        let mut inner = vec![json!({"name": "x", "type": before})];
        if twice {
            inner.push(json!({"name": "y", "type": before}));
        }
        fields.push(json!({"name": format!("f{n}"), "type": {
            "type": "array", "items": {"type": "record", "name": format!("A{n}"), "fields": inner}
        }}));
    }
    record(&Value::Array(fields))
}

#[test]
fn schemas_made_to_hurt_are_answered_or_left_open_in_time() {
    // The way to the break is a short one, whatever else there is.
    let long = verdict(
        &chain(3_000, false, "long"),
        &chain(3_000, false, "int"),
        Mode::Backward,
        Profile::Exact,
    );
    assert_eq!(long.answer, Answer::Incompatible);
    // The least event of the last record has two to the sixtieth values: none is made.
    let root = |last: &str| {
        let mut schema = chain(60, true, last);
        let fields = schema["fields"].as_array_mut().unwrap();
        fields.push(json!({"name": "all", "type": "A59"}));
        fields.push(json!({"name": "more", "type": last}));
        schema
    };
    let large = verdict(&root("long"), &root("int"), Mode::Backward, Profile::Exact);
    assert_eq!(large.answer, Answer::NotProved, "{large:#?}");
    let registry = verdict(
        &root("long"),
        &root("int"),
        Mode::Backward,
        Profile::Confluent,
    );
    assert_eq!(registry.answer, Answer::Incompatible);
    // A record that needs itself has no event at all.
    let endless =
        |kind: &str| record(&json!([{"name": "r", "type": "R"}, {"name": "a", "type": kind}]));
    let none = verdict(
        &endless("long"),
        &endless("int"),
        Mode::Backward,
        Profile::Exact,
    );
    assert_eq!(none.answer, Answer::Compatible, "{none:#?}");
    // Every pair of a hundred branches of records that meet each other.
    let many = |kind: &str| {
        let branches: Vec<Value> = (0..100)
            .map(|n| json!({"type": "record", "name": format!("n{n}.R"), "fields": [
                {"name": "a", "type": kind}, {"name": "b", "type": ["null", {"type": "array", "items": kind}]}
            ]}))
            .collect();
        Value::Array(branches)
    };
    let crossed = verdict(&many("long"), &many("int"), Mode::Full, Profile::Confluent);
    assert_eq!(crossed.answer, Answer::Incompatible);
}

/// The specification renames the writer's fields by the reader's aliases: two fields of one name are none that anybody
/// could read.
#[test]
fn a_field_that_two_of_the_writer_could_be_cannot_be_read() {
    let old = record(&json!([{"name": "c", "type": "int"}, {"name": "d", "type": "int"}]));
    let cases = [
        json!([{"name": "d", "aliases": ["c"], "type": "int"}]),
        json!([{"name": "e", "aliases": ["c", "d"], "type": "int"}]),
        json!([{"name": "d", "aliases": ["c"], "type": "int"}, {"name": "c", "type": "int"}]),
    ];
    for fields in cases {
        for profile in [Profile::Exact, Profile::Confluent] {
            let said = said(&verdict(&old, &record(&fields), Mode::Backward, profile));
            assert!(
                said.contains("Incompatible field-ambiguous `/fields/0`"),
                "{said}"
            );
            assert!(said.contains("is both `c` and `d` of the writer"), "{said}");
        }
    }
    let named_twice = record(&json!([{"name": "d", "aliases": ["d", "x"], "type": "int"}]));
    assert_eq!(
        verdict(&old, &named_twice, Mode::Backward, Profile::Exact).answer,
        Answer::Compatible
    );
}
