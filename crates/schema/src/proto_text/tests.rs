//! Every part of the language, there and back.

use super::*;

fn sources(files: &[(&str, &str)]) -> Sources {
    let files = files.iter();
    files
        .map(|(n, t)| ((*n).to_owned(), (*t).to_owned()))
        .collect()
}

const BASE: &str = r#"syntax = "proto3"; package base;
    message Money { string unit = 1; sint64 cents = 2; enum Kind { NONE = 0; NET = 1; } }"#;
const OPTIONS: &str = r#"syntax = "proto2"; package opts;
    import "google/protobuf/descriptor.proto";
    message Rule { optional string text = 1; repeated int32 codes = 2; }
    extend google.protobuf.FieldOptions { optional Rule rule = 50001; optional string note = 50002; }"#;
const ORDER: &str = r#"syntax = "proto3"; package shop.v1;
    import "base.proto"; import "opts.proto"; import "google/protobuf/timestamp.proto";
    option java_package = "com.shop"; option java_multiple_files = true;
    message Order {
      option deprecated = true;
      string order_id = 1 [json_name = "ID", (opts.note) = "say \"so\"\n"];
      optional int32 count = 2 [(opts.rule) = { text: "x" codes: 1 codes: 2 }];
      repeated double rates = 3 [packed = false];
      map<string, base.Money> totals = 4;
      oneof pay { string card = 5; base.Money cash = 6; }
      google.protobuf.Timestamp at = 7;
      base.Money.Kind kind = 10;
      message Line { string sku = 1; message Deep { bool b = 1; } Deep deep = 2; }
      repeated Line lines = 8;
      reserved 20 to 22, 30, 100 to max; reserved "old", "older";
    }
    enum State { option allow_alias = true; OPEN = 0; NEW = 0; SHUT = 1 [deprecated = true]; reserved 5 to 7; }
    service Shop { rpc Watch(Order) returns (stream Order) { option deprecated = true; } }"#;
const OLD: &str = r#"syntax = "proto2"; package old;
    message Row {
      required string name = 1; optional int32 n = 2 [default = -7];
      optional string s = 3 [default = "a\"b\\c\n"]; optional bytes raw = 4 [default = "\001\377"];
      optional Color color = 5 [default = RED]; optional double d = 6 [default = inf];
      repeated group Entry = 7 { optional int32 x = 1; }
      extensions 100 to 199, 1000 to max;
      extend Row { optional string inner = 101; }
      enum Color { RED = 1; BLUE = -2; }
    }
    extend Row { repeated int64 more = 100 [packed = true]; }"#;

fn there_and_back(name: &str, files: &Sources) {
    let compiled = Protobuf::compile(files, None).unwrap();
    let bytes = to_descriptor(&compiled, name).unwrap();
    // What imports the file is none of what it imports.
    let mut imports = files.clone();
    imports.retain(|other, _| other != name && other != "o.proto");
    let described = of_descriptor(&bytes, &imports).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_eq!(described.name, name);
    let mut again = imports;
    again.insert(name.to_owned(), described.text.clone());
    let again = Protobuf::compile(&again, None).unwrap();
    // Options of others' making are kept as well, which the plain form does not see.
    let text = print(&again.pool().get_file_by_name(name).unwrap()).unwrap();
    assert_eq!(text, described.text);
}

#[test]
fn every_part_of_the_language_survives_its_descriptor() {
    let files = sources(&[
        ("base.proto", BASE),
        ("opts.proto", OPTIONS),
        ("o.proto", ORDER),
    ]);
    for name in ["base.proto", "opts.proto", "o.proto"] {
        there_and_back(name, &files);
    }
    there_and_back("old.proto", &sources(&[("old.proto", OLD)]));
}

#[test]
fn options_of_others_are_written() {
    let files = sources(&[
        ("base.proto", BASE),
        ("opts.proto", OPTIONS),
        ("o.proto", ORDER),
    ]);
    let compiled = Protobuf::compile(&files, None).unwrap();
    let text = print(&compiled.pool().get_file_by_name("o.proto").unwrap()).unwrap();
    assert!(
        text.contains(r#"(.opts.note) = "say \"so\"\012""#),
        "{text}"
    );
    assert!(
        text.contains(r#"(.opts.rule) = { text: "x" codes: 1 codes: 2 }"#),
        "{text}"
    );
    assert!(text.contains("reserved 100 to max;"), "{text}");
}

#[test]
fn what_is_no_descriptor_is_refused() {
    assert!(of_descriptor(b"\x0a\xff", &Sources::new()).is_err());
    let files = sources(&[
        ("base.proto", BASE),
        ("opts.proto", OPTIONS),
        ("o.proto", ORDER),
    ]);
    let compiled = Protobuf::compile(&files, None).unwrap();
    let bytes = to_descriptor(&compiled, "o.proto").unwrap();
    let error = of_descriptor(&bytes, &Sources::new()).unwrap_err();
    assert!(error.to_string().contains("base.proto"), "{error}");
}
