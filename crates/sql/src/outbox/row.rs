//! A row of the outbox, and the event that it holds.

use bytes::Bytes;
use serde_json::{Map, Value};
use tidegate_base::Envelope;

/// A row that is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its name.
    pub number: i64,
    /// Rows of one key are published in their order.
    pub key: Option<String>,
    /// The event, or why the row holds none that could ever be published.
    pub event: Result<Envelope, String>,
}

/// What a row has in its columns.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) number: i64,
    pub(super) id: String,
    pub(super) source: String,
    pub(super) event_type: String,
    pub(super) key: Option<String>,
    pub(super) time: String,
    pub(super) content_type: String,
    pub(super) attributes: Option<String>,
    pub(super) data: Option<Vec<u8>>,
    /// Of the payload and of the attributes, whether they were too large to be read.
    pub(super) is_too_large: bool,
}

impl Columns {
    /// The row with its event, which keeps the rules of events.
    pub(super) fn read(self) -> Pending {
        let number = self.number;
        let key = self.key.clone();
        let event = self.event();
        Pending { number, key, event }
    }

    fn event(self) -> Result<Envelope, String> {
        if self.is_too_large {
            return Err("its payload or its attributes are larger than an event may be".to_owned());
        }
        let text = self.attributes.unwrap_or_default();
        let attributes: Map<String, Value> = serde_json::from_str(&text)
            .map_err(|error| format!("`attributes` is not a JSON object: {error}"))?;
        let mut pairs = Vec::new();
        for (name, value) in attributes {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                Value::Bool(flag) => flag.to_string(),
                Value::Number(number) if number.is_i64() => number.to_string(),
                _ => return Err(format!("attribute `{name}` is no text, boolean or integer")),
            };
            pairs.push((name, text));
        }
        // Columns come last: they win over attributes of the same name.
        pairs.extend([
            ("id".to_owned(), self.id),
            ("source".to_owned(), self.source),
            ("type".to_owned(), self.event_type),
            ("time".to_owned(), self.time),
            ("datacontenttype".to_owned(), self.content_type),
        ]);
        pairs.extend(self.key.map(|key| ("partitionkey".to_owned(), key)));
        let event = Envelope::from_attributes(pairs, self.data.map(Bytes::from));
        event.validate().map_err(|error| error.to_string())?;
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(attributes: &str) -> Columns {
        Columns {
            number: 7,
            id: "1".to_owned(),
            source: "/orders".to_owned(),
            event_type: "OrderPlaced".to_owned(),
            key: Some("k".to_owned()),
            time: "2024-10-30T12:24:01.637Z".to_owned(),
            content_type: "application/json".to_owned(),
            attributes: Some(attributes.to_owned()),
            data: Some(b"{}".to_vec()),
            is_too_large: false,
        }
    }

    #[test]
    fn a_row_is_an_event_with_its_attributes() {
        let row = columns(r#"{"subject":"s","n":3,"gone":null,"partitionkey":"other","id":"2"}"#);
        let event = row.read().event.unwrap();
        assert_eq!(event.id, "1");
        assert_eq!(event.subject.as_deref(), Some("s"));
        let extensions: Vec<_> = event.extensions.iter().collect();
        let (n, key) = (("n".to_owned(), "3".to_owned()), "k".to_owned());
        assert_eq!(
            extensions,
            [(&n.0, &n.1), (&"partitionkey".to_owned(), &key)]
        );
    }

    #[test]
    fn a_row_that_is_no_event_says_why() {
        let wrong = [
            (r#"{"My":"x"}"#, "attribute name `My`"),
            (r#"{"x":[1]}"#, "attribute `x` is no text"),
            ("[]", "`attributes` is not a JSON object"),
            (r#"{"x":""}"#, "`x` is not a text that is not empty"),
        ];
        for (attributes, reason) in wrong {
            let problem = columns(attributes).read().event.unwrap_err();
            assert!(problem.contains(reason), "{problem}");
        }
        let large = Columns {
            is_too_large: true,
            ..columns("{}")
        };
        assert!(large.read().event.unwrap_err().contains("larger"));
    }
}
