//! Reading a journal on: segment after segment, each up to its seal.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::AMQPValue;
use lapin::{Channel, Connection, Consumer};
use tidegate_broker_journal::{Entry, Follow, JournalError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::RabbitConfig;
use crate::chain::{Chain, place, position};
use crate::connect::{Backoff, answered, arguments, connect, failed, is_absent, short};
use crate::convert;
use crate::root;

/// Messages on their way to here.
const PREFETCH: u16 = 256;
/// Messages that are handed on together.
const TOGETHER_MAX: usize = 256;
/// Such groups that wait for whoever reads.
const WAITING_MAX: usize = 2;
/// How long nothing may come until it is asked for anew: a consumer may have been forgotten.
const QUIET_TIME_MAX: Duration = Duration::from_secs(15);

type Sender = mpsc::Sender<Result<Vec<Entry>, JournalError>>;

/// A task that reads, and what it has read.
pub(crate) struct Following {
    entries: mpsc::Receiver<Result<Vec<Entry>, JournalError>>,
    task: JoinHandle<()>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follow for Following {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Entry>, JournalError>> {
        let ended = || Err(JournalError::Unknown("the reading has ended".to_owned()));
        async move { self.entries.recv().await.unwrap_or_else(ended) }.boxed()
    }
}

pub(crate) fn follow(config: Arc<RabbitConfig>, chain: Arc<Chain>, from: u64) -> Following {
    let (sender, entries) = mpsc::channel(WAITING_MAX);
    let reading = Reading {
        config,
        chain,
        sender,
        at: place(from),
    };
    Following {
        entries,
        task: tokio::spawn(reading.read()),
    }
}

struct Reading {
    config: Arc<RabbitConfig>,
    chain: Arc<Chain>,
    sender: Sender,
    /// The segment and the offset that come next.
    at: (u64, u64),
}

/// Why the reading of a segment has ended.
enum End {
    /// It was read whole.
    Sealed,
    /// There is no such segment.
    Absent,
    /// Nothing has come for a while.
    Quiet,
    /// Nobody wants more.
    Left,
}

impl Reading {
    async fn read(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let at = self.at;
            let error = match self.session().await {
                Ok(()) => return,
                Err(error) => error,
            };
            tracing::debug!("rabbitmq: reading: {error}");
            // Only for who asks whether it stands still: what comes next is tried anyway.
            if let Err(mpsc::error::TrySendError::Closed(_)) = self.sender.try_send(Err(error)) {
                return;
            }
            if at != self.at {
                backoff.reset();
            }
            backoff.pause().await;
        }
    }

    /// Reads until nobody wants more.
    async fn session(&mut self) -> Result<(), JournalError> {
        let connection = connect(&self.config, "reader").await?;
        self.skip_removed(&connection).await?;
        loop {
            match self.segment(&connection).await? {
                End::Left => return Ok(()),
                End::Quiet => {}
                End::Sealed => {
                    self.at = (self.at.0.saturating_add(1), 0);
                    self.chain.begun(self.at.0);
                }
                End::Absent => {
                    let before = self.at;
                    self.skip_removed(&connection).await?;
                    if before == self.at {
                        let segment = self.config.segment(self.at.0);
                        let reason = format!("there is no stream `{segment}`");
                        return Err(JournalError::Unknown(reason));
                    }
                }
            }
        }
    }

    /// Goes on with the first segment that is there.
    async fn skip_removed(&mut self, connection: &Connection) -> Result<(), JournalError> {
        self.chain
            .merge(root::read(connection, &self.config).await?);
        let first = self.chain.root().first;
        if self.at.0 < first {
            self.at = (first, 0);
        }
        Ok(())
    }

    async fn segment(&mut self, connection: &Connection) -> Result<End, JournalError> {
        let channel = answered(connection.create_channel()).await?;
        let from = (self.config.segment(self.at.0), self.at.1);
        let Some(mut consumer) = consume(&channel, &from.0, from.1, PREFETCH).await? else {
            return Ok(End::Absent);
        };
        loop {
            let Ok(next) = timeout(QUIET_TIME_MAX, consumer.next()).await else {
                return Ok(End::Quiet);
            };
            let mut deliveries = vec![delivery(next)?];
            while deliveries.len() < TOGETHER_MAX
                && let Some(next) = consumer.next().now_or_never()
            {
                deliveries.push(delivery(next)?);
            }
            let tag = deliveries.last().map_or(0, |last| last.delivery_tag);
            let acknowledged = channel.basic_ack(tag, BasicAckOptions { multiple: true });
            answered(acknowledged).await?;
            let is_sealed = match self.take(deliveries).await {
                Some(is_sealed) => is_sealed,
                None => return Ok(End::Left),
            };
            if is_sealed {
                drop(consumer);
                drop(answered(channel.close(200, short("read"))).await);
                return Ok(End::Sealed);
            }
        }
    }

    /// Hands on what was read. Returns whether the segment ends there; `None`: nobody wants it.
    async fn take(&mut self, deliveries: Vec<Delivery>) -> Option<bool> {
        let segment = self.at.0;
        let (mut entries, mut marks) = (Vec::with_capacity(deliveries.len()), Vec::new());
        let (mut next, mut is_sealed) = (self.at.1, false);
        for Delivery {
            properties, data, ..
        } in deliveries
        {
            let bytes = data.len();
            let read = convert::read(&properties, data);
            // A chunk of a stream may begin before the offset that was asked for.
            if read.offset < next {
                continue;
            }
            next = read.offset.saturating_add(1);
            if read.is_seal {
                is_sealed = true;
                break;
            }
            self.chain.grown(segment, bytes.saturating_add(200));
            marks.extend(read.mark);
            entries.push(Entry {
                position: position(segment, read.offset),
                message: read.message,
            });
        }
        for entry in &entries {
            self.chain.remember(Entry::clone(entry));
        }
        if !entries.is_empty() {
            self.sender.send(Ok(entries)).await.ok()?;
        }
        self.at.1 = next;
        for mark in marks {
            self.chain.came(&mark);
        }
        Some(is_sealed)
    }
}

/// Reads a stream from an offset on; `None`: there is none.
pub(crate) async fn consume(
    channel: &Channel,
    stream: &str,
    offset: u64,
    prefetch: u16,
) -> Result<Option<Consumer>, JournalError> {
    answered(channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
    let offset = AMQPValue::LongLongInt(i64::try_from(offset).unwrap_or(i64::MAX));
    let consumer = channel.basic_consume(
        short(stream),
        short(""),
        BasicConsumeOptions::default(),
        arguments([("x-stream-offset", offset)]),
    );
    let absent = answered(async {
        match consumer.await {
            Ok(consumer) => Ok(Some(consumer)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    });
    absent.await
}

pub(crate) fn delivery(
    next: Option<Result<Delivery, lapin::Error>>,
) -> Result<Delivery, JournalError> {
    match next {
        Some(Ok(delivery)) => Ok(delivery),
        Some(Err(error)) => Err(failed(&error)),
        None => Err(JournalError::Unknown(
            "RabbitMQ has ended the reading".to_owned(),
        )),
    }
}
