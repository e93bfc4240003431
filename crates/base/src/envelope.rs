//! The event envelope: CloudEvents 1.0, with its JSON format.
//!
//! Source: CloudEvents 1.0.2, "Context Attributes" and "JSON Event Format".

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Number, Value};
use thiserror::Error;

use crate::attribute;
use crate::limit::{ATTRIBUTE_BYTES_MAX, EXTENSIONS_MAX, PAYLOAD_BYTES_MAX};

/// One event. Its identity is (`source`, `id`). Cheap to clone in its data only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Unique within its source; not empty.
    pub id: String,
    /// Where the event comes from, a URI reference; not empty.
    pub source: String,
    /// The event's type; not empty.
    pub event_type: String,
    /// What the event is about, within its source.
    pub subject: Option<String>,
    /// When it happened, RFC 3339.
    pub time: Option<String>,
    /// The media type of `data`.
    pub data_content_type: Option<String>,
    /// The schema of `data`, a URI.
    pub data_schema: Option<String>,
    /// Extension attributes in their canonical text form.
    pub extensions: BTreeMap<String, String>,
    /// The payload, as the producer sent it.
    pub data: Option<Bytes>,
}

/// Why an event is not a CloudEvent that this system takes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    /// The text is not JSON.
    #[error("the event is not JSON: {0}")]
    Json(String),
    /// The JSON is not an object.
    #[error("the event is not a JSON object")]
    NotAnObject,
    /// A required attribute is absent or empty.
    #[error("attribute `{0}` is required and is absent or empty")]
    Missing(&'static str),
    /// The spec version is not 1.0.
    #[error("specversion `{0}` is not supported; `1.0` is")]
    SpecVersion(String),
    /// An attribute name is not lower-case letters and digits.
    #[error("attribute name `{0}` is not lower-case letters and digits")]
    AttributeName(String),
    /// An attribute has a value that attributes cannot have.
    #[error("attribute `{name}` is not {expected}")]
    AttributeValue {
        /// The attribute.
        name: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// An attribute value is longer than [`ATTRIBUTE_BYTES_MAX`].
    #[error("attribute `{0}` is longer than {ATTRIBUTE_BYTES_MAX} bytes")]
    AttributeLong(String),
    /// More than [`EXTENSIONS_MAX`] extension attributes.
    #[error("the event has {0} extension attributes; the most is {EXTENSIONS_MAX}")]
    Extensions(usize),
    /// Both `data` and `data_base64` are present.
    #[error("`data` and `data_base64` are both present")]
    TwoPayloads,
    /// `data_base64` is not base64.
    #[error("`data_base64` is not base64")]
    Base64,
    /// The payload is larger than [`PAYLOAD_BYTES_MAX`].
    #[error("the payload is {0} bytes; the most is {PAYLOAD_BYTES_MAX}")]
    PayloadLarge(usize),
}

impl Envelope {
    /// Reads one event in the JSON format.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] when it is not a valid CloudEvent 1.0 or exceeds a limit.
    pub fn from_json(text: &[u8]) -> Result<Self, EnvelopeError> {
        let value =
            serde_json::from_slice(text).map_err(|error| EnvelopeError::Json(error.to_string()))?;
        Self::from_value(value)
    }

    /// Reads one event from a JSON value, such as an element of a batch.
    ///
    /// # Errors
    ///
    /// As [`Envelope::from_json`].
    pub fn from_value(value: Value) -> Result<Self, EnvelopeError> {
        let envelope = Self::read_stored(value)?;
        envelope.validate()?;
        Ok(envelope)
    }

    /// Reads one event that a handler publishes: without `id` or `source`, which it then gets from the delivery, these are
    /// empty.
    ///
    /// # Errors
    ///
    /// As [`Envelope::from_json`], of all that is there.
    pub fn from_output(mut value: Value) -> Result<Self, EnvelopeError> {
        let mut without = |name: &str| {
            let object = value.as_object_mut();
            let place = object.map(|object| object.entry(name).or_insert(Value::Null));
            let absent = place.filter(|place| place.is_null());
            absent.map(|place| *place = Value::from("-")).is_some()
        };
        let (no_id, no_source) = (without("id"), without("source"));
        let mut event = Self::from_value(value)?;
        if no_id {
            event.id.clear();
        }
        if no_source {
            event.source.clear();
        }
        Ok(event)
    }

    /// Reads one event that was taken before: a rule that is new for what comes in must not undo what
    /// is kept.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] when the JSON is not that of an event.
    pub fn read_stored(value: Value) -> Result<Self, EnvelopeError> {
        let Value::Object(mut object) = value else {
            return Err(EnvelopeError::NotAnObject);
        };
        match object.remove("specversion") {
            Some(Value::String(version)) if version == "1.0" => {}
            Some(Value::String(version)) => return Err(EnvelopeError::SpecVersion(version)),
            Some(other) => return Err(EnvelopeError::SpecVersion(other.to_string())),
            None => return Err(EnvelopeError::Missing("specversion")),
        }
        let data_content_type = take(&mut object, "datacontenttype")?;
        Ok(Self {
            id: take(&mut object, "id")?.ok_or(EnvelopeError::Missing("id"))?,
            source: take(&mut object, "source")?.ok_or(EnvelopeError::Missing("source"))?,
            event_type: take(&mut object, "type")?.ok_or(EnvelopeError::Missing("type"))?,
            subject: take(&mut object, "subject")?,
            time: take(&mut object, "time")?,
            data: take_data(&mut object, data_content_type.as_deref())?,
            data_schema: take(&mut object, "dataschema")?,
            data_content_type,
            extensions: take_extensions(object)?,
        })
    }

    /// Checks everything that the type does not: required attributes, names, limits.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] at the first thing that is wrong.
    pub fn validate(&self) -> Result<(), EnvelopeError> {
        let required = [
            ("id", &self.id),
            ("source", &self.source),
            ("type", &self.event_type),
        ];
        for (name, value) in required {
            if value.is_empty() {
                return Err(EnvelopeError::Missing(name));
            }
        }
        if self.extensions.len() > EXTENSIONS_MAX {
            return Err(EnvelopeError::Extensions(self.extensions.len()));
        }
        for (name, value) in self.attributes() {
            if value.len() > ATTRIBUTE_BYTES_MAX {
                return Err(EnvelopeError::AttributeLong(name.to_owned()));
            }
            if value.is_empty() {
                let expected = "a text that is not empty";
                return Err(EnvelopeError::AttributeValue {
                    name: name.to_owned(),
                    expected,
                });
            }
            if let Some(expected) = misfit(name, value) {
                return Err(EnvelopeError::AttributeValue {
                    name: name.to_owned(),
                    expected,
                });
            }
        }
        for name in self.extensions.keys() {
            check_name(name)?;
        }
        let bytes = self.data.as_ref().map_or(0, Bytes::len);
        if bytes > PAYLOAD_BYTES_MAX {
            return Err(EnvelopeError::PayloadLarge(bytes));
        }
        Ok(())
    }

    /// Every attribute that is present but `specversion`, by its CloudEvents name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        let optional = [
            ("subject", &self.subject),
            ("time", &self.time),
            ("datacontenttype", &self.data_content_type),
            ("dataschema", &self.data_schema),
        ];
        [
            ("id", &self.id),
            ("source", &self.source),
            ("type", &self.event_type),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.as_str()))
        .chain(
            optional
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_deref()?))),
        )
        .chain(
            self.extensions
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
    }

    /// Every attribute that is present but `specversion`, as [`Envelope::attributes`] has them.
    #[must_use]
    pub fn into_attributes(self) -> Vec<(String, String)> {
        let Self {
            id,
            source,
            event_type,
            subject,
            time,
            data_content_type,
            data_schema,
            extensions,
            data: _,
        } = self;
        let required = [("id", id), ("source", source), ("type", event_type)];
        let optional = [
            ("subject", subject),
            ("time", time),
            ("datacontenttype", data_content_type),
            ("dataschema", data_schema),
        ];
        let mut attributes = Vec::with_capacity(required.len() + optional.len() + extensions.len());
        attributes.extend(required.map(|(name, value)| (name.to_owned(), value)));
        for (name, value) in optional {
            attributes.extend(value.map(|value| (name.to_owned(), value)));
        }
        attributes.extend(extensions);
        attributes
    }

    /// An event of attributes by their CloudEvents names and a payload; not validated.
    #[must_use]
    pub fn from_attributes(
        attributes: impl IntoIterator<Item = (String, String)>,
        data: Option<Bytes>,
    ) -> Self {
        let mut event = Self {
            id: String::new(),
            source: String::new(),
            event_type: String::new(),
            subject: None,
            time: None,
            data_content_type: None,
            data_schema: None,
            extensions: BTreeMap::new(),
            data,
        };
        for (name, value) in attributes {
            match name.as_str() {
                "specversion" => {}
                "id" => event.id = value,
                "source" => event.source = value,
                "type" => event.event_type = value,
                "subject" => event.subject = Some(value),
                "time" => event.time = Some(value),
                "datacontenttype" => event.data_content_type = Some(value),
                "dataschema" => event.data_schema = Some(value),
                _ => {
                    event.extensions.insert(name, value);
                }
            }
        }
        event
    }

    /// Whether the payload is JSON by its media type; an absent media type counts as JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        media_is_json(self.data_content_type.as_deref())
    }

    /// The payload as JSON; `None` when it is absent or not JSON.
    #[must_use]
    pub fn data_json(&self) -> Option<Value> {
        serde_json::from_slice(self.data.as_deref()?).ok()
    }

    /// The event in the JSON format; data that is not JSON is in `data_base64`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut object = Map::new();
        object.insert("specversion".to_owned(), Value::from("1.0"));
        for (name, value) in self.attributes() {
            object.insert(name.to_owned(), Value::from(value));
        }
        if let Some(data) = &self.data {
            match self.is_json().then(|| self.data_json()).flatten() {
                Some(json) => object.insert("data".to_owned(), json),
                None => object.insert("data_base64".to_owned(), Value::from(base64::encode(data))),
            };
        }
        Value::Object(object)
    }
}

