//! Dead letters as each framework writes them.

#![cfg(test)]

use serde_json::{Value, json};
use tidegate_topology::letters::{Dialect, Header, Letter, Raw, read};

fn letter(source: &str, headers: Vec<(&str, Header)>) -> Letter {
    let headers = headers.into_iter();
    read(&Raw {
        source: source.to_owned(),
        position: "0@1".to_owned(),
        key: Some("k".to_owned()),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        payload: b"{}".to_vec(),
    })
}

fn text(value: &str) -> Header {
    Header::Bytes(value.as_bytes().to_vec())
}

fn typed(value: Value) -> Header {
    Header::Json(value)
}

#[test]
fn spring_writes_numbers_as_bytes_and_wraps_the_cause() {
    let headers = |partition: Header, offset: Header| {
        letter(
            "orders-dlt",
            vec![
                (
                    "kafka_dlt-exception-fqcn",
                    text("org.springframework.kafka.listener.ListenerExecutionFailedException"),
                ),
                (
                    "kafka_dlt-exception-cause-fqcn",
                    text("java.lang.IllegalStateException"),
                ),
                (
                    "kafka_dlt-exception-message",
                    text("Listener failed; no stock"),
                ),
                (
                    "kafka_dlt-exception-stacktrace",
                    text("at com.shop.Orders.handle"),
                ),
                ("kafka_dlt-original-topic", text("orders")),
                ("kafka_dlt-original-partition", partition),
                ("kafka_dlt-original-offset", offset),
                ("kafka_dlt-original-consumer-group", text("billing")),
                ("__TypeId__", text("com.shop.OrderPlaced")),
            ],
        )
    };
    let bytes = headers(
        Header::Bytes(vec![0, 0, 0, 3]),
        Header::Bytes(vec![0, 0, 0, 0, 0, 1, 0, 2]),
    );
    assert_eq!(bytes.dialect, Dialect::Spring);
    assert_eq!(bytes.from.as_deref(), Some("orders"));
    assert_eq!(bytes.from_position.as_deref(), Some("3@65538"));
    assert_eq!(
        bytes.reason.as_deref(),
        Some("java.lang.IllegalStateException")
    );
    assert_eq!(bytes.consumer.as_deref(), Some("billing"));
    assert_eq!(bytes.message_type.as_deref(), Some("com.shop.OrderPlaced"));
    // Others that speak like Spring write digits.
    let digits = headers(text("3"), text("65538"));
    assert_eq!(digits.from_position, bytes.from_position);
    // The offset 0x31323334_35363738 is digits as well: those who write Spring's form have no such offsets.
    assert_eq!(headers(text("3"), text("x")).from_position, None);
}

#[test]
fn kafka_connect_says_at_which_stage() {
    let read = letter(
        "dlq",
        vec![
            ("__connect.errors.topic", text("filestream")),
            ("__connect.errors.partition", text("0")),
            ("__connect.errors.offset", text("3")),
            ("__connect.errors.connector.name", text("filestream-sink")),
            ("__connect.errors.task.id", text("0")),
            ("__connect.errors.stage", text("VALUE_CONVERTER")),
            (
                "__connect.errors.class.name",
                text("io.confluent.connect.avro.AvroConverter"),
            ),
            (
                "__connect.errors.exception.class.name",
                text("org.apache.kafka.connect.errors.DataException"),
            ),
            (
                "__connect.errors.exception.message",
                text("Failed to deserialize"),
            ),
        ],
    );
    assert_eq!(read.dialect, Dialect::KafkaConnect);
    assert_eq!(read.from_position.as_deref(), Some("0@3"));
    assert_eq!(read.consumer.as_deref(), Some("filestream-sink"));
    assert_eq!(
        read.reason.as_deref(),
        Some("org.apache.kafka.connect.errors.DataException")
    );
    assert_eq!(
        read.message.as_deref(),
        Some("VALUE_CONVERTER: Failed to deserialize")
    );
}

