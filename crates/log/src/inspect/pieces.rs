//! What is whole in a segment, and the holes between: frames, and records in frames that are damaged.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::DiskFile;
use crate::frame::{self, FRAME_BYTES_MAX};
use crate::record::{self, PREFIX_BYTES, RECORD_BYTES_MIN, Wrong};
use crate::recovery;
use crate::segment::Segment;
use crate::walk::Walk;
use crate::window::Window;

/// Bytes that are read at once.
const AHEAD_BYTES: usize = 1 << 20;
/// Bytes of a record up to its kind, that one included.
const HEAD_BYTES: usize = PREFIX_BYTES + 8 + 1;
/// The kinds of records.
const KINDS: std::ops::RangeInclusive<u8> = 1..=5;

/// Something whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Position of its first record.
    pub(crate) position: u64,
    /// Position after its last record.
    pub(crate) next: u64,
    /// Where it starts.
    pub(crate) byte: u64,
    /// Its size.
    pub(crate) size: usize,
    /// Whether it is one record of a damaged frame, and not a frame.
    pub(crate) loose: bool,
}

/// Bytes that are not whole, but for the records that are found in them.
#[derive(Clone, Debug)]
pub(crate) struct Hole {
    pub(crate) byte: u64,
    pub(crate) end: u64,
    pub(crate) wrong: Wrong,
}

/// What is met on the way.
pub(crate) enum Met<'a> {
    /// Something whole, with its bytes.
    Piece(Piece, &'a Bytes),
    /// The hole comes before the records in it.
    Hole(Hole),
}

/// A way through one segment, whatever its bytes are.
pub(crate) struct Pieces {
    file: Arc<dyn DiskFile>,
    walk: Walk,
    window: Window,
    salt: u32,
    /// Where it starts.
    from: u64,
    /// Positions that its records can have.
    positions: std::ops::Range<u64>,
}

impl Pieces {
    /// Through `segment`, in `file`, whose records lie before position `next` when that is known. When
    /// what stands before the frames is not whole either, frames may stand there: bytes were cut out.
    pub(crate) fn new(
        file: Arc<dyn DiskFile>,
        segment: &Segment,
        next: Option<u64>,
    ) -> io::Result<Self> {
        let is_whole = recovery::snapshot(file.as_ref(), segment)?.is_some();
        let walk = Walk::new(Arc::clone(&file), segment.salt)?;
        let position = segment.id.position;
        let most = walk.length() / RECORD_BYTES_MIN + 1;
        let next = next.unwrap_or_else(|| position.saturating_add(most));
        Ok(Self {
            file,
            walk,
            window: Window::default(),
            salt: segment.salt,
            from: if is_whole {
                segment.frames_at.into()
            } else {
                0
            },
            positions: position..next,
        })
    }

