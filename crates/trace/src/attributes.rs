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
    #[inline]
    pub(crate) fn of(name: &str) -> Option<Self> {
        let index = *TABLE.get(place(name.as_bytes(), FACTOR))?;
        (KEPT.get(usize::from(index)) == Some(&name)).then_some(Self(index))
    }

    /// Whether its name begins as the names of these attributes do.
    #[inline]
    #[must_use]
    pub fn is_of(self, group: Group) -> bool {
        GROUPS
            .get(group as usize)
            .is_some_and(|(first, end)| *first <= self.0 && self.0 < *end)
    }
}

/// Attributes whose names begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// `db.`
    Database,
    /// `http.`
    Http,
    /// `messaging.`
    Messaging,
    /// Words of attributes that are not kept themselves.
    Other,
    /// `sql.`
    Sql,
    /// `url.`
    Url,
}

/// The first and the one after the last of each group.
const GROUPS: [(u8, u8); 6] = [
    group(b"db."),
    group(b"http."),
    group(b"messaging."),
    group(b"other."),
    group(b"sql."),
    group(b"url."),
];

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, where a wrong index is an error"
)]
const fn group(prefix: &[u8]) -> (u8, u8) {
    let (mut first, mut end) = (0, 0);
    let mut index = 0;
    while index < KEPT.len() {
        let name = KEPT[index].as_bytes();
        let mut same = 0;
        while same < prefix.len() && same < name.len() && name[same] == prefix[same] {
            same += 1;
        }
        if same == prefix.len() {
            if end == 0 {
                first = index as u8;
            }
            end = index as u8 + 1;
        }
        index += 1;
    }
    (first, end)
}

/// The places in [`KEPT`] by three bytes of the name and its length, as every attribute of every span is asked for: no two
/// names have the same place.
const TABLE: [u8; PLACES] = table(FACTOR);
const PLACES: usize = 1 << 10;
const NONE: u8 = u8::MAX;
const FACTOR: u32 = factor();

#[inline]
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the indexes are below the length; of a long length the low byte will do"
)]
const fn place(name: &[u8], factor: u32) -> usize {
    let length = name.len();
    if length < 4 {
        return PLACES;
    }
    let bytes = [
        name[length / 2],
        name[length - 1],
        name[length - 4],
        length as u8,
    ];
    let bytes = u32::from_le_bytes(bytes);
    (bytes.wrapping_mul(factor) >> 22) as usize
}

/// The first factor that gives every name a place of its own.
const fn factor() -> u32 {
    let mut factor = 0x9e37_79b1_u32;
    while !is_free_of_collisions(factor) {
        factor += 2;
    }
    factor
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, where a wrong index is an error"
)]
const fn is_free_of_collisions(factor: u32) -> bool {
    let mut taken = [false; PLACES];
    let mut index = 0;
    while index < KEPT.len() {
        let place = place(KEPT[index].as_bytes(), factor);
        if taken[place] {
            return false;
        }
        taken[place] = true;
        index += 1;
    }
    true
}

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, where a wrong index is an error"
)]
const fn table(factor: u32) -> [u8; PLACES] {
    let mut table = [NONE; PLACES];
    let mut index = 0;
    while index < KEPT.len() {
        table[place(KEPT[index].as_bytes(), factor)] = index as u8;
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
        for name in ["", "x", "xy"] {
            assert_eq!(Key::of(name), None);
        }
        for (prefix, group) in [
            ("db.", Group::Database),
            ("http.", Group::Http),
            ("messaging.", Group::Messaging),
            ("other.", Group::Other),
            ("sql.", Group::Sql),
            ("url.", Group::Url),
        ] {
            for (index, name) in KEPT.iter().enumerate() {
                let key = Key(u8::try_from(index).unwrap());
                assert_eq!(key.is_of(group), name.starts_with(prefix), "{name}");
            }
        }
    }
}
