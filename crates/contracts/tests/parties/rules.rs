//! Rules on data: what they say of events, what is wrong with them, what is proved of them.

use serde_json::{Value, json};
use tidegate_base::Envelope;
use tidegate_contracts::parties::{Rules, Verdict};

use crate::support::{design, one, said, verdicts};

const ORDER: &str = "{type: object, required: [id, total, count], properties: {id: {type: string}, \
     total: {type: number}, count: {type: integer}, note: {type: string}, \
     items: {type: array, items: {type: object, required: [sku], properties: {sku: {type: string}, n: {type: integer}}}}}}";

/// What a rule says of an order: `true`, `false`, or why it cannot be told.
fn asked(rule: &str, event: &Value) -> String {
    let quoted = format!("[\"{}\"]", rule.replace('\\', "\\\\").replace('"', "\\\""));
    let design = design(&one(ORDER, &quoted, "[id]"), &[]);
    let rules = Rules::of(&design.events["E"]).unwrap().unwrap();
    let envelope = Envelope::from_value(json!({
        "specversion": "1.0", "id": "1", "source": "/s", "type": "E", "tenant": "acme", "data": event,
    }));
    match rules.broken_by(&envelope.unwrap(), event) {
        None => "true".to_owned(),
        Some(broken) => broken.error.unwrap_or_else(|| "false".to_owned()),
    }
}

#[test]
fn rules_are_asked_of_events() {
    let order =
        json!({"id": "o-1", "total": 5, "count": 2, "items": [{"sku": "a"}, {"sku": "b", "n": 3}]});
    for (rule, expected) in [
        ("event.total >= 0.0", "true"),
        ("event.total >= 0", "true"),
        ("event.total > 5", "false"),
        ("event.total * 1.5 == 7.5", "true"),
        ("event.count % 2 == 0", "true"),
        ("event.count == 2.0", "true"),
        ("double(event.count) * 2.5 == event.total", "true"),
        ("event.items.size() == event.count", "true"),
        ("size(event.items) > 2", "false"),
        ("event.items.all(i, i.sku.matches('^[a-z]$'))", "true"),
        ("event.items.exists(i, has(i.n) && i.n > 2)", "true"),
        ("event.items.filter(i, has(i.n)).size() == 1", "true"),
        ("event.items.map(i, i.sku) == ['a', 'b']", "true"),
        ("event.items[0].sku == 'a'", "true"),
        ("event['id'].startsWith('o-')", "true"),
        ("'a' in event.items.map(i, i.sku)", "true"),
        ("!has(event.note) || event.note.size() > 3", "true"),
        ("has(event.note) && event.note.size() > 3", "false"),
        ("event.note == 'x'", "the event has no `note`"),
        ("event.id in ['o-1', 'o-2']", "true"),
        ("event.id != 'o-1'", "false"),
        (
            "attributes.tenant == 'acme' && attributes.type == 'E'",
            "true",
        ),
        ("attributes.subject == 'x'", "the event has no `subject`"),
        ("event.count / (event.count - 2) == 1", "it divides by zero"),
        (
            "event.items[5].sku == 'a'",
            "a list is shorter than it asks",
        ),
        ("event.total > 1.0 ? event.count > 1 : false", "true"),
        ("string(event.count) + event.id == '2o-1'", "true"),
    ] {
        assert_eq!(asked(rule, &order), expected, "{rule}");
    }
}

#[test]
fn a_whole_number_in_a_field_of_numbers_is_no_other_kind_of_number() {
    for total in [json!(5), json!(5.0)] {
        let order = json!({"id": "a", "total": total, "count": total});
        assert_eq!(asked("event.total / 2.0 == 2.5", &order), "true", "{total}");
        assert_eq!(asked("event.count / 2 == 2", &order), "true", "{total}");
    }
}

