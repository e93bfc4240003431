//! What is measured, and the log as such.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use tidegate_base::{Name, Timestamp};
use tidegate_log::{Append, Batch, Durability, Log, Options, ReadLimit};

use crate::arguments::Arguments;
use crate::bare::BareFile;
use crate::inbox::Inbox;

/// What the consumer reads at once.
const READ_LIMIT: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 1 << 20,
};

/// Takes records, and calls back once each is durable; hands them to a consumer.
pub(crate) trait Sink: Send + Sync {
    /// Queues `body`; `done` is called once it is durable.
    fn send(&self, channel: usize, body: &Bytes, done: impl FnOnce() + Send + 'static);

    /// Calls `each` with every body that was sent, as soon as it may be read, and `read` with how
    /// many it were since the last call; until it is ended.
    fn consume(&self, each: impl FnMut(&[u8]), read: impl Fn(u64));

    /// Ends the consumer.
    fn end(&self);
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Nobody,
    Consumer,
}

/// A log whose channels are written in turns.
pub(crate) struct LogSink {
    log: Log,
    channels: Vec<Name>,
    /// Channels that have grown, and their tails.
    inbox: Arc<Inbox<(usize, u64)>>,
}

impl LogSink {
    fn new(directory: &Path, channels: usize, reader: Reader) -> Self {
        let (log, _) = Log::open(directory, Options::default()).expect("a new log");
        let sink = Self {
            log,
            channels: names(channels),
            inbox: Arc::new(Inbox::new()),
        };
        if reader == Reader::Consumer {
            for (at, channel) in sink.channels.iter().enumerate() {
                let inbox = Arc::clone(&sink.inbox);
                sink.log.follow(channel, move |tail| inbox.push((at, tail)));
            }
        }
        sink
    }
}

impl Sink for LogSink {
    fn send(&self, channel: usize, body: &Bytes, done: impl FnOnce() + Send + 'static) {
        let channel = self.channels[channel % self.channels.len()].clone();
        let append = Append::new(channel, Timestamp::EPOCH, body.clone());
        let batch = Batch::of(vec![append]);
        self.log.append(batch, Durability::Durable, |placed| {
            placed.expect("an append");
            done();
        });
    }

    fn consume(&self, mut each: impl FnMut(&[u8]), read: impl Fn(u64)) {
        let mut next = vec![0; self.channels.len()];
        // Of its own: who sends and who consumes share no more than what a channel is called.
        let channels = names(self.channels.len());
        let mut grown = Vec::new();
        while self.inbox.take(&mut grown) {
            for (channel, tail) in grown.drain(..) {
                let next = &mut next[channel];
                while *next < tail {
                    let records = self.log.read(&channels[channel], *next, READ_LIMIT);
                    let records = records.expect("a read");
                    assert!(!records.is_empty(), "a tail that can be read");
                    for record in &records {
                        assert_eq!(record.sequence, *next, "nothing is skipped");
                        *next += 1;
                        each(record.payload());
                    }
                    read(records.len() as u64);
                }
            }
        }
    }

    fn end(&self) {
        self.inbox.end();
    }
}

/// Names of channels.
pub(crate) fn names(channels: usize) -> Vec<Name> {
    let name = |at| Name::new(&format!("channel-{at}")).expect("a name");
    (0..channels).map(name).collect()
}

/// A log in a folder of its own, which is removed once `run` is through.
pub(crate) fn with_log<T>(
    arguments: &Arguments,
    channels: usize,
    reader: Reader,
    run: impl FnOnce(&LogSink) -> T,
) -> T {
    let folder = folder(arguments);
    run(&LogSink::new(folder.path(), channels, reader))
}

/// A bare file in a folder of its own, which is removed once `run` is through.
pub(crate) fn with_bare<T>(
    arguments: &Arguments,
    reader: Reader,
    run: impl FnOnce(&BareFile) -> T,
) -> T {
    let folder = folder(arguments);
    run(&BareFile::create(&folder.path().join("bare"), reader))
}

/// A new folder where files are written.
pub(crate) fn folder(arguments: &Arguments) -> TempDir {
    tempfile::Builder::new()
        .prefix("log-bench-")
        .tempdir_in(&arguments.parent)
        .expect("a directory")
}
