//! Sets of time as sorted stretches that do not touch.

use std::time::Duration;

use tidegate_base::Timestamp;

/// From a time up to another one.
pub(super) type Stretch = (Timestamp, Timestamp);

/// The parts of `whole` that no stretch of `taken` covers; `taken` in any order.
pub(super) fn without(whole: Stretch, taken: &mut [Stretch]) -> Vec<Stretch> {
    taken.sort_unstable();
    let mut rest = Vec::new();
    let mut reached = whole.0;
    for (from, to) in taken.iter().filter(|(from, to)| from < to) {
        if *from >= whole.1 {
            break;
        }
        if *from > reached {
            rest.push((reached, *from));
        }
        reached = reached.max(*to);
    }
    if reached < whole.1 {
        rest.push((reached, whole.1));
    }
    rest
}

/// How long stretches are together.
pub(super) fn total(stretches: &[Stretch]) -> Duration {
    stretches.iter().map(|(from, to)| to.since(*from)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(nanos: u64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    proptest! {
        #[test]
        fn what_is_left_is_what_no_stretch_covers(
            taken in proptest::collection::vec((0_u64..40, 0_u64..10), 0..8),
            from in 0_u64..30, long in 0_u64..20,
        ) {
            let stretches: Vec<Stretch> = taken.iter().map(|(a, b)| (at(*a), at(a + b))).collect();
            let rest = without((at(from), at(from + long)), &mut stretches.clone());
            let expected = (from..from + long)
                .filter(|t| !stretches.iter().any(|(a, b)| *a <= at(*t) && at(*t) < *b))
                .count();
            prop_assert_eq!(total(&rest), Duration::from_nanos(expected as u64));
            prop_assert!(rest.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
