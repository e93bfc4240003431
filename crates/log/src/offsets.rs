//! A growing list of addresses in four bytes each.

/// Addresses in one chunk.
const CHUNK: usize = 1_024;

/// Addresses in the log, ascending, in chunks of a full first address and 32-bit distances from it.
///
/// A chunk also ends early when an address is too far from its first. `starts` finds the chunk.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    chunks: Vec<Chunk>,
    length: u64,
}

#[derive(Debug)]
struct Chunk {
    /// Index of its first address in the list.
    start: u64,
    base: u64,
    distances: Vec<u32>,
}

impl Offsets {
    /// Number of addresses.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Adds an address that is not below any before it.
    pub(crate) fn push(&mut self, address: u64) {
        let near = |chunk: &&mut Chunk| chunk.distances.len() < CHUNK;
        let distance = |chunk: &Chunk| u32::try_from(address.checked_sub(chunk.base)?).ok();
        match self
            .chunks
            .last_mut()
            .filter(near)
            .and_then(|chunk| Some((distance(chunk)?, chunk)))
        {
            Some((distance, chunk)) => chunk.distances.push(distance),
            None => {
                let chunk = Chunk {
                    start: self.length,
                    base: address,
                    distances: vec![0],
                };
                self.chunks.push(chunk);
            }
        }
        self.length += 1;
    }

    /// The addresses from index `from` on.
    pub(crate) fn from(&self, from: u64) -> impl Iterator<Item = u64> + '_ {
        let chunk = self
            .chunks
            .partition_point(|chunk| chunk.start <= from)
            .saturating_sub(1);
        let chunks = self.chunks.get(chunk..).unwrap_or_default();
        let skip = chunks
            .first()
            .map_or(0, |chunk| from.saturating_sub(chunk.start));
        let addresses = chunks.iter().flat_map(|chunk| {
            chunk
                .distances
                .iter()
                .map(|distance| chunk.base + u64::from(*distance))
        });
        addresses.skip(usize::try_from(skip).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_list(steps in proptest::collection::vec(
            prop_oneof![0..2_000_u64, Just(u64::from(u32::MAX)), Just(1 << 33)], 0..1_200,
        ), from in 0..1_300_usize) {
            let mut addresses = Vec::new();
            let mut offsets = Offsets::default();
            let mut address = 0;
            for step in steps {
                address += step;
                addresses.push(address);
                offsets.push(address);
            }
            prop_assert_eq!(offsets.len(), addresses.len() as u64);
            let expected = addresses.get(from..).unwrap_or_default();
            prop_assert_eq!(offsets.from(from as u64).collect::<Vec<_>>(), expected);
        }
    }
}
