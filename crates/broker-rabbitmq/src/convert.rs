//! Messages of a journal and events of others as messages of AMQP, and back.
//!
//! Events are in CloudEvents' binary mode, so that clients that know nothing of this read them: attributes are
//! headers `cloudEvents:…`, the media type is `content-type`. Source: CloudEvents 1.0.2, AMQP protocol binding, 3.1;
//! RabbitMQ has application properties of AMQP 1.0 and headers of AMQP 0.9.1 for the same thing.

use std::collections::BTreeMap;

use bytes::Bytes;
use lapin::protocol::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use tidegate_base::{Name, Timestamp};
use tidegate_broker::Record;
use tidegate_broker_journal::{Message, Target};

const ATTRIBUTE: &str = "cloudEvents:";
/// What the binding allows as well, for clients to which a colon is a trouble.
const OTHER_ATTRIBUTE: &str = "cloudEvents_";
const MEDIA_TYPE: &str = "datacontenttype";
const PARTITION_KEY: &str = "partitionkey";
const VERSION: &str = "specversion";
/// What the journal's broker says of a message.
const CONTROL: &str = "tidegate-control";
const KEY: &str = "tidegate-key";
/// When the record was accepted, in nanoseconds: AMQP keeps seconds.
const ACCEPTED: &str = "tidegate-accepted";
/// The names of the attributes in their order: the headers of AMQP have none.
const ORDER: &str = "tidegate-order";
/// All attributes, where they are no headers: a name comes twice, or is none of CloudEvents.
const ATTRIBUTES: &str = "tidegate-attributes";
/// By which whoever has sent a message knows it again.
const MARK: &str = "tidegate-mark";
/// The end of a segment: what comes after it counts for nobody.
const SEAL: &str = "tidegate-seal";
/// Kept on disk.
const PERSISTENT: u8 = 2;

/// What was read.
pub(crate) struct Read {
    pub(crate) message: Message,
    pub(crate) mark: Option<String>,
    pub(crate) is_seal: bool,
    /// Its place in its stream.
    pub(crate) offset: u64,
}

/// The properties of a message of a journal.
pub(crate) fn properties(message: &Message, mark: Option<&str>) -> BasicProperties {
    let mut headers = FieldTable::default();
    let mut add = |name: &str, value: &str| insert(&mut headers, name, value);
    if let Some(control) = &message.control {
        add(CONTROL, control);
    }
    if let Some(key) = &message.key {
        add(KEY, key);
    }
    if let Some(mark) = mark {
        add(MARK, mark);
    }
    add(ACCEPTED, &message.time.nanos().to_string());
    let mut properties = BasicProperties::default();
    if are_plain(&message.attributes) {
        let names: Vec<&str> = message.attributes.iter().map(|(name, _)| &**name).collect();
        add(ORDER, &names.join(","));
        properties = with_attributes(properties, &message.attributes, &mut headers);
    } else {
        add(ATTRIBUTES, &pack(&message.attributes));
    }
    if let Target::Channel(channel) = &message.target {
        properties = properties.with_type(short(channel.as_str()).unwrap_or_default());
    }
    properties
        .with_headers(headers)
        .with_delivery_mode(PERSISTENT)
}

/// The properties of an event for everybody.
pub(crate) fn public(record: &Record) -> BasicProperties {
    let mut headers = FieldTable::default();
    insert(&mut headers, &format!("{ATTRIBUTE}{VERSION}"), "1.0");
    let mut attributes: Vec<(String, String)> = record.headers.clone();
    attributes.retain(|(name, _)| is_attribute(name));
    if let Some(key) = &record.key
        && !attributes.iter().any(|(name, _)| name == PARTITION_KEY)
    {
        attributes.push((PARTITION_KEY.to_owned(), key.clone()));
    }
    let mut properties = with_attributes(BasicProperties::default(), &attributes, &mut headers);
    let id = attributes.iter().find(|(name, _)| name == "id");
    if let Some(id) = id.and_then(|(_, id)| short(id)) {
        properties = properties.with_message_id(id);
    }
    properties
        .with_headers(headers)
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(record.time.millis() / 1_000)
}

/// The properties of the end of a segment.
pub(crate) fn seal() -> BasicProperties {
    let mut headers = FieldTable::default();
    insert(&mut headers, SEAL, "1");
    BasicProperties::default()
        .with_headers(headers)
        .with_delivery_mode(PERSISTENT)
}

