//! The bytes of one record, which can be checked by itself.
//!
//! All numbers are little-endian.
//!
//! ```text
//! record   checksum u32 | length u32 | position u64 | kind u8 | content
//!          checksum  CRC-32C, started from the segment's salt, of all that follows it
//!          length    bytes after it
//!          position  its place in the whole log
//! content  kind 1, of a channel:   sequence u64 | time u64 | name length u8 | name | body
//!          kind 2, state, adds:      sequence u64 | (length u32 | bytes) …
//!          kind 3, state, replaces:  sequence u64 | (length u32 | bytes) …
//!          kind 4, a cursor:         value u64 | name length u8 | name
//!          kind 5, a trim:           first sequence that stays u64 | name length u8 (0: the state) | name
//! body     key length u16 (0xFFFF: no key) | key | headers u16 | header … | payload
//! header   name length u16 | name | value length u32 | value
//! ```
//!
//! The checksum covers the length because the CRC-32C of nothing is 0: without it, a tail of zeros
//! reads as endless empty records. The salt is random, so that no payload can hold a record that passes.

use bytes::{Buf, BufMut, Bytes};
use tidegate_base::Timestamp;

use crate::mutant::{self, Mutant};
use crate::{Append, StateChange};

/// Bytes of a checksum and a length.
pub(crate) const PREFIX_BYTES: usize = 8;
/// Where what the checksum covers starts.
const SUMMED_AT: usize = 4;
/// Bytes of a record before its content.
const HEAD_BYTES: usize = PREFIX_BYTES + 8 + 1;
/// Bytes of a record of a channel without name and body.
const CHANNEL_BYTES: usize = HEAD_BYTES + 8 + 8 + 1;
/// The smallest record that is ever written, in bytes.
pub(crate) const RECORD_SIZE_MIN: usize = HEAD_BYTES + 8;
/// The same, beside offsets.
pub(crate) const RECORD_BYTES_MIN: u64 = RECORD_SIZE_MIN as u64;
/// Longest key, in bytes: one less than what says that there is none.
pub const KEY_LENGTH_MAX: usize = u16::MAX as usize - 1;

/// The length of a key that is not there.
const NO_KEY: u16 = u16::MAX;

/// What stands for the state where a channel has its name.
pub(crate) const STATE_NAME: &str = "";

const CHANNEL: u8 = 1;
const STATE_APPEND: u8 = 2;
const STATE_REPLACE: u8 = 3;
const CURSOR: u8 = 4;
const TRIM: u8 = 5;

/// A record as it stands in its channel. Cheap to clone; its parts are views of the bytes that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the whole log.
    pub position: u64,
    /// Its place in the channel. Places that retention or compaction has freed are skipped.
    pub sequence: u64,
    /// When it was accepted.
    pub time: Timestamp,
    body: Bytes,
    payload_at: usize,
}

impl Record {
    /// The partition key.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        text_key(&self.body).map(|(key, _)| key).unwrap_or_default()
    }

    /// Names and values, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let rest = text_key(&self.body).map(|(_, rest)| rest);
        Headers::new(rest.unwrap_or_default())
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.body.get(self.payload_at..).unwrap_or_default()
    }

    /// The payload, as a view of what was read.
    #[must_use]
    pub fn into_payload(mut self) -> Bytes {
        self.body.advance(self.payload_at.min(self.body.len()));
        self.body
    }

    /// Bytes of key, headers and payload as they are stored.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len()
    }
}

/// Key and what stands behind it.
fn text_key(body: &[u8]) -> Option<(Option<&str>, &[u8])> {
    let (length, rest) = body.split_first_chunk()?;
    match u16::from_le_bytes(*length) {
        NO_KEY => Some((None, rest)),
        length => {
            let (key, rest) = rest.split_at_checked(length.into())?;
            Some((Some(std::str::from_utf8(key).ok()?), rest))
        }
    }
}

/// Headers one after the other; what stands behind them is the payload.
struct Headers<'a> {
    left: u16,
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        match bytes.split_first_chunk() {
            Some((count, rest)) => Self {
                left: u16::from_le_bytes(*count),
                rest,
            },
            None => Self { left: 0, rest: &[] },
        }
    }

    fn text(&mut self, length: usize) -> Option<&'a str> {
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        std::str::from_utf8(text).ok()
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = usize::from(self.rest.try_get_u16_le().ok()?);
        let name = self.text(name)?;
        let value = usize::try_from(self.rest.try_get_u32_le().ok()?).ok()?;
        Some((name, self.text(value)?))
    }
}

