//! What was wrong once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt, ready};
use tidegate_base::{Envelope, Name, Timestamp};
use tidegate_broker::{
    Batch, Broker, CleanError, Cleaned, CommitError, Durability, Keep, MemoryBroker, Promises,
    ReadError, ReadLimit, Record, StateChange,
};
use tidegate_runtime::{
    Answer, Attempt, Caller, Command, KeyState, LettersSelection, Outcome, Runtime, SeekRequest,
    SeekTo, Settings, SettleError, TokioClock,
};
use tokio::sync::watch;

use crate::support::*;
use crate::{AUDIT, BILLING};

fn publishing_audit() -> String {
    DESIGN.replace("  audit:\n", "  audit:\n    publishes: [PaymentTaken]\n")
}

fn with_payment() -> Answer {
    Answer {
        outputs: vec![payment()],
        ..Outcome::Done.into()
    }
}

/// a settling that is sent twice at once loses the outputs.
#[tokio::test(start_paused = true)]
async fn a_settling_that_comes_twice_publishes_once() {
    for round in 0..50 {
        let world = World::with(&publishing_audit(), Settings::default()).await;
        world.publish([order("1", "a")]).await;
        let audit = id(AUDIT);
        let pulled = world.runtime.pull(&audit, 1, seconds(5)).await.unwrap();
        let settle = || world.runtime.settle(&pulled[0].lease, with_payment());
        let (one, two) = tokio::join!(settle(), settle());
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert_eq!(world.payments().await.len(), 1, "round {round}");
    }
}

/// outputs of an attempt whose end was turned into another are stored with a later end.
#[tokio::test(start_paused = true)]
async fn outputs_of_a_refused_end_are_not_stored_with_a_later_one() {
    let world = World::with(&publishing_audit(), Settings::default()).await;
    world.publish([order("1", "a")]).await;
    let audit = id(AUDIT);
    let pulled = world.runtime.pull(&audit, 1, seconds(5)).await.unwrap();
    let answer = Answer {
        state: Some(KeyState::Is("x".repeat(17 << 10).into())),
        ..with_payment()
    };
    let settled = world.runtime.settle(&pulled[0].lease, answer).await;
    assert!(
        matches!(settled, Err(SettleError::DeadLettered { .. })),
        "{settled:?}"
    );
    let letters = world.letters().await.letters;
    assert_eq!(letters.len(), 1);
    world
        .runtime
        .redrive(LettersSelection::of(audit.clone()))
        .await
        .unwrap();
    let pulled = world.runtime.pull(&audit, 1, seconds(5)).await.unwrap();
    world
        .runtime
        .settle(&pulled[0].lease, Outcome::Done)
        .await
        .unwrap();
    assert!(
        world.payments().await.is_empty(),
        "{:?}",
        world.payments().await
    );
}

/// A broker that is slow by chance, and writes down what it was asked.
#[derive(Clone, Debug, Default)]
struct Slow {
    memory: MemoryBroker,
    seen: Arc<Mutex<Vec<Batch>>>,
    reads: Arc<Mutex<usize>>,
    /// How long a read takes.
    read_time: Arc<Mutex<Duration>>,
    fails: Arc<Mutex<bool>>,
    slow: Arc<Mutex<bool>>,
    /// Whether it finds no room for some of what comes between the first part of a checkpoint and its last.
    crowded: Arc<Mutex<bool>>,
    /// After how many large batches of the state it finds no room for one.
    room_for: Arc<Mutex<Option<usize>>>,
    random: Arc<Mutex<u64>>,
}

impl Slow {
    /// Whether this one finds no room, as the one after so many large ones.
    fn has_no_room(&self, batch: &Batch) -> bool {
        let bytes: usize = batch.state.records().iter().map(Bytes::len).sum();
        let mut room = self.room_for.lock().unwrap();
        let left = room.take_if(|_| bytes > 50_000);
        *room = room.or(left.and_then(|left| left.checked_sub(1)));
        left == Some(0)
    }

    fn dice(&self, sides: u64) -> u64 {
        let mut random = self.random.lock().unwrap();
        *random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (*random >> 33) % sides
    }
}

