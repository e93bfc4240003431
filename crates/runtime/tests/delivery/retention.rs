//! Retention: what is old and finished goes, what anybody needs stays.

use std::sync::Arc;
use std::time::Duration;

use tidegate_base::Timestamp;
use tidegate_broker::ReadLimit;
use tidegate_runtime::view::ConsumerState;
use tidegate_runtime::{Accept, LettersSelection, Outcome, Settings, TokioClock};

use crate::faulty::{Cleans, FaultyBroker};
use crate::support::{DESIGN, Script, World, id, order, permanent, seconds, unavailable};

const BILLING: &str = "billing/OrderPlaced";
const AUDIT: &str = "audit/OrderPlaced";
const HOUR: Duration = Duration::from_hours(1);

/// A design whose event has these fields, with one consumer, or two.
fn design(fields: &str, services: &[&str]) -> String {
    let service = |name: &&str| {
        format!(
            "  {name}:
    consumes:
      OrderPlaced:
        deliver: {{to: \"http://localhost:9001/{name}\", concurrency: 4, timeout: 5s}}
        needs: [payments-api]
        retry: {{backoff: constant, initial: 1s, max: 1s, jitter: none, attempts: 3}}
        dead-letter: {{retention: 30d}}
"
        )
    };
    let services: String = services.iter().map(service).collect();
    format!(
        "tidegate: 1
system: checkout
events:
  OrderPlaced: {{schema: order.json, key: /orderId, {fields}}}
services:
  orders: {{publishes: [OrderPlaced]}}
{services}dependencies:
  payments-api: {{breaker: {{failure-rate: 50%, minimum: 3, window: 30s, open: 10s, probes: 1}}}}
"
    )
}

async fn world(fields: &str, services: &[&str]) -> World {
    World::with(&design(fields, services), Settings::default()).await
}

impl World {
    /// The sequences that the channel has.
    pub(crate) async fn sequences(&self) -> Vec<u64> {
        let limit = ReadLimit {
            records: 1_000,
            bytes: usize::MAX,
        };
        let channel = "OrderPlaced".parse().unwrap();
        let read = self.broker.read(&channel, 0, limit).await.unwrap();
        read.iter().map(|record| record.sequence).collect()
    }

    pub(crate) fn head(&self) -> u64 {
        self.broker.head(&"OrderPlaced".parse().unwrap())
    }

    /// The events that were called since the last time.
    fn called(&self, before: &mut usize) -> Vec<String> {
        let calls = self.script.calls();
        let new = calls.iter().skip(*before).map(|(event, _)| event.clone());
        let new = new.collect();
        *before = calls.len();
        new
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_finished_and_old_goes_and_a_dead_letter_stays_until_it_is_done() {
    let world = world("retention: 1h", &["billing"]).await;
    world.script.answer("1", [permanent()]);
    // 2 has the key of 1 and waits behind it.
    let keys = ["a", "b", "b", "c"];
    let orders = keys.iter().enumerate();
    world
        .publish(orders.map(|(event, key)| order(&event.to_string(), key)))
        .await;
    world.pass(HOUR / 2).await;
    assert_eq!(world.sequences().await, [0, 1, 2, 3], "they are not old");
    world.publish([order("4", "d")]).await;
    world.pass(HOUR / 2 + seconds(120)).await;
    assert_eq!((world.sequences().await, world.head()), (vec![1, 2, 4], 4));
    // A process that takes over knows what is needed before it cleans anything.
    let world = world.restart().await;
    world.pass(HOUR).await;
    assert_eq!((world.sequences().await, world.head()), (vec![1, 2], 5));

    let letter = "billing/OrderPlaced/1";
    let detail = world.runtime.dead_letter(letter).await.unwrap();
    assert_eq!(detail.event["data"]["orderId"], "b");
    let mut calls = world.script.calls().len();
    let report = world
        .runtime
        .redrive(LettersSelection::Ids(vec![letter.to_owned()]))
        .await
        .unwrap();
    assert_eq!(report.done, [letter]);
    world.pass(seconds(1)).await;
    assert_eq!(world.called(&mut calls), ["1", "2"]);
    world.pass(seconds(60)).await;
    assert_eq!((world.sequences().await, world.head()), (vec![], 5));
    world.publish([order("5", "b")]).await;
    world.pass(seconds(1)).await;
    assert_eq!(
        (world.called(&mut calls), world.sequences().await),
        (vec!["5".to_owned()], vec![5])
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_not_finished_stays_however_old_it_is() {
    let world = world("retention: 1h", &["billing"]).await;
    world.script.otherwise(unavailable());
    let orders = (0..20).map(|event| order(&event.to_string(), &event.to_string()));
    world.publish(orders).await;
    world.pass(3 * HOUR).await;
    let world = world.restart().await;
    world.pass(3 * HOUR).await;
    assert_eq!((world.sequences().await.len(), world.head()), (20, 0));
    world.script.otherwise(Outcome::Done);
    world.pass(seconds(90)).await;
    let billing = world.consumer(BILLING).await;
    assert_eq!((billing.succeeded_total, billing.backlog), (20, 0));
    world.pass(seconds(60)).await;
    assert_eq!((world.sequences().await, world.head()), (vec![], 20));
}

#[tokio::test(start_paused = true)]
async fn the_slowest_consumer_holds_what_the_others_have_done() {
    // Billing is called, audit pulls.
    let text = DESIGN.replace("key: /orderId", "key: /orderId\n    retention: 1h");
    let world = World::with(&text, Settings::default()).await;
    world.publish([order("0", "a"), order("1", "b")]).await;
    world.pass(2 * HOUR).await;
    assert_eq!(world.consumer(BILLING).await.succeeded_total, 2);
    assert_eq!(world.sequences().await, [0, 1]);
    let audit = id(AUDIT);
    let pulled = world.runtime.pull(&audit, 1, seconds(1)).await.unwrap();
    let done = world.runtime.settle(&pulled[0].lease, Outcome::Done).await;
    assert_eq!(done, Ok(()));
    world.pass(seconds(61)).await;
    assert_eq!((world.sequences().await, world.head()), (vec![1], 1));
}

#[tokio::test(start_paused = true)]
async fn a_new_consumer_starts_at_the_head() {
    let world = world("retention: 1h", &["billing"]).await;
    world.script.answer("0", [permanent()]);
    world.publish([order("0", "a"), order("1", "b")]).await;
    world.pass(2 * HOUR).await;
    world.publish([order("2", "c")]).await;
    world.pass(seconds(1)).await;
    // The dead letter is there for billing alone.
    assert_eq!((world.sequences().await, world.head()), (vec![0, 2], 2));
    let mut calls = world.script.calls().len();
    let world = world
        .restart_as(&design("retention: 1h", &["billing", "audit"]))
        .await;
    world.pass(seconds(1)).await;
    assert_eq!(world.called(&mut calls), ["2"]);
    let audit = world.consumer(AUDIT).await;
    assert_eq!((audit.succeeded_total, audit.backlog), (1, 0));
    // It knows where it began.
    let world = world.restart().await;
    world.pass(seconds(1)).await;
    assert_eq!(world.called(&mut calls), [""; 0]);
    assert_eq!(world.consumer(AUDIT).await.backlog, 0);
    assert_eq!(world.letters().await.total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_comes_back_goes_on_with_what_is_left() {
    let both = design("retention: 1h", &["billing", "audit"]);
    let world = World::with(&both, Settings::default()).await;
    world.script.otherwise(permanent());
    world.publish([order("0", "a")]).await;
    world.pass(seconds(1)).await;
    assert_eq!(world.letters().await.total, 2);
    world.script.otherwise(Outcome::Done);
    let billing = LettersSelection::of(id(BILLING));
    world.runtime.redrive(billing).await.unwrap();
    world.pass(seconds(1)).await;
    // Without audit its letter is not kept, nor what it has not seen.
    let world = world
        .restart_as(&design("retention: 1h", &["billing"]))
        .await;
    world
        .publish((1..5).map(|event| order(&event.to_string(), "b")))
        .await;
    world.pass(2 * HOUR).await;
    assert_eq!((world.sequences().await, world.head()), (vec![], 5));
    let mut calls = world.script.calls().len();
    let world = world.restart_as(&both).await;
    let audit = world.consumer(AUDIT).await;
    assert_eq!((audit.backlog, audit.dead_letters), (0, 1));
    let detail = world
        .runtime
        .dead_letter("audit/OrderPlaced/0")
        .await
        .unwrap();
    assert_eq!(detail.event["unreadable"], "retention has removed it");
    let rehearsal = world.runtime.rehearse(LettersSelection::of(id(AUDIT)));
    let rehearsal = rehearsal.await.unwrap();
    assert_eq!((rehearsal.ids.len(), rehearsal.unreadable.len()), (1, 1));
    assert!(rehearsal.unreadable[0].1.contains("retention"));
    let letter = LettersSelection::of(id(AUDIT));
    world.runtime.redrive(letter).await.unwrap();
    world.publish([order("5", "c")]).await;
    world.pass(seconds(1)).await;
    assert_eq!(world.called(&mut calls), ["5", "5"]);
    let page = world.letters().await;
    assert_eq!(page.total, 1);
    insta::assert_snapshot!(page.letters[0].error, @"the event is gone: retention removed it while the design did not have its consumer");
    assert_ne!(world.consumer(AUDIT).await.state, ConsumerState::Halted);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_go_when_they_are_too_large_together() {
    let world = world("retention: 30d, retention-size: 600B", &["billing"]).await;
    world
        .publish((0..20).map(|event| order(&event.to_string(), "a")))
        .await;
    world.pass(seconds(120)).await;
    let left = world.sequences().await;
    assert!((5..15).contains(&left.len()), "{left:?}");
    assert_eq!(
        (left.first(), left.last()),
        (Some(&world.head()), Some(&19))
    );
}

#[tokio::test(start_paused = true)]
async fn of_a_compacted_event_the_latest_of_each_key_stays() {
    let fields = "retention: 1h, cleanup-policy: compact";
    let world = world(fields, &["billing"]).await;
    world.script.answer("3", [permanent()]);
    let keys = ["a", "b", "a", "c", "b", "c"];
    let orders = keys.iter().enumerate();
    world
        .publish(orders.map(|(event, key)| order(&event.to_string(), key)))
        .await;
    world.pass(2 * HOUR).await;
    // 3 is a dead letter.
    assert_eq!(
        (world.sequences().await, world.head()),
        (vec![2, 3, 4, 5], 2)
    );
    let mut calls = world.script.calls().len();
    let world = world
        .restart_as(&design(fields, &["billing", "audit"]))
        .await;
    world.pass(seconds(1)).await;
    let mut called = world.called(&mut calls);
    called.sort();
    assert_eq!(called, ["2", "3", "4", "5"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_nobody_consumes_goes_when_it_is_old() {
    let world = world("retention: 1h", &[]).await;
    world.publish([order("0", "a")]).await;
    world.pass(HOUR / 2).await;
    world.publish([order("1", "a")]).await;
    world.pass(HOUR / 2 + seconds(120)).await;
    assert_eq!((world.sequences().await, world.head()), (vec![1], 1));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_left_is_recognised_when_it_is_published_again() {
    let world = world("retention: 1h", &["billing"]).await;
    world.script.answer("1", [permanent()]);
    world
        .publish((0..3).map(|event| order(&event.to_string(), &event.to_string())))
        .await;
    world.pass(2 * HOUR).await;
    let world = world.restart().await;
    let again = vec![order("1", "1"), order("2", "2")];
    let accepted = world.runtime.publish(again).await.unwrap();
    let told: Vec<_> = accepted.iter().map(|a| (a.sequence, a.duplicate)).collect();
    assert_eq!(told, [(1, Accept::Duplicate), (3, Accept::New)]);
}

async fn on(broker: &FaultyBroker) -> World {
    let clock = TokioClock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let text = design("retention: 1h", &["billing"]);
    let shared = Arc::new(broker.clone());
    World::on(&text, Settings::default(), shared, Script::default(), clock).await
}

#[tokio::test(start_paused = true)]
async fn a_clean_that_fails_stops_nothing() {
    let broker = FaultyBroker::default();
    broker.cleans(Cleans::Failing);
    let world = on(&broker).await;
    world.publish([order("0", "a")]).await;
    world.pass(2 * HOUR).await;
    assert!(broker.cleaned() > 100, "{} cleans", broker.cleaned());
    assert_eq!(world.sequences().await, [0]);
    broker.cleans(Cleans::Done);
    world.publish([order("1", "a")]).await;
    world.pass(seconds(61)).await;
    assert_eq!(world.sequences().await, [1]);
    assert_eq!(world.consumer(BILLING).await.succeeded_total, 2);
}

#[tokio::test(start_paused = true)]
async fn one_clean_waits_for_the_other() {
    let broker = FaultyBroker::default();
    broker.cleans(Cleans::Slow(seconds(150)));
    let world = on(&broker).await;
    world.publish([order("0", "a")]).await;
    world.pass(seconds(390)).await;
    // At 60, 240; the one at 60 ends at 210.
    assert_eq!(broker.cleaned(), 2);
    world.runtime.drain(seconds(1)).await;
    world.pass(seconds(600)).await;
    assert_eq!(broker.cleaned(), 2, "after the end nobody cleans");
}
