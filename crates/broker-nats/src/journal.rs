//! A stream as a journal.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{DirectGetErrorKind, LastRawMessageErrorKind, Stream};
use futures_util::future::{BoxFuture, FutureExt, ready, try_join_all};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tidegate_base::Name;
use tidegate_broker::Survives;
use tidegate_broker_journal::{Entry, Follow, Journal, JournalError, Message};
use tokio::sync::{mpsc, oneshot};

use crate::convert::{self, Outbound, Place};
use crate::follow::Following;
use crate::session::Session;
use crate::subject;

/// Calls that wait to be sent.
const CALLS_MAX: usize = 256;
/// Messages that are asked for at the same time.
const ASKED_MAX: usize = 64;

/// A shard's stream.
pub(crate) struct NatsJournal {
    stream: Arc<StreamOf>,
    calls: mpsc::Sender<Call>,
}

/// What is known of the stream of a shard.
#[derive(Clone)]
pub(crate) struct StreamOf {
    pub(crate) context: Context,
    pub(crate) name: String,
    pub(crate) root: String,
    shard: u32,
    channels: Vec<(Name, String)>,
}

/// Messages on their way to the stream.
struct Call {
    messages: Vec<Message>,
    reply: oneshot::Sender<Result<(), JournalError>>,
}

impl fmt::Debug for NatsJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsJournal")
            .field("stream", &self.stream.name)
            .finish_non_exhaustive()
    }
}

impl StreamOf {
    pub(crate) fn entry(
        &self,
        subject: &str,
        position: u64,
        nanos: i128,
        headers: Option<&async_nats::HeaderMap>,
        payload: bytes::Bytes,
    ) -> Entry {
        let place = Place {
            subject,
            root: &self.root,
            position,
            nanos: u64::try_from(nanos).unwrap_or_default(),
            shard: self.shard,
            channels: &self.channels,
        };
        convert::entry(&place, headers, payload)
    }

    pub(crate) async fn stream(&self) -> Result<Stream<()>, JournalError> {
        let stream = self.context.get_stream_no_info(&self.name).await;
        stream.map_err(|error| unknown(&error))
    }

    fn stored(&self, message: StreamMessage) -> Entry {
        let nanos = message.time.unix_timestamp_nanos();
        let (headers, sequence) = (message.headers, message.sequence);
        self.entry(
            &message.subject,
            sequence,
            nanos,
            Some(&headers),
            message.payload,
        )
    }

    /// The entry at a position; `None`: it was trimmed.
    async fn get(&self, stream: &Stream<()>, position: u64) -> Result<Option<Entry>, JournalError> {
        match stream.direct_get(position).await {
            Ok(message) => return Ok(Some(self.stored(message))),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => {}
            Err(error) => return Err(unknown(&error)),
        }
        // A replica may have answered that is behind: the leader knows.
        match stream.get_raw_message(position).await {
            Ok(message) => Ok(Some(self.stored(message))),
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                _ => Err(unknown(&error)),
            },
        }
    }

    /// Sends messages in their order. Returns what confirms them.
    async fn send(&self, messages: Vec<Message>) -> Result<Vec<PublishAckFuture>, JournalError> {
        let mut confirmations = Vec::with_capacity(messages.len());
        for message in messages {
            let Outbound {
                rest,
                headers,
                payload,
            } = convert::outbound(message);
            let subject = format!("{}{rest}", self.root);
            // It has no `Nats-Msg-Id`: the server would pass over what is sent again behind something that was lost.
            let message = PublishMessage::build().payload(payload).headers(headers);
            let sent = self.context.send_publish(subject, message).await;
            confirmations.push(sent.map_err(failed)?);
        }
        Ok(confirmations)
    }
}

impl NatsJournal {
    pub(crate) fn new(session: &Session, shard: u32) -> Self {
        let config = &session.config;
        let stream = Arc::new(StreamOf {
            context: session.context.clone(),
            name: subject::stream(config, shard),
            root: subject::root(config, shard),
            shard,
            channels: config.channels.clone(),
        });
        let (calls, called) = mpsc::channel(CALLS_MAX);
        tokio::spawn(send_all(Arc::clone(&stream), called));
        Self { stream, calls }
    }
}

/// Sends call after call, until nobody can call any more.
async fn send_all(stream: Arc<StreamOf>, mut called: mpsc::Receiver<Call>) {
    while let Some(Call { messages, reply }) = called.recv().await {
        // Whoever waits no longer sends it again.
        if reply.is_closed() {
            continue;
        }
        match stream.send(messages).await {
            Ok(confirmations) => {
                tokio::spawn(async move {
                    let confirmations = confirmations.into_iter().map(IntoFuture::into_future);
                    let confirmed = try_join_all(confirmations).await;
                    let _left = reply.send(confirmed.map(drop).map_err(failed));
                });
            }
            Err(error) => {
                let _left = reply.send(Err(error));
            }
        }
    }
}

pub(crate) fn unknown(error: &dyn std::error::Error) -> JournalError {
    JournalError::Unknown(error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over an error")]
fn failed(error: PublishError) -> JournalError {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => JournalError::Refused(error.to_string()),
        // That nobody answers for the stream is so while it chooses a leader, too.
        _ => JournalError::Unknown(error.to_string()),
    }
}

impl Journal for NatsJournal {
    fn engine(&self) -> &'static str {
        "NATS JetStream"
    }

    fn survives(&self) -> Survives {
        // It syncs every two minutes, unless `sync_interval: always` is set.
        Survives::Replicas
    }

    fn message_bytes_max(&self) -> usize {
        let most = self.stream.context.client().max_payload();
        // Headers besides those of attributes.
        most.saturating_sub(4_096)
    }

    fn fits(&self, message: &Message) -> bool {
        convert::bytes(message) <= self.message_bytes_max()
    }

    fn append(&self, messages: Vec<Message>) -> BoxFuture<'static, Result<(), JournalError>> {
        let (reply, answer) = oneshot::channel();
        if self.calls.try_send(Call { messages, reply }).is_err() {
            let reason = "much waits to be sent already".to_owned();
            return ready(Err(JournalError::Unknown(reason))).boxed();
        }
        async move {
            let lost = |_| Err(JournalError::Unknown("the connection has ended".to_owned()));
            answer.await.unwrap_or_else(lost)
        }
        .boxed()
    }

    fn follow(&self, from: u64) -> Box<dyn Follow> {
        Box::new(Following::new(Arc::clone(&self.stream), from))
    }

    fn read(&self, positions: Vec<u64>) -> BoxFuture<'static, Result<Vec<Entry>, JournalError>> {
        let this = Arc::clone(&self.stream);
        async move {
            let stream = this.stream().await?;
            let get = |position| this.get(&stream, position);
            let found: Vec<Option<Entry>> = stream::iter(positions)
                .map(get)
                .buffered(ASKED_MAX)
                .try_collect()
                .await?;
            Ok(found.into_iter().flatten().collect())
        }
        .boxed()
    }

    fn trim(&self, before: u64) -> BoxFuture<'static, Result<(), JournalError>> {
        let this = Arc::clone(&self.stream);
        async move {
            // NATS takes a purge up to the first message for one of everything.
            if before <= 1 {
                return Ok(());
            }
            let stream = this.stream().await?;
            let purged = stream.purge().sequence(before).await;
            purged.map(drop).map_err(|error| unknown(&error))
        }
        .boxed()
    }
}