impl Broker for Slow {
    fn promises(&self) -> Promises {
        self.memory.promises()
    }
    fn commit(
        &self,
        batch: Batch,
        durability: Durability,
    ) -> BoxFuture<'static, Result<Vec<u64>, CommitError>> {
        self.seen.lock().unwrap().push(batch.clone());
        let is_part = |piece: &Bytes| piece.first() == Some(&2);
        let goes_on = matches!(batch.state, StateChange::Append(_));
        let part = goes_on && batch.state.records().iter().any(is_part);
        let is_crowded = part && *self.crowded.lock().unwrap() && self.dice(8) == 0;
        if is_crowded || self.has_no_room(&batch) {
            let (reason, retry_after) = ("it is full".to_owned(), seconds(1));
            return async move {
                Err(CommitError::Full {
                    reason,
                    retry_after,
                })
            }
            .boxed();
        }
        let done = self.memory.commit(batch, durability);
        if !*self.slow.lock().unwrap() {
            return done;
        }
        let time = Duration::from_millis(self.dice(4));
        // A task of its own, as the thread of a log: its end and those of attempts come in any order.
        let task = tokio::spawn(async move {
            tokio::time::sleep(time).await;
            done.await
        });
        async move { task.await.unwrap() }.boxed()
    }
    fn read(
        &self,
        channel: &Name,
        from: u64,
        limit: ReadLimit,
    ) -> BoxFuture<'static, Result<Vec<Record>, ReadError>> {
        *self.reads.lock().unwrap() += 1;
        if *self.fails.lock().unwrap() {
            let (channel, reason) = (channel.clone(), "a checksum differs".to_owned());
            return async move {
                Err(ReadError::Damaged {
                    channel,
                    sequence: from,
                    reason,
                })
            }
            .boxed();
        }
        let (read, time) = (
            self.memory.read(channel, from, limit),
            *self.read_time.lock().unwrap(),
        );
        if time.is_zero() {
            return read;
        }
        async move {
            tokio::time::sleep(time).await;
            read.await
        }
        .boxed()
    }
    fn tail(&self, channel: &Name) -> watch::Receiver<u64> {
        self.memory.tail(channel)
    }
    fn head(&self, channel: &Name) -> u64 {
        self.memory.head(channel)
    }
    fn sequence_at(
        &self,
        channel: &Name,
        time: Timestamp,
    ) -> BoxFuture<'static, Result<u64, ReadError>> {
        self.memory.sequence_at(channel, time)
    }
    fn keep(&self, channel: &Name, keep: Keep) {
        self.memory.keep(channel, keep);
    }
    fn clean(&self, now: Timestamp) -> BoxFuture<'static, Result<Cleaned, CleanError>> {
        self.memory.clean(now)
    }
    fn state(&self) -> BoxFuture<'static, Result<Vec<Bytes>, ReadError>> {
        self.memory.state()
    }
}

async fn on(broker: &Slow, text: &str, settings: Settings) -> World {
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let clock = TokioClock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    World::on(text, settings, shared, Script::default(), clock).await
}

/// How many orders of billing the pieces of a checkpoint have as done.
fn done_in(pieces: &[Bytes]) -> u64 {
    let mut done = std::collections::BTreeSet::new();
    for line in pieces.iter().flat_map(|piece| piece.split(|b| *b == b'\n')) {
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) else {
            continue;
        };
        let Some((kind, body)) = value.as_object().and_then(|o| o.iter().next()) else {
            continue;
        };
        if body["consumer"] != BILLING {
            continue;
        }
        match kind.as_str() {
            "cursor" => {
                done.extend(0..body["below"].as_u64().unwrap());
                for range in body["above"].as_array().unwrap() {
                    done.extend(range[0].as_u64().unwrap()..range[1].as_u64().unwrap());
                }
            }
            "done" => {
                done.insert(body["sequence"].as_u64().unwrap());
            }
            _ => {}
        }
    }
    done.len() as u64
}

/// no checkpoint says that a delivery is done before its outputs are stored.
#[tokio::test(start_paused = true)]
async fn a_checkpoint_never_overtakes_outputs() {
    let broker = Slow::default();
    *broker.slow.lock().unwrap() = true;
    let settings = Settings {
        checkpoint_bytes_min: 600,
        checkpoint_growth: 1,
        ..Settings::default()
    };
    let world = on(&broker, DESIGN, settings).await;
    world.script.publishes(vec![payment()]);
    world.script.takes(Duration::from_millis(2));
    for n in 0..400 {
        world
            .publish([order(&n.to_string(), &format!("k{}", n % 50))])
            .await;
        world.pass(Duration::from_millis(n % 3)).await;
    }
    world.pass(seconds(5)).await;
    let (mut stored, mut checkpoints) = (0, 0);
    for batch in broker.seen.lock().unwrap().iter() {
        if let StateChange::Replace(pieces) = &batch.state {
            checkpoints += 1;
            let done = done_in(pieces);
            assert!(
                done <= stored,
                "checkpoint {checkpoints}: {done} are done, and {stored} have their outputs"
            );
        }
        let payments = batch
            .appends
            .iter()
            .filter(|a| a.channel.to_string() == "PaymentTaken");
        stored += payments.count() as u64;
    }
    assert_eq!(stored, 400);
    assert!(checkpoints > 10, "{checkpoints}");
}

