//! Which segments a shard's journal has, and how far its events were published: the root, a small stream.
//!
//! Each message says all of it. Whoever reads takes the highest of each, so that it does not matter in which order
//! several processes write, and how often. That a segment is to go is said before it goes: a crash between the two
//! leaves at most the one before the first, which whoever comes next removes.

use std::collections::BTreeMap;
use std::fmt::Write;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions};
use lapin::protocol::BasicProperties;
use lapin::types::AMQPValue;
use lapin::{Channel, Connection, Consumer};
use tidegate_base::Name;
use tidegate_broker_journal::JournalError;

use crate::chance::random;
use crate::config::RabbitConfig;
use crate::connect::{answered, arguments, confirming, declare_stream, short, text};
use crate::publish::publish;

/// What is read of it at once.
const PREFETCH: u16 = 100;
/// The root is kept this short, as the latest messages say everything.
const ROOT_BYTES: i64 = 2 << 20;
const ROOT_SEGMENT_BYTES: i64 = 500 << 10;

/// What the root says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Root {
    /// The first segment that is there.
    pub(crate) first: u64,
    /// The one that is written to.
    pub(crate) last: u64,
    /// For each channel, one past the last event that was published.
    pub(crate) published: BTreeMap<Name, u64>,
}

impl Root {
    fn encode(&self) -> String {
        let mut text = format!("first {}\nlast {}\n", self.first, self.last);
        for (name, position) in &self.published {
            // A text takes everything.
            let _written = writeln!(text, "published {name} {position}");
        }
        text
    }

    fn decode(text: &str) -> Self {
        let mut root = Self::default();
        for line in text.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            match fields.as_slice() {
                ["first", number] => root.first = number.parse().unwrap_or_default(),
                ["last", number] => root.last = number.parse().unwrap_or_default(),
                ["published", name, position] => {
                    if let (Ok(name), Ok(position)) = (Name::new(name), position.parse()) {
                        root.published.insert(name, position);
                    }
                }
                // A later version may say more.
                _ => {}
            }
        }
        root
    }

    /// What both say together.
    pub(crate) fn merge(&mut self, other: Self) {
        self.first = self.first.max(other.first);
        self.last = self.last.max(other.last).max(self.first);
        for (name, position) in other.published {
            let published = self.published.entry(name).or_default();
            *published = position.max(*published);
        }
    }
}

/// Reads all of it: up to a message that is written for that, so that nothing confirmed before is missed.
pub(crate) async fn read(
    connection: &Connection,
    config: &RabbitConfig,
) -> Result<Root, JournalError> {
    let mut looking = Looking::begin(connection, config).await?;
    let root = looking.look().await?;
    drop(looking.consumer);
    drop(answered(looking.channel.close(200, short("read"))).await);
    Ok(root)
}

/// Looks at it again and again.
pub(crate) struct Looking {
    channel: Channel,
    consumer: Consumer,
    name: String,
    root: Root,
    unacknowledged: u16,
}

impl Looking {
    pub(crate) async fn begin(
        connection: &Connection,
        config: &RabbitConfig,
    ) -> Result<Self, JournalError> {
        let channel = confirming(connection).await?;
        let name = config.root();
        let short_lived = arguments([
            ("x-max-length-bytes", AMQPValue::LongLongInt(ROOT_BYTES)),
            (
                "x-stream-max-segment-size-bytes",
                AMQPValue::LongLongInt(ROOT_SEGMENT_BYTES),
            ),
        ]);
        declare_stream(&channel, config, &name, short_lived).await?;
        let prefetch = channel.basic_qos(PREFETCH, BasicQosOptions::default());
        answered(prefetch).await?;
        let consumer = channel.basic_consume(
            short(&name),
            short(""),
            BasicConsumeOptions::default(),
            arguments([("x-stream-offset", text("first"))]),
        );
        Ok(Self {
            consumer: answered(consumer).await?,
            channel,
            name,
            root: Root::default(),
            unacknowledged: 0,
        })
    }

    /// What it says now.
    pub(crate) async fn look(&mut self) -> Result<Root, JournalError> {
        let look = format!("look {:016x}", random());
        say(&self.channel, &self.name, &look).await?;
        loop {
            let next = answered(async { self.consumer.next().await.transpose() }).await?;
            let Some(delivery) = next else {
                let reason = "the reading of the root was ended".to_owned();
                return Err(JournalError::Unknown(reason));
            };
            // That further ones are sent.
            self.unacknowledged += 1;
            if self.unacknowledged >= PREFETCH / 2 {
                self.unacknowledged = 0;
                let all = BasicAckOptions { multiple: true };
                answered(self.channel.basic_ack(delivery.delivery_tag, all)).await?;
            }
            let said = String::from_utf8_lossy(&delivery.data);
            if said == look {
                return Ok(self.root.clone());
            }
            self.root.merge(Root::decode(&said));
        }
    }
}

/// Writes it.
pub(crate) async fn write(
    channel: &Channel,
    config: &RabbitConfig,
    root: &Root,
) -> Result<(), JournalError> {
    say(channel, &config.root(), &root.encode()).await
}

async fn say(channel: &Channel, stream: &str, what: &str) -> Result<(), JournalError> {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let properties = BasicProperties::default().with_delivery_mode(2);
    publish(channel, ("", stream), options, what.as_bytes(), properties).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_of_everything_is_taken() {
        let orders = Name::new("orders").unwrap();
        let one = Root {
            first: 3,
            last: 9,
            published: [(orders.clone(), 5)].into(),
        };
        let mut root = Root::decode(&one.encode());
        assert_eq!(root, one);
        root.merge(Root::decode(
            "first 4\nlast 2\npublished orders 1\nnew thing",
        ));
        assert_eq!((root.first, root.last), (4, 9));
        assert_eq!(root.published.get(&orders), Some(&5));
        root.merge(Root::decode("first 12"));
        assert_eq!((root.first, root.last), (12, 12));
    }
}
