//! Reading the records of one segment whose places are known: from the latest frames in memory, or from
//! the disk. Nothing here holds a lock while it reads.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use tidegate_base::Name;

use crate::frame::FRAME_BYTES_MAX;
use crate::places::Place;
use crate::recent::Chunks;
use crate::record::{self, Content, Entry, PREFIX_BYTES, Wrong, prefix};
use crate::segment::Segment;
use crate::shared::Shared;
use crate::window::Window;
use crate::{ReadError, Record};

/// Records that are no farther apart than this are read in one call.
const GAP_BYTES: usize = 4 << 10;
/// Most bytes of one call, but for one larger record.
pub(crate) const SPAN_BYTES: usize = 256 << 10;

/// About the bytes that records in memory are copied by: a slow reader holds what it has read and little
/// else, and allocators have such pieces at hand.
const COPY_BYTES: usize = 32 << 10;

/// A change of the state.
pub(crate) struct Change {
    pub(crate) sequence: u64,
    pub(crate) replaces: bool,
    pub(crate) items: Vec<Bytes>,
}

/// Records of one segment.
pub(crate) struct Found {
    pub(crate) segment: Arc<Segment>,
    pub(crate) places: SmallVec<[Place; 8]>,
    /// The latest frames, when they hold all of these records.
    pub(crate) chunks: Chunks,
}

/// Reads records of one segment, one after the other.
pub(crate) struct Reader<'a> {
    shared: &'a Shared,
    channel: Option<&'a Name>,
    found: Found,
    window: Window,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(shared: &'a Shared, channel: Option<&'a Name>, found: Found) -> Self {
        Self {
            shared,
            channel,
            found,
            window: Window::default(),
        }
    }

    /// The failure of reading the first of the records.
    pub(crate) fn tell(&self, failure: Failure) -> ReadError {
        let first = self.found.places.first();
        let place = first.map(|first| (self.found.segment.as_ref(), first.byte));
        failure.tell(self.channel, first.map_or(0, |first| first.sequence), place)
    }

    /// As many records as there are, and no more bytes than allowed, but for the first one.
    pub(crate) fn records(&mut self, bytes_max: usize) -> Result<Vec<Record>, Failure> {
        if let Some(taken) = self.each_recent(bytes_max, record::of_channel_trusted) {
            return Ok(taken?);
        }
        let channel = self.channel.map_or("", Name::as_str);
        self.each_on_disk(bytes_max, |bytes, entry, expected| match entry.content {
            Content::Channel {
                name,
                sequence,
                time,
                body,
            } if name == channel => {
                expect(sequence, expected)?;
                record::of_channel(bytes, entry.position, sequence, time, body)
            }
            _ => Err(Wrong::Content("channel name")),
        })
    }

    /// Changes of the state.
    pub(crate) fn changes(&mut self) -> Result<Vec<Change>, Failure> {
        let trusted = |bytes: Bytes, sequence| {
            let entry = record::decode_trusted(&bytes)?;
            change(&bytes, entry, sequence)
        };
        match self.each_recent(usize::MAX, trusted) {
            Some(taken) => Ok(taken?),
            None => self.each_on_disk(usize::MAX, change),
        }
    }

    fn each_on_disk<T>(
        &mut self,
        bytes_max: usize,
        take: impl Fn(&Bytes, Entry<'_>, u64) -> Result<T, Wrong>,
    ) -> Result<Vec<T>, Failure> {
        let salt = self.found.segment.salt;
        let mut taken = Vec::new();
        let mut left = bytes_max;
        for at in 0..self.found.places.len() {
            let Some(place) = self.found.places.get(at).copied() else {
                break;
            };
            let first = taken.is_empty();
            let one = self.read_from_disk(at, place.byte).and_then(|bytes| {
                let (entry, _) = record::decode(&bytes, salt)?;
                Ok((bytes.len(), take(&bytes, entry, place.sequence)?))
            });
            match one {
                Ok((size, _)) if size > left && !first => break,
                Ok((size, one)) => {
                    left = left.saturating_sub(size);
                    taken.push(one);
                }
                Err(failure) if first => return Err(failure),
                // What is before it is whole: the next read tells.
                Err(_) => break,
            }
        }
        Ok(taken)
    }

    /// Takes from the records as they are in memory, which need no check; `None` when they are not
    /// there.
    fn each_recent<T>(
        &self,
        bytes_max: usize,
        take: impl Fn(Bytes, u64) -> Result<T, Wrong>,
    ) -> Option<Result<Vec<T>, Wrong>> {
        let pieces = self.recent(bytes_max)?;
        let mut places = self.found.places.iter();
        let mut taken = Vec::with_capacity(pieces.len());
        let mut left = pieces.as_slice();
        while !left.is_empty() {
            let (together, rest) = left.split_at(count_together(left));
            left = rest;
            let mut copy = copy(together);
            for (piece, place) in together.iter().zip(places.by_ref()) {
                match take(copy.split_to(piece.len()), place.sequence) {
                    Ok(one) => taken.push(one),
                    Err(wrong) => return Some(Err(wrong)),
                }
            }
        }
        Some(Ok(taken))
    }

    /// The bytes of the records in the latest frames; `None` when they are not in memory.
    fn recent(&self, bytes_max: usize) -> Option<SmallVec<[&[u8]; 16]>> {
        let mut chunks = self.found.chunks.iter().peekable();
        let mut chunk = chunks.next()?;
        let mut left = bytes_max;
        let mut pieces = SmallVec::new();
        for place in &self.found.places {
            while let Some(next) = chunks.next_if(|next| next.start <= place.byte) {
                chunk = next;
            }
            let bytes = chunk.from(place.byte)?;
            let (length, _) = prefix(bytes)?;
            let piece = bytes.get(..PREFIX_BYTES.checked_add(length)?)?;
            if piece.len() > left && !pieces.is_empty() {
                break;
            }
            left = left.saturating_sub(piece.len());
            pieces.push(piece);
        }
        Some(pieces)
    }

    fn read_from_disk(&mut self, at: usize, byte: u32) -> Result<Bytes, Failure> {
        let file = self.shared.files.get(&self.found.segment.name)?;
        let ahead = self.span(at);
        let head = self
            .window
            .bytes(file.as_ref(), byte.into(), PREFIX_BYTES, ahead)?;
        let length = prefix(&head).map_or(0, |(length, _)| length);
        if length > FRAME_BYTES_MAX {
            return Err(Wrong::Length(length as u64).into());
        }
        drop(head);
        let size = PREFIX_BYTES + length;
        Ok(self.window.bytes(file.as_ref(), byte.into(), size, ahead)?)
    }

    /// Bytes to read at once for the records from index `at` on: those that lie close together.
    fn span(&self, at: usize) -> usize {
        let places = self.found.places.get(at..).unwrap_or_default();
        let start = places.first().map_or(0, |place| place.byte as usize);
        let close = places.windows(2).take_while(|pair| match pair {
            [one, next] => {
                let next = next.byte as usize;
                next.saturating_sub(one.byte as usize) <= GAP_BYTES
                    && next.saturating_sub(start) <= SPAN_BYTES
            }
            _ => false,
        });
        let last = close.last().and_then(|pair| pair.last());
        // What damage has taken has the place of the damage, which may lie before.
        last.map_or(0, |last| (last.byte as usize).saturating_sub(start)) + GAP_BYTES
    }
}

