//! What other clients see of a consumer that publishes: for them its outputs and the records of what is done are there
//! together or not at all, whoever is killed or fenced meanwhile.
//!
//! `TIDEGATE_ROUNDS=30 cargo test -p tidegate-broker-kafka --test kafka transactions` does it more often;
//! `TIDEGATE_SEED=n` makes the same choices again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tidegate_base::{Name, Random, Timestamp};
use tidegate_broker::{Append, Batch, Broker, CommitError, Durability, StateChange};
use tidegate_broker_kafka::{KafkaBroker, KafkaConfig};
use tidegate_servers::{Fault, Kind, own, setting};
use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{sleep, timeout};

use crate::support;

const PATIENCE: Duration = Duration::from_secs(90);
/// How many numbers are under way at the same time.
const WORKERS: usize = 8;
/// Numbers between two faults, at most.
const NUMBERS: u64 = 150;
/// Numbers that the last owner does before all is held against each other.
const LAST: usize = 150;
/// A fault of each round; in each the shard gets another owner as well. `None`: nothing else.
const FAULTS: [Option<Fault>; 4] = [None, Some(Fault::Killed), None, Some(Fault::Stopped)];
const OUTPUTS: &str = "outputs";

/// How an output goes with the record that its number is done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Publishes {
    /// In one batch, as the runtime does it.
    Together,
    /// In a batch of its own, before: what must not be.
    Before,
}

fn output(channel: &str, payload: impl Into<Bytes>) -> Append {
    Append {
        channel: Name::new(channel).unwrap(),
        key: None,
        time: Timestamp::from_millis(1_730_291_041_637),
        headers: vec![("id".to_owned(), "1".to_owned())],
        payload: payload.into(),
    }
}

fn batch(appends: Vec<Append>, records: Vec<Bytes>) -> Batch {
    let state = StateChange::Append(records);
    Batch { appends, state }
}

/// What is to be committed, in order, for a number to be done.
fn batches(number: u64, publishes: Publishes) -> Vec<Batch> {
    let (outputs, done) = (
        vec![output(OUTPUTS, number.to_string())],
        vec![number.to_string().into()],
    );
    match publishes {
        Publishes::Together => vec![batch(outputs, done)],
        Publishes::Before => vec![batch(outputs, Vec::new()), batch(Vec::new(), done)],
    }
}

/// The payloads of a topic, as a client sees them that knows nothing of all this.
fn seen(config: &KafkaConfig, topic: &str, isolation: &str) -> Vec<String> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.servers)
        .set("group.id", "somebody-else")
        .set("isolation.level", isolation)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer = client.create().unwrap();
    let topic = format!("{}{topic}", config.prefix);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&list).unwrap();
    let mut seen = Vec::new();
    loop {
        match consumer.poll(PATIENCE).expect("Kafka says nothing") {
            Ok(message) => {
                let payload = message.payload().unwrap_or_default();
                seen.push(String::from_utf8_lossy(payload).into_owned());
            }
            Err(KafkaError::PartitionEOF(_)) => return seen,
            Err(error) => println!("{error}"),
        }
    }
}

/// What clients see that take only what is committed: the outputs, and which numbers are done.
fn committed(config: &KafkaConfig) -> (Vec<String>, Vec<String>) {
    let committed = |topic| seen(config, topic, "read_committed");
    (committed(OUTPUTS), committed("tidegate.shop.state"))
}

/// Every number that does not have one output and one record, or neither.
fn wrong(outputs: &[String], done: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for number in outputs {
        counts.entry(number).or_default().0 += 1;
    }
    for number in done {
        counts.entry(number).or_default().1 += 1;
    }
    let wrong = counts.iter().filter(|(_, counts)| **counts != (1, 1));
    wrong
        .map(|(number, (outputs, done))| {
            format!("{number} has {outputs} outputs and is done {done} times")
        })
        .collect()
}

/// The numbers that are left, and how many have been acknowledged.
struct Work {
    left: Mutex<Box<dyn Iterator<Item = u64> + Send>>,
    acknowledged: watch::Sender<u64>,
    publishes: Publishes,
}

impl Work {
    async fn go_on(&self, owner: &KafkaBroker) {
        loop {
            let next = self.left.lock().unwrap().next();
            let Some(number) = next else { return };
            for batch in batches(number, self.publishes) {
                if !is_committed(owner, &batch).await {
                    return;
                }
            }
            self.acknowledged.send_modify(|numbers| *numbers += 1);
        }
    }
}

/// Commits, however long that takes; `false`: this owner can commit nothing more.
async fn is_committed(owner: &KafkaBroker, batch: &Batch) -> bool {
    loop {
        match owner.commit(batch.clone(), Durability::Durable).await {
            Ok(_) => return true,
            Err(CommitError::Full { retry_after, .. }) => sleep(retry_after).await,
            Err(CommitError::Stopped { .. }) => return false,
            Err(error @ CommitError::Invalid { .. }) => panic!("{error}"),
        }
    }
}

/// An owner of the shard at work.
struct Owner {
    work: Arc<Work>,
    workers: JoinSet<()>,
}

impl Owner {
    fn begin(
        broker: &KafkaBroker,
        left: impl Iterator<Item = u64> + Send + 'static,
        publishes: Publishes,
    ) -> Self {
        let work = Arc::new(Work {
            left: Mutex::new(Box::new(left)),
            acknowledged: watch::Sender::new(0),
            publishes,
        });
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let (work, broker) = (Arc::clone(&work), broker.clone());
            workers.spawn(async move { work.go_on(&broker).await });
        }
        Self { work, workers }
    }

    async fn until(&self, numbers: u64) {
        let mut acknowledged = self.work.acknowledged.subscribe();
        let reached = acknowledged.wait_for(|is| *is >= numbers);
        let reached = timeout(PATIENCE, reached).await;
        reached.expect("nothing is acknowledged").unwrap();
    }

    /// Waits until it has nothing left, or can do nothing more.
    async fn end(self) {
        let ended = timeout(PATIENCE, self.workers.join_all()).await;
        ended.expect("a worker never ends");
    }
}

