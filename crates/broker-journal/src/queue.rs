//! Batches on their way: numbered as they are called, kept until they were read back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::Timestamp;
use tidegate_base::limit::LOG_QUEUE_BYTES_MAX;
use tidegate_broker::{Append, Batch, CommitError, StateChange, shard_of};
use tokio::sync::oneshot;

use crate::codec::{LENGTH, pack};
use crate::control::{Change, Control, Own, Part};
use crate::journal::{Journal, Message, Target};

/// Batches that wait; a further one is refused.
const WAITING_MAX: usize = 16_384;
/// Most messages that are sent in one call.
const GROUP_MESSAGES_MAX: usize = 512;
/// Most bytes of them, but for a message that has more.
const GROUP_BYTES_MAX: usize = 1 << 20;
/// When to come again while there is no room.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// When to come again while the engine does not answer.
const STALLED_RETRY_AFTER: Duration = Duration::from_secs(1);
/// Bytes that a control text and the length of a record take at most, besides a channel's name.
const CONTROL_BYTES: usize = 512;

pub(crate) type Reply = Result<Vec<u64>, CommitError>;

/// What is on its way.
#[derive(Debug)]
pub(crate) struct Queue {
    journal: Arc<dyn Journal>,
    engine: &'static str,
    epoch: u64,
    shard: u32,
    shards: u32,
    jobs: VecDeque<Job>,
    /// Of the next message.
    number: u64,
    /// Of the next message that is to be read back.
    unread: u64,
    bytes: usize,
    pub(crate) is_stalled: bool,
    stopped: Option<String>,
}

/// A batch.
#[derive(Debug)]
struct Job {
    /// The number of its first message.
    first: u64,
    messages: Vec<Message>,
    bytes: usize,
    reply: Option<oneshot::Sender<Reply>>,
}

impl Job {
    fn next(&self) -> u64 {
        let length = u64::try_from(self.messages.len()).unwrap_or(u64::MAX);
        self.first.saturating_add(length)
    }
}

/// A part of a batch that has no number yet.
pub(crate) struct Piece {
    part: Part,
    message: Message,
}

impl Piece {
    /// One of the broker's own.
    pub(crate) fn own(part: Part, payload: Bytes) -> Self {
        let message = Message {
            target: Target::System,
            key: None,
            time: Timestamp::from_nanos(0),
            attributes: Vec::new(),
            payload,
            control: None,
        };
        Self { part, message }
    }
}

impl Queue {
    pub(crate) fn new(journal: Arc<dyn Journal>, epoch: u64, (shard, shards): (u32, u32)) -> Self {
        Self {
            engine: journal.engine(),
            journal,
            epoch,
            shard,
            shards,
            jobs: VecDeque::new(),
            number: 0,
            unread: 0,
            bytes: 0,
            is_stalled: false,
            stopped: None,
        }
    }

    pub(crate) fn message_bytes_max(&self) -> usize {
        self.journal
            .message_bytes_max()
            .saturating_sub(CONTROL_BYTES)
    }

    /// Why nothing can be written any more.
    pub(crate) fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Takes a batch in. Returns what answers it, and to which shard each of its appends goes.
    pub(crate) fn push(
        &mut self,
        batch: Batch,
        refused: Option<&'static str>,
    ) -> Result<(oneshot::Receiver<Reply>, Vec<u32>), CommitError> {
        batch.validate()?;
        // A producer need not wait for as long as that takes; what the runtime records does.
        let is_published = batch.state.records().is_empty() && !batch.appends.is_empty();
        let full = |reason, retry_after| CommitError::Full {
            reason,
            retry_after,
        };
        if is_published && let Some(reason) = refused {
            return Err(full(reason.to_owned(), STALLED_RETRY_AFTER));
        }
        if is_published && self.is_stalled {
            let reason = format!("{} does not answer", self.engine);
            return Err(full(reason, STALLED_RETRY_AFTER));
        }
        self.admit(batch.bytes())?;
        let shards = batch
            .appends
            .iter()
            .map(|append| shard_of(append, self.shards));
        let shards = shards.collect();
        let pieces = self.pieces(batch)?;
        let (reply, answer) = oneshot::channel();
        self.push_pieces(pieces, Some(reply));
        Ok((answer, shards))
    }

    fn admit(&self, bytes: usize) -> Result<(), CommitError> {
        if let Some(reason) = &self.stopped {
            let reason = reason.clone();
            return Err(CommitError::Stopped { reason });
        }
        let is_many = self.jobs.len() >= WAITING_MAX;
        if is_many || self.bytes > 0 && self.bytes.saturating_add(bytes) > LOG_QUEUE_BYTES_MAX {
            let (batches, bytes, engine) = (self.jobs.len(), self.bytes, self.engine);
            return Err(CommitError::Full {
                reason: format!(
                    "{batches} batches of {bytes} bytes wait to be written to {engine} already"
                ),
                retry_after: RETRY_AFTER,
            });
        }
        Ok(())
    }

