//! Short words for what the checks do again and again.

use std::fmt::Debug;

use bytes::Bytes;
use tidegate_base::{Name, Timestamp};

use crate::{Append, Batch, Broker, CommitError, Durability, ReadLimit, Record, StateChange};

/// No limit that a check could reach.
pub(super) const ALL: ReadLimit = ReadLimit {
    records: 100_000,
    bytes: usize::MAX,
};

/// A channel's name; the texts of the suite are all valid.
pub(super) fn channel(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}

/// A record with nothing but a payload.
pub(super) fn append(channel: &Name, payload: impl Into<Bytes>) -> Append {
    let (channel, time) = (channel.clone(), Timestamp::from_millis(1_730_291_041_637));
    Append {
        channel,
        key: None,
        time,
        headers: Vec::new(),
        payload: payload.into(),
    }
}

/// A batch that does not touch the state.
pub(super) fn batch(appends: impl IntoIterator<Item = Append>) -> Batch {
    Batch {
        appends: appends.into_iter().collect(),
        state: StateChange::NONE,
    }
}

/// Commits durably and waits.
pub(super) async fn commit(broker: &dyn Broker, batch: Batch) -> Result<Vec<u64>, String> {
    done(broker.commit(batch, Durability::Durable).await)
}

/// The sequences of a commit that should be done.
pub(super) fn done(result: Result<Vec<u64>, CommitError>) -> Result<Vec<u64>, String> {
    result.map_err(|error| format!("the commit failed: {error}"))
}

/// All records from `from` on, by as many reads as it takes.
pub(super) async fn read_all(
    broker: &dyn Broker,
    channel: &Name,
    from: u64,
) -> Result<Vec<Record>, String> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let next = records.last().map_or(from, |last| last.sequence + 1);
        let read = broker.read(channel, next, ALL).await;
        let read = read.map_err(|error| format!("the read failed: {error}"))?;
        if read.is_empty() {
            return Ok(records);
        }
        records.extend(read);
    }
}

/// The payloads of a channel, as numbers that [`number`] has written.
pub(super) async fn numbers(broker: &dyn Broker, channel: &Name) -> Result<Vec<u64>, String> {
    let records = read_all(broker, channel, 0).await?;
    for (record, expected) in records.iter().zip(0_u64..) {
        expect("the sequence of a record", &record.sequence, &expected)?;
    }
    records
        .iter()
        .map(|record| parse(&record.payload))
        .collect()
}

/// The state, as numbers that [`number`] has written.
pub(super) async fn state_numbers(broker: &dyn Broker) -> Result<Vec<u64>, String> {
    let state = broker
        .state()
        .await
        .map_err(|error| format!("the state failed: {error}"))?;
    state.iter().map(parse).collect()
}

/// A payload that says a number.
pub(super) fn number(number: u64) -> Bytes {
    Bytes::from(number.to_string())
}

/// The number that a payload says.
pub(super) fn parse(payload: &Bytes) -> Result<u64, String> {
    let number = std::str::from_utf8(payload)
        .ok()
        .and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("a payload that was never written: {payload:?}"))
}

/// That what is found is what is expected.
pub(super) fn expect<T: PartialEq + Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} is {found:?}, expected {expected:?}"))
}
