//! What is written to a journal: a chain of streams, the last of which takes what comes.
//!
//! A segment ends with a seal. Its writer puts it there once everything before it is confirmed; what another process
//! writes behind it counts for nobody. A new segment exists, and the root says so, before the one before is sealed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use lapin::{Channel, Connection, Event};
use tidegate_broker_journal::JournalError;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::chain::Chain;
use crate::connect::{Backoff, confirming, connect, declare_stream};
use crate::convert;
use crate::publish::{self, Confirmed, SOMEWHERE, publish};
use crate::queue::{Queue, Waiting, Written};
use crate::root;

/// How long what was sent may take to be confirmed before a segment is sealed.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(30);

/// Confirmations that are waited for; each says whether all of a call was confirmed.
type UnderWay = FuturesUnordered<Confirmed>;

/// Where messages go.
pub(crate) enum Place {
    /// To the last stream of a chain.
    Chain(Arc<Chain>),
    /// To a queue.
    Queue(String),
}

/// Writes until nobody can ask for it any more.
pub(crate) async fn write(config: Arc<crate::RabbitConfig>, queue: Arc<Queue>, place: Place) {
    let mut backoff = Backoff::new();
    loop {
        let mut under_way = UnderWay::new();
        let session = session(&config, &queue, &place, (&mut under_way, &mut backoff));
        let error = match session.await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        tracing::debug!("rabbitmq: writing: {error}");
        // What was sent is unknown now, and what waits is not to wait for a connection that may never come.
        drop(under_way);
        queue.fail(&error);
        backoff.pause().await;
    }
}

async fn session(
    config: &crate::RabbitConfig,
    queue: &Queue,
    place: &Place,
    (under_way, backoff): (&mut UnderWay, &mut Backoff),
) -> Result<std::convert::Infallible, JournalError> {
    let connection = connect(config, "writer").await?;
    let channel = confirming(&connection).await?;
    let mut writer = Writer {
        segment: match place {
            Place::Chain(chain) => begin(config, chain, &connection, &channel).await?,
            Place::Queue(_) => 0,
        },
        config,
        channel,
        place,
    };
    backoff.reset();
    let mut events = connection.events_listener();
    let mut is_blocked = false;
    loop {
        tokio::select! {
            biased;
            event = events.next() => match event {
                // An alarm of the server: it reads nothing more from us until it is over.
                Some(Event::ConnectionBlocked(reason)) => {
                    tracing::warn!("RabbitMQ takes nothing now: {reason}");
                    is_blocked = true;
                }
                Some(Event::ConnectionUnblocked) => is_blocked = false,
                Some(Event::Error(error)) => return Err(crate::connect::failed(&error)),
                Some(_) => {}
                None => return Err(JournalError::Unknown("the connection has ended".to_owned())),
            },
            // What was not confirmed may mean that the segment is gone, or the channel: all is looked at anew.
            Some(confirmed) = under_way.next(), if !under_way.is_empty() => confirmed?,
            call = queue.next(), if !is_blocked => {
                // Only for who has something to write: an owner that was fenced off begins no segment any more.
                if let Place::Chain(chain) = place {
                    writer.go_on(chain, under_way).await?;
                }
                let sent = writer.send(call).await;
                under_way.push(sent);
            }
        }
    }
}

/// Finds the segment that is written to, and makes sure that those before it are sealed.
async fn begin(
    config: &crate::RabbitConfig,
    chain: &Chain,
    connection: &Connection,
    channel: &Channel,
) -> Result<u64, JournalError> {
    chain.merge(root::read(connection, config).await?);
    let root = chain.root();
    declare_stream(channel, config, &config.segment(root.last), chain.limits()).await?;
    if let Some(before) = root.last.checked_sub(1)
        && before >= root.first
    {
        // Its writer may have died before it could.
        seal(config, channel, before).await?;
    }
    Ok(root.last)
}

async fn seal(
    config: &crate::RabbitConfig,
    channel: &Channel,
    segment: u64,
) -> Result<(), JournalError> {
    let name = config.segment(segment);
    publish(channel, ("", &name), SOMEWHERE, &[], convert::seal()).await
}

struct Writer<'a> {
    config: &'a crate::RabbitConfig,
    channel: Channel,
    place: &'a Place,
    segment: u64,
}

impl Writer<'_> {
    /// Sends the messages of a call one behind the other.
    async fn send(&self, call: Waiting) -> Confirmed {
        let Waiting {
            messages,
            mark,
            answer,
        } = call;
        let name = match self.place {
            Place::Chain(_) => self.config.segment(self.segment),
            Place::Queue(name) => name.clone(),
        };
        let mut sent = Vec::with_capacity(messages.len());
        for (at, message) in messages.into_iter().enumerate() {
            let mark = mark.map(|mark| format!("{mark:x}-{at}"));
            let properties = convert::properties(&message, mark.as_deref());
            let payload: Bytes = message.payload;
            let to = ("", name.as_str());
            sent.push(publish::begin(&self.channel, to, SOMEWHERE, (payload, properties)).await);
        }
        Box::pin(confirm(sent, self.segment, answer))
    }

    /// Goes to the last segment, and on to a new one when that has grown.
    async fn go_on(&mut self, chain: &Chain, under_way: &mut UnderWay) -> Result<(), JournalError> {
        self.segment = self.segment.max(chain.last());
        if chain.size(self.segment) >= self.config.segment_bytes {
            self.roll(chain, under_way).await?;
        }
        Ok(())
    }

    /// Begins a new segment.
    async fn roll(&mut self, chain: &Chain, under_way: &mut UnderWay) -> Result<(), JournalError> {
        // Nothing of what is before the seal may be sent again behind it as if it were not there.
        let settled = async {
            while let Some(confirmed) = under_way.next().await {
                confirmed?;
            }
            Ok(())
        };
        let late = |_| JournalError::Unknown("RabbitMQ does not confirm".to_owned());
        timeout(SETTLE_TIME_MAX, settled).await.map_err(late)??;
        let next = self.segment.saturating_add(1);
        let name = self.config.segment(next);
        declare_stream(&self.channel, self.config, &name, chain.limits()).await?;
        let mut root = chain.root();
        root.last = root.last.max(next);
        root::write(&self.channel, self.config, &root).await?;
        // From here on whoever comes seals it, if this process does not.
        seal(self.config, &self.channel, self.segment).await?;
        chain.begun(next);
        self.segment = next;
        Ok(())
    }
}

/// Waits until all are confirmed, and answers the call.
async fn confirm(
    sent: Vec<Confirmed>,
    segment: u64,
    answer: oneshot::Sender<Written>,
) -> Result<(), JournalError> {
    let confirmed: Result<(), JournalError> = join_all(sent).await.into_iter().collect();
    // Nobody may be waiting any more.
    let _left = answer.send(confirmed.clone().map(|()| segment));
    confirmed
}
