//! Where the records of one segment are, in memory: of the segment that is written, of one that was
//! just closed, and of one that is scanned.

use crate::registry::{Number, slot, slot_mut};

/// Places in one block of an index whose channel has no gaps.
pub(crate) const DENSE_BLOCK: usize = 1_023;
/// Places in one block of an index whose channel has gaps.
pub(crate) const SPARSE_BLOCK: usize = 341;

/// Where one record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) sequence: u64,
    /// Its first byte in the segment.
    pub(crate) byte: u32,
}

/// Where the records of one channel are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChannelPlaces {
    /// The first sequence that may be here.
    pub(crate) start: u64,
    /// The first sequence behind them.
    pub(crate) next: u64,
    /// Bytes of its records.
    pub(crate) bytes: u64,
    /// The first byte of each.
    offsets: Vec<u32>,
    /// Whether sequences are absent between the records.
    sparse: bool,
    /// The sequence of each, when some are absent.
    sequences: Vec<u64>,
    /// The latest time up to the end of each block but the last, within this segment.
    times: Vec<u64>,
    /// The latest time of all.
    latest: u64,
}

impl ChannelPlaces {
    /// A channel of which sequence `start` comes next.
    pub(crate) fn starting(start: u64) -> Self {
        Self {
            start,
            next: start,
            ..Self::default()
        }
    }

    /// Number of records.
    pub(crate) fn count(&self) -> usize {
        self.offsets.len()
    }

    /// Whether sequences are absent between the records.
    pub(crate) fn is_sparse(&self) -> bool {
        self.sparse
    }

    /// Places in one block.
    pub(crate) fn block(&self) -> usize {
        match self.is_sparse() {
            true => SPARSE_BLOCK,
            false => DENSE_BLOCK,
        }
    }

    /// The latest time up to the end of each block.
    pub(crate) fn times(&self) -> impl Iterator<Item = u64> + '_ {
        let last = (self.count() > 0).then_some(self.latest);
        self.times.iter().copied().chain(last)
    }

    /// Adds a record behind those that are there; sequences before it may be absent.
    pub(crate) fn push(&mut self, place: Place, time: u64, bytes: u64) {
        if !self.is_sparse() && place.sequence != self.start + self.offsets.len() as u64 {
            self.make_sparse();
        }
        if self.is_sparse() {
            self.sequences.push(place.sequence);
        }
        let count = self.offsets.len();
        if count > 0 && count.is_multiple_of(self.block()) {
            self.times.push(self.latest);
        }
        self.latest = self.latest.max(time);
        self.offsets.push(place.byte);
        self.bytes += bytes;
        self.next = self.next.max(place.sequence + 1);
    }

    fn make_sparse(&mut self) {
        self.sparse = true;
        self.sequences = (self.start..).take(self.offsets.len()).collect();
        // What lies in a smaller block is not later than what lies in the larger one around it.
        let full = self.offsets.len().div_ceil(SPARSE_BLOCK).saturating_sub(1);
        let time = |block: usize| {
            let dense = self.times.get(block * SPARSE_BLOCK / DENSE_BLOCK);
            dense.copied().unwrap_or(self.latest)
        };
        self.times = (0..full).map(time).collect();
    }

    /// All records from sequence `from` on.
    pub(crate) fn from(&self, from: u64) -> impl Iterator<Item = Place> + '_ {
        let skip = match self.is_sparse() {
            true => self.sequences.partition_point(|sequence| *sequence < from),
            false => usize::try_from(from.saturating_sub(self.start)).unwrap_or(usize::MAX),
        };
        let dense = move |at: usize| self.start + at as u64;
        let sequence = move |at: usize| self.sequences.get(at).copied().unwrap_or(dense(at));
        let offsets = self.offsets.get(skip..).unwrap_or_default();
        offsets.iter().zip(skip..).map(move |(byte, at)| Place {
            sequence: sequence(at),
            byte: *byte,
        })
    }

    /// A sequence at or before that of the first record whose time is `time` or later; `None` when
    /// all are earlier.
    pub(crate) fn block_reaching(&self, time: u64) -> Option<u64> {
        if self.count() == 0 || self.latest < time {
            return None;
        }
        let block = self.times.partition_point(|latest| *latest < time);
        let first = block.checked_mul(self.block())?;
        Some(match self.is_sparse() {
            true => *self.sequences.get(first)?,
            false => self.start + first as u64,
        })
    }
}

