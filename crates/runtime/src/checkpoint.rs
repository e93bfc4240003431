//! A checkpoint: the whole state in the place of everything that was kept before.
//!
//! What fits in one batch replaces the state. What does not is committed in parts, between which records may be
//! appended as ever: only the last part removes what was kept before the first. Each piece of it says which one of
//! how many it is, so that a reader knows a checkpoint that was cut off. It is passed over, as all that it stands
//! for is still there; and one that is whole counts in the place of everything before its first piece.

use bytes::{Buf, BufMut, Bytes};
use tidegate_broker::StateChange;
use tidegate_delivery::StateRecord;

use crate::journal;

/// What a piece of a checkpoint in parts starts with, as no other does: then its number and how many there are,
/// each `u32`, little-endian.
const PART: u8 = 2;
const HEAD_BYTES: usize = 1 + 4 + 4;

/// The changes of the state to be committed one after the other, each once the one before is done. None is larger
/// than it must be to keep to the most bytes of a batch.
pub(crate) fn changes(records: &[StateRecord], batch_bytes_max: usize) -> Vec<StateChange> {
    let pieces = journal::encode(records, batch_bytes_max);
    if journal::bytes(&pieces) <= batch_bytes_max {
        return vec![StateChange::Replace(pieces)];
    }
    let pieces: Vec<Bytes> = pieces
        .iter()
        .map(|piece| journal::compress(piece))
        .collect();
    if journal::bytes(&pieces) <= batch_bytes_max {
        return vec![StateChange::Replace(pieces)];
    }
    let of = pieces.len();
    let parts = pieces.iter().enumerate();
    let parts = parts.map(|(number, piece)| part(number, of, piece));
    in_order(journal::groups(parts.collect(), batch_bytes_max))
}

/// The first group begins, the last one finishes.
fn in_order(groups: Vec<Vec<Bytes>>) -> Vec<StateChange> {
    let last = groups.len().saturating_sub(1);
    let change = |(at, group)| match at {
        _ if last == 0 => StateChange::Replace(group),
        0 => StateChange::Begin(group),
        at if at == last => StateChange::Finish(group),
        _ => StateChange::Append(group),
    };
    groups.into_iter().enumerate().map(change).collect()
}

/// Bytes of all records of the changes.
pub(crate) fn bytes(changes: &[StateChange]) -> u64 {
    let bytes = changes
        .iter()
        .map(|change| journal::bytes(change.records()));
    u64::try_from(bytes.sum::<usize>()).unwrap_or(u64::MAX)
}

fn part(number: usize, of: usize, piece: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + piece.len());
    bytes.put_u8(PART);
    for count in [number, of] {
        bytes.put_u32_le(u32::try_from(count).unwrap_or(u32::MAX));
    }
    bytes.put_slice(piece);
    Bytes::from(bytes)
}

/// The number of a part, of how many, and what it holds; `None` for a piece that is none.
fn parsed(piece: &Bytes) -> Option<(u32, u32, Bytes)> {
    let mut head = piece.get(..HEAD_BYTES)?;
    if head.get_u8() != PART {
        return None;
    }
    Some((
        head.get_u32_le(),
        head.get_u32_le(),
        piece.slice(HEAD_BYTES..),
    ))
}

