//! Which partition a record belongs to: the one that other clients of Kafka would choose for its key.

use tidegate_broker::{Append, shard_of};

/// The partition of a record, of so many.
pub(crate) fn of(append: &Append, partitions: i32) -> i32 {
    let partitions = u32::try_from(partitions).unwrap_or(1);
    i32::try_from(shard_of(append, partitions)).unwrap_or_default()
}
