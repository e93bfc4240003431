//! How a log is kept.

use tidegate_base::limit::LOG_QUEUE_BYTES_MAX;

/// How a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A segment is closed before it grows past this many bytes; one larger frame has a segment to itself.
    pub segment_bytes: u64,
    /// Zeros written ahead of the tail, in bytes, so that a sync need not record a new file length.
    /// A write of at least as many bytes does without.
    pub ahead_bytes: usize,
    /// Most bytes of batches that wait for the writer; beyond, an append is refused as full.
    pub queue_bytes_max: usize,
    /// Most bytes of all segments; beyond, an append is refused as full. `None`: as the disk allows.
    pub bytes_max: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 256 << 20,
            ahead_bytes: 1 << 20,
            queue_bytes_max: LOG_QUEUE_BYTES_MAX,
            bytes_max: None,
        }
    }
}
