//! Schemas of a design, by the mode of the event, in each format.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_compat::Profile;
use tidegate_compat::json::OpenContent;
use tidegate_contracts::past::{Change, Options, compare};
use tidegate_model::{Design, SchemaPath, Source};

use crate::designs::{codes, design, options};

/// A design of one event, whose schema and mode these are.
fn one(mode: &str, schema: &str) -> String {
    format!(
        "tidegate: 1\nsystem: s\nevents:\n  A: {{compatibility: {mode}, schema: {schema}}}\nservices:\n  a: {{owner: \
         team-a, publishes: [A]}}\n  b: {{owner: team-b, consumes: {{A: {{}}}}}}\n"
    )
}

fn found(old: (&str, &str), new: (&str, &str)) -> Vec<Change> {
    crate::designs::changes(&one(old.0, old.1), &one(new.0, new.1))
}

const CLOSED: &str =
    "{type: object, properties: {id: {type: string}}, additionalProperties: false}";
const WIDER: &str =
    "{type: object, properties: {id: {type: [string, integer]}}, additionalProperties: false}";

#[test]
fn each_mode_asks_its_own_question() {
    for (mode, widened, narrowed) in [
        ("none", "e1059 harmless", "e1059 harmless"),
        ("backward", "e1059 harmless", "e1004 breaking"),
        ("backward-transitive", "e1059 harmless", "e1004 breaking"),
        ("forward", "e1004 breaking", "e1059 harmless"),
        ("forward-transitive", "e1004 breaking", "e1059 harmless"),
        ("full", "e1004 breaking", "e1004 breaking"),
        ("full-transitive", "e1004 breaking", "e1004 breaking"),
    ] {
        let wide = found((mode, CLOSED), (mode, WIDER));
        assert_eq!(
            codes(&wide),
            [widened.to_owned()].into(),
            "{mode}: {wide:#?}"
        );
        let narrow = found((mode, WIDER), (mode, CLOSED));
        assert_eq!(
            codes(&narrow),
            [narrowed.to_owned()].into(),
            "{mode}: {narrow:#?}"
        );
    }
}

#[test]
fn a_change_has_the_event_that_breaks_and_whom() {
    let found = found(("backward", WIDER), ("backward", CLOSED));
    let [change] = found.as_slice() else {
        panic!("{found:#?}")
    };
    let witness = change.witness.as_ref().unwrap();
    assert!(witness["id"].is_i64(), "{witness}");
    assert!(
        change.finding.path.starts_with("events.A.schema#/"),
        "{}",
        change.finding.path
    );
    assert!(
        change.finding.message.contains(&witness.to_string()),
        "{}",
        change.finding.message
    );
    assert!(
        change
            .finding
            .message
            .ends_with("breaks `b/A` (team-b), `a` (team-a)"),
        "{}",
        change.finding.message
    );
}

/// Loosening the mode together with the schema does not help.
#[test]
fn a_mode_that_is_loosened_holds_for_its_own_change() {
    let loosened = found(("full", CLOSED), ("none", WIDER));
    let expected = ["e1004 breaking", "e1009 risky"].map(str::to_owned);
    assert_eq!(codes(&loosened), expected.into(), "{loosened:#?}");
}

#[test]
fn older_versions_count_where_the_mode_is_transitive() {
    // Each step is fine, and the first and the last version are not.
    let first = "{type: object, properties: {id: {type: integer}}, additionalProperties: false}";
    let second = "{type: object, additionalProperties: false}";
    let third = "{type: object, properties: {id: {type: string}}, additionalProperties: false}";
    for (mode, expected) in [
        ("backward", "e1059 harmless"),
        ("backward-transitive", "e1004 breaking"),
    ] {
        let text = |schema| design("design.yaml", &one(mode, schema));
        let (oldest, old, new) = (text(first), text(second), text(third));
        let found = compare(&old, &[&oldest], &new, &options());
        assert_eq!(
            codes(&found),
            [expected.to_owned()].into(),
            "{mode}: {found:#?}"
        );
        assert_eq!(
            found[0].finding.message.contains("of an older version"),
            expected.contains("breaking")
        );
    }
}

#[test]
fn what_is_not_decided_in_time_is_not_proved() {
    let (old, new) = (
        design("old.yaml", &one("backward", WIDER)),
        design("new.yaml", &one("backward", CLOSED)),
    );
    let options = Options {
        keep_going: &|| false,
        ..options()
    };
    let found = compare(&old, &[], &new, &options);
    assert!(
        !found.is_empty() && found.iter().all(|change| change.finding.code.0 != "E1059"),
        "{found:#?}"
    );
}

