//! What dead letters are looked for by, as requests say it: the same fields in a query and in a body.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use tidegate_base::limit::SEARCH_CONDITIONS_MAX;
use tidegate_base::{ConsumerId, Name, Timestamp};
use tidegate_runtime::{Condition, LetterFilter, LettersSelection};

use crate::problem::Problem;

/// Most letters that one request names.
const IDS_MAX: usize = 10_000;
/// Longest text that is looked for, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;
/// Why letters are dead: each for one of these.
const DEATHS: [&str; 5] = ["permanent", "exhausted", "expired", "crash", "rule"];

/// What letters have in common.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FilterFields {
    consumer: Option<ConsumerId>,
    event: Option<Name>,
    group: Option<String>,
    key: Option<String>,
    error: Option<String>,
    death: Option<String>,
    dead_from: Option<Moment>,
    dead_until: Option<Moment>,
    accepted_from: Option<Moment>,
    accepted_until: Option<Moment>,
    redrives_min: Option<u32>,
    redrives_max: Option<u32>,
    r#where: Vec<String>,
}

/// RFC 3339, or milliseconds since the Unix epoch.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Moment {
    Millis(u64),
    Text(String),
}

impl Moment {
    fn read(self, name: &str) -> Result<Timestamp, Problem> {
        let text = match self {
            Self::Millis(millis) => return Ok(Timestamp::from_millis(millis)),
            Self::Text(text) => text,
        };
        let millis = text.parse().ok().map(Timestamp::from_millis);
        millis
            .or_else(|| Timestamp::parse_rfc3339(&text))
            .ok_or_else(|| {
                let message = format!("`{name}` is `{text}`, which is no time");
                wrong(message)
                    .hint("write it as 2026-11-27T20:30:00Z, or as milliseconds since 1970")
            })
    }
}

/// A filter that the request does not take.
fn wrong(message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "filter", message)
}

impl FilterFields {
    /// The fields of an object; what else it has is refused.
    pub(crate) fn of(object: Map<String, Value>) -> Result<Self, Problem> {
        Self::deserialize(Value::Object(object)).map_err(|error| wrong(error.to_string()))
    }

    pub(crate) fn read(self) -> Result<LetterFilter, Problem> {
        let at =
            |moment: Option<Moment>, name: &str| moment.map(|moment| moment.read(name)).transpose();
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let filter = LetterFilter {
            consumer: self.consumer,
            event: self.event,
            group: some(self.group),
            key: some(self.key),
            error: some(self.error),
            death: some(self.death),
            dead_from: at(self.dead_from, "dead_from")?,
            dead_until: at(self.dead_until, "dead_until")?,
            accepted_from: at(self.accepted_from, "accepted_from")?,
            accepted_until: at(self.accepted_until, "accepted_until")?,
            redrives_min: self.redrives_min,
            redrives_max: self.redrives_max,
            payload: conditions(self.r#where)?,
            discarded: false,
        };
        if let Some(death) = filter
            .death
            .as_deref()
            .filter(|death| !DEATHS.contains(death))
        {
            let message = format!("`death` is `{death}`; it is one of {}", DEATHS.join(", "));
            return Err(wrong(message));
        }
        let texts = [&filter.group, &filter.key, &filter.error];
        if texts
            .into_iter()
            .flatten()
            .any(|text| text.len() > TEXT_BYTES_MAX)
        {
            let message = format!("a text is longer than {TEXT_BYTES_MAX} bytes");
            return Err(wrong(message));
        }
        Ok(filter)
    }
}

fn conditions(texts: Vec<String>) -> Result<Vec<Condition>, Problem> {
    if texts.len() > SEARCH_CONDITIONS_MAX {
        let message = format!("`where` is there more than {SEARCH_CONDITIONS_MAX} times");
        return Err(wrong(message));
    }
    let too_long = texts.iter().any(|text| text.len() > TEXT_BYTES_MAX);
    if too_long {
        let message = format!("`where` is longer than {TEXT_BYTES_MAX} bytes");
        return Err(wrong(message));
    }
    let read = |text: &String| {
        text.parse()
            .map_err(|error| wrong(format!("`where`: {error}")))
    };
    texts.iter().map(read).collect()
}

/// Which letters an order is for: those named by `ids`, or all that have in common what the rest says.
pub(crate) fn selection(mut object: Map<String, Value>) -> Result<LettersSelection, Problem> {
    let ids = object.remove("ids").map(Vec::<String>::deserialize);
    let ids = ids
        .transpose()
        .map_err(|error| wrong(format!("`ids`: {error}")))?;
    let filter = FilterFields::of(object)?.read()?;
    let refuse = |message: String| {
        Err(Problem::new(StatusCode::BAD_REQUEST, "selection", message)
            .hint("name letters in `ids`, or say what they have in common, such as `consumer`"))
    };
    match (ids, filter.is_empty()) {
        (Some(ids), true) if ids.len() > IDS_MAX => refuse(format!(
            "{} letters are named; the most is {IDS_MAX}",
            ids.len()
        )),
        (Some(ids), true) => Ok(LettersSelection::Ids(ids)),
        (None, false) => Ok(LettersSelection::Matching(Box::new(filter))),
        (Some(_), false) => refuse("the selection has `ids` and something else".to_owned()),
        (None, true) => refuse("nothing is selected".to_owned()),
    }
}

/// A query as the object that a body would have: `where` may be there several times.
pub(crate) fn object(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, value) in pairs {
        let is_number = matches!(name.as_str(), "limit" | "redrives_min" | "redrives_max");
        let number = value.parse::<u64>().ok().filter(|_| is_number);
        match (name.as_str(), value.as_str()) {
            ("where", _) => {
                let all = object
                    .entry(name)
                    .or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(all) = all {
                    all.push(Value::String(value));
                }
            }
            (_, "") => {}
            ("discarded", "true" | "false") => {
                let flag = value == "true";
                object.insert(name, Value::Bool(flag));
            }
            _ => {
                let value = number.map_or(Value::String(value), Value::from);
                object.insert(name, value);
            }
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_query(text: &str) -> Result<LetterFilter, Problem> {
        let pairs = text.split('&').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        });
        FilterFields::of(object(pairs.collect()))?.read()
    }

    #[test]
    fn a_query_says_the_same_as_a_body() {
        let query = of_query(
            "consumer=billing/OrderPlaced&death=expired&redrives_min=2&where=/a=b&where=/c&key=\
             &dead_from=2026-11-27T20:30:00Z&dead_until=1795811400000",
        );
        let body = serde_json::json!({
            "consumer": "billing/OrderPlaced", "death": "expired", "redrives_min": 2,
            "where": ["/a=b", "/c"], "dead_from": 1_795_811_400_000_u64,
            "dead_until": "2026-11-27T20:30:00Z",
        });
        let body = FilterFields::of(body.as_object().unwrap().clone())
            .unwrap()
            .read();
        assert_eq!(query.unwrap(), body.unwrap());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for wrong in [
            "consumer=billing",
            "colour=red",
            "death=tired",
            "dead_from=noon",
            "redrives_min=some",
            "where=currency",
        ] {
            assert!(of_query(wrong).is_err(), "{wrong}");
        }
        let refused = |body: Value| selection(body.as_object().unwrap().clone()).is_err();
        assert!(refused(serde_json::json!({})), "not everything by accident");
        assert!(refused(serde_json::json!({ "ids": ["a"], "key": "b" })));
        assert!(refused(serde_json::json!({ "ids": "a" })));
        assert!(!refused(serde_json::json!({ "error": "x" })));
    }
}
