//! What other clients write and read: Kafka's own tools in Java, and settings of topics that nobody here has made.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use tidegate_base::{Name, Timestamp};
use tidegate_broker::{Append, Batch, Broker, CommitError, Durability, ReadLimit, StateChange};
use tidegate_broker_kafka::KafkaBroker;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::support;

const PATIENCE: Duration = Duration::from_secs(90);
const ALL: ReadLimit = ReadLimit {
    records: 1_000,
    bytes: 1 << 20,
};

fn event(channel: &Name, id: &str, payload: impl Into<Bytes>) -> Batch {
    let headers = [
        ("id", id),
        ("source", "/shop"),
        ("type", "OrderPlaced"),
        ("datacontenttype", "application/json"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Batch {
        appends: vec![Append {
            channel: channel.clone(),
            key: Some("A-1".to_owned()),
            time: Timestamp::from_millis(1_730_291_041_637),
            headers: headers.to_vec(),
            payload: payload.into(),
        }],
        state: StateChange::NONE,
    }
}

/// A record that the topic of another has no room for is refused, and nothing else is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_record_that_kafka_refuses_does_not_stop_the_others() {
    let test = "a_record_that_kafka_refuses_does_not_stop_the_others";
    let Some(mut config) = support::config(test) else {
        return;
    };
    let [small, a] = ["small", "a"].map(|name| Name::new(name).unwrap());
    let topic = format!("{}small", config.prefix);
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.servers);
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let topic =
        NewTopic::new(&topic, 1, TopicReplication::Fixed(1)).set("max.message.bytes", "2000");
    admin
        .create_topics(&[topic], &AdminOptions::new())
        .await
        .unwrap();
    config.channels = vec![
        (small.clone(), "small".to_owned()),
        (a.clone(), "a".to_owned()),
    ];
    let broker = KafkaBroker::open(config).await.unwrap();
    let commits = [
        event(&a, "1", "{}"),
        event(&small, "2", vec![b'x'; 10_000]),
        event(&small, "3", "{}"),
        event(&a, "4", "{}"),
    ];
    let commits = commits.map(|batch| broker.commit(batch, Durability::Durable));
    let mut ended = Vec::new();
    for commit in commits {
        ended.push(
            timeout(PATIENCE, commit)
                .await
                .expect("a commit never ends"),
        );
    }
    let refused = ended
        .iter()
        .map(|result| matches!(result, Err(CommitError::Invalid { .. })));
    assert_eq!(
        refused.collect::<Vec<_>>(),
        [false, true, false, false],
        "{ended:?}"
    );
    for (channel, ids) in [(&small, vec!["3"]), (&a, vec!["1", "4"])] {
        let found = broker.read(channel, 0, ALL).await.unwrap();
        let found: Vec<&str> = found
            .iter()
            .map(|record| record.headers[0].1.as_str())
            .collect();
        assert_eq!(found, ids);
    }
}