#[test]
fn open_content_and_profile_are_taken_from_the_options() {
    let open = "{type: object}";
    let more = "{type: object, properties: {id: {type: string}}}";
    let (old, new) = (
        design("old.yaml", &one("backward", open)),
        design("new.yaml", &one("backward", more)),
    );
    let with = |options: Options<'_>| codes(&compare(&old, &[], &new, &options));
    assert_eq!(with(options()), ["e1004 breaking".to_owned()].into());
    let (old, new) = (
        design(
            "old.yaml",
            &one(
                "backward",
                "{type: object, properties: {a: {type: string}}}",
            ),
        ),
        design(
            "new.yaml",
            &one(
                "backward",
                "{type: object, properties: {a: {type: string}, b: {type: string}}}",
            ),
        ),
    );
    let with = |options: Options<'_>| codes(&compare(&old, &[], &new, &options));
    assert_eq!(with(options()), ["e1004 breaking".to_owned()].into());
    let reserved = Options {
        open_content: OpenContent::Reserved,
        ..options()
    };
    assert_eq!(with(reserved), ["e1059 harmless".to_owned()].into());
    // A format without the profile is compared by the exact rules.
    let wire = Options {
        profile: Profile::BufWire,
        ..options()
    };
    assert_eq!(with(wire), ["e1004 breaking".to_owned()].into());
}

/// A design with files.
fn filed(mode: &str, schema: &str, files: &[(&str, &str)]) -> Design {
    let files: HashMap<String, String> = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let source = Source {
        name: Arc::from("design.yaml"),
        text: one(mode, schema),
    };
    let text = |path: &SchemaPath| {
        files
            .get(&path.written)
            .cloned()
            .ok_or("not there".to_owned())
    };
    let reading = tidegate_model::read(&[source], &text);
    assert_eq!(reading.findings, []);
    reading.design.unwrap()
}

#[test]
fn avro_is_compared() {
    let text = |fields: &str| format!(r#"{{"type": "record", "name": "A", "fields": [{fields}]}}"#);
    let id = r#"{"name": "id", "type": "string"}"#;
    let with = |mode, fields: &str| filed(mode, "a.avsc", &[("a.avsc", &text(fields))]);
    let two = format!(r#"{id}, {{"name": "n", "type": "int"}}"#);
    let two_with_default = format!(r#"{id}, {{"name": "n", "type": "int", "default": 0}}"#);
    let codes = |old: &Design, new: &Design| codes(&compare(old, &[], new, &options()));
    let (old, new) = (with("backward", id), with("backward", &two));
    assert_eq!(codes(&old, &new), ["e1004 breaking".to_owned()].into());
    assert_eq!(codes(&new, &old), ["e1059 harmless".to_owned()].into());
    assert_eq!(
        codes(&old, &with("backward", &two_with_default)),
        ["e1059 harmless".to_owned()].into()
    );
    assert_eq!(
        codes(&with("forward", &two), &with("forward", id)),
        ["e1004 breaking".to_owned()].into()
    );
}

/// Both versions import a file of one name, which is another one in each.
#[test]
fn protobuf_is_compared_with_what_each_version_imports() {
    let main = "syntax = \"proto3\";\nimport \"part.proto\";\nmessage A { Part part = 1; }\n";
    let part = |field: &str| format!("syntax = \"proto3\";\nmessage Part {{ {field} }}\n");
    let with = |field: &str| {
        let part = part(field);
        filed(
            "backward",
            "\"a.proto#A\"",
            &[("a.proto", main), ("part.proto", &part)],
        )
    };
    let (old, new) = (with("string sku = 1;"), with("fixed64 sku = 1;"));
    let found = compare(&old, &[], &new, &options());
    assert_eq!(
        codes(&found),
        ["e1004 breaking".to_owned()].into(),
        "{found:#?}"
    );
    let renamed = compare(
        &old,
        &[],
        &with("string sku = 1; int32 count = 2;"),
        &options(),
    );
    assert_eq!(
        codes(&renamed),
        ["e1059 harmless".to_owned()].into(),
        "{renamed:#?}"
    );
}

#[test]
fn another_format_breaks() {
    let avro = filed(
        "backward",
        "a.avsc",
        &[("a.avsc", r#"{"type": "record", "name": "A", "fields": []}"#)],
    );
    let json = filed("backward", "{type: object}", &[]);
    let found = compare(&json, &[], &avro, &options());
    assert_eq!(codes(&found), ["e1006 breaking".to_owned()].into());
    assert_eq!(
        (found[0].old.as_deref(), found[0].new.as_deref()),
        (Some("json"), Some("avro"))
    );
    let free = filed(
        "none",
        "a.avsc",
        &[("a.avsc", r#"{"type": "record", "name": "A", "fields": []}"#)],
    );
    let found = compare(
        &filed("none", "{type: object}", &[]),
        &[],
        &free,
        &options(),
    );
    assert_eq!(codes(&found), ["e1006 risky".to_owned()].into());
}

#[test]
fn a_schema_that_is_none_is_said_to_be_so() {
    let broken = filed("backward", "a.avsc", &[("a.avsc", r#"{"type": "recod"}"#)]);
    let sound = filed(
        "backward",
        "a.avsc",
        &[("a.avsc", r#"{"type": "record", "name": "A", "fields": []}"#)],
    );
    for (old, new) in [(&broken, &sound), (&sound, &broken)] {
        let found = compare(old, &[], new, &options());
        assert_eq!(codes(&found), ["e1005 risky".to_owned()].into());
        assert!(
            found[0].finding.message.contains("cannot be compared"),
            "{}",
            found[0].finding.message
        );
    }
}
