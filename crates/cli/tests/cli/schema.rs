//! `tidegate schema`, as a user has it.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::{expect_exit, tidegate};

/// A folder with these files.
fn folder(files: &[(&str, Value)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in files {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    }
    folder
}

/// Runs `schema` in a folder: its exit code is expected, its output returned.
fn schema(folder: &Path, arguments: &[&str], code: i32) -> String {
    let mut command = tidegate(&["schema"]);
    let output = command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    expect_exit(&output, code);
    let text = if code == 2 {
        output.stderr
    } else {
        output.stdout
    };
    String::from_utf8(text).unwrap()
}

fn orders() -> tempfile::TempDir {
    let order = |more: Value, required: Value| {
        let mut properties =
            json!({"id": {"type": "string"}, "lines": {"items": {"$ref": "line.json"}}});
        let fields = properties.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
    };
    folder(&[
        (
            "v1.json",
            order(json!({"status": {"enum": ["open", "paid"]}}), json!(["id"])),
        ),
        (
            "v2.json",
            order(
                json!({"status": {"enum": ["open", "paid", "sent"]}, "note": {}}),
                json!(["id"]),
            ),
        ),
        (
            "v3.json",
            order(
                json!({"status": {"enum": ["open"]}}),
                json!(["id", "status"]),
            ),
        ),
        (
            "line.json",
            json!({"type": "object", "properties": {"sku": {"type": "string"}}}),
        ),
        ("event.json", json!({"id": "7", "status": "lost"})),
    ])
}

#[test]
fn a_verdict_is_shown_with_the_events() {
    let folder = orders();
    let compat = |arguments: &[&str], code| {
        let all: Vec<&str> = ["compat", "--reference", "line.json"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        schema(folder.path(), &all, code)
    };
    assert_snapshot!(compat(&["v1.json", "v2.json"], 0), @r"
    v2.json against v1.json (BACKWARD, exact): compatible: proved for every event
    Upgrade consumers first: with the new version they read the events of both.
    ");
    assert_snapshot!(compat(&["v1.json", "v3.json"], 1), @r#"
    v3.json reads events of v1.json
      no[enum-narrowed]: `/status` may be "paid", which the reader refuses
        at /properties/status/enum
        this event is written and not read:
          {"id":"a","status":"paid"}
        the reader says: /status: the value is not one of "open"
        help: go on allowing "paid" in the reader

      no[required-added]: the writer may leave out `status`, which the reader requires
        at /required
        this event is written and not read:
          {"id":"a"}
        the reader says: "status" is a required property
        help: make `status` optional in the reader, or have the writer require it first

    v3.json against v1.json (BACKWARD, exact): not compatible: 2 reasons
    "#);
    let json = compat(
        &[
            "--mode",
            "full-transitive",
            "--format",
            "json",
            "v1.json",
            "v2.json",
            "v3.json",
        ],
        1,
    );
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["compatible"], false);
    assert_eq!(json["against"], json!(["v2.json", "v1.json"]));
    assert_eq!(json["findings"][0]["writer"], "v1.json");
    assert_eq!(
        json["witness"],
        json!({"event": {"id": "a", "status": "paid"}, "bytes": null, "path": "/status", "error": "the value is not one of \"open\""})
    );
    // Time that is over proves nothing.
    let json = compat(
        &["--deadline", "0s", "--format", "json", "v1.json", "v3.json"],
        1,
    );
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["compatible"], &json["findings"][0]["code"]),
        (&Value::Null, &json!("effort-spent"))
    );
}

/// A system in two versions, each in its folder.
fn two_folders() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (version, kind, proto) in [("a", "string", "string"), ("b", "integer", "int32")] {
        let place = folder.path().join(version);
        std::fs::create_dir_all(place.join("parts")).unwrap();
        let put = |name: &str, text: String| std::fs::write(place.join(name), text).unwrap();
        put(
            "order.json",
            json!({"items": {"$ref": "parts/line.json#/$defs/line"}}).to_string(),
        );
        put(
            "parts/line.json",
            json!({"$defs": {"line": {"$ref": "../sku.json"}}}).to_string(),
        );
        put("sku.json", format!("\u{feff}{}", json!({"type": kind})));
        let order =
            "syntax = \"proto3\";\nimport \"parts/line.proto\";\nmessage O { Line line = 1; }\n";
        put("order.proto", order.to_owned());
        let line = format!("syntax = \"proto3\";\nmessage Line {{ {proto} sku = 1; }}\n");
        put("parts/line.proto", line);
    }
    folder
}

/// Two versions of one system are two folders: each is read with its own files.
#[test]
fn each_version_has_the_files_beside_it() {
    let folder = two_folders();
    for (kind, file, code) in [
        ("json", "order.json", "type"),
        ("protobuf", "order.proto", "type"),
    ] {
        let named = |prefix: &str, version: &str| format!("{prefix}{version}/{file}");
        let compat = |old: &str, new: &str, code| {
            schema(folder.path(), &["compat", "--type", kind, old, new], code)
        };
        let said = compat(&named("", "a"), &named("", "b"), 1);
        assert!(
            said.contains("not compatible") && said.contains(code),
            "{said}"
        );
        let same = compat(&named("./", "b"), &named("", "b"), 0);
        assert!(same.contains("compatible: proved"), "{same}");
        let absolute = folder.path().join(named("", "a"));
        compat(absolute.to_str().unwrap(), &named("", "a"), 0);
        compat(absolute.to_str().unwrap(), &named("a/../", "b"), 1);
    }
}

