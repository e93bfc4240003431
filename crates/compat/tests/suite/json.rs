//! JSON Schemas against each other: what is said of a change, and what is never done.

use serde_json::{Value, json};
use tidegate_compat::json::{Draft, JsonError, Named, OpenContent, Policy, Schema, compare};
use tidegate_compat::{Answer, CompareError, Format, Mode, Options, Profile, Reason, Version};

fn read(schema: &Value) -> Schema {
    bundle(schema, &[]).unwrap()
}

fn bundle(schema: &Value, others: &[(&str, Value)]) -> Result<Schema, JsonError> {
    let texts: Vec<(&str, String)> = others.iter().map(|(n, v)| (*n, v.to_string())).collect();
    let others: Vec<Named<'_>> = texts
        .iter()
        .map(|(name, text)| Named { name, text })
        .collect();
    let text = schema.to_string();
    Schema::read(
        Named {
            name: "order.json",
            text: &text,
        },
        &others,
        Draft::Twenty,
    )
}

/// What is said when `new` reads what `old` writes.
fn said(old: &Value, new: &Value, open: OpenContent) -> Vec<Reason> {
    let (old, new) = (read(old), read(new));
    let reasons = compare(&old, &new, open, &|| true);
    for witness in reasons.iter().filter_map(|reason| reason.witness.as_ref()) {
        assert_eq!(old.validate(&witness.event), []);
        assert_ne!(new.validate(&witness.event), []);
    }
    reasons
}