/// The pieces of a state that count, each with its place: of the last checkpoint in parts that is whole, and what was
/// appended since it began. Those of one that was cut off are left out.
pub(crate) fn resolve(state: &[Bytes]) -> Vec<(usize, Bytes)> {
    let mut counted: Vec<(usize, Bytes)> = Vec::new();
    // Of the checkpoint that is being read: its parts, and how much had been counted when it began.
    let mut parts: Vec<(usize, Bytes)> = Vec::new();
    let mut began_at = 0;
    for (index, piece) in state.iter().enumerate() {
        let Some((number, of, piece)) = parsed(piece) else {
            counted.push((index, piece.clone()));
            continue;
        };
        if number == 0 {
            parts.clear();
            began_at = counted.len();
        }
        if usize::try_from(number).ok() != Some(parts.len()) {
            // Of one whose start is not here: never written so, and it cannot be whole.
            parts.clear();
            continue;
        }
        parts.push((index, piece));
        if number + 1 == of {
            let since = counted.split_off(began_at);
            counted = std::mem::take(&mut parts);
            counted.extend(since);
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_base::Random;
    use tidegate_delivery::Identity;

    use super::*;
    use crate::journal::COMMIT_BYTES_MAX;

    /// A piece with a record that says `epoch`.
    fn piece(epoch: u64) -> Bytes {
        journal::encode(&[StateRecord::Epoch(epoch)], 100).remove(0)
    }

    fn epochs(state: &[Bytes]) -> Vec<u64> {
        let epoch = |record: StateRecord| match record {
            StateRecord::Epoch(epoch) => epoch,
            other => panic!("{other:?}"),
        };
        let records = journal::decode(state).unwrap();
        records.into_iter().map(epoch).collect()
    }

    #[test]
    fn a_state_of_many_records_is_one_batch_and_comes_back() {
        let record = |sequence| StateRecord::Done {
            consumer: "billing/OrderPlaced".parse().unwrap(),
            sequence,
            identity: None,
            state: None,
            generation: 1,
        };
        let records: Vec<StateRecord> = (0..200_000).map(record).collect();
        let plain = journal::encode(&records, COMMIT_BYTES_MAX);
        assert!(journal::bytes(&plain) > COMMIT_BYTES_MAX);
        let changes = changes(&records, COMMIT_BYTES_MAX);
        let [StateChange::Replace(pieces)] = changes.as_slice() else {
            panic!("{} changes", changes.len());
        };
        assert!(journal::bytes(pieces) <= COMMIT_BYTES_MAX);
        assert_eq!(journal::decode(pieces).unwrap(), records);
        let cut = pieces.first().unwrap().slice(..100);
        let error = journal::decode(&[cut]).unwrap_err().to_string();
        assert!(error.contains("cannot be decompressed"), "{error}");
    }

    #[test]
    fn a_state_that_no_batch_holds_is_committed_in_parts_and_comes_back() {
        let random = Random::new(7, "checkpoint", "ids");
        let record = |sequence: u64| StateRecord::Done {
            consumer: "billing/OrderPlaced".parse().unwrap(),
            sequence,
            // Nothing makes it smaller.
            identity: Some(Identity::of(
                "/orders",
                &format!("{:064x}", random.bits(sequence)),
            )),
            state: None,
            generation: 1,
        };
        let records: Vec<StateRecord> = (0..600_000).map(record).collect();
        let changes = changes(&records, COMMIT_BYTES_MAX);
        assert!(changes.len() > 2, "{}", changes.len());
        assert!(matches!(changes.first(), Some(StateChange::Begin(_))));
        assert!(matches!(changes.last(), Some(StateChange::Finish(_))));
        let is_small = |change: &StateChange| journal::bytes(change.records()) <= COMMIT_BYTES_MAX;
        assert!(changes.iter().all(is_small));
        let pieces: Vec<Bytes> = changes
            .iter()
            .flat_map(|change| change.records().to_vec())
            .collect();
        assert_eq!(journal::decode(&pieces).unwrap(), records);
    }

    #[test]
    fn a_checkpoint_that_was_cut_off_is_passed_over() {
        let old = [piece(1), piece(2)];
        let parts: Vec<Bytes> = (0..3)
            .map(|at| part(at, 3, &piece(10 + at as u64)))
            .collect();
        for whole in 0..3 {
            let state: Vec<Bytes> = old.iter().chain(&parts[..whole]).cloned().collect();
            assert_eq!(epochs(&state), [1, 2], "after {whole} parts");
        }
        let state: Vec<Bytes> = old.iter().chain(&parts).cloned().collect();
        assert_eq!(epochs(&state), [10, 11, 12]);
    }

    proptest! {
        /// Whatever is appended meanwhile, however often a checkpoint is cut off, and however much of what it
        /// removes is still seen: the state is the last whole checkpoint and what came since it began.
        #[test]
        fn the_last_whole_checkpoint_counts(
            steps in proptest::collection::vec((0_u8..3, 1_usize..4), 0..40),
            seen in any::<prop::sample::Index>(),
        ) {
            let mut state = Vec::new();
            // Of the state: where what the last whole checkpoint removes ends.
            let mut removed = 0;
            let mut expected: Vec<u64> = Vec::new();
            let mut epoch = 0;
            for (kind, count) in steps {
                let mut next = || {
                    epoch += 1;
                    epoch
                };
                if kind == 0 {
                    let next = next();
                    state.push(piece(next));
                    expected.push(next);
                    continue;
                }
                let began = state.len();
                let base: Vec<u64> = (0..count).map(|_| next()).collect();
                let mut since = Vec::new();
                let parts = if kind == 1 { count } else { count - 1 };
                for (at, epoch) in base.iter().enumerate().take(parts) {
                    state.push(part(at, count, &piece(*epoch)));
                    let meanwhile = next();
                    state.push(piece(meanwhile));
                    since.push(meanwhile);
                }
                if kind == 1 {
                    removed = began;
                    expected = base;
                }
                expected.extend(since);
            }
            let from = seen.index(removed + 1);
            prop_assert_eq!(epochs(&state[from..]), expected);
        }
    }
}
