//! Schemas for which types are written.

use serde_json::{Value, json};
use tidegate_schema::EventSchema;

use crate::Case;
use crate::samples::{Random, below};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");

fn case(name: &str, schema: &Value) -> Case {
    (name.to_owned(), format!("{name}.json"), schema.to_string())
}

/// The schemas of the checkout example.
pub(crate) fn checkout() -> Vec<Case> {
    let files = [
        ("OrderPlaced", "order-placed.json"),
        ("OrderShipped", "order-shipped.json"),
        ("PaymentTaken", "payment-taken.json"),
        ("ProductViewed", "product-viewed.json"),
    ];
    let read = |file: &str| {
        std::fs::read_to_string(format!("{REPOSITORY}/examples/checkout/schemas/{file}")).unwrap()
    };
    let files = files.into_iter();
    files
        .map(|(name, file)| (name.to_owned(), file.to_owned(), read(file)))
        .collect()
}

/// A text that would end a comment or a literal of some language; what follows is code of none.
const INJECTION: &str = "ends here */ INJECTED INJECTED /* \"\"\" \nINJECTED INJECTED\r\nINJECTED INJECTED();\u{2028}INJECTED \
    INJECTED \\u002a\\u002f INJECTED INJECTED ``` let x: INJECTED; ``` ''' # {@code x} <b> \u{202e} @param \u{7}\n    \
    indented code INJECTED\nends with \"";

/// What generators stumble over.
pub(crate) fn nasty() -> Vec<Case> {
    let mut all = vec![
        names(),
        absence(),
        unions(),
        recursion(),
        shapes(),
        conditions(),
    ];
    all.push(case("Anything", &json!(true)));
    all.push(case(
        "Choice",
        &json!({"enum": ["a", "b"], "description": INJECTION}),
    ));
    all.push(case(
        "Numbers",
        &json!({"type": "array", "items": {"type": "number"}}),
    ));
    all.push(case(
        "Either",
        &json!({"oneOf": [{"type": "string"}, {"type": "object", "properties": {"n": {"type": "integer"}}}]}),
    ));
    all.push(case(
        "order_shipped",
        &json!({"type": "object", "properties": {"again": {"type": "string"}}}),
    ));
    all.push(avro());
    all.push(protobuf());
    all
}

#[expect(clippy::too_many_lines, reason = "a list of words")]
fn names() -> Case {
    let mut properties = serde_json::Map::new();
    let words = [
        "type",
        "class",
        "self",
        "Self",
        "fn",
        "match",
        "record",
        "def",
        "lambda",
        "None",
        "none",
        "list",
        "str",
        "object",
        "value",
        "at",
        "fields",
        "from_json",
        "toJson",
        "toString",
        "hashCode",
        "get-class",
        "getClass",
        "order-id",
        "orderId",
        "order_id",
        "ORDER ID",
        "1st",
        "",
        "$ref-ish",
        "größe",
        "日本",
        "a\"b",
        "a\\b",
        "a\nb",
        "__proto__",
        "constructor",
        "\u{1f30a}",
        "${x}",
        "`tick`",
        "copy",
        "_json",
        "cls",
        "super",
        "crate",
        "package",
        "TYPE",
        "CHANNEL",
        "additionalProperties",
    ];
    for word in words {
        let schema = json!({"type": "string", "description": INJECTION});
        properties.insert(word.to_owned(), schema);
    }
    let nested: serde_json::Map<String, Value> = [
        "map", "List", "string", "option", "Line", "line", "other",
    ]
    .into_iter()
    .map(|name| {
        let inner =
            json!({"type": "object", "title": name, "properties": {"x": {"type": "boolean"}}});
        (format!("nested {name}"), inner)
    })
    .collect();
    properties.extend(nested);
    properties.insert(
        "state".to_owned(),
        json!({"enum": ["in-transit", "in transit", "IN_TRANSIT", "", "1", "other", "Self", "*/", "\"", "\\", "日", "type"],
            "description": INJECTION}),
    );
    let required = json!([
        "type",
        "orderId",
        "order_id",
        "1st",
        "",
        // In TypeScript every object has these from its prototype.
        "toString",
        "constructor",
    ]);
    case(
        "Names",
        &json!({"type": "object", "description": INJECTION, "properties": properties, "required": required}),
    )
}

