//! Reading a stream on, however often the server goes and comes.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::StreamExt;
use tidegate_broker_journal::{Entry, Follow, JournalError};
use tokio::time::timeout;

use crate::journal::{StreamOf, unknown};

/// How long nothing may come until the server is asked whether there is something.
const IDLE: Duration = Duration::from_secs(2);
/// How long it may take until a consumer is made.
const MAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// Entries that are given at once.
const TOGETHER_MAX: usize = 512;

/// Where it is, and what it reads from.
pub(crate) struct Following {
    stream: Arc<StreamOf>,
    next: u64,
    messages: Option<Box<Ordered>>,
}

impl Following {
    pub(crate) fn new(stream: Arc<StreamOf>, from: u64) -> Self {
        Self {
            stream,
            // The first message of a stream is 1.
            next: from.max(1),
            messages: None,
        }
    }

    fn entry(&mut self, message: &async_nats::jetstream::Message) -> Result<Entry, JournalError> {
        let info = message.info();
        let info = info.map_err(|error| JournalError::Unknown(error.to_string()))?;
        let position = info.stream_sequence;
        let nanos = info.published.unix_timestamp_nanos();
        let (headers, payload) = (message.headers.as_ref(), message.payload.clone());
        let entry = self
            .stream
            .entry(&message.subject, position, nanos, headers, payload);
        self.next = position.saturating_add(1);
        Ok(entry)
    }

    /// Asks the server whether there is something that does not come.
    async fn look(&mut self) -> Result<(), JournalError> {
        let stream = self.stream.stream().await?;
        let info = stream.get_info().await;
        let last = info.map_err(|error| unknown(&error))?.state.last_sequence;
        if last.saturating_add(1) < self.next {
            let (stream, seen) = (&self.stream.name, self.next.saturating_sub(1));
            return Err(JournalError::Refused(format!(
                "stream `{stream}` has lost messages that it had confirmed: it ends at {last}, and {seen} was read"
            )));
        }
        if last >= self.next {
            self.messages = None;
        }
        Ok(())
    }
}

/// Makes a consumer that begins at a position.
async fn begin(of: Arc<StreamOf>, next: u64) -> Result<Box<Ordered>, JournalError> {
    let config = OrderedConfig {
        deliver_policy: DeliverPolicy::ByStartSequence {
            start_sequence: next,
        },
        ..OrderedConfig::default()
    };
    let consumer = of.stream().await?.create_consumer(config).await;
    let consumer = consumer.map_err(|error| unknown(&error))?;
    let messages = consumer.messages().await;
    Ok(Box::new(messages.map_err(|error| unknown(&error))?))
}

impl Follow for Following {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<Entry>, JournalError>> {
        async move {
            loop {
                let Some(messages) = &mut self.messages else {
                    let begun =
                        timeout(MAKE_TIME_MAX, begin(Arc::clone(&self.stream), self.next)).await;
                    let late = || JournalError::Unknown("the server does not answer".to_owned());
                    self.messages = Some(begun.map_err(|_| late())??);
                    continue;
                };
                let first = match timeout(IDLE, messages.next()).await {
                    Ok(Some(Ok(message))) => message,
                    Ok(Some(Err(error))) => {
                        self.messages = None;
                        return Err(unknown(&error));
                    }
                    Ok(None) => {
                        self.messages = None;
                        continue;
                    }
                    Err(_idle) => {
                        self.look().await?;
                        continue;
                    }
                };
                // No more waiting from here on: what was taken is given.
                let mut taken = vec![first];
                while taken.len() < TOGETHER_MAX
                    && let Some(Some(Ok(message))) = messages.next().now_or_never()
                {
                    taken.push(message);
                }
                let mut entries = Vec::with_capacity(taken.len());
                for message in &taken {
                    match self.entry(message) {
                        Ok(entry) => entries.push(entry),
                        Err(error) => {
                            // It is read again from here on.
                            self.messages = None;
                            if entries.is_empty() {
                                return Err(error);
                            }
                            break;
                        }
                    }
                }
                return Ok(entries);
            }
        }
        .boxed()
    }
}
