//! The embedded log: one append path for all channels, durable before it acknowledges.
//!
//! A log is a directory of *segments*, files that are only ever appended to. A segment holds *frames*;
//! a frame holds one [`Batch`]: records of any number of channels, a change of the one *state*, and
//! values of cursors. After a crash a batch is there whole or not at all.
//!
//! ```text
//! lock                       held while the log is open; the number of the process
//! 00000000000000000000.seg   header | snapshot | frame | frame | …
//! 00000000000000000000.idx   where its records are, by channel
//! 00000000000000052113.seg   header | snapshot | frame | zeros   ← the tail: the only place written
//! reserve                    room for cleaning when the disk is full
//! *.cut                      what a crash left behind the last whole frame, kept for a look
//! ```
//!
//! Batches are encoded and numbered where they are appended. One thread writes: it takes all that
//! wait, writes them in one call, syncs once, makes them visible, and only then acknowledges them.
//! While it syncs, the next group gathers: the busier the log, the larger the group, without a timer. A
//! write or sync that fails stops the writer for good, since what the disk holds is not known any more;
//! reads go on.
//!
//! Readers at the tail are served from the latest frames in memory, all others from the disk through
//! the index of each closed segment, so memory does not grow with the backlog. A segment starts with a
//! snapshot of all channels and cursors: it is read without those before it, so retention removes any
//! of them, and opening reads only the last.
//!
//! # Example
//!
//! ```
//! use std::sync::mpsc::sync_channel;
//! use bytes::Bytes;
//! use tidegate_base::{Name, Timestamp};
//! use tidegate_log::{Append, Batch, Durability, Log, Options, ReadLimit};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let (log, _) = Log::open(directory.path(), Options::default())?;
//! let orders = Name::new("OrderPlaced")?;
//! let append = Append::new(orders.clone(), Timestamp::EPOCH, Bytes::from("a chair"));
//! let mut batch = Batch::of(vec![append]);
//! batch.cursors.push((Name::new("billing")?, 0));
//!
//! let (sender, done) = sync_channel(1);
//! log.append(batch, Durability::Durable, move |placed| drop(sender.send(placed)));
//! assert_eq!(done.recv()??.sequences[0], 0);
//!
//! let records = log.read(&orders, 0, ReadLimit { records: 10, bytes: 1 << 20 })?;
//! assert_eq!(records[0].payload(), b"a chair");
//! assert_eq!(log.cursor(&Name::new("billing")?), Some(0));
//! # Ok(())
//! # }
//! ```

mod acknowledge;
mod batch;
mod clean;
mod directories;
mod disk;
mod encode;
mod error;
mod files;
mod frame;
mod housekeeping;
mod index_file;
pub mod inspect;
mod keys;
mod lock;
mod log;
pub mod mutant;
mod options;
mod places;
mod queue;
mod read;
mod reader;
mod recent;
mod record;
mod recovery;
mod registry;
mod reserve;
mod retention;
mod rewrite;
mod scan;
mod segment;
mod shared;
mod snapshot;
mod tail;
mod upgrade;
mod walk;
mod window;
mod writer;

pub use batch::{Append, Batch, Durability, Placed, ReadLimit, StateChange};
pub use disk::{Disk, DiskFile};
pub use error::{AppendError, CleanError, OpenError, ReadError};
pub use log::Log;
pub use options::{Options, SEGMENT_BYTES_MAX};
pub use record::{KEY_LENGTH_MAX, Record};
pub use recovery::{Cut, Recovery};
pub use retention::{Cleaned, History, Keep};
pub use scan::Damage;
