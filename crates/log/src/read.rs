//! Reading: first where the records are, in memory or in an index, then the records, from the latest
//! frames in memory or from the disk. Nothing here holds a lock while it reads.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tidegate_base::Name;

use crate::directories;
use crate::frame::FRAME_BYTES_MAX;
use crate::places::{ChannelPlaces, Place};
use crate::recent::Chunk;
use crate::record::{self, Content, Entry, PREFIX_BYTES, Wrong, prefix};
use crate::registry::{Number, STATE};
use crate::segment::Segment;
use crate::shared::{Closed, Shared, Visible};
use crate::snapshot::Extent;
use crate::window::Window;
use crate::{Keep, ReadError, ReadLimit, Record};

/// Most records of one read: bounds the places that are copied from an index.
pub(crate) const READ_RECORDS_MAX: usize = 4_096;
/// Records that are no farther apart than this are read in one call.
const GAP_BYTES: usize = 4 << 10;
/// Most bytes of one call, but for one larger record.
const SPAN_BYTES: usize = 256 << 10;
/// How often a read starts over because compaction has moved what it was about to read.
const MOVES_MAX: usize = 16;

/// The records of a channel from sequence `from` on, within the limit.
pub(crate) fn records(
    shared: &Shared,
    channel: &Name,
    from: u64,
    limit: ReadLimit,
) -> Result<Vec<Record>, ReadError> {
    match Query::of_channel(shared, channel) {
        Some(query) => query.read(from, limit.records, |reader| reader.records(limit.bytes)),
        None => Ok(Vec::new()),
    }
}

/// The state: the records of the last replacement and of every addition since, in order.
pub(crate) fn state(shared: &Shared) -> Result<Vec<Bytes>, ReadError> {
    let query = Query {
        shared,
        channel: None,
        number: STATE,
    };
    let mut from = 0;
    let mut state = Vec::new();
    loop {
        let changes = query.read(from, READ_RECORDS_MAX, |reader| reader.changes())?;
        let Some(last) = changes.last() else {
            return Ok(state);
        };
        from = last.sequence + 1;
        for change in changes {
            // It may be replaced while it is read.
            if change.replaces {
                state.clear();
            }
            state.extend(change.items);
        }
    }
}

/// The sequence of the first record of a channel whose time is `time` or later; the tail when there
/// is none.
pub(crate) fn at_time(shared: &Shared, channel: &Name, time: u64) -> Result<u64, ReadError> {
    match Query::of_channel(shared, channel) {
        Some(query) => query.at_time(time),
        None => Ok(0),
    }
}

/// How many records of a channel there are in `range`, but for those that `keep` pins. Counts places and
/// reads no record.
pub(crate) fn count(
    shared: &Shared,
    channel: &Name,
    range: Range<u64>,
    keep: &Keep,
) -> Result<u64, ReadError> {
    let Some(query) = Query::of_channel(shared, channel) else {
        return Ok(0);
    };
    let (mut from, mut count) = (range.start, 0);
    while from < range.end {
        from = match query.search(from, READ_RECORDS_MAX) {
            Ok(Search::Tail) => break,
            Ok(Search::Behind(next)) => next.max(from + 1),
            Ok(Search::Found(found)) => {
                let counts = |place: &&Place| {
                    range.contains(&place.sequence) && !keep.is_pinned(place.sequence)
                };
                count += found.places.iter().filter(counts).count() as u64;
                found.places.last().map_or(from, |last| last.sequence) + 1
            }
            Err(Failure::Lost { next, .. }) => next,
            Err(failure) => return Err(failure.tell(Some(channel), from, None)),
        };
    }
    Ok(count)
}

struct Query<'a> {
    shared: &'a Shared,
    /// `None`: the state.
    channel: Option<&'a Name>,
    number: Number,
}

/// Where the first records from a sequence on are.
enum Search {
    /// In this segment.
    Found(Found),
    /// Not before that sequence.
    Behind(u64),
    /// Nowhere: the tail is reached.
    Tail,
}

/// A change of the state.
struct Change {
    sequence: u64,
    replaces: bool,
    items: Vec<Bytes>,
}

/// Records of one segment.
struct Found {
    segment: Arc<Segment>,
    places: Vec<Place>,
    /// The latest frames, when they hold all of these records.
    chunks: Vec<Arc<Chunk>>,
}

impl<'a> Query<'a> {
    fn of_channel(shared: &'a Shared, channel: &'a Name) -> Option<Self> {
        let number = shared.registry().find(channel.as_str())?;
        Some(Self {
            shared,
            channel: Some(channel),
            number,
        })
    }