#[expect(clippy::too_many_lines, reason = "one conversation, there and back")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafkas_own_tools_read_what_is_written_and_write_what_is_read() {
    let test = "kafkas_own_tools_read_what_is_written_and_write_what_is_read";
    let Some(mut config) = support::config(test) else {
        return;
    };
    let a = Name::new("orders").unwrap();
    config.channels = vec![(a.clone(), "OrderPlaced".to_owned())];
    let (topic, servers) = (format!("{}orders", config.prefix), config.servers.clone());
    let server = support::server().unwrap();
    let broker = KafkaBroker::open(config).await.unwrap();
    let payload = "{\"orderId\":\"A-1\"}";
    broker
        .commit(event(&a, "e-1", payload), Durability::Durable)
        .await
        .unwrap();
    let mut consumer = server
        .kafka_tool("org.apache.kafka.tools.consumer.ConsoleConsumer")
        .unwrap();
    consumer.args([
        "--bootstrap-server",
        &servers,
        "--topic",
        &topic,
        "--from-beginning",
    ]);
    consumer.args(["--max-messages", "1", "--timeout-ms", "60000"]);
    consumer.args([
        "--formatter-property",
        "print.headers=true",
        "--formatter-property",
        "print.key=true",
    ]);
    consumer.args(["--command-property", "isolation.level=read_committed"]);
    let read = spawn_blocking(move || consumer.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&read.stdout);
    let expected = "ce_specversion:1.0,ce_id:e-1,ce_source:/shop,ce_type:OrderPlaced,content-type:application/json\tA-1\t{\"orderId\":\"A-1\"}";
    assert!(
        said.contains(expected),
        "{said}\n{}",
        String::from_utf8_lossy(&read.stderr)
    );

    let mut tail = broker.tail(&a);
    let before = *tail.borrow_and_update();
    let mut producer = server
        .kafka_tool("org.apache.kafka.tools.ConsoleProducer")
        .unwrap();
    producer.args(["--bootstrap-server", &servers, "--topic", &topic]);
    for property in [
        "parse.key=true",
        "parse.headers=true",
        "headers.key.separator=:",
    ] {
        producer.args(["--reader-property", property]);
    }
    let mut producing = producer
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines =
        "ce_id:j-1,ce_source:/java,traceparent:00-1\tA-2\t{\"n\":1}\nX-Unknown:1\tA-3\t{\"n\":2}\n";
    producing
        .stdin
        .take()
        .unwrap()
        .write_all(lines.as_bytes())
        .unwrap();
    let ended = spawn_blocking(move || producing.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(ended.success());
    let both = tail.wait_for(|tail| *tail >= before + 2);
    timeout(PATIENCE, both)
        .await
        .expect("what others write is not seen")
        .unwrap();
    let found = broker.read(&a, before, ALL).await.unwrap();
    let attribute = |at: usize, name: &str| {
        let mut headers = found[at].headers.iter();
        headers
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(attribute(0, "id"), Some("j-1"));
    assert_eq!(attribute(0, "source"), Some("/java"));
    assert_eq!(attribute(0, "type"), Some("OrderPlaced"));
    assert_eq!(attribute(0, "traceparent"), Some("00-1"));
    assert_eq!(found[0].key.as_deref(), Some("A-2"));
    // What says nothing of itself is told by its place, and headers that are no attributes are left out.
    let place = format!("0-{}", found[1].sequence);
    assert_eq!(attribute(1, "id"), Some(place.as_str()));
    assert_eq!(
        attribute(1, "source"),
        Some(format!("/kafka/{topic}").as_str())
    );
    assert_eq!(found[1].headers.len(), 3);
    assert_eq!(&found[1].payload[..], b"{\"n\":2}");
}

/// While a topic is new, Kafka may refuse its first record and take what was sent behind it; it then holds the first for
/// a repeated one. What is acknowledged is there nevertheless.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_records_of_a_new_topic_are_all_there() {
    let test = "the_first_records_of_a_new_topic_are_all_there";
    let Some(config) = support::config(test) else {
        return;
    };
    let broker = KafkaBroker::open(config).await.unwrap();
    for number in 0..30 {
        let channel = Name::new(&format!("new-{number}")).unwrap();
        let sizes = [6, 1 << 20, 1 << 20, 6];
        let mut batch = event(&channel, "0", Bytes::new());
        let append = batch.appends.remove(0);
        for size in sizes {
            let payload = vec![b'x'; size].into();
            batch.appends.push(Append {
                payload,
                ..append.clone()
            });
        }
        let sequences = broker.commit(batch, Durability::Durable).await.unwrap();
        assert!(
            sequences.is_sorted_by(|one, next| one < next),
            "{sequences:?}"
        );
        let limit = ReadLimit {
            bytes: usize::MAX,
            ..ALL
        };
        let read = broker.read(&channel, 0, limit).await.unwrap();
        let read: Vec<u64> = read.iter().map(|record| record.sequence).collect();
        assert_eq!(read, sequences);
    }
}
