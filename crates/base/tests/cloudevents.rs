//! The envelope held against CloudEvents 1.0.2, rule by rule, in the words of the specification; and
//! against the samples of its SDK for Java where they are at hand.

#![cfg(test)]

use serde_json::{Map, Value, json};
use tidegate_base::{Envelope, EnvelopeError};

const SAMPLES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/data/cloudevents/sdk_java_formats/json-jackson/v1"
);

/// The least event, with `changes`: `null` takes an attribute away.
fn event(changes: &Value) -> Value {
    let mut object = Map::new();
    for (name, value) in [
        ("specversion", "1.0"),
        ("id", "1"),
        ("source", "/s"),
        ("type", "T"),
    ] {
        object.insert(name.to_owned(), value.into());
    }
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    Value::Object(object)
}

fn read(changes: &Value) -> Result<Envelope, EnvelopeError> {
    Envelope::from_value(event(changes))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of rules")]
fn every_rule_of_the_attributes() {
    // The words of the specification; what keeps them; what breaks them.
    let rules: Vec<(&str, Vec<Value>, Vec<Value>)> = vec![
        (
            "id: String. REQUIRED. MUST be a non-empty string",
            vec![json!({"id": "A234-1234-1234"}), json!({"id": "größe 1"})],
            vec![
                json!({"id": null}),
                json!({"id": ""}),
                json!({"id": 1}),
                json!({"id": ["1"]}),
            ],
        ),
        (
            "source: URI-reference. REQUIRED. MUST be a non-empty URI-reference",
            vec![
                json!({"source": "https://github.com/cloudevents"}),
                json!({"source": "mailto:cncf-wg-serverless@lists.cncf.io"}),
                json!({"source": "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"}),
                json!({"source": "cloudevents/spec/pull/123"}),
                json!({"source": "/sensors/tn-1234567/alerts"}),
                json!({"source": "1-555-123-4567"}),
                json!({"source": "//host:80/a?b=/?#c/?"}),
                json!({"source": "http://u:p@[2001:db8::1]:80/%C3%A9"}),
                json!({"source": "a/b:c"}),
                json!({"source": "?q"}),
                json!({"source": "#f"}),
            ],
            vec![
                json!({"source": null}),
                json!({"source": ""}),
                json!({"source": "a b"}),
                json!({"source": "größe"}),
                json!({"source": "a%zz"}),
                json!({"source": "a%4"}),
                json!({"source": "1:2"}),
                json!({"source": ":a"}),
                json!({"source": "a#b#c"}),
                json!({"source": "<a>"}),
                json!({"source": "a\\b"}),
                json!({"source": "//h:port/"}),
                json!({"source": "http://[::1/"}),
                json!({"source": "a[1]"}),
                json!({"source": 1}),
            ],
        ),
        (
            "specversion: REQUIRED. Compliant event producers MUST use a value of 1.0",
            vec![json!({"specversion": "1.0"})],
            vec![
                json!({"specversion": null}),
                json!({"specversion": "0.3"}),
                json!({"specversion": "1.1"}),
                json!({"specversion": "1"}),
                json!({"specversion": 1.0}),
                json!({"specversion": ""}),
            ],
        ),
        (
            "type: String. REQUIRED. MUST be a non-empty string",
            vec![json!({"type": "com.github.pull_request.opened"})],
            vec![
                json!({"type": null}),
                json!({"type": ""}),
                json!({"type": true}),
            ],
        ),
        (
            "datacontenttype: OPTIONAL. If present, MUST adhere to the format specified in RFC 2046",
            vec![
                json!({"datacontenttype": "text/xml"}),
                json!({"datacontenttype": "application/json; charset=utf-8"}),
                json!({"datacontenttype": "multipart/form-data;boundary=\"a b\""}),
                json!({"datacontenttype": "application/vnd.a.b+json"}),
            ],
            vec![
                json!({"datacontenttype": ""}),
                json!({"datacontenttype": "json"}),
                json!({"datacontenttype": "application/"}),
                json!({"datacontenttype": "/json"}),
                json!({"datacontenttype": "a/b/c"}),
                json!({"datacontenttype": "a b/c"}),
                json!({"datacontenttype": "a/b;charset"}),
                json!({"datacontenttype": 1}),
            ],
        ),
        (
            "dataschema: URI. OPTIONAL. If present, MUST be a non-empty URI",
            vec![
                json!({"dataschema": "https://example.com/schemas/1.json"}),
                json!({"dataschema": "urn:example:order"}),
            ],
            vec![
                json!({"dataschema": ""}),
                json!({"dataschema": "/schemas/1.json"}),
                json!({"dataschema": "order.json"}),
                json!({"dataschema": "https://a b"}),
            ],
        ),
        (
            "subject: String. OPTIONAL. If present, MUST be a non-empty string",
            vec![json!({"subject": "mynewfile.jpg"}), json!({})],
            vec![json!({"subject": ""}), json!({"subject": 3})],
        ),
        (
            "time: Timestamp. OPTIONAL. If present, MUST adhere to the format specified in RFC 3339",
            vec![
                json!({"time": "2018-04-05T17:31:00Z"}),
                json!({"time": "2018-04-26T14:48:09.1234+02:00"}),
                json!({"time": "1969-12-31T23:59:59Z"}),
                json!({"time": "0001-01-01T00:00:00Z"}),
                json!({"time": "2016-12-31T23:59:60Z"}),
            ],
            vec![
                json!({"time": ""}),
                json!({"time": "noon"}),
                json!({"time": "2018-04-05"}),
                json!({"time": "2018-04-05T17:31:00"}),
                json!({"time": "2018-13-05T17:31:00Z"}),
                json!({"time": "2018-02-30T17:31:00Z"}),
                json!({"time": 1_522_949_460}),
            ],
        ),
        (
            "Attribute names MUST consist of lower-case letters ('a' to 'z') or digits ('0' to '9')",
            vec![
                json!({"ext1": "x"}),
                json!({"1ext": "x"}),
                json!({"partitionkey": "k"}),
            ],
            vec![
                json!({"aString": "x"}),
                json!({"a_b": "x"}),
                json!({"a-b": "x"}),
                json!({"": "x"}),
                json!({"größe": "x"}),
                json!({"a.b": "x"}),
            ],
        ),
        (
            "Boolean; Integer in the range -2,147,483,648 to +2,147,483,647; String",
            vec![
                json!({"e": true}),
                json!({"e": 0}),
                json!({"e": 2_147_483_647}),
                json!({"e": -2_147_483_648_i64}),
                json!({"e": "4247483647"}),
            ],
            vec![
                json!({"e": 2_147_483_648_i64}),
                json!({"e": -2_147_483_649_i64}),
                json!({"e": 42.42}),
                json!({"e": [1]}),
                json!({"e": {"a": 1}}),
                json!({"e": 1e99}),
            ],
        ),
        (
            "String: no U+0000-U+001F, U+007F-U+009F, and no code points identified as noncharacters",
            vec![json!({"e": "a\u{a0}\u{e9}\u{1f30a} b"})],
            vec![
                json!({"e": "a\nb"}),
                json!({"e": "\u{0}"}),
                json!({"id": "\u{7f}"}),
                json!({"e": "\u{9f}"}),
                json!({"e": "\u{fdd0}"}),
                json!({"e": "\u{ffff}"}),
                json!({"subject": "\u{1fffe}"}),
            ],
        ),
        (
            "The presence of data and data_base64 is mutually exclusive; RFC 4648 base64",
            vec![
                json!({"data": {}}),
                json!({"data_base64": "AAEC"}),
                json!({"data_base64": ""}),
            ],
            vec![
                json!({"data": 1, "data_base64": "AAEC"}),
                json!({"data_base64": "*"}),
                json!({"data_base64": "AAE"}),
                json!({"data_base64": 1}),
            ],
        ),
    ];
    for (rule, kept, broken) in rules {
        for changes in kept {
            let found = read(&changes);
            let found = found.unwrap_or_else(|error| panic!("{rule}\n{changes}: {error}"));
            assert_eq!(
                Envelope::from_value(found.to_value()).as_ref(),
                Ok(&found),
                "{rule}"
            );
        }
        for changes in broken {
            assert!(read(&changes).is_err(), "{rule}\n{changes} was taken");
        }
    }
}

#[test]
fn an_attribute_that_is_null_is_unset() {
    let text = r#"{"specversion":"1.0","id":"1","source":"/s","type":"T","subject":null,"e":null}"#;
    let found = Envelope::from_json(text.as_bytes()).unwrap();
    assert_eq!((found.subject, found.extensions.len()), (None, 0));
}

#[test]
fn the_text_of_another_media_type_is_what_stands_in_the_string() {
    let data = |changes: Value| read(&changes).unwrap().data.unwrap();
    assert_eq!(
        data(json!({"datacontenttype": "text/plain", "data": "a \"b\""})),
        "a \"b\""
    );
    assert_eq!(
        data(json!({"datacontenttype": "application/xml", "data": "<a/>"})),
        "<a/>"
    );
    assert_eq!(
        data(json!({"datacontenttype": "application/json", "data": "a"})),
        "\"a\""
    );
    assert_eq!(data(json!({"data": "a"})), "\"a\"");
    assert_eq!(
        data(json!({"datacontenttype": "text/plain", "data": {"a": 1}})),
        r#"{"a":1}"#
    );
}

#[test]
fn what_was_taken_before_a_rule_is_still_read() {
    let value = event(&json!({"source": "a b", "datacontenttype": "json"}));
    assert!(Envelope::from_value(value.clone()).is_err());
    assert_eq!(Envelope::read_stored(value).unwrap().source, "a b");
}

#[test]
fn the_samples_of_the_sdk_for_java() {
    let Ok(folder) = std::fs::read_dir(SAMPLES) else {
        println!("skipped: no {SAMPLES}");
        return;
    };
    let mut count = 0;
    for entry in folder {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read(&path).unwrap();
        // Upper case is read as it is by that SDK; the specification allows none.
        let bad = name.starts_with("fail") || name.contains("invalid") || name.contains("upper");
        let found = Envelope::from_json(&text);
        assert_eq!(found.is_err(), bad, "{name}: {found:?}");
        count += 1;
    }
    assert!(count >= 16, "{count} samples");
    let of = |name: &str| {
        let text = std::fs::read(format!("{SAMPLES}/{name}.json")).unwrap();
        Envelope::from_json(&text).unwrap()
    };
    assert_eq!(of("text_data").data.unwrap(), "Hello World Lorena!");
    assert_eq!(of("base64_text_data").data, of("text_data").data);
    assert_eq!(of("base64_xml_data").data, of("xml_data").data);
    assert_eq!(of("base64_json_data").data, of("json_data").data);
    assert_eq!(of("min_subject_null"), of("min"));
}