fn media_is_json(media: Option<&str>) -> bool {
    media.is_none_or(|media| {
        let essence = media.split(';').next().unwrap_or_default().trim();
        let ends = |suffix: &str| {
            let at = essence.len().checked_sub(suffix.len());
            let end = at.and_then(|at| essence.get(at..));
            end.is_some_and(|end| end.eq_ignore_ascii_case(suffix))
        };
        essence.eq_ignore_ascii_case("application/json")
            || essence.eq_ignore_ascii_case("text/json")
            || ends("+json")
    })
}

fn take(object: &mut Map<String, Value>, name: &str) -> Result<Option<String>, EnvelopeError> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(EnvelopeError::AttributeValue {
            name: name.to_owned(),
            expected: "a string",
        }),
    }
}

fn take_data(
    object: &mut Map<String, Value>,
    media: Option<&str>,
) -> Result<Option<Bytes>, EnvelopeError> {
    match (object.remove("data"), object.remove("data_base64")) {
        (Some(_), Some(_)) => Err(EnvelopeError::TwoPayloads),
        // The text of another media type is written as a string; the quotes are JSON's, not its own.
        (Some(Value::String(text)), None) if !media_is_json(media) => Ok(Some(Bytes::from(text))),
        (Some(json), None) => Ok(Some(Bytes::from(json.to_string()))),
        (None, Some(Value::String(text))) => base64::decode(&text)
            .map(|bytes| Some(Bytes::from(bytes)))
            .ok_or(EnvelopeError::Base64),
        (None, Some(_)) => Err(EnvelopeError::Base64),
        (None, None) => Ok(None),
    }
}