/// Where the payload starts in a body; `None` when the body is not one that is written.
fn payload_at(body: &[u8]) -> Option<usize> {
    let (_, rest) = text_key(body)?;
    rest.first_chunk::<2>()?;
    let mut headers = Headers::new(rest);
    let count = headers.left;
    let read = headers.by_ref().count();
    (read == usize::from(count)).then(|| body.len() - headers.rest.len())
}

/// What a record is, in the bytes that hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// Its place in the whole log.
    pub(crate) position: u64,
    /// What it says.
    pub(crate) content: Content<'a>,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// A record of a channel.
    Channel {
        name: &'a str,
        sequence: u64,
        time: u64,
        body: &'a [u8],
    },
    /// Adds to the state, or takes its place: see [`decode_state`].
    State {
        sequence: u64,
        replaces: bool,
        items: &'a [u8],
    },
    /// A cursor's new value.
    Cursor { name: &'a str, value: u64 },
    /// Nothing before `first` is needed in a channel any more.
    Trim { name: &'a str, first: u64 },
}

/// Bytes of the record of `append`.
pub(crate) fn append_bytes(append: &Append) -> usize {
    let header = |(name, value): &(String, String)| 6 + name.len() + value.len();
    let headers: usize = append.headers.iter().map(header).sum();
    let key = append.key.as_ref().map_or(0, String::len);
    CHANNEL_BYTES + append.channel.as_str().len() + 4 + key + headers + append.payload.len()
}

/// Bytes of the record of `change`; 0 when it changes nothing.
pub(crate) fn state_bytes(change: &StateChange) -> usize {
    if change.is_none() {
        return 0;
    }
    let items: usize = change.records().iter().map(|item| 4 + item.len()).sum();
    let trim = match change {
        StateChange::Finish(_) => named_bytes(STATE_NAME),
        _ => 0,
    };
    HEAD_BYTES + 8 + items + trim
}

/// Bytes of the record of a cursor or a trim.
pub(crate) fn named_bytes(name: &str) -> usize {
    HEAD_BYTES + 8 + 1 + name.len()
}

/// What is wrong with the parts of `append`; `None` when all lengths fit.
pub(crate) fn misfit(append: &Append) -> Option<String> {
    if append
        .key
        .as_ref()
        .is_some_and(|key| key.len() > KEY_LENGTH_MAX)
    {
        return Some(format!("a key is longer than {KEY_LENGTH_MAX} bytes"));
    }
    if append.headers.len() > u16::MAX.into() {
        return Some(format!("a record has more than {} headers", u16::MAX));
    }
    let long = |(name, _): &(String, String)| name.len() > u16::MAX.into();
    let long = append.headers.iter().any(long);
    long.then(|| format!("a header's name is longer than {} bytes", u16::MAX))
}

/// Writes records after what `out` holds.
pub(crate) struct RecordEncoder<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) salt: u32,
}

