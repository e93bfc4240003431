//! Messages of a journal as messages of NATS, and back.
//!
//! Events are in CloudEvents' binary mode: attributes are headers `ce-…`, percent-encoded.
//! Source: CloudEvents 1.0.3, NATS protocol binding, 3.1.

use std::str::FromStr;

use async_nats::header::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use tidegate_base::{Name, Timestamp};
use tidegate_broker_journal::{Entry, Message, Target};

use crate::subject;

const ATTRIBUTE: &str = "ce-";
const VERSION: &str = "ce-specversion";
/// What the broker says of a message.
const CONTROL: &str = "tidegate";
/// The partition key.
const KEY: &str = "tidegate-key";
/// When it was accepted, in nanoseconds.
const TIME: &str = "tidegate-time";
/// The attributes' names in their order.
const ORDER: &str = "tidegate-order";
/// The attributes themselves, where headers cannot say them as they are.
const ATTRIBUTES: &str = "tidegate-attributes";
const MEDIA_TYPE: &str = "content-type";
const STRUCTURED: &str = "application/cloudevents";
/// The attribute that is the key of a foreign event.
const PARTITION_KEY: &str = "partitionkey";
/// Bytes of a header besides its name and value.
const HEADER_BYTES: usize = 4;
/// The status line of headers, and their end.
const HEADERS_BYTES: usize = 14;

/// What a message becomes.
pub(crate) struct Outbound {
    pub(crate) rest: String,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// The headers of a message, in their order.
fn headers(message: &Message) -> Vec<(String, String)> {
    let mut headers = vec![(VERSION.to_owned(), "1.0".to_owned())];
    let names = message.attributes.iter().map(|(name, _)| name.as_str());
    if are_plain(&message.attributes) {
        if !message.attributes.is_empty() {
            headers.push((ORDER.to_owned(), names.collect::<Vec<_>>().join(",")));
        }
        for (name, value) in &message.attributes {
            headers.push((format!("{ATTRIBUTE}{name}"), encode(value)));
        }
    } else {
        let all = Value::from(
            message
                .attributes
                .iter()
                .map(|(name, value)| Value::from(vec![name.clone(), value.clone()]))
                .collect::<Vec<_>>(),
        );
        headers.push((ATTRIBUTES.to_owned(), encode(&all.to_string())));
    }
    if let Some(key) = &message.key {
        headers.push((KEY.to_owned(), encode(key)));
    }
    if message.time.nanos() > 0 {
        headers.push((TIME.to_owned(), message.time.nanos().to_string()));
    }
    if let Some(control) = &message.control {
        headers.push((CONTROL.to_owned(), control.clone()));
    }
    headers
}

/// Whether headers can say attributes as they are.
fn are_plain(attributes: &[(String, String)]) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_plain = |(at, (name, _)): (usize, &(String, String))| {
        let before = attributes.iter().take(at);
        !name.is_empty()
            && name != "specversion"
            && name.chars().all(allowed)
            && before.into_iter().all(|(other, _)| other != name)
    };
    attributes.iter().enumerate().all(is_plain)
}

/// Bytes of a message, as NATS counts them.
pub(crate) fn bytes(message: &Message) -> usize {
    let headers = headers(message);
    let headers: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + HEADER_BYTES)
        .sum();
    headers + HEADERS_BYTES + message.payload.len()
}

/// The message as NATS has it.
pub(crate) fn outbound(message: Message) -> Outbound {
    let mut map = HeaderMap::new();
    for (name, value) in headers(&message) {
        // What is written here are names and values that NATS allows.
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(&name), HeaderValue::from_str(&value))
        {
            map.insert(name, value);
        }
    }
    Outbound {
        rest: match &message.target {
            Target::Channel(channel) => subject::of_channel(channel),
            Target::System => subject::of_journal().to_owned(),
        },
        headers: map,
        payload: message.payload,
    }
}

/// Where a message of NATS stands.
pub(crate) struct Place<'a> {
    pub(crate) subject: &'a str,
    /// What subjects of the shard begin with.
    pub(crate) root: &'a str,
    pub(crate) position: u64,
    /// When the server took it.
    pub(crate) nanos: u64,
    pub(crate) shard: u32,
    /// The type of events of a channel.
    pub(crate) channels: &'a [(Name, String)],
}

