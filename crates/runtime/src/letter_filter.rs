//! What dead letters are looked for by.

use std::str::FromStr;

use serde_json::Value;
use tidegate_base::{ConsumerId, Name, Timestamp};
use tidegate_delivery::DeadLetter;

/// What dead letters have in common. What is not set holds for all; all that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// Of this consumer.
    pub consumer: Option<ConsumerId>,
    /// Of this event.
    pub event: Option<Name>,
    /// With this cause.
    pub group: Option<String>,
    /// With this partition key.
    pub key: Option<String>,
    /// With this text in the last error.
    pub error: Option<String>,
    /// Dead for this reason: `permanent`, `exhausted`, `expired`, `crash` or `rule`.
    pub death: Option<String>,
    /// Dead at this time or later.
    pub dead_from: Option<Timestamp>,
    /// Dead before this time.
    pub dead_until: Option<Timestamp>,
    /// Accepted at this time or later.
    pub accepted_from: Option<Timestamp>,
    /// Accepted before this time.
    pub accepted_until: Option<Timestamp>,
    /// Redriven so often at least.
    pub redrives_min: Option<u32>,
    /// Redriven so often at most.
    pub redrives_max: Option<u32>,
    /// With a payload of which all of these hold: their events are read for it.
    pub payload: Vec<Condition>,
    /// Those that were given up and can be taken back, instead of those that wait.
    pub discarded: bool,
}

impl LetterFilter {
    /// Whether it holds for every letter that waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn may_be_of(&self, id: &ConsumerId) -> bool {
        self.consumer.as_ref().is_none_or(|wanted| wanted == id)
            && self.event.as_ref().is_none_or(|wanted| *wanted == id.event)
    }

    /// Whether everything but the payload holds.
    pub(crate) fn fits(&self, letter: &DeadLetter<'_>, group: &str) -> bool {
        let within = |at: Timestamp, from: Option<Timestamp>, until: Option<Timestamp>| {
            from.is_none_or(|from| from <= at) && until.is_none_or(|until| at < until)
        };
        let redrives = letter.progress.redrives;
        let is_death = |wanted: &String| *wanted == letter.death.reason.word();
        self.group.as_ref().is_none_or(|wanted| wanted == group)
            && self.death.as_ref().is_none_or(is_death)
            && self.redrives_min.is_none_or(|least| least <= redrives)
            && self.redrives_max.is_none_or(|most| redrives <= most)
            && within(letter.death.at, self.dead_from, self.dead_until)
            && within(letter.accepted, self.accepted_from, self.accepted_until)
            && (self.key.is_none() || self.key.as_deref() == letter.event.key.as_deref())
            && (self.error.as_ref()).is_none_or(|text| letter.death.error.contains(text))
    }
}

/// One thing that a payload must have: `/currency=SEK`, `/currency!=SEK` or `/currency`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pointer: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Is(String),
    IsNot(String),
    IsThere,
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (pointer, test) = match text.split_once('=') {
            None => (text, Test::IsThere),
            Some((left, value)) => match left.strip_suffix('!') {
                Some(pointer) => (pointer, Test::IsNot(value.to_owned())),
                None => (left, Test::Is(value.to_owned())),
            },
        };
        if !pointer.starts_with('/') {
            let message =
                "is not a condition such as `/currency=SEK`, `/currency!=SEK` or `/currency`";
            return Err(format!("`{text}` {message}"));
        }
        let pointer = pointer.to_owned();
        Ok(Self { pointer, test })
    }
}

impl Condition {
    /// Whether it holds. What is absent is not equal to anything.
    #[must_use]
    pub fn holds(&self, payload: &Value) -> bool {
        let found = payload.pointer(&self.pointer);
        match &self.test {
            Test::IsThere => found.is_some(),
            Test::Is(text) => found.is_some_and(|value| is_text(value, text)),
            Test::IsNot(text) => found.is_none_or(|value| !is_text(value, text)),
        }
    }
}

/// Whether a value is what was written: a text as it is, everything else as JSON.
fn is_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => value == text,
        // `1.50` is `1.5`.
        Value::Number(number) => match text.parse::<serde_json::Number>() {
            Ok(wanted) => *number == wanted || number.as_f64() == wanted.as_f64(),
            Err(_) => false,
        },
        Value::Null => text == "null",
        Value::Bool(flag) => text.parse() == Ok(*flag),
        Value::Array(_) | Value::Object(_) => {
            serde_json::from_str::<Value>(text).is_ok_and(|wanted| *value == wanted)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_or_do_not() {
        let payload = serde_json::json!({
            "currency": "SEK", "total": 1.5, "count": 9_007_199_254_740_993_u64, "paid": false,
            "note": null, "lines": [{"sku": "a=b"}], "a/b": 1,
        });
        let holds = |text: &str| text.parse::<Condition>().unwrap().holds(&payload);
        for yes in [
            "/currency=SEK",
            "/currency!=EUR",
            "/currency",
            "/total=1.50",
            "/count=9007199254740993",
            "/paid=false",
            "/note=null",
            "/note",
            "/lines/0/sku=a=b",
            "/absent!=x",
            "/a~1b=1",
            r#"/lines=[{"sku": "a=b"}]"#,
        ] {
            assert!(holds(yes), "{yes}");
        }
        for no in [
            "/currency=sek",
            "/currency!=SEK",
            "/absent",
            "/absent=",
            "/total=x",
            "/paid=0",
            "/lines/1",
        ] {
            assert!(!holds(no), "{no}");
        }
        for wrong in ["", "currency=SEK", "=x"] {
            assert!(wrong.parse::<Condition>().is_err(), "{wrong}");
        }
    }
}
