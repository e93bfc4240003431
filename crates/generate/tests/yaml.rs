//! YAML: what is written is read back as the same value, by a YAML parser of somebody else.

#![cfg(test)]

use proptest::prelude::*;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value, json};
use tidegate_generate::to_yaml;

/// Reads YAML by its core schema.
fn read(text: &str) -> Value {
    let mut events = Parser::new_from_str(text).map(|event| event.unwrap().0);
    let mut next = || loop {
        match events.next().unwrap() {
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            event => return event,
        }
    };
    let first = next();
    value(first, &mut next)
}

fn value<'a>(event: Event<'a>, next: &mut impl FnMut() -> Event<'a>) -> Value {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) => plain(&text),
        Event::Scalar(text, ..) => Value::from(text.into_owned()),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match next() {
                    Event::SequenceEnd => return Value::Array(items),
                    event => items.push(value(event, next)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut object = Map::new();
            loop {
                match next() {
                    Event::MappingEnd => return Value::Object(object),
                    Event::Scalar(key, style, ..) => {
                        let is_text = style != ScalarStyle::Plain || plain(&key).is_string();
                        assert!(is_text, "the key {key} is not a string");
                        let event = next();
                        object.insert(key.into_owned(), value(event, next));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        other => panic!("{other:?}"),
    }
}

/// A plain scalar: JSON's numbers and words, otherwise a string; the words of YAML 1.1 are refused.
fn plain(text: &str) -> Value {
    let yaml_1_1 = [
        "yes", "no", "on", "off", "y", "n", "~", "True", "False", "Null", "NULL",
    ];
    assert!(
        !yaml_1_1
            .iter()
            .any(|word| word.eq_ignore_ascii_case(text)
                && !["true", "false", "null"].contains(&text)),
        "{text}"
    );
    serde_json::from_str(text).unwrap_or_else(|_| {
        // `inf` and `nan` are words to YAML; its own are `.inf` and `.nan`.
        let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic());
        assert!(
            is_word || text.parse::<f64>().is_err(),
            "{text} is a number to YAML"
        );
        Value::from(text)
    })
}

fn values() -> impl Strategy<Value = Value> {
    let strings = prop_oneof![
        ".{0,12}",
        "[ -~]{0,12}",
        "[a-zA-Z]{0,3}[:#\\-?,\\[\\]{}&*!|>'\"%@` \n\t]{1,3}[a-z0-9]{0,3}",
        prop_oneof![
            Just("yes"),
            Just("No"),
            Just("null"),
            Just("~"),
            Just("1.5"),
            Just("0x1f"),
            Just("1e3"),
            Just("2026-11-23"),
            Just("- a"),
            Just("a: b"),
            Just("a #b"),
            Just(""),
            Just(" a"),
            Just("a "),
            Just("---"),
            Just("\u{85}"),
            Just("\u{2028}"),
            Just("\u{feff}"),
            Just("\u{7f}"),
            Just("😀"),
            Just(".inf"),
            Just(".nan"),
            Just("inf"),
            Just("NaN"),
            Just("infinity"),
        ]
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|number: f64| json!(number)),
        strings.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::vec((strings.clone(), inner), 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_written_is_read_back(value in values()) {
        let text = to_yaml(&value);
        prop_assert_eq!(read(&text), value, "{}", text);
    }
}

#[test]
fn nesting_is_indented_and_lists_of_objects_start_on_their_dash() {
    let value = json!({"a": [{"b": 1, "c": [[1, 2], []]}, "x: y"], "d": {}, "e": {"f": "it's"}});
    insta::assert_snapshot!("nested", to_yaml(&value));
}
