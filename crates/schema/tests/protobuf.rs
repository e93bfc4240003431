//! Protobuf schemas: what is wrong with one, where; what fits one, in both encodings.

#![expect(
    clippy::unwrap_used,
    reason = "a test: what is wrong here should stop it, with its place"
)]

use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_schema::protobuf::{Protobuf, Sources};
use tidegate_schema::{EventSchema, SchemaError, Violation};

const ORDER: &str = r#"syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "part.proto";
message Order {
  string id = 1;
  int64 cents = 2;
  google.protobuf.Timestamp at = 3;
  repeated Line lines = 4;
  Status status = 5;
  map<string, double> tags = 6;
}
enum Status { NEW = 0; PAID = 1; }
"#;
const PART: &str =
    "syntax = \"proto3\";\npackage shop;\nmessage Line { string sku = 1; int32 count = 2; }\n";

fn sources() -> Sources {
    Sources::from([
        ("order.proto".to_owned(), ORDER.to_owned()),
        ("part.proto".to_owned(), PART.to_owned()),
    ])
}

fn one(text: &str) -> Result<Protobuf, SchemaError> {
    Protobuf::compile(
        &Sources::from([("a.proto".to_owned(), text.to_owned())]),
        None,
    )
}

fn order() -> Protobuf {
    Protobuf::compile(&sources(), Some("shop.Order")).unwrap()
}

fn said(violations: &[Violation]) -> String {
    let lines: Vec<String> = violations
        .iter()
        .map(|v| format!("{}: {}", v.path, v.message))
        .collect();
    lines.join("\n")
}

#[test]
fn a_source_that_is_wrong_says_where() {
    let cases = [
        "syntax = \"proto3\";\nmessage M { strin a = 1; }\n",
        "syntax = \"proto3\";\nmessage M { string a = 1; int32 b = 1; }\n",
        "syntax = \"proto3\";\nmessage M { string a = 0; }\n",
        "syntax = \"proto3\";\nmessage M {\n  string a = 1\n}\n",
        "syntax = \"proto3\";\nimport \"other.proto\";\n",
        "syntax = \"proto3\";\nimport \"/etc/passwd\";\n",
        "edition = \"2023\";\nmessage M {}\n",
        "syntax = \"proto4\";\n",
        "message M { required = 1; }",
        "import \"a.proto\";",
    ];
    let said: Vec<String> = cases
        .iter()
        .map(|case| one(case).unwrap_err().to_string())
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r###"
name 'strin' is not defined at a.proto:2:13
field number '1' is already used at a.proto:2:24
message numbers must be between 1 and 536870911 at a.proto:2:24
expected ';' or '[', but found '}' at a.proto:4:1
import 'other.proto' not found at a.proto:2:1
invalid group name at a.proto:2:8
editions are not supported: write `syntax = "proto3"` or "proto2" at a.proto:1:1
unknown syntax 'proto4' at a.proto:1:10
expected a field type, but found '=' at a.proto:1:22
import cycle detected: a.proto -> a.proto at a.proto:1:1
"###);
    let lost = Protobuf::compile(&sources(), Some("Invoice")).unwrap_err();
    insta::assert_snapshot!(lost, @"no message is called `Invoice`; there are `shop.Line`, `shop.Order` at order.proto:1:1");
    assert!(
        Protobuf::compile(&sources(), Some("Order")).is_ok(),
        "without its package"
    );
    assert!(
        one("// edition = \"2023\";\nsyntax = \"proto3\"; message M { string edition = 1; }")
            .is_ok()
    );
}

#[test]
fn a_payload_is_judged_in_json_and_in_bytes() {
    let order = order();
    let event = json!({
        "id": "1", "cents": "500", "at": "2026-11-27T10:00:00Z", "status": "PAID",
        "lines": [{"sku": "a", "count": 2}], "tags": {"weight": 1.5}
    });
    assert_eq!(order.validate_json(&event), []);
    let wrong = [
        json!({"id": 1}),
        json!({"cents": "many"}),
        json!({"lines": [{"sku": "a"}, {"count": 5_000_000_000_u64}]}),
        json!({"status": "LOST"}),
        json!({"at": "yesterday"}),
        json!({"unknown": 1}),
        json!([]),
    ];
    let said: Vec<String> = wrong
        .iter()
        .map(|event| said(&order.validate_json(event)))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r###"
/id: invalid type: integer …, expected a string
/cents: invalid digit found in string
/lines/1/count: out of range integral type conversion attempted
/status: unrecognized enum value …
/at: invalid rfc3339 timestamp: invalid date
: unrecognized field name 'unknown'
: invalid type: sequence, expected a map
"###);
    assert_eq!(order.validate_binary(&[0x0a, 1, b'x']), []);
    insta::assert_snapshot!(self::said(&order.validate_binary(&[0x0a, 5, b'x'])), @": failed to decode Protobuf message: buffer underflow");
    insta::assert_snapshot!(self::said(&order.validate_binary(&[0x08, 1])), @": failed to decode Protobuf message: invalid wire type: Varint (expected LengthDelimited)");
}

