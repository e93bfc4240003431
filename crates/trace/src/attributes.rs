//! Which attributes are kept of a span.

use std::borrow::Cow;

use tidegate_base::limit::SPAN_ATTRIBUTE_BYTES_MAX;

/// The attributes that discovery reads, in the order of their names; all others are dropped while
/// reading.
pub(crate) const KEPT: [&str; 50] = [
    "db.collection.name",
    "db.operation",
    "db.operation.name",
    "db.query.text",
    "db.statement",
    "db.system",
    "db.system.name",
    "enduser.id",
    "error.type",
    "http.method",
    "http.path",
    "http.request.body.size",
    "http.request.header.idempotency-key",
    "http.request.header.idempotency_key",
    "http.request.method",
    "http.request.resend_count",
    "http.request_content_length",
    "http.response.body.size",
    "http.response.status_code",
    "http.response_content_length",
    "http.route",
    "http.status_code",
    "http.target",
    "http.uri.client",
    "http.url",
    "messaging.batch.message_count",
    "messaging.destination",
    "messaging.destination.name",
    "messaging.message.body.size",
    "messaging.message.id",
    "messaging.operation",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.system",
    "net.peer.name",
    OTHER_VALUES,
    "peer.service",
    "request_size",
    "response_size",
    "rpc.grpc.status_code",
    "rpc.method",
    "rpc.service",
    "rpc.system",
    SAMPLING_PROBABILITY,
    "server.address",
    "session.id",
    "sql.query",
    "url.full",
    "url.path",
    "user.id",
];

/// The probability with which the trace was kept, when the capture tells: 0.0 to 1.0.
pub(crate) const SAMPLING_PROBABILITY: &str = "sampling.probability";

/// Words that name one thing of very many, of all attributes that are not kept.
pub(crate) const OTHER_VALUES: &str = "other.values";

/// Most bytes of [`OTHER_VALUES`] of one span: some four identifiers.
pub(crate) const VALUES_BYTES_MAX: usize = 160;

/// The name of an attribute that is kept, in one byte; in the order of the names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(pub(crate) u8);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.name().fmt(f)
    }
}

impl Key {
    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        KEPT.get(usize::from(self.0)).copied().unwrap_or_default()
    }

    /// The attribute of this name, when it is kept.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let candidates = BY_LENGTH.get(name.len())?;
        candidates
            .iter()
            .take_while(|index| **index != NONE)
            .find(|index| KEPT.get(usize::from(**index)) == Some(&name))
            .map(|index| Self(*index))
    }
}

/// The places in [`KEPT`] by the length of the name, as every attribute of every span is asked for.
const BY_LENGTH: [[u8; SAME_LENGTH_MAX]; LENGTHS] = by_length();
const LENGTHS: usize = 48;
const SAME_LENGTH_MAX: usize = 8;
const NONE: u8 = u8::MAX;

/// Fails to compile when a name is longer, or more have one length, than there is room for.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, where a wrong index is an error"
)]
const fn by_length() -> [[u8; SAME_LENGTH_MAX]; LENGTHS] {
    let mut table = [[NONE; SAME_LENGTH_MAX]; LENGTHS];
    let mut index = 0;
    while index < KEPT.len() {
        let mut place = 0;
        while table[KEPT[index].len()][place] != NONE {
            place += 1;
        }
        table[KEPT[index].len()][place] = index as u8;
        index += 1;
    }
    table
}

/// The start of `text`, at most [`SPAN_ATTRIBUTE_BYTES_MAX`] bytes, cut between characters.
pub(crate) fn cut(text: &str) -> &str {
    let end = text.floor_char_boundary(SPAN_ATTRIBUTE_BYTES_MAX);
    text.get(..end).unwrap_or_default()
}

/// The same of a text that may have been made up.
pub(crate) fn cut_cow<'a>(text: Cow<'a, str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(cut(text)),
        Cow::Owned(text) if text.len() > SPAN_ATTRIBUTE_BYTES_MAX => {
            Cow::Owned(cut(&text).to_owned())
        }
        Cow::Owned(text) => Cow::Owned(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_without_repetition() {
        assert!(KEPT.is_sorted_by(|a, b| a < b));
        assert_eq!(
            Key::of("http.route").map(|key| KEPT[usize::from(key.0)]),
            Some("http.route")
        );
        for (index, name) in KEPT.iter().enumerate() {
            assert_eq!(Key::of(name).map(|key| usize::from(key.0)), Some(index));
        }
        assert_eq!(Key::of("thread.name"), None);
        assert_eq!(Key::of(&"x".repeat(1_000)), None);
    }
}