/// Each reason in short: its code, where, and the event.
fn short(old: Value, new: Value) -> String {
    let reasons = said(&old, &new, OpenContent::Exact);
    let lines = reasons.iter().map(|reason| {
        let event = reason.witness.as_ref().map(|w| w.event.to_string());
        format!(
            "{} {} {}",
            reason.code,
            reason.path,
            event.unwrap_or_else(|| "?".to_owned())
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_kind_of_change_has_a_place_and_an_event() {
    let object = |more: Value| {
        let mut schema = json!({"type": "object", "additionalProperties": false,
            "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}});
        schema
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        schema
    };
    insta::assert_snapshot!(short(object(json!({})), object(json!({"required": ["a"]}))), @"required-added /required {}");
    insta::assert_snapshot!(short(object(json!({})), object(json!({"properties": {"a": {"type": "string"}}}))), @r#"property-removed /additionalProperties {"b":0}"#);
    insta::assert_snapshot!(short(json!({"type": ["string", "null"]}), json!({"type": "string"})), @"type-narrowed /type null");
    insta::assert_snapshot!(short(json!({"type": "number"}), json!({"type": "integer"})), @"type-narrowed /type 0.5");
    insta::assert_snapshot!(short(json!({"type": "integer", "minimum": 0}), json!({"type": "integer", "exclusiveMinimum": 0})), @"minimum-raised /exclusiveMinimum 0");
    insta::assert_snapshot!(short(json!({"type": "integer", "exclusiveMinimum": 0}), json!({"type": "integer", "minimum": 1})), @"");
    insta::assert_snapshot!(short(json!({"type": "integer", "multipleOf": 2}), json!({"type": "integer", "multipleOf": 4})), @"multiple-narrowed /multipleOf 2");
    insta::assert_snapshot!(short(json!({"type": "string", "pattern": "^a+$"}), json!({"type": "string", "pattern": "^a{1,3}$"})), @r#"pattern-narrowed /pattern "aaaa""#);
    insta::assert_snapshot!(short(json!({"type": "string", "pattern": "^[a-f]{2}$"}), json!({"type": "string", "pattern": "^[a-z]*$", "minLength": 2, "maxLength": 2})), @"");
    insta::assert_snapshot!(short(json!({"type": "array"}), json!({"type": "array", "uniqueItems": true})), @r#"unique-items-added /uniqueItems ["a","a"]"#);
    insta::assert_snapshot!(short(json!({"enum": ["a", "b"]}), json!({"enum": ["a"]})), @r#"enum-narrowed /enum "b""#);
    insta::assert_snapshot!(short(json!({"type": "object", "properties": {"k": {"enum": ["x", "y"]}}, "required": ["k"]}),
        json!({"oneOf": [{"properties": {"k": {"const": "x"}}, "required": ["k"]}, {"properties": {"k": {"const": "y"}}, "required": ["k"]}]})), @"");
    insta::assert_snapshot!(short(json!({"type": "string"}), json!({"not": {"const": "a"}})), @r#"not-widened /not "a""#);
    insta::assert_snapshot!(short(json!({"if": {"properties": {"k": {"const": 1}}}, "then": {"required": ["a"]}}), json!({"if": {"properties": {"k": {"const": 1}}}, "then": {"required": ["a", "b"]}})), @r#"required-added /then/required {"a":"a"}"#);
}

#[test]
fn an_open_object_is_told_why_and_the_two_ways_out() {
    let old = json!({"type": "object", "properties": {"id": {"type": "string"}}});
    let new = json!({"type": "object", "properties": {"id": {"type": "string"}, "note": {"type": "string"}}});
    let reasons = said(&old, &new, OpenContent::Exact);
    let [one] = reasons.as_slice() else {
        panic!("{reasons:?}")
    };
    assert_eq!(
        (one.code, one.answer),
        ("property-added-to-open-object", Answer::Incompatible)
    );
    assert_eq!(one.witness.as_ref().unwrap().path, "/note");
    let fix = one.fix.as_ref().unwrap();
    assert!(
        fix.contains("additionalProperties: false") && fix.contains("--open-content reserved"),
        "{fix}"
    );
    // Undeclared names are reserved: nobody has sent a `note`.
    assert_eq!(said(&old, &new, OpenContent::Reserved), []);
    // But what is required was not sent either, and a closed reader still takes what is declared.
    let required =
        json!({"type": "object", "properties": {"id": {}, "note": {}}, "required": ["note"]});
    assert_eq!(
        said(&old, &required, OpenContent::Reserved)[0].code,
        "required-added"
    );
    let closed = json!({"type": "object", "properties": {"id": {}}, "additionalProperties": false});
    assert_eq!(said(&old, &closed, OpenContent::Reserved), []);
    assert_eq!(
        said(&old, &closed, OpenContent::Exact)[0].code,
        "object-closed"
    );
    // An object of which nothing is declared is a free one, and a map stays one.
    let free = json!({"type": "object"});
    assert_ne!(said(&free, &new, OpenContent::Reserved), []);
    let map = json!({"type": "object", "properties": {"id": {"type": "string"}}, "additionalProperties": {"type": "integer"}});
    assert_eq!(
        said(&map, &new, OpenContent::Reserved)[0]
            .witness
            .as_ref()
            .unwrap()
            .path,
        "/note"
    );
}

#[test]
fn recursive_schemas_are_proved_and_refuted() {
    let tree = |value: Value| {
        json!({"type": "object", "required": ["value"], "additionalProperties": false,
        "properties": {"value": value, "children": {"type": "array", "items": {"$ref": "#"}}}})
    };
    let (small, large) = (
        tree(json!({"type": "integer"})),
        tree(json!({"type": "number"})),
    );
    assert_eq!(said(&small, &large, OpenContent::Exact), []);
    let reasons = said(&large, &small, OpenContent::Exact);
    assert_eq!(
        reasons[0].witness.as_ref().unwrap().event,
        json!({"value": 0.5})
    );
    // Two that refer to each other, under other names.
    let pair = |a: &str, b: &str, leaf: Value| {
        json!({"$ref": format!("#/$defs/{a}"), "$defs": {
        a: {"type": "object", "properties": {"next": {"$ref": format!("#/$defs/{b}")}, "leaf": leaf}, "additionalProperties": false},
        b: {"type": "object", "properties": {"next": {"$ref": format!("#/$defs/{a}")}}, "additionalProperties": false}}})
    };
    assert_eq!(
        said(
            &pair("x", "y", json!({"maxLength": 3})),
            &pair("p", "q", json!({"maxLength": 4})),
            OpenContent::Exact
        ),
        []
    );
    let deep = json!({"type": "object", "properties": {"next": {"$ref": "#"}, "leaf": {"maxLength": 4}}, "additionalProperties": false});
    assert_eq!(
        said(
            &pair("x", "y", json!({"maxLength": 3})),
            &deep,
            OpenContent::Exact
        ),
        []
    );
    // Nothing but endless values fits: the writer writes nothing.
    let endless =
        json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
    assert_eq!(
        said(
            &endless,
            &json!({"type": "object", "required": ["other"]}),
            OpenContent::Exact
        ),
        []
    );
}

#[test]
fn references_lead_through_a_bundle_and_are_never_fetched() {
    let order = json!({"type": "object", "properties": {"item": {"$ref": "item.json#/$defs/line"}, "to": {"$ref": "https://shop.example/address"}}});
    let item = |count: Value| json!({"$defs": {"line": {"properties": {"count": count, "of": {"$ref": "#/$defs/line"}}}}});
    let address = json!({"$id": "https://shop.example/address", "$schema": "http://json-schema.org/draft-07/schema#", "properties": {"lines": {"items": [{"type": "string"}]}}});
    let read = |count: Value| {
        bundle(
            &order,
            &[
                ("item.json", item(count)),
                ("address.json", address.clone()),
            ],
        )
        .unwrap()
    };
    let (old, new) = (read(json!({"minimum": 0})), read(json!({"minimum": 1})));
    assert_eq!(compare(&old, &old, OpenContent::Exact, &|| true), []);
    assert_eq!(compare(&new, &old, OpenContent::Exact, &|| true), []);
    let reasons = compare(&old, &new, OpenContent::Exact, &|| true);
    assert_eq!(
        reasons[0].path,
        "item.json#/$defs/line/properties/count/minimum"
    );
    assert_eq!(
        reasons[0].witness.as_ref().unwrap().event,
        json!({"item": {"count": 0}})
    );
    let alone = bundle(&order, &[("item.json", item(json!({})))]).unwrap_err();
    assert!(
        alone.to_string().contains("https://shop.example/address"),
        "{alone}"
    );
    let anchor = json!({"$ref": "#Part", "definitions": {"Part": {"$id": "#Part", "type": "string"}}, "$schema": "http://json-schema.org/draft-07/schema#"});
    assert_eq!(
        said(&json!({"type": "string"}), &anchor, OpenContent::Exact),
        []
    );
}

#[test]
fn drafts_differ_in_what_an_integer_is() {
    let four = json!({"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer", "minimum": 0, "exclusiveMinimum": true});
    let seven = json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "integer", "minimum": 1});
    assert_eq!(said(&four, &seven, OpenContent::Exact), []);
    let reasons = said(&seven, &four, OpenContent::Exact);
    assert_eq!(reasons[0].witness.as_ref().unwrap().event, json!(1.0));
}

fn version(name: &str, schema: Value) -> Version {
    Version::read(name, &schema.to_string())
}

fn options<'a>(mode: Mode, group: Option<&'a str>) -> Options<'a> {
    Options {
        message: None,
        mode,
        profile: Profile::Exact,
        open_content: OpenContent::Exact,
        policy: Policy::Strict,
        group,
        draft: Draft::Twenty,
        keep_going: &|| true,
    }
}

#[test]
fn modes_choose_versions_and_directions() {
    let old = [
        version("v1", json!({"type": ["string", "null"]})),
        version("v2", json!({"type": "string", "maxLength": 3})),
    ];
    let new = version("v3", json!({"type": "string"}));
    let compare =
        |mode| tidegate_compat::compare(Format::Json, &old, &new, &options(mode, None)).unwrap();
    let of = |mode| {
        let compared = compare(mode);
        let findings = compared
            .verdict
            .findings
            .iter()
            .map(|f| (f.against, f.direction))
            .collect::<Vec<_>>();
        (compared.against, findings)
    };
    use tidegate_compat::Direction::{Backward, Forward};
    assert_eq!(of(Mode::None), (vec![], vec![]));
    assert_eq!(of(Mode::Backward), (vec![1], vec![]));
    assert_eq!(
        of(Mode::BackwardTransitive),
        (vec![1, 0], vec![(0, Backward)])
    );
    assert_eq!(of(Mode::Forward), (vec![1], vec![(1, Forward)]));
    assert_eq!(
        of(Mode::ForwardTransitive),
        (vec![1, 0], vec![(1, Forward)])
    );
    assert_eq!(
        of(Mode::FullTransitive),
        (vec![1, 0], vec![(0, Backward), (1, Forward)])
    );
}

#[test]
fn groups_are_bridged_by_nothing() {
    let answer = |group: &str, schema: Value| {
        version(
            "v",
            json!({"subject": "orders", "schema": schema.to_string(), "metadata": {"properties": {"major": group}}}),
        )
    };
    let old = [
        answer("1", json!({"type": "string"})),
        answer("2", json!({"type": "null"})),
    ];
    let new = answer("1", json!({"type": ["string", "null"]}));
    let compare = |group| {
        tidegate_compat::compare(
            Format::Json,
            &old,
            &new,
            &options(Mode::BackwardTransitive, group),
        )
    };
    assert_eq!(compare(Some("major")).unwrap().against, [0]);
    assert_eq!(compare(None).unwrap().against, [1, 0]);
    assert!(matches!(
        compare(Some("minor")),
        Err(CompareError::Group { .. })
    ));
}

#[test]
fn what_takes_too_long_is_not_proved() {
    let (old, new) = (
        read(&json!({"type": "string"})),
        read(&json!({"type": "string", "maxLength": 3})),
    );
    let reasons = compare(&old, &new, OpenContent::Exact, &|| false);
    assert!(
        reasons
            .iter()
            .all(|reason| reason.answer == Answer::NotProved)
            && !reasons.is_empty(),
        "{reasons:?}"
    );
}

#[test]
fn what_an_open_writer_may_send_is_shown() {
    let anything = json!({});
    let cases = [
        (
            json!({"additionalProperties": {"maximum": 5}}),
            "property-added-to-open-object",
        ),
        (
            json!({"patternProperties": {"^x": {"maximum": 5}}}),
            "property-added-to-open-object",
        ),
        (json!({"properties": {"q": false}}), "object-closed"),
        (
            json!({"properties": {"a": {"additionalProperties": false}}}),
            "property-added-to-open-object",
        ),
        (
            json!({"properties": {"a": {"not": {"pattern": "^\\p{Lu}{3}$"}}}}),
            "property-added-to-open-object",
        ),
        (json!({"maximum": 1e300}), "maximum-lowered"),
        (json!({"minimum": -1e300}), "minimum-raised"),
        (
            json!({"properties": {"a": {"maximum": 1e300}}}),
            "property-added-to-open-object",
        ),
        (
            json!({"properties": {"a": {"items": {"properties": {"b": {"minLength": 3}}}}}}),
            "property-added-to-open-object",
        ),
    ];
    for (new, code) in cases {
        let reasons = said(&anything, &new, OpenContent::Exact);
        let [one] = reasons.as_slice() else {
            panic!("one cause is one finding: {new} {reasons:?}")
        };
        assert_eq!(
            (one.code, one.answer),
            (code, Answer::Incompatible),
            "{new}"
        );
    }
    // What differs in digits that are not read stays open.
    let close = json!({"maximum": 1e300});
    let closer: Value = serde_json::from_str(r#"{"maximum": 1.0000000000000001e300}"#).unwrap();
    let reasons = said(&closer, &close, OpenContent::Exact);
    assert!(
        reasons.iter().all(|one| one.answer == Answer::NotProved),
        "{reasons:?}"
    );
}

#[test]
fn a_registry_s_no_has_the_event_that_shows_it() {
    let old = [version(
        "v1",
        json!({"type": "object", "properties": {"a": {"type": "string"}}}),
    )];
    let new = version(
        "v2",
        json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["b"]}),
    );
    let options = Options {
        profile: Profile::Confluent,
        ..options(Mode::Backward, None)
    };
    let compared = tidegate_compat::compare(Format::Json, &old, &new, &options).unwrap();
    let findings = compared.verdict.findings;
    assert!(
        findings
            .iter()
            .any(|one| one.code == "type-narrowed" && one.witness.is_some()),
        "{findings:?}"
    );
    // What a registry refuses although no event breaks has none.
    let any = json!(["null", "boolean", "number", "string", "array", "object"]);
    let new = version(
        "v2",
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": any}}}),
    );
    let compared = tidegate_compat::compare(Format::Json, &old, &new, &options).unwrap();
    assert!(!compared.verdict.findings.is_empty());
    assert!(
        compared
            .verdict
            .findings
            .iter()
            .all(|one| one.witness.is_none())
    );
}

#[test]
fn buf_s_no_has_the_message_that_shows_it() {
    let proto = |fields: &str| {
        let text = format!("syntax = \"proto3\"; message M {{ string id = 1; {fields} }}");
        Version::read("v.proto", &text)
    };
    let old = [proto("int32 a = 2;")];
    for profile in [Profile::BufWire, Profile::BufWireJson] {
        let options = Options {
            profile,
            ..options(Mode::Backward, None)
        };
        let findings = |new: &Version| {
            let compared = tidegate_compat::compare(Format::Protobuf, &old, new, &options);
            compared.unwrap().verdict.findings
        };
        let found = findings(&proto("string a = 2;"));
        let shown = found
            .iter()
            .find(|one| one.code.ends_with("compatible-type"));
        assert!(shown.unwrap().witness.is_some(), "{found:?}");
        // What is refused although every message is read has none.
        let found = findings(&proto(""));
        assert!(!found.is_empty());
        assert!(found.iter().all(|one| one.witness.is_none()), "{found:?}");
    }
}

#[test]
fn who_stops_a_comparison_of_any_format_gets_no_yes() {
    let avro = |kind: &str| {
        let schema =
            json!({"type": "record", "name": "R", "fields": [{"name": "a", "type": kind}]});
        version("v", schema)
    };
    let proto = |kind: &str| {
        let text = format!("syntax = \"proto3\"; message M {{ {kind} a = 1; }}");
        Version::read("v.proto", &text)
    };
    for (format, old, new) in [
        (Format::Avro, avro("int"), avro("long")),
        (Format::Avro, avro("long"), avro("int")),
        (Format::Protobuf, proto("int32"), proto("int32")),
        (Format::Protobuf, proto("int32"), proto("string")),
    ] {
        let options = Options {
            keep_going: &|| false,
            ..options(Mode::Backward, None)
        };
        let compared = tidegate_compat::compare(format, &[old], &new, &options).unwrap();
        let findings = compared.verdict.findings;
        assert_eq!(compared.verdict.answer, Answer::NotProved, "{findings:?}");
        assert_eq!(findings[0].code, "effort-spent");
    }
}

#[test]
fn what_a_part_may_look_at_is_not_taken_as_looked_at() {
    let anything = json!({});
    for new in [
        json!({"allOf": [{"patternProperties": {"^x": {}}}], "unevaluatedProperties": false}),
        json!({"then": {"properties": {"a": {}}}, "unevaluatedProperties": false}),
        json!({"allOf": [{"patternProperties": {"\\bx": {}}}], "unevaluatedProperties": false}),
    ] {
        let reasons = said(&anything, &new, OpenContent::Exact);
        assert!(
            reasons.iter().any(|one| one.witness.is_some()),
            "{new}: {reasons:?}"
        );
    }
}

/// Whether some reason has an event that shows it.
fn is_shown(old: &Value, new: &Value, open: OpenContent) -> bool {
    let reasons = said(old, new, open);
    let is_shown = reasons.iter().any(|one| one.witness.is_some());
    if !is_shown {
        eprintln!("{old}\n{new}\n{open:?}: {reasons:?}");
    }
    is_shown
}

/// It was a wrong *yes* once: the only names that an object may have stand in a condition.
#[test]
fn names_in_a_condition_may_be_sent() {
    let none = json!({"propertyNames": {"not": {}}});
    let others = json!({"propertyNames": {"enum": ["a"]}, "maxProperties": 0});
    let empty = json!({"maxProperties": 0});
    let text = json!({"additionalProperties": {"type": "string"}});
    let closed = json!({"unevaluatedProperties": false});
    let named = json!({"properties": {"c": {}}});
    for part in [
        json!({"if": named}),
        json!({"if": named, "else": {"minItems": 3}}),
        json!({"if": {"required": ["c"]}, "then": named, "else": {"minItems": 3}}),
        json!({"if": {"required": ["b"]}, "else": named}),
        json!({"dependentSchemas": {"c": named}}),
        json!({"dependentSchemas": {"b": {"properties": {"c": {}, "b": {}}}}}),
        json!({"allOf": [{"if": named}]}),
        json!({"allOf": [named]}),
        json!({"anyOf": [{"minProperties": 1}, named]}),
        json!({"oneOf": [{"maxProperties": 0}, {"required": ["c"], "properties": {"c": {}}}]}),
        json!({"$ref": "#/$defs/d", "$defs": {"d": named}}),
        json!({"propertyNames": {"enum": ["c"]}, "patternProperties": {"^c": {}}}),
    ] {
        let mut old = part.clone();
        old["unevaluatedProperties"] = closed["unevaluatedProperties"].clone();
        for open in [OpenContent::Exact, OpenContent::Reserved] {
            for new in [&none, &others, &empty, &text] {
                assert!(is_shown(&old, new, open), "{old} and {new}");
                // What is open by itself is open or declares `c`.
                assert!(is_shown(&part, new, open), "{part} and {new}");
            }
            // No other name but these is possible.
            let few = json!({"propertyNames": {"enum": ["b", "c"]}});
            assert_eq!(said(&old, &few, open).len(), 0, "{old}");
        }
    }
}

#[test]
fn a_writer_may_send_what_another_branch_of_it_declares() {
    let old = json!({"type": "object", "anyOf": [
        {"properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"properties": {"b": {"type": "string"}}, "required": ["b"]},
    ]});
    let text = json!({"additionalProperties": {"type": "string"}});
    let few = json!({"propertyNames": {"enum": ["a", "b"]}});
    for open in [OpenContent::Exact, OpenContent::Reserved] {
        assert!(is_shown(&old, &text, open));
    }
    assert_eq!(said(&old, &few, OpenContent::Reserved).len(), 0);
}

#[test]
fn a_name_that_is_listed_alone_may_be_sent() {
    let old = json!({"propertyNames": {"enum": ["c", "d"]}});
    for new in [
        json!({"propertyNames": {"enum": ["c"]}}),
        json!({"propertyNames": {"not": {}}}),
        json!({"maxProperties": 1}),
    ] {
        assert!(is_shown(&old, &new, OpenContent::Exact), "{new}");
    }
    let new = json!({"propertyNames": {"enum": ["d", "c"]}, "maxProperties": 2});
    assert_eq!(said(&old, &new, OpenContent::Exact).len(), 0);
}

/// However far behind other schemas a name stands, and however many ways lead there.
#[test]
fn a_name_far_away_may_be_sent() {
    let none = json!({"propertyNames": {"not": {}}});
    for (far, width) in [(10, 1), (10, 2)] {
        let mut all = serde_json::Map::new();
        all.insert(format!("d{far}"), json!({"if": {"properties": {"c": {}}}}));
        for n in 0..far {
            let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
            all.insert(format!("d{n}"), json!({"allOf": vec![next; width]}));
        }
        let old = json!({"$ref": "#/$defs/d0", "unevaluatedProperties": false, "$defs": all});
        assert!(is_shown(&old, &none, OpenContent::Exact), "{far}");
        assert!(is_shown(&old, &none, OpenContent::Reserved), "{far}");
    }
}
