//! Many systems under chance: full stores, restarts, drains, failing handlers, and a retention that
//! removes what it may at once. Every event is done in the end, and no key ever goes back.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tidegate_base::{Timestamp, output_id};
use tidegate_broker::Broker;
use tidegate_runtime::{LettersSelection, Outcome, PublishError, Settings, TokioClock};

use crate::faulty::{Commits, FaultyBroker};
use crate::support::{
    DESIGN, Script, World, id, order, payment, permanent, retryable, seconds, unavailable,
};
use crate::{AUDIT, BILLING};

/// Something that happens, and how many milliseconds later the next one does.
#[derive(Clone, Debug)]
enum Happening {
    Publish {
        events: usize,
    },
    Handler(Outcome, Duration),
    Store(Commits),
    /// Between the pull and what is said of it, this happens to the store.
    Pull {
        max: usize,
        outcome: Outcome,
        meanwhile: Commits,
    },
    Crash,
    DrainAndStart,
}

fn happening() -> impl Strategy<Value = (Happening, u64)> {
    let overload = Outcome::Overload {
        error: "busy".to_owned(),
        after: None,
    };
    let outcomes = vec![Outcome::Done, retryable(), unavailable(), overload];
    let handler = (prop::sample::select(outcomes), 0..3_000_u64);
    let handler =
        handler.prop_map(|(outcome, ms)| Happening::Handler(outcome, Duration::from_millis(ms)));
    let store = prop::sample::select(vec![
        Commits::Done,
        Commits::StateFull,
        Commits::StateFullOnce,
        Commits::OutputsFull,
    ]);
    let settled = vec![
        Outcome::Done,
        Outcome::Done,
        retryable(),
        permanent(),
        Outcome::Cancelled,
    ];
    let pull = (1..5_usize, prop::sample::select(settled), store.clone());
    let pull = pull.prop_map(|(max, outcome, meanwhile)| Happening::Pull {
        max,
        outcome,
        meanwhile,
    });
    let what = prop_oneof![
        4 => (1..6_usize).prop_map(|events| Happening::Publish { events }),
        3 => handler,
        2 => store.prop_map(Happening::Store),
        3 => pull,
        1 => Just(Happening::Crash),
        1 => Just(Happening::DrainAndStart),
    ];
    (what, 1..4_000_u64)
}

/// The events that came to pullers, and those whose end was acknowledged.
#[derive(Debug, Default)]
struct Pulls {
    came: BTreeSet<String>,
    ended: BTreeSet<String>,
}

/// Pulls and settles; an event whose end was acknowledged must not come again. Returns how many came.
async fn pull(
    world: &World,
    pulls: &mut Pulls,
    max: usize,
    outcome: Outcome,
    meanwhile: impl FnOnce(),
) -> usize {
    let pulled = world.runtime.pull(&id(AUDIT), max, seconds(1)).await;
    let pulled = pulled.unwrap_or_default();
    meanwhile();
    for delivery in &pulled {
        let event = &delivery.envelope.id;
        assert!(!pulls.ended.contains(event), "{event} comes again");
        pulls.came.insert(event.clone());
        let settled = world.runtime.settle(&delivery.lease, outcome.clone()).await;
        let ends = matches!(outcome, Outcome::Done | Outcome::Permanent { .. });
        if settled.is_ok() && ends {
            pulls.ended.insert(event.clone());
        }
    }
    pulled.len()
}

/// Redrives the dead letters of the pullers: they, and what waits behind them, come again.
async fn send_back(world: &World, pulls: &mut Pulls) {
    for letter in world.letters().await.letters {
        pulls.ended.remove(&letter.event_id);
    }
    let selection = LettersSelection::of(id(AUDIT));
    let report = world.runtime.redrive(selection).await.unwrap();
    assert_eq!(report.refused, []);
}

/// Every order was paid exactly once, whatever happened: a payment goes with the record of the order being done.
async fn check_payments(world: &World, accepted: usize) {
    let mut payments = world.payments().await;
    assert_eq!(payments.len(), accepted);
    payments.sort_unstable();
    payments.dedup();
    let order = |n: usize| output_id(&id(BILLING), "/shop", &n.to_string(), 0);
    let mut orders: Vec<String> = (0..accepted).map(order).collect();
    orders.sort_unstable();
    assert_eq!(payments, orders);
}

/// Every order has counted exactly once for its key, whatever happened.
async fn check_counts(world: &World, accepted: usize) {
    let last = |key: usize| order(&format!("last-{key}"), &key.to_string());
    world.publish((0..3).map(last)).await;
    world.pass(seconds(5)).await;
    for key in 0..3 {
        let seen = world.script.seen(&format!("last-{key}"));
        let count = (0..accepted).filter(|order| order % 3 == key).count();
        assert_eq!(seen.map_or(0, |text| text.parse().unwrap()), count);
    }
}

