//! What rules over schemas and contracts say of one cause is said once, and no *no* is left out.

use tidegate_contracts::parties::{Answer, Matrix, check_beside};
use tidegate_model::{Design, Severity};

use crate::support::{design, one};

/// What `check` says of fields and contracts.
fn said(design: &Design) -> Vec<(&'static str, String)> {
    let mut findings = tidegate_check::check(design);
    check_beside(design, &mut findings);
    let of_fields = |code: &str| code.starts_with("E09") || code == "E0506" || code == "E0507";
    findings.retain(|finding| of_fields(finding.code.0));
    let said = findings.into_iter();
    said.map(|finding| (finding.code.0, finding.message))
        .collect()
}

fn codes(design: &Design) -> Vec<&'static str> {
    said(design).into_iter().map(|(code, _)| code).collect()
}

fn in_file(schema: &str, text: &str, field: &str) -> Design {
    let file = schema.split('#').next().unwrap();
    let text_of_design = one(&format!("'{schema}'"), "[]", &format!("['{field}']"));
    design(&text_of_design, &[(file, text)])
}

const PROTO: &str = "syntax = \"proto3\"; package q;
message S { string s = 1; }
message P { string id = 1; S sub = 2; optional string note = 3; }";

const AVRO: &str = r#"{"type":"record","name":"V","fields":[
    {"name":"id","type":"string"},{"name":"note","type":["null","string"]}]}"#;

const JSON: &str = r#"{"type":"object","required":["id"],"properties":{"id":{"type":"string"},
    "o":{"type":"object","properties":{"k":{"type":"string"}},"required":["k"]}}}"#;

#[test]
fn a_field_that_may_be_absent_is_an_error_with_the_event_in_every_format() {
    for (schema, text, field, shown) in [
        ("p.proto#q.P", PROTO, "/sub/s", "{\"id\":"),
        ("p.proto#q.P", PROTO, "note", "{\"id\":"),
        ("v.avsc", AVRO, "/note/string", "null"),
        ("v.json", JSON, "/o/k", "{\"id\":"),
        ("v.json", JSON, "o", "{\"id\":"),
    ] {
        let design = in_file(schema, text, field);
        assert_eq!(Matrix::of(&design).answer(), Answer::No, "{schema} {field}");
        let said = said(&design);
        let [(code, message)] = said.as_slice() else {
            panic!("{schema} {field}: {said:?}");
        };
        assert_eq!(*code, "E0901", "{schema} {field}");
        assert!(message.contains(shown), "{message}");
    }
    for (schema, text, field) in [
        ("p.proto#q.P", PROTO, "id"),
        ("v.avsc", AVRO, "note"),
        ("v.json", JSON, "id"),
    ] {
        let design = in_file(schema, text, field);
        assert_eq!(Matrix::of(&design).answer(), Answer::Yes);
        assert_eq!(said(&design), [], "{schema} {field}");
    }
}

#[test]
fn a_field_that_is_not_declared_is_said_once() {
    let schema = "{type: object, properties: {id: {type: string}}, required: [id]}";
    let undeclared = design(&one(schema, "[]", "[idd]"), &[]);
    assert_eq!(codes(&undeclared), ["E0506"]);
    // Another version is another cause.
    let text = one(schema, "[]", "[id]").replace(
        "    rules: []\n",
        "    version: v2\n    versions: {v1: {schema: {type: object}}}\n",
    );
    let text = text.replace(
        "publishes: [E]",
        "publishes: [{event: E, versions: [v1, v2]}]",
    );
    assert_eq!(codes(&design(&text, &[])), ["E0901"]);
    let text = text.replace("[id]}}}", "[idd]}}}");
    assert_eq!(codes(&design(&text, &[])), ["E0506", "E0901"]);
}

#[test]
fn an_event_from_outside_is_held_to_its_contracts_too() {
    let schema = "{type: object, properties: {id: {type: string}}}";
    let text = one(schema, "[]", "[id]").replace("  p: {owner: team-p, publishes: [E]}\n", "");
    let design = design(&text, &[]);
    let mut findings = tidegate_check::check(&design);
    check_beside(&design, &mut findings);
    let errors = findings
        .iter()
        .filter(|one| one.severity == Severity::Error && one.code.0 == "E0901");
    assert_eq!(errors.count(), 1, "{findings:#?}");
}