/// A message as its properties say it.
pub(crate) fn read(properties: &BasicProperties, payload: Vec<u8>) -> Read {
    let headers = Headers::of(properties);
    let attributes = match (headers.text(ATTRIBUTES), headers.text(ORDER)) {
        (Some(packed), _) => unpack(&packed).unwrap_or_default(),
        (None, Some(order)) => {
            let names = order.split(',').filter(|name| !name.is_empty());
            let value = |name: &str| Some((name.to_owned(), headers.attribute(properties, name)?));
            names.filter_map(value).collect()
        }
        (None, None) => headers.attributes(properties),
    };
    let channel = properties.kind().as_ref();
    let channel = channel.and_then(|name| Name::new(name.as_str()).ok());
    let accepted = headers.text(ACCEPTED).and_then(|nanos| nanos.parse().ok());
    let offset = match headers.0.get("x-stream-offset") {
        Some(AMQPValue::LongLongInt(offset)) => u64::try_from(*offset).unwrap_or_default(),
        _ => 0,
    };
    Read {
        message: Message {
            target: channel.map_or(Target::System, Target::Channel),
            key: headers.text(KEY),
            time: Timestamp::from_nanos(accepted.unwrap_or_default()),
            attributes,
            payload: Bytes::from(payload),
            control: headers.text(CONTROL),
        },
        mark: headers.text(MARK),
        is_seal: headers.text(SEAL).is_some(),
        offset,
    }
}

/// What a foreign client has published for a channel. What every event has and this one does not say, it gets here.
pub(crate) fn foreign(
    properties: &BasicProperties,
    payload: Vec<u8>,
    (channel, event_type): (&Name, &str),
    (now, chance): (Timestamp, u64),
) -> Message {
    let headers = Headers::of(properties);
    let mut attributes = headers.attributes(properties);
    let id = || match properties.message_id() {
        Some(id) if !id.as_str().is_empty() => id.to_string(),
        // It is known again nowhere: nothing else tells it from another one.
        _ => format!("{chance:016x}"),
    };
    let defaults: [(&str, &dyn Fn() -> String); 3] = [
        ("id", &id),
        ("source", &|| format!("/rabbitmq/{channel}")),
        ("type", &|| event_type.to_owned()),
    ];
    for (name, value) in defaults {
        if !attributes.iter().any(|(attribute, _)| attribute == name) {
            attributes.push((name.to_owned(), value()));
        }
    }
    let key = attributes.iter().find(|(name, _)| name == PARTITION_KEY);
    Message {
        target: Target::Channel(channel.clone()),
        key: key.map(|(_, value)| value.clone()),
        time: now,
        attributes,
        payload: Bytes::from(payload),
        control: None,
    }
}

/// The headers of a message.
struct Headers<'a>(BTreeMap<&'a str, &'a AMQPValue>);

impl<'a> Headers<'a> {
    fn of(properties: &'a BasicProperties) -> Self {
        let headers = properties.headers().iter();
        let headers = headers.flat_map(|headers| headers.inner());
        Self(
            headers
                .map(|(name, value)| (name.as_str(), value))
                .collect(),
        )
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(|value| words(value))
    }

    fn attribute(&self, properties: &BasicProperties, name: &str) -> Option<String> {
        let found = self
            .text(&format!("{ATTRIBUTE}{name}"))
            .or_else(|| self.text(&format!("{OTHER_ATTRIBUTE}{name}")));
        let media_type = || Some(properties.content_type().as_ref()?.to_string());
        found.or_else(|| (name == MEDIA_TYPE).then(media_type).flatten())
    }

    /// Those of CloudEvents, by name; and the media type.
    fn attributes(&self, properties: &BasicProperties) -> Vec<(String, String)> {
        let mut found = BTreeMap::new();
        for (name, value) in &self.0 {
            let attribute = name
                .strip_prefix(ATTRIBUTE)
                .or_else(|| name.strip_prefix(OTHER_ATTRIBUTE));
            // Such as `traceparent`, which others write without a prefix.
            let attribute = attribute.or_else(|| is_attribute(name).then_some(name));
            if let (Some(attribute), Some(value)) = (attribute, words(value))
                && attribute != VERSION
                && is_attribute(attribute)
            {
                found.insert(attribute.to_owned(), value);
            }
        }
        if let Some(media_type) = properties.content_type() {
            found
                .entry(MEDIA_TYPE.to_owned())
                .or_insert_with(|| media_type.to_string());
        }
        found.into_iter().collect()
    }
}

/// A simple value as CloudEvents write it.
fn words(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Timestamp(seconds) => {
            Timestamp::from_millis(seconds.saturating_mul(1_000)).to_string()
        }
        _ => return None,
    })
}

fn with_attributes(
    properties: BasicProperties,
    attributes: &[(String, String)],
    headers: &mut FieldTable,
) -> BasicProperties {
    let mut media_type = None;
    for (name, value) in attributes {
        match short(value) {
            Some(value) if name == MEDIA_TYPE => media_type = Some(value),
            _ => insert(headers, &format!("{ATTRIBUTE}{name}"), value),
        }
    }
    match media_type {
        Some(media_type) => properties.with_content_type(media_type),
        None => properties,
    }
}

