//! The one trait between this broker and an engine.

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use thiserror::Error;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::Survives;

/// Where a message of a journal goes: engines make a subject, a routing key or a header of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An event of a channel: other clients may read it, and write such ones.
    Channel(Name),
    /// The broker's own: state and what keeps the journal in order. Other clients need not understand it.
    System,
}

/// A message of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it goes.
    pub target: Target,
    /// The partition key of an event. Like all of these, the broker's own messages may have it too.
    pub key: Option<String>,
    /// When it was accepted; of a foreign message, when the engine took it.
    pub time: Timestamp,
    /// Attributes of an event, in order. An engine writes them as the CloudEvents binding of its protocol says, and
    /// must give back names and values of any text, in this order, also when a name comes twice.
    pub attributes: Vec<(String, String)>,
    /// The payload, as it is.
    pub payload: Bytes,
    /// What this broker says of the message: a few printable ASCII characters, which the engine keeps beside the
    /// payload, verbatim. `None`: a foreign client has written it. An event without it counts by itself.
    pub control: Option<String>,
}

impl Message {
    /// Bytes of what it carries, without what an engine adds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let key = self.key.as_ref().map_or(0, String::len);
        let control = self.control.as_ref().map_or(0, String::len);
        attributes + key + control + self.payload.len()
    }
}

/// A message where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place: higher than that of every message before it, never given to another one, below 2^63. Positions may have gaps.
    pub position: u64,
    /// The message.
    pub message: Message,
}

/// Why an engine does not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JournalError {
    /// It does not answer, or has answered that it cannot now, as when it is full. What was to be appended may be
    /// there all the same, whole or in part.
    #[error("{0}")]
    Unknown(String),
    /// It will never do it, such as for want of a permission.
    #[error("{0}")]
    Refused(String),
}

/// One ordered list of messages on an engine, which confirms what it has taken.
///
/// Several processes may append to it at the same time. It need not know which of them owns the shard, and may keep
/// a message twice, or one and not another: who reads decides what counts.
pub trait Journal: Send + Sync + fmt::Debug {
    /// What the engine is called in messages.
    fn engine(&self) -> &'static str;

    /// What a confirmed message survives.
    fn survives(&self) -> Survives;

    /// Largest message that the engine takes, by [`Message::bytes`], with what the engine's own part needs left off.
    fn message_bytes_max(&self) -> usize;

    /// Whether the engine takes the message.
    fn fits(&self, message: &Message) -> bool {
        message.bytes() <= self.message_bytes_max()
    }

    /// Appends messages. Calls are in order: an engine sends the messages of a call after those of the calls
    /// before, without waiting for the answers to them, and takes its place before it returns. The future is done once every message of the call is confirmed
    /// as safely kept: then they are there in their order. When one is not, or nobody knows, it is an error, and whatever came of the others stands.
    ///
    /// # Errors
    ///
    /// [`JournalError`] when the engine has not confirmed all of them.
    fn append(&self, messages: Vec<Message>) -> BoxFuture<'static, Result<(), JournalError>>;

    /// Appends messages while another process may own the shard. Once it is done they are surely in their order before the readers,
    /// whatever that process does with the list meanwhile. An owner needs no such thing, as it reads back what it writes.
    ///
    /// # Errors
    ///
    /// [`JournalError`] when that is not known. It is asked again.
    fn append_beside(
        &self,
        messages: Vec<Message>,
    ) -> BoxFuture<'static, Result<(), JournalError>> {
        self.append(messages)
    }

    /// Reads on from a position: what is there, and then what comes.
    fn follow(&self, from: u64) -> Box<dyn Follow>;

    /// The entries at these positions, which ascend. One that was trimmed is absent.
    ///
    /// # Errors
    ///
    /// [`JournalError`] when the engine does not answer in time; nothing says whether the entries are there.
    fn read(&self, positions: Vec<u64>) -> BoxFuture<'static, Result<Vec<Entry>, JournalError>>;

    /// Removes the entries before a position, as far as the engine can: it may leave some of them for later, but
    /// never one that comes after one that is gone.
    ///
    /// # Errors
    ///
    /// [`JournalError`] when it is not known to be done. It is asked again later.
    fn trim(&self, before: u64) -> BoxFuture<'static, Result<(), JournalError>>;
}

/// Reads a journal in order. Only what the engine has confirmed, or would, is shown: nothing that a crash could take back.
pub trait Follow: Send {
    /// The next entries, at least one, without gaps but for what was trimmed; waits until there is one. Whoever
    /// drops the future loses nothing: the next call goes on where the last one that returned has ended.
    ///
    /// # Errors
    ///
    /// [`JournalError`] when the engine does not answer. The next call tries again; connections are made again by
    /// the engine's own part.
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Entry>, JournalError>>;
}
