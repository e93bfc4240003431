//! Connections, made again by whoever needs them: the library's own recovery is not used.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};
use tidegate_broker_journal::JournalError;
use tokio::time::{sleep, timeout};

use crate::chance::random;
use crate::config::RabbitConfig;

/// How long a server may take to answer before it counts as dead.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
const BACKOFF: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// The pause before it is tried again, twice as long each time.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self(BACKOFF)
    }

    pub(crate) const fn reset(&mut self) {
        self.0 = BACKOFF;
    }

    pub(crate) async fn pause(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(BACKOFF_MAX);
    }
}

/// Connects to a server that answers.
pub(crate) async fn connect(
    config: &RabbitConfig,
    purpose: &str,
) -> Result<Arc<Connection>, JournalError> {
    let mut last = JournalError::Unknown("no server is named".to_owned());
    // Not always the first one, which may not have what is asked for next.
    let start = usize::try_from(random() >> 33).unwrap_or_default() % config.servers.len().max(1);
    let servers = config.servers.iter().cycle().skip(start);
    for server in servers.take(config.servers.len()) {
        let name = format!("tidegate {} {purpose}", config.system);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let runtime = lapin::runtime::default_runtime().map_err(|error| failed(&error))?;
        let uri = config.uri(server);
        let connecting =
            Connection::connect_uri_with_config(uri, properties, config.tls_config(), runtime);
        match timeout(ANSWER_TIME_MAX, connecting).await {
            Ok(Ok(connection)) => return Ok(Arc::new(connection)),
            Ok(Err(error)) => last = failed(&error),
            Err(_) => last = JournalError::Unknown("it does not answer".to_owned()),
        }
    }
    Err(match last {
        JournalError::Unknown(reason) => {
            JournalError::Unknown(format!("{}: {reason}", config.address()))
        }
        JournalError::Refused(reason) => {
            JournalError::Refused(format!("{}: {reason}", config.address()))
        }
    })
}

/// A channel on which every message is confirmed: said anew on each, as it ends with the channel.
pub(crate) async fn confirming(connection: &Connection) -> Result<Channel, JournalError> {
    answered(async {
        let channel = connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        Ok(channel)
    })
    .await
}

/// Waits for an answer, but not for ever.
pub(crate) async fn answered<T>(
    question: impl Future<Output = lapin::Result<T>>,
) -> Result<T, JournalError> {
    match timeout(ANSWER_TIME_MAX, question).await {
        Ok(answer) => answer.map_err(|error| failed(&error)),
        Err(_) => Err(JournalError::Unknown("RabbitMQ does not answer".to_owned())),
    }
}

/// What an error of the library means: only what will be answered so for ever is a refusal.
pub(crate) fn failed(error: &lapin::Error) -> JournalError {
    let reason = error.to_string();
    let refused = match error.kind() {
        ErrorKind::ProtocolError(error) => matches!(
            error.kind(),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED)
        ),
        _ => false,
    };
    // A stream that has just been created may not be there yet, and another server of the cluster may have it.
    let is_elsewhere = reason.contains("replica on the local node");
    if refused && !is_elsewhere {
        JournalError::Refused(reason)
    } else {
        JournalError::Unknown(reason)
    }
}

/// Whether the server has said that what was named does not exist.
pub(crate) fn is_absent(error: &lapin::Error) -> bool {
    is_soft(error, &AMQPSoftError::NOTFOUND)
}

/// Whether the server has said that another connection holds what was asked for.
pub(crate) fn is_locked(error: &lapin::Error) -> bool {
    is_soft(error, &AMQPSoftError::RESOURCELOCKED)
}

fn is_soft(error: &lapin::Error, kind: &AMQPSoftError) -> bool {
    match error.kind() {
        ErrorKind::ProtocolError(error) => {
            matches!(error.kind(), AMQPErrorKind::Soft(soft) if soft == kind)
        }
        _ => false,
    }
}

/// A name; one that is too long becomes one that nobody has.
pub(crate) fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_default()
}

pub(crate) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

pub(crate) fn arguments<const N: usize>(pairs: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in pairs {
        table.insert(short(name), value);
    }
    table
}

/// Creates a stream, or finds it.
pub(crate) async fn declare_stream(
    channel: &Channel,
    config: &RabbitConfig,
    name: &str,
    more: FieldTable,
) -> Result<(), JournalError> {
    let mut arguments = arguments([("x-queue-type", text("stream"))]);
    if let Some(replicas) = config.replicas {
        let replicas = AMQPValue::LongLongInt(i64::from(replicas));
        arguments.insert(short("x-initial-cluster-size"), replicas);
    }
    for (name, value) in more.inner() {
        arguments.insert(name.clone(), value.clone());
    }
    declare(channel, name, arguments).await
}

/// Creates a quorum queue, or finds it.
pub(crate) async fn declare_queue(
    channel: &Channel,
    config: &RabbitConfig,
    name: &str,
    more: FieldTable,
) -> Result<(), JournalError> {
    let mut arguments = arguments([("x-queue-type", text("quorum"))]);
    if let Some(replicas) = config.replicas {
        let replicas = AMQPValue::LongLongInt(i64::from(replicas));
        arguments.insert(short("x-quorum-initial-group-size"), replicas);
    }
    for (name, value) in more.inner() {
        arguments.insert(name.clone(), value.clone());
    }
    declare(channel, name, arguments).await
}

async fn declare(channel: &Channel, name: &str, table: FieldTable) -> Result<(), JournalError> {
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    answered(channel.queue_declare(short(name), options, table)).await?;
    Ok(())
}

/// Removes a stream with all that is in it; nothing happens if it is gone.
pub(crate) async fn delete(channel: &Channel, name: &str) -> Result<(), JournalError> {
    let deleted = channel.queue_delete(short(name), QueueDeleteOptions::default());
    answered(deleted).await?;
    Ok(())
}
