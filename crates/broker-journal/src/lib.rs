//! The broker contract on any ordered, confirmed list of messages.
//!
//! Kafka has transactions; other engines have one list that keeps its order and confirms what it has taken. That is
//! enough: a [`Journal`] is such a list, and a [`JournalBroker`] is a broker on it. A *shard* is one journal, with
//! the events of all channels and the state in one order.
//!
//! - A batch is some messages of the owner, the last of which commits it. Who reads decides alike: events of a
//!   batch count once the message that commits it has come.
//! - The owner numbers its messages. One counts only if its number is the next: what was sent again, or overtook
//!   something that was lost, is passed over by everybody.
//! - Opening a shard writes a message with a higher *epoch*. Whatever an owner of a lower epoch still writes after it
//!   counts for nobody, and that owner learns of it by reading its own journal.
//! - A commit is done once the owner has read it: then the engine has it for good, and nobody has fenced it off.
//! - Events of a key that belongs to another shard are kept here first, and then passed on, each once.
//!
//! Sequences are positions of the journal: they ascend, with gaps.

mod broker;
mod channel;
mod clean;
mod codec;
mod control;
mod journal;
mod memory;
mod open;
mod pass;
mod queue;
mod read;
mod reader;
mod tasks;
mod view;

pub use broker::JournalBroker;
pub use journal::{Entry, Follow, Journal, JournalError, Message, Target};
pub use memory::{Faults, MemoryJournal};
pub use open::OpenError;
