//! Owners that come, fail, die at any message and live on after they were fenced off, on journals that lose, repeat and
//! delay what they are sent: whatever happens, everything acknowledged is there once, in order and whole.
//!
//! `TIDEGATE_SEEDS=10000 cargo test -p tidegate-broker-journal --test journal simulator` tries more;
//! `TIDEGATE_SEED=n` tries one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tidegate_base::{Name, Random, Timestamp};
use tidegate_broker::conformance::history::{Fates, Signs, channels, check, found, load};
use tidegate_broker::{
    Append, Batch, Broker, CommitError, Durability, Keep, ReadLimit, Record, Shard, StateChange,
};
use tidegate_broker_journal::{Faults, Journal, JournalBroker, MemoryJournal, Message, Target};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const SEEDS: u64 = 60;
const PATIENCE: Duration = Duration::from_secs(3_600);

fn setting(variable: &str) -> Option<u64> {
    let (_, value) = std::env::vars().find(|(name, _)| name == variable)?;
    value.parse().ok()
}

fn seeds() -> std::ops::Range<u64> {
    match setting("TIDEGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("TIDEGATE_SEEDS").unwrap_or(SEEDS),
    }
}

/// Runs a history to its end, in time that does not pass.
fn run(history: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async { timeout(PATIENCE, history).await.expect("it never ends") });
}

struct Draw {
    random: Random,
    at: AtomicU64,
}

impl Draw {
    fn new(seed: u64) -> Self {
        let (random, at) = (Random::new(seed, "journal", "history"), AtomicU64::new(0));
        Self { random, at }
    }

    fn below(&self, most: u64) -> u64 {
        let at = self.at.fetch_add(1, Ordering::Relaxed);
        self.random.bits(at) % most
    }
}

fn client(journal: &MemoryJournal, draw: &Draw, may_die: bool) -> Arc<dyn Journal> {
    let rates = [0.0, 0.02, 0.1, 0.3];
    Arc::new(journal.failing(Faults {
        seed: draw.below(u64::MAX),
        rate: rates[usize::try_from(draw.below(4)).unwrap()],
        dies_after: match may_die && draw.below(3) == 0 {
            true => 3 + draw.below(120),
            false => u64::MAX,
        },
    }))
}

/// A client that gives up may have died while it opened: then another one comes.
async fn open(journals: &[MemoryJournal], shard: u32, draw: &Draw, may_die: bool) -> JournalBroker {
    loop {
        let clients = journals
            .iter()
            .map(|journal| client(journal, draw, may_die));
        if let Ok(broker) = JournalBroker::open(shard, clients.collect()).await {
            return broker;
        }
    }
}

fn foreign(channel: &Name, number: u64) -> Message {
    Message {
        target: Target::Channel(channel.clone()),
        key: None,
        time: Timestamp::from_millis(1),
        attributes: vec![("id".to_owned(), number.to_string())],
        payload: Bytes::from(number.to_string()),
        control: None,
    }
}

/// Reads all of a channel.
async fn all(broker: &JournalBroker, channel: &Name) -> Vec<Record> {
    let limit = ReadLimit {
        records: 50,
        bytes: 1 << 20,
    };
    let mut found: Vec<Record> = Vec::new();
    loop {
        let next = found.last().map_or(0, |last| last.sequence + 1);
        let read = broker.read(channel, next, limit).await.unwrap();
        if read.is_empty() {
            return found;
        }
        found.extend(read);
    }
}

struct Owner {
    broker: JournalBroker,
    signs: Arc<Signs>,
    loading: JoinHandle<Result<Fates, String>>,
}

fn begin(broker: JournalBroker, next: &Arc<AtomicU64>) -> Owner {
    let signs = Arc::new(Signs::default());
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let loading = tokio::spawn(load(shared, Arc::clone(next), Arc::clone(&signs)));
    Owner {
        broker,
        signs,
        loading,
    }
}

