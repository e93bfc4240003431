//! Apache Kafka.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use tidegate_base::{Name, Timestamp};
use tidegate_estate::Method;
use tidegate_servers::{Kind, Server, own};
use tidegate_topology::files::kafka_topics;
use tidegate_topology::letters::{Dialect, read};
use tidegate_topology::{Use, import};

use crate::support::{Estate, is_accepted, now, ran};

#[test]
fn a_design_lives_on_kafka() {
    let Some(own) = own(Kind::Kafka, "a_design_lives_on_kafka").unwrap() else {
        return;
    };
    let server = &own.server;
    made_drifted_and_mended(server);
    what_costs_something_is_asked_for(server);
    a_script_of_its_own_tools_makes_the_same(server);
    bad_settings_are_found(server);
    lag_is_known_in_messages_and_seconds(server);
    letters_of_others_are_read(server);
    what_runs_becomes_a_design(server);
}

fn bootstrap(server: &Server) -> &str {
    server.url.strip_prefix("kafka://").unwrap()
}

/// Changes a topic with Kafka's own tool.
fn configure(server: &Server, topic: &str, setting: &str) {
    let mut tool = server.kafka_tool("kafka.admin.ConfigCommand").unwrap();
    tool.args(["--bootstrap-server", bootstrap(server), "--alter"])
        .args(["--entity-type", "topics", "--entity-name", topic])
        .args(["--add-config", setting]);
    ran(&mut tool);
}

fn made_drifted_and_mended(server: &Server) {
    let estate = Estate::open(&server.url, "made");
    estate.make();
    configure(
        server,
        "made.Viewed",
        "retention.ms=1000,segment.bytes=2000000",
    );
    assert_eq!(estate.told(), ["Alter topic `made.Viewed`"]);
    estate.apply(&[]);
    assert_eq!(estate.told(), [""; 0]);
    // What somebody else has set is still so.
    let topology = estate.broker.topology().unwrap();
    let topic = topology
        .get(tidegate_topology::Kind::Topic, "made.Viewed")
        .unwrap();
    assert_eq!(topic.get("segment.bytes"), Some(&2_000_000.into()));
}

fn what_costs_something_is_asked_for(server: &Server) {
    let mut estate = Estate::open(&server.url, "cost");
    estate.make();
    configure(server, "cost.OrderPlaced", "retention.ms=-1");
    assert_eq!(estate.told(), ["Destructive topic `cost.OrderPlaced`"]);
    estate.apply(&[]);
    assert_eq!(
        estate.told(),
        ["Destructive topic `cost.OrderPlaced`"],
        "it was not confirmed"
    );
    estate.apply(&["cost.Viewed"]);
    assert_eq!(estate.told().len(), 1, "another name was confirmed");
    estate.apply(&["cost.OrderPlaced"]);
    assert_eq!(estate.told(), [""; 0]);
    // More partitions move keys, but not where there are none.
    estate.options.partitions = Some(3);
    estate.apply(&[]);
    assert_eq!(
        estate.told(),
        ["Destructive topic `cost.OrderPlaced`"],
        "letters and what has no key are parted at once"
    );
    estate.apply(&["cost.OrderPlaced"]);
    assert_eq!(estate.told(), [""; 0]);
    estate.options.partitions = Some(2);
    let told: BTreeSet<String> = estate.told().into_iter().collect();
    assert!(told.contains("Manual topic `cost.Viewed`"), "{told:?}");
    // What is not the design's is left alone, and said.
    let plan = estate.plan();
    assert!(plan.unmanaged.iter().any(|id| id.name == "made.Viewed"));
}

fn a_script_of_its_own_tools_makes_the_same(server: &Server) {
    let estate = Estate::open(&server.url, "script");
    let script = kafka_topics(&estate.desired());
    let folder = server.folder.join("script");
    std::fs::create_dir_all(&folder).unwrap();
    let java = server
        .kafka_tool("org.apache.kafka.tools.TopicCommand")
        .unwrap();
    let words = [java.get_program()].into_iter().chain(java.get_args());
    let words: Vec<String> = words
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let tool = folder.join("kafka-topics.sh");
    std::fs::write(&tool, format!("exec {} \"$@\"\n", words.join(" "))).unwrap();
    std::fs::write(folder.join("make.sh"), script).unwrap();
    let mut sh = Command::new("sh");
    sh.arg(folder.join("make.sh"))
        .env("BOOTSTRAP", bootstrap(server))
        .env("KAFKA_TOPICS", format!("sh {}", tool.display()));
    ran(&mut sh);
    assert_eq!(estate.told(), [""; 0], "the script makes what a plan wants");
}