    /// Gives `sink` all that is met before byte `limit`.
    pub(crate) fn each<E: From<io::Error>>(
        &mut self,
        limit: u64,
        sink: &mut dyn FnMut(Met<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut byte = self.from;
        while byte < limit {
            match self.frame(byte)? {
                Ok((piece, bytes)) => {
                    sink(Met::Piece(piece, &bytes))?;
                    byte += piece.size as u64;
                }
                Err(wrong) => {
                    let next = self.walk.next_whole(byte)?.filter(|next| *next < limit);
                    let end = next.unwrap_or(limit);
                    sink(Met::Hole(Hole { byte, end, wrong }))?;
                    self.loose(byte, end, sink)?;
                    byte = end;
                }
            }
        }
        Ok(())
    }

    /// The whole frame at `byte`.
    fn frame(&mut self, byte: u64) -> io::Result<Result<(Piece, Bytes), Wrong>> {
        let bytes = match self.walk.frame(byte)? {
            Ok((_, bytes)) => bytes,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let positions = match frame::decode(&bytes, self.salt) {
            Ok((_, records)) => {
                let first = records.first().map(|(_, _, entry)| entry.position);
                first.zip(records.last().map(|(_, _, entry)| entry.position))
            }
            Err(wrong) => return Ok(Err(wrong)),
        };
        let Some((first, last)) = positions else {
            return Ok(Err(Wrong::Content("record count")));
        };
        let next = last.saturating_add(1);
        Ok(match self.fits(first, next) {
            Ok(()) => Ok((piece(first, next, byte, bytes.len(), false), bytes)),
            Err(wrong) => Err(wrong),
        })
    }

    fn fits(&self, first: u64, next: u64) -> Result<(), Wrong> {
        let range = &self.positions;
        let (found, expected) = match first < range.start {
            true => (first, range.start),
            false if next > range.end => (next.saturating_sub(1), range.end.saturating_sub(1)),
            false => return Ok(()),
        };
        Err(Wrong::Place {
            what: "position",
            found,
            expected,
        })
    }

    /// Gives `sink` every whole record between `from` and `end`.
    fn loose<E: From<io::Error>>(
        &mut self,
        from: u64,
        end: u64,
        sink: &mut dyn FnMut(Met<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = from;
        while at + RECORD_BYTES_MIN <= end {
            let want = usize::try_from(end - at)
                .unwrap_or(usize::MAX)
                .min(AHEAD_BYTES);
            let bytes = self.bytes(at, want)?;
            if bytes.len() < HEAD_BYTES {
                return Ok(());
            }
            let mut next = at + (bytes.len() - HEAD_BYTES + 1) as u64;
            let mut whole_up_to = at;
            for (offset, head) in bytes.windows(HEAD_BYTES).enumerate() {
                let byte = at + offset as u64;
                let Some(size) = self.size(head).filter(|size| byte + *size as u64 <= end) else {
                    continue;
                };
                if byte < whole_up_to {
                    continue;
                }
                let record = self.bytes(byte, size)?;
                if let Ok((entry, _)) = record::decode(&record, self.salt) {
                    let position = entry.position;
                    let piece = piece(position, position + 1, byte, size, true);
                    sink(Met::Piece(piece, &record))?;
                    whole_up_to = byte + size as u64;
                }
            }
            next = next.max(whole_up_to);
            at = next;
        }
        Ok(())
    }

    /// The size of the record that starts so, when it can be one: almost no other bytes pass.
    fn size(&self, head: &[u8]) -> Option<usize> {
        let (length, _) = record::prefix(head)?;
        let position = head.get(PREFIX_BYTES..)?.first_chunk()?;
        let fits = self.positions.contains(&u64::from_le_bytes(*position))
            && KINDS.contains(head.get(HEAD_BYTES - 1)?)
            && length <= FRAME_BYTES_MAX;
        fits.then_some(PREFIX_BYTES + length)
    }

    fn bytes(&mut self, byte: u64, count: usize) -> io::Result<Bytes> {
        self.window
            .bytes(self.file.as_ref(), byte, count, AHEAD_BYTES)
    }

    /// The bytes of `piece` again.
    pub(crate) fn again(&mut self, piece: &Piece) -> io::Result<Bytes> {
        self.bytes(piece.byte, piece.size)
    }
}

/// Where the last segment ends, which scanning it says is at `end`. Where bytes were cut out before its
/// frames, the scan starts within the first one: this frame and those behind it count.
pub(crate) fn last_end(file: &Arc<dyn DiskFile>, segment: &Segment, end: u64) -> io::Result<u64> {
    let mut pieces = Pieces::new(Arc::clone(file), segment, None)?;
    if pieces.from > 0 {
        return Ok(end);
    }
    let mut reached = end;
    let reach: &mut dyn FnMut(Met<'_>) -> io::Result<()> = &mut |met| {
        if let Met::Piece(piece, _) = met {
            reached = reached.max(piece.byte + piece.size as u64);
        }
        Ok(())
    };
    pieces.each(end, reach)?;
    if reached > end {
        while let Ok((piece, _)) = pieces.frame(reached)? {
            reached += piece.size as u64;
        }
    }
    Ok(reached)
}

fn piece(position: u64, next: u64, byte: u64, size: usize, loose: bool) -> Piece {
    Piece {
        position,
        next,
        byte,
        size,
        loose,
    }
}

/// A record of a piece: where it starts in the segment, its own bytes, and what they say.
pub(crate) type Placed<'a> = (u64, &'a [u8], record::Entry<'a>);

/// The records of `piece`, whose bytes these are.
pub(crate) fn records<'a>(
    piece: &Piece,
    bytes: &'a Bytes,
    salt: u32,
) -> Result<Vec<Placed<'a>>, Wrong> {
    if piece.loose {
        let (entry, size) = record::decode(bytes, salt)?;
        let record = bytes.get(..size).unwrap_or_default();
        return Ok(vec![(piece.byte, record, entry)]);
    }
    let (_, records) = frame::decode(bytes, salt)?;
    let placed = |(offset, record, entry)| (piece.byte + offset as u64, record, entry);
    Ok(records.into_iter().map(placed).collect())
}

/// Orders `pieces` by position, and drops those whose positions another one has.
pub(crate) fn in_order(mut pieces: Vec<Piece>) -> Vec<Piece> {
    pieces.sort_by_key(|piece| piece.position);
    let mut next = 0;
    pieces.retain(|piece| {
        let fits = piece.position >= next;
        if fits {
            next = piece.next;
        }
        fits
    });
    pieces
}