fn absence() -> Case {
    let or_null = |kind: &str| json!({"type": [kind, "null"]});
    case(
        "Absence",
        &json!({"type": "object", "required": ["a", "b", "any"], "properties": {
            "a": {"type": "string"}, "b": (or_null("integer")), "c": {"type": "number"}, "d": (or_null("boolean")),
            "e": {"anyOf": [{"type": "object", "properties": {"x": (or_null("string"))}}, {"type": "null"}]},
            "f": {"enum": ["x", null]}, "any": {}, "maybe": {},
            "list": {"type": "array", "items": (or_null("string"))},
            "map": {"type": "object", "additionalProperties": (or_null("number"))}}}),
    )
}

fn unions() -> Case {
    case(
        "Unions",
        &json!({"type": "object",
            "properties": {
                "payment": {"oneOf": [{"$ref": "#/$defs/card"}, {"$ref": "#/$defs/cash"}, {"$ref": "#/$defs/voucher"}]},
                "note": {"type": ["string", "integer", "array", "boolean"], "items": {"type": "string"}},
                "amount": {"anyOf": [{"type": "integer"}, {"type": "number"}]},
                "loose": {"anyOf": [
                    {"type": "object", "properties": {"a": {"type": "string"}, "s": {"type": "integer"}}, "required": ["a"]},
                    {"type": "object", "properties": {"b": {"type": "boolean"}, "s": {"type": "number"}}, "required": ["b"]}]},
                "list": {"type": "array", "items": {"oneOf": [{"$ref": "#/$defs/card"}, {"$ref": "#/$defs/cash"}]}},
                "shared": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id", "kind"], "oneOf": [
                    {"properties": {"kind": {"const": "x"}, "x": {"type": "integer"}}, "required": ["kind"]},
                    {"properties": {"kind": {"const": "y"}, "y": {"type": "string"}}, "required": ["kind"]}]}},
            "$defs": {
                "card": {"type": "object", "required": ["kind", "number"], "properties": {
                    "kind": {"const": "card"}, "number": {"type": "string"}, "cvc": {"type": ["string", "null"]}}},
                "cash": {"type": "object", "required": ["kind"], "properties": {
                    "kind": {"const": "cash"}, "till": {"type": "integer"}}},
                "voucher": {"type": "object", "required": ["kind"], "properties": {
                    "kind": {"enum": ["voucher", "gift \"card\""]}, "code": {"type": "string"}}}}}),
    )
}

fn recursion() -> Case {
    case(
        "Recursion",
        &json!({"$ref": "#/$defs/tree", "$defs": {
            "tree": {"type": "object", "required": ["label"], "properties": {
                "label": {"type": "string"},
                "left": {"$ref": "#/$defs/tree"},
                "right": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
                "named": {"type": "object", "additionalProperties": {"$ref": "#"}},
                "other": {"$ref": "#/$defs/other"}}},
            "other": {"type": "object", "properties": {"back": {"$ref": "#/$defs/tree"}, "plain": {"$ref": "#/$defs/plain"}}},
            "plain": {"type": "string"}}}),
    )
}

fn shapes() -> Case {
    case(
        "Shapes",
        &json!({"type": "object", "properties": {
            "open": {"type": "object"}, "closed": {"type": "object", "additionalProperties": false},
            "rest": {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "integer"}},
            "wide": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "object",
                "properties": {"deep": {"type": "boolean"}}, "required": ["deep"]}},
            "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false},
            "pair": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "number"}], "items": false},
            "listed": {"enum": [1, 2.5, 3]}, "mixed": {"enum": ["a", 1, true]}, "fixed": {"const": {"a": 1}},
            "when": {"type": "string", "format": "date-time", "default": "*/\n\"\"\"", "deprecated": true},
            "both": {"allOf": [{"type": "object", "properties": {"p": {"type": "string"}}},
                {"type": "object", "properties": {"q": {"type": "integer"}}, "required": ["q"]}]},
            "bare": {"type": "array"}, "never": false}}),
    )
}

fn conditions() -> Case {
    case(
        "Conditions",
        &json!({"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind", "undeclared"],
            "if": {"properties": {"kind": {"const": "a"}}},
            "then": {"properties": {"only": {"type": "string"}, "shared": {"type": "integer"}}},
            "else": {"properties": {"shared": {"type": "string"}}}}),
    )
}

