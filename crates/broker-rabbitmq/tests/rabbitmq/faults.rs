//! RabbitMQ killed as a power cut would, stopped where it stands, connections cut in the middle of batches and slow ones,
//! its disk full, and shards taken over, all under load: in the end everything acknowledged is there once, in order and whole.
//!
//! `TIDEGATE_ROUNDS=30 cargo test -p tidegate-broker-rabbitmq --test rabbitmq faults -- --ignored` does it more often;
//! `TIDEGATE_SEED=n` makes the same choices again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidegate_base::Random;
use tidegate_broker::Broker;
use tidegate_broker::conformance::history::{Fates, Signs, check, found, load};
use tidegate_broker_rabbitmq::{RabbitBroker, RabbitConfig};
use tidegate_servers::{Kind, Own, Proxy, own};
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use crate::support;

const ROUNDS: u64 = 7;
const PATIENCE: Duration = Duration::from_secs(120);

fn setting(variable: &str) -> Option<u64> {
    let (_, value) = std::env::vars().find(|(name, _)| name == variable)?;
    value.parse().ok()
}

/// What is done to the server, the connection and the shard in one round.
#[derive(Clone, Copy, Debug)]
enum Fault {
    ServerKilled,
    TakenOver,
    ConnectionCut,
    KilledAndTakenOver,
    ServerStopped,
    ConnectionSlow,
    DiskFull,
}

const FAULTS: [Fault; 7] = [
    Fault::ServerKilled,
    Fault::TakenOver,
    Fault::ConnectionCut,
    Fault::KilledAndTakenOver,
    Fault::ServerStopped,
    Fault::ConnectionSlow,
    Fault::DiskFull,
];

async fn open(config: &RabbitConfig) -> Arc<RabbitBroker> {
    let mut last = String::new();
    for _ in 0..20 {
        match RabbitBroker::open(config.clone(), support::clock()).await {
            Ok(broker) => return Arc::new(broker),
            Err(error) => last = error.to_string(),
        }
        sleep(Duration::from_millis(500)).await;
    }
    panic!("{last}");
}

/// Does it. Returns the owner of the shard from now on.
async fn inflict(
    fault: Fault,
    own: &mut Own,
    proxy: &Proxy,
    broker: &Arc<RabbitBroker>,
    config: &RabbitConfig,
) -> Arc<RabbitBroker> {
    match fault {
        Fault::ServerKilled | Fault::KilledAndTakenOver => block_in_place(|| {
            own.server.kill().unwrap();
            own.server.start_again().unwrap();
        }),
        Fault::ServerStopped => {
            own.server.freeze(true).unwrap();
            sleep(Duration::from_secs(2)).await;
            own.server.freeze(false).unwrap();
        }
        Fault::ConnectionCut => {
            for _ in 0..3 {
                proxy.cut();
                sleep(Duration::from_millis(150)).await;
            }
        }
        Fault::ConnectionSlow => {
            proxy.delay(Duration::from_millis(100));
            sleep(Duration::from_secs(2)).await;
            proxy.delay(Duration::ZERO);
        }
        // The alarm: nobody's messages are taken until it is over.
        Fault::DiskFull => {
            block_in_place(|| support::disk_limit(&own.server, "100TB"));
            sleep(Duration::from_secs(15)).await;
            block_in_place(|| support::disk_limit(&own.server, "1MB"));
        }
        Fault::TakenOver => {}
    }
    match fault {
        Fault::TakenOver | Fault::KilledAndTakenOver => open(config).await,
        _ => Arc::clone(broker),
    }
}

#[ignore = "not yet seen to pass as a whole: a killed RabbitMQ comes back, but the shard is not taken over after that"]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_when_rabbitmq_is_killed_and_shards_change_hands() {
    let test = "nothing_acknowledged_is_lost_when_rabbitmq_is_killed_and_shards_change_hands";
    let Some(mut own) = own(Kind::RabbitMq, test).unwrap() else {
        return;
    };
    let rounds = setting("TIDEGATE_ROUNDS").unwrap_or(ROUNDS);
    let seed = setting("TIDEGATE_SEED").unwrap_or(u64::from(std::process::id()));
    println!("TIDEGATE_SEED={seed}");
    let random = Random::new(seed, "rabbitmq", "faults");
    let mut config = support::on(&own.server);
    // So that segments come and go as well.
    config.segment_bytes = 64 << 10;
    let (host, port) = &config.servers[0];
    let proxy = Proxy::start(&format!("{host}:{port}")).unwrap();
    let (host, port) = proxy
        .address()
        .rsplit_once(':')
        .map(|(host, port)| (host.to_owned(), port.parse().unwrap()))
        .unwrap();
    config.servers = vec![(host, port)];
    let next = Arc::new(AtomicU64::new(0));
    let mut fates = Fates::new();
    // RabbitMQ 3.10 forgets streams if it is killed just after the first of all: it may write that down first.
    drop(open(&config).await);
    block_in_place(|| {
        own.server.stop().unwrap();
        own.server.start_again().unwrap();
    });
    let mut broker = open(&config).await;
    for round in 0..rounds {
        let signs = Arc::new(Signs::default());
        let shared: Arc<dyn Broker> = Arc::clone(&broker) as _;
        let loading = tokio::spawn(load(shared, Arc::clone(&next), Arc::clone(&signs)));
        // Something is written before, so that no round is in vain.
        let enough = random.bits(round) % 60;
        let begun = timeout(PATIENCE, async {
            while signs.acknowledged.load(Ordering::Relaxed) <= enough {
                sleep(Duration::from_millis(2)).await;
            }
        });
        begun.await.expect("nothing is written");
        let fault = FAULTS[usize::try_from(round).unwrap() % FAULTS.len()];
        let owner = inflict(fault, &mut own, &proxy, &broker, &config).await;
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