/// How many deliveries end in the pieces, one by one or together.
fn ends_in(pieces: &[Bytes]) -> usize {
    let lines = pieces.iter().flat_map(|piece| piece.split(|b| *b == b'\n'));
    let lines = lines.map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap());
    let ends = |line: serde_json::Value| match line.pointer("/done-together/done") {
        Some(done) => done.as_array().unwrap().len(),
        None => usize::from(line.get("done").is_some()),
    };
    lines.map(ends).sum()
}

/// Keeps much for each key, and publishes, at once.
struct Keeps;

impl Caller for Keeps {
    fn call(&self, _attempt: Attempt) -> BoxFuture<'static, Answer> {
        let state = Some(KeyState::Is("x".repeat(16 << 10).into()));
        ready(Answer {
            state,
            ..with_payment()
        })
        .boxed()
    }
}

/// outputs are stored before the end of their delivery, or again, when no batch holds what is to be recorded.
#[tokio::test(start_paused = true)]
async fn outputs_go_with_the_end_of_their_delivery_when_no_batch_holds_all() {
    let broker = Slow::default();
    let settings = Settings {
        commit_bytes_max: 1,
        ..Settings::default()
    };
    let design = design(&DESIGN.replace("concurrency: 4", "concurrency: 64"));
    let (shared, clock) = (Arc::new(broker.clone()), Arc::new(TokioClock::new()));
    let runtime = Runtime::start(&design, shared, Arc::new(Keeps), clock, settings);
    let runtime = runtime.await.unwrap();
    *broker.room_for.lock().unwrap() = Some(1);
    let orders = (0..48).map(|n| order(&n.to_string(), &format!("k{n}")));
    runtime.publish(orders.collect()).await.unwrap();
    tokio::time::sleep(seconds(10)).await;
    assert_eq!(*broker.room_for.lock().unwrap(), None, "one was refused");
    let (mut refused, mut divided) = (0, 0);
    for batch in broker.seen.lock().unwrap().iter() {
        let outputs = batch.appends.iter();
        let outputs = outputs.filter(|append| append.channel.as_str() == "PaymentTaken");
        let (outputs, ends) = (outputs.count(), ends_in(batch.state.records()));
        assert_eq!(outputs, ends, "of those that end in a batch");
        divided += usize::from((1..32).contains(&outputs));
        refused += outputs;
    }
    let payments = Name::new("PaymentTaken").unwrap();
    assert_eq!(*broker.tail(&payments).borrow(), 48);
    assert!(divided > 1 && refused > 48, "{divided} {refused}");
}

/// no checkpoint in parts removes what it stands for unless all its parts are there.
#[tokio::test(start_paused = true)]
async fn a_checkpoint_without_one_of_its_parts_removes_nothing() {
    let broker = Slow::default();
    *broker.crowded.lock().unwrap() = true;
    let settings = Settings {
        checkpoint_bytes_min: 600,
        checkpoint_growth: 1,
        checkpoint_batch_bytes_max: 300,
        ..Settings::default()
    };
    let mut world = on(&broker, DESIGN, settings).await;
    world.script.counts();
    for n in 0..200 {
        world
            .publish([order(&n.to_string(), &format!("k{}", n % 50))])
            .await;
        world.pass(Duration::from_millis(n % 3)).await;
        if n % 20 == 19 {
            world.pass(seconds(2)).await;
            *broker.crowded.lock().unwrap() = false;
            world = world.restart().await;
            *broker.crowded.lock().unwrap() = true;
            world.pass(seconds(2)).await;
        }
    }
    let count = |is: fn(&StateChange) -> bool| {
        let seen = broker.seen.lock().unwrap();
        seen.iter().filter(|batch| is(&batch.state)).count()
    };
    let begun = count(|state| matches!(state, StateChange::Begin(_)));
    let finished = count(|state| matches!(state, StateChange::Finish(_)));
    assert_eq!(world.script.calls().len(), 200, "nothing ran again");
    assert!(
        finished > 10 && begun > finished + 5,
        "{finished} of {begun}"
    );
}

