//! Back-pressure to producers, rates and shared places, as a running system shows them.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test: what is wrong here should stop it, with its place"
)]

use std::time::Duration;

use tidegate_base::Envelope;
use tidegate_delivery::Command;
use tidegate_runtime::view::{ConsumerState, EventView};
use tidegate_runtime::{Measure, Outcome, PublishError, Settings};

use crate::support::{DESIGN, World, id, order, retryable, seconds};

const BILLING: &str = "billing/OrderPlaced";
const AUDIT: &str = "audit/OrderPlaced";

/// One pushed consumer with a backlog limit, and what its `deliver` says beside.
fn design(backlog: &str, deliver: &str) -> String {
    let key = "    key: /orderId\n";
    let text = DESIGN.replace(key, &format!("{key}    backlog: {backlog}\n"));
    let text = text.replace("concurrency: 4,", &format!("concurrency: 4, {deliver}"));
    let audit = text.find("  audit:").unwrap();
    let dependencies = text.find("dependencies:").unwrap();
    format!("{}{}", &text[..audit], &text[dependencies..])
}

fn orders(numbers: std::ops::Range<u64>) -> Vec<Envelope> {
    numbers
        .map(|n| order(&n.to_string(), &n.to_string()))
        .collect()
}

fn pause() -> Command {
    Command::Pause {
        consumer: id(BILLING),
        reason: "a test".to_owned(),
    }
}

async fn event(world: &World) -> EventView {
    world.consumer(BILLING).await;
    world.runtime.view().events[0].clone()
}

fn behind(error: PublishError) -> (Measure, u64, u64, Duration) {
    let PublishError::Full {
        behind: Some(behind),
        retry_after,
        ..
    } = error
    else {
        panic!("{error}");
    };
    (behind.measure, behind.value, behind.most, retry_after)
}

#[tokio::test(start_paused = true)]
async fn too_many_unfinished_events_are_refused_until_a_tenth_is_done() {
    let world = World::with(&design("{events: 20}", ""), Settings::default()).await;
    world.runtime.operate(pause()).await.unwrap();
    world.publish(orders(0..19)).await;
    world.publish(orders(19..20)).await;
    let error = world.runtime.publish(orders(20..21)).await.unwrap_err();
    insta::assert_snapshot!(error, @"consumer `billing/OrderPlaced` has 20 unfinished events; the most is 20 (`events.OrderPlaced.backlog.events`); try again in 1m");
    assert_eq!(behind(error), (Measure::Events, 20, 20, seconds(60)));
    // Of a batch nothing is stored.
    world.runtime.publish(orders(20..25)).await.unwrap_err();
    let shown = event(&world).await;
    assert_eq!((shown.accepted_total, shown.refused_total.events), (20, 2));
    assert_eq!(shown.backlog_limit.unwrap().limit, "events");
    let view = world.runtime.view();
    let told = view.attention.iter().find(|told| told.kind == "event");
    insta::assert_snapshot!(told.unwrap().sentence, @"`OrderPlaced` is refused to its producers: consumer `billing/OrderPlaced` has 20 unfinished events; the most is 20 (`events.OrderPlaced.backlog.events`); make the consumer faster, or raise the limit");

    // One is done: still more than nine tenths, so that it does not flap.
    world.script.takes(seconds(1));
    let resume = Command::Resume {
        consumer: id(BILLING),
    };
    world.runtime.operate(resume).await.unwrap();
    world.pass(Duration::from_millis(900)).await;
    let error = world.runtime.publish(orders(20..21)).await.unwrap_err();
    assert_eq!(behind(error).1, 20);
    world.pass(Duration::from_millis(1_000)).await;
    world.publish(orders(20..24)).await;
    assert!(event(&world).await.backlog_limit.is_none());
    world.script.takes(Duration::ZERO);
    world.pass(seconds(30)).await;
    assert_eq!(world.consumer(BILLING).await.succeeded_total, 24);
}

#[tokio::test(start_paused = true)]
async fn bytes_count_those_of_a_process_before_too() {
    let world = World::with(&design("{bytes: 600B}", ""), Settings::default()).await;
    world.runtime.operate(pause()).await.unwrap();
    // 27 or 28 bytes each.
    world.publish(orders(0..15)).await;
    world.publish(orders(15..16)).await;
    let world = world.restart().await;
    world.pass(seconds(1)).await;
    world.publish(orders(16..22)).await;
    let error = world.runtime.publish(orders(30..31)).await.unwrap_err();
    let (measure, value, most, _) = behind(error);
    assert_eq!((measure, most), (Measure::Bytes, 600));
    assert!((600..650).contains(&value), "{value}");
}

