//! What a design is read as, and that no text is too much for the reader.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod shown;

use std::time::Duration;

use proptest::prelude::*;
use shown::{findings, read};
use tidegate_base::Name;
use tidegate_model::design::{
    CleanupPolicy, Design, FailureClass, Followers, Order, Replay, SchemaFormat,
};
use tidegate_model::{Source, template};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn design(body: &str) -> Design {
    let text = format!("tidegate: 1\nsystem: shop\n{body}");
    assert_eq!(findings(&[("design.yaml", &text)]), "");
    read(&[("design.yaml", &text)]).design.expect("a design")
}

#[test]
fn the_template_reads_without_findings_and_shows_every_section() {
    for system in ["shop", "123", "no", "1e3"] {
        let text = template(&name(system));
        assert_eq!(findings(&[("design.yaml", &text)]), "");
        let design = read(&[("design.yaml", &text)]).design.expect("a design");
        assert_eq!(design.system.value.as_str(), system);
        assert!(!design.processes.is_empty() && !design.dependencies.is_empty());
        assert!(design.consumers().count() >= 2 && design.messaging.place.is_some());
        for consumer in design.consumers() {
            let event = design
                .events
                .get(consumer.event_name)
                .expect("the event is known");
            assert!(
                event
                    .schema
                    .as_ref()
                    .is_some_and(|schema| schema.text.is_some())
            );
            assert!(
                consumer
                    .consume
                    .needs
                    .iter()
                    .all(|n| design.dependencies.contains_key(&n.value))
            );
        }
    }
}

#[test]
fn a_consumer_of_nothing_but_its_name_takes_every_default() {
    let design = design("services: {a: {consumes: {A: }}}\nevents: {A: {}}\ndependencies: {d: {}}");
    let consume = &design.services["a"].consumes["A"];
    assert_eq!(consume.deliver.concurrency.value, 16);
    assert_eq!(consume.deliver.timeout.value, Duration::from_secs(30));
    assert_eq!(consume.guarantee.value.to_string(), "at-least-once");
    assert_eq!(consume.replay, Replay::Allowed);
    assert_eq!(consume.order.value, Order::None);
    assert_eq!(consume.retry.backoff.to_string(), "exponential");
    assert_eq!(consume.retry.initial.value, Duration::from_millis(100));
    assert_eq!(consume.retry.max.value, Duration::from_secs(30));
    assert_eq!(consume.retry.jitter.to_string(), "full");
    assert_eq!(consume.retry.attempts.value, 8);
    assert_eq!(consume.retry.mode.value.to_string(), "blocking");
    assert_eq!(consume.objective.value, Duration::from_secs(30));
    assert!(
        consume.dead_letter.is_none() && consume.emits.is_none() && consume.deliver.to.is_none()
    );
    assert_eq!(consume.retry.place, consume.place);
    assert_eq!(consume.place.to_string(), "design.yaml:3:27");
    let event = &design.events["A"];
    assert_eq!(
        (event.event_type.as_str(), event.compatibility.to_string()),
        ("A", "backward".into())
    );
    assert_eq!(event.retention.value, Duration::from_hours(7 * 24));
    assert_eq!(event.retention_size, None);
    assert_eq!(event.cleanup_policy.value, CleanupPolicy::Delete);
    let breaker = &design.dependencies["d"].breaker;
    assert_eq!(breaker.failure_rate.value.value(), 0.5);
    assert_eq!((breaker.minimum.value, breaker.probes.value), (20, 1));
    assert_eq!(breaker.window.value, Duration::from_secs(30));
    assert_eq!(breaker.open.value, Duration::from_secs(10));
}

#[test]
fn order_and_followers_depend_on_the_key() {
    let design = design(
        "
events: {Keyed: {key: /id}, Plain: {}}
services:
  a:
    consumes:
      Keyed: {dead-letter: {}}
      Plain: {dead-letter: {}}
  b:
    consumes:
      Keyed: {order: none, dead-letter: {}}
      Plain: {order: total, dead-letter: {followers: continue}}
",
    );
    let seen: Vec<_> = design
        .consumers()
        .map(|c| {
            (
                c.consume.order.value,
                c.consume.dead_letter.as_ref().map(|d| d.followers),
            )
        })
        .collect();
    let (wait, go_on) = (Some(Followers::Wait), Some(Followers::Continue));
    assert_eq!(
        seen,
        [
            (Order::Key, wait),
            (Order::None, go_on),
            (Order::None, go_on),
            (Order::Total, go_on)
        ]
    );
}

