//! The same contracts of Avro and Protobuf.

use tidegate_contracts::parties::{Matrix, Verdict};

use crate::support::{design, verdicts};

const AVRO: &str = r#"{"type": "record", "name": "E", "fields": [
  {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
  {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["placed", "paid"]}},
  {"name": "total", "type": "long"},
  {"name": "note", "type": ["null", "string"]},
  {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [{"name": "sku", "type": "string"}]}}}
]}"#;

const PROTO: &str = r#"
syntax = "proto3";
import "google/protobuf/timestamp.proto";
message E {
  string id = 1;
  enum Status { STATUS_UNSPECIFIED = 0; PLACED = 1; }
  Status status = 2;
  int64 total = 3;
  optional string note = 4;
  google.protobuf.Timestamp at = 5;
  message Line { string sku = 1; uint32 n = 2; }
  repeated Line lines = 6;
}
"#;

fn found(file: &str, requires: &str) -> String {
    let text = format!(
        "{{tidegate: 1, system: s, events: {{E: {{schema: {file}}}}}, services: {{p: {{publishes: [E]}}, \
         c: {{consumes: {{E: {{requires: {requires}}}}}}}}}}}"
    );
    let design = design(&text, &[("e.avsc", AVRO), ("e.proto", PROTO)]);
    match verdicts(&design).remove(0) {
        Verdict::Met => "met".to_owned(),
        Verdict::Unmet(broken) => format!("unmet by {}: {}", broken.event, broken.reason),
        Verdict::NotProved(why) => format!("not proved: {why}"),
    }
}

#[test]
fn requirements_of_avro_are_those_of_its_json() {
    for (requires, expected) in [
        ("[id]", "met"),
        ("[{field: total, type: integer}]", "met"),
        ("[{field: status, values: [placed, paid]}]", "met"),
        ("[{field: status, values: [placed]}]", "unmet"),
        ("[note]", "met"),
        ("[{field: note, type: string}]", "unmet"),
        (
            "[{field: /note/string, presence: optional, type: string}]",
            "met",
        ),
        ("[/note/string]", "unmet"),
        (
            "[{field: /lines/0/sku, presence: optional, type: string}]",
            "met",
        ),
        ("[{rule: 'event.total >= 0'}]", "unmet"),
        ("[{rule: 'event.lines.all(l, l.sku.size() >= 0)'}]", "met"),
        ("[absent]", "unmet"),
    ] {
        let found = found("e.avsc", requires);
        assert!(found.starts_with(expected), "{requires}: {found}");
    }
}

#[test]
fn a_field_of_protobuf_without_presence_is_always_there() {
    for (requires, expected) in [
        ("[id, status, total, lines]", "met"),
        ("[note]", "unmet"),
        ("[at]", "unmet"),
        ("[{field: total, type: integer}]", "met"),
        (
            "[{field: status, values: [STATUS_UNSPECIFIED, PLACED]}]",
            "met",
        ),
        ("[{field: status, values: [PLACED]}]", "unmet"),
        ("[{field: at, presence: optional, type: string}]", "met"),
        ("[{field: at, presence: optional, type: number}]", "unmet"),
        ("[{rule: 'event.total >= 0'}]", "unmet"),
        ("[{rule: 'event.lines.all(l, l.n >= 0)'}]", "met"),
        ("[{rule: 'event.id.size() < 100'}]", "unmet"),
    ] {
        let found = found("'e.proto#E'", requires);
        assert!(found.starts_with(expected), "{requires}: {found}");
    }
}

#[test]
fn a_reader_of_the_whole_resolves_by_its_format() {
    let old = AVRO.replace(r#"{"name": "total", "type": "long"},"#, "");
    let defaulted = AVRO.replace(
        r#"{"name": "total", "type": "long"}"#,
        r#"{"name": "total", "type": "long", "default": 0}"#,
    );
    for (newest, expected) in [(AVRO, "no"), (defaulted.as_str(), "yes")] {
        let text = "{tidegate: 1, system: s, events: {E: {schema: new.avsc, version: v2, versions: {v1: {schema: old.avsc}}}}, \
                    services: {p: {publishes: [{event: E, versions: [v1]}]}, c: {consumes: {E: {}}}}}";
        let design = design(text, &[("new.avsc", newest), ("old.avsc", &old)]);
        let matrix = Matrix::of(&design);
        let event = &matrix.events[0];
        let cell = event.cell(&"c".parse().unwrap(), "v1").unwrap();
        assert_eq!(cell.answer().word(), expected, "{cell:#?}");
    }
}
