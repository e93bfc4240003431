//! Which attributes hold payloads, by their names.
//!
//! OpenTelemetry has names for the sizes of bodies and none for bodies, so these are what
//! instrumentations write: the names of its conventions with what they would be called there, those of
//! the Elastic Common Schema (`http.request.body.content`) and Sentry (`http.request.body.data`), and
//! plain ones. `app.` is what the conventions ask applications to begin their own names with.

use crate::values;

/// A whole payload as JSON; or, with a dot behind it, the beginning of the name of one field.
const BODIES: [&str; 33] = [
    "app.payload",
    "app.request.body",
    "app.request.payload",
    "body",
    "event.body",
    "event.data",
    "event.payload",
    "grpc.request.body",
    "grpc.request.message",
    "grpc.request.payload",
    "http.request.body",
    "http.request.body.content",
    "http.request.body.data",
    "http.request.body.text",
    "http.request.payload",
    "http.request_body",
    "message.body",
    "message.data",
    "message.payload",
    "messaging.body",
    "messaging.message.body",
    "messaging.message.content",
    "messaging.message.payload",
    "messaging.payload",
    "payload",
    "request.body",
    "request.payload",
    "request_body",
    "rpc.message.body",
    "rpc.message.payload",
    "rpc.request.body",
    "rpc.request.message",
    "rpc.request.payload",
];

const APP: &str = "app.";

/// What the conventions have below `app.` themselves: of programs on devices.
const APP_OF_DEVICES: [&str; 6] = [
    "build_id",
    "crash",
    "installation",
    "jank",
    "screen",
    "widget",
];

/// Last words of names that measure a payload, or an answer.
const MEASURES: [&str; 11] = [
    "bytes",
    "compressed",
    "content_length",
    "content_type",
    "count",
    "duration",
    "encoding",
    "latency",
    "length",
    "size",
    "truncated",
];

/// Words of names that are about what came of it.
const OUTCOMES: [&str; 8] = [
    "answer",
    "error",
    "exception",
    "output",
    "reply",
    "response",
    "result",
    "status",
];

/// Longest name of a field.
const NAME_BYTES_MAX: usize = 64;

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source<'a> {
    /// A payload.
    Body,
    /// A field of one, at a path with dots.
    Field { of: &'static str, path: &'a str },
    /// Something of the application, at a path with dots: it may be of the payload.
    Business { path: &'a str },
}

/// Whether the attribute may tell something of a payload.
pub(crate) fn tells(name: &str) -> bool {
    source(name).is_some()
}

pub(super) fn source(name: &str) -> Option<Source<'_>> {
    if BODIES.contains(&name) {
        return Some(Source::Body);
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if MEASURES.contains(&last) {
        return None;
    }
    let below = |body: &&'static str| {
        let path = name.strip_prefix(*body)?.strip_prefix('.')?;
        Some(Source::Field { of: body, path })
    };
    // The longest name that fits.
    let field = BODIES
        .iter()
        .filter_map(below)
        .min_by_key(|source| match source {
            Source::Field { path, .. } => path.len(),
            _ => usize::MAX,
        });
    field.or_else(|| business(name))
}

fn business(name: &str) -> Option<Source<'_>> {
    let path = name.strip_prefix(APP)?;
    let mut words = path.split('.');
    let first = words.next().unwrap_or_default();
    let is_outcome = path.split(['.', '_']).any(|word| OUTCOMES.contains(&word));
    let is_ours = !is_outcome && !APP_OF_DEVICES.contains(&first);
    is_ours.then_some(Source::Business { path })
}

/// Whether a field may be called so. In a map from customers to amounts the names are values: what looks
/// like one is left out.
pub(super) fn is_name(text: &str) -> bool {
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    starts
        && text.len() <= NAME_BYTES_MAX
        && text.chars().all(is_plain)
        && values::words(text).next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_told_by_name() {
        let field = |of, path| Some(Source::Field { of, path });
        for (name, expected) in [
            ("http.request.body", Some(Source::Body)),
            ("http.request.body.text", Some(Source::Body)),
            ("http.request.body.size", None),
            ("http.request.body.to", field("http.request.body", "to")),
            ("payload.order.id", field("payload", "order.id")),
            ("app.request.body.id", field("app.request.body", "id")),
            ("app.order.id", Some(Source::Business { path: "order.id" })),
            ("app.products.count", None),
            ("app.ads.ad_response_type", None),
            ("app.screen.id", None),
            ("http.response.body", None),
            ("payloads", None),
        ] {
            assert_eq!(source(name), expected, "{name}");
        }
    }

    #[test]
    fn names_that_are_values_are_none() {
        for name in ["orderId", "_links", "first-name", "line_2"] {
            assert!(is_name(name), "{name}");
        }
        for value in [
            "",
            "a@b.c",
            "49171234567",
            "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
            "u1234567890123",
            "naïve",
        ] {
            assert!(!is_name(value), "{value}");
        }
    }
}
