//! Avro schemas: what is wrong with one, where; what fits one, in both encodings.

#![expect(
    clippy::unwrap_used,
    reason = "a test: what is wrong here should stop it, with its place"
)]

use apache_avro::Schema;
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_schema::avro::{Avro, Datum};
use tidegate_schema::{EventSchema, Violation};

fn avro(schema: &Value) -> Avro {
    Avro::parse(&schema.to_string()).unwrap()
}

fn order() -> Avro {
    avro(&json!({
        "type": "record", "name": "Order", "namespace": "shop",
        "fields": [
            {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
            {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "time", "type": {"type": "int", "logicalType": "time-millis"}},
            {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["NEW", "PAID"]}},
            {"name": "note", "type": ["null", "string"], "default": null},
            {"name": "lines", "type": {"type": "array", "items": {
                "type": "record", "name": "Line",
                "fields": [{"name": "sku", "type": "string"}, {"name": "count", "type": "int"}]
            }}},
            {"name": "tags", "type": {"type": "map", "values": "double"}}
        ]
    }))
}

fn event() -> Value {
    json!({
        "id": "7f000001-8e2a-11ee-b9d1-0242ac120002", "total": "\u{0}\u{ff}", "at": 1_700_000_000_000_i64,
        "time": 5, "status": "PAID", "note": {"string": "x"},
        "lines": [{"sku": "a", "count": 2}], "tags": {"weight": 1.5}
    })
}

fn said(violations: &[Violation]) -> String {
    let lines: Vec<String> = violations
        .iter()
        .map(|v| format!("{}: {} ({})", v.path, v.message, v.schema_path))
        .collect();
    lines.join("\n")
}