#[test]
fn a_required_field_must_be_there_however_deep() {
    let text = "syntax = \"proto2\"; message M { optional M inner = 1; repeated M more = 2; required int32 n = 3; }";
    let sources = Sources::from([("a.proto".to_owned(), text.to_owned())]);
    let schema = Protobuf::compile(&sources, Some("M")).unwrap();
    let event = json!({"n": 1, "inner": {}, "more": [{"n": 2}, {"inner": {"n": 3}}]});
    insta::assert_snapshot!(said(&schema.validate_json(&event)), @r###"
/inner/n: the required field `n` is missing
/more/1/n: the required field `n` is missing
"###);
}

#[test]
fn a_schema_of_any_format_answers_the_same_questions() {
    let schema = EventSchema::protobuf(&sources(), "shop.Order").unwrap();
    assert!(schema.is_binary("application/x-protobuf") && !schema.is_binary("avro/binary"));
    let json = schema.read_binary(&[0x0a, 1, b'x', 0x10, 7]).unwrap();
    assert_eq!(json, json!({"id": "x", "cents": "7"}));
    let asked = ["id", "/lines/0/sku", "/at", "/nothing", "/status/deeper"].map(|field| {
        format!(
            "{field} {:?} {:?}",
            schema.declares(field),
            schema.requires(field)
        )
    });
    insta::assert_snapshot!(asked.join("\n"), @r###"
id Yes Unknown
/lines/0/sku Unknown Unknown
/at Yes Unknown
/nothing No No
/status/deeper No No
"###);
}

#[test]
fn hostile_sources_and_payloads_stop_at_a_limit() {
    let deep = format!(
        "syntax = \"proto3\";\n{}{}",
        "message M { ".repeat(3_000),
        "}".repeat(3_000)
    );
    assert!(one(&deep).is_err());
    // The library parses the value of an option by recursion.
    let options = format!(
        "syntax = \"proto2\";\nimport \"google/protobuf/descriptor.proto\";\n\
         message M {{ optional M a = 1; }}\n\
         extend google.protobuf.FileOptions {{ optional M x = 50000; }}\n\
         option (x) = {}{};\n",
        "{ a: ".repeat(60_000) + "{}",
        "}".repeat(60_000)
    );
    assert!(one(&options).is_err());
    assert!(one(&" ".repeat(2 << 20)).is_err());
    let chain: Sources = (0..300)
        .map(|n| (format!("{n}.proto"), format!("import \"{}.proto\";", n + 1)))
        .collect();
    assert!(Protobuf::compile(&chain, None).is_err());
    let text = "syntax = \"proto3\"; message M { M m = 1; }";
    let sources = Sources::from([("a.proto".to_owned(), text.to_owned())]);
    let schema = Protobuf::compile(&sources, Some("M")).unwrap();
    let mut bytes = Vec::new();
    for _ in 0..5_000 {
        let mut outer = vec![0x0a];
        let mut length = bytes.len();
        while length > 0x7f {
            outer.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        outer.push(u8::try_from(length).unwrap());
        outer.extend(&bytes);
        bytes = outer;
    }
    assert!(!schema.validate_binary(&bytes).is_empty());
    let mut value: Value = json!({});
    for _ in 0..2_000 {
        value = Value::Object([("m".to_owned(), value)].into_iter().collect());
    }
    assert!(!schema.validate_json(&value).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(order().validate_binary(&bytes).len() < 100);
    }

    #[test]
    fn any_source_compiles_or_is_refused(text in "[ -~\n]{0,80}") {
        drop(one(&text));
        drop(one(&format!("syntax = \"proto3\";\nmessage M {{ {text} }}")));
    }
}

/// Paths as people write them are names too.
#[test]
fn a_file_may_have_any_name() {
    let text = "syntax = \"proto3\";\nmessage M { string a = 1; }\n";
    for name in [
        "/tmp/x/a.proto",
        "./a.proto",
        "../x/a.proto",
        "a//b.proto",
        "/dev/stdin",
        "a b.proto",
    ] {
        let files = Sources::from([(name.to_owned(), text.to_owned())]);
        let schema = Protobuf::compile(&files, Some("M")).unwrap();
        assert_eq!(schema.root().unwrap().full_name(), "M", "{name}");
        let wrong = Sources::from([(name.to_owned(), text.replace("string", "strin"))]);
        let refused = Protobuf::compile(&wrong, None).unwrap_err().to_string();
        assert!(refused.contains(name), "{refused}");
    }
    // What others import is told by the name that they write.
    let files = Sources::from([
        ("../order.proto".to_owned(), ORDER.to_owned()),
        ("part.proto".to_owned(), PART.to_owned()),
    ]);
    Protobuf::compile(&files, Some("shop.Order")).unwrap();
}