fn insert(headers: &mut FieldTable, name: &str, value: &str) {
    if let Some(name) = short(name) {
        headers.insert(name, AMQPValue::LongString(LongString::from(value)));
    }
}

fn short(text: &str) -> Option<ShortString> {
    ShortString::try_new(text).ok()
}

fn is_attribute(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !name.is_empty() && name.len() <= 20 && name.chars().all(allowed)
}

/// Whether headers keep the attributes as they are.
fn are_plain(attributes: &[(String, String)]) -> bool {
    let mut names: Vec<&str> = attributes.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names.iter().all(|name| is_attribute(name)) && names.is_sorted_by(|one, next| one < next)
}

/// Names and values one after the other, each behind its length.
fn pack(attributes: &[(String, String)]) -> String {
    let both = attributes.iter().flat_map(|(name, value)| [name, value]);
    both.map(|text| format!("{}:{text}", text.len())).collect()
}

/// What [`pack`] has written; `None`: somebody else has.
fn unpack(mut packed: &str) -> Option<Vec<(String, String)>> {
    let mut texts = Vec::new();
    while !packed.is_empty() {
        let (length, rest) = packed.split_once(':')?;
        let (text, rest) = rest.split_at_checked(length.parse().ok()?)?;
        texts.push(text.to_owned());
        packed = rest;
    }
    let pairs = texts.chunks_exact(2);
    let pair = |pair: &[String]| match pair {
        [name, value] => Some((name.clone(), value.clone())),
        _ => None,
    };
    pairs.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(attributes: &[(&str, &str)]) -> Message {
        let attributes = attributes.iter();
        Message {
            target: Target::Channel(Name::new("orders").unwrap()),
            key: Some("A-1".to_owned()),
            time: Timestamp::from_nanos(1_730_291_041_637_000_001),
            attributes: attributes
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            payload: Bytes::from_static(b"{}"),
            control: Some("m:1:2:E".to_owned()),
        }
    }

    #[test]
    fn messages_come_back_whatever_their_attributes_are() {
        let long = "x".repeat(300);
        for attributes in [
            &[
                ("type", "t"),
                ("id", "1"),
                ("datacontenttype", "text/plain"),
            ][..],
            &[("datacontenttype", &long)],
            &[("id", "1"), ("id", "2")],
            &[("", ""), ("Ümlaut:1", "a,b:c\0")],
            &[],
        ] {
            let message = message(attributes);
            let read = read(&properties(&message, Some("7")), b"{}".to_vec());
            assert_eq!(read.message, message);
            assert_eq!(read.mark.as_deref(), Some("7"));
            assert!(!read.is_seal);
        }
        assert!(read(&seal(), Vec::new()).is_seal);
    }

    #[test]
    fn what_is_not_ours_does_not_break_the_reading() {
        for packed in ["x", "5:ab", "1:é", ":", "1:a", "9999999999999999999999:a"] {
            let mut headers = FieldTable::default();
            insert(&mut headers, ATTRIBUTES, packed);
            let properties = BasicProperties::default().with_headers(headers);
            assert_eq!(read(&properties, Vec::new()).message.attributes, []);
        }
    }

    #[test]
    fn what_others_publish_is_an_event() {
        let mut headers = FieldTable::default();
        insert(&mut headers, "cloudEvents:source", "/shop");
        insert(&mut headers, "cloudEvents_partitionkey", "A-2");
        insert(&mut headers, "cloudEvents:specversion", "1.0");
        insert(&mut headers, CONTROL, "o:99:1");
        insert(&mut headers, "X-Unknown", "1");
        headers.insert("attempt".into(), AMQPValue::LongInt(3));
        let properties = BasicProperties::default()
            .with_headers(headers)
            .with_message_id("p-1".into())
            .with_content_type("application/json".into());
        let orders = Name::new("orders").unwrap();
        let now = Timestamp::from_millis(5);
        let event = foreign(&properties, b"{}".to_vec(), (&orders, "Placed"), (now, 1));
        let attributes: Vec<(&str, &str)> = event
            .attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let expected = [
            ("attempt", "3"),
            ("datacontenttype", "application/json"),
            ("partitionkey", "A-2"),
            ("source", "/shop"),
            ("id", "p-1"),
            ("type", "Placed"),
        ];
        assert_eq!(attributes, expected);
        assert_eq!(event.key.as_deref(), Some("A-2"));
        // Nobody from outside says what only the journal's broker may.
        assert_eq!(event.control, None);
    }
}
