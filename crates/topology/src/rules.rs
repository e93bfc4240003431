//! What it means to change a setting: in place, at a cost, by making the resource anew, or not at all.
//!
//! Sources: Apache Kafka documentation, "Topic Configs" and "Basic Kafka Operations"; RabbitMQ documentation, "Queues"
//! (property equivalence) and "Policies"; NATS documentation, "Streams" and "Consumers" (what can be edited).

use crate::resource::{Kind, Settings, Value};

/// When a setting is as wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is just this.
    Exactly,
    /// It is this number or more.
    AtLeast,
    /// These subjects of NATS are among it, or covered by one of it.
    Includes,
}

impl Rule {
    /// Whether `actual` is as wanted.
    #[must_use]
    pub fn is_met(self, wanted: &Value, actual: Option<&Value>) -> bool {
        match (self, wanted, actual) {
            (Self::AtLeast, Value::Number(wanted), Some(Value::Number(actual))) => actual >= wanted,
            (Self::Includes, Value::Texts(wanted), Some(Value::Texts(actual))) => {
                wanted.iter().all(|subject| is_covered(subject, actual))
            }
            (_, wanted, Some(actual)) => same(wanted, actual),
            (_, _, None) => false,
        }
    }

    /// What the setting becomes.
    #[must_use]
    pub fn target(self, wanted: &Value, actual: Option<&Value>) -> Value {
        let (Self::Includes, Value::Texts(wanted), Some(Value::Texts(actual))) =
            (self, wanted, actual)
        else {
            return wanted.clone();
        };
        let missing = wanted.iter().filter(|subject| !is_covered(subject, actual));
        Value::Texts(actual.iter().chain(missing).cloned().collect())
    }
}

/// Whether a subject fits one of these: `*` is one token, `>` one or more at the end.
fn is_covered(subject: &str, patterns: &[String]) -> bool {
    let fits = |pattern: &String| {
        let mut tokens = subject.split('.');
        let mut parts = pattern.split('.');
        loop {
            match (parts.next(), tokens.next()) {
                (None, None) => return true,
                (Some(">"), Some(_)) => return true,
                (Some("*"), Some(_)) => {}
                (Some(part), Some(token)) if part == token => {}
                _ => return false,
            }
        }
    };
    patterns.iter().any(fits)
}

fn same(wanted: &Value, actual: &Value) -> bool {
    match (wanted, actual) {
        // A list of Kafka is a text, in any order: `compact,delete`.
        (Value::Text(a), Value::Text(b)) if a.contains(',') || b.contains(',') => {
            sorted(a) == sorted(b)
        }
        _ => wanted == actual,
    }
}

fn sorted(list: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = list.split(',').map(str::trim).collect();
    parts.sort_unstable();
    parts
}

/// What changing a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing is lost by it.
    Alter,
    /// It is changed in place, and something that is there may be lost by it.
    Lossy(&'static str),
    /// The resource is deleted and made anew.
    Recreate(&'static str),
    /// This is done by other tools, or not at all.
    Manual(&'static str),
}

/// What it takes to bring `setting` from `from` to `to`. `keyed`: events of a key are to keep their order there.
pub(crate) fn step(
    kind: Kind,
    setting: &str,
    (from, to): (Option<&Value>, &Value),
    keyed: bool,
) -> Step {
    match kind {
        Kind::Topic => topic(setting, from, to, keyed),
        Kind::Exchange => Step::Recreate(
            "an exchange cannot be changed: it is deleted and made anew, and what is published meanwhile goes nowhere",
        ),
        Kind::Queue => Step::Recreate(
            "a queue cannot be changed: it is deleted with its messages and made anew",
        ),
        Kind::Policy => policy(setting, from, to),
        Kind::Binding | Kind::Permission => Step::Alter,
        Kind::Stream => stream(setting, from, to),
        Kind::Consumer => consumer(setting),
    }
}

fn topic(setting: &str, from: Option<&Value>, to: &Value, keyed: bool) -> Step {
    match setting {
        "partitions" if falls(from, to) => {
            Step::Manual("Kafka takes no partition away: make another topic and move its consumers")
        }
        "partitions" if keyed => Step::Lossy(
            "keys move to other partitions: until all that is there is handled, events of a key may overtake each other",
        ),
        "replication" => {
            Step::Manual("replicas are moved by Kafka's own tool: kafka-reassign-partitions.sh")
        }
        "retention.ms" | "retention.bytes" if falls(from, to) => Step::Lossy(
            "events that are kept now are removed, also where a consumer has not read them",
        ),
        "cleanup.policy" => {
            Step::Lossy("another rule decides what is removed, also of what no consumer has read")
        }
        _ => Step::Alter,
    }
}

fn policy(setting: &str, from: Option<&Value>, to: &Value) -> Step {
    let limit = setting.strip_prefix("definition.").unwrap_or_default();
    match limit {
        "message-ttl" | "max-length" | "max-length-bytes" | "max-age" | "expires"
            if falls(from, to) =>
        {
            Step::Lossy("messages that are kept now expire or are removed")
        }
        _ => Step::Alter,
    }
}

fn stream(setting: &str, from: Option<&Value>, to: &Value) -> Step {
    match setting {
        "storage" | "retention" => Step::Recreate(
            "a stream cannot be changed in this: it is deleted with its messages and made anew",
        ),
        "max_age" | "max_bytes" | "max_msgs" | "max_msgs_per_subject" if falls(from, to) => {
            Step::Lossy("messages that are kept now are removed, also unread ones")
        }
        _ => Step::Alter,
    }
}

fn consumer(setting: &str) -> Step {
    match setting {
        "ack_policy" | "deliver_policy" | "replay_policy" => Step::Recreate(
            "a consumer cannot be changed in this: it is made anew, and what it has acknowledged is delivered again",
        ),
        _ => Step::Alter,
    }
}

/// Whether a limit is lower afterwards. None, or a number below 1, is no limit.
fn falls(from: Option<&Value>, to: &Value) -> bool {
    let limit = |value: &Value| value.number().filter(|n| *n > 0).unwrap_or(i64::MAX);
    limit(to) < from.map_or(i64::MAX, limit)
}

/// Whether a resource is deleted with another one.
pub(crate) fn goes_with(kind: Kind, settings: &Settings, deleted: (Kind, &str)) -> bool {
    let is = |setting: &str| settings.get(setting).and_then(Value::text) == Some(deleted.1);
    match (kind, deleted.0) {
        (Kind::Binding, Kind::Queue) => is("destination"),
        (Kind::Binding, Kind::Exchange) => is("source"),
        (Kind::Consumer, Kind::Stream) => is("stream"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_covered_as_nats_says() {
        for (subject, pattern, expected) in [
            ("shop.Viewed", "shop.Viewed", true),
            ("shop.Viewed", "shop.>", true),
            ("shop.a.b", "shop.>", true),
            ("shop", "shop.>", false),
            ("shop.Viewed", "*.Viewed", true),
            ("shop.a.b", "shop.*", false),
            ("shop.Viewed", "shop.View", false),
            ("shop.Viewed", ">", true),
        ] {
            let patterns = [pattern.to_owned()];
            assert_eq!(
                is_covered(subject, &patterns),
                expected,
                "{subject} {pattern}"
            );
        }
    }
}
