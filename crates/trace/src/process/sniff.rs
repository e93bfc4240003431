//! What a log is written in, from its content.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::io::Read;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use tidegate_base::limit::LOG_FILE_BYTES_MAX;

use super::{Columns, LogError, LogFormat, csv_log};
use crate::compression::{self, Compression};

/// Bytes in which a log says what it is, compressed or not: a block of zstd, which is decompressed
/// whole or not at all, has up to half as many.
pub const START_BYTES: usize = 256 << 10;
/// Fewer columns are no log: a case, an activity and a time.
const COLUMNS_MIN: usize = 3;

/// The bytes, out of their gzip or zstd when they are in one.
///
/// # Errors
///
/// [`LogError::Compressed`] when it is broken, [`LogError::Large`] when too much is in it.
pub fn unpacked<'a>(name: &str, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, LogError> {
    let Some(compression) = Compression::of(bytes) else {
        return Ok(Cow::Borrowed(bytes));
    };
    let most = u64::try_from(LOG_FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut out = Vec::new();
    let mut decoded = compression.decoded(bytes).take(most.saturating_add(1));
    let read = decoded.read_to_end(&mut out);
    read.map_err(|error| LogError::Compressed {
        name: name.to_owned(),
        compression: compression.name(),
        message: compression::said(&error, u64::try_from(out.len()).unwrap_or(u64::MAX)),
    })?;
    if out.len() > LOG_FILE_BYTES_MAX {
        return Err(LogError::Large {
            name: name.to_owned(),
        });
    }
    Ok(Cow::Owned(out))
}

/// The format of a process log by the start of its bytes, at least [`START_BYTES`] of them or all.
#[must_use]
pub fn sniff_start(bytes: &[u8], columns: &Columns) -> Option<LogFormat> {
    sniff(without_mark(&start(bytes)), columns)
}

/// The bytes, or the start of what is compressed in them.
fn start(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(compression) = Compression::of(bytes) else {
        return Cow::Borrowed(bytes);
    };
    let most = u64::try_from(START_BYTES).unwrap_or(u64::MAX);
    let mut unpacked = Vec::new();
    // What ends in the middle is an error, after all that can be read.
    let _torn = compression
        .decoded(bytes)
        .take(most)
        .read_to_end(&mut unpacked);
    Cow::Owned(unpacked)
}

/// Text without the mark of its byte order.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// The format of a process log; `None` when the bytes are none. Text in columns is one when it
/// has a case, an activity and a time by usual names, or when `columns` names the case.
#[must_use]
pub fn sniff(text: &[u8], columns: &Columns) -> Option<LogFormat> {
    if text.starts_with(b"SQLite format 3\0") {
        return Some(LogFormat::OcelSqlite);
    }
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace())?;
    match first {
        b'<' => xml(text),
        b'{' => json(text).then_some(LogFormat::OcelJson),
        _ => csv_log::fits(text, columns).then_some(LogFormat::Csv),
    }
}

fn xml(text: &[u8]) -> Option<LogFormat> {
    let head = String::from_utf8_lossy(text.get(..START_BYTES).unwrap_or(text));
    let has = |mark: &str| head.contains(mark);
    if has("<object-types") || has("<event-types") || (has("<objects") && has("<object ")) {
        Some(LogFormat::OcelXml)
    } else if has("<log") {
        Some(LogFormat::Xes)
    } else {
        None
    }
}

/// Whether a key of the outermost object is one of OCEL 2.0: no format of traces has it. Values are passed over.
fn json(text: &[u8]) -> bool {
    struct Keys<'a>(&'a Cell<bool>);
    impl<'de> Visitor<'de> for Keys<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
            while let Some(key) = entries.next_key::<Cow<'de, str>>()? {
                if matches!(
                    key.as_ref(),
                    "objectTypes" | "eventTypes" | "objects" | "events"
                ) {
                    self.0.set(true);
                    // What follows is not looked at: the answer is there.
                    return Ok(());
                }
                entries.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }
    let found = Cell::new(false);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    // That it stops in the middle is an error for serde and none here.
    let _stopped = deserializer.deserialize_map(Keys(&found));
    found.get()
}

/// What to do with bytes that are neither a log nor a capture of traces, when they are nearly one.
#[must_use]
pub fn hint(bytes: &[u8]) -> Option<String> {
    let unpacked = start(bytes);
    let text = without_mark(&unpacked);
    let head = String::from_utf8_lossy(text.get(..START_BYTES).unwrap_or(text));
    if head.contains("\"ocel:") {
        return Some("this is OCEL 1.0: export it as OCEL 2.0".to_owned());
    }
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace())?;
    let header = csv_log::header_of(text)?;
    if matches!(first, b'{' | b'[' | b'<') || header.len() < COLUMNS_MIN {
        return None;
    }
    Some(format!(
        "its columns are {}: name them with --columns, those of a process log as \
         case=NAME,activity=NAME,start=NAME,end=NAME,resource=NAME, those of spans as \
         trace=NAME,span=NAME,start=NAME,duration=NAME,service=NAME",
        csv_log::listed(&header)
    ))
}

/// Why the bytes are no process log.
pub(super) fn unknown(name: &str, text: &[u8]) -> LogError {
    const SHOWN: usize = 24;
    let start = String::from_utf8_lossy(text.get(..SHOWN).unwrap_or(text));
    LogError::Unknown {
        name: name.to_owned(),
        start: format!("{start:?}"),
        hint: hint(text).unwrap_or_else(|| "export the log in one of these formats".to_owned()),
    }
}
