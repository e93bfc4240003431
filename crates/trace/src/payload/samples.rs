//! Of which traces payloads are read, when they are too many to read all.

use tidegate_base::Random;
use tidegate_base::limit::SPAN_PAYLOADS_BYTES_MAX;

use crate::identifier::Id;
use crate::record;

/// Groups of traces by chance: half of all are in the first, half of the rest in the next, and so on.
const GROUPS: usize = 40;

/// How much payload there is, by the group of its trace. The first groups are left out, as many as are
/// needed to keep the rest below the limit: that depends on what there is in all, and so not on the order
/// in which it comes.
#[derive(Debug)]
pub(crate) struct Samples {
    bytes: [u64; GROUPS],
    bytes_max: u64,
    first: usize,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            bytes: [0; GROUPS],
            bytes_max: u64::try_from(SPAN_PAYLOADS_BYTES_MAX).unwrap_or(u64::MAX),
            first: 0,
        }
    }
}

impl Samples {
    /// Counts what one span tells; whether it is read.
    pub(crate) fn count(&mut self, trace: &Id<'_>, bytes: usize) -> bool {
        let mut written = Vec::with_capacity(24);
        record::put_id(trace, &mut written);
        let group = group(&written);
        if let Some(all) = self.bytes.get_mut(group) {
            *all = all.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
        let rest = |first| self.bytes.iter().skip(first).sum::<u64>();
        while self.first + 1 < GROUPS && rest(self.first) > self.bytes_max {
            self.first += 1;
        }
        group >= self.first
    }

    /// Whether payloads of the trace count, its identifier as it is stored.
    pub(crate) fn has(&self, trace: &[u8]) -> bool {
        self.first == 0 || group(trace) >= self.first
    }

    #[cfg(test)]
    fn with_limit(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            ..Self::default()
        }
    }
}

fn group(trace: &[u8]) -> usize {
    let hash = trace.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // Identifiers that count up are spread as random ones are.
    let zeros = Random::new(1, "payloads", "").bits(hash).leading_zeros();
    usize::try_from(zeros).unwrap_or_default().min(GROUPS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_chosen_within_the_limit_whatever_their_order() {
        let ids: Vec<String> = (0..10_000).map(|number| format!("{number:032x}")).collect();
        let chosen = |ids: &mut dyn Iterator<Item = &String>| {
            let mut samples = Samples::with_limit(20_000);
            let mut read = 0;
            for id in ids {
                read += usize::from(samples.count(&Id::Text(id.into()), 10));
            }
            (samples.first, read)
        };
        let (first, read) = chosen(&mut ids.iter());
        let (backwards, _) = chosen(&mut ids.iter().rev());
        assert_eq!(first, backwards);
        // 100 kB and room for 20: a quarter is too much, an eighth is not.
        assert_eq!(first, 3);
        assert!(read < 6_000, "{read} were read");
        let mut few = Samples::with_limit(20_000);
        assert!(
            ids.iter()
                .take(2_000)
                .all(|id| few.count(&Id::Text(id.into()), 10))
        );
    }
}