#[test]
fn files_are_merged_and_keep_their_places() {
    let files = [
        (
            "a.yaml",
            "tidegate: 1\nsystem: shop\nevents: {A: {}}\nmessaging: {broker: kafka}\n",
        ),
        ("b.yaml", ""),
        ("c.yaml", "# nothing\n"),
        (
            "sub/d.yaml",
            "tidegate: 1\nsystem: shop\nevents:\n  B: {}\nmessaging: {clouds: [aws]}\n",
        ),
        ("e.yaml", "events:\n"),
    ];
    assert_eq!(findings(&files), "");
    let design = read(&files).design.expect("a design");
    assert_eq!(
        design.events.keys().map(Name::as_str).collect::<Vec<_>>(),
        ["A", "B"]
    );
    assert_eq!(design.events["B"].place.to_string(), "sub/d.yaml:4:3");
    assert_eq!(design.messaging.broker.unwrap().value, "kafka");
    assert_eq!(
        design.messaging.clouds[0].place.to_string(),
        "sub/d.yaml:5:22"
    );
}

#[test]
fn schemas_are_handed_on_as_texts() {
    let design = design(
        "
events:
  A: {schema: {type: object, properties: {n: {multipleOf: 0.5, maximum: 10}}}}
  B: {schema: ../good.yaml}
  C: {schema: 'order.proto#shop.Order'}
",
    );
    let schema = |name: &str| design.events[name].schema.as_ref().expect("a schema");
    assert_eq!(
        schema("A").text.as_deref(),
        Some(r#"{"type":"object","properties":{"n":{"multipleOf":0.5,"maximum":10}}}"#)
    );
    assert_eq!(
        schema("B").text.as_deref(),
        Some(r#"{"type":"object","properties":{"id":{"type":"string"}}}"#)
    );
    assert_eq!(schema("C").format, SchemaFormat::Protobuf);
    assert_eq!(schema("C").file.as_deref(), Some("order.proto#shop.Order"));
}

#[test]
fn schema_files_are_sought_beside_the_design_file_that_names_them() {
    let sought = std::cell::RefCell::new(Vec::new());
    let schema_text = |path: &tidegate_model::SchemaPath| {
        sought.borrow_mut().push(path.path());
        Ok("{}".to_owned())
    };
    let events = |name: &str, file: &str| Source {
        name: name.into(),
        text: format!("tidegate: 1\nsystem: s\nevents: {{{name}: {{schema: '{file}'}}}}")
            .replace(&format!("{{{name}:"), &format!("{{E{}:", name.len())),
    };
    let files = [
        events("d.yaml", "a.json"),
        events("x/y/design.yaml", "../b.proto#B"),
    ];
    let reading = tidegate_model::read(&files, &schema_text);
    assert!(reading.findings.is_empty(), "{:?}", reading.findings);
    assert_eq!(sought.into_inner(), ["a.json", "x/y/../b.proto"]);
}

#[test]
fn a_bad_field_counts_as_absent_and_the_rest_is_read() {
    let text = "tidegate: 1\nsystem: shop\nservices: {a: {publishes: A, consumes: {B: {retry: {attempts: 0, max: 5s}}}}}";
    let design = read(&[("design.yaml", text)]).design.expect("a design");
    let retry = &design.services["a"].consumes["B"].retry;
    assert_eq!(
        (retry.attempts.value, retry.max.value),
        (8, Duration::from_secs(5))
    );
    assert_eq!(design.services["a"].publishes[0].value.as_str(), "A");
}

#[test]
fn a_class_of_failures_takes_from_retry_what_its_rule_does_not_say() {
    let text = "tidegate: 1
system: shop
services: {a: {consumes: {B: {retry: {
  attempts: 6, initial: 2s, jitter: none,
  classes: {
    timeout: {attempts: 3, max: 1m},
    unavailable: {attempts: 20, backoff: linear},
    retryable: park,
    permanent: retry,
    overload: {then: retry, immediate: 1},
    endpoint-fault: retry,
  }}}}}}";
    let reading = read(&[("design.yaml", text)]);
    assert!(reading.findings.is_empty(), "{:?}", reading.findings);
    let design = reading.design.expect("a design");
    let retry = &design.services["a"].consumes["B"].retry;
    let told = FailureClass::ALL.map(|class| {
        retry.of(class).map(|own| {
            let (initial, max) = (own.initial.value.as_secs(), own.max.value.as_secs());
            let jitter = own.jitter.to_string();
            (
                own.attempts.value,
                initial,
                max,
                own.backoff.to_string(),
                jitter,
            )
        })
    });
    let policy = |attempts, max, backoff: &str| {
        Some((attempts, 2, max, backoff.to_owned(), "none".to_owned()))
    };
    assert_eq!(
        told,
        [
            None,
            policy(20, 30, "linear"),
            policy(3, 60, "exponential"),
            policy(6, 30, "exponential"),
            policy(6, 30, "exponential"),
            // Whatever is written: it holds the consumer.
            None,
        ]
    );
    assert_eq!(retry.most_attempts(), 20);
    let own: Vec<_> = retry.classes.iter().filter(|rule| rule.is_own()).collect();
    assert_eq!(own.len(), 3);
    let rules: Vec<String> = retry.classes.iter().map(ToString::to_string).collect();
    assert_eq!(
        rules,
        [
            "park",
            "{backoff: linear, attempts: 20}",
            "{max: 1m, attempts: 3}",
            "{immediate: 1}",
            "retry",
            "retry"
        ]
    );
}

#[test]
fn aliases_do_not_multiply() {
    let mut text = "tidegate: 1\nsystem: shop\na0: &a0 [x, x]\n".to_owned();
    for level in 1..60 {
        let below = format!("*a{}", level - 1);
        text.push_str(&format!(
            "a{level}: &a{level} [{below}, {below}, {below}]\n"
        ));
    }
    assert!(read(&[("design.yaml", &text)]).findings.len() < 1_000);
}

/// Pieces that matter to YAML and to the language.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            ": ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            "\n",
            "\n  ",
            "\t",
            "#",
            "&a ",
            "*a",
            "!!str ",
            "|\n",
            ">-\n",
            "\"",
            "'",
            "? ",
            "---\n",
            "...\n",
            "%YAML 1.2\n",
            "<<: ",
            "\u{feff}",
            "\0",
            "\u{85}",
            "\r\n",
            ",",
            "~",
            "\\",
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            "tidegate: 1",
            "system",
            "events",
            "services",
            "consumes",
            "retry",
            "schema",
            "7d",
            "1e3",
            "no",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,3}",
        any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_text_panics(pieces in prop::collection::vec(piece(), 0..24)) {
        let text = pieces.concat();
        let reading = read(&[("design.yaml", &text)]);
        let lines = u32::try_from(text.chars().count()).unwrap() + 2;
        for finding in reading.findings {
            prop_assert!(finding.place.line <= lines && finding.place.line >= 1);
            prop_assert!(finding.place.column >= 1 && finding.place.length >= 1);
            prop_assert!(!finding.message.chars().any(char::is_control), "{:?}", finding.message);
            prop_assert!(!finding.path.chars().any(char::is_control), "{:?}", finding.path);
        }
    }

    #[test]
    fn no_change_of_a_design_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, piece()), 1..6),
    ) {
        let mut text: Vec<char> = template(&name("shop")).chars().collect();
        for (at, removed, inserted) in changes {
            let start = at.index(text.len());
            let end = (start + removed).min(text.len());
            text.splice(start..end, inserted.chars());
        }
        let text: String = text.into_iter().collect();
        let reading = read(&[("design.yaml", &text)]);
        prop_assert!(reading.design.is_some() || !reading.findings.is_empty());
    }
}