fn bad_settings_are_found(server: &Server) {
    let mut estate = Estate::open(&server.url, "doctor");
    assert_eq!(estate.codes(), ["E1101"].into(), "nothing is there yet");
    estate.make();
    // One server has one copy of everything; no other fault is seen.
    assert_eq!(estate.codes(), ["E1102"].into());
    let topic = "doctor.OrderPlaced";
    for (setting, mended, code) in [
        ("retention.ms=1000", "retention.ms=604800000", "E1105"),
        ("retention.bytes=1000", "retention.bytes=-1", "E1105"),
        ("cleanup.policy=compact", "cleanup.policy=delete", "E1107"),
        (
            "unclean.leader.election.enable=true",
            "unclean.leader.election.enable=false",
            "E1104",
        ),
    ] {
        configure(server, topic, setting);
        assert!(
            estate.codes().contains(code),
            "{setting}: {:?}",
            estate.codes()
        );
        configure(server, topic, mended);
        assert!(!estate.codes().contains(code), "{mended}");
    }
    // To the runtime a topic that removes anything by itself is wrong.
    estate.options.used_by = Use::Runtime;
    assert!(estate.codes().contains("E1105"));
    let promises = estate.examined().promises;
    assert_eq!(promises.len(), 2, "{promises:#?}");
    assert!(
        promises[0].survives.contains("not its disk"),
        "{promises:#?}"
    );
}

fn produce(server: &Server, topic: &str, count: i64, at: Timestamp, headers: &OwnedHeaders) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap(server));
    let producer: BaseProducer = config.create().unwrap();
    for number in 0..count {
        let time = i64::try_from(at.millis()).unwrap() + number;
        let record = BaseRecord::<str, str>::to(topic).key("k").payload("{}");
        let record = record.timestamp(time).headers(headers.clone());
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

fn commit(server: &Server, group: &str, topic: &str, offset: i64) {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap(server))
        .set("group.id", group);
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(offset))
        .unwrap();
    consumer.commit(&list, CommitMode::Sync).unwrap();
}

fn lag_is_known_in_messages_and_seconds(server: &Server) {
    let estate = Estate::open(&server.url, "lag");
    estate.make();
    let asked = now();
    let an_hour = asked - Duration::from_secs(3_600);
    let topic = "lag.OrderPlaced";
    produce(server, topic, 10, an_hour, &OwnedHeaders::new());
    produce(server, topic, 7, asked, &OwnedHeaders::new());
    commit(server, "billing", topic, 4);
    let lags = estate.broker.lag(Some("billing"), asked).unwrap();
    let [lag] = &lags[..] else { panic!("{lags:?}") };
    assert_eq!((lag.source.as_str(), lag.messages), (topic, 13));
    assert_eq!(lag.method, Method::RecordAtCommittedOffset);
    // The record at 4 is 4 ms younger than the first.
    let seconds = lag.seconds.unwrap();
    assert!((3_599.0..3_600.0).contains(&seconds), "{seconds}");
    commit(server, "billing", topic, 17);
    let lag = &estate.broker.lag(Some("billing"), asked).unwrap()[0];
    assert_eq!(
        (lag.messages, lag.seconds, lag.method),
        (0, Some(0.0), Method::CaughtUp)
    );
    assert_eq!(estate.broker.lag(Some("nobody"), asked).unwrap(), []);
}

fn letters_of_others_are_read(server: &Server) {
    let estate = Estate::open(&server.url, "letters");
    estate.make();
    let header = |key, value| Header {
        key,
        value: Some(value),
    };
    let headers = OwnedHeaders::new()
        .insert(header("kafka_dlt-original-topic", &b"orders"[..]))
        .insert(header("kafka_dlt-original-partition", &[0, 0, 0, 2]))
        .insert(header(
            "kafka_dlt-original-offset",
            &[0, 0, 0, 0, 0, 0, 1, 0],
        ))
        .insert(header(
            "kafka_dlt-exception-fqcn",
            &b"java.lang.IllegalStateException"[..],
        ));
    let topic = "letters.billing.OrderPlaced.dead-letters";
    produce(server, topic, 3, now(), &headers);
    let found = estate.broker.letters(topic, 2).unwrap();
    assert_eq!(found.len(), 2, "no more than was asked for");
    let letter = read(&found[0]);
    assert_eq!(letter.dialect, Dialect::Spring);
    assert_eq!(letter.from_position.as_deref(), Some("2@256"));
    assert_eq!(letter.position, "0@0");
    assert_eq!(
        estate.broker.letters(topic, 100).unwrap().len(),
        3,
        "nothing was moved"
    );
    let error = estate.broker.letters("nowhere", 1).unwrap_err().to_string();
    assert!(error.contains("no topic `nowhere`"), "{error}");
}

fn what_runs_becomes_a_design(server: &Server) {
    let estate = Estate::open(&server.url, "lag");
    let (topology, groups) = (
        estate.broker.topology().unwrap(),
        estate.broker.groups().unwrap(),
    );
    let imported = import::kafka(&topology, &groups, &Name::new("found").unwrap());
    let event = &imported.design["events"]["lag.OrderPlaced"];
    assert_eq!(event["retention"], "7d", "{:#}", imported.design);
    let billing = &imported.design["services"]["billing"]["consumes"];
    assert!(
        billing.get("lag.OrderPlaced").is_some(),
        "{:#}",
        imported.design
    );
    is_accepted(&imported.design);
}