#[tokio::test(start_paused = true)]
async fn an_old_unfinished_event_is_refused_more_of_its_kind_and_a_dead_letter_is_not() {
    let world = World::with(&design("{age: 1m}", ""), Settings::default()).await;
    world.runtime.operate(pause()).await.unwrap();
    world.publish(orders(0..3)).await;
    world.pass(seconds(58)).await;
    world.publish(orders(3..4)).await;
    world.pass(seconds(3)).await;
    let error = world.runtime.publish(orders(4..5)).await.unwrap_err();
    assert_eq!(behind(error).0, Measure::Age);
    // All become dead letters: they wait for a decision and hold nobody up.
    world.script.otherwise(retryable());
    let resume = Command::Resume {
        consumer: id(BILLING),
    };
    world.runtime.operate(resume).await.unwrap();
    world.pass(seconds(10)).await;
    assert_eq!(world.letters().await.total, 4);
    world.script.otherwise(Outcome::Done);
    world.publish(orders(4..5)).await;
    world.pass(seconds(600)).await;
    world.publish(orders(5..6)).await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_holds_over_restarts_and_why_says_so() {
    let deliver = "rate: 120/m, burst: 2,";
    let world = World::with(&design("{events: 1000}", deliver), Settings::default()).await;
    world.publish(orders(0..50)).await;
    world.pass(Duration::from_millis(100)).await;
    assert_eq!(
        world.script.calls().len(),
        0,
        "it begins with an empty bucket"
    );
    let why = world.runtime.why("7", None).await.unwrap();
    let gate = why.deliveries[0].gate.as_ref().unwrap();
    assert_eq!((gate.what, why.deliveries[0].state), ("rate", "held"));
    assert_eq!(gate.until_ms, why.deliveries[0].next_ms);
    world.pass(seconds(10)).await;
    let calls = world.script.calls().len();
    assert!((19..=20).contains(&calls), "{calls} in ten seconds");
    let world = world.restart().await;
    world.pass(seconds(5)).await;
    let calls = world.script.calls().len() - calls;
    assert!((8..=10).contains(&calls), "{calls} in five seconds");
}

#[tokio::test(start_paused = true)]
async fn a_dependency_and_the_process_have_as_many_places_as_they_say() {
    let text = design("{events: 1000}", "").replace(
        "payments-api: {breaker",
        "payments-api: {concurrency: 3, breaker",
    );
    let world = World::with(&text, Settings::default()).await;
    world.script.takes(seconds(1));
    world.publish(orders(0..50)).await;
    world.pass(Duration::from_millis(500)).await;
    let billing = world.consumer(BILLING).await;
    assert_eq!((billing.in_flight, billing.limit), (3, 4));
    assert_eq!(billing.held_by.as_deref(), Some("dependency payments-api"));
    let dependency = world.runtime.view().dependencies[0].clone();
    assert_eq!((dependency.in_flight, dependency.concurrency), (3, Some(3)));
    let why = world.runtime.why("40", None).await.unwrap();
    let gate = why.deliveries[0].gate.as_ref().unwrap();
    insta::assert_snapshot!(gate.detail, @"all 3 places of `payments-api` are taken, by it or by others that need it");

    let settings = Settings {
        in_flight_max: 2,
        ..Settings::default()
    };
    let world = World::with(&design("{events: 1000}", ""), settings).await;
    world.script.takes(seconds(1));
    world.publish(orders(0..50)).await;
    world.pass(Duration::from_millis(500)).await;
    assert_eq!(world.consumer(BILLING).await.in_flight, 2);
    let why = world.runtime.why("40", None).await.unwrap();
    assert_eq!(why.deliveries[0].gate.as_ref().unwrap().what, "share");
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_grows_while_the_handler_keeps_up_and_is_shown() {
    let world = World::with(
        &design("{events: 10000}", "limit: adaptive,"),
        Settings::default(),
    )
    .await;
    let billing = world.consumer(BILLING).await;
    assert_eq!((billing.limit, billing.concurrency), (1, 4));
    world.script.takes(Duration::from_millis(20));
    world.publish(orders(0..900)).await;
    world.pass(seconds(1)).await;
    let billing = world.consumer(BILLING).await;
    assert_eq!(billing.limit, 4);
    let no_load = billing.no_load_ms.unwrap();
    assert!((19.0..30.0).contains(&no_load), "{no_load}");
}

#[tokio::test(start_paused = true)]
async fn nobody_pulling_is_seen() {
    let world = World::new().await;
    world.publish([order("1", "a")]).await;
    world.pass(seconds(2)).await;
    let audit = world.consumer(AUDIT).await;
    assert_eq!(
        (audit.state, audit.reason.as_str()),
        (ConsumerState::Ok, "within its objective"),
        "between two pulls nobody pulls"
    );
    world.pass(seconds(18)).await;
    let audit = world.consumer(AUDIT).await;
    assert_eq!(
        (audit.state, audit.reason.as_str()),
        (ConsumerState::Stalled, "nobody pulls")
    );
    assert!(
        (audit.lag_seconds - 20.0).abs() < 1.5,
        "{}",
        audit.lag_seconds
    );
}
