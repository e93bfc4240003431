//! The headers of each framework.

use serde_json::Value as Json;

use super::{Dialect, Headers, Letter};

/// Source: Spring for Apache Kafka, "Publishing Dead-letter Records", and `KafkaHeaders` (`kafka_dlt-…`, and
/// `kafka_original-…` of retry topics): partitions are integers of 4 bytes, offsets and timestamps of 8.
pub(super) fn spring(headers: &Headers<'_>, letter: &mut Letter) -> bool {
    let prefix = ["kafka_dlt-", "kafka_"];
    let Some(prefix) = prefix
        .into_iter()
        .find(|prefix| headers.has(&format!("{prefix}original-topic")))
    else {
        return false;
    };
    let original = |name: &str| format!("{prefix}original-{name}");
    let exception = |name: &str| {
        let own = headers.text(&format!("{prefix}exception-{name}"));
        own.or_else(|| headers.text(&format!("kafka_dlt-exception-{name}")))
    };
    letter.dialect = Dialect::Spring;
    letter.from = headers.text(&original("topic"));
    let partition = headers.number(&original("partition"), 4);
    let offset = headers.number(&original("offset"), 8);
    letter.from_position = position(partition, offset);
    letter.consumer = headers.text(&original("consumer-group"));
    // What the handler threw; Spring wraps it in an exception of its own.
    letter.reason = exception("cause-fqcn").or_else(|| exception("fqcn"));
    letter.message = exception("message");
    letter.trace = exception("stacktrace");
    letter.attempts = headers
        .number("retry_topic-attempts", 4)
        .and_then(|attempts| u64::try_from(attempts).ok());
    letter.message_type = letter
        .message_type
        .take()
        .or_else(|| headers.text("__TypeId__"));
    true
}

/// Source: KIP-298, and `DeadLetterQueueReporter` of Apache Kafka: all of it is text.
pub(super) fn kafka_connect(headers: &Headers<'_>, letter: &mut Letter) -> bool {
    let name = |name: &str| format!("__connect.errors.{name}");
    if !headers.has(&name("topic")) && !headers.has(&name("connector.name")) {
        return false;
    }
    letter.dialect = Dialect::KafkaConnect;
    letter.from = headers.text(&name("topic"));
    letter.from_position = position(
        headers.number(&name("partition"), 0),
        headers.number(&name("offset"), 0),
    );
    letter.consumer = headers.text(&name("connector.name"));
    letter.reason = headers.text(&name("exception.class.name"));
    let stage = headers.text(&name("stage"));
    let message = headers.text(&name("exception.message"));
    letter.message = match (stage, message) {
        (Some(stage), Some(message)) => Some(format!("{stage}: {message}")),
        (stage, message) => message.or(stage),
    };
    letter.trace = headers.text(&name("exception.stacktrace"));
    true
}

/// Source: NServiceBus documentation, "Message Headers", "Error forwarding headers" and "Retries handling headers".
pub(super) fn nservicebus(headers: &Headers<'_>, letter: &mut Letter) -> bool {
    let name = |name: &str| headers.text(&format!("NServiceBus.{name}"));
    let Some(from) = name("FailedQ") else {
        return false;
    };
    letter.dialect = Dialect::NServiceBus;
    letter.from = Some(from);
    letter.consumer = name("ProcessingEndpoint");
    let inner = name("ExceptionInfo.InnerExceptionType");
    letter.reason = name("ExceptionInfo.ExceptionType").or(inner);
    letter.message = name("ExceptionInfo.Message");
    letter.trace = name("ExceptionInfo.StackTrace");
    letter.failed_at = name("TimeOfFailure");
    // Rounds of delayed retries; those in between are counted nowhere.
    letter.attempts = headers
        .number("NServiceBus.DelayedRetries", 0)
        .or_else(|| headers.number("NServiceBus.Retries", 0))
        .and_then(|rounds| u64::try_from(rounds).ok())
        .map(|rounds| rounds.saturating_add(1));
    let types = name("EnclosedMessageTypes");
    // The first of several, without the assembly that it comes from.
    let first = types.and_then(|types| types.split([';', ',']).next().map(str::to_owned));
    letter.message_type = letter.message_type.take().or(first);
    true
}

/// Source: `MessageHeaders` of MassTransit, and its documentation, "Exceptions": a retry is one more attempt.
pub(super) fn masstransit(headers: &Headers<'_>, letter: &mut Letter) -> bool {
    let Some(reason) = headers.text("MT-Reason") else {
        return false;
    };
    let fault = |name: &str| headers.text(&format!("MT-Fault-{name}"));
    letter.dialect = Dialect::MassTransit;
    // `dead-letter`: nobody consumes such messages; `fault`: a consumer threw.
    letter.reason = fault("ExceptionType").or(Some(reason));
    letter.message = fault("Message");
    letter.trace = fault("StackTrace");
    letter.failed_at = fault("Timestamp");
    letter.consumer = fault("ConsumerType");
    letter.message_type = letter.message_type.take().or_else(|| fault("MessageType"));
    let queue = letter.source.clone();
    let queue = queue
        .strip_suffix("_error")
        .or_else(|| queue.strip_suffix("_skipped"));
    letter.from = queue.map(str::to_owned);
    if letter.message.is_some() {
        let retries = headers.number("MT-Fault-RetryCount", 0).unwrap_or_default();
        letter.attempts = u64::try_from(retries).ok().map(|n| n.saturating_add(1));
    }
    true
}

/// Source: RabbitMQ documentation, "Dead Letter Exchanges", "Effects on Messages": a table for each queue and reason, the
/// newest first.
pub(super) fn rabbitmq(headers: &Headers<'_>, letter: &mut Letter) -> bool {
    let deaths = headers.json("x-death").and_then(Json::as_array);
    let newest = deaths.and_then(|deaths| deaths.first());
    let first = |name: &str| headers.text(&format!("x-first-death-{name}"));
    if newest.is_none() && first("reason").is_none() {
        return false;
    }
    let text = |name: &str| Some(newest?.get(name)?.as_str()?.to_owned());
    letter.dialect = Dialect::RabbitMq;
    letter.reason = text("reason").or_else(|| first("reason"));
    letter.from = text("queue").or_else(|| first("queue"));
    letter.attempts = newest.and_then(|death| death.get("count")?.as_u64());
    let key = newest.and_then(|death| death.get("routing-keys")?.get(0)?.as_str());
    let key = key.map(str::to_owned);
    letter.message = Some(match (&letter.reason, &letter.from) {
        (Some(reason), Some(queue)) => match reason.as_str() {
            "rejected" => format!("a consumer of `{queue}` rejected it"),
            "expired" => format!("it expired in `{queue}`"),
            "maxlen" => format!("`{queue}` was full"),
            "delivery_limit" => format!("`{queue}` delivered it too often"),
            other => format!("{other} in `{queue}`"),
        },
        _ => "RabbitMQ does not say why".to_owned(),
    });
    // Seconds since 1970; some clients give a text.
    letter.failed_at = newest.and_then(|death| match death.get("time")? {
        Json::Number(seconds) => {
            let millis = seconds.as_u64()?.checked_mul(1_000)?;
            Some(tidegate_base::Timestamp::from_millis(millis).to_string())
        }
        Json::String(text) => Some(text.clone()),
        _ => None,
    });
    letter.key = key.or_else(|| letter.key.take());
    true
}

fn position(partition: Option<i64>, offset: Option<i64>) -> Option<String> {
    Some(format!("{}@{}", partition?, offset?))
}