/// Where the records of one segment are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// By number.
    channels: Vec<ChannelPlaces>,
}

impl Places {
    /// No records yet; each channel goes on at what `next` says.
    pub(crate) fn starting(next: impl IntoIterator<Item = u64>) -> Self {
        let channels = next.into_iter().map(ChannelPlaces::starting).collect();
        Self { channels }
    }

    /// The places of a channel.
    pub(crate) fn channel(&self, number: Number) -> Option<&ChannelPlaces> {
        self.channels.get(slot(number))
    }

    /// The places of a channel, to change.
    pub(crate) fn channel_mut(&mut self, number: Number) -> &mut ChannelPlaces {
        slot_mut(&mut self.channels, number)
    }

    /// All channels with their numbers.
    pub(crate) fn channels(&self) -> impl Iterator<Item = (Number, &ChannelPlaces)> {
        (0..).zip(&self.channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_right_at_the_borders_of_blocks() {
        let borders = [
            SPARSE_BLOCK,
            2 * SPARSE_BLOCK,
            DENSE_BLOCK,
            4 * SPARSE_BLOCK,
            2 * DENSE_BLOCK,
        ];
        let counts = borders.iter().flat_map(|border| border - 1..=border + 1);
        for dense in counts.chain([0, 1]) {
            for sparse in [0, 1, SPARSE_BLOCK - 1, SPARSE_BLOCK, SPARSE_BLOCK + 1] {
                let mut channel = ChannelPlaces::starting(0);
                let time = |at: usize| 10 * at as u64;
                for at in 0..dense + sparse {
                    // One is absent where the sparse part starts.
                    let sequence = at as u64 + u64::from(at >= dense);
                    let byte = u32::try_from(at).unwrap();
                    channel.push(Place { sequence, byte }, time(at), 1);
                }
                let count = dense + sparse;
                let blocks = count.div_ceil(channel.block());
                assert_eq!(channel.times().count(), blocks, "{dense} + {sparse}");
                for at in 0..count {
                    let found = channel.block_reaching(time(at)).unwrap();
                    let sequence = at as u64 + u64::from(at >= dense);
                    let near = found <= sequence && sequence - found <= DENSE_BLOCK as u64;
                    assert!(near, "{at} of {dense} + {sparse} is not near {found}");
                }
                assert_eq!(channel.block_reaching(time(count)), None);
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_a_list(start in 0..50_u64, gaps in proptest::collection::vec(
            prop_oneof![8 => Just(0_u64), 1 => 1..5_u64], 0..1_500,
        ), from in 0..1_700_u64, time in 0..1_000_u64) {
            let mut channel = ChannelPlaces::starting(start);
            let mut expected = Vec::new();
            let mut sequence = start;
            for (at, gap) in gaps.iter().enumerate() {
                sequence += gap;
                let byte = u32::try_from(at * 7).unwrap();
                let place = Place { sequence, byte };
                let written = (at as u64 * 7_919) % 1_000;
                channel.push(place, written, 1);
                expected.push((place, written));
                sequence += 1;
            }
            prop_assert_eq!(channel.count(), expected.len());
            let places: Vec<Place> = channel.from(from).collect();
            let after: Vec<Place> = expected.iter().map(|(place, _)| *place)
                .filter(|place| place.sequence >= from).collect();
            prop_assert_eq!(places, after);
            let first = expected.iter().find(|(_, written)| *written >= time);
            let block = channel.block_reaching(time);
            match (first, block) {
                (Some((place, _)), Some(block)) => prop_assert!(block <= place.sequence),
                (Some(_), None) => prop_assert!(false, "a time is not found"),
                (None, Some(_)) => prop_assert!(channel.is_sparse(), "a time is found that is not there"),
                (None, None) => {}
            }
        }
    }
}
