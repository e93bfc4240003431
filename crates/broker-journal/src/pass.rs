//! Passing events on to the shards that their keys belong to: each of them once, in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::broker::Shared;
use crate::codec::encode_sent;
use crate::control::{Control, Part};
use crate::journal::{Entry, JournalError, Message, Target};
use crate::queue::Piece;
use crate::read;
use crate::view::Outgoing;

/// Most events that are passed on together.
const TOGETHER_MAX: usize = 256;
/// How long to wait before what was not confirmed is passed on again.
const AGAIN: Duration = Duration::from_millis(200);

/// Passes on what counts, until the broker ends. What was passed on before a crash is passed on again, and passed over
/// there: each says which one was before it.
pub(crate) async fn pass_on(shared: Arc<Shared>) {
    let mut has_outgoing = shared.view().has_outgoing.subscribe();
    let mut together = TOGETHER_MAX;
    loop {
        has_outgoing.mark_unchanged();
        let outgoing: Vec<Outgoing> = {
            let view = shared.view();
            view.outgoing.iter().take(together).cloned().collect()
        };
        if outgoing.is_empty() {
            // Its sender lives as long as this does.
            let _changed = has_outgoing.changed().await;
            continue;
        }
        match pass(&shared, outgoing).await {
            Ok(()) => {
                together = (together * 2).min(TOGETHER_MAX);
                note(&shared);
            }
            Err(JournalError::Unknown(reason) | JournalError::Refused(reason)) => {
                tracing::debug!(
                    "{}: an event is not passed on to another shard yet: {reason}",
                    shared.journal.engine()
                );
                // Fewer are more likely to be confirmed all.
                together = (together / 2).max(1);
                sleep(AGAIN).await;
            }
        }
    }
}

async fn pass(shared: &Shared, outgoing: Vec<Outgoing>) -> Result<(), JournalError> {
    let positions = outgoing.iter().map(|event| event.position).collect();
    let entries = read::ask(shared, positions).await?;
    let mut entries: BTreeMap<u64, Entry> = entries
        .into_iter()
        .map(|entry| (entry.position, entry))
        .collect();
    let mut of_shards: BTreeMap<u32, (Vec<Message>, u64)> = BTreeMap::new();
    for Outgoing {
        position,
        shard,
        channel,
        before,
    } in outgoing
    {
        let missing = || JournalError::Unknown(format!("nothing is at {position}"));
        let entry = entries.remove(&position).ok_or_else(missing)?;
        let control = Control::Passed {
            origin: shared.shard,
            position,
            before,
        };
        let (messages, last) = of_shards.entry(shard).or_default();
        *last = position;
        messages.push(Message {
            target: Target::Channel(channel),
            control: Some(control.to_string()),
            ..entry.message
        });
    }
    for (shard, (messages, last)) in of_shards {
        let place = usize::try_from(shard).unwrap_or(usize::MAX);
        let unknown = || JournalError::Refused(format!("there is no shard {shard}"));
        let journal = shared.journals.get(place).ok_or_else(unknown)?;
        journal.append(messages).await?;
        shared.view().note_sent(shard, last);
        shared.sent.send_modify(|sent| {
            sent.insert(shard, last);
        });
    }
    Ok(())
}

/// Writes down how far events were passed on. It is no loss if that comes to nothing.
fn note(shared: &Shared) {
    let sent = encode_sent(&shared.view().sent);
    let mut queue = shared.queue();
    if queue.has_room() {
        queue.push_pieces(vec![Piece::own(Part::Sent, sent)], None);
        drop(queue);
        shared.wake.notify_one();
    }
}