    fn pieces(&self, batch: Batch) -> Result<Vec<Piece>, CommitError> {
        let mut pieces = Vec::new();
        for append in batch.appends {
            let piece = self.event(append);
            if !self.journal.fits(&piece.message) {
                let bytes = piece.message.bytes();
                let (most, engine) = (self.message_bytes_max(), self.engine);
                let reason = format!(
                    "an event of {bytes} bytes; {engine} takes {most} here: let it take larger messages"
                );
                return Err(CommitError::Invalid { reason });
            }
            pieces.push(piece);
        }
        let change = match &batch.state {
            StateChange::Append(_) => Change::Append,
            StateChange::Replace(_) => Change::Replace,
            StateChange::Begin(_) => Change::Begin,
            StateChange::Finish(_) => Change::Finish,
        };
        let records = batch.state.records();
        if change == Change::Append && records.is_empty() && !pieces.is_empty() {
            return Ok(pieces);
        }
        let most = self.message_bytes_max();
        if let Some(large) = records.iter().find(|record| record.len() + LENGTH > most) {
            let (bytes, engine) = (large.len(), self.engine);
            let reason = format!(
                "a record of the state of {bytes} bytes; {engine} takes {most} here: let it take larger messages"
            );
            return Err(CommitError::Invalid { reason });
        }
        for (at, payload) in pack(records, most).into_iter().enumerate() {
            let change = if at == 0 { change } else { Change::Append };
            pieces.push(Piece::own(Part::State(change), payload));
        }
        Ok(pieces)
    }

    fn event(&self, append: Append) -> Piece {
        let shard = shard_of(&append, self.shards);
        let Append {
            channel,
            key,
            time,
            headers,
            payload,
        } = append;
        let (part, target) = match shard == self.shard {
            true => (Part::Event, Target::Channel(channel)),
            false => (Part::Outgoing { shard, channel }, Target::System),
        };
        let message = Message {
            target,
            key,
            time,
            attributes: headers,
            payload,
            control: None,
        };
        Piece { part, message }
    }

    /// Numbers the pieces of a batch. They are sent from now on.
    pub(crate) fn push_pieces(
        &mut self,
        pieces: Vec<Piece>,
        reply: Option<oneshot::Sender<Reply>>,
    ) {
        let (first, last) = (self.number, pieces.len().saturating_sub(1));
        let mut messages = Vec::with_capacity(pieces.len());
        let mut bytes = 0;
        for (at, Piece { part, mut message }) in pieces.into_iter().enumerate() {
            let own = Own {
                epoch: self.epoch,
                number: self.number,
                part,
                commits: at == last,
            };
            self.number += 1;
            message.control = Some(Control::Own(own).to_string());
            bytes += message.bytes();
            messages.push(message);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.jobs.push_back(Job {
            first,
            messages,
            bytes,
            reply,
        });
    }

    /// Whether there is room for what the broker writes by itself.
    pub(crate) fn has_room(&self) -> bool {
        self.admit(0).is_ok()
    }

    /// Messages to be sent together, from a number on, and the number behind them.
    pub(crate) fn group(&self, from: u64) -> Option<(Vec<Message>, u64)> {
        let first = self.jobs.partition_point(|job| job.next() <= from);
        let mut messages: Vec<Message> = Vec::new();
        let (mut bytes, mut next) = (0, from);
        for job in self.jobs.range(first..) {
            let skipped = usize::try_from(next.saturating_sub(job.first)).unwrap_or(usize::MAX);
            for message in job.messages.iter().skip(skipped) {
                bytes += message.bytes();
                let is_full = messages.len() >= GROUP_MESSAGES_MAX || bytes > GROUP_BYTES_MAX;
                if is_full && !messages.is_empty() {
                    return Some((messages, next));
                }
                messages.push(message.clone());
                next += 1;
            }
        }
        (!messages.is_empty()).then_some((messages, next))
    }

    /// The number of the next message that is to be read back; `None`: none is on its way.
    pub(crate) fn unread(&self) -> Option<u64> {
        (!self.jobs.is_empty()).then_some(self.unread)
    }

    /// Notes that messages were read back up to a number.
    pub(crate) fn note_read(&mut self, number: u64) {
        if number > self.unread {
            self.unread = number;
            self.is_stalled = false;
        }
    }

    /// Answers the batch whose last message has this number.
    pub(crate) fn committed(&mut self, number: u64, appends: Vec<u64>) {
        let is_last = |job: &Job| job.next() == number.saturating_add(1);
        if !self.jobs.front().is_some_and(is_last) {
            return;
        }
        if let Some(job) = self.jobs.pop_front() {
            self.bytes = self.bytes.saturating_sub(job.bytes);
            // Nobody may be waiting any more: that does not undo it.
            let _left = job.reply.map(|reply| reply.send(Ok(appends)));
        }
    }

    /// Writes nothing any more.
    pub(crate) fn stop(&mut self, reason: &str) {
        let reason = self.stopped.get_or_insert_with(|| reason.to_owned());
        for job in self.jobs.drain(..) {
            let reason = reason.clone();
            let refused = Err(CommitError::Stopped { reason });
            let _left = job.reply.map(|reply| reply.send(refused));
        }
        self.bytes = 0;
    }
}
