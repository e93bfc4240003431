//! Events on their way out.

use bytes::Bytes;
use serde::Serialize;
use tidegate_base::{Envelope, Timestamp};

/// The extension attribute of a trace's context.
///
/// Source: CloudEvents, "Distributed Tracing" extension.
pub(crate) const TRACE_PARENT: &str = "traceparent";

/// The payload of one type of event.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct PaymentTaken { order: String, cents: u64 }
///
/// impl tidegate::Event for PaymentTaken {
///     const TYPE: &'static str = "PaymentTaken";
/// }
/// ```
pub trait Event {
    /// The CloudEvents `type`: the event's name in the design, unless the design gives another.
    const TYPE: &'static str;
}

/// An event that is to be published: `&payload` of an [`Event`] is one, and this adds to it.
///
/// ```
/// use tidegate::Publication;
///
/// # #[derive(serde::Serialize)]
/// # struct PaymentTaken { order: String }
/// # impl tidegate::Event for PaymentTaken { const TYPE: &'static str = "PaymentTaken"; }
/// # let payment = PaymentTaken { order: "A-1".to_owned() };
/// Publication::from(&payment).id("payment-of-A-1").subject("A-1");
/// Publication::new("PaymentTaken", &serde_json::json!({"order": "A-1"}));
/// ```
///
/// Without an id it gets a fresh one (UUIDv7) when it is published, and keeps it while publishing is tried again. What a
/// handler publishes is named by the event that it handles instead, so that a handler that runs twice names it alike.
#[must_use = "it is published once it is given to `publish`"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    pub(crate) envelope: Envelope,
    /// Why the payload could not be written as JSON.
    pub(crate) error: Option<String>,
}

impl Publication {
    /// An event of `event_type` with the JSON of `data`.
    pub fn new(event_type: impl Into<String>, data: &(impl Serialize + ?Sized)) -> Self {
        let (data, error) = match serde_json::to_vec(data) {
            Ok(json) => (Some(Bytes::from(json)), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let attributes = [
            ("type".to_owned(), event_type.into()),
            ("datacontenttype".to_owned(), "application/json".to_owned()),
        ];
        Self {
            envelope: Envelope::from_attributes(attributes, data),
            error,
        }
    }

    /// An event of `event_type` with a payload that is no JSON, such as Avro.
    pub fn bytes(
        event_type: impl Into<String>,
        content_type: impl Into<String>,
        data: impl Into<Bytes>,
    ) -> Self {
        let attributes = [
            ("type".to_owned(), event_type.into()),
            ("datacontenttype".to_owned(), content_type.into()),
        ];
        Self {
            envelope: Envelope::from_attributes(attributes, Some(data.into())),
            error: None,
        }
    }

    /// Its `id`: what has the same id and source is the same event, and is stored once.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.envelope.id = id.into();
        self
    }

    /// Where it comes from, instead of the source of the app or of the handler's service.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.envelope.source = source.into();
        self
    }

    /// Its key, as the attribute `partitionkey`: where the design names no key, and in an outbox, events of one key keep
    /// their order.
    pub fn key(self, key: impl Into<String>) -> Self {
        self.extension("partitionkey", key)
    }

    /// What it is about, within its source.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.envelope.subject = Some(subject.into());
        self
    }

    /// When it happened, instead of now.
    pub fn time(mut self, time: Timestamp) -> Self {
        self.envelope.time = Some(time.to_string());
        self
    }

    /// Not to be delivered before this time. Events of its key that are published later do not wait for it.
    pub fn not_before(self, time: Timestamp) -> Self {
        self.extension("notbefore", time.to_string())
    }

    /// The context of the trace that it belongs to: W3C `traceparent`. What a handler publishes has that of the event
    /// that it handles, without a word.
    pub fn traceparent(self, parent: impl Into<String>) -> Self {
        self.extension(TRACE_PARENT, parent)
    }

    /// An extension attribute: its name is of lower-case letters and digits.
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.envelope.extensions.insert(name.into(), value.into());
        self
    }

    /// Its type.
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.envelope.event_type
    }

    /// The event, or why it has no payload.
    pub(crate) fn envelope(self) -> Result<Envelope, String> {
        match self.error {
            None => Ok(self.envelope),
            Some(error) => Err(format!(
                "the payload of `{}` cannot be written as JSON: {error}",
                self.envelope.event_type
            )),
        }
    }
}

impl<E: Event + Serialize> From<&E> for Publication {
    fn from(event: &E) -> Self {
        Self::new(E::TYPE, event)
    }
}

impl From<Envelope> for Publication {
    fn from(envelope: Envelope) -> Self {
        Self {
            envelope,
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_that_is_no_json_is_told_at_the_end() {
        let odd = std::collections::BTreeMap::from([((1, 2), 3)]);
        let error = Publication::new("T", &odd).envelope().unwrap_err();
        assert!(
            error.starts_with("the payload of `T` cannot be written as JSON"),
            "{error}"
        );
    }
}
