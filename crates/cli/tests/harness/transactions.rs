//! `guarantee: kafka-transaction`: Kafka and daemons are killed, and daemons are put to sleep until another one has their
//! place, under load. A client of Kafka that takes what is committed finds for each accepted event one output of each
//! consumer, and no output of an event that is to run again.

#![cfg(test)]

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use rustix::process::Signal;
use serde_json::json;
use tidegate::App;
use tidegate_base::{Random, output_id};
use tidegate_servers::{Kind, own};
use tokio::runtime::Runtime;

use crate::bookkeeper::{BILLING, OrderPlaced, STOCK, entered};
use crate::effects::port;
use crate::history::{Happening, Run, counts};
use crate::ledger::check_emitted;
use crate::publisher::{Address, Flags, Over, publish};
use crate::rounds::{kill, redrive, rest, setting, wait_for};
use crate::service::{World, serve_with};
use crate::support::{Daemon, PATIENCE, agent, eventually};

/// One that died is missed by then.
const SETTLED: Duration = Duration::from_secs(12);
/// How often something is killed unless it is said: each of the three once.
const KILLS: u64 = 3;
/// Happenings between two kills, at most.
const HAPPENINGS: u64 = 400;
/// Transactions take their time: many events at once are one.
const PUBLISHERS: u64 = 16;
const CONSUMERS: [&str; 2] = [BILLING, STOCK];

fn design(folder: &Path, billing: u16) -> String {
    let event = |name: &str| {
        format!(
            r"  {name}:
    summary: Something.
    owner: team
    key: /orderId
    schema: {{type: object, required: [orderId], properties: {{orderId: {{type: string}}}}}}
"
        )
    };
    let consumer = |service: &str, deliver: &str| {
        format!(
            r"  {service}:
    owner: team
    publishes: [Entered]
    consumes:
      OrderPlaced:
        deliver: {{{deliver}, concurrency: 16, timeout: 3s}}
        guarantee: kafka-transaction
        retry: {{initial: 5ms, max: 50ms, attempts: 8}}
        dead-letter: {{retention: 30d}}
        emits: [Entered]
"
        )
    };
    let text = format!(
        "tidegate: 1\nsystem: books\nmessaging: {{broker: kafka}}\nevents:\n{}{}services:\n  orders: {{owner: team, \
         publishes: [OrderPlaced]}}\n{}{}",
        event("OrderPlaced"),
        event("Entered"),
        consumer(
            "billing",
            &format!("to: 'http://127.0.0.1:{billing}/events'")
        ),
        consumer("stock", "transaction: kafka"),
    );
    let path = folder.join("design.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What a service answers that is pushed to: the event that it publishes.
fn entered_over_http(run: &Run) -> String {
    let event = json!({
        "specversion": "1.0", "id": output_id(&BILLING.parse().unwrap(), "/harness", &run.id, 0),
        "source": "/billing", "type": "Entered", "data": {"orderId": run.key},
    });
    let body = event.to_string();
    let media = "application/cloudevents+json";
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// The `id`s of a topic's events, as a client sees them that knows nothing of Tidegate and takes what is committed.
fn committed(server: &str, topic: &str) -> Vec<String> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", server)
        .set("group.id", "somebody-else")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer = client.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)
        .unwrap();
    consumer.assign(&list).unwrap();
    let mut ids = Vec::new();
    loop {
        match consumer.poll(PATIENCE).expect("Kafka says nothing") {
            Ok(message) => ids.push(id(&message)),
            Err(KafkaError::PartitionEOF(_)) => return ids,
            Err(error) => println!("{error}"),
        }
    }
}

fn id(message: &BorrowedMessage<'_>) -> String {
    let mut headers = message.headers().unwrap().iter();
    let id = headers.find(|header| header.key == "ce_id").unwrap();
    String::from_utf8(id.value.unwrap().to_vec()).unwrap()
}

/// What a killed daemon has left: how much had happened, and whose outputs could be seen.
struct Left {
    happened: usize,
    outputs: BTreeSet<String>,
}

/// Everything that ran although its output could be seen before it began.
fn ran_again(history: &[Happening], left: &[Left]) -> Vec<String> {
    let mut wrong = Vec::new();
    for Left { happened, outputs } in left {
        for happening in history.iter().skip(*happened) {
            if let Happening::Started(run) = happening {
                let consumer = run.consumer.parse().unwrap();
                let output = output_id(&consumer, "/harness", &run.id, 0);
                if outputs.contains(&output) {
                    wrong.push(format!("{run:?} runs, and its output is committed already"));
                }
            }
        }
    }
    wrong
}

/// The daemons, and the apps that pull from them.
struct Estate<'a> {
    world: &'a World,
    address: Address,
    arguments: &'a [&'a str],
    server: &'a str,
    seed: u64,
    runtime: Runtime,
    left: Mutex<Vec<Left>>,
}

/// A daemon with the app that pulls from it.
struct Pair {
    daemon: Daemon,
    app: App,
}