/// Everything is well again: all is done, and retention leaves nothing of it.
async fn mend(world: &World, pulls: &mut Pulls, accepted: usize) {
    world.script.otherwise(Outcome::Done);
    world.script.takes(Duration::ZERO);
    world.pass(seconds(300)).await;
    let billing = world.consumer(BILLING).await;
    assert_eq!(
        (billing.backlog, billing.dead_letters),
        (0, 0),
        "{}",
        billing.reason
    );
    check_payments(world, accepted).await;
    send_back(world, pulls).await;
    while pull(world, pulls, 100, Outcome::Done, || ()).await > 0 {}
    let audit = world.consumer(AUDIT).await;
    assert_eq!(audit.backlog, 0, "{}", audit.reason);
    assert_eq!(pulls.came.len(), accepted, "{pulls:?}");
    world.pass(seconds(1)).await;
    assert_eq!(world.sequences().await, [0; 0], "all is done, and old");
    assert_eq!(world.head(), accepted as u64);
}

/// Lives through it. Returns the calls, and how many events were accepted.
async fn live(
    happenings: Vec<(Happening, u64)>,
    checkpoints: u64,
    batch: usize,
) -> (Vec<String>, usize) {
    let broker = FaultyBroker::default();
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let clock = TokioClock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let text = DESIGN
        .replace("attempts: 3", "attempts: 1000")
        .replace("key: /orderId", "key: /orderId\n    retention: 1ms");
    let settings = Settings {
        clean_interval: Duration::from_millis(300),
        checkpoint_growth: checkpoints,
        checkpoint_bytes_min: 1,
        checkpoint_batch_bytes_max: batch,
        ..Settings::default()
    };
    let mut world = World::on(&text, settings, shared, Script::default(), clock).await;
    world.script.publishes(vec![payment()]);
    world.script.counts();
    let mut accepted = 0;
    let mut pulls = Pulls::default();
    for (happening, ms) in happenings {
        match happening {
            Happening::Publish { events } => {
                let numbers = accepted..accepted + events;
                let orders = numbers.map(|n| order(&n.to_string(), &format!("{}", n % 3)));
                match world.runtime.publish(orders.collect()).await {
                    Ok(_) => accepted += events,
                    Err(error) => assert_eq!(error, PublishError::Draining),
                }
            }
            Happening::Handler(outcome, time) => {
                world.script.otherwise(outcome);
                world.script.takes(time);
            }
            Happening::Store(commits) => broker.commits(commits),
            Happening::Pull {
                max,
                outcome,
                meanwhile,
            } => {
                // It may be refused, or take longer than the puller waits: then nobody was told.
                let fault = || broker.commits(meanwhile);
                let pulling = pull(&world, &mut pulls, max, outcome, fault);
                let _left = tokio::time::timeout(seconds(3), pulling).await;
            }
            Happening::Crash => {
                broker.commits(Commits::Done);
                world = world.restart().await;
            }
            Happening::DrainAndStart => {
                let drain = world.runtime.drain(seconds(2));
                let drain = tokio::time::timeout(seconds(20), drain).await;
                assert!(drain.is_ok(), "a drain ends");
                broker.commits(Commits::Done);
                world = world.restart().await;
            }
        }
        world.pass(Duration::from_millis(ms)).await;
    }
    broker.commits(Commits::Done);
    mend(&world, &mut pulls, accepted).await;
    check_counts(&world, accepted).await;
    let calls = world.script.calls().into_iter().map(|(event, _)| event);
    (calls.collect(), accepted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_every_event_is_done_and_no_key_goes_back(
        happenings in proptest::collection::vec(happening(), 1..30),
        // From one after every commit to none.
        checkpoints in prop::sample::select(vec![0, 4, u64::MAX]),
        // Each in many parts, in some, in one.
        batch in prop::sample::select(vec![1, 600, 1 << 20]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (calls, accepted) = runtime.block_on(live(happenings, checkpoints, batch));
        let mut latest: HashMap<usize, usize> = HashMap::new();
        for call in calls.iter().filter(|call| !call.starts_with("last")) {
            let number: usize = call.parse().unwrap();
            let before = latest.insert(number % 3, number);
            prop_assert!(before.is_none_or(|before| before <= number), "{calls:?}");
        }
        for number in 0..accepted {
            prop_assert!(calls.contains(&number.to_string()), "{number} was never called");
        }
    }
}