/// a puller is not told that its settling is taken when it is not.
#[tokio::test(start_paused = true)]
async fn a_settling_that_cannot_be_judged_is_not_said_to_be_taken() {
    let broker = Slow::default();
    let world = on(&broker, &publishing_audit(), Settings::default()).await;
    world.publish([order("1", "a")]).await;
    let audit = id(AUDIT);
    let pulled = world.runtime.pull(&audit, 1, seconds(5)).await.unwrap();
    *broker.fails.lock().unwrap() = true;
    let answer = world.runtime.settle(&pulled[0].lease, with_payment()).await;
    *broker.fails.lock().unwrap() = false;
    let again = world.runtime.pull(&audit, 1, seconds(5)).await.unwrap();
    assert!(
        answer.is_err() || again.is_empty(),
        "{answer:?}, and it comes again: {}",
        again.len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_settling_that_finds_no_room_for_its_state_is_not_said_to_be_taken() {
    let world = World::with(&publishing_audit(), Settings::default()).await;
    let audit = id(AUDIT);
    let mut answer = Ok(());
    for n in 0..70 {
        world
            .publish([order(&n.to_string(), &format!("k{n}"))])
            .await;
        let pulled = world.runtime.pull(&audit, 1, seconds(5)).await.unwrap();
        let state = KeyState::Is("x".repeat(16 << 10).into());
        answer = world
            .runtime
            .settle(
                &pulled[0].lease,
                Answer {
                    state: Some(state),
                    ..with_payment()
                },
            )
            .await;
        if world.payments().await.len() == n {
            break;
        }
    }
    assert!(
        answer.is_err(),
        "nothing was kept or published, and the puller is told that it was"
    );
}

fn big(n: usize) -> Envelope {
    let pad = "x".repeat(900 << 10);
    let text = format!(
        r#"{{"specversion":"1.0","id":"{n}","source":"/shop","type":"OrderPlaced","data":{{"orderId":"k{n}","total":3.5,"pad":"{pad}"}}}}"#
    );
    Envelope::from_json(text.as_bytes()).unwrap()
}

/// what is read and settled already does not take the room of what starts.
#[tokio::test(start_paused = true)]
async fn what_was_finished_before_a_restart_takes_no_room_at_hand() {
    let broker = Slow::default();
    let text = DESIGN.replace("initial: 100ms, max: 1s", "initial: 1h, max: 1h");
    let world = on(&broker, &text, Settings::default()).await;
    for n in (0..60).step_by(4) {
        let outcomes = [retryable(), Outcome::Done];
        world.script.answer(&n.to_string(), outcomes);
    }
    for n in 0..60 {
        world.publish([big(n)]).await;
    }
    world.pass(seconds(5)).await;
    // The other consumer may hold nothing at hand either.
    for _ in 0..20 {
        for pulled in world.runtime.pull(&id(AUDIT), 8, seconds(1)).await.unwrap() {
            world
                .runtime
                .settle(&pulled.lease, Outcome::Done)
                .await
                .unwrap();
        }
    }
    let world = world.restart().await;
    world.pass(seconds(7_200)).await;
    assert_eq!(world.consumer(AUDIT).await.backlog, 0);
    assert_eq!(world.consumer(BILLING).await.backlog, 0);
    *broker.reads.lock().unwrap() = 0;
    for first in (100..140).step_by(10) {
        world.publish((first..first + 10).map(big)).await;
        world.pass(Duration::from_millis(100)).await;
    }
    let reads = *broker.reads.lock().unwrap();
    // With their channels they are read in 28 pieces; each that found no room at hand is read once more.
    assert!(reads < 34, "{reads} reads");
}

/// what a replay has put back, and a skip has passed over before it was read again.
#[tokio::test(start_paused = true)]
async fn what_was_put_back_and_skipped_takes_no_room_at_hand() {
    let broker = Slow::default();
    let world = on(&broker, DESIGN, Settings::default()).await;
    let seek = |to| {
        world.runtime.seek(SeekRequest {
            consumer: id(BILLING),
            to: SeekTo::Sequence(to),
            until: None,
            reason: "a test".to_owned(),
            dry_run: false,
            confirmed: true,
        })
    };
    world.publish([big(0)]).await;
    world.pass(seconds(5)).await;
    let consumer = id(BILLING);
    let reason = "a test".to_owned();
    let pause = Command::Pause { consumer, reason };
    world.runtime.operate(pause).await.unwrap();
    for n in 1..60 {
        world.publish([big(n)]).await;
    }
    world.pass(seconds(5)).await;
    // What the first puts back is passed over before it is read again.
    *broker.read_time.lock().unwrap() = seconds(2);
    seek(0).await.unwrap();
    assert_eq!(seek(60).await.unwrap().deliveries, 60);
    *broker.read_time.lock().unwrap() = Duration::ZERO;
    let consumer = id(BILLING);
    let resume = Command::Resume { consumer };
    world.runtime.operate(resume).await.unwrap();
    world.pass(seconds(5)).await;
    assert_eq!(world.consumer(BILLING).await.backlog, 0);
    *broker.reads.lock().unwrap() = 0;
    for first in (100..140).step_by(10) {
        world.publish((first..first + 10).map(big)).await;
        world.pass(Duration::from_millis(100)).await;
    }
    let reads = *broker.reads.lock().unwrap();
    // With their channels they are read in pieces; each that found no room at hand is read once more.
    assert!(reads < 34, "{reads} reads");
}