fn take_extensions(object: Map<String, Value>) -> Result<BTreeMap<String, String>, EnvelopeError> {
    let mut extensions = BTreeMap::new();
    for (name, value) in object {
        check_name(&name)?;
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Bool(flag) => flag.to_string(),
            // An `Integer` has 32 bits; what is larger is written as text.
            Value::Number(number) if is_integer(&number) => number.to_string(),
            Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                let expected = "a string, boolean or integer of 32 bits";
                return Err(EnvelopeError::AttributeValue { name, expected });
            }
        };
        extensions.insert(name, text);
    }
    Ok(extensions)
}

fn is_integer(number: &Number) -> bool {
    number
        .as_i64()
        .is_some_and(|number| i32::try_from(number).is_ok())
}

/// What the value of an attribute ought to be and is not.
fn misfit(name: &str, value: &str) -> Option<&'static str> {
    if !attribute::is_text(value) {
        return Some("free of control characters");
    }
    match name {
        "source" if !attribute::is_uri_reference(value) => Some("a URI-reference (RFC 3986)"),
        "dataschema" if !attribute::is_uri(value) => Some("an absolute URI (RFC 3986)"),
        "datacontenttype" if !attribute::is_media_type(value) => Some("a media type (RFC 2046)"),
        "time" if !attribute::is_time(value) => Some("a date-time (RFC 3339)"),
        _ => None,
    }
}

