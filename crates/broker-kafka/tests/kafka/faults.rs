//! Kafka killed as a power cut would, stopped where it stands, and shards taken over, all under load: in the end
//! everything acknowledged is there once, in order and whole.
//!
//! `TIDEGATE_ROUNDS=30 cargo test -p tidegate-broker-kafka --test kafka faults` does it more often;
//! `TIDEGATE_SEED=n` makes the same choices again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Random, Timestamp};
use tidegate_broker::{
    Append, Batch, Broker, CommitError, Durability, ReadLimit, Record, StateChange,
};
use tidegate_broker_kafka::{KafkaBroker, KafkaConfig};
use tidegate_servers::{Kind, Own, own};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{sleep, timeout};

use crate::support;

const ROUNDS: u64 = 5;
/// Commits of one owner that are under way at the same time.
const IN_FLIGHT: usize = 16;
const PATIENCE: Duration = Duration::from_secs(120);

/// What became of each batch, by its number: where its records are, or that nobody knows.
type Fates = BTreeMap<u64, Option<Vec<u64>>>;

fn setting(variable: &str) -> Option<u64> {
    let (_, value) = std::env::vars().find(|(name, _)| name == variable)?;
    value.parse().ok()
}

fn names() -> [Name; 2] {
    ["a", "b"].map(|name| Name::new(name).unwrap())
}

fn batch(number: u64) -> Batch {
    let text = Bytes::from(number.to_string());
    let append = |channel: Name| Append {
        channel,
        key: Some(format!("key-{}", number % 7)),
        time: Timestamp::from_millis(1_730_291_041_637 + number),
        headers: vec![("id".to_owned(), number.to_string())],
        payload: text.clone(),
    };
    Batch {
        appends: names().map(append).to_vec(),
        state: StateChange::Append(vec![text.clone()]),
    }
}

/// What the load and the test tell each other.
#[derive(Default)]
struct Signs {
    acknowledged: AtomicU64,
    over: AtomicBool,
}

/// Commits one batch after the other until the load is over or the shard is somebody else's.
async fn load(broker: Arc<KafkaBroker>, next: Arc<AtomicU64>, signs: Arc<Signs>) -> Fates {
    let over = &signs.over;
    let mut fates = Fates::new();
    let mut under_way = JoinSet::new();
    loop {
        while under_way.len() < IN_FLIGHT && !over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            // The call takes its place in the order.
            let commit = broker.commit(batch(number), Durability::Durable);
            under_way.spawn(async move { (number, commit.await) });
        }
        let Some(ended) = under_way.join_next().await else {
            return fates;
        };
        match ended.unwrap() {
            (number, Ok(sequences)) => {
                signs.acknowledged.fetch_add(1, Ordering::Relaxed);
                fates.insert(number, Some(sequences));
            }
            (number, Err(CommitError::Stopped { .. })) => {
                fates.insert(number, None);
                over.store(true, Ordering::Relaxed);
            }
            (number, Err(error)) => panic!("batch {number}: {error}"),
        }
        sleep(Duration::from_millis(1)).await;
    }
}

async fn numbers(broker: &KafkaBroker, channel: &Name) -> Vec<(u64, u64)> {
    let limit = ReadLimit {
        records: 1_000,
        bytes: 1 << 20,
    };
    let (mut from, mut found) = (0, Vec::new());
    loop {
        let records: Vec<Record> = broker.read(channel, from, limit).await.unwrap();
        let Some(last) = records.last() else {
            return found;
        };
        from = last.sequence + 1;
        let number = |record: &Record| (record.sequence, parse(&record.payload));
        found.extend(records.iter().map(number));
    }
}

fn parse(payload: &[u8]) -> u64 {
    std::str::from_utf8(payload).unwrap().parse().unwrap()
}

/// What is wrong with what is there in the end.
fn check(fates: &Fates, channels: [&[(u64, u64)]; 2], state: &[u64]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, (found, place)) in ["a", "b"].into_iter().zip(channels.into_iter().zip(0..)) {
        let there: BTreeMap<u64, u64> = found.iter().map(|(at, number)| (*number, *at)).collect();
        if there.len() != found.len() {
            wrong.push(format!("channel {name} has a record twice"));
        }
        if !found.is_sorted_by(|one, next| one.0 < next.0 && one.1 < next.1) {
            wrong.push(format!("channel {name} is out of order"));
        }
        for (number, sequences) in fates {
            let acknowledged = sequences.as_ref().and_then(|s| s.get::<usize>(place));
            match (acknowledged, there.get(number)) {
                (Some(said), found) if found != Some(said) => wrong.push(format!(
                    "batch {number} was acknowledged at {said} of channel {name}, and is at {found:?}"
                )),
                _ => {}
            }
        }
        if let Some(invented) = there.keys().find(|number| !fates.contains_key(number)) {
            wrong.push(format!("channel {name} has {invented}, which nobody wrote"));
        }
        let numbers: Vec<u64> = found.iter().map(|(_, number)| *number).collect();
        if numbers != state {
            wrong.push(format!(
                "channel {name} and the state are not of the same batches"
            ));
        }
    }
    wrong
}

#[test]
fn the_check_finds_what_is_doctored() {
    let fates: Fates = [(0, Some(vec![0, 0])), (1, None), (2, Some(vec![2, 2]))].into();
    let fine = [(0, 0), (2, 2)];
    assert_eq!(check(&fates, [&fine, &fine], &[0, 2]), Vec::<String>::new());
    let with_unknown = [(0, 0), (1, 1), (2, 2)];
    let found = check(&fates, [&with_unknown, &with_unknown], &[0, 1, 2]);
    assert_eq!(found, Vec::<String>::new());
    for (a, b, state, words) in [
        (
            &[(0, 0)][..],
            &[(0, 0)][..],
            &[0][..],
            "batch 2 was acknowledged",
        ),
        (
            &fine[..],
            &with_unknown[..],
            &[0, 2][..],
            "not of the same batches",
        ),
        (
            &fine[..],
            &fine[..],
            &[0, 1, 2][..],
            "not of the same batches",
        ),
        (
            &[(0, 0), (2, 2), (3, 2)][..],
            &fine[..],
            &[0, 2][..],
            "twice",
        ),
        (
            &[(0, 2), (2, 0)][..],
            &fine[..],
            &[0, 2][..],
            "out of order",
        ),
        (
            &[(0, 0), (2, 2), (4, 9)][..],
            &fine[..],
            &[0, 2][..],
            "nobody wrote",
        ),
    ] {
        let wrong = check(&fates, [a, b], state);
        assert!(
            wrong.iter().any(|wrong| wrong.contains(words)),
            "{words}: {wrong:?}"
        );
    }
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
    config.channels = names()
        .map(|name| (name.clone(), name.to_string()))
        .to_vec();
    let next = Arc::new(AtomicU64::new(0));
    let mut fates = Fates::new();
    let mut broker = open(&config).await;
    for round in 0..rounds {
        let signs = Arc::new(Signs::default());
        let loading = tokio::spawn(load(
            Arc::clone(&broker),
            Arc::clone(&next),
            Arc::clone(&signs),
        ));
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
        let ended = ended.unwrap();
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
    let [a, b] = names();
    let (a, b) = (numbers(&reader, &a).await, numbers(&reader, &b).await);
    let state = reader.state().await.unwrap();
    let state: Vec<u64> = state.iter().map(|record| parse(record)).collect();
    let wrong = check(&fates, [&a, &b], &state);
    assert!(
        wrong.is_empty(),
        "TIDEGATE_SEED={seed}:\n{}",
        wrong.join("\n")
    );
}
