//! Reading records at the addresses that the index has.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_base::Name;

use crate::frame::{
    Content, FRAME_BYTES_MAX, PREFIX_BYTES, Wrong, decode_record, decode_state, prefix,
};
use crate::segment::Segment;
use crate::window::Window;
use crate::{ReadError, ReadLimit, Record};

/// Most records of one read: bounds the addresses that are copied from the index.
pub(crate) const READ_RECORDS_MAX: usize = 65_536;
/// Records that are no farther apart than this are read in one call.
const GAP_BYTES: u64 = 4 << 10;
/// Most bytes of one call, but for one larger record.
const SPAN_BYTES: u64 = 256 << 10;

/// Where a record is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) segment: Arc<Segment>,
    pub(crate) byte: u64,
}

/// Reads records one after the other.
#[derive(Debug)]
struct Reader<'a> {
    places: &'a [Place],
    window: Window,
    /// The segment of the window, as its base.
    base: Option<u64>,
}

impl<'a> Reader<'a> {
    fn new(places: &'a [Place]) -> Self {
        Self {
            places,
            window: Window::default(),
            base: None,
        }
    }

    /// The record of the place at index `at`; `at` is within the places.
    fn record(&mut self, at: usize) -> Result<Content<'_>, Failure> {
        let Some(place) = self.places.get(at) else {
            return Err(Wrong::Content("place").into());
        };
        let segment = &place.segment;
        if self.base.replace(segment.base) != Some(segment.base) {
            self.window = Window::default();
        }
        let ahead = self.span(at);
        let file = segment.file.as_ref();
        let head = self.window.bytes(file, place.byte, PREFIX_BYTES, ahead)?;
        let length = prefix(head).map_or(0, |(length, _)| length);
        if length > FRAME_BYTES_MAX {
            return Err(Wrong::Length(length as u64).into());
        }
        let bytes = self
            .window
            .bytes(file, place.byte, PREFIX_BYTES + length, ahead)?;
        Ok(decode_record(bytes, segment.salt)?.0)
    }

    /// Bytes to read at once for the records from index `at` on: those that lie close together.
    fn span(&self, at: usize) -> usize {
        let places = self.places.get(at..).unwrap_or_default();
        let start = places.first().map_or(0, |place| place.byte);
        let close = places.windows(2).take_while(|pair| match pair {
            [one, next] => {
                one.segment.base == next.segment.base
                    && next.byte.saturating_sub(one.byte) <= GAP_BYTES
                    && next.byte.saturating_sub(start) <= SPAN_BYTES
            }
            _ => false,
        });
        let last = close
            .last()
            .and_then(|pair| pair.last())
            .map_or(start, |place| place.byte);
        usize::try_from(last - start + GAP_BYTES).unwrap_or(0)
    }
}

/// Why a record cannot be had.
enum Failure {
    Wrong(Wrong),
    Io(std::io::Error),
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl Failure {
    fn at(self, place: &Place, channel: Option<&Name>, sequence: u64) -> ReadError {
        let (segment, byte) = (place.segment.name.clone(), place.byte);
        match self {
            Self::Wrong(wrong) => {
                let (channel, reason) = (channel.cloned(), wrong.to_string());
                ReadError::Damaged {
                    channel,
                    sequence,
                    segment,
                    byte,
                    reason,
                }
            }
            Self::Io(error) => ReadError::Io {
                segment,
                byte,
                reason: error.to_string(),
            },
        }
    }
}

/// The records at `places`, which are those of `channel` from sequence `from` on.
pub(crate) fn records(
    channel: &Name,
    from: u64,
    places: &[Place],
    limit: ReadLimit,
) -> Result<Vec<Record>, ReadError> {
    let mut reader = Reader::new(places);
    let mut records = Vec::new();
    let mut bytes_left = limit.bytes;
    for (at, (place, expected)) in places.iter().zip(from..).enumerate() {
        let read = reader.record(at).and_then(|content| {
            Ok(record(
                content,
                channel,
                expected,
                &mut bytes_left,
                at == 0,
            )?)
        });
        match read {
            Ok(ControlFlow::Continue(record)) => records.push(record),
            Ok(ControlFlow::Break(())) => break,
            Err(failure) if at == 0 => return Err(failure.at(place, Some(channel), expected)),
            Err(_) => break,
        }
    }
    Ok(records)
}

/// The record in `content`, or a break when it is not the first and has no room.
fn record(
    content: Content<'_>,
    channel: &Name,
    expected: u64,
    bytes_left: &mut usize,
    first: bool,
) -> Result<ControlFlow<(), Record>, Wrong> {
    let Content::Channel {
        name,
        sequence,
        time,
        body,
    } = content
    else {
        return Err(Wrong::Content("kind"));
    };
    if name != channel.as_str() {
        return Err(Wrong::Content("channel name"));
    }
    if sequence != expected {
        return Err(Wrong::Place {
            what: "sequence",
            found: sequence,
            expected,
        });
    }
    if body.len() > *bytes_left && !first {
        return Ok(ControlFlow::Break(()));
    }
    *bytes_left = bytes_left.saturating_sub(body.len());
    Ok(ControlFlow::Continue(Record {
        sequence,
        time,
        body: Bytes::copy_from_slice(body),
    }))
}

/// The state in the changes at `places`.
pub(crate) fn state(places: &[Place]) -> Result<Vec<Bytes>, ReadError> {
    let mut reader = Reader::new(places);
    let mut state = Vec::new();
    for (at, place) in places.iter().enumerate() {
        let changed = reader.record(at).and_then(|content| match content {
            Content::StateAppend(records) | Content::StateReplace(records) => {
                Ok(decode_state(records)?)
            }
            Content::Channel { .. } => Err(Wrong::Content("kind").into()),
        });
        let sequence = state.len() as u64;
        state.extend(changed.map_err(|failure| failure.at(place, None, sequence))?);
    }
    Ok(state)
}
