//! Reading: where the records from a sequence on are, in memory or in an index, and what is skipped on the
//! way there; [`crate::reader`] then reads them.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use tidegate_base::Name;

use crate::directories;
use crate::places::{ChannelPlaces, Place};
use crate::reader::{Failure, Found, Reader, SPAN_BYTES};
use crate::recent::Chunks;
use crate::registry::{Number, STATE};
use crate::shared::{Closed, Shared, Visible};
use crate::snapshot::Extent;
use crate::{Keep, ReadError, ReadLimit, Record};

/// Most records of one read: bounds the places that are copied from an index.
pub(crate) const READ_RECORDS_MAX: usize = 4_096;
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

/// The state: what no replacement or finished checkpoint has removed, in order.
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

    fn retain_wanted(&self, places: &mut SmallVec<[Place; 8]>) {
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
            places: places.into(),
            chunks: Chunks::new(),
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
    let places: SmallVec<[Place; 8]> = active.from(from).take(count).collect();
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