#[test]
fn what_a_protobuf_schema_imports_is_read_with_it() {
    let schema_text = |path: &tidegate_model::SchemaPath| {
        match path.path().as_str() {
        "p/main.proto" => Ok("import \"a.proto\";\nimport public 'deep/b.proto'; // c\n\
             import \"google/protobuf/any.proto\";\nimport \"../out.proto\";\nimport \"gone.proto\";\n"
            .to_owned()),
        "p/a.proto" => Ok("import \"main.proto\"; import \"a.proto\";".to_owned()),
        "deep/b.proto" => Ok("syntax = \"proto3\";".to_owned()),
        other => Err(format!("{other} is not there")),
    }
    };
    let source = Source {
        name: "d.yaml".into(),
        text: "tidegate: 1\nsystem: s\nevents: {A: {schema: 'p/main.proto#x.M'}}".to_owned(),
    };
    let reading = tidegate_model::read(&[source], &schema_text);
    let design = reading.design.unwrap();
    let schema = design.events["A"].schema.as_ref().unwrap();
    let names: Vec<&str> = schema.imports.keys().map(String::as_str).collect();
    assert_eq!(names, ["a.proto", "deep/b.proto", "main.proto"]);
    let sources: Vec<String> = schema.sources().into_keys().collect();
    assert_eq!(sources, ["a.proto", "deep/b.proto", "main.proto"]);
    assert_eq!(
        (schema.message(), schema.path(), schema.folder()),
        (Some("x.M"), Some("p/main.proto"), "p/")
    );
}