    /// Takes, with `take`, from the first records from `from` on that there are; nothing at the tail.
    fn read<T>(
        &self,
        from: u64,
        records_max: usize,
        take: impl Fn(&mut Reader<'_>) -> Result<Vec<T>, Failure>,
    ) -> Result<Vec<T>, ReadError> {
        let count = records_max.clamp(1, READ_RECORDS_MAX);
        let mut from = from;
        let mut moves = 0;
        match self.at_tail(from, count) {
            Some(Search::Found(found)) => {
                let mut reader = Reader::new(self.shared, self.channel, found);
                match take(&mut reader) {
                    // Closed, cleaned and moved meanwhile.
                    Err(Failure::Moved(_)) => {}
                    taken => return taken.map_err(|failure| reader.tell(failure)),
                }
            }
            Some(Search::Tail) => return Ok(Vec::new()),
            _ => {}
        }
        loop {
            from = self.first_wanted(from);
            let moved = match self.search(from, count) {
                Ok(Search::Tail) => return Ok(Vec::new()),
                Ok(Search::Behind(next)) => {
                    from = next.max(from + 1);
                    continue;
                }
                Ok(Search::Found(found)) => match self.take(found, &take) {
                    Taken::Some(taken) => return taken,
                    Taken::Behind(next) => {
                        from = next;
                        continue;
                    }
                    Taken::Moved(error) => error,
                },
                Err(Failure::Moved(error)) => error,
                Err(failure) => return Err(failure.tell(self.channel, from, None)),
            };
            moves += 1;
            if moves > MOVES_MAX {
                return Err(Failure::Io(moved).tell(self.channel, from, None));
            }
        }
    }

    fn take<T>(
        &self,
        mut found: Found,
        take: &impl Fn(&mut Reader<'_>) -> Result<Vec<T>, Failure>,
    ) -> Taken<T> {
        let last = found.places.last().map_or(0, |last| last.sequence);
        self.retain_wanted(&mut found.places);
        if found.places.is_empty() {
            return Taken::Behind(last + 1);
        }
        let mut reader = Reader::new(self.shared, self.channel, found);
        match take(&mut reader) {
            Err(Failure::Moved(error)) => Taken::Moved(error),
            taken => Taken::Some(taken.map_err(|failure| reader.tell(failure))),
        }
    }

    /// The first records from `from` on when they are in the segment that is written and readers may
    /// see all of them: one look answers what most reads ask.
    fn at_tail(&self, from: u64, count: usize) -> Option<Search> {
        let visible = self.shared.visible();
        let extent = visible.extent(self.number);
        if from >= extent.next {
            return Some(Search::Tail);
        }
        let active = visible.places.channel(self.number)?;
        (from >= extent.low.max(active.start))
            .then(|| found_in_active(&visible, active, from, count))
    }

    fn low(&self) -> u64 {
        self.shared.visible().extent(self.number).low
    }

    /// The first sequence from `from` on that retention has left, or that is pinned.
    fn first_wanted(&self, from: u64) -> u64 {
        let low = self.low();
        if from >= low {
            return from;
        }
        let keep = self.shared.keep(self.number);
        let pinned = keep.and_then(|keep| {
            let at = keep.pinned.partition_point(|pinned| *pinned < from);
            keep.pinned.get(at).copied()
        });
        pinned.map_or(low, |pinned| pinned.min(low))
    }

    fn retain_wanted(&self, places: &mut Vec<Place>) {
        let low = self.low();
        if places.first().is_some_and(|first| first.sequence < low) {
            let keep = self.shared.keep(self.number);
            let pinned = |sequence| keep.as_ref().is_some_and(|keep| keep.is_pinned(sequence));
            places.retain(|place| place.sequence >= low || pinned(place.sequence));
        }
    }

    fn search(&self, from: u64, count: usize) -> Result<Search, Failure> {
        let (closed, active_start) = {
            let visible = self.shared.visible();
            if from >= visible.extent(self.number).next {
                return Ok(Search::Tail);
            }
            let Some(active) = visible.places.channel(self.number) else {
                return Ok(Search::Tail);
            };
            if from >= active.start {
                return Ok(found_in_active(&visible, active, from, count));
            }
            (Arc::clone(&visible.closed), active.start)
        };
        let low = self.low();
        let at = self.first_ending_behind(&closed, from)?;
        let Some(candidate) = closed.get(at) else {
            return absent(from, active_start, low);
        };
        let (start, next) = self.bounds(candidate)?;
        if start > from {
            return absent(from, start, low);
        }
        let places = self.places(candidate, from, count)?;
        let segment = &candidate.segment;
        if places.is_empty() {
            return match segment.has_gaps() {
                true => Ok(Search::Behind(next)),
                false => absent(from, next, low),
            };
        }
        Ok(Search::Found(Found {
            segment: Arc::clone(segment),
            places,
            chunks: Vec::new(),
        }))
    }

    /// The first closed segment that holds sequences behind `from`.
    fn first_ending_behind(&self, closed: &[Closed], from: u64) -> Result<usize, Failure> {
        let (mut low, mut high) = (0, closed.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let next = match closed.get(middle) {
                Some(closed) => self.bounds(closed)?.1,
                None => 0,
            };
            match next <= from {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Ok(low)
    }

    /// The first sequence that may be in a closed segment, and the first behind it.
    fn bounds(&self, closed: &Closed) -> Result<(u64, u64), Failure> {
        if let Some(bounds) = self.in_sealed(closed, |channel| (channel.start, channel.next)) {
            return Ok(bounds);
        }
        let directory = directories::of(self.shared, closed)?;
        let listed = directory.channel(self.number);
        Ok(listed.map_or((0, 0), |listed| (listed.start, listed.next)))
    }

    fn places(&self, closed: &Closed, from: u64, count: usize) -> Result<Vec<Place>, Failure> {
        let in_memory = |channel: &ChannelPlaces| channel.from(from).take(count).collect();
        if let Some(places) = self.in_sealed(closed, in_memory) {
            return Ok(places);
        }
        let mut places = directories::places(self.shared, closed, self.number, |listed, file| {
            listed.places(file, from)
        })?;
        places.truncate(count);
        Ok(places)
    }

    /// What `ask` says of the channel in a closed segment whose index is not on the disk yet.
    fn in_sealed<T>(&self, closed: &Closed, ask: impl Fn(&ChannelPlaces) -> T) -> Option<T> {
        let places = {
            let visible = self.shared.visible();
            let sealed = visible.sealed.iter().find(|s| s.closed == *closed)?;
            Arc::clone(&sealed.places)
        };
        let absent = ChannelPlaces::default();
        Some(ask(places.channel(self.number).unwrap_or(&absent)))
    }

    /// The first record whose time is `time` or later.
    fn at_time(&self, time: u64) -> Result<u64, ReadError> {
        let mut moves = 0;
        loop {
            match self.look_for_time(time) {
                Ok(found) => return found,
                // Cleaned meanwhile: what replaces it is looked into.
                Err(Failure::Moved(_)) if moves < MOVES_MAX => moves += 1,
                Err(failure) => return Err(failure.tell(self.channel, self.low(), None)),
            }
        }
    }

    fn look_for_time(&self, time: u64) -> Result<Result<u64, ReadError>, Failure> {
        // All in one look, so that no segment that is closed meanwhile falls between the two.
        let (closed, active, extent) = {
            let visible = self.shared.visible();
            let active = visible.places.channel(self.number);
            let active = active.and_then(|active| active.block_reaching(time));
            let extent = visible.extent(self.number);
            (Arc::clone(&visible.closed), active, extent)
        };
        let Extent { next, low } = extent;
        for closed in closed.iter() {
            let Some(from) = self.reaching(closed, time)? else {
                continue;
            };
            let (_, end) = self.bounds(closed)?;
            match self.first_at(from.max(low), end, time) {
                Ok(None) => {}
                Ok(Some(sequence)) => return Ok(Ok(sequence)),
                Err(error) => return Ok(Err(error)),
            }
        }
        let found = self.first_at(active.unwrap_or(next).max(low), next, time);
        Ok(found.map(|found| found.unwrap_or(next)))
    }

    /// A sequence of a closed segment from which on the first record of that time is near.
    fn reaching(&self, closed: &Closed, time: u64) -> Result<Option<u64>, Failure> {
        if let Some(from) = self.in_sealed(closed, |channel| channel.block_reaching(time)) {
            return Ok(from);
        }
        let reaching = |listed: &crate::index_file::Listed, file: &dyn crate::DiskFile| {
            listed.places_reaching(file, time)
        };
        let places = directories::places(self.shared, closed, self.number, reaching)?;
        Ok(places.first().map(|place| place.sequence))
    }

    /// The first record between `from` and `next` whose time is `time` or later.
    fn first_at(&self, from: u64, next: u64, time: u64) -> Result<Option<u64>, ReadError> {
        let mut from = from;
        while from < next {
            let records = self.read(from, READ_RECORDS_MAX, |reader| reader.records(SPAN_BYTES))?;
            let Some(last) = records.last() else {
                return Ok(None);
            };
            let reached = |record: &&Record| record.time.nanos() >= time;
            if let Some(first) = records.iter().find(reached) {
                return Ok((first.sequence < next).then_some(first.sequence));
            }
            from = last.sequence + 1;
        }
        Ok(None)
    }
}

/// What was taken.
enum Taken<T> {
    Some(Result<Vec<T>, ReadError>),
    /// Nothing that readers may see: go on there.
    Behind(u64),
    /// Compaction has moved it.
    Moved(io::Error),
}

fn found_in_active(visible: &Visible, active: &ChannelPlaces, from: u64, count: usize) -> Search {
    let places: Vec<Place> = active.from(from).take(count).collect();
    let (Some(first), Some(last)) = (places.first(), places.last()) else {
        return Search::Tail;
    };
    let segment = Arc::clone(&visible.active);
    let chunks = visible.recent.range(segment.id, first.byte, last.byte);
    Search::Found(Found {
        segment,
        places,
        chunks,
    })
}

/// No segment has the sequences from `from` up to `next`: retention has passed them, or they are lost.
fn absent(from: u64, next: u64, low: u64) -> Result<Search, Failure> {
    match from < low {
        true => Ok(Search::Behind(next)),
        false => Err(Failure::Lost { from, next }),
    }
}

/// Reads records of one segment, one after the other.
struct Reader<'a> {
    shared: &'a Shared,
    channel: Option<&'a Name>,
    found: Found,
    window: Window,
}

impl<'a> Reader<'a> {
    fn new(shared: &'a Shared, channel: Option<&'a Name>, found: Found) -> Self {
        Self {
            shared,
            channel,
            found,
            window: Window::default(),
        }
    }

    /// The failure of reading the first of the records.
    fn tell(&self, failure: Failure) -> ReadError {
        let first = self.found.places.first();
        let place = first.map(|first| (self.found.segment.as_ref(), first.byte));
        failure.tell(self.channel, first.map_or(0, |first| first.sequence), place)
    }

    /// As many records as there are, and no more bytes than allowed, but for the first one.
    fn records(&mut self, bytes_max: usize) -> Result<Vec<Record>, Failure> {
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
    fn changes(&mut self) -> Result<Vec<Change>, Failure> {
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
        let salt = self.found.segment.salt;
        let mut decoded = Vec::with_capacity(self.found.places.len());
        let mut left = bytes_max;
        let copies = self.copy_recent(bytes_max);
        for at in 0..self.found.places.len() {
            let Some(place) = self.found.places.get(at).copied() else {
                break;
            };
            let bytes = match &copies {
                Some(copies) => match copies.get(at) {
                    Some(bytes) => Ok(bytes.clone()),
                    None => break,
                },
                None => self.read_from_disk(at, place.byte),
            };
            let first = decoded.is_empty();
            let one = bytes.and_then(|bytes| {
                let entry = match copies {
                    Some(_) => record::decode_trusted(&bytes)?,
                    None => record::decode(&bytes, salt)?.0,
                };
                Ok((bytes.len(), take(&bytes, entry, place.sequence)?))
            });
            match one {
                Ok((size, _)) if size > left && !first => break,
                Ok((size, one)) => {
                    left = left.saturating_sub(size);
                    decoded.push(one);
                }
                Err(failure) if first => return Err(failure),
                // What is before it is whole: the next read tells.
                Err(_) => break,
            }
        }
        Ok(decoded)
    }

    /// Copies the records out of the latest frames into one piece, so that a slow reader holds what it
    /// has read and not what was written with it. `None` when they are not in memory.
    fn copy_recent(&self, bytes_max: usize) -> Option<Vec<Bytes>> {
        let mut chunks = self.found.chunks.iter().peekable();
        chunks.peek()?;
        let mut copy = BytesMut::with_capacity(bytes_max.min(self.found.places.len() * 512));
        let mut ends = Vec::with_capacity(self.found.places.len());
        for place in &self.found.places {
            let starts_later = |next: &&Arc<Chunk>| next.start > place.byte;
            let mut chunk = *chunks.peek()?;
            while let Some(next) = chunks.clone().nth(1).filter(|next| !starts_later(next)) {
                chunk = next;
                chunks.next();
            }
            let bytes = chunk.from(place.byte)?;
            let (length, _) = prefix(bytes)?;
            let bytes = bytes.get(..PREFIX_BYTES.checked_add(length)?)?;
            if !ends.is_empty() && copy.len() + bytes.len() > bytes_max {
                break;
            }
            copy.extend_from_slice(bytes);
            ends.push(copy.len());
        }
        let copy = copy.freeze();
        let starts = std::iter::once(0).chain(ends.iter().copied());
        Some(
            starts
                .zip(&ends)
                .map(|(start, end)| copy.slice(start..*end))
                .collect(),
        )
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
        last.map_or(0, |last| last.byte as usize - start) + GAP_BYTES
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
enum Failure {
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
    fn tell(
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