#[test]
fn what_is_wrong_with_a_rule_is_told_with_its_place_and_the_next_step() {
    let mut all = String::new();
    for rule in [
        "event.totl >= 0.0",
        "event.items.all(i, i.skuu == 'a')",
        "total >= 0.0",
        "evnt.total >= 0.0",
        "event.total = 5",
        "event.total > 0 and event.count > 0",
        "event.total >",
        "event.total",
        "event.id > 5",
        "event.id.size",
        "event.id.siz() > 1",
        "timestamp(event.id) > now()",
        "event.id.matches('(')",
        "event.id.matches(event.note)",
        "event.total.startsWith('a')",
        "event.count * 1.5 > 2.0",
        "event.id && true",
        "event.count.all(i, i > 0)",
        "'it is fine'",
    ] {
        let text = one(ORDER, &format!("[\"{rule}\"]"), "[id]");
        all.push_str(&said(&text));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn examples_are_asked_too() {
    let schema = "{type: object, required: [n], properties: {n: {type: number}}, examples: [{n: 1}, {n: -1}, {}]}";
    insta::assert_snapshot!(said(&one(schema, "['event.n >= 0.0']", "[n]")));
}

/// `met`, `unmet` with the event, or `not proved`.
fn proved(schema: &str, rules: &str, rule: &str) -> String {
    let requires = format!("[{{rule: \"{rule}\"}}]");
    let design = design(&one(schema, rules, &requires), &[]);
    match verdicts(&design).remove(0) {
        Verdict::Met => "met".to_owned(),
        Verdict::Unmet(broken) => format!("unmet {}", broken.event),
        Verdict::NotProved(_) => "not proved".to_owned(),
    }
}

#[test]
fn rules_are_proved_of_schemas_as_far_as_schemas_say_them() {
    let schema = "{type: object, required: [n, s, l, f], properties: {n: {type: number, minimum: 1}, \
                   s: {type: string, minLength: 2, pattern: '^ab'}, f: {const: true}, \
                   l: {type: array, minItems: 1, items: {type: object, required: [k], properties: {k: {enum: [x, y]}}}}, \
                   o: {type: object, properties: {p: {type: integer}}}}}";
    for (rule, expected) in [
        ("event.n >= 0.0", "met"),
        ("0 < event.n", "met"),
        ("event.n > 0.0 && event.s.size() >= 1", "met"),
        ("event.n < 0.0 || event.n > 0.5", "met"),
        ("!(event.n < 1.0)", "met"),
        ("event.n != 0.0", "met"),
        ("event.f", "met"),
        ("event.s.startsWith('a')", "met"),
        ("size(event.l) > 0", "met"),
        ("event.l.all(i, i.k in ['x', 'y', 'z'])", "met"),
        ("has(event.n)", "met"),
        ("!has(event.o) || event.n >= 1.0", "met"),
        ("event.n >= 2.0", "unmet"),
        ("event.n <= 1.0", "unmet"),
        ("event.s.size() < 3", "unmet"),
        ("event.l.all(i, i.k == 'x')", "unmet"),
        ("event.o.p > 0", "unmet"),
        ("event.n * event.n >= event.n", "not proved"),
        ("event.l.exists(i, i.k == 'x')", "unmet"),
        ("attributes.tenant == 'acme'", "not proved"),
    ] {
        let found = proved(schema, "[]", rule);
        assert!(found.starts_with(expected), "{rule}: {found}");
    }
}

#[test]
fn what_the_event_promises_by_a_rule_is_relied_on() {
    let schema =
        "{type: object, required: [n, m], properties: {n: {type: number}, m: {type: number}}}";
    assert!(proved(schema, "[]", "event.n >= 0.0").starts_with("unmet"));
    assert_eq!(
        proved(schema, "['event.n >= 1.0']", "event.n >= 0.0"),
        "met"
    );
    assert_eq!(
        proved(schema, "['event.n >= event.m']", "event.n>=event.m"),
        "met"
    );
    // A promise takes what breaks it out of what may be sent.
    let found = proved(schema, "['event.n >= 1.0']", "event.n >= 2.0");
    let event: Value = serde_json::from_str(found.strip_prefix("unmet ").unwrap()).unwrap();
    assert!(event["n"].as_f64().unwrap() >= 1.0, "{event}");
}

#[test]
fn rules_that_no_event_keeps_are_told() {
    let codes = |schema: &str, rules: &str| -> Vec<String> {
        let said = said(&one(schema, rules, "[id]"));
        let lines = said.lines().filter(|line| line.starts_with('E'));
        lines
            .map(|line| line.chars().take(5).collect())
            .filter(|code| code != "E0901" && code != "E0902")
            .collect()
    };
    for (rules, expected) in [
        ("['false']", &["E0909"][..]),
        ("['event.count == 1 && event.count == 2']", &["E0909"]),
        ("['event.count > 5', 'event.count < 5']", &["E0909"]),
        (
            "['event.count > 5', 'false', 'event.id == \"\" && event.id == \"a\"']",
            &["E0909", "E0909"],
        ),
        ("['event.count / 0 == 1']", &["E0905"]),
        ("['event.count % 0 == 1']", &["E0905"]),
        ("['event.count > 5', 'event.count < 7']", &[]),
        ("['event.count == 1 || event.count == 2']", &[]),
        ("['true']", &[]),
        // An infinite number is one.
        ("['event.total / 0.0 > 1.0']", &[]),
        ("['has(event.note)']", &[]),
    ] {
        assert_eq!(codes(ORDER, rules), expected, "{rules}");
    }
    // Of a schema that nothing fits, no rule is the reason.
    let none = "{type: object, required: [id], properties: {id: false}}";
    assert!(!codes(none, "['event.id == 1']").contains(&"E0909".to_owned()));
}
