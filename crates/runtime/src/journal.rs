//! State records as the broker keeps them: lines of JSON, many to a record. Starts that follow each other
//! are one line, and so are ends. Of a state that is too large to be replaced at once the records are
//! compressed.

use bytes::Bytes;
use tidegate_base::limit::BATCH_BYTES_MAX;
use tidegate_delivery::StateRecord;

use crate::together::{self, Together};

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
    /// The latest records, as far as they are to be one line.
    together: Together,
}

impl Lines {
    pub(crate) fn push(&mut self, record: &StateRecord) {
        if self.together.takes(record) {
            return;
        }
        self.close_line();
        if !self.together.takes(record) {
            self.line(&record.encode());
        }
    }

    fn close_line(&mut self) {
        if let Some(line) = self.together.take_line() {
            self.line(&line);
        }
    }

    fn line(&mut self, line: &[u8]) {
        if !self.last.is_empty() && self.last.len() + line.len() > RECORD_BYTES {
            self.close();
        }
        if !self.last.is_empty() {
            self.last.push(b'\n');
        }
        self.last.extend_from_slice(line);
        self.bytes += line.len() + 1;
    }

    /// How many bytes they have together, or a little more.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.together.bytes()
    }

    fn close(&mut self) {
        let last = std::mem::take(&mut self.last);
        self.pieces.push(Bytes::from(last));
    }

    /// The pieces; asking again gives the same ones.
    pub(crate) fn pieces(&mut self) -> Vec<Bytes> {
        self.close_line();
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

/// What a compressed piece starts with, as no line does: then its length, `u32`, and an LZ4 block.
const COMPRESSED: u8 = 1;

/// The whole state, to be committed in one batch in the place of what was kept before; `None` when it is
/// too large for that.
pub(crate) fn checkpoint(records: &[StateRecord]) -> Option<Vec<Bytes>> {
    let pieces = encode(records);
    if fits(&pieces) {
        return Some(pieces);
    }
    let pieces: Vec<Bytes> = pieces.iter().map(|piece| compress(piece)).collect();
    fits(&pieces).then_some(pieces)
}

fn compress(piece: &[u8]) -> Bytes {
    let mut compressed = vec![COMPRESSED];
    compressed.extend(lz4_flex::compress_prepend_size(piece));
    Bytes::from(compressed)
}

/// The lines of a piece, or what is wrong with it.
fn lines(piece: &Bytes) -> Result<Bytes, String> {
    let Some(compressed) = piece.strip_prefix(&[COMPRESSED]) else {
        return Ok(piece.clone());
    };
    let wrong = |what: String| format!("it cannot be decompressed: {what}");
    let (length, block) =
        lz4_flex::block::uncompressed_size(compressed).map_err(|error| wrong(error.to_string()))?;
    if length > BATCH_BYTES_MAX {
        return Err(wrong(format!("it would be {length} bytes")));
    }
    let lines = lz4_flex::decompress(block, length).map_err(|error| wrong(error.to_string()))?;
    // A block that was cut off may end where a shorter one would.
    match lines.len() == length {
        true => Ok(Bytes::from(lines)),
        false => Err(wrong(format!("{} of {length} bytes", lines.len()))),
    }
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
        let bytes = lines(bytes).map_err(|reason| StartError::State { index, reason })?;
        for line in bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            together::decode(line, &mut records)
                .map_err(|reason| StartError::State { index, reason })?;
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
    fn a_state_of_many_records_is_one_checkpoint_and_comes_back() {
        let record = |sequence| StateRecord::Done {
            consumer: "billing/OrderPlaced".parse().unwrap(),
            sequence,
            identity: None,
            state: None,
            generation: 1,
        };
        let records: Vec<StateRecord> = (0..200_000).map(record).collect();
        assert!(!fits(&encode(&records)));
        let pieces = checkpoint(&records).unwrap();
        assert!(fits(&pieces));
        assert_eq!(decode(&pieces).unwrap(), records);
        let cut = pieces.first().unwrap().slice(..100);
        let error = decode(&[cut]).unwrap_err().to_string();
        assert!(error.contains("cannot be decompressed"), "{error}");
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
