//! The embedded log: one append path for all channels, durable before it acknowledges.
//!
//! A log is a directory of *segments*, files that are only ever appended to. A segment holds
//! *frames*; a frame holds one [`Batch`]: records of any number of channels and a change of the one
//! *state*. A frame is checked as a whole, so a batch is there whole or not at all.
//!
//! ```text
//! lock                       held while the log is open; the number of the process
//! 00000000000000000000.seg   header | frame | frame | …
//! 00000000000000052113.seg   header | frame | frame | zeros   ← the tail: the only place written
//! *.cut                      what a crash left behind the last whole frame, kept for a look
//! ```
//!
//! One thread writes. It takes all batches that wait, writes their frames in one call, syncs once,
//! makes them visible, and only then acknowledges them. While it syncs, the next group gathers: the
//! busier the log, the larger the group, without a timer. A write or sync that fails stops the writer
//! for good, since what the disk holds is not known any more; reads go on.
//!
//! An index in memory has the address of every record in four bytes, and is rebuilt by a scan at open.

mod batch;
mod disk;
mod error;
mod frame;
mod index;
mod lock;
mod log;
mod offsets;
mod options;
mod queue;
mod read;
mod recovery;
mod scan;
mod segment;
mod shared;
mod tail;
mod window;
mod writer;

pub use batch::{Append, Batch, Durability, Placed, ReadLimit, Record, StateChange};
pub use disk::{Disk, DiskFile};
pub use error::{AppendError, OpenError, ReadError};
pub use log::Log;
pub use options::Options;
pub use recovery::{Cut, Recovery};
