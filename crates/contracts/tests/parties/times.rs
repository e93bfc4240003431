//! Times in rules: points in time and lengths of it, made of texts.

use serde_json::{Value, json};
use tidegate_base::Envelope;
use tidegate_contracts::parties::{Rules, Verdict};

use crate::support::{design, one, said, verdicts};

const PARCEL: &str = "{type: object, required: [placed, due, hours], properties: {placed: {type: string}, \
     due: {type: string, format: date-time}, hours: {type: integer}, took: {type: string}, any: {}}}";

/// What a rule says of a parcel: `true`, `false`, or why it cannot be told.
fn asked(rule: &str, event: &Value) -> String {
    let design = design(&one(PARCEL, &format!("[\"{rule}\"]"), "[due]"), &[]);
    let rules = Rules::of(&design.events["E"]).unwrap().unwrap();
    let envelope = Envelope::from_value(json!({
        "specversion": "1.0", "id": "1", "source": "/s", "type": "E", "time": "2026-03-29T00:30:00Z", "data": event,
    }));
    match rules.broken_by(&envelope.unwrap(), event) {
        None => "true".to_owned(),
        Some(broken) => broken.error.unwrap_or_else(|| "false".to_owned()),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of rules")]
fn times_compare_and_are_reckoned_with() {
    let parcel = json!({
        "placed": "2026-03-29T01:30:00+01:00", "due": "2026-03-30T00:30:00.5Z", "hours": 24, "took": "1h30m",
        "any": "2026-01-01T00:00:00Z",
    });
    for (rule, expected) in [
        (
            "timestamp(event.placed) == timestamp(attributes.time)",
            "true",
        ),
        (
            "timestamp(event.placed) == timestamp('2026-03-29T00:30:00Z')",
            "true",
        ),
        (
            "timestamp(event.due) > timestamp(event.placed) + duration('24h')",
            "true",
        ),
        (
            "timestamp(event.due) > duration('24h1s') + timestamp(event.placed)",
            "false",
        ),
        (
            "timestamp(event.due) - timestamp(event.placed) == duration('86400.5s')",
            "true",
        ),
        (
            "timestamp(event.due) - duration('500ms') <= timestamp('2026-03-30T00:30:00Z')",
            "true",
        ),
        (
            "duration(event.took) + duration('30m') == duration('2h')",
            "true",
        ),
        (
            "duration(event.took) - duration('2h') < duration('0s')",
            "true",
        ),
        ("duration(event.took) > duration('-1h')", "true"),
        ("timestamp(event.placed) == timestamp(1774744200)", "true"),
        ("int(timestamp(event.placed)) == 1774744200", "true"),
        (
            "string(timestamp(event.placed)) == '2026-03-29T00:30:00Z'",
            "true",
        ),
        ("timestamp(event.placed).getFullYear('UTC') == 2026", "true"),
        ("timestamp(event.due).getHours() < event.hours", "true"),
        // The clocks went forward between the two.
        (
            "timestamp(event.placed).getHours('Europe/Berlin') == 1",
            "true",
        ),
        (
            "timestamp(event.due).getHours('Europe/Berlin') == 2",
            "true",
        ),
        (
            "timestamp(event.due).getDate() == 30 && timestamp(event.due).getMonth() == 2",
            "true",
        ),
        ("timestamp(event.due).getMilliseconds() == 500", "true"),
        ("timestamp(event.any) < timestamp(event.due)", "true"),
        (
            "[event.placed, event.due].all(t, timestamp(t) > timestamp('2026-01-01T00:00:00Z'))",
            "true",
        ),
        (
            "(event.hours > 1 ? timestamp(event.due) : timestamp(event.placed)) == timestamp(event.due)",
            "true",
        ),
        (
            "timestamp(event.took) > timestamp(event.due)",
            "it is no time, such as 2026-01-31T12:00:00Z",
        ),
        (
            "duration(event.due) > duration('1s')",
            "it is no duration, such as 1h30m",
        ),
        (
            "timestamp(event.due).getHours(event.took) == 1",
            "there is no such time zone",
        ),
        (
            "timestamp('9999-12-31T00:00:00Z') + duration('48h') > timestamp(event.due)",
            "a number becomes too large",
        ),
    ] {
        assert_eq!(asked(rule, &parcel), expected, "{rule}");
    }
}

#[test]
fn what_is_wrong_with_times_is_told() {
    let mut all = String::new();
    for rule in [
        "timestamp(event.due) > event.placed",
        "event.took < duration('1h')",
        "timestamp(event.due) > duration('1h')",
        "timestamp(event.due) + 3600 > timestamp(event.placed)",
        "timestamp(event.due) + timestamp(event.placed) > timestamp(event.placed)",
        "timestamp('yesterday') < timestamp(event.due)",
        "duration('1 day') > duration(event.took)",
        "timestamp(event.due).getHours('Mars/Base') == 1",
        "event.due.getHours() == 1",
        "duration(event.took).getHours() == 1",
        "timestamp(event.due)",
        "timestamp() > timestamp(event.due)",
        "timestamp({'a': 1}) > timestamp(event.due)",
        "size(timestamp(event.due)) > 1",
        "timestamp(event.due) * 2 == timestamp(event.due)",
        "!timestamp(event.due)",
    ] {
        let text = one(PARCEL, &format!("[\"{rule}\"]"), "[due]");
        all.push_str(&said(&text));
    }
    insta::assert_snapshot!(all);
}

/// A note of a format is no promise: what is sent may be any text.
#[test]
fn a_rule_with_times_is_proved_by_the_same_rule_alone() {
    let rule = "timestamp(event.due) > timestamp(event.placed)";
    let requires = format!("[{{rule: \"{rule}\"}}]");
    let mut found = Vec::new();
    for rules in ["[]".to_owned(), format!("[\"{rule}\"]")] {
        let design = design(&one(PARCEL, &rules, &requires), &[]);
        found.push(verdicts(&design).remove(0));
    }
    assert!(matches!(found[0], Verdict::Unmet(_)), "{:?}", found[0]);
    assert!(matches!(found[1], Verdict::Met), "{:?}", found[1]);
}
