//! Many systems under chance: full stores, restarts, drains and failing handlers. Every event is
//! done in the end, and no key ever goes back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tidegate_base::Timestamp;
use tidegate_broker::Broker;
use tidegate_runtime::{Outcome, PublishError, Settings, TokioClock};

use crate::BILLING;
use crate::faulty::{Commits, FaultyBroker};
use crate::support::{DESIGN, Script, World, order, retryable, seconds, unavailable};

/// Something that happens, and how many milliseconds later the next one does.
#[derive(Clone, Debug)]
enum Happening {
    Publish { events: usize },
    Handler(Outcome, Duration),
    Store(Commits),
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
    ]);
    let what = prop_oneof![
        4 => (1..6_usize).prop_map(|events| Happening::Publish { events }),
        3 => handler,
        2 => store.prop_map(Happening::Store),
        1 => Just(Happening::Crash),
        1 => Just(Happening::DrainAndStart),
    ];
    (what, 1..4_000_u64)
}

/// Lives through it. Returns the calls, and how many events were accepted.
async fn live(happenings: Vec<(Happening, u64)>) -> (Vec<String>, usize) {
    let broker = FaultyBroker::default();
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let clock = TokioClock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let text = DESIGN.replace("attempts: 3", "attempts: 1000");
    let mut world = World::on(&text, Settings::default(), shared, Script::default(), clock).await;
    let mut accepted = 0;
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
    let calls = world.script.calls().into_iter().map(|(event, _)| event);
    (calls.collect(), accepted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_happens_every_event_is_done_and_no_key_goes_back(
        happenings in proptest::collection::vec(happening(), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (calls, accepted) = runtime.block_on(live(happenings));
        let mut latest: HashMap<usize, usize> = HashMap::new();
        for call in &calls {
            let number: usize = call.parse().unwrap();
            let before = latest.insert(number % 3, number);
            prop_assert!(before.is_none_or(|before| before <= number), "{calls:?}");
        }
        for number in 0..accepted {
            prop_assert!(calls.contains(&number.to_string()), "{number} was never called");
        }
    }
}
