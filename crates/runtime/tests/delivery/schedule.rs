//! Events that are not to be delivered before a time.

use tidegate_base::{Envelope, Timestamp};
use tidegate_runtime::{Outcome, Problem, PublishError};

use crate::BILLING;
use crate::support::*;

/// An order of key `key` that is for `seconds` after the start.
fn later(id: &str, key: &str, seconds: u64) -> Envelope {
    let at = Timestamp::from_millis(1_700_000_000_000 + seconds * 1_000);
    let mut order = order(id, key);
    let extensions = &mut order.extensions;
    extensions.insert("notbefore".to_owned(), at.to_string());
    order
}

fn called(world: &World) -> Vec<String> {
    let calls = world.script.calls().into_iter();
    calls.map(|(event, _)| event).collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_for_its_time_and_others_of_its_key_do_not_wait_for_it() {
    let world = World::new().await;
    world.publish([later("1", "a", 600), order("2", "a")]).await;
    world.publish([later("3", "a", 300), order("4", "b")]).await;
    world.pass(seconds(290)).await;
    assert_eq!(called(&world), ["2", "4"]);
    let why = world.runtime.why("3", None).await.unwrap();
    let billing = why.deliveries.iter().find(|d| d.consumer == id(BILLING));
    assert_eq!(billing.unwrap().next_ms, Some(1_700_000_300_000));
    world.pass(seconds(20)).await;
    assert_eq!(called(&world), ["2", "4", "3"]);
    world.pass(seconds(300)).await;
    assert_eq!(called(&world), ["2", "4", "3", "1"]);
    assert_eq!(world.consumer(BILLING).await.backlog, 0);
}

#[tokio::test(start_paused = true)]
async fn once_it_is_due_it_keeps_its_place_through_retries_and_restarts() {
    let world = World::new().await;
    world.publish([later("1", "a", 60)]).await;
    let world = world.restart().await;
    world.pass(seconds(50)).await;
    assert!(called(&world).is_empty());
    world.script.answer("1", [retryable(), Outcome::Done]);
    world.script.takes(seconds(3));
    world.pass(seconds(12)).await;
    world.publish([order("2", "a")]).await;
    let world = world.restart().await;
    world.pass(seconds(30)).await;
    let calls = called(&world);
    let last = calls.iter().rposition(|event| event == "1").unwrap();
    assert!(
        calls.iter().position(|event| event == "2").unwrap() > last,
        "{calls:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn far_ones_leave_the_window_to_the_others() {
    let world = World::new().await;
    for batch in 0..10 {
        let orders = (0..1_000).map(|n| {
            let number = batch * 1_000 + n;
            later(&format!("far-{number}"), &format!("far-{number}"), 3_600)
        });
        world.publish(orders).await;
    }
    world.publish([order("now", "a")]).await;
    world.pass(seconds(60)).await;
    assert_eq!(called(&world), ["now"]);
    let world = world.restart().await;
    world.pass(seconds(3_600)).await;
    assert_eq!(called(&world).len(), 10_001);
}

#[tokio::test(start_paused = true)]
async fn a_time_that_is_none_is_refused() {
    let world = World::new().await;
    let mut order = order("1", "a");
    let soon = "soon".to_owned();
    order
        .extensions
        .insert("notbefore".to_owned(), soon.clone());
    let error = world.runtime.publish(vec![order]).await.unwrap_err();
    let PublishError::Invalid { problem, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(problem, Problem::NotBefore { time: soon });
}

#[tokio::test(start_paused = true)]
async fn what_is_for_later_is_told_from_what_is_retried() {
    let world = World::new().await;
    world.script.answer("1", [retryable(), Outcome::Done]);
    let orders = [order("1", "a"), later("2", "b", 60), later("3", "c", 8)];
    world.publish(orders).await;
    let shown = world.consumer(BILLING).await;
    assert_eq!((shown.backlog, shown.scheduled), (2, 2), "{shown:?}");
    assert_eq!((shown.waiting_retry, shown.drain_seconds), (0, Some(0.0)));
    world.pass(seconds(10)).await;
    assert_eq!(world.consumer(BILLING).await.scheduled, 1);
    world.pass(seconds(60)).await;
    assert_eq!(world.consumer(BILLING).await.scheduled, 0);
}
