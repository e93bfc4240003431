//! Removing what nobody needs: first it is said where channels begin from now on, then the journal is trimmed.

use std::collections::BTreeMap;

use tidegate_base::{Name, Timestamp};
use tidegate_broker::{CleanError, Cleaned, Keep, ReadError};
use tokio::sync::oneshot;

use crate::broker::Shared;
use crate::codec::Base;
use crate::control::Part;
use crate::queue::Piece;
use crate::read;

/// Removes the oldest records of each channel that nobody needs, and the old state.
pub(crate) async fn clean(shared: &Shared, now: Timestamp) -> Result<Cleaned, CleanError> {
    let heads = heads(shared, now).await.map_err(|error| CleanError {
        reason: error.to_string(),
    })?;
    let (base, before) = {
        let view = shared.view();
        let before = sums(&view.channels, heads.keys());
        (view.needed(&heads), before)
    };
    let Some(mut base) =
        base.filter(|base| !heads.is_empty() || base.first > shared.view().first())
    else {
        return Ok(Cleaned::default());
    };
    base.heads = tails(shared, &heads);
    let first = base.first;
    write(shared, &base).await?;
    let after = sums(&shared.view().channels, heads.keys());
    if first <= shared.view().first() {
        return Ok(cleaned(before, after));
    }
    match shared.journal.trim(first).await {
        Ok(()) => shared.view().trimmed(first),
        // What is said to be gone is gone for readers; the next clean trims.
        Err(error) => tracing::debug!("{}: {error}", shared.journal.engine()),
    }
    Ok(cleaned(before, after))
}

/// What has gone, by the heads and the bytes before and after.
fn cleaned(before: (u64, u64), after: (u64, u64)) -> Cleaned {
    Cleaned {
        records: after.0.saturating_sub(before.0),
        bytes: before.1.saturating_sub(after.1),
    }
}

/// Where the channels are to begin that begin later than now.
async fn heads(shared: &Shared, now: Timestamp) -> Result<BTreeMap<Name, u64>, ReadError> {
    let keeps: Vec<(Name, Keep)> = {
        let view = shared.view();
        let mut keeps: Vec<(Name, Keep)> = view
            .channels
            .iter()
            .filter_map(|(name, channel)| Some((name.clone(), channel.keep.clone()?)))
            .collect();
        keeps.sort_by(|(one, _), (other, _)| one.cmp(other));
        keeps
    };
    let mut heads = BTreeMap::new();
    for (name, keep) in keeps {
        let mut until = 0;
        if let Some(age) = keep.age {
            let nanos = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
            let oldest = Timestamp::from_nanos(now.nanos().saturating_sub(nanos));
            until = read::at(shared, &name, oldest).await?;
        }
        let view = shared.view();
        let Some(channel) = view.channels.get(&name) else {
            continue;
        };
        if let Some(bytes) = keep.bytes {
            until = until.max(channel.before_bytes(bytes).unwrap_or(0));
        }
        let pinned = keep.pinned.first().copied().unwrap_or(u64::MAX);
        let until = until.min(keep.needed_from).min(pinned).min(channel.tail());
        let head = channel.head_at(until);
        if head > channel.head() {
            heads.insert(name, head);
        }
    }
    Ok(heads)
}

/// The heads with the tails: of every channel that does not begin with its first record ever.
fn tails(shared: &Shared, heads: &BTreeMap<Name, u64>) -> Vec<(Name, u64, u64)> {
    let view = shared.view();
    let head = |(name, channel): (&Name, &crate::channel::Channel)| {
        let head = heads.get(name).copied().unwrap_or_else(|| channel.head());
        (channel.tail() > 0).then(|| (name.clone(), head, channel.tail()))
    };
    let mut tails: Vec<(Name, u64, u64)> = view.channels.iter().filter_map(head).collect();
    tails.sort();
    tails
}

/// The heads of these channels together, and the bytes that are left of them.
fn sums<'a>(
    channels: &std::collections::HashMap<Name, crate::channel::Channel>,
    names: impl Iterator<Item = &'a Name>,
) -> (u64, u64) {
    let channels = names.filter_map(|name| channels.get(name));
    channels.fold((0, 0), |(heads, bytes), channel| {
        (heads + channel.head(), bytes + channel.bytes())
    })
}

/// Writes a base as any batch, and waits until it counts.
async fn write(shared: &Shared, base: &Base) -> Result<(), CleanError> {
    let answer = {
        let mut queue = shared.queue();
        if !queue.has_room() {
            let reason = "much waits to be written already".to_owned();
            return Err(CleanError { reason });
        }
        let payloads = base.encode(queue.message_bytes_max());
        let pieces = payloads
            .into_iter()
            .map(|payload| Piece::own(Part::Base, payload));
        let (reply, answer) = oneshot::channel();
        queue.push_pieces(pieces.collect(), Some(reply));
        answer
    };
    shared.wake.notify_one();
    let ended = || CleanError {
        reason: "the writer has ended".to_owned(),
    };
    let written = answer.await.map_err(|_| ended())?;
    written.map(drop).map_err(|error| CleanError {
        reason: error.to_string(),
    })
}
