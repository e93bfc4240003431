//! Publishing with confirmation.

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, FutureExt, ready};
use lapin::options::BasicPublishOptions;
use lapin::protocol::BasicProperties;
use lapin::{Channel, Confirmation};
use tidegate_broker_journal::JournalError;

use crate::connect::{answered, failed, short};

/// What is published to an exchange that may have no queue for it.
pub(crate) const ANYWHERE: BasicPublishOptions = BasicPublishOptions {
    mandatory: false,
    immediate: false,
};
/// What is published must be taken by a queue: a confirmation alone does not say so.
pub(crate) const SOMEWHERE: BasicPublishOptions = BasicPublishOptions {
    mandatory: true,
    immediate: false,
};

/// What came of a message once it is confirmed.
pub(crate) type Confirmed = BoxFuture<'static, Result<(), JournalError>>;

/// Publishes one message and waits until it is kept.
pub(crate) async fn publish(
    channel: &Channel,
    (exchange, key): (&str, &str),
    options: BasicPublishOptions,
    payload: &[u8],
    properties: BasicProperties,
) -> Result<(), JournalError> {
    let sent = channel.basic_publish(short(exchange), short(key), options, payload, properties);
    let confirmed = answered(async { sent.await?.await }).await?;
    judge(confirmed)
}

/// Puts a message behind those before it, without waiting for anything. It may take as long as the server pleases.
pub(crate) async fn begin(
    channel: &Channel,
    (exchange, key): (&str, &str),
    options: BasicPublishOptions,
    (payload, properties): (Bytes, BasicProperties),
) -> Confirmed {
    let (channel, exchange, key) = (channel.clone(), short(exchange), short(key));
    let mut sending = async move {
        let sent = channel.basic_publish(exchange, key, options, &payload, properties);
        match sent.await {
            Ok(confirmed) => confirmed.await.map_err(|error| failed(&error)),
            Err(error) => Err(failed(&error)),
        }
        .and_then(judge)
    }
    .boxed();
    // The first poll gives it its place in the channel.
    let begun = poll_fn(|context| Poll::Ready(sending.poll_unpin(context))).await;
    match begun {
        Poll::Ready(done) => Either::Left(ready(done)),
        Poll::Pending => Either::Right(sending),
    }
    .boxed()
}

fn judge(confirmed: Confirmation) -> Result<(), JournalError> {
    let reason = match confirmed {
        Confirmation::Ack(None) => return Ok(()),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => {
            format!("no queue takes it: {}", returned.reply_text)
        }
        Confirmation::Nack(None) => "RabbitMQ does not take it".to_owned(),
        Confirmation::NotRequested => "nothing is confirmed on this channel".to_owned(),
    };
    Err(JournalError::Unknown(reason))
}
