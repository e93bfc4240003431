//! State records as the broker keeps them: lines of JSON, many to a record. Starts that follow each other
//! are one line, and so are ends. Of a state that is too large to be replaced at once the records are
//! compressed.

use bytes::Bytes;
use tidegate_base::ConsumerId;
use tidegate_base::limit::BATCH_BYTES_MAX;
use tidegate_delivery::StateRecord;

use crate::checkpoint;
use crate::runtime::StartError;
use crate::together::{self, Together};

/// Lines are joined up to this size.
const RECORD_BYTES: usize = 256 << 10;
/// Most bytes that are committed together: well below [`BATCH_BYTES_MAX`].
pub(crate) const COMMIT_BYTES_MAX: usize = BATCH_BYTES_MAX / 2;

/// Records as lines, joined into few pieces.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    piece_bytes_max: usize,
    pieces: Vec<Bytes>,
    last: Vec<u8>,
    bytes: usize,
    /// The latest records, as far as they are to be one line.
    together: Together,
}

impl Default for Lines {
    fn default() -> Self {
        Self::in_pieces_of(RECORD_BYTES)
    }
}

impl Lines {
    fn in_pieces_of(piece_bytes_max: usize) -> Self {
        Self {
            piece_bytes_max,
            pieces: Vec::new(),
            last: Vec::new(),
            bytes: 0,
            together: Together::default(),
        }
    }

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
        if !self.last.is_empty() && self.last.len() + line.len() > self.piece_bytes_max {
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

/// The records as lines, joined into few pieces, which are no larger than they must be.
pub(crate) fn encode(records: &[StateRecord], piece_bytes_max: usize) -> Vec<Bytes> {
    let mut lines = Lines::in_pieces_of(piece_bytes_max.min(RECORD_BYTES));
    for record in records {
        lines.push(record);
    }
    lines.pieces()
}

/// What a compressed piece starts with, as no line does: then its length, `u32`, and an LZ4 block.
const COMPRESSED: u8 = 1;

/// The piece in less room.
pub(crate) fn compress(piece: &[u8]) -> Bytes {
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
pub(crate) fn bytes(pieces: &[Bytes]) -> usize {
    pieces.iter().map(Bytes::len).sum()
}

/// The pieces in groups of at most so many bytes, or of one piece.
pub(crate) fn groups(pieces: Vec<Bytes>, bytes_max: usize) -> Vec<Vec<Bytes>> {
    let mut groups: Vec<Vec<Bytes>> = Vec::new();
    for piece in pieces {
        match groups.last_mut() {
            Some(group) if bytes(group) + piece.len() <= bytes_max => {
                group.push(piece);
            }
            _ => groups.push(vec![piece]),
        }
    }
    groups
}

/// The deliveries that end in pieces that were encoded here, in order.
pub(crate) fn ends(pieces: &[Bytes]) -> Vec<(ConsumerId, u64)> {
    let mut records = Vec::new();
    for line in pieces
        .iter()
        .flat_map(|piece| piece.split(|byte| *byte == b'\n'))
    {
        // What was written here can be read.
        let _read = together::decode(line, &mut records);
    }
    let end = |record| match record {
        StateRecord::Done {
            consumer, sequence, ..
        } => Some((consumer, sequence)),
        _ => None,
    };
    records.into_iter().filter_map(end).collect()
}

/// The records of a state.
pub(crate) fn decode(state: &[Bytes]) -> Result<Vec<StateRecord>, StartError> {
    let mut records = Vec::new();
    for (index, bytes) in checkpoint::resolve(state) {
        let bytes = lines(&bytes).map_err(|reason| StartError::State { index, reason })?;
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
        let pieces = encode(&records, RECORD_BYTES);
        assert!(pieces.len() < 100, "{}", pieces.len());
        assert_eq!(decode(&pieces).unwrap(), records);
    }

    #[test]
    fn what_does_not_fit_is_committed_in_groups() {
        let pieces = vec![Bytes::from(vec![b'x'; 3 << 20]); 5];
        let groups = groups(pieces.clone(), COMMIT_BYTES_MAX);
        assert!(groups.iter().all(|group| bytes(group) <= COMMIT_BYTES_MAX));
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
        assert!(encode(&[], RECORD_BYTES).is_empty());
    }
}
