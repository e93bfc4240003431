//! No rule and no event makes it panic or run beyond its budget.

use std::time::Instant;

use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_base::Envelope;
use tidegate_contracts::parties::Rules;

use crate::support::{one, parts, said};

/// Reads a rule and asks it of an event; whatever comes of it.
fn ask(rule: &str, event: &Value) -> Option<String> {
    let schema = "{type: object}";
    let quoted = serde_json::to_string(&[rule]).unwrap();
    let (design, _) = parts(&one(schema, &quoted, "[]"), &[]);
    let rules = Rules::of(&design?.events["E"]).ok()??;
    let envelope = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "E"});
    let envelope = Envelope::from_value(envelope).unwrap();
    let broken = rules.broken_by(&envelope, event);
    Some(broken.and_then(|broken| broken.error).unwrap_or_default())
}

#[test]
fn rules_that_take_too_much_are_refused() {
    let long = format!("event.a == '{}'", "x".repeat(5_000));
    let deep = format!("{}event.a{} == 1", "(".repeat(200), ")".repeat(200));
    let wide = vec!["event.a == 1"; 600].join("||");
    let nested = "event.a.all(b, event.a.all(c, event.a.all(d, b + c + d > 0)))".to_owned();
    let signs = format!("{}true", "!".repeat(3_000));
    let grown = "(event.a + event.a).all(b, b > 0)".to_owned();
    let pattern = "event.a.matches('(a{1000}){1000}')".to_owned();
    for rule in [long, deep, wide, nested, signs, grown, pattern] {
        let text = one(
            "{type: object}",
            &serde_json::to_string(&[&rule]).unwrap(),
            "[]",
        );
        let said = said(&text);
        assert!(
            said.starts_with("E0903"),
            "{}…: {said}",
            &rule.get(..20).unwrap()
        );
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it would take hours if nothing stopped it"
)]
#[test]
fn an_event_that_is_too_large_for_the_loops_of_a_rule_breaks_it() {
    let items: Vec<u32> = (0..20_000).collect();
    let start = Instant::now();
    let found = ask(
        "event.a.all(b, event.a.all(c, b + c >= 0))",
        &json!({"a": items}),
    );
    assert_eq!(
        found.as_deref(),
        Some("the event is too large for the loops of the rule")
    );
    assert!(start.elapsed().as_secs() < 5, "not 400 million steps");
    assert_eq!(
        ask("event.a.all(b, b >= 0)", &json!({"a": items})).as_deref(),
        Some("")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 400 } else { 4_000 }))]

    /// Texts of anything, and of what rules are made of.
    #[test]
    fn no_text_is_too_much(text in prop_oneof![
        "\\PC{0,60}",
        proptest::collection::vec(prop_oneof![
            Just("event"), Just("."), Just("a"), Just("["), Just("]"), Just("("), Just(")"), Just("all"),
            Just("has"), Just("map"), Just(","), Just("'x'"), Just("1"), Just("1.5"), Just("&&"), Just("||"),
            Just("!"), Just("-"), Just("=="), Just("in"), Just("?"), Just(":"), Just("{"), Just("}"), Just("size"),
            Just("matches"), Just("attributes"), Just(" "), Just("9223372036854775808"), Just("b'\\xff'"),
        ], 0..24).prop_map(|parts| parts.concat()),
    ]) {
        let _found = ask(&text, &json!({"a": [1, "x", null, {"a": 2}], "b": -1}));
    }

    /// Rules that are read, asked of anything.
    #[test]
    fn no_event_is_too_much(event in any_json(), rule in proptest::sample::select(vec![
        "event.a > 0", "event.a.all(b, b.c == 1)", "event.a + event.b == event.c", "event[0] == event.a[1]",
        "-event.a < 0", "event.a / event.b > 1", "event.a % event.b == 0", "size(event.a) > 1", "int(event.a) > 0",
        "event.a.map(x, event.b.map(y, x == y)).size() > 0", "string(event.a) == 'x'", "event.a in event.b",
        "event.a.matches('^x+$')", "{event.a: 1}.size() == 1", "uint(event.a) > 1u", "type(event.a) == int",
    ])) {
        let _found = ask(rule, &event);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|float| json!(float)),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec(("[abc]", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
