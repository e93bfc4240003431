//! The spans of any number of captures, by trace, in little memory.
//!
//! Spans of one trace may be far apart and in several captures, so nothing is a trace before the
//! end. Until then a span is a [`record`] in the bucket that its trace's identifier falls into. A
//! store over its limit puts its buckets into a [`Spill`]. In the end one bucket after the other
//! becomes traces: only one of them is spread out at a time.

use std::borrow::Cow;
use std::io;

use tidegate_base::limit::SPAN_STORE_BYTES_MAX;

use crate::payload::{self, Samples};
use crate::raw::RawSpan;
use crate::record::{self, Names};

/// How many buckets there are: a set of 100 GB of spans has 400 MB in each.
pub(crate) const BUCKETS: usize = 256;
/// Bytes of a bucket that are reserved at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Where the store puts spans that it has no room for: files of the caller, one for each bucket.
///
/// What is written is private to this version of the program.
pub trait Spill {
    /// Adds bytes to the end of the bucket.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    fn append(&mut self, bucket: usize, bytes: &[u8]) -> io::Result<()>;

    /// Everything that was added to the bucket; nothing when nothing was.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    fn read(&mut self, bucket: usize) -> io::Result<Vec<u8>>;
}

/// Spans that wait for the rest of their traces.
pub(crate) struct Store {
    buckets: Vec<Vec<Vec<u8>>>,
    names: Names,
    scratch: Vec<u8>,
    bytes: usize,
    bytes_max: usize,
    spill: Option<Box<dyn Spill>>,
    has_spilled: bool,
    /// Of which traces payloads are read; `None`: of none.
    payloads: Option<Samples>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            buckets: vec![Vec::new(); BUCKETS],
            names: Names::default(),
            scratch: Vec::new(),
            bytes: 0,
            bytes_max: SPAN_STORE_BYTES_MAX,
            spill: None,
            has_spilled: false,
            payloads: None,
        }
    }
}

impl Store {
    pub(crate) fn with_limit(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    pub(crate) fn with_spill(&mut self, spill: Box<dyn Spill>) {
        self.spill = Some(spill);
    }

    pub(crate) fn with_payloads(&mut self) {
        self.payloads = Some(Samples::default());
    }

    pub(crate) fn asks_for_payloads(&self) -> bool {
        self.payloads.is_some()
    }

    /// Keeps what the span tells of its payload, unless there is too much of that.
    pub(crate) fn keep_payload(&mut self, span: &mut RawSpan<'_>) {
        let bytes = payload::bytes(&span.payload);
        let samples = self.payloads.as_mut();
        if samples.is_some_and(|samples| samples.count(&span.trace, bytes))
            && let Some(kept) = payload::settle(&mut span.payload)
        {
            let kept = kept.map(|(key, text)| (key, Cow::Owned(text)));
            span.attributes.extend(kept);
        }
    }

    /// Bytes that are held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether any span is outside memory.
    pub(crate) fn has_spilled(&self) -> bool {
        self.has_spilled
    }

    /// Adds a span of the capture with this number.
    pub(crate) fn add(&mut self, span: &RawSpan<'_>, source: u64) {
        self.scratch.clear();
        record::write(span, source, &mut self.names, &mut self.scratch);
        let length = u64::try_from(self.scratch.len()).unwrap_or(u64::MAX);
        let needed = self.scratch.len() + 10;
        let Some(bucket) = self.buckets.get_mut(bucket_of(span)) else {
            return;
        };
        let has_room = bucket
            .last()
            .is_some_and(|chunk| chunk.len() + needed <= CHUNK_BYTES);
        if !has_room {
            // Few spans reserve little: a first chunk grows as it is filled.
            let first = if bucket.is_empty() { 0 } else { CHUNK_BYTES };
            bucket.push(Vec::with_capacity(first.max(needed)));
            self.bytes += bucket.last().map_or(0, Vec::capacity);
        }
        if let Some(chunk) = bucket.last_mut() {
            let before = chunk.capacity();
            record::put_number(length, chunk);
            chunk.extend_from_slice(&self.scratch);
            self.bytes += chunk.capacity() - before;
        }
    }

    /// Makes room when the store is over its limit.
    ///
    /// # Errors
    ///
    /// `Ok(false)` when there is nowhere to put spans; an error when that place fails.
    pub(crate) fn make_room(&mut self) -> io::Result<bool> {
        if self.bytes <= self.bytes_max {
            return Ok(true);
        }
        let Some(spill) = &mut self.spill else {
            return Ok(false);
        };
        for (index, bucket) in self.buckets.iter_mut().enumerate() {
            for chunk in std::mem::take(bucket) {
                spill.append(index, &chunk)?;
            }
        }
        self.bytes = 0;
        self.has_spilled = true;
        Ok(true)
    }

    /// The records of a bucket, those outside memory first.
    pub(crate) fn bucket(&mut self, index: usize) -> io::Result<Bucket<'_>> {
        let spilled = match &mut self.spill {
            Some(spill) if self.has_spilled => spill.read(index)?,
            _ => Vec::new(),
        };
        let chunks = self.buckets.get(index).map(Vec::as_slice);
        Ok(Bucket {
            spilled,
            chunks: chunks.unwrap_or_default(),
            names: &self.names,
            payloads: self.payloads.as_ref(),
        })
    }

    /// Gives up the bucket's memory.
    pub(crate) fn forget(&mut self, index: usize) {
        if let Some(bucket) = self.buckets.get_mut(index) {
            *bucket = Vec::new();
        }
    }
}

/// The records of one bucket.
pub(crate) struct Bucket<'a> {
    spilled: Vec<u8>,
    chunks: &'a [Vec<u8>],
    pub(crate) names: &'a Names,
    payloads: Option<&'a Samples>,
}

impl Bucket<'_> {
    /// Whether payloads of the trace count, its identifier as it is stored.
    pub(crate) fn has_payloads(&self, trace: &[u8]) -> bool {
        self.payloads.is_some_and(|samples| samples.has(trace))
    }

    /// Every record.
    pub(crate) fn records(&self) -> impl Iterator<Item = record::Stored<'_>> {
        std::iter::once(&self.spilled)
            .chain(self.chunks)
            .flat_map(|chunk| record::records(chunk))
    }
}

/// By the trace's identifier alone, and the same in every run.
fn bucket_of(span: &RawSpan<'_>) -> usize {
    let bytes = match &span.trace {
        crate::identifier::Id::Hex { bytes, .. } => bytes.as_slice(),
        crate::identifier::Id::Text(text) => text.as_bytes(),
    };
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    usize::try_from((hash >> 32) % 256).unwrap_or_default()
}