/// The entry of a message of NATS. What others have written may lack what an event has: then it gets that from where it
/// stands.
pub(crate) fn entry(place: &Place<'_>, headers: Option<&HeaderMap>, payload: Bytes) -> Entry {
    let rest = place.subject.strip_prefix(place.root).unwrap_or_default();
    let header = |name: &str| {
        let found = headers.iter().flat_map(|headers| headers.iter());
        let mut found =
            found.filter(|(header, _)| AsRef::<str>::as_ref(*header).eq_ignore_ascii_case(name));
        let (_, values) = found.next()?;
        values.first().map(|value| value.as_str().to_owned())
    };
    let channel = subject::channel(rest);
    let mut message = Message {
        target: channel.clone().map_or(Target::System, Target::Channel),
        key: header(KEY).and_then(|key| decode(&key)),
        time: Timestamp::from_nanos(place.nanos),
        attributes: Vec::new(),
        payload,
        control: header(CONTROL),
    };
    if let Some(time) = header(TIME).and_then(|time| time.parse().ok()) {
        message.time = Timestamp::from_nanos(time);
    }
    if let Some(all) = header(ATTRIBUTES).and_then(|all| decode(&all)) {
        message.attributes = serde_json::from_str(&all).unwrap_or_default();
    } else if let Some(order) = header(ORDER) {
        let names = order.split(',');
        let value = |name: &str| decode(&header(&format!("{ATTRIBUTE}{name}"))?);
        let attribute = |name: &str| Some((name.to_owned(), value(name)?));
        message.attributes = names.filter_map(attribute).collect();
    } else if message.control.is_none()
        && let Some(channel) = &channel
    {
        foreign(&mut message, place, channel, headers);
    }
    Entry {
        position: place.position,
        message,
    }
}

/// An event that another client has written.
fn foreign(message: &mut Message, place: &Place<'_>, channel: &Name, headers: Option<&HeaderMap>) {
    let mut is_structured = false;
    let mut attributes = Vec::new();
    for (name, values) in headers.iter().flat_map(|headers| headers.iter()) {
        let name = AsRef::<str>::as_ref(name).to_ascii_lowercase();
        let value = values.first().map_or("", |value| value.as_str());
        let value = decode(&unquoted(value)).unwrap_or_else(|| value.to_owned());
        match name.strip_prefix(ATTRIBUTE) {
            Some("specversion") => {}
            Some(attribute) => attributes.push((attribute.to_owned(), value)),
            None if name == MEDIA_TYPE && value.to_ascii_lowercase().starts_with(STRUCTURED) => {
                is_structured = true;
            }
            None if name == MEDIA_TYPE => attributes.push(("datacontenttype".to_owned(), value)),
            // Others' own, such as `traceparent`.
            None if is_attribute(&name) => attributes.push((name, value)),
            None => {}
        }
    }
    // Headers come in no order.
    attributes.sort();
    attributes.dedup_by(|one, other| one.0 == other.0);
    if is_structured && let Some((said, data)) = structured(&message.payload) {
        attributes = said;
        message.payload = data;
    }
    let event_type = place.channels.iter().find(|(name, _)| name == channel);
    let defaults = [
        ("id", format!("{}-{}", place.shard, place.position)),
        ("source", format!("/nats/{}", place.subject)),
        (
            "type",
            event_type.map_or_else(|| channel.to_string(), |(_, of)| of.clone()),
        ),
    ];
    for (name, value) in defaults {
        if !attributes.iter().any(|(attribute, _)| attribute == name) {
            attributes.push((name.to_owned(), value));
        }
    }
    let key = attributes.iter().find(|(name, _)| name == PARTITION_KEY);
    message.key = message
        .key
        .take()
        .or_else(|| key.map(|(_, key)| key.clone()));
    message.attributes = attributes;
}

type Structured = (Vec<(String, String)>, Bytes);

/// Attributes and data of an event in JSON; `None`: it is none.
fn structured(payload: &[u8]) -> Option<Structured> {
    let Value::Object(event) = serde_json::from_slice(payload).ok()? else {
        return None;
    };
    let mut attributes = Vec::new();
    let mut data = Bytes::new();
    for (name, value) in event {
        match (name.as_str(), value) {
            ("specversion", _) | (_, Value::Null) => {}
            ("data", value) => data = Bytes::from(value.to_string()),
            ("data_base64", Value::String(text)) => data = STANDARD.decode(text).ok()?.into(),
            (_, Value::String(value)) => attributes.push((name, value)),
            (_, value @ (Value::Bool(_) | Value::Number(_))) => {
                attributes.push((name, value.to_string()));
            }
            _ => return None,
        }
    }
    Some((attributes, data))
}

fn is_attribute(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !name.is_empty() && name.len() <= 20 && name.chars().all(allowed)
}