/// The design `A: {schema: …}` with these schema files, by their paths.
fn with_files(schema: &str, files: &[(&str, &str)]) -> tidegate_model::Reading {
    let schema_text = |path: &tidegate_model::SchemaPath| {
        let found = files.iter().find(|(name, _)| *name == path.path());
        found.map_or_else(
            || Err("there is no such file".to_owned()),
            |(_, text)| Ok((*text).to_owned()),
        )
    };
    let source = Source {
        name: "d.yaml".into(),
        text: format!("tidegate: 1\nsystem: s\nevents: {{A: {{schema: {schema}}}}}"),
    };
    tidegate_model::read(&[source], &schema_text)
}

fn whole(reading: &tidegate_model::Reading) -> serde_json::Value {
    let design = reading.design.as_ref().unwrap();
    let text = design.events["A"].schema.as_ref().unwrap().text.as_ref();
    serde_json::from_str(text.unwrap()).unwrap()
}

#[test]
fn a_json_schema_has_the_files_that_it_refers_to() {
    let reading = with_files(
        "schemas/a.json",
        &[
            (
                "schemas/a.json",
                r##"{"$id": "https://x.io/s/a.json", "type": "object", "properties": {
                    "c": {"$ref": "common.json#/$defs/c"}, "own": {"$ref": "#/properties/c"},
                    "w": {"$ref": "./parts/whole.yaml"}, "u": {"$ref": "https://x.io/s/common.json#named"},
                    "far": {"$ref": "https://y.io/z.json"}, "data": {"const": {"$ref": "common.json"}}},
                    "$defs": {"common": {"type": "null"}}}"##,
            ),
            (
                "schemas/common.json",
                r##"{"$id": "https://x.io/s/common.json", "$schema": "https://json-schema.org/draft/2020-12/schema",
                    "$defs": {"c": {"$ref": "#/$defs/d"}, "d": {"$anchor": "named", "type": "integer"},
                    "back": {"$ref": "a.json#/properties/own"}, "self": {"$ref": "https://x.io/s/common.json#/$defs/d"},
                    "near": {"$ref": "common.json#/$defs/d"}}}"##,
            ),
            (
                "schemas/parts/whole.yaml",
                "type: array\nitems: {$ref: '../common.json#/$defs/back'}\n",
            ),
        ],
    );
    assert!(reading.findings.is_empty(), "{:?}", reading.findings);
    assert_eq!(
        whole(&reading),
        serde_json::json!({"$id": "https://x.io/s/a.json", "type": "object", "properties": {
            "c": {"$ref": "#/$defs/common-2/$defs/c"}, "own": {"$ref": "#/properties/c"},
            "w": {"$ref": "#/$defs/whole"}, "u": {"$ref": "#named"},
            "far": {"$ref": "https://y.io/z.json"}, "data": {"const": {"$ref": "common.json"}}},
            "$defs": {
                "common": {"type": "null"},
                "common-2": {"$defs": {
                    "c": {"$ref": "#/$defs/common-2/$defs/d"}, "d": {"$anchor": "named", "type": "integer"},
                    "back": {"$ref": "#/properties/own"}, "self": {"$ref": "#/$defs/common-2/$defs/d"},
                    "near": {"$ref": "#/$defs/common-2/$defs/d"}}},
                "whole": {"type": "array", "items": {"$ref": "#/$defs/common-2/$defs/back"}}}})
    );
    let design = reading.design.unwrap();
    let bundle = design.events["A"]
        .schema
        .as_ref()
        .unwrap()
        .bundle
        .as_ref()
        .unwrap();
    let parts: Vec<(&str, &str)> = (bundle.parts.iter())
        .map(|part| (part.file.as_str(), part.pointer.as_str()))
        .collect();
    let expected = [
        ("schemas/common.json", "/$defs/common-2"),
        ("schemas/parts/whole.yaml", "/$defs/whole"),
    ];
    assert_eq!(parts, expected);
}

