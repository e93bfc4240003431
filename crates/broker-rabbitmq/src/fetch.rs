//! Reading single messages of a journal again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::Connection;
use lapin::options::BasicAckOptions;
use tidegate_broker_journal::{Entry, JournalError};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::RabbitConfig;
use crate::chain::{place, position};
use crate::connect::{answered, connect, short};
use crate::convert;
use crate::follow::{consume, delivery};

/// Messages that are read over rather than asked for anew.
const GAP_MAX: u64 = 500;
const PREFETCH: u16 = 100;
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads on a connection of its own, which is made when it is needed first.
#[derive(Debug)]
pub(crate) struct Fetcher {
    config: Arc<RabbitConfig>,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl Fetcher {
    pub(crate) fn new(config: Arc<RabbitConfig>) -> Self {
        Self {
            config,
            connection: Mutex::new(None),
        }
    }

    /// The entries at these positions, as far as they are there.
    pub(crate) async fn read(&self, positions: Vec<u64>) -> Result<Vec<Entry>, JournalError> {
        let mut entries = Vec::with_capacity(positions.len());
        let mut rest = positions.as_slice();
        while let Some(run) = run(rest) {
            rest = rest.get(run.len()..).unwrap_or_default();
            let read = timeout(PATIENCE, self.read_run(run, &mut entries)).await;
            let late = || JournalError::Unknown("RabbitMQ does not answer a read".to_owned());
            if let Err(error) = read.unwrap_or_else(|_| Err(late())) {
                self.connection.lock().await.take();
                return Err(error);
            }
        }
        Ok(entries)
    }

    async fn connection(&self) -> Result<Arc<Connection>, JournalError> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = held.as_ref()
            && connection.status().connected()
        {
            return Ok(Arc::clone(connection));
        }
        let connection = connect(&self.config, "fetcher").await?;
        *held = Some(Arc::clone(&connection));
        Ok(connection)
    }

    async fn read_run(&self, run: &[u64], entries: &mut Vec<Entry>) -> Result<(), JournalError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return Ok(());
        };
        let ((segment, from), (_, until)) = (place(*first), place(*last));
        let connection = self.connection().await?;
        let channel = answered(connection.create_channel()).await?;
        let name = self.config.segment(segment);
        let Some(mut consumer) = consume(&channel, &name, from, PREFETCH).await? else {
            // It was removed.
            return Ok(());
        };
        let mut unacknowledged = 0;
        loop {
            let next = delivery(consumer.next().await)?;
            let tag = next.delivery_tag;
            let read = convert::read(&next.properties, next.data);
            let offset = read.offset;
            let at = position(segment, offset);
            if run.binary_search(&at).is_ok() {
                entries.push(Entry {
                    position: at,
                    message: read.message,
                });
            }
            if offset >= until {
                break;
            }
            // That further ones are sent.
            unacknowledged += 1;
            if unacknowledged >= PREFETCH / 2 {
                unacknowledged = 0;
                let all = BasicAckOptions { multiple: true };
                answered(channel.basic_ack(tag, all)).await?;
            }
        }
        drop(consumer);
        drop(answered(channel.close(200, short("read"))).await);
        Ok(())
    }
}

/// The first positions that are read together: of one segment, with no large gap between them.
fn run(positions: &[u64]) -> Option<&[u64]> {
    positions.first()?;
    let apart =
        |one: u64, next: u64| place(one).0 != place(next).0 || next.saturating_sub(one) > GAP_MAX;
    let pairs = positions.iter().zip(positions.iter().skip(1));
    let end = pairs
        .take_while(|(one, next)| !apart(**one, **next))
        .count()
        + 1;
    positions.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_that_lie_together_are_read_together() {
        let positions = [3, 4, 90, 1_000, position(1, 0), position(1, 2)];
        let mut rest = &positions[..];
        let mut runs = Vec::new();
        while let Some(found) = run(rest) {
            runs.push(found.len());
            rest = &rest[found.len()..];
        }
        assert_eq!(runs, [3, 1, 2]);
    }
}
