//! Events as records of a channel, and back.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_base::{Envelope, Name, Timestamp};
use tidegate_broker::{Append, Record};
use tidegate_delivery::{Arrival, EventRef};

/// The record of an event: its attributes are the headers, its data is the payload.
pub(crate) fn append(
    channel: Name,
    key: Option<String>,
    time: Timestamp,
    event: &Envelope,
) -> Append {
    let headers = event
        .attributes()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    Append {
        channel,
        key,
        time,
        headers: headers.collect(),
        payload: event.data.clone().unwrap_or_default(),
    }
}

/// The event of a record.
pub(crate) fn envelope(record: Record) -> Envelope {
    let data: Option<Bytes> = (!record.payload.is_empty()).then_some(record.payload);
    Envelope::from_attributes(record.headers, data)
}

/// What the machine is told of a record.
pub(crate) fn arrival(record: &Record) -> Arrival {
    let event = EventRef {
        key: record.key.as_deref().map(Arc::from),
        source: header(record, "source"),
        id: header(record, "id"),
        not_before: not_before(&record.headers),
    };
    Arrival {
        sequence: record.sequence,
        event: Arc::new(event),
        accepted: record.time,
    }
}

/// The extension attribute of an event that is not to be delivered before a time.
pub(crate) const NOT_BEFORE: &str = "notbefore";

/// Whether a record is to be delivered at a time of its own.
pub(crate) fn is_scheduled(record: &Record) -> bool {
    not_before(&record.headers).is_some()
}

/// When it may be delivered; a time that cannot be read was not accepted by this version.
fn not_before(headers: &[(String, String)]) -> Option<Timestamp> {
    let found = headers.iter().find(|(name, _)| name == NOT_BEFORE);
    found.and_then(|(_, time)| Timestamp::parse_rfc3339(time))
}

/// What an event is recognised by: attributes have no control characters, so this is unambiguous.
pub(crate) fn identity(source: &str, id: &str) -> String {
    format!("{source}\0{id}")
}

/// As [`identity`], of a record.
pub(crate) fn identity_of(record: &Record) -> String {
    identity(&header(record, "source"), &header(record, "id"))
}

/// As [`identity`], of what is to be a record.
pub(crate) fn identity_of_append(append: &Append) -> String {
    let of = |name| value(&append.headers, name);
    identity(&of("source"), &of("id"))
}

fn header(record: &Record, name: &str) -> String {
    value(&record.headers, name)
}

fn value(headers: &[(String, String)], name: &str) -> String {
    let found = headers.iter().find(|(header, _)| header == name);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}