#[test]
fn files_that_refer_to_each_other_end_and_no_other_is_forgotten() {
    let folder = two_folders();
    let put = |name: &str, value: Value| {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    put(
        "x.json",
        json!({"properties": {"c": {"$ref": "./z.json"}, "default": {"$ref": "./y.json"}}}),
    );
    put(
        "y.json",
        json!({"properties": {"x": {"$ref": "./x.json"}, "enum": {"$ref": "z.json"}}}),
    );
    put("z.json", json!({"type": "string"}));
    schema(folder.path(), &["compat", "./x.json", "x.json"], 0);
    put(
        "a/two.json",
        json!({"properties": {"p": {"$ref": "../z.json"}, "q": {"$ref": "z.json"}}}),
    );
    put("a/z.json", json!({"type": "integer"}));
    let mut alone = tidegate(&["schema", "show", "two.json"]);
    let alone = alone.current_dir(folder.path().join("a")).output().unwrap();
    expect_exit(&alone, 2);
    let said = String::from_utf8(alone.stderr).unwrap();
    assert!(said.contains("cannot be told apart"), "{said}");
    schema(folder.path(), &["show", "a/two.json"], 0);
}

#[test]
fn what_is_given_by_name_stands_for_all_versions() {
    let folder = two_folders();
    // What is given by name stands for all versions, so that it can be given once.
    let given = ["compat", "a/order.json", "b/order.json"];
    let line = ["--reference", "sku.json=a/sku.json"];
    schema(folder.path(), &[&given[..], &line].concat(), 0);
    let said = schema(folder.path(), &[&given[..], &line, &line].concat(), 2);
    assert!(said.contains("`sku.json` is given twice"), "{said}");
    let put = |name: &str, value: Value| {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    let part = |kind: &str| json!({"type": "record", "name": "n.B", "fields": [{"name": "b", "type": kind}]});
    put("b.avsc", part("int"));
    put("c.avsc", part("string"));
    put(
        "w.avsc",
        json!({"type": "record", "name": "W", "fields": [{"name": "w", "type": "n.B"}]}),
    );
    let whole = ["show", "w.avsc", "--reference", "b.avsc"];
    assert!(schema(folder.path(), &whole, 0).contains("w.b"));
    let avro = [
        "compat",
        "--type",
        "avro",
        "w.avsc",
        "w.avsc",
        "--reference",
    ];
    schema(folder.path(), &[&avro[..], &["n.B=c.avsc"]].concat(), 0);
    schema(folder.path(), &avro[..5], 2);
    let shown = schema(folder.path(), &["show", "a/order.proto"], 0);
    assert!(shown.contains("line.sku"), "{shown}");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let folder = orders();
    let line = folder.path().join("line.json");
    std::fs::rename(&line, folder.path().join("elsewhere.json")).unwrap();
    let alone = schema(folder.path(), &["compat", "v1.json", "v2.json"], 2);
    std::fs::rename(folder.path().join("elsewhere.json"), &line).unwrap();
    assert!(
        alone.contains("leads nowhere") && alone.contains("--reference"),
        "{alone}"
    );
    let profile = schema(
        folder.path(),
        &["compat", "--profile", "buf-wire", "line.json", "line.json"],
        2,
    );
    assert!(profile.contains("exact, confluent"), "{profile}");
    let group = schema(
        folder.path(),
        &["compat", "--group", "major", "line.json", "line.json"],
        2,
    );
    assert!(group.contains("metadata"), "{group}");
    schema(folder.path(), &["compat", "line.json"], 2);
    schema(folder.path(), &["compat", "line.json", "none.json"], 2);
}

#[test]
fn events_are_held_against_a_schema() {
    let folder = orders();
    let validate = |arguments: &[&str], code| {
        let all: Vec<&str> = ["validate", "--reference", "line.json"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        schema(folder.path(), &all, code)
    };
    assert_snapshot!(validate(&["v1.json"], 0), @"v1.json is a JSON Schema of draft 2020-12");
    assert_snapshot!(validate(&["v1.json", "event.json"], 1), @r#"
    event.json does not fit
      /status: the value is not one of "open" or "paid"
    v1.json (draft 2020-12): 0 of 1 events fit
    "#);
}

#[test]
fn options_that_would_be_ignored_are_refused() {
    let folder = orders();
    let cases: [(&[&str], &str); 4] = [
        (&["--message", "shop.Order"], "--type protobuf"),
        (&["--policy", "lenient"], "--profile confluent"),
        (
            &["--type", "avro", "--open-content", "reserved"],
            "--type json --profile exact",
        ),
        (
            &["--profile", "confluent", "--open-content", "reserved"],
            "--type json --profile exact",
        ),
    ];
    for (options, wanted) in cases {
        let all = [&["compat"], options, &["line.json", "line.json"]].concat();
        let refused = schema(folder.path(), &all, 2);
        assert!(refused.contains(wanted), "{options:?}: {refused}");
    }
}

#[test]
fn a_file_without_events_does_not_pass() {
    let folder = orders();
    std::fs::write(folder.path().join("empty.json"), "\n").unwrap();
    let refused = schema(folder.path(), &["validate", "line.json", "empty.json"], 2);
    assert!(refused.contains("empty.json holds no event"), "{refused}");
}

/// What differs in digits that are not read is not said to be the same.
#[test]
fn numbers_that_are_rounded_prove_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("one.json", r#"{"const": 123456789012345678901234567890}"#);
    write("two.json", r#"{"const": 123456789012345678901234567891}"#);
    write("any.json", r#"{"type": "integer"}"#);
    write(
        "not.json",
        r#"{"not": {"const": 123456789012345678901234567891}}"#,
    );
    write("text.json", r#"{"type": "string"}"#);
    for (old, new, answer) in [
        ("one.json", "two.json", Value::Null),
        ("any.json", "not.json", Value::Null),
        // An event that holds no such number shows what it shows.
        ("any.json", "text.json", json!(false)),
        ("text.json", "one.json", json!(false)),
    ] {
        let all = ["compat", "--format", "json", old, new];
        let json: Value = serde_json::from_str(&schema(folder.path(), &all, 1)).unwrap();
        assert_eq!(json["compatible"], answer, "{old} {new}: {json}");
    }
}

#[test]
fn events_of_every_format_are_held_against_their_schema() {
    let files = folder(&[
        (
            "order.avsc",
            json!({"type": "record", "name": "Order", "fields": [{"name": "id", "type": "string"}]}),
        ),
        ("good.json", json!({"id": "a"})),
        ("bad.json", json!({"id": 7})),
    ]);
    let proto = "syntax = \"proto3\"; message Order { string id = 1; repeated Line lines = 2; } message Line { int32 n = 1; }";
    std::fs::write(files.path().join("order.proto"), proto).unwrap();
    let folder = files.path();
    assert_snapshot!(schema(folder, &["validate", "order.avsc"], 0), @"order.avsc is an Avro schema");
    assert_snapshot!(schema(folder, &["validate", "order.avsc", "good.json"], 0), @"order.avsc (avro): 1 of 1 events fit");
    assert!(schema(folder, &["validate", "order.avsc", "bad.json"], 1).contains("does not fit"));
    let order = ["validate", "order.proto", "--message", "Order"];
    assert_snapshot!(schema(folder, &[&order[..], &["good.json"]].concat(), 0), @"order.proto (Order): 1 of 1 events fit");
    assert!(schema(folder, &[&order[..], &["bad.json"]].concat(), 1).contains("/id"));
    let report = schema(
        folder,
        &[&order[..], &["good.json", "--format", "json"]].concat(),
        0,
    );
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(
        (&report["type"], &report["message"], &report["draft"]),
        (&json!("protobuf"), &json!("Order"), &Value::Null)
    );
    // Which message it is must be said; a name that is none has its neighbours.
    assert!(schema(folder, &["validate", "order.proto", "good.json"], 2).contains("--message"));
    let near = schema(folder, &["validate", "order.proto", "--message", "Ordr"], 2);
    assert!(
        near.contains("no message is called `Ordr`; there are `Order`, `Line`"),
        "{near}"
    );
}

#[test]
fn the_fields_of_a_schema_are_shown() {
    let files = folder(&[(
        "order.json",
        json!({"type": "object", "required": ["id"], "properties": {
            "id": {"type": "string", "maxLength": 8}, "lines": {"type": "array", "items": {"type": "integer"}}}}),
    )]);
    assert_snapshot!(schema(files.path(), &["show", "order.json"], 0), @r"
    order.json is a JSON Schema of draft 2020-12
    field        type     required  also
    (the event)  object
    id           string   yes       maxLength 8
    lines        array    no
    lines[]      integer  no
    ");
    let page = schema(files.path(), &["show", "order.json", "--format", "json"], 0);
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(
        page["fields"][1],
        json!({"path": "id", "type": "string", "required": true, "constraints": ["maxLength 8"]})
    );
    assert_eq!(page["complete"], json!(true));
}

#[test]
fn a_pattern_that_looks_around_is_told_what_to_do() {
    let files = folder(&[(
        "p.json",
        json!({"properties": {"a": {"pattern": "^(?=.*[0-9]).+$"}}}),
    )]);
    let said = schema(files.path(), &["validate", "p.json"], 2);
    assert!(
        said.contains("looks ahead or behind") && said.contains("allOf"),
        "{said}"
    );
    let files = folder(&[("p.json", json!({"pattern": "("}))]);
    let said = schema(files.path(), &["validate", "p.json"], 2);
    assert!(said.contains("is not a regular expression"), "{said}");
}
