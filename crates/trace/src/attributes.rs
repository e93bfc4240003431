//! Which attributes are kept of a span.

use std::borrow::Cow;
use std::sync::Arc;

use tidegate_base::limit::SPAN_ATTRIBUTE_BYTES_MAX;

/// The attributes that discovery reads, in the order of their names; all others are dropped while
/// reading.
pub(crate) const KEPT: [&str; 54] = [
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
    SAMPLER_PARAM,
    SAMPLER_TYPE,
    SAMPLING_PROBABILITY,
    "server.address",
    "session.id",
    "sql.query",
    PAYLOAD_MARKS,
    PAYLOAD_SHAPE,
    "url.full",
    "url.path",
    "user.id",
];

/// The probability with which the trace was kept, when the capture tells: 0.0 to 1.0.
pub(crate) const SAMPLING_PROBABILITY: &str = "sampling.probability";

/// The same as Jaeger's clients tell it, also where an exporter has made their tags attributes.
pub(crate) const SAMPLER_PARAM: &str = "sampler.param";
pub(crate) const SAMPLER_TYPE: &str = "sampler.type";

/// What the span tells of its payload, and the marks of the values; see [`crate::payload`].
pub(crate) const PAYLOAD_MARKS: &str = "tidegate.payload.marks";
pub(crate) const PAYLOAD_SHAPE: &str = "tidegate.payload.shape";

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
        group.bits() & self.bit() != 0
    }

    /// Whether it is what the span tells of its payload.
    #[inline]
    pub(crate) fn is_of_payload(self) -> bool {
        const BITS: u64 = Keys::of([PAYLOAD_MARKS, PAYLOAD_SHAPE]).bits;
        BITS & self.bit() != 0
    }

    /// The bit of the key among all.
    const fn bit(self) -> u64 {
        1 << self.0
    }
}

/// The attributes of one span that are kept: which there are, and the value of each, in the order of the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    keys: u64,
    values: Vec<Arc<str>>,
}

impl Attributes {
    /// Room for so many.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self {
            keys: 0,
            values: Vec::with_capacity(count),
        }
    }

    /// Adds one behind all others; `None` when it is not behind them.
    pub(crate) fn push(&mut self, key: Key, value: Arc<str>) -> Option<()> {
        if usize::from(key.0) >= KEPT.len() || self.keys >> key.0 != 0 {
            return None;
        }
        self.keys |= key.bit();
        self.values.push(value);
        Some(())
    }

    /// The value of one.
    #[inline]
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Arc<str>> {
        let bit = key.bit();
        if self.keys & bit == 0 {
            return None;
        }
        let before = (self.keys & (bit - 1)).count_ones();
        self.values.get(before as usize)
    }

    /// The value of the first of these that is there.
    #[inline]
    #[must_use]
    pub fn first<const N: usize>(&self, keys: &Keys<N>) -> Option<&Arc<str>> {
        if self.keys & keys.bits == 0 {
            return None;
        }
        keys.keys.iter().find_map(|key| self.get(*key))
    }

    /// Whether any of the group is there.
    #[inline]
    #[must_use]
    pub fn has(&self, group: Group) -> bool {
        self.keys & group.bits() != 0
    }

    /// Each key with its value, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Arc<str>)> {
        let mut keys = self.keys;
        self.values.iter().map(move |value| {
            let key = Key(u8::try_from(keys.trailing_zeros()).unwrap_or(NONE));
            keys &= keys.wrapping_sub(1);
            (key, value)
        })
    }

    /// A bit for each that is there.
    pub(crate) fn bits(&self) -> u64 {
        self.keys
    }
}

/// Names of attributes of which the first that is there counts.
#[derive(Clone, Copy, Debug)]
pub struct Keys<const N: usize> {
    bits: u64,
    keys: [Key; N],
}

impl<const N: usize> Keys<N> {
    /// Of attributes that are kept: any other name is an error while compiling, as long as it is a constant.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "evaluated by the compiler, where a wrong index is an error"
    )]
    pub const fn of(names: [&str; N]) -> Self {
        let mut all = Self {
            bits: 0,
            keys: [Key(0); N],
        };
        let mut at = 0;
        while at < N {
            let mut index = 0;
            while !is_same(KEPT[index].as_bytes(), names[at].as_bytes()) {
                index += 1;
            }
            all.keys[at] = Key(index as u8);
            all.bits |= all.keys[at].bit();
            at += 1;
        }
        all
    }

    /// A bit for each of them.
    pub(crate) const fn bits(&self) -> u64 {
        self.bits
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, where a wrong index is an error"
)]
const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
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

impl Group {
    /// A bit for each of the group.
    #[inline]
    fn bits(self) -> u64 {
        GROUPS.get(self as usize).copied().unwrap_or_default()
    }
}

/// The bits of each group.
const GROUPS: [u64; 6] = [
    group(b"db."),
    group(b"http."),
    group(b"messaging."),
    group(b"other."),
    group(b"sql."),
    group(b"url."),
];

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, where a wrong index is an error"
)]
const fn group(prefix: &[u8]) -> u64 {
    let mut bits = 0;
    let mut index = 0;
    while index < KEPT.len() {
        let name = KEPT[index].as_bytes();
        let mut same = 0;
        while same < prefix.len() && same < name.len() && name[same] == prefix[same] {
            same += 1;
        }
        if same == prefix.len() {
            bits |= 1 << index;
        }
        index += 1;
    }
    bits
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
                let mut one = Attributes::default();
                one.push(key, Arc::from("")).unwrap();
                assert_eq!(one.has(group), name.starts_with(prefix), "{name}");
            }
        }
    }

    #[test]
    fn values_are_found_by_their_keys() {
        const SOME: Keys<2> = Keys::of(["user.id", "http.route"]);
        let key = |name: &str| Key::of(name).unwrap();
        let mut all = Attributes::default();
        assert_eq!(all.first(&SOME), None);
        for (name, value) in [("db.system", "a"), ("http.route", "b"), ("user.id", "c")] {
            all.push(key(name), Arc::from(value)).unwrap();
        }
        assert_eq!(all.get(key("http.route")).map(AsRef::as_ref), Some("b"));
        assert_eq!(all.get(key("db.system")).map(AsRef::as_ref), Some("a"));
        assert_eq!(all.get(key("http.target")), None);
        assert_eq!(all.first(&SOME).map(AsRef::as_ref), Some("c"));
        let names: Vec<&str> = all.iter().map(|(key, _)| key.name()).collect();
        assert_eq!(names, ["db.system", "http.route", "user.id"]);
        for name in ["user.id", "http.route"] {
            assert_eq!(all.push(key(name), Arc::from("d")), None);
        }
    }
}
