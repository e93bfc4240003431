//! Faults that can be built in, so that a test shows that the tests would find them.
//!
//! Without the feature `mutants` the question is a constant and nothing of this is in the program.

/// A fault that the crash tests must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Checksums are written and not compared.
    NoChecksum,
    /// The checksum does not cover the length, and a frame may be empty.
    ChecksumWithoutLength,
    /// A durable batch is acknowledged before the sync.
    AckBeforeSync,
    /// Records are visible before their bytes are written.
    IndexAheadOfData,
    /// Each record of a batch has a frame of its own.
    BatchSplit,
    /// A refused batch keeps its sequences.
    SequencesNotTakenBack,
    /// A refused batch leaves behind that a checkpoint has begun, or is finished.
    BegunNotTakenBack,
    /// A new segment is used before its name is durable.
    NameNotSynced,
    /// A failed sync is tried again.
    SyncRetried,
    /// Segments are removed before what replaces them is durable.
    RemovedTooEarly,
    /// What the writer refused for want of room stays in the file.
    RefusedNotCut,
    /// Retention removes records that are still needed.
    NeededRemoved,
}

#[cfg(feature = "mutants")]
mod built_in {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        static BUILT_IN: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Builds `mutant` into all logs that this thread steps, or into none.
    pub fn build_in(mutant: Option<Mutant>) {
        BUILT_IN.set(mutant);
    }

    pub(crate) fn is(mutant: Mutant) -> bool {
        BUILT_IN.get() == Some(mutant)
    }
}

#[cfg(feature = "mutants")]
pub use built_in::build_in;
#[cfg(feature = "mutants")]
pub(crate) use built_in::is;

/// Whether the fault is built in: never.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub(crate) const fn is(_mutant: Mutant) -> bool {
    false
}
