//! The words of the contract in the words of the log, and back.

use tidegate_base::Name;
use tidegate_broker::{
    Batch, CleanError, Cleaned, CommitError, Durability, History, Keep, ReadError, Record,
    StateChange,
};
use tidegate_log::AppendError;

/// The batch as the log takes it.
pub(crate) fn to_log(batch: Batch) -> tidegate_log::Batch {
    let append = |append: tidegate_broker::Append| tidegate_log::Append {
        channel: append.channel,
        key: append.key,
        time: append.time,
        headers: append.headers,
        payload: append.payload,
    };
    let state = match batch.state {
        StateChange::Append(records) => tidegate_log::StateChange::Append(records),
        StateChange::Replace(records) => tidegate_log::StateChange::Replace(records),
        StateChange::Begin(records) => tidegate_log::StateChange::Begin(records),
        StateChange::Finish(records) => tidegate_log::StateChange::Finish(records),
    };
    tidegate_log::Batch {
        appends: batch.appends.into_iter().map(append).collect(),
        state,
        cursors: Vec::new(),
    }
}

/// The record as the contract has it.
pub(crate) fn from_log(record: tidegate_log::Record) -> Record {
    let text = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Record {
        sequence: record.sequence,
        key: record.key().map(str::to_owned),
        time: record.time,
        headers: record.headers().map(text).collect(),
        payload: record.into_payload(),
    }
}

/// The class as the log knows it.
pub(crate) fn class(durability: Durability) -> tidegate_log::Durability {
    match durability {
        Durability::Durable => tidegate_log::Durability::Durable,
        Durability::Written => tidegate_log::Durability::Written,
    }
}

/// What a channel keeps as the log knows it.
pub(crate) fn keep(keep: Keep) -> tidegate_log::Keep {
    tidegate_log::Keep {
        age: keep.age,
        bytes: keep.bytes,
        history: match keep.history {
            History::All => tidegate_log::History::All,
            History::LatestPerKey => tidegate_log::History::LatestPerKey,
        },
        needed_from: keep.needed_from,
        pinned: keep.pinned,
    }
}

/// What a clean has done in the words of the contract.
pub(crate) fn cleaned(cleaned: tidegate_log::Cleaned) -> Cleaned {
    Cleaned {
        records: cleaned.records,
        bytes: cleaned.bytes,
    }
}

/// Why a clean was not done, with its causes.
pub(crate) fn clean_error(error: &dyn std::error::Error) -> CleanError {
    let mut reason = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        reason.push_str(": ");
        reason.push_str(&next.to_string());
        cause = next.source();
    }
    CleanError { reason }
}

/// The refusal in the words of the contract.
pub(crate) fn commit_error(error: AppendError) -> CommitError {
    match error {
        AppendError::Full {
            reason,
            retry_after,
        } => CommitError::Full {
            reason,
            retry_after,
        },
        AppendError::Stopped { reason } => CommitError::Stopped { reason },
        AppendError::Large { bytes, bytes_max } => CommitError::Invalid {
            reason: format!("the batch is {bytes} bytes as written; the most is {bytes_max}"),
        },
        AppendError::Channels { channels_max } => CommitError::Invalid {
            reason: format!("the log has {channels_max} channels already, the most"),
        },
        AppendError::Invalid { reason } => CommitError::Invalid { reason },
    }
}

/// The failed read in the words of the contract.
pub(crate) fn read_error(
    channel: &Name,
    sequence: u64,
    error: tidegate_log::ReadError,
) -> ReadError {
    let channel = channel.clone();
    let reason = error.to_string();
    match error {
        tidegate_log::ReadError::Damaged { .. } | tidegate_log::ReadError::Lost { .. } => {
            ReadError::Damaged {
                channel,
                sequence,
                reason,
            }
        }
        tidegate_log::ReadError::Io { .. } => ReadError::Unreadable { channel, reason },
    }
}