fn avro() -> Case {
    let schema = json!({"type": "record", "name": "shop.Order", "doc": INJECTION, "fields": [
        {"name": "class", "type": "string", "doc": INJECTION},
        {"name": "count", "type": "long"},
        {"name": "when", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "note", "type": ["null", "string"], "default": null},
        {"name": "either", "type": ["string", "int", {"type": "record", "name": "Part", "fields": [
            {"name": "weight", "type": "double"}, {"name": "again", "type": ["null", "Part"]}]}]},
        {"name": "parts", "type": {"type": "array", "items": "Part"}},
        {"name": "by", "type": {"type": "map", "values": ["null", "Part"]}},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "Self", "done"]}},
        {"name": "raw", "type": "bytes"},
        {"name": "parent", "type": ["null", "Order"]}]});
    (
        "AvroOrder".to_owned(),
        "order.avsc".to_owned(),
        schema.to_string(),
    )
}

pub(crate) fn protobuf() -> Case {
    let source = r#"syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
// An order. */ INJECTED
message Order {
  // Who it is
  // known by. """ INJECTED \u002a\u002f INJECTED
  string order_id = 1;
  int64 total_cents = 2; // In cents.
  uint64 big = 3;
  repeated int64 many = 4;
  map<string, Line> lines = 5;
  oneof payment { string card = 6; Line cash = 7; }
  State state = 8;
  google.protobuf.Timestamp placed = 9;
  google.protobuf.StringValue note = 10;
  google.protobuf.Struct extra = 11;
  bytes raw = 12;
  optional bool gift = 13;
  Order parent = 14;
  /**
   * How far it is.
   */
  enum State { STATE_UNSPECIFIED = 0; STATE_NEW = 1; }
  message Line { string sku = 1; double weight = 2; }
}
"#;
    (
        "ProtoOrder".to_owned(),
        "order.proto#shop.Order".to_owned(),
        source.to_owned(),
    )
}

/// An event that the message of [`protobuf`] has, in the form in which writers put it.
pub(crate) fn protobuf_event(random: &mut Random) -> Value {
    let mut event = json!({});
    let fields = [
        ("orderId", json!("o-1")),
        ("totalCents", json!("-9007199254740993")),
        ("big", json!("18446744073709551615")),
        ("many", json!(["1", "-2"])),
        ("lines", json!({"a": {"sku": "x", "weight": 0.5}})),
        ("card", json!("4111")),
        ("state", json!("STATE_NEW")),
        ("placed", json!("2026-01-02T03:04:05Z")),
        ("note", json!("n")),
        ("extra", json!({"k": [null, 1.5]})),
        ("raw", json!("AAEC")),
        ("gift", json!(false)),
        ("parent", json!({"orderId": "p"})),
    ];
    for (name, value) in fields {
        if below(random, 2) == 0 {
            event[name] = value;
        }
    }
    event
}

/// The JSON and Avro schemas of the shared data that are schemas for us too, each once.
pub(crate) fn shared() -> Vec<Case> {
    let files = [
        ("ibm_jsonsubschema", "json"),
        ("karapace_jsonschema", "json"),
        ("apicurio_jsonschema", "json"),
        ("karapace_avro", "avsc"),
        ("apache_avro_py", "avsc"),
        ("apicurio_avro", "avsc"),
    ];
    let mut texts: Vec<(String, &str)> = Vec::new();
    for (file, end) in files {
        let path = format!("{DATA}/compat/cases/{file}.jsonl");
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            for side in ["old", "new"] {
                let schema = &row[side];
                let is_schema = |text: &str| match end {
                    "json" => EventSchema::json(text).is_ok(),
                    _ => EventSchema::avro(text).is_ok(),
                };
                let text = schema.to_string();
                let known = texts.iter().any(|(known, _)| *known == text);
                if schema.is_object() && !known && is_schema(&text) {
                    texts.push((text, end));
                }
            }
        }
    }
    let numbered = texts.into_iter().enumerate();
    numbered
        .map(|(n, (text, end))| (format!("Shared{n}"), format!("s{n}.{end}"), text))
        .collect()
}