/// One owner after the other; former ones write on as if nothing had happened.
async fn hand_over(seed: u64) {
    let draw = Draw::new(seed);
    let journals = [MemoryJournal::new()];
    let next = Arc::new(AtomicU64::new(0));
    let (mut owners, mut foreigners) = (Vec::new(), 0);
    let c = Name::new("c").unwrap();
    for _ in 0..2 + draw.below(4) {
        let owner = begin(open(&journals, 0, &draw, true).await, &next);
        for _ in 0..draw.below(20) {
            sleep(Duration::from_millis(draw.below(20))).await;
            journals[0]
                .append(vec![foreign(&c, foreigners)])
                .await
                .unwrap();
            foreigners += 1;
        }
        owners.push(owner);
    }
    let last = open(&journals, 0, &draw, false).await;
    // Whoever is fenced off learns of it; who is dead never does.
    sleep(Duration::from_secs(60)).await;
    let mut fates = Fates::new();
    let end = next.load(Ordering::Relaxed);
    for owner in owners {
        owner.signs.over.store(true, Ordering::Relaxed);
        let mut loading = owner.loading;
        match timeout(Duration::from_secs(60), &mut loading).await {
            Ok(ended) => fates.extend(ended.unwrap().unwrap()),
            Err(_dead) => loading.abort(),
        }
        drop(owner.broker);
    }
    // Of what the dead have sent, nobody was told.
    for number in 0..end {
        fates.entry(number).or_insert(None);
    }
    for reader in [last, open(&journals, 0, &draw, false).await] {
        if reader.stopped().is_some() {
            continue;
        }
        let there = found(&reader).await.unwrap();
        let wrong = disordered(check(&fates, &there));
        assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
        let read = all(&reader, &c).await;
        let numbers: Vec<String> = read
            .iter()
            .map(|r| String::from_utf8_lossy(&r.payload).into_owned())
            .collect();
        let expected: Vec<String> = (0..foreigners).map(|number| number.to_string()).collect();
        assert_eq!(numbers, expected, "seed {seed}: what others wrote");
    }
}

/// The numbers of two owners at the same time are not in the order of their commits.
fn disordered(wrong: Vec<String>) -> Vec<String> {
    wrong
        .into_iter()
        .filter(|wrong| !wrong.ends_with("is out of order"))
        .collect()
}

#[test]
fn nothing_acknowledged_is_lost_when_owners_die_and_live_on() {
    for seed in seeds() {
        run(hand_over(seed));
    }
}

/// What is known of a shard while records are removed.
#[derive(Default)]
struct Known {
    /// Of each sequence, what it was of.
    given: BTreeMap<u64, String>,
    head: u64,
    state: Vec<Bytes>,
    needed_from: u64,
}

async fn compare(seed: u64, broker: &JournalBroker, channel: &Name, known: &mut Known) {
    let head = broker.head(channel);
    assert!(
        head >= known.head,
        "seed {seed}: the head goes back from {} to {head}",
        known.head
    );
    known.head = head;
    let there = all(broker, channel).await;
    let of = |record: &Record| {
        (
            record.sequence,
            String::from_utf8_lossy(&record.payload).into_owned(),
        )
    };
    let there: BTreeMap<u64, String> = there.iter().map(of).collect();
    let expected: BTreeMap<u64, String> = known
        .given
        .range(head..)
        .map(|(at, text)| (*at, text.clone()))
        .collect();
    assert_eq!(there, expected, "seed {seed}: what is there from {head} on");
    assert!(
        known
            .given
            .keys()
            .all(|at| *at < known.needed_from || *at >= head),
        "seed {seed}: what is needed is gone"
    );
    assert_eq!(
        *broker.tail(channel).borrow(),
        known.given.keys().last().map_or(0, |last| last + 1),
        "seed {seed}: the tail"
    );
    assert_eq!(
        broker.state().await.unwrap(),
        known.state,
        "seed {seed}: the state"
    );
}

