//! Events as records of a channel, and back.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_base::{Envelope, Name, Timestamp};
use tidegate_broker::{Append, Record};
use tidegate_delivery::{Arrival, EventRef, Identity};

use crate::catalog::{Catalog, Presented};

/// The record of an event: its attributes are the headers, its data is the payload.
pub(crate) fn append(
    channel: Name,
    key: Option<String>,
    time: Timestamp,
    event: Envelope,
) -> Append {
    Append {
        channel,
        key,
        time,
        payload: event.data.clone().unwrap_or_default(),
        headers: event.into_attributes(),
    }
}

/// The event of a record.
pub(crate) fn envelope(record: Record) -> Envelope {
    let data: Option<Bytes> = (!record.payload.is_empty()).then_some(record.payload);
    Envelope::from_attributes(record.headers, data)
}

/// What the machine is told of a record.
pub(crate) fn arrival(record: &Record) -> Arrival {
    Arrival {
        sequence: record.sequence,
        event: Arc::new(event_ref(record)),
        accepted: record.time,
    }
}

fn event_ref(record: &Record) -> EventRef {
    EventRef {
        key: record.key.as_deref().map(Arc::from),
        source: header(record, "source"),
        id: header(record, "id"),
        not_before: not_before(&record.headers),
    }
}

/// A record as it is taken in: what the machine is told of it, and its event for the attempt.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) sequence: u64,
    pub(crate) event: Arc<EventRef>,
    pub(crate) accepted: Timestamp,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) payload_bytes: usize,
    /// About what it takes in memory.
    pub(crate) bytes: usize,
    /// Its payload cannot be read with the schema that it names: its attempt says why.
    pub(crate) is_unusable: bool,
}

impl Read {
    pub(crate) fn of(mut record: Record) -> Self {
        let event = event_ref(&record);
        // The payload may be a view of something larger, which would stay as long as it does.
        record.payload = Bytes::copy_from_slice(&record.payload);
        let headers = record.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        let payload_bytes = record.payload.len();
        Self {
            sequence: record.sequence,
            event: Arc::new(event),
            accepted: record.time,
            envelope: Arc::new(envelope(record)),
            payload_bytes,
            bytes: size_of::<Envelope>() + payload_bytes + headers,
            is_unusable: false,
        }
    }

    /// With the event as its consumers get it.
    pub(crate) async fn presented(mut self, catalog: &Catalog) -> Self {
        match catalog.presented((*self.envelope).clone()).await {
            Presented::Event(envelope) => {
                let shown = envelope.data.as_ref().map_or(0, Bytes::len);
                self.bytes = self.bytes - self.payload_bytes + shown;
                self.envelope = Arc::new(envelope);
            }
            Presented::Unusable(_) => self.is_unusable = true,
        }
        self
    }

    /// What the machine is told of it.
    pub(crate) fn arrival(&self) -> Arrival {
        Arrival {
            sequence: self.sequence,
            event: Arc::clone(&self.event),
            accepted: self.accepted,
        }
    }
}

/// The extension attribute of an event that is not to be delivered before a time.
pub(crate) const NOT_BEFORE: &str = "notbefore";

/// When it may be delivered; a time that cannot be read was not accepted by this version.
fn not_before(headers: &[(String, String)]) -> Option<Timestamp> {
    let found = headers.iter().find(|(name, _)| name == NOT_BEFORE);
    found.and_then(|(_, time)| Timestamp::parse_rfc3339(time))
}

/// What the event of a record is recognised by.
pub(crate) fn identity_of(record: &Record) -> Identity {
    identity(&record.headers)
}

/// As [`identity_of`], of what is to be a record.
pub(crate) fn identity_of_append(append: &Append) -> Identity {
    identity(&append.headers)
}

fn identity(headers: &[(String, String)]) -> Identity {
    Identity::of(value(headers, "source"), value(headers, "id"))
}

fn header(record: &Record, name: &str) -> String {
    value(&record.headers, name).to_owned()
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    let found = headers.iter().find(|(header, _)| header == name);
    found.map_or("", |(_, value)| value)
}