#[test]
fn a_schema_that_is_wrong_says_where() {
    let cases = [
        json!({"type": "record", "name": "R", "fields": [{"name": "a", "type": "strin"}]}),
        json!({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}),
        json!({"type": "record", "name": "1R", "fields": []}),
        json!({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": "x"}]}),
        json!({"type": "record", "name": "R"}),
        json!({"type": "enum", "name": "E", "symbols": ["A", "A"]}),
        json!({"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}),
        json!({"type": "fixed", "name": "F", "size": -1}),
        json!(["int", ["string"]]),
        json!(["int", "null", "int"]),
        json!({"type": "array"}),
        json!({"type": "map", "values": {"type": "record", "name": "int", "fields": []}}),
        json!([{"type": "fixed", "name": "F", "size": 1}, {"type": "enum", "name": "F", "symbols": []}]),
        json!(7),
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|case| Avro::parse(&case.to_string()).unwrap_err().to_string())
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r###"
reference `strin` at `/fields/0/type` leads nowhere inside the schema
the record has the field `a` twice at `/fields/1`
`1R` is not a name at `/name`
the value is not of type "int" at `/fields/0/default`
`fields` is missing at ``
the enum has `A` twice at `/symbols/1`
the default of an enum is one of its symbols at `/default`
`size` is a whole number at ``
a union cannot be a branch of a union at `/1`
the union has `int` twice at `/2`
`items` is missing at ``
`int` is the name of a primitive type at `/values/name`
`F` is defined twice at `/1`
a schema is a name, a list of schemas or an object at ``
"###);
    insta::assert_snapshot!(Avro::parse("{\"type\": ").unwrap_err(), @"the schema is not JSON: EOF while parsing a value at line 1 column 9");
    assert!(Avro::parse("string").is_ok(), "a bare word");
}

#[test]
fn a_payload_is_judged_in_json_and_in_bytes() {
    let order = order();
    let datum = order.from_json(&event()).unwrap();
    let bytes = order.encode(&datum).unwrap();
    assert_eq!(order.decode(&bytes).unwrap(), datum);
    assert_eq!(order.to_json(&datum), event());
    // The library of Apache reads the same bytes.
    let library = Schema::parse_str(order.text()).unwrap();
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&library)
        .build()
        .unwrap();
    assert!(reader.read_value(&mut bytes.as_slice()).is_ok());
    for cut in 0..bytes.len() {
        assert!(order.decode(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(order.decode(&longer).is_err());
}

#[test]
fn what_does_not_fit_has_its_place() {
    let order = order();
    let mut wrong = event();
    wrong["id"] = json!("not a uuid");
    wrong["total"] = json!("\u{7f}\u{ff}\u{ff}");
    wrong["time"] = json!(86_400_000);
    wrong["status"] = json!("LOST");
    wrong["note"] = json!("plain");
    wrong["lines"][0]["count"] = json!(3_000_000_000_u32);
    wrong["tags"]["a/b"] = json!(true);
    wrong["more"] = json!(1);
    wrong.as_object_mut().unwrap().remove("at");
    insta::assert_snapshot!(said(&order.validate_json(&wrong)), @r###"
/id: the text is not a UUID (/fields/0/type)
/total: the number has 7 digits, more than 4 (/fields/1/type)
: the field `at` is missing ()
/time: the time is not within a day (/fields/3/type)
/status: the value is not a symbol of the enum (/fields/4/type)
/note: a union is written null or {"branch": value}; the branches are null, string (/fields/5/type)
/lines/0/count: the number is not of 32 bits (/fields/6/type/items/fields/1/type)
/tags/a~1b: the value is not of type "double" (/fields/7/type/values)
: the record has no field `more` ()
"###);
    insta::assert_snapshot!(said(&order.validate_json(&json!([]))), @r###"
: the value is not of type "record" ()
"###);
}

#[test]
fn hostile_bytes_and_schemas_stop_at_a_limit() {
    // A hundred million nothings in four bytes.
    let nothings = avro(&json!({"type": "array", "items": "null"}));
    let refused = nothings.decode(&[0x80, 0xc2, 0xd7, 0x2f, 0]).unwrap_err();
    insta::assert_snapshot!(refused.message, @"there are more than 1048576 values");
    // A list that goes on.
    let list = avro(
        &json!({"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}),
    );
    let refused = list.decode(&vec![2; 100_000]).unwrap_err();
    insta::assert_snapshot!(refused.message, @"the nesting is deeper than 128");
    let mut deep = json!({"next": null});
    for _ in 0..500 {
        deep = json!({"next": {"L": deep}});
    }
    assert!(!list.validate_json(&deep).is_empty());
    // Defaults that fill each other, twice at each step.
    let endless = json!({"type": "record", "name": "R", "fields": [
        {"name": "a", "type": ["R", "null"], "default": {}},
        {"name": "b", "type": ["R", {"type": "map", "values": "int"}], "default": {}}
    ]});
    assert!(
        Avro::parse(&endless.to_string()).is_err() || Avro::parse(&endless.to_string()).is_ok()
    );
    let text = format!(
        "{}\"int\"{}",
        "{\"type\":\"array\",\"items\":".repeat(5_000),
        "}".repeat(5_000)
    );
    assert!(Avro::parse(&text).is_err());
    let many: Vec<Value> = (0..30_000)
        .map(|n| json!({"name": format!("f{n}"), "type": "int"}))
        .collect();
    let many = json!({"type": "record", "name": "R", "fields": many});
    assert!(Avro::parse(&many.to_string()).is_err());
}

#[test]
fn a_schema_of_any_format_answers_the_same_questions() {
    let order = order();
    let schema = EventSchema::avro(order.text()).unwrap();
    assert!(
        schema.is_binary("avro/binary") && schema.is_binary("application/vnd.apache.avro; v=1")
    );
    assert!(!schema.is_binary("application/protobuf"));
    assert_eq!(schema.validate(&event()), []);
    let bytes = order.encode(&order.from_json(&event()).unwrap()).unwrap();
    assert_eq!(schema.read_binary(&bytes).unwrap(), event());
    let asked = ["id", "/note/string", "/lines/0/sku", "/nothing", "tags"].map(|field| {
        format!(
            "{field} {:?} {:?}",
            schema.declares(field),
            schema.requires(field)
        )
    });
    insta::assert_snapshot!(asked.join("\n"), @r###"
id Yes Yes
/note/string Yes No
/lines/0/sku Unknown Unknown
/nothing No No
tags Yes Yes
"###);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes of a stranger are read or refused, and what is read is written back as something that
    /// is read alike.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let order = order();
        if let Ok(datum) = order.decode(&bytes) {
            let again = order.encode(&datum).unwrap();
            prop_assert_eq!(format!("{:?}", order.decode(&again).unwrap()), format!("{datum:?}"));
        }
        let list = avro(&json!({"type": "array", "items": ["null", "double", {"type": "map", "values": "boolean"}]}));
        if let Ok(Datum::Array(items)) = list.decode(&bytes) {
            prop_assert!(items.len() <= 1 << 20);
        }
    }

    /// A text that is no schema is refused and never stops the process.
    #[test]
    fn any_text_is_a_schema_or_refused(text in "[\\[\\]{}:,\" a-z0-9]{0,60}") {
        drop(Avro::parse(&text));
    }
}

#[test]
fn of_a_key_that_a_map_has_twice_the_last_value_counts() {
    let schema = Avro::parse(r#"{"type": "map", "values": "int"}"#).unwrap();
    // A block of three entries: a = 1, b = 2, a = 3.
    let twice = [6, 2, b'a', 2, 2, b'b', 4, 2, b'a', 6, 0];
    let entries = [("a", 3), ("b", 2)].map(|(key, value)| (key.to_owned(), Datum::Int(value)));
    let read = schema.decode(&twice).unwrap();
    assert_eq!(read, Datum::Map(entries.to_vec()));
    assert_eq!(schema.from_json(&schema.to_json(&read)).unwrap(), read);
}