/// A value without the quotes that older clients write.
fn unquoted(value: &str) -> String {
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            0x21..=0x7e if byte != b'"' && byte != b'%' => text.push(char::from(byte)),
            _ => {
                text.push('%');
                for digit in [byte >> 4, byte & 15] {
                    let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
                    text.push(digit.to_ascii_uppercase());
                }
            }
        }
    }
    text
}

/// `None`: what comes out is no text.
fn decode(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digit = |at: usize| char::from(*behind.get(at)?).to_digit(16);
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).ok()?);
                rest = behind.get(2..)?;
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(message: &Message) -> Entry {
        let outbound = outbound(message.clone());
        let subject = format!("root.{}", outbound.rest);
        let place = Place {
            subject: &subject,
            root: "root.",
            position: 7,
            nanos: 0,
            shard: 0,
            channels: &[],
        };
        entry(&place, Some(&outbound.headers), outbound.payload)
    }

    #[test]
    fn messages_come_back_whatever_their_text() {
        let attributes = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect()
        };
        let plain = Message {
            target: Target::Channel(Name::new("Orders.v2").unwrap()),
            key: Some("schlüssel 42%\r\n".to_owned()),
            time: Timestamp::from_nanos(1_730_291_041_637_000_001),
            attributes: attributes(&[("type", "a \"b\""), ("id", ""), ("source", "/ü/\u{1f600}")]),
            payload: Bytes::from_static(&[0, 255, 10, 13]),
            control: Some("m:1:2:E".to_owned()),
        };
        assert_eq!(there_and_back(&plain).message, plain);
        let odd = Message {
            target: Target::System,
            key: Some(String::new()),
            attributes: attributes(&[("id", "1"), ("", ""), ("id", "again"), ("Ü", "x\n")]),
            ..plain
        };
        assert_eq!(there_and_back(&odd).message, odd);
    }

    #[test]
    fn foreign_events_get_what_they_lack() {
        let channels = [(Name::new("Paid").unwrap(), "com.shop.paid".to_owned())];
        let place = Place {
            subject: "root.Paid",
            root: "root.",
            position: 7,
            nanos: 5,
            shard: 2,
            channels: &channels,
        };
        let mut headers = HeaderMap::new();
        headers.insert("CE-Id", "a%20b");
        headers.insert("ce-partitionkey", "k");
        headers.insert("Nats-Msg-Id", "x");
        headers.insert("traceparent", "00-1");
        let found = entry(&place, Some(&headers), Bytes::from_static(b"{}")).message;
        let value = |name: &str| {
            let mut attributes = found.attributes.iter();
            attributes
                .find(|(of, _)| of == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(value("id"), Some("a b"));
        assert_eq!(value("type"), Some("com.shop.paid"));
        assert_eq!(value("source"), Some("/nats/root.Paid"));
        assert_eq!(value("traceparent"), Some("00-1"));
        assert_eq!(value("nats-msg-id"), None);
        assert_eq!((found.key.as_deref(), found.time.nanos()), (Some("k"), 5));
        let bare = entry(&place, None, Bytes::new()).message;
        assert!(
            bare.attributes
                .contains(&("id".to_owned(), "2-7".to_owned()))
        );
    }

    #[test]
    fn structured_events_are_taken_apart() {
        let place = Place {
            subject: "root.Paid",
            root: "root.",
            position: 7,
            nanos: 5,
            shard: 2,
            channels: &[],
        };
        let mut headers = HeaderMap::new();
        headers.insert(
            "content-type",
            "Application/CloudEvents+json; charset=utf-8",
        );
        let text =
            br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","n":3,"data":{"a":1}}"#;
        let found = entry(&place, Some(&headers), Bytes::from_static(text)).message;
        assert_eq!(found.payload, Bytes::from_static(br#"{"a":1}"#));
        assert!(found.attributes.contains(&("n".to_owned(), "3".to_owned())));
        let text = br#"{"id":"1","data_base64":"AAE="}"#;
        let found = entry(&place, Some(&headers), Bytes::from_static(text)).message;
        assert_eq!(found.payload, Bytes::from_static(&[0, 1]));
    }

    #[test]
    fn values_are_encoded_as_the_binding_says() {
        let value = "Euro € 😀";
        assert_eq!(encode(value), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(decode(&encode(value)).as_deref(), Some(value));
        assert_eq!(decode("%c3%a4%41%").as_deref(), Some("äA%"));
        assert_eq!(decode("%C0%A0"), None);
        assert_eq!(unquoted(r#""a \"b\" c""#), r#"a "b" c"#);
    }
}