impl RecordEncoder<'_> {
    /// A record of a channel. All lengths fit: see [`misfit`].
    pub(crate) fn append(&mut self, append: &Append, position: u64, sequence: u64) {
        self.record(position, CHANNEL, |out| {
            out.put_u64_le(sequence);
            out.put_u64_le(append.time.nanos());
            put_name(out, append.channel.as_str());
            match &append.key {
                Some(key) => {
                    out.put_u16_le(short(key.len()));
                    out.put_slice(key.as_bytes());
                }
                None => out.put_u16_le(NO_KEY),
            }
            out.put_u16_le(short(append.headers.len()));
            for (name, value) in &append.headers {
                out.put_u16_le(short(name.len()));
                out.put_slice(name.as_bytes());
                out.put_u32_le(length_u32(value.len()));
                out.put_slice(value.as_bytes());
            }
            out.put_slice(&append.payload);
        });
    }

    /// A record of a channel of the first format version, which knew neither keys nor headers: a body
    /// that does not read as one with a key and headers is a payload.
    pub(crate) fn first_version(
        &mut self,
        (name, sequence, time): (&str, u64, u64),
        body: &[u8],
        position: u64,
    ) {
        self.record(position, CHANNEL, |out| {
            out.put_u64_le(sequence);
            out.put_u64_le(time);
            put_name(out, name);
            if payload_at(body).is_none() {
                out.put_u16_le(NO_KEY);
                out.put_u16_le(0);
            }
            out.put_slice(body);
        });
    }

    /// A change of the state.
    pub(crate) fn state(&mut self, change: &StateChange, position: u64, sequence: u64) {
        let kind = match change {
            StateChange::Append(_) | StateChange::Begin(_) | StateChange::Finish(_) => STATE_APPEND,
            StateChange::Replace(_) => STATE_REPLACE,
        };
        self.record(position, kind, |out| {
            out.put_u64_le(sequence);
            for item in change.records() {
                out.put_u32_le(length_u32(item.len()));
                out.put_slice(item);
            }
        });
    }

    /// A cursor's value.
    pub(crate) fn cursor(&mut self, name: &str, value: u64, position: u64) {
        self.record(position, CURSOR, |out| {
            out.put_u64_le(value);
            put_name(out, name);
        });
    }

    /// Nothing before `first` is needed in channel `name`.
    pub(crate) fn trim(&mut self, name: &str, first: u64, position: u64) {
        self.record(position, TRIM, |out| {
            out.put_u64_le(first);
            put_name(out, name);
        });
    }

    /// A record as it stands in another segment of the same or another salt.
    pub(crate) fn copy(&mut self, record: &[u8]) {
        let start = self.out.len();
        self.out.put_slice(record);
        seal(self.out, start, self.salt);
    }

    fn record(&mut self, position: u64, kind: u8, content: impl FnOnce(&mut Vec<u8>)) {
        let start = self.out.len();
        self.out.put_u64_le(0);
        self.out.put_u64_le(position);
        self.out.put_u8(kind);
        content(self.out);
        seal(self.out, start, self.salt);
    }
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.put_slice(name.as_bytes());
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

/// What is written is far below 4 GiB: limits are checked before.
pub(crate) fn length_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Fills in the checksum and the length of what starts at `start` and ends with `out`.
pub(crate) fn seal(out: &mut [u8], start: usize, salt: u32) {
    let length = length_u32(out.len() - start - PREFIX_BYTES);
    if let Some((mut sum, summed)) = out
        .get_mut(start..)
        .and_then(|out| out.split_at_mut_checked(SUMMED_AT))
    {
        let mut at_length = &mut *summed;
        at_length.put_u32_le(length);
        sum.put_u32_le(checksum(salt, summed));
    }
}

/// The checksum of what starts with a length.
pub(crate) fn checksum(salt: u32, summed: &[u8]) -> u32 {
    if mutant::is(Mutant::ChecksumWithoutLength) {
        return crc32c::crc32c(summed.get(4..).unwrap_or_default());
    }
    crc32c::crc32c_append(salt, summed)
}

/// Whether the checksum at the start of `bytes`, and it alone, is right.
pub(crate) fn verify(bytes: &[u8], salt: u32) -> Result<(), Wrong> {
    let (_, stored) = prefix(bytes).ok_or(Wrong::Length(bytes.len() as u64))?;
    let computed = checksum(salt, bytes.get(SUMMED_AT..).unwrap_or_default());
    match computed == stored || mutant::is(Mutant::NoChecksum) {
        true => Ok(()),
        false => Err(Wrong::Checksum { computed, stored }),
    }
}

/// Why bytes are not a frame or a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    /// It ends too early, or its length is not one that is written.
    #[error("its length is {0}")]
    Length(u64),
    /// The checksum differs.
    #[error("checksum {computed:#010x}, stored {stored:#010x}")]
    Checksum {
        /// Of the bytes.
        computed: u32,
        /// In the bytes.
        stored: u32,
    },
    /// The checksum is right, but the content is not what is written.
    #[error("its {0} is not one that is written")]
    Content(&'static str),
    /// It belongs elsewhere.
    #[error("{what} {found}, expected {expected}")]
    Place {
        /// Position or sequence.
        what: &'static str,
        /// In the bytes.
        found: u64,
        /// In the index.
        expected: u64,
    },
}

/// The length and the checksum at the start of `bytes`; `None` when it is shorter.
pub(crate) fn prefix(mut bytes: &[u8]) -> Option<(usize, u32)> {
    let checksum = bytes.try_get_u32_le().ok()?;
    let length = bytes.try_get_u32_le().ok()?;
    Some((usize::try_from(length).ok()?, checksum))
}

