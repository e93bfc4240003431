//! The latest frames, kept in memory for readers at the tail.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::segment::SegmentId;

/// Frames that were written together.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// The segment.
    pub(crate) segment: Option<SegmentId>,
    /// Where they start in it.
    pub(crate) start: u32,
    pub(crate) bytes: Vec<u8>,
}

impl Chunk {
    /// What it holds from `byte` of its segment on.
    pub(crate) fn from(&self, byte: u32) -> Option<&[u8]> {
        let at = usize::try_from(byte.checked_sub(self.start)?).ok()?;
        self.bytes.get(at..)
    }
}

/// A segment and a byte in it.
type Start = (Option<SegmentId>, u32);

/// Chunks side by side.
pub(crate) type Chunks = SmallVec<[Arc<Chunk>; 2]>;

/// The latest chunks, up to a number of bytes, and at least the last one.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// Each with where it starts, which is looked for more often than the rest is needed.
    chunks: VecDeque<(Start, Arc<Chunk>)>,
    bytes: usize,
}

impl Recent {
    /// Adds what was just written. Returns what is let go for it.
    pub(crate) fn push(&mut self, chunk: Arc<Chunk>, bytes_max: usize) -> Vec<Arc<Chunk>> {
        self.bytes += chunk.bytes.capacity();
        self.chunks.push_back(((chunk.segment, chunk.start), chunk));
        let mut gone = Vec::new();
        while self.bytes > bytes_max && self.chunks.len() > 1 {
            if let Some((_, chunk)) = self.chunks.pop_front() {
                self.bytes -= chunk.bytes.capacity();
                gone.push(chunk);
            }
        }
        gone
    }

    /// The chunks of `segment` from the one on that holds `byte`, up to the one that holds `last`;
    /// none when `byte` is not in memory.
    pub(crate) fn range(&self, segment: SegmentId, byte: u32, last: u32) -> Chunks {
        let behind = |byte| {
            let place = (Some(segment), byte);
            match self.chunks.back() {
                Some((start, _)) if *start <= place => self.chunks.len(),
                _ => self.chunks.partition_point(|(start, _)| *start <= place),
            }
        };
        let Some(first) = behind(byte).checked_sub(1) else {
            return Chunks::new();
        };
        let end = match byte == last {
            true => first + 1,
            false => behind(last),
        };
        let range = self.chunks.range(first..end);
        let of_segment = range.filter(|((of, _), _)| *of == Some(segment));
        let chunks: Chunks = of_segment.map(|(_, chunk)| Arc::clone(chunk)).collect();
        let holds = chunks
            .first()
            .is_some_and(|chunk| chunk.from(byte).is_some());
        if holds { chunks } else { Chunks::new() }
    }

    /// Whether `byte` of `segment` is in memory.
    pub(crate) fn holds(&self, segment: SegmentId, byte: u32) -> bool {
        let first = self.chunks.front();
        first.is_some_and(|(start, _)| *start <= (Some(segment), byte))
    }
}
