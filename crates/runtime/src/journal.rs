//! State records as the broker keeps them: lines of JSON, many to a record.

use bytes::Bytes;
use tidegate_base::limit::BATCH_BYTES_MAX;
use tidegate_delivery::StateRecord;

use crate::runtime::StartError;

/// Lines are joined up to this size.
const RECORD_BYTES: usize = 256 << 10;
/// Most bytes that are committed together: well below [`BATCH_BYTES_MAX`].
pub(crate) const COMMIT_BYTES_MAX: usize = BATCH_BYTES_MAX / 2;

/// Records as lines, joined into few pieces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    pieces: Vec<Bytes>,
    last: Vec<u8>,
    bytes: usize,
}

impl Lines {
    pub(crate) fn push(&mut self, record: &StateRecord) {
        let line = record.encode();
        if !self.last.is_empty() && self.last.len() + line.len() > RECORD_BYTES {
            self.close();
        }
        if !self.last.is_empty() {
            self.last.push(b'\n');
        }
        self.last.extend_from_slice(&line);
        self.bytes += line.len() + 1;
    }

    /// How many bytes they have together, or one a piece more.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn close(&mut self) {
        let last = std::mem::take(&mut self.last);
        self.pieces.push(Bytes::from(last));
    }

    /// The pieces; asking again gives the same ones.
    pub(crate) fn pieces(&mut self) -> Vec<Bytes> {
        if !self.last.is_empty() {
            self.close();
        }
        self.pieces.clone()
    }
}

/// The records as lines, joined into few pieces.
pub(crate) fn encode(records: &[StateRecord]) -> Vec<Bytes> {
    let mut lines = Lines::default();
    for record in records {
        lines.push(record);
    }
    lines.pieces()
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