#[test]
fn an_inline_schema_refers_to_files_from_the_design_and_old_drafts_have_definitions() {
    let reading = with_files(
        "{$schema: 'http://json-schema.org/draft-07/schema#', properties: {a: {$ref: 'schemas/a.json'}}}",
        &[("schemas/a.json", r#"{"type": "string"}"#)],
    );
    assert!(reading.findings.is_empty(), "{:?}", reading.findings);
    let whole = whole(&reading);
    assert_eq!(whole["properties"]["a"]["$ref"], "#/definitions/a");
    assert_eq!(
        whole["definitions"]["a"],
        serde_json::json!({"type": "string"})
    );
}

#[test]
fn what_a_schema_cannot_be_put_together_of_is_said() {
    let said = |files: &[(&str, &str)]| {
        let reading = with_files("schemas/a.json", files);
        let messages: Vec<String> = (reading.findings.iter())
            .map(|finding| format!("{} {}", finding.code, finding.message))
            .collect();
        messages.join("\n")
    };
    let refers = |to: &str| {
        format!(
            r#"{{"$schema": "https://json-schema.org/draft/2020-12/schema", "items": {{"$ref": "{to}"}}}}"#
        )
    };
    assert_eq!(
        said(&[("schemas/a.json", &refers("none.json#/x"))]),
        "E0111 schema file `schemas/none.json` cannot be read: there is no such file (`schemas/a.json` refers to it)"
    );
    assert_eq!(
        said(&[
            ("schemas/a.json", &refers("b.json")),
            ("schemas/b.json", "{")
        ]),
        "E0111 schema file `schemas/b.json` cannot be read: is not JSON: EOF while parsing an object at line 1 column 1 \
         (`schemas/a.json` refers to it)"
    );
    let old = r#"{"$schema": "http://json-schema.org/draft-07/schema#"}"#;
    let mixed = said(&[
        ("schemas/a.json", &refers("b.json")),
        ("schemas/b.json", old),
    ]);
    assert!(mixed.contains("write both in one"), "{mixed}");
    // A schema that names no draft is of 2020-12.
    let plain = r#"{"items": {"$ref": "b.json"}}"#;
    let mixed = said(&[("schemas/a.json", plain), ("schemas/b.json", old)]);
    assert!(mixed.contains("write both in one"), "{mixed}");
    // What lies outside of the design's folder, or anywhere else, is never read.
    for outside in [
        "../../etc/b.json",
        "/etc/b.json",
        "file:///etc/b.json",
        "http://x.io/b.json",
    ] {
        assert_eq!(
            said(&[("schemas/a.json", &refers(outside))]),
            "",
            "{outside}"
        );
    }
}

/// What a schema has is looked for in it before any file; what is called like a keyword is none where names are given.
#[test]
fn a_json_schema_of_one_file_stays_whole() {
    let one = |text: &str, files: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> = [("s/a.json", text)].iter().chain(files).copied().collect();
        let reading = with_files("s/a.json", &all);
        assert!(reading.findings.is_empty(), "{:?}", reading.findings);
        whole(&reading)
    };
    let compound = r##"{"$id": "https://x.io/s/order.json", "properties": {"a": {"$ref": "address.json"},
        "b": {"$ref": "https://x.io/s/address.json#/$defs/x"}},
        "$defs": {"a": {"$id": "https://x.io/s/address.json", "$defs": {"x": {"$ref": "#/$defs/y"}, "y": {}}}}}"##;
    let same: serde_json::Value = serde_json::from_str(compound).unwrap();
    assert_eq!(one(compound, &[]), same);
    assert_eq!(one(compound, &[("s/address.json", "true")]), same);
    let own = r##"{"properties": {"id": {"$ref": "a.json#/$defs/s"}}, "$defs": {"s": {"type": "string"}}}"##;
    assert_eq!(one(own, &[])["properties"]["id"]["$ref"], "#/$defs/s");
    let named = r#"{"properties": {"default": {"$ref": "b.json"}, "enum": {"$ref": "b.json"}}}"#;
    let named = one(named, &[("s/b.json", "true")]);
    assert_eq!(named["properties"]["default"]["$ref"], "#/$defs/b");
    assert_eq!(named["properties"]["enum"]["$ref"], "#/$defs/b");
}