async fn take_over(config: &KafkaConfig) -> KafkaBroker {
    let mut last = String::new();
    for _ in 0..20 {
        match KafkaBroker::open(config.clone()).await {
            Ok(broker) => return broker,
            Err(error) => last = error.to_string(),
        }
        sleep(Duration::from_millis(500)).await;
    }
    panic!("{last}");
}

/// What is wrong with what others see, after each of the rounds and in the end.
async fn suffer(
    config: &KafkaConfig,
    publishes: Publishes,
    rounds: u64,
    mut inflict: impl FnMut(u64),
) -> Vec<String> {
    let seed = setting("TIDEGATE_SEED").unwrap_or(u64::from(std::process::id()));
    println!("TIDEGATE_SEED={seed}");
    let random = Random::new(seed, "kafka", "transactions");
    let mut owner = Owner::begin(&take_over(config).await, 0.., publishes);
    for round in 0..rounds {
        owner.until(5 + random.bits(round) % NUMBERS).await;
        block_in_place(|| inflict(round));
        let broker = take_over(config).await;
        owner.end().await;
        let (outputs, done) = block_in_place(|| committed(config));
        let given_up = block_in_place(|| seen(config, OUTPUTS, "read_uncommitted")).len();
        let given_up = given_up - outputs.len();
        println!(
            "round {round}: {} are done, {given_up} outputs were given up",
            done.len()
        );
        let wrong = wrong(&outputs, &done);
        if !wrong.is_empty() {
            return wrong;
        }
        assert_eq!(broker.state().await.unwrap(), done, "its owner sees others");
        let done: Vec<u64> = done.iter().map(|number| number.parse().unwrap()).collect();
        let left = (0..).filter(move |number| !done.contains(number));
        let is_last = round + 1 == rounds;
        let most = if is_last { LAST } else { usize::MAX };
        owner = Owner::begin(&broker, left.take(most), publishes);
    }
    owner.end().await;
    let (outputs, done) = block_in_place(|| committed(config));
    let mut wrong = wrong(&outputs, &done);
    let missing = (0..outputs.len()).filter(|number| !outputs.contains(&number.to_string()));
    wrong.extend(missing.map(|number| format!("{number} was left out")));
    wrong
}

fn channels(names: &[&str]) -> Vec<(Name, String)> {
    let channel = |name: &&str| (Name::new(name).unwrap(), (*name).to_owned());
    names.iter().map(channel).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_done_has_one_output_for_others_when_owners_and_kafka_are_killed() {
    let test = "what_is_done_has_one_output_for_others_when_owners_and_kafka_are_killed";
    let Some(mut own) = own(Kind::Kafka, test).unwrap() else {
        return;
    };
    let mut config = support::on(&own.server);
    config.channels = channels(&[OUTPUTS]);
    let rounds = setting("TIDEGATE_ROUNDS").unwrap_or(6);
    let inflict = |round: u64| {
        let fault = FAULTS[usize::try_from(round).unwrap() % FAULTS.len()];
        if let Some(fault) = fault {
            own.inflict(fault, None).unwrap();
        }
    };
    let wrong = suffer(&config, Publishes::Together, rounds, inflict).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The test above can fail: who publishes before it records is found out once it is fenced in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_consumer_that_publishes_in_a_transaction_of_its_own_is_found_out() {
    let test = "a_consumer_that_publishes_in_a_transaction_of_its_own_is_found_out";
    let Some(mut config) = support::config(test) else {
        return;
    };
    config.channels = channels(&[OUTPUTS]);
    let wrong = suffer(&config, Publishes::Before, 20, |_| {}).await;
    let known = |line: &String| line.ends_with("has 1 outputs and is done 0 times");
    assert!(wrong.iter().any(known), "{wrong:?}");
}

/// One output of a batch is refused by its topic, after the other one was written.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_sees_the_outputs_of_a_transaction_that_was_given_up() {
    let test = "nobody_sees_the_outputs_of_a_transaction_that_was_given_up";
    let Some(mut config) = support::config(test) else {
        return;
    };
    config.channels = channels(&[OUTPUTS, "small"]);
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &config.servers);
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let small = format!("{}small", config.prefix);
    let small =
        NewTopic::new(&small, 1, TopicReplication::Fixed(1)).set("max.message.bytes", "2000");
    admin
        .create_topics(&[small], &AdminOptions::new())
        .await
        .unwrap();
    let broker = KafkaBroker::open(config.clone()).await.unwrap();
    let appends = vec![
        output(OUTPUTS, "given up"),
        output("small", vec![b'x'; 10_000]),
    ];
    let refused = broker.commit(batch(appends, vec!["0".into()]), Durability::Durable);
    let refused = timeout(PATIENCE, refused).await.expect("it never ends");
    assert!(
        matches!(refused, Err(CommitError::Invalid { .. })),
        "{refused:?}"
    );
    let all = |topic| block_in_place(|| seen(&config, topic, "read_uncommitted"));
    assert_eq!(all(OUTPUTS), ["given up"], "it was written");
    let nothing = (Vec::new(), Vec::new());
    assert_eq!(block_in_place(|| committed(&config)), nothing);
    let whole = batches(1, Publishes::Together).remove(0);
    broker.commit(whole, Durability::Durable).await.unwrap();
    let one = (vec!["1".to_owned()], vec!["1".to_owned()]);
    assert_eq!(block_in_place(|| committed(&config)), one);
}
