//! Kafka killed as a power cut would, stopped where it stands, and shards taken over, all under load: in the end
//! everything acknowledged is there once, in order and whole.
//!
//! `TIDEGATE_ROUNDS=30 cargo test -p tidegate-broker-kafka --test kafka faults` does it more often;
//! `TIDEGATE_SEED=n` makes the same choices again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidegate_base::Random;
use tidegate_broker::Broker;
use tidegate_broker::conformance::history::{Fates, Signs, channels, check, found, load};
use tidegate_broker_kafka::{KafkaBroker, KafkaConfig};
use tidegate_servers::{Kind, Own, own};
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use crate::support;

const ROUNDS: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(120);

fn setting(variable: &str) -> Option<u64> {
    let (_, value) = std::env::vars().find(|(name, _)| name == variable)?;
    value.parse().ok()
}

/// What is done to the server and the shard in one round.
#[derive(Clone, Copy, Debug)]
enum Fault {
    ServerKilled,
    ServerSlow,
    TakenOver,
    KilledAndTakenOver,
}

const FAULTS: [Fault; 4] = [
    Fault::ServerKilled,
    Fault::TakenOver,
    Fault::KilledAndTakenOver,
    Fault::ServerSlow,
];

async fn open(config: &KafkaConfig) -> Arc<KafkaBroker> {
    let mut last = None;
    for _ in 0..20 {
        match KafkaBroker::open(config.clone()).await {
            Ok(broker) => return Arc::new(broker),
            Err(error) => last = Some(error),
        }
        sleep(Duration::from_millis(500)).await;
    }
    panic!("{last:?}");
}

/// Does it. Returns the owner of the shard from now on.
async fn inflict(
    fault: Fault,
    own: &mut Own,
    broker: &Arc<KafkaBroker>,
    config: &KafkaConfig,
) -> Arc<KafkaBroker> {
    match fault {
        Fault::ServerKilled | Fault::KilledAndTakenOver => block_in_place(|| {
            own.server.kill().unwrap();
            own.server.start_again().unwrap();
        }),
        Fault::ServerSlow => {
            own.server.freeze(true).unwrap();
            sleep(Duration::from_secs(2)).await;
            own.server.freeze(false).unwrap();
        }
        Fault::TakenOver => {}
    }
    match fault {
        Fault::TakenOver | Fault::KilledAndTakenOver => open(config).await,
        Fault::ServerKilled | Fault::ServerSlow => Arc::clone(broker),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_when_kafka_is_killed_and_shards_change_hands() {
    let test = "nothing_acknowledged_is_lost_when_kafka_is_killed_and_shards_change_hands";
    let Some(mut own) = own(Kind::Kafka, test).unwrap() else {
        return;
    };
    let rounds = setting("TIDEGATE_ROUNDS").unwrap_or(ROUNDS);
    let seed = setting("TIDEGATE_SEED").unwrap_or(u64::from(std::process::id()));
    println!("TIDEGATE_SEED={seed}");
    let random = Random::new(seed, "kafka", "faults");
    let mut config = support::on(&own.server);
    config.channels = channels()
        .unwrap()
        .map(|name| (name.clone(), name.to_string()))
        .to_vec();
    let next = Arc::new(AtomicU64::new(0));
    let mut fates = Fates::new();
    let mut broker = open(&config).await;
    for round in 0..rounds {
        let signs = Arc::new(Signs::default());
        let broker_there: Arc<dyn Broker> = Arc::clone(&broker) as _;
        let loading = tokio::spawn(load(broker_there, Arc::clone(&next), Arc::clone(&signs)));
        // Something is written before, so that no round is in vain.
        let enough = random.bits(round) % 60;
        let begun = timeout(PATIENCE, async {
            while signs.acknowledged.load(Ordering::Relaxed) <= enough {
                sleep(Duration::from_millis(2)).await;
            }
        });
        begun.await.expect("nothing is written");
        let fault = FAULTS[usize::try_from(round).unwrap() % FAULTS.len()];
        let owner = inflict(fault, &mut own, &broker, &config).await;
        sleep(Duration::from_millis(random.bits(round + 1_000) % 300)).await;
        signs.over.store(true, Ordering::Relaxed);
        let ended = timeout(PATIENCE, loading).await;
        let ended = ended.unwrap_or_else(|_| panic!("round {round}, {fault:?}: commits never end"));
        let ended = ended.unwrap().unwrap();
        let known = ended.values().filter(|fate| fate.is_some()).count();
        println!(
            "round {round}, {fault:?}: {known} of {} acknowledged",
            ended.len()
        );
        fates.extend(ended);
        broker = owner;
    }
    // Read by a new owner: what the present one remembers is not what is kept.
    let reader = open(&config).await;
    let wrong = check(&fates, &found(&*reader).await.unwrap());
    assert!(
        wrong.is_empty(),
        "TIDEGATE_SEED={seed}:\n{}",
        wrong.join("\n")
    );
}
