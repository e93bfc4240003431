//! The fields of a schema, one by one.

#![cfg(test)]

use serde_json::json;
use tidegate_schema::avro::Avro;
use tidegate_schema::listing::{self, LISTED_MAX, Listed};
use tidegate_schema::protobuf::{Protobuf, Sources};

fn lines(listed: &[Listed]) -> String {
    let line = |one: &Listed| {
        let must = if one.required { "!" } else { "" };
        format!(
            "{}{must}: {} ({})\n",
            one.path,
            one.kind,
            one.constraints.join("; ")
        )
    };
    listed.iter().map(line).collect()
}

#[test]
fn a_json_schema() {
    let schema = json!({
        "type": "object", "required": ["id", "lines", "extra"], "additionalProperties": false,
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "status": {"enum": ["open", "paid"]},
            "lines": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/line"}},
            "other": {"$ref": "other.json"},
        },
        "$defs": {"line": {"allOf": [{"required": ["sku"]}], "type": "object",
            "properties": {"sku": {"type": "string", "pattern": "^a"}, "parts": {"items": {"$ref": "#/$defs/line"}}}}},
    });
    insta::assert_snapshot!(lines(&listing::json_schema(&schema)), @r#"
    !: object (no other fields)
    id!: string (format uuid)
    status: value (one of "open", "paid")
    lines!: array (minItems 1)
    lines[]: object ()
    lines[].sku!: string (pattern ^a)
    lines[].parts: any, or an array ()
    lines[].parts[]: object (as above, again)
    other: any (as other.json says)
    extra!: any ()
    "#);
}

#[test]
fn an_avro_schema() {
    let schema = r#"{"type": "record", "name": "shop.Order", "fields": [
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "note", "type": ["null", "string"], "default": null, "aliases": ["remark"]},
        {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
            {"name": "parts", "type": {"type": "array", "items": "Line"}}]}}}]}"#;
    insta::assert_snapshot!(lines(&listing::avro(&Avro::parse(schema).unwrap())), @"
    !: record shop.Order ()
    id!: string (uuid)
    total!: bytes (decimal of 9 digits, 2 behind the point)
    note: null | string (default null; also called remark)
    lines!: array of shop.Line ()
    lines[].kind!: enum shop.Kind (one of A, B)
    lines[].parts!: array of shop.Line ()
    ");
}

#[test]
fn a_protobuf_message() {
    let text = "syntax = \"proto3\"; import \"google/protobuf/timestamp.proto\";
        message Order { string id = 1; repeated Line lines = 2; map<string, Line> by = 3; Kind kind = 4;
        oneof way { string mail = 5; bytes raw = 6; } google.protobuf.Timestamp at = 7; }
        message Line { string sku = 1; optional int32 count = 2; Order of = 3; } enum Kind { A = 0; B = 1; }";
    let files = Sources::from([("m.proto".to_owned(), text.to_owned())]);
    let order = Protobuf::compile(&files, Some("Order")).unwrap();
    insta::assert_snapshot!(lines(&listing::protobuf(&order)), @"
    id: string (number 1)
    lines: repeated Line (number 2)
    lines[].sku: string (number 1)
    lines[].count: int32 (number 2; presence is told)
    lines[].of: Order (number 3; presence is told; as above, again)
    by: map<string, Line> (number 3)
    by.*.sku: string (number 1)
    by.*.count: int32 (number 2; presence is told)
    by.*.of: Order (number 3; presence is told; as above, again)
    kind: Kind (number 4; one of A, B)
    mail: string (number 5; oneof way; presence is told)
    raw: bytes (number 6; oneof way; presence is told)
    at: google.protobuf.Timestamp (number 7; presence is told)
    ");
    let all = Protobuf::compile(&files, None).unwrap();
    assert!(lines(&listing::protobuf(&all)).contains("Line.sku: string (number 1)"));
}

#[test]
fn what_doubles_at_each_level_ends() {
    let mut definitions = serde_json::Map::new();
    for n in 0..20 {
        let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
        definitions.insert(
            format!("d{n}"),
            json!({"properties": {"a": next, "b": next}}),
        );
    }
    let schema = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    let listed = listing::json_schema(&schema);
    assert!(listed.len() <= LISTED_MAX, "{}", listed.len());
}
