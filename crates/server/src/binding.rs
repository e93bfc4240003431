//! The CloudEvents HTTP binding, binary mode: attributes in `ce-` headers, the payload in the body.
//!
//! Source: CloudEvents 1.0.2, HTTP Protocol Binding, section 3.1.3.2 (header values).

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;
use tidegate_base::Envelope;

/// Why headers are not those of an event.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BindingError {
    /// There is no `ce-specversion`.
    #[error("header `ce-specversion` is absent")]
    NotAnEvent,
    /// The spec version is not 1.0.
    #[error("header `ce-specversion` is `{0}`; `1.0` is supported")]
    SpecVersion(String),
    /// A header value is not text.
    #[error("header `{0}` is not UTF-8 text, percent-encoded")]
    Value(String),
    /// A header is there twice.
    #[error("header `{0}` is there more than once")]
    Twice(String),
}

/// The event of these headers and this body.
///
/// # Errors
///
/// [`BindingError`] when the headers are not those of an event; the event itself is not validated.
pub fn decode_headers(headers: &HeaderMap, body: Bytes) -> Result<Envelope, BindingError> {
    let mut attributes = Vec::new();
    for name in headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix("ce-") else {
            continue;
        };
        let mut values = headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(BindingError::Twice(name.to_string()));
        };
        let text = decode(value).ok_or_else(|| BindingError::Value(name.to_string()))?;
        attributes.push((attribute.to_owned(), text));
    }
    match attributes.iter().find(|(name, _)| name == "specversion") {
        None => return Err(BindingError::NotAnEvent),
        Some((_, version)) if version != "1.0" => {
            return Err(BindingError::SpecVersion(version.clone()));
        }
        Some(_) => {}
    }
    if let Some(media) = headers.get(CONTENT_TYPE) {
        let text = media
            .to_str()
            .map_err(|_| BindingError::Value(CONTENT_TYPE.to_string()))?;
        attributes.push(("datacontenttype".to_owned(), text.to_owned()));
    }
    let data = (!body.is_empty()).then_some(body);
    Ok(Envelope::from_attributes(attributes, data))
}

/// The headers of an event; an attribute that cannot be a header name is left out, as no valid event
/// has one.
#[must_use]
pub fn encode_headers(event: &Envelope) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ce-specversion", HeaderValue::from_static("1.0"));
    for (name, value) in event.attributes() {
        if name == "datacontenttype" {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(CONTENT_TYPE, value);
            }
            continue;
        }
        let header = HeaderName::from_bytes(format!("ce-{name}").as_bytes());
        if let (Ok(header), Ok(value)) = (header, HeaderValue::from_str(&encode(value))) {
            headers.insert(header, value);
        }
    }
    headers
}

/// Percent-encodes what is not printable ASCII, and space, double quote and percent.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, 0x21..=0x7e) && byte != b'"' && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Undoes [`encode`]; a `%` without two hexadecimal digits stands for itself. Values wrapped in double
/// quotes by an intermediary are unwrapped first.
fn decode(value: &HeaderValue) -> Option<String> {
    let raw = value.as_bytes();
    let raw = raw
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(raw);
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = match tail {
            [high, low, ..] if byte == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match digits {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_specification() {
        assert_eq!(encode("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        let value = HeaderValue::from_static("Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(decode(&value).as_deref(), Some("Euro € 😀"));
    }

    #[test]
    fn headers_without_an_event_are_refused() {
        let error = decode_headers(&HeaderMap::new(), Bytes::new()).unwrap_err();
        assert_eq!(error, BindingError::NotAnEvent);
        let mut headers = HeaderMap::new();
        headers.insert("ce-specversion", HeaderValue::from_static("0.3"));
        assert!(
            decode_headers(&headers, Bytes::new())
                .unwrap_err()
                .to_string()
                .contains("0.3")
        );
        headers.append("ce-specversion", HeaderValue::from_static("1.0"));
        assert!(matches!(
            decode_headers(&headers, Bytes::new()),
            Err(BindingError::Twice(_))
        ));
    }

    proptest! {
        #[test]
        fn an_event_survives_its_headers(
            id in "\\PC{1,20}",
            subject in proptest::option::of("\\PC{1,20}"),
            data in proptest::collection::vec(any::<u8>(), 1..50),
        ) {
            let event = Envelope {
                id,
                source: "/s".to_owned(),
                event_type: "T".to_owned(),
                subject,
                time: None,
                data_content_type: Some("application/json".to_owned()),
                data_schema: None,
                extensions: [("partitionkey".to_owned(), "k".to_owned())].into(),
                data: Some(data.into()),
            };
            let headers = encode_headers(&event);
            let back = decode_headers(&headers, event.data.clone().unwrap()).unwrap();
            prop_assert_eq!(back, event);
        }

        #[test]
        fn no_header_value_panics(bytes in proptest::collection::vec(0x20_u8..0x7f, 0..40)) {
            let _ = decode(&HeaderValue::from_bytes(&bytes).unwrap());
        }
    }
}