impl Estate<'_> {
    fn start(&self, life: u64) -> Pair {
        // It has the same address again when its shard comes back to it.
        let host = format!("127.0.0.1:{}", port(self.seed.wrapping_add(life)));
        let daemon = Daemon::start_on(&host, self.arguments);
        let stock = async |order: OrderPlaced| entered(order);
        let app = App::connect(&daemon.url).on(STOCK, stock).start();
        let app = self.runtime.block_on(app).unwrap();
        *self.address.lock().unwrap() = Some((daemon.url.clone(), life));
        Pair { daemon, app }
    }

    /// Kills it, and notes what others see then.
    fn kill(&self, Pair { daemon, app }: Pair) {
        kill(self.world, &self.address, daemon);
        drop(app);
        let outputs: BTreeSet<String> = committed(self.server, "Entered").into_iter().collect();
        println!("killed: {} outputs can be seen", outputs.len());
        self.left.lock().unwrap().push(Left {
            happened: self.world.history.len(),
            outputs,
        });
    }

    /// It stops in the middle of what it does, and goes on when another one has taken over.
    fn put_to_sleep(&self, Pair { daemon, app }: Pair, life: u64) -> Pair {
        daemon.signal(Signal::STOP);
        let successor = self.start(life);
        daemon.signal(Signal::CONT);
        wait_for(self.world, 100);
        daemon.kill();
        drop(app);
        successor
    }
}

/// Waits until a daemon has kept its shard for longer than one that died is missed: another may just be getting it.
#[expect(
    clippy::disallowed_methods,
    reason = "a test of whole programs waits by the machine's clock"
)]
fn settled(daemon: &Daemon) {
    let since = Cell::new(None);
    eventually("the shard has one owner for good", || {
        let answer = agent().get(format!("{}/v1/state", daemon.url)).call();
        let answers = answer
            .is_ok()
            .then(|| since.get().unwrap_or_else(Instant::now));
        since.set(answers);
        answers
            .is_some_and(|since| since.elapsed() > SETTLED)
            .then_some(())
    });
}

/// Load and kills; then everything is done.
fn rounds(estate: &Estate<'_>, random: &Random, mut kill_kafka: impl FnMut()) {
    let world = estate.world;
    let kills = setting("TIDEGATE_BROKER_KILLS").unwrap_or(KILLS);
    let flags = Flags::default();
    std::thread::scope(|scope| {
        let over = Over(&flags);
        let (address, flags) = (&estate.address, &flags);
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| scope.spawn(move || publish(world, address, publisher, flags)))
            .collect();
        let mut pair = estate.start(0);
        for life in 1..=kills {
            let happenings = 50 + random.bits(life) % HAPPENINGS;
            wait_for(world, usize::try_from(happenings).unwrap());
            match life % 3 {
                0 => kill_kafka(),
                1 => {
                    estate.kill(pair);
                    pair = estate.start(life);
                }
                _ => pair = estate.put_to_sleep(pair, life),
            }
        }
        wait_for(world, 100);
        flags.no_load.store(true, Ordering::Relaxed);
        for publisher in publishers {
            publisher.join().unwrap();
        }
        settled(&pair.daemon);
        rest(&pair.daemon);
        redrive(world, &pair.daemon, &CONSUMERS);
        drop(over);
        drop(pair.app);
        assert!(pair.daemon.interrupt().success(), "it drains and exits 0");
    });
}

#[test]
fn every_event_has_one_output_for_others_when_daemons_and_kafka_are_killed_under_load() {
    let test = "every_event_has_one_output_for_others_when_daemons_and_kafka_are_killed_under_load";
    let Some(mut own) = own(Kind::Kafka, test).unwrap() else {
        return;
    };
    let seed = setting("TIDEGATE_SEED").unwrap_or(u64::from(std::process::id()));
    println!("TIDEGATE_SEED={seed}");
    let random = Random::new(seed, "harness", "transactions");
    let world = World::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let design = design(
        folder.path(),
        serve_with(&world, BILLING, entered_over_http),
    );
    let broker = own.server.url.clone();
    let server = broker.replace("kafka://", "");
    let estate = Estate {
        world: &world,
        address: Arc::new(Mutex::new(None)),
        arguments: &["run", &design, "--broker", &broker],
        server: &server,
        seed,
        runtime: Runtime::new().unwrap(),
        left: Mutex::default(),
    };
    rounds(&estate, &random, || {
        own.server.kill().unwrap();
        own.server.start_again().unwrap();
    });
    let history = world.history.all();
    println!("{:#?}", counts(&history));
    let accepted = history.iter().filter_map(|happening| match happening {
        Happening::Accepted { id, sequence } => Some((id.clone(), *sequence)),
        _ => None,
    });
    let accepted: BTreeMap<String, u64> = accepted.collect();
    let outputs = committed(&server, "Entered");
    println!("{} accepted, {} outputs", accepted.len(), outputs.len());
    assert!(!accepted.is_empty() && !outputs.is_empty());
    let mut wrong = ran_again(&history, &estate.left.lock().unwrap());
    wrong.extend(check_emitted(&accepted, &CONSUMERS, &outputs));
    assert!(
        wrong.is_empty(),
        "TIDEGATE_SEED={seed}:\n{}",
        wrong.join("\n")
    );
    estate.runtime.shutdown_timeout(Duration::from_secs(5));
}

#[test]
fn a_run_after_its_output_is_told() {
    let run = |id: &str| {
        Happening::Started(Run {
            consumer: BILLING,
            sequence: 0,
            id: id.to_owned(),
            key: "k".to_owned(),
            attempt: 1,
            life: 1,
        })
    };
    let output = output_id(&BILLING.parse().unwrap(), "/harness", "0-0", 0);
    let left = [Left {
        happened: 2,
        outputs: BTreeSet::from([output]),
    }];
    let history = [run("0-0"), Happening::Killed, run("0-1"), run("0-0")];
    assert!(ran_again(&history[..3], &left).is_empty());
    assert_eq!(ran_again(&history, &left).len(), 1);
}