/// A random change of the state, which `known` follows.
fn change(draw: &Draw, known: &mut Known, begun: &mut Option<usize>, number: u64) -> StateChange {
    let records: Vec<Bytes> = (0..draw.below(4))
        .map(|at| Bytes::from(format!("{number}.{at}")))
        .collect();
    match draw.below(6) {
        0 => {
            (known.state, *begun) = (records.clone(), None);
            StateChange::Replace(records)
        }
        1 => {
            *begun = Some(known.state.len());
            known.state.extend(records.clone());
            StateChange::Begin(records)
        }
        2 => {
            if let Some(begun) = begun.take() {
                known.state.drain(..begun);
            }
            known.state.extend(records.clone());
            StateChange::Finish(records)
        }
        _ => {
            known.state.extend(records.clone());
            StateChange::Append(records)
        }
    }
}

/// Commits, however often there is no room.
async fn commit(broker: &JournalBroker, batch: Batch) -> Vec<u64> {
    loop {
        match broker.commit(batch.clone(), Durability::Durable).await {
            Ok(sequences) => return sequences,
            Err(CommitError::Full { retry_after, .. }) => sleep(retry_after).await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// One owner at a time, which cleans; nothing needed goes, no sequence is used twice, and the journal does not grow.
async fn clean(seed: u64) {
    let draw = Draw::new(seed);
    let journals = [MemoryJournal::new()];
    let a = Name::new("a").unwrap();
    let mut known = Known::default();
    let mut written = 0;
    for _ in 0..4 + draw.below(4) {
        let broker = open(&journals, 0, &draw, false).await;
        let mut begun = None;
        compare(seed, &broker, &a, &mut known).await;
        for _ in 0..draw.below(6) {
            for _ in 0..draw.below(60) {
                let append = Append {
                    channel: a.clone(),
                    key: None,
                    time: Timestamp::from_millis(written),
                    headers: Vec::new(),
                    payload: Bytes::from(format!("event {written}")),
                };
                let appends = vec![append; usize::try_from(draw.below(3)).unwrap()];
                let state = change(&draw, &mut known, &mut begun, written);
                let at = commit(&broker, Batch { appends, state }).await;
                for sequence in at {
                    let text = format!("event {written}");
                    assert_eq!(
                        known.given.insert(sequence, text),
                        None,
                        "seed {seed}: a sequence is used twice"
                    );
                }
                written += 1;
            }
            let tail = *broker.tail(&a).borrow();
            known.needed_from = known.needed_from.max(tail.saturating_sub(draw.below(200)));
            let keep = Keep {
                age: (draw.below(2) == 0).then_some(Duration::ZERO),
                bytes: (draw.below(2) == 0).then(|| draw.below(2_000)),
                needed_from: known.needed_from,
                ..Keep::ALL
            };
            broker.keep(&a, keep);
            broker.clean(Timestamp::from_millis(written)).await.unwrap();
            compare(seed, &broker, &a, &mut known).await;
        }
    }
    all_goes(seed, &journals, &draw, &mut known, written).await;
}

/// Everything may go, and goes, and the journal is read on.
async fn all_goes(
    seed: u64,
    journals: &[MemoryJournal],
    draw: &Draw,
    known: &mut Known,
    written: u64,
) {
    let a = Name::new("a").unwrap();
    let broker = open(journals, 0, draw, false).await;
    let before = journals[0].len();
    let nothing = Keep {
        bytes: Some(0),
        needed_from: u64::MAX,
        ..Keep::ALL
    };
    known.needed_from = u64::MAX;
    broker.keep(&a, nothing);
    let state = StateChange::Replace(Vec::new());
    known.state.clear();
    commit(
        &broker,
        Batch {
            appends: Vec::new(),
            state,
        },
    )
    .await;
    for _ in 0..200 {
        let nothing = Batch {
            appends: Vec::new(),
            state: StateChange::NONE,
        };
        commit(&broker, nothing).await;
    }
    let replaced = Batch {
        appends: Vec::new(),
        state: StateChange::Replace(Vec::new()),
    };
    commit(&broker, replaced).await;
    broker.clean(Timestamp::from_millis(written)).await.unwrap();
    compare(seed, &broker, &a, known).await;
    let after = journals[0].len();
    assert!(
        after < 300,
        "seed {seed}: {after} messages are left of {before} and 200"
    );
    drop(broker);
    let broker = open(journals, 0, draw, false).await;
    compare(seed, &broker, &a, known).await;
}

#[test]
fn what_is_removed_is_what_may_go_and_no_sequence_is_used_twice() {
    for seed in seeds() {
        run(clean(seed));
    }
}

/// Several shards, whose owners publish events of any key and change hands.
async fn shards(seed: u64) {
    let draw = Draw::new(seed);
    let journals: Vec<MemoryJournal> = (0..3).map(|_| MemoryJournal::new()).collect();
    let a = Name::new("a").unwrap();
    let mut acknowledged = BTreeSet::new();
    let mut number = 0;
    for _ in 0..2 + draw.below(3) {
        let mut owners = Vec::new();
        for shard in 0..3 {
            owners.push(open(&journals, shard, &draw, true).await);
        }
        let mut answers = Vec::new();
        for _ in 0..draw.below(80) {
            let owner = &owners[usize::try_from(draw.below(3)).unwrap()];
            let append = Append {
                channel: a.clone(),
                key: Some(format!("key-{}", number % 10)),
                time: Timestamp::from_millis(number),
                headers: vec![("id".to_owned(), number.to_string())],
                payload: Bytes::from(number.to_string()),
            };
            let state = match draw.below(2) {
                0 => StateChange::NONE,
                _ => StateChange::Append(vec![Bytes::from_static(b"x")]),
            };
            let commit = owner.commit(
                Batch {
                    appends: vec![append],
                    state,
                },
                Durability::Durable,
            );
            answers.push((number, tokio::spawn(commit)));
            number += 1;
            if draw.below(4) == 0 {
                sleep(Duration::from_millis(draw.below(50))).await;
            }
        }
        for (number, mut answer) in answers {
            // An owner that is dead never answers.
            let ended = timeout(Duration::from_secs(60), &mut answer).await;
            match ended {
                Ok(ended) => {
                    if ended.unwrap().is_ok() {
                        acknowledged.insert(number);
                    }
                }
                Err(_dead) => answer.abort(),
            }
        }
        if draw.below(2) == 0 {
            drop(owners);
        }
    }
    all_get_there(seed, &journals, &draw, &acknowledged).await;
}

/// Who comes last passes on what was kept for others.
async fn all_get_there(
    seed: u64,
    journals: &[MemoryJournal],
    draw: &Draw,
    acknowledged: &BTreeSet<u64>,
) {
    let a = Name::new("a").unwrap();
    let mut owners = Vec::new();
    for shard in 0..3 {
        owners.push(open(journals, shard, draw, false).await);
    }
    let is_there = async {
        loop {
            let mut there = BTreeMap::new();
            for owner in &owners {
                for record in all(owner, &a).await {
                    *there.entry(parse(&record)).or_insert(0) += 1;
                }
            }
            assert!(
                there.values().all(|times| *times == 1),
                "seed {seed}: an event is there twice"
            );
            if acknowledged.iter().all(|number| there.contains_key(number)) {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    };
    let awaited = timeout(Duration::from_secs(600), is_there).await;
    assert!(
        awaited.is_ok(),
        "seed {seed}: an acknowledged event is not passed on"
    );
    let mut keys = BTreeMap::new();
    for (shard, owner) in owners.iter().enumerate() {
        for record in all(owner, &a).await {
            let before = keys.insert(record.key.unwrap(), shard);
            assert!(
                before.is_none_or(|before| before == shard),
                "seed {seed}: a key is in two shards"
            );
        }
    }
}

fn parse(record: &Record) -> u64 {
    std::str::from_utf8(&record.payload)
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn events_of_other_shards_get_there_once() {
    for seed in seeds() {
        run(shards(seed));
    }
}

#[test]
fn the_two_channels_of_a_batch_are_those_of_the_check() {
    assert_eq!(channels().unwrap().map(|name| name.to_string()), ["a", "b"]);
}
