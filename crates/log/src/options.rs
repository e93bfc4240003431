//! How a log is kept.

use tidegate_base::limit::LOG_QUEUE_BYTES_MAX;

/// Largest value of [`Options::segment_bytes`]: addresses in a segment have 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 2 << 30;

/// How a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A segment is closed before its frames grow past this many bytes; one larger frame has a
    /// segment to itself. At most [`SEGMENT_BYTES_MAX`].
    pub segment_bytes: u64,
    /// Zeros written ahead of the tail, in bytes, so that a sync need not record a new file length.
    /// A write of at least as many bytes does without.
    pub ahead_bytes: usize,
    /// Most bytes of batches that wait for the writer; beyond, an append is refused as full.
    pub queue_bytes_max: usize,
    /// Most bytes of all segments; beyond, an append is refused as full. `None`: as the disk allows.
    pub bytes_max: Option<u64>,
    /// Most bytes of the latest frames that stay in memory for readers at the tail.
    pub recent_bytes_max: usize,
    /// Bytes of the disk that are set aside, so that a log on a full disk can still be cleaned; 0: none.
    pub reserve_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 256 << 20,
            ahead_bytes: 1 << 20,
            queue_bytes_max: LOG_QUEUE_BYTES_MAX,
            bytes_max: None,
            recent_bytes_max: 32 << 20,
            reserve_bytes: 4 << 20,
        }
    }
}