/// What stands after the prefix, once length and checksum are verified.
fn verified(bytes: &[u8], salt: u32) -> Result<&[u8], Wrong> {
    let (length, _) = prefix(bytes).ok_or(Wrong::Length(bytes.len() as u64))?;
    let whole = bytes.get(..PREFIX_BYTES.saturating_add(length));
    let whole = whole.ok_or(Wrong::Length(length as u64))?;
    verify(whole, salt)?;
    Ok(whole.get(PREFIX_BYTES..).unwrap_or_default())
}

/// The record at the start of `bytes`, and its size.
pub(crate) fn decode(bytes: &[u8], salt: u32) -> Result<(Entry<'_>, usize), Wrong> {
    let body = verified(bytes, salt)?;
    Ok((parse(body)?, PREFIX_BYTES + body.len()))
}

/// The record in `bytes`, which have never left the memory of this process since they were encoded.
pub(crate) fn decode_trusted(bytes: &[u8]) -> Result<Entry<'_>, Wrong> {
    parse(bytes.get(PREFIX_BYTES..).unwrap_or_default())
}

fn parse(mut body: &[u8]) -> Result<Entry<'_>, Wrong> {
    let short = |_| Wrong::Content("record");
    let position = body.try_get_u64_le().map_err(short)?;
    let kind = body.try_get_u8().map_err(short)?;
    let number = body.try_get_u64_le().map_err(short)?;
    let content = match kind {
        CHANNEL => {
            let time = body.try_get_u64_le().map_err(short)?;
            let (name, body) = name(body)?;
            Content::Channel {
                name,
                sequence: number,
                time,
                body,
            }
        }
        STATE_APPEND | STATE_REPLACE => Content::State {
            sequence: number,
            replaces: kind == STATE_REPLACE,
            items: body,
        },
        CURSOR => Content::Cursor {
            name: name(body)?.0,
            value: number,
        },
        TRIM => Content::Trim {
            name: name(body)?.0,
            first: number,
        },
        _ => return Err(Wrong::Content("kind")),
    };
    Ok(Entry { position, content })
}

/// A name at the start of `bytes`, and what stands behind it.
pub(crate) fn name(mut bytes: &[u8]) -> Result<(&str, &[u8]), Wrong> {
    let wrong = Wrong::Content("name");
    let Ok(length) = bytes.try_get_u8() else {
        return Err(wrong);
    };
    let (name, rest) = bytes.split_at_checked(length.into()).ok_or(wrong)?;
    let name = std::str::from_utf8(name).map_err(|_| Wrong::Content("name"))?;
    Ok((name, rest))
}

/// The record of a channel whose content was decoded from `bytes`.
pub(crate) fn of_channel(
    bytes: &Bytes,
    position: u64,
    sequence: u64,
    time: u64,
    body: &[u8],
) -> Result<Record, Wrong> {
    let payload_at = payload_at(body).ok_or(Wrong::Content("body"))?;
    Ok(Record {
        position,
        sequence,
        time: Timestamp::from_nanos(time),
        body: bytes.slice_ref(body),
        payload_at,
    })
}

/// The record of a channel in `bytes`, which have never left the memory of this process since they were
/// encoded.
pub(crate) fn of_channel_trusted(mut bytes: Bytes, sequence: u64) -> Result<Record, Wrong> {
    let wrong = || Wrong::Content("record");
    let mut head = bytes.get(PREFIX_BYTES..CHANNEL_BYTES).ok_or_else(wrong)?;
    let position = head.get_u64_le();
    head.advance(1 + 8);
    let time = head.get_u64_le();
    let body_at = CHANNEL_BYTES + usize::from(head.get_u8());
    if bytes.len() < body_at {
        return Err(wrong());
    }
    bytes.advance(body_at);
    let payload_at = payload_at(&bytes).ok_or(Wrong::Content("body"))?;
    Ok(Record {
        position,
        sequence,
        time: Timestamp::from_nanos(time),
        body: bytes,
        payload_at,
    })
}

/// The key in a body; `None` when there is none.
pub(crate) fn key_of(body: &[u8]) -> Option<&str> {
    text_key(body)?.0
}

/// The items of a change of the state, as views of `bytes`.
pub(crate) fn decode_state(bytes: &Bytes, mut items: &[u8]) -> Result<Vec<Bytes>, Wrong> {
    let mut decoded = Vec::new();
    while items.has_remaining() {
        let wrong = Wrong::Content("state");
        let Ok(length) = items.try_get_u32_le() else {
            return Err(wrong);
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (item, rest) = items.split_at_checked(length).ok_or(wrong)?;
        decoded.push(bytes.slice_ref(item));
        items = rest;
    }
    Ok(decoded)
}
