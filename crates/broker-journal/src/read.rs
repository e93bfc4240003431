//! What callers read: the place of it is known, the rest is at hand or asked of the engine.

use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{ReadError, ReadLimit, Record};
use tokio::time::sleep;

use crate::broker::Shared;
use crate::codec::unpack;
use crate::journal::{Entry, JournalError};
use crate::view::record;

/// Most positions that an engine is asked for at once.
const ASKED_MAX: usize = 1_024;
/// How often an engine is asked that does not answer.
const TRIES_MAX: u32 = 60;
/// How long to wait before the next time.
const AGAIN: Duration = Duration::from_millis(500);
/// Records that are looked through at once for one of a time.
const LOOK: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 4 << 20,
};

/// Records of a channel from `from` on.
pub(crate) async fn records(
    shared: &Shared,
    channel: &Name,
    from: u64,
    limit: ReadLimit,
) -> Result<Vec<Record>, ReadError> {
    let mut from = from;
    loop {
        let positions = match shared.view().channels.get(channel) {
            Some(channel) => channel.positions(from.max(channel.head()), limit),
            None => return Ok(Vec::new()),
        };
        let Some(last) = positions.last().copied() else {
            return Ok(Vec::new());
        };
        let found = fetch(shared, &positions).await;
        let found = found.map_err(|error| ReadError::Unreadable {
            channel: channel.clone(),
            reason: error.to_string(),
        })?;
        if !found.is_empty() {
            return Ok(found);
        }
        // All of them were removed meanwhile.
        from = last.saturating_add(1);
    }
}

/// The records at these positions, but for those that are gone.
async fn fetch(shared: &Shared, positions: &[u64]) -> Result<Vec<Record>, JournalError> {
    let (mut found, missing) = shared.view().at_hand(positions);
    if missing.is_empty() {
        return Ok(found);
    }
    let fetched = ask(shared, missing).await?;
    found.extend(fetched.into_iter().map(record));
    found.sort_by_key(|record| record.sequence);
    Ok(found)
}

/// Asks the engine, as often as it takes.
pub(crate) async fn ask(shared: &Shared, positions: Vec<u64>) -> Result<Vec<Entry>, JournalError> {
    let mut found = Vec::with_capacity(positions.len());
    for part in positions.chunks(ASKED_MAX) {
        let mut tries = 0;
        loop {
            match shared.journal.read(part.to_vec()).await {
                Ok(entries) => {
                    found.extend(entries);
                    break;
                }
                Err(JournalError::Unknown(reason)) if tries < TRIES_MAX => {
                    tries += 1;
                    tracing::debug!("{}: {reason}", shared.journal.engine());
                    sleep(AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

/// The first record of a time, or the tail.
pub(crate) async fn at(shared: &Shared, channel: &Name, time: Timestamp) -> Result<u64, ReadError> {
    let mut from = 0;
    loop {
        let (near, tail) = match shared.view().channels.get(channel) {
            Some(channel) => (channel.near(from.max(channel.head()), time), channel.tail()),
            None => return Ok(0),
        };
        let Some((position, is_sure)) = near else {
            return Ok(tail);
        };
        if is_sure {
            return Ok(position);
        }
        // The index knows whole seconds.
        let looked = records(shared, channel, position, LOOK).await?;
        if let Some(found) = looked.iter().find(|record| record.time >= time) {
            return Ok(found.sequence);
        }
        let Some(last) = looked.last() else {
            return Ok(tail);
        };
        from = last.sequence.saturating_add(1);
    }
}

/// The state.
pub(crate) async fn state(shared: &Shared) -> Result<Vec<Bytes>, ReadError> {
    let unreadable = |reason: String| ReadError::State { reason };
    loop {
        let (positions, changes) = {
            let view = shared.view();
            let positions: Vec<u64> = view.state.iter().copied().collect();
            (positions, view.state_changes)
        };
        let expected = positions.len();
        let entries = ask(shared, positions).await;
        let entries = entries.map_err(|error| unreadable(error.to_string()))?;
        if entries.len() < expected {
            if shared.view().state_changes == changes {
                let missing = expected - entries.len();
                return Err(unreadable(format!("{missing} messages of it are gone")));
            }
            // It was replaced, and what it had been removed, meanwhile.
            continue;
        }
        let mut records = Vec::new();
        for entry in entries {
            let read = unpack(&entry.message.payload);
            let read = read.ok_or_else(|| {
                unreadable(format!("the message at {} is damaged", entry.position))
            })?;
            records.extend(read);
        }
        return Ok(records);
    }
}