#[test]
fn rabbitmq_tells_the_newest_death() {
    let deaths = json!([
        {"queue": "retry", "reason": "expired", "count": 2, "exchange": "r", "routing-keys": ["OrderPlaced"], "time": 1_700_000_000},
        {"queue": "work", "reason": "rejected", "count": 3, "exchange": "x", "routing-keys": ["OrderPlaced"], "time": 1_600_000_000},
    ]);
    let read = letter(
        "work.dead-letters",
        vec![
            ("x-death", typed(deaths)),
            ("x-first-death-queue", typed(json!("work"))),
            ("x-first-death-reason", typed(json!("rejected"))),
        ],
    );
    assert_eq!(read.dialect, Dialect::RabbitMq);
    assert_eq!(read.from.as_deref(), Some("retry"));
    assert_eq!(read.reason.as_deref(), Some("expired"));
    assert_eq!(read.attempts, Some(2));
    assert_eq!(read.failed_at.as_deref(), Some("2023-11-14T22:13:20Z"));
    assert_eq!(read.key.as_deref(), Some("OrderPlaced"));
    // At-least-once dead lettering of a quorum queue leaves the same; of old brokers only the first may be left.
    let first = letter("q", vec![("x-first-death-reason", typed(json!("maxlen")))]);
    assert_eq!(
        (first.dialect, first.reason.as_deref()),
        (Dialect::RabbitMq, Some("maxlen"))
    );
}

#[test]
fn nservicebus_names_the_queue_that_failed() {
    let read = letter(
        "error",
        vec![
            ("NServiceBus.MessageId", typed(json!("b3c5"))),
            (
                "NServiceBus.EnclosedMessageTypes",
                typed(json!(
                    "Shop.OrderPlaced, Shop.Messages, Version=1.0.0.0;Shop.IEvent, Shop"
                )),
            ),
            ("NServiceBus.FailedQ", typed(json!("billing"))),
            ("NServiceBus.ProcessingEndpoint", typed(json!("Billing"))),
            (
                "NServiceBus.TimeOfFailure",
                typed(json!("2014-11-11 02:26:58:000462 Z")),
            ),
            (
                "NServiceBus.ExceptionInfo.ExceptionType",
                typed(json!("System.Exception")),
            ),
            (
                "NServiceBus.ExceptionInfo.Message",
                typed(json!("simulated exception")),
            ),
            ("NServiceBus.DelayedRetries", typed(json!("3"))),
            // RabbitMQ adds its own when it was dead-lettered on the way.
            (
                "x-death",
                typed(json!([{"queue": "nsb.delay", "reason": "expired", "count": 1}])),
            ),
        ],
    );
    assert_eq!(read.dialect, Dialect::NServiceBus);
    assert_eq!(read.from.as_deref(), Some("billing"));
    assert_eq!(read.reason.as_deref(), Some("System.Exception"));
    assert_eq!(read.attempts, Some(4));
    assert_eq!(read.message_type.as_deref(), Some("Shop.OrderPlaced"));
}

#[test]
fn masstransit_tells_faults_from_messages_that_nobody_takes() {
    let fault = letter(
        "always-failing_error",
        vec![
            ("MT-Reason", typed(json!("fault"))),
            (
                "MT-Fault-ExceptionType",
                typed(json!("Shop.OrderRejectedException")),
            ),
            ("MT-Fault-Message", typed(json!("no stock"))),
            ("MT-Fault-RetryCount", typed(json!(2))),
            (
                "MT-Fault-Timestamp",
                typed(json!("2026-01-02T03:04:05.000Z")),
            ),
            ("MT-Fault-ConsumerType", typed(json!("Shop.OrderConsumer"))),
        ],
    );
    assert_eq!(fault.dialect, Dialect::MassTransit);
    assert_eq!(fault.from.as_deref(), Some("always-failing"));
    assert_eq!(fault.attempts, Some(3));
    assert_eq!(fault.reason.as_deref(), Some("Shop.OrderRejectedException"));
    let skipped = letter(
        "orders_skipped",
        vec![("MT-Reason", typed(json!("dead-letter")))],
    );
    assert_eq!(skipped.reason.as_deref(), Some("dead-letter"));
    assert_eq!(skipped.from.as_deref(), Some("orders"));
    assert_eq!(skipped.attempts, None);
}

#[test]
fn what_nobody_wrote_stays_what_it_is() {
    let read = letter("orders", vec![("traceparent", text("00-1-2-3"))]);
    assert_eq!(read.dialect, Dialect::Unknown);
    assert_eq!((read.reason, read.from, read.attempts), (None, None, None));
    assert_eq!(read.payload.as_deref(), Some("{}"));
}
