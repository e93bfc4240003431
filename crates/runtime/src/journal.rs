//! State records as the broker keeps them: lines of JSON, many to a record.

use bytes::Bytes;
use tidegate_base::limit::BATCH_BYTES_MAX;
use tidegate_delivery::StateRecord;

use crate::runtime::StartError;

/// Lines are joined up to this size.
const RECORD_BYTES: usize = 256 << 10;
/// Most bytes that are committed together: well below [`BATCH_BYTES_MAX`].
const COMMIT_BYTES_MAX: usize = BATCH_BYTES_MAX / 2;

/// The records as lines, joined into few pieces.
pub(crate) fn encode(records: &[StateRecord]) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut lines: Vec<u8> = Vec::new();
    for record in records {
        let line = record.encode();
        if !lines.is_empty() && lines.len() + line.len() > RECORD_BYTES {
            pieces.push(Bytes::from(std::mem::take(&mut lines)));
        }
        if !lines.is_empty() {
            lines.push(b'\n');
        }
        lines.extend(line);
    }
    if !lines.is_empty() {
        pieces.push(Bytes::from(lines));
    }
    pieces
}

/// How many bytes the pieces have together.
pub(crate) fn bytes(pieces: &[Bytes]) -> u64 {
    pieces
        .iter()
        .map(|piece| u64::try_from(piece.len()).unwrap_or(u64::MAX))
        .sum()
}

/// Whether the pieces can be committed together.
pub(crate) fn fits(pieces: &[Bytes]) -> bool {
    usize::try_from(bytes(pieces)).is_ok_and(|bytes| bytes <= COMMIT_BYTES_MAX)
}

/// The pieces in groups that can be committed one after the other.
pub(crate) fn groups(pieces: Vec<Bytes>) -> Vec<Vec<Bytes>> {
    let mut groups: Vec<Vec<Bytes>> = Vec::new();
    for piece in pieces {
        match groups.last_mut() {
            Some(group) if group_takes(group, &piece) => {
                group.push(piece);
            }
            _ => groups.push(vec![piece]),
        }
    }
    groups
}

fn group_takes(group: &[Bytes], piece: &Bytes) -> bool {
    let together: usize = group.iter().map(Bytes::len).sum();
    together + piece.len() <= COMMIT_BYTES_MAX
}

/// The records of a state.
pub(crate) fn decode(state: &[Bytes]) -> Result<Vec<StateRecord>, StartError> {
    let mut records = Vec::new();
    for (index, bytes) in state.iter().enumerate() {
        for line in bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let record = StateRecord::decode(line).map_err(|error| StartError::State {
                index,
                reason: error.to_string(),
            })?;
            records.push(record);
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_records_are_few_and_come_back() {
        let records: Vec<StateRecord> = (0..200_000).map(StateRecord::Epoch).collect();
        let pieces = encode(&records);
        assert!(pieces.len() < 100, "{}", pieces.len());
        assert!(fits(&pieces));
        assert_eq!(decode(&pieces).unwrap(), records);
    }

    #[test]
    fn what_does_not_fit_is_committed_in_groups() {
        let pieces = vec![Bytes::from(vec![b'x'; 3 << 20]); 5];
        assert!(!fits(&pieces));
        let groups = groups(pieces.clone());
        assert!(groups.iter().all(|group| fits(group)));
        assert_eq!(groups.concat(), pieces);
    }

    #[test]
    fn a_record_of_another_version_is_refused_with_its_place() {
        let state = [
            Bytes::from_static(b"{\"epoch\":1}"),
            Bytes::from_static(b"{\"future\":1}"),
        ];
        let error = decode(&state).unwrap_err().to_string();
        assert!(
            error.starts_with("state record 1 cannot be understood"),
            "{error}"
        );
        assert!(encode(&[]).is_empty());
    }
}
