//! Reading the records of one segment whose places are known: from the latest frames in memory, or from
//! the disk. Nothing here holds a lock while it reads.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
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

/// A change of the state.
pub(crate) struct Change {
    pub(crate) sequence: u64,
    pub(crate) replaces: bool,
    pub(crate) items: Vec<Bytes>,
}

/// Where copied records end.
type Ends = SmallVec<[usize; 16]>;

/// Records of one segment.
pub(crate) struct Found {
    pub(crate) segment: Arc<Segment>,
    pub(crate) places: Vec<Place>,
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
        let channel = self.channel.map_or("", Name::as_str);
        self.each(bytes_max, |bytes, entry, expected| match entry.content {
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
        self.each(usize::MAX, |bytes, entry, expected| {
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
        })
    }

    fn each<T>(
        &mut self,
        bytes_max: usize,
        take: impl Fn(&Bytes, Entry<'_>, u64) -> Result<T, Wrong>,
    ) -> Result<Vec<T>, Failure> {
        if let Some((copy, ends)) = self.copy_recent(bytes_max) {
            return self.each_of_copy(&copy, &ends, take);
        }
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

    /// As [`Reader::each`], of records that were copied out of memory: they need no check.
    fn each_of_copy<T>(
        &self,
        copy: &Bytes,
        ends: &[usize],
        take: impl Fn(&Bytes, Entry<'_>, u64) -> Result<T, Wrong>,
    ) -> Result<Vec<T>, Failure> {
        let mut taken = Vec::with_capacity(ends.len());
        let mut start = 0;
        for (place, end) in self.found.places.iter().zip(ends) {
            let bytes = copy.get(start..*end).unwrap_or_default();
            start = *end;
            let entry = record::decode_trusted(bytes)?;
            taken.push(take(copy, entry, place.sequence)?);
        }
        Ok(taken)
    }

    /// Copies the records out of the latest frames into one piece, so that a slow reader holds what it
    /// has read and not what was written with it. Returns where each ends; `None` when they are not in
    /// memory.
    fn copy_recent(&self, bytes_max: usize) -> Option<(Bytes, Ends)> {
        let chunks = self.found.chunks.as_slice();
        let mut at = 0;
        chunks.first()?;
        let mut copy = BytesMut::with_capacity(bytes_max.min(self.found.places.len() * 512));
        let mut ends = Ends::new();
        for place in &self.found.places {
            while chunks
                .get(at + 1)
                .is_some_and(|next| next.start <= place.byte)
            {
                at += 1;
            }
            let bytes = chunks.get(at)?.from(place.byte)?;
            let (length, _) = prefix(bytes)?;
            let bytes = bytes.get(..PREFIX_BYTES.checked_add(length)?)?;
            if !ends.is_empty() && copy.len() + bytes.len() > bytes_max {
                break;
            }
            copy.extend_from_slice(bytes);
            ends.push(copy.len());
        }
        Some((copy.freeze(), ends))
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
                reason: error.to_string(),
            },
        }
    }
}