/// How many of the first pieces are copied together: at least one.
fn count_together(pieces: &[&[u8]]) -> usize {
    let mut bytes = 0;
    let fits = pieces.iter().skip(1).take_while(|piece| {
        bytes += piece.len();
        bytes <= COPY_BYTES
    });
    1 + fits.count()
}

fn copy(pieces: &[&[u8]]) -> Bytes {
    let mut copy = Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
    for piece in pieces {
        copy.extend_from_slice(piece);
    }
    Bytes::from(copy)
}

fn change(bytes: &Bytes, entry: Entry<'_>, expected: u64) -> Result<Change, Wrong> {
    let Content::State {
        sequence,
        replaces,
        items,
    } = entry.content
    else {
        return Err(Wrong::Content("kind"));
    };
    expect(sequence, expected)?;
    Ok(Change {
        sequence,
        replaces,
        items: record::decode_state(bytes, items)?,
    })
}

fn expect(found: u64, expected: u64) -> Result<(), Wrong> {
    match found == expected {
        true => Ok(()),
        false => Err(Wrong::Place {
            what: "sequence",
            found,
            expected,
        }),
    }
}

/// Why records cannot be had.
pub(crate) enum Failure {
    Wrong(Wrong),
    Lost {
        from: u64,
        next: u64,
    },
    /// The file is not there: compaction has replaced it.
    Moved(io::Error),
    Io(io::Error),
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Moved(error),
            _ => Self::Io(error),
        }
    }
}

impl Failure {
    pub(crate) fn tell(
        self,
        channel: Option<&Name>,
        sequence: u64,
        place: Option<(&Segment, u32)>,
    ) -> ReadError {
        let channel = channel.cloned();
        let segment = place.map_or("index", |(segment, _)| segment.name.as_str());
        let (segment, byte) = (segment.to_owned(), place.map_or(0, |(_, byte)| byte.into()));
        match self {
            Self::Wrong(wrong) => ReadError::Damaged {
                channel,
                sequence,
                segment,
                byte,
                reason: wrong.to_string(),
            },
            Self::Lost { from, next } => ReadError::Lost {
                channel,
                sequence: from,
                next,
            },
            Self::Moved(error) | Self::Io(error) => ReadError::Io {
                segment,
                byte,
                kind: error.kind(),
                reason: error.to_string(),
            },
        }
    }
}
