//! The store fails, the process ends, time goes on: nothing is lost, nothing spins, everyone is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidegate_base::{Clock, Timestamp};
use tidegate_broker::Broker;
use tidegate_runtime::view::{ConsumerState, Mode};
use tidegate_runtime::{
    DeadLetterFilter, LettersSelection, Outcome, PublishError, PullError, Runtime, Settings,
    SettleError, TokioClock,
};

use crate::faulty::{Commits, FaultyBroker};
use crate::support::{DESIGN, Script, World, design, id, order, permanent, seconds, unavailable};
use crate::{AUDIT, BILLING};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

async fn faulty() -> (World, FaultyBroker) {
    let broker = FaultyBroker::default();
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let clock = TokioClock::starting_at(START);
    let world = World::on(
        DESIGN,
        Settings::default(),
        shared,
        Script::default(),
        clock,
    )
    .await;
    (world, broker)
}

/// The events that were called, in order and with repetitions.
fn called(world: &World) -> Vec<String> {
    let mut events: Vec<String> = world
        .script
        .calls()
        .into_iter()
        .map(|(event, _)| event)
        .collect();
    events.sort();
    events
}

#[tokio::test(start_paused = true)]
async fn a_state_without_room_is_written_later_and_nothing_is_lost() {
    let (world, broker) = faulty().await;
    world.script.takes(seconds(1));
    let orders = (0..6).map(|n| order(&n.to_string(), &format!("key-{n}")));
    world.publish(orders).await;
    world.pass(Duration::from_millis(500)).await;
    broker.commits(Commits::StateFull);
    world.pass(seconds(60)).await;
    // Four ran; nothing starts whose start is not on record.
    assert_eq!(called(&world), ["0", "1", "2", "3"]);
    assert_eq!(world.consumer(BILLING).await.succeeded_total, 0);
    let refused = broker.refused();
    assert!((50..200).contains(&refused), "{refused} tries in a minute");
    assert_eq!(
        world.runtime.view().attention[0].sentence,
        "the state finds no room: the disk is full; nothing starts and nothing is lost; make room: it goes on by itself"
    );
    broker.commits(Commits::Done);
    world.pass(seconds(5)).await;
    assert_eq!(called(&world), ["0", "1", "2", "3", "4", "5"]);
    let billing = world.consumer(BILLING).await;
    let spoken = world.runtime.view().attention.clone();
    assert!(
        spoken.iter().all(|said| said.kind != "system"),
        "{spoken:?}"
    );
    assert_eq!((billing.succeeded_total, billing.backlog), (6, 0));
    let world = world.restart().await;
    world.pass(seconds(5)).await;
    assert_eq!(called(&world).len(), 6, "all of it was kept");
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_a_refused_commit_waits_behind_it() {
    let (world, broker) = faulty().await;
    world.script.takes(seconds(1));
    let orders = (0..8).map(|n| order(&n.to_string(), &format!("key-{n}")));
    world.publish(orders).await;
    world.pass(Duration::from_millis(500)).await;
    // The starts of the next four are refused, the ends of the first four are not.
    broker.commits(Commits::StateFullOnce);
    world.pass(Duration::from_millis(700)).await;
    assert_eq!(broker.refused(), 1);
    let pulled = world.runtime.pull(&id(AUDIT), 1, seconds(5)).await.unwrap();
    assert_eq!(pulled.len(), 1);
    let state = broker.state().await.unwrap().concat();
    let state = String::from_utf8(state).unwrap();
    let place = |consumer: &str, sequence: u64| {
        let start =
            format!(r#"{{"started-together":{{"consumer":"{consumer}","started":[[{sequence},"#);
        state.find(&start).expect("it started")
    };
    assert!(place(BILLING, 4) < place(AUDIT, 0), "{state}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_although_the_state_has_no_room() {
    let (world, broker) = faulty().await;
    world.script.takes(seconds(1));
    world.publish([order("1", "a"), order("2", "b")]).await;
    world.pass(Duration::from_millis(500)).await;
    broker.commits(Commits::StateFull);
    world.pass(seconds(5)).await;
    let drain = tokio::time::timeout(seconds(60), world.runtime.drain(seconds(10)));
    let report = drain.await.expect("it ends");
    assert!(report.took < seconds(12), "{:?}", report.took);
    // What was done was never kept, so it runs again: once, and by itself.
    broker.commits(Commits::Done);
    let world = world.restart().await;
    world.pass(seconds(10)).await;
    assert_eq!(called(&world), ["1", "1", "2", "2"]);
    assert_eq!(world.consumer(BILLING).await.backlog, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_broker_is_told_to_everyone_and_the_next_start_goes_on() {
    let (world, broker) = faulty().await;
    world.script.takes(seconds(1));
    world.publish([order("1", "a")]).await;
    let audit = id(AUDIT);
    let pulled = world.runtime.pull(&audit, 1, seconds(1)).await.unwrap();
    broker.commits(Commits::Stopped);
    let settled = world.runtime.settle(&pulled[0].lease, Outcome::Done);
    let waiting = world.runtime.pull(&audit, 1, seconds(60));
    let (settled, waiting) = tokio::join!(settled, waiting);
    assert_eq!(settled, Err(SettleError::Stopped));
    assert_eq!(waiting.unwrap_err(), PullError::Stopped);
    world.pass(seconds(2)).await;
    let refused = world.runtime.publish(vec![order("2", "b")]).await;
    assert_eq!(refused, Err(PublishError::Stopped));
    assert_eq!(world.runtime.view().mode, Mode::Stopped);
    assert_eq!(
        world.runtime.view().attention[0].sentence,
        "the writer has stopped: nothing is accepted or delivered; see the log, then start again"
    );
    let drained = tokio::time::timeout(seconds(1), world.runtime.drain(seconds(60))).await;
    assert!(drained.is_ok(), "nothing is waited for");
    assert!(broker.refused() < 10, "{} tries", broker.refused());
    broker.commits(Commits::Done);
    let world = world.restart().await;
    let again = world.runtime.pull(&audit, 1, seconds(1)).await.unwrap();
    assert_eq!(again[0].delivery_id, pulled[0].delivery_id);
    world.pass(seconds(5)).await;
    assert_eq!(called(&world), ["1", "1"]);
    assert_eq!(world.consumer(BILLING).await.backlog, 0);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_record_halts_its_consumers_until_it_is_repaired() {
    let (world, broker) = faulty().await;
    broker.damage(Some(1));
    world
        .publish((0..3).map(|n| order(&n.to_string(), "a")))
        .await;
    world.pass(seconds(60)).await;
    let reads = broker.damaged_reads();
    assert!(reads <= 4, "{reads} reads of what cannot be read");
    let billing = world.consumer(BILLING).await;
    assert_eq!(billing.state, ConsumerState::Halted);
    assert_eq!((billing.failed_total, billing.dead_letters), (0, 0));
    insta::assert_snapshot!(world.runtime.view().attention[0].sentence, @"`billing/OrderPlaced` stands still: its channel cannot be read: channel `OrderPlaced` is damaged at sequence 1: a checksum differs; repair or restore the store, then start again");
    broker.damage(None);
    let world = world.restart().await;
    world.pass(seconds(5)).await;
    assert_eq!(called(&world), ["0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_damaged_while_it_waits_burns_no_attempt() {
    let (world, broker) = faulty().await;
    world.script.otherwise(unavailable());
    let orders = (0..8).map(|n| order(&n.to_string(), &format!("key-{n}")));
    world.publish(orders).await;
    // The breaker is open, and everything is in memory.
    world.pass(seconds(1)).await;
    let before = world.script.calls();
    for sequence in 0..8 {
        broker.damage(Some(sequence));
        world.script.otherwise(Outcome::Done);
        world.pass(seconds(15)).await;
        if world.consumer(BILLING).await.state == ConsumerState::Halted {
            break;
        }
    }
    let billing = world.consumer(BILLING).await;
    assert_eq!(billing.state, ConsumerState::Halted, "{}", billing.reason);
    assert!(world.script.calls().len() > before.len());
    broker.damage(None);
    let world = world.restart().await;
    world.pass(seconds(60)).await;
    let billing = world.consumer(BILLING).await;
    assert_eq!((billing.backlog, billing.dead_letters), (0, 0));
    let worst = world.script.calls().into_iter().map(|(_, attempt)| attempt);
    assert!(worst.max() <= Some(2), "{:?}", world.script.calls());
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_fails_and_is_called_again() {
    let (world, _) = faulty().await;
    world.script.panics("1");
    world.publish([order("1", "a")]).await;
    world.pass(seconds(1)).await;
    let letters = world.letters().await;
    assert_eq!(letters.total, 1, "three attempts, three panics");
    assert_eq!(letters.letters[0].error, "the handler panicked");
    let attempts: Vec<u32> = world.script.calls().iter().map(|call| call.1).collect();
    assert_eq!(attempts, [1, 2, 3]);
    let billing = world.consumer(BILLING).await;
    assert_eq!((billing.in_flight, billing.backlog), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_was_open_at_the_restart_probes_by_itself() {
    let (world, _) = faulty().await;
    world.script.otherwise(unavailable());
    let orders = (0..8).map(|n| order(&n.to_string(), &format!("key-{n}")));
    world.publish(orders).await;
    world.pass(seconds(2)).await;
    assert_eq!(world.runtime.view().dependencies[0].state, "open");
    world.script.otherwise(Outcome::Done);
    let world = world.restart().await;
    // Nothing is published and nobody asks: only time passes.
    world.pass(seconds(60)).await;
    let billing = world.consumer(BILLING).await;
    assert_eq!(
        (billing.backlog, billing.dead_letters),
        (0, 0),
        "{}",
        billing.reason
    );
}

#[tokio::test(start_paused = true)]
async fn a_puller_is_told_of_a_dead_letter_once_it_is_durable() {
    let (world, broker) = faulty().await;
    world.publish([order("1", "a")]).await;
    let pulled = world.runtime.pull(&id(AUDIT), 1, seconds(1)).await.unwrap();
    broker.commits(Commits::StateFull);
    let mut settle = Box::pin(world.runtime.settle(&pulled[0].lease, permanent()));
    let early = tokio::time::timeout(seconds(5), &mut settle).await;
    assert!(early.is_err(), "it is not durable yet");
    broker.commits(Commits::Done);
    settle.await.unwrap();
    assert_eq!(world.letters().await.total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_page_goes_on_after_a_letter_that_was_sent_back() {
    let (world, _) = faulty().await;
    world.script.otherwise(permanent());
    let orders = (0..4).map(|n| order(&n.to_string(), &format!("key-{n}")));
    world.publish(orders).await;
    world.pass(seconds(1)).await;
    let filter = DeadLetterFilter {
        limit: 2,
        ..DeadLetterFilter::default()
    };
    let first = world.runtime.dead_letters(filter.clone()).await;
    let after = first.letters[1].id.clone();
    world.script.otherwise(Outcome::Done);
    let selection = LettersSelection::Ids(vec![after.clone()]);
    world.runtime.redrive(selection).await.unwrap();
    world.pass(seconds(1)).await;
    let filter = DeadLetterFilter {
        after: Some(after),
        ..filter
    };
    let second = world.runtime.dead_letters(filter).await;
    let ids: Vec<&str> = second.letters.iter().map(|l| l.id.as_str()).collect();
    assert_eq!(ids, ["billing/OrderPlaced/2", "billing/OrderPlaced/3"]);
}

/// Counts how often it is read.
#[derive(Debug)]
struct CountingClock {
    clock: TokioClock,
    reads: AtomicU64,
}

impl Clock for CountingClock {
    fn now(&self) -> Timestamp {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.clock.now()
    }
}

#[tokio::test(start_paused = true)]
async fn a_system_that_was_drained_twice_rests() {
    let clock = Arc::new(CountingClock {
        clock: TokioClock::starting_at(START),
        reads: AtomicU64::new(0),
    });
    let (broker, caller) = (FaultyBroker::default(), Script::default());
    let runtime = Runtime::start(
        &design(DESIGN),
        Arc::new(broker),
        Arc::new(caller),
        Arc::clone(&clock) as Arc<dyn Clock>,
        Settings::default(),
    )
    .await
    .unwrap();
    runtime.drain(seconds(1)).await;
    runtime.drain(seconds(1)).await;
    tokio::time::sleep(seconds(2)).await;
    let before = clock.reads.load(Ordering::Relaxed);
    tokio::time::sleep(seconds(10)).await;
    let reads = clock.reads.load(Ordering::Relaxed) - before;
    assert!(reads < 1_000, "the clock was read {reads} times in 10 s");
}

/// What waits behind a new dead letter is more than one batch, and one of them finds no room: those after it wait for
/// it, or a process that ends now would leave a state with later ones of a key and without earlier ones.
#[tokio::test(start_paused = true)]
async fn what_no_batch_holds_is_kept_from_its_beginning_on() {
    let broker = FaultyBroker::default();
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let clock = TokioClock::starting_at(START);
    let settings = Settings {
        commit_bytes_max: 1,
        ..Settings::default()
    };
    let world = World::on(DESIGN, settings, shared, Script::default(), clock).await;
    world.script.takes(seconds(1));
    let id = |n: usize| format!("{n:0200}");
    world.script.answer(&id(0), [permanent()]);
    for hundred in 0..15 {
        let hundred = (0..100).map(|n| order(&id(hundred * 100 + n), "hot"));
        world.publish(hundred).await;
    }
    broker.commits(Commits::LargeStateFullOnce(50_000));
    let kept = async || {
        let mut kept = std::collections::BTreeSet::new();
        for piece in broker.state().await.unwrap() {
            for line in piece.split(|byte| *byte == b'\n') {
                let line: serde_json::Value = serde_json::from_slice(line).unwrap();
                if line["kept"]["consumer"] == BILLING {
                    kept.insert(line["kept"]["delivery"]["sequence"].as_u64().unwrap());
                }
            }
        }
        kept
    };
    let mut sizes = Vec::new();
    while sizes.last() != Some(&1_500) {
        assert!(sizes.len() < 100, "{sizes:?}");
        world.pass(Duration::from_millis(100)).await;
        let kept = kept().await;
        sizes.push(kept.len() as u64);
        let is_dense = kept.iter().copied().eq(0..kept.len() as u64);
        assert!(is_dense, "{kept:?}");
    }
    assert_eq!(broker.refused(), 1);
    assert!(
        sizes.contains(&1),
        "it was refused after the letter: {sizes:?}"
    );
    let world = world.restart().await;
    world.pass(seconds(5)).await;
    assert_eq!(world.consumer(BILLING).await.dead_letters, 1);
}

/// What an endpoint refuses is told as that: nobody asked for time.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_refuses_is_said_to_do_so_before_it_halts() {
    let (world, _) = faulty().await;
    world.script.otherwise(Outcome::EndpointFault {
        error: "HTTP 404".to_owned(),
    });
    world.publish([order("1", "a")]).await;
    world.pass(Duration::from_millis(100)).await;
    let why = world.runtime.why("1", None).await.unwrap();
    let gates = why.deliveries.iter().filter_map(|one| one.gate.as_ref());
    let gates: Vec<_> = gates
        .map(|gate| (gate.what, gate.detail.as_str()))
        .collect();
    let expected = ("endpoint", "the endpoint refuses: HTTP 404");
    assert!(gates.contains(&expected), "{gates:?}");
}