fn check_name(name: &str) -> Result<(), EnvelopeError> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.is_empty() || !name.chars().all(valid) || name == "data" {
        return Err(EnvelopeError::AttributeName(name.to_owned()));
    }
    Ok(())
}

/// Standard base64 with padding, RFC 4648 section 4.
mod base64 {
    use ::base64::Engine;
    use ::base64::engine::general_purpose::STANDARD;

    pub(super) fn encode(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
        STANDARD.decode(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Envelope, EnvelopeError> {
        Envelope::from_json(text.as_bytes())
    }

    #[test]
    fn an_event_is_read_and_written_back() {
        let text = r#"{"specversion":"1.0","id":"1","source":"/s","type":"OrderPlaced","time":"2024-10-30T12:24:01Z","partitionkey":"k","n":3,"data":{"a":1}}"#;
        let event = read(text).unwrap();
        assert_eq!(event.extensions.get("n").map(String::as_str), Some("3"));
        assert_eq!(Envelope::from_value(event.to_value()).unwrap(), event);
    }

    #[test]
    fn binary_data_survives() {
        let text = r#"{"specversion":"1.0","id":"1","source":"/s","type":"T","datacontenttype":"image/png","data_base64":"AAEC"}"#;
        let event = read(text).unwrap();
        assert_eq!(event.data.as_deref(), Some(&[0, 1, 2][..]));
        assert_eq!(event.to_value()["data_base64"], "AAEC");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("[]", "the event is not a JSON object"),
            (
                "{}",
                "attribute `specversion` is required and is absent or empty",
            ),
            (
                r#"{"specversion":"0.3"}"#,
                "specversion `0.3` is not supported; `1.0` is",
            ),
            (
                r#"{"specversion":"1.0","id":"","source":"s","type":"t"}"#,
                "attribute `id` is required and is absent or empty",
            ),
            (
                r#"{"specversion":"1.0","id":"1","source":"s","type":"t","my_ext":"x"}"#,
                "attribute name `my_ext` is not lower-case letters and digits",
            ),
            (
                r#"{"specversion":"1.0","id":"1","source":"s","type":"t","time":"noon"}"#,
                "attribute `time` is not a date-time (RFC 3339)",
            ),
            (
                r#"{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data_base64":"AA=="}"#,
                "`data` and `data_base64` are both present",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(read(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Envelope::from_json(&bytes));
        }
    }

    #[test]
    fn an_output_may_leave_its_id_and_source_to_its_delivery() {
        let read = |text: &str| Envelope::from_output(serde_json::from_str(text).unwrap());
        let output = read(r#"{"specversion":"1.0","type":"Paid","data":1}"#).unwrap();
        assert_eq!((output.id.as_str(), output.source.as_str()), ("", ""));
        let output = read(r#"{"specversion":"1.0","type":"Paid","id":"7","source":null}"#).unwrap();
        assert_eq!((output.id.as_str(), output.source.as_str()), ("7", ""));
        for wrong in [
            r#"{"specversion":"1.0"}"#,
            r#"{"specversion":"1.0","type":"Paid","id":""}"#,
            r#"{"specversion":"1.0","type":"Paid","id":7}"#,
            r#"{"specversion":"1.0","type":"Paid","time":"noon"}"#,
            "[]",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
