//! Deliveries from publish to done, under failures of every kind. Time is paused: it passes at once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test: what is wrong here should stop it, with its place"
)]

mod chaos;
mod classes;
mod faults;
mod faulty;
mod formats;
mod home;
mod operate;
mod outputs;
mod pressure;
mod redrives;
mod regressions;
mod retention;
mod schedule;
mod seek;
mod support;
mod together;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use support::{World, id, order, permanent, retryable, seconds, unavailable};
use tidegate_runtime::view::ConsumerState;
use tidegate_runtime::{
    Accept, LetterFilter, LettersSelection, Outcome, Problem, PublishError, PullError, RetryClass,
    Settings, SettleError,
};

const BILLING: &str = "billing/OrderPlaced";
const AUDIT: &str = "audit/OrderPlaced";

#[tokio::test(start_paused = true)]
async fn an_event_is_delivered_and_done() {
    let world = World::new().await;
    let accepted = world
        .runtime
        .publish(vec![order("1", "a"), order("2", "b")])
        .await
        .unwrap();
    assert_eq!(
        accepted.iter().map(|a| a.sequence).collect::<Vec<_>>(),
        [0, 1]
    );
    world.pass(Duration::from_millis(10)).await;
    let mut calls = world.script.calls();
    calls.sort();
    assert_eq!(calls, [("1".to_owned(), 1), ("2".to_owned(), 1)]);
    let billing = world.consumer(BILLING).await;
    assert_eq!(
        (billing.succeeded_total, billing.backlog, billing.in_flight),
        (2, 0, 0)
    );
    assert_eq!(billing.lag_seconds, 0.0);
    assert_eq!(billing.drain_seconds, Some(0.0));
    assert_eq!(billing.reason, "within its objective");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_breaks_its_schema_is_refused_with_the_path_and_nothing_is_stored() {
    let world = World::new().await;
    let mut wrong = order("2", "b");
    wrong.data = Some(r#"{"orderId":"b","total":"much"}"#.into());
    let error = world
        .runtime
        .publish(vec![order("1", "a"), wrong])
        .await
        .unwrap_err();
    let PublishError::Invalid {
        index,
        event_id,
        problem: Problem::Schema { violations },
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (index, event_id.as_str(), violations[0].path.as_str()),
        (1, "2", "/total")
    );
    assert_eq!(
        *world.broker.tail(&"OrderPlaced".parse().unwrap()).borrow(),
        0
    );

    let mut unknown = order("3", "c");
    unknown.event_type = "OrderPlacd".to_owned();
    let error = world
        .runtime
        .publish(vec![unknown])
        .await
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(error, @"event 0 of the batch (`3`): type `OrderPlacd` is not in the design; did you mean `OrderPlaced`?");

    let mut nameless = order("4", "c");
    nameless.id = String::new();
    let error = world
        .runtime
        .publish(vec![nameless])
        .await
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(error, @"event 0 of the batch (``): attribute `id` is required and is absent or empty");
}

#[tokio::test(start_paused = true)]
async fn an_event_published_again_is_accepted_once() {
    let world = World::new().await;
    world.publish([order("1", "a")]).await;
    let batch = vec![order("1", "a"), order("2", "b"), order("2", "b")];
    let accepted = world.runtime.publish(batch).await.unwrap();
    let told: Vec<_> = accepted.iter().map(|a| (a.sequence, a.duplicate)).collect();
    let expected = [
        (0, Accept::Duplicate),
        (1, Accept::New),
        (1, Accept::Duplicate),
    ];
    assert_eq!(told, expected);
    // A new process reads what the channel has.
    let world = world.restart().await;
    let accepted = world.runtime.publish(vec![order("2", "b")]).await.unwrap();
    assert_eq!(
        (accepted[0].sequence, accepted[0].duplicate),
        (1, Accept::Duplicate)
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_event_from_many_producers_at_once_is_stored_once() {
    let world = World::new().await;
    let publishing = (0..50).map(|_| world.runtime.publish(vec![order("1", "a")]));
    let accepted = futures_util::future::join_all(publishing).await;
    let new = accepted
        .iter()
        .filter(|result| result.as_ref().unwrap()[0].duplicate == Accept::New)
        .count();
    assert_eq!(new, 1);
    assert_eq!(
        *world.broker.tail(&"OrderPlaced".parse().unwrap()).borrow(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_is_retried_after_the_delay() {
    let world = World::new().await;
    world.script.answer("1", [retryable(), retryable()]);
    world.publish([order("1", "a")]).await;
    world.pass(Duration::from_millis(150)).await;
    assert_eq!(world.script.calls().len(), 2);
    let billing = world.consumer(BILLING).await;
    let attempts: Vec<u32> = world
        .script
        .calls()
        .iter()
        .map(|(_, attempt)| *attempt)
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(
        (
            billing.succeeded_total,
            billing.failed_total,
            billing.retries_total
        ),
        (1, 2, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_beyond_its_timeout_fails() {
    let world = World::new().await;
    world.script.takes(seconds(60));
    world.publish([order("1", "a")]).await;
    world.pass(Duration::from_millis(5_050)).await;
    world.script.takes(Duration::ZERO);
    let billing = world.consumer(BILLING).await;
    assert_eq!((billing.failed_total, billing.succeeded_total), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_holds_and_burns_no_attempt() {
    let world = World::new().await;
    world.script.otherwise(unavailable());
    let orders = (0..40).map(|n| order(&n.to_string(), &format!("key-{n}")));
    world.publish(orders).await;
    let billing = world.consumer(BILLING).await;
    assert_eq!(billing.state, ConsumerState::Held);
    assert_eq!(billing.held_by.as_deref(), Some("breaker payments-api"));
    assert!(billing.held > 30, "{}", billing.held);
    let early = world.script.calls().len();
    assert!(early <= 8, "{early} calls before it opened");
    // Five minutes of outage: one probe every ten seconds, and nothing dies.
    world.pass(seconds(300)).await;
    let probes = world.script.calls().len() - early;
    assert!((25..=35).contains(&probes), "{probes} probes");
    assert_eq!(world.letters().await.total, 0);
    let view = world.runtime.view();
    assert_eq!(view.dependencies[0].state, "open");
    assert!(view.dependencies[0].opened_total > 25);
    // The dependency is back: everything is done, most at the first counted attempt.
    world.script.otherwise(Outcome::Done);
    world.pass(seconds(30)).await;
    let billing = world.consumer(BILLING).await;
    assert_eq!(
        (
            billing.succeeded_total,
            billing.backlog,
            billing.dead_letters
        ),
        (40, 0, 0)
    );
    assert_eq!(world.runtime.view().dependencies[0].state, "closed");
}

#[tokio::test(start_paused = true)]
async fn a_poison_event_is_a_dead_letter_and_succeeds_when_redriven() {
    let world = World::new().await;
    world.script.answer("2", [permanent()]);
    world
        .publish([
            order("1", "a"),
            order("2", "a"),
            order("3", "a"),
            order("4", "b"),
        ])
        .await;
    let billing = world.consumer(BILLING).await;
    assert_eq!((billing.succeeded_total, billing.dead_letters), (2, 1));
    let page = world.letters().await;
    let letter = &page.letters[0];
    assert_eq!(
        (page.total, letter.id.as_str()),
        (1, "billing/OrderPlaced/1")
    );
    assert_eq!(
        (letter.reason, letter.followers, letter.key.as_deref()),
        ("permanent", 1, Some("a"))
    );
    assert_eq!(page.groups[0].error, "order # has no customer");
    let detail = world.runtime.dead_letter(&letter.id).await.unwrap();
    assert_eq!(detail.event["data"]["orderId"], "a");
    assert_eq!(
        (detail.history.len(), detail.history[0].outcome),
        (1, "permanent")
    );

    let group = LetterFilter {
        consumer: Some(id(BILLING)),
        group: Some(letter.group.clone()),
        ..LetterFilter::default()
    };
    let group = LettersSelection::Matching(Box::new(group));
    let report = world.runtime.redrive(group).await.unwrap();
    assert_eq!(report.done, ["billing/OrderPlaced/1"]);
    world.pass(seconds(1)).await;
    let order: Vec<String> = world
        .script
        .calls()
        .into_iter()
        .map(|(event, _)| event)
        .collect();
    let of_key_a: Vec<&str> = order
        .iter()
        .map(String::as_str)
        .filter(|event| *event != "4")
        .collect();
    assert_eq!(
        of_key_a,
        ["1", "2", "2", "3"],
        "the redriven one goes before its follower"
    );
    assert_eq!(world.letters().await.total, 0);
    let again = LettersSelection::Ids(vec!["billing/OrderPlaced/1".to_owned(), "x".to_owned()]);
    let report = world.runtime.redrive(again).await.unwrap();
    assert_eq!((report.done.len(), report.refused.len()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn order_is_kept_per_key_under_retries_while_other_keys_flow() {
    let world = World::new().await;
    for event in 0..60 {
        let failures = event % 3;
        world
            .script
            .answer(&event.to_string(), (0..failures).map(|_| retryable()));
    }
    world
        .publish((0..60).map(|event| order(&event.to_string(), &format!("k{}", event % 7))))
        .await;
    world.pass(seconds(20)).await;
    let mut last: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    for (event, attempt) in world.script.calls() {
        let event: u32 = event.parse().unwrap();
        let before = last.insert(event % 7, (event, attempt));
        assert!(
            before < Some((event, attempt)),
            "{before:?} before {event}:{attempt}"
        );
    }
    assert_eq!(world.consumer(BILLING).await.succeeded_total, 60);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_endpoint_halts_the_consumer_and_it_goes_on_by_itself() {
    let world = World::new().await;
    world.script.otherwise(Outcome::EndpointFault {
        error: "HTTP 404".to_owned(),
    });
    world
        .publish((0..10).map(|n| order(&n.to_string(), &format!("{n}"))))
        .await;
    world.pass(seconds(5)).await;
    let billing = world.consumer(BILLING).await;
    assert_eq!(billing.state, ConsumerState::Halted);
    assert_eq!(billing.dead_letters, 0);
    let before = world.script.calls().len();
    world.pass(seconds(60)).await;
    let probes = world.script.calls().len() - before;
    assert!((1..=3).contains(&probes), "{probes} probes a minute");
    world.script.otherwise(Outcome::Done);
    world.pass(seconds(35)).await;
    assert_eq!(world.consumer(BILLING).await.succeeded_total, 10);
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_handler_is_left_alone_as_long_as_it_asks() {
    let world = World::new().await;
    let busy = Outcome::Overload {
        error: "HTTP 429".to_owned(),
        after: Some(seconds(20)),
    };
    world.script.answer("1", [busy]);
    world.publish([order("1", "a")]).await;
    world.pass(seconds(1)).await;
    world.publish([order("2", "b")]).await;
    world.pass(seconds(15)).await;
    assert_eq!(world.script.calls().len(), 1);
    world.pass(seconds(5)).await;
    assert_eq!(
        world.script.calls()[1..],
        [("2".to_owned(), 1), ("1".to_owned(), 1)],
        "others go first, and the attempt did not count"
    );
    assert_eq!(world.script.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_puller_gets_deliveries_and_settles_them() {
    let world = World::new().await;
    let audit = id(AUDIT);
    let waiting = world.runtime.pull(&audit, 10, seconds(30));
    let publishing = async {
        world.pass(seconds(3)).await;
        world
            .publish((0..4).map(|n| order(&n.to_string(), &format!("{n}"))))
            .await;
    };
    let (pulled, ()) = tokio::join!(waiting, publishing);
    let pulled = pulled.unwrap();
    assert_eq!(pulled.len(), 4, "one answer for what came together");
    assert_eq!(pulled[0].delivery_id, "audit/OrderPlaced/0");
    for delivery in &pulled[..3] {
        world
            .runtime
            .settle(&delivery.lease, Outcome::Done)
            .await
            .unwrap();
    }
    let again = world.runtime.settle(&pulled[0].lease, Outcome::Done).await;
    assert_eq!(
        again,
        Err(SettleError::Stale {
            lease: pulled[0].lease.clone()
        })
    );
    // The fourth is never settled: its lease ends, and it comes again.
    let late = world
        .runtime
        .pull(&id(AUDIT), 10, seconds(60))
        .await
        .unwrap();
    assert_eq!((late.len(), late[0].attempt), (1, 2));
    let stale = world.runtime.settle(&pulled[3].lease, Outcome::Done).await;
    assert!(matches!(stale, Err(SettleError::Stale { .. })));
    world
        .runtime
        .settle(&late[0].lease, Outcome::Done)
        .await
        .unwrap();
    let audit = world.consumer(AUDIT).await;
    assert_eq!(
        (audit.succeeded_total, audit.failed_total, audit.backlog),
        (4, 1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_pull_ends_empty_and_a_puller_that_left_loses_nothing() {
    let world = World::new().await;
    assert_eq!(
        world
            .runtime
            .pull(&id(AUDIT), 1, seconds(1))
            .await
            .unwrap()
            .len(),
        0
    );
    let audit = id(AUDIT);
    let left = tokio::time::timeout(seconds(1), world.runtime.pull(&audit, 5, seconds(60)));
    assert!(left.await.is_err());
    world.publish([order("1", "a")]).await;
    let pulled = world.runtime.pull(&id(AUDIT), 5, seconds(1)).await.unwrap();
    assert_eq!((pulled.len(), pulled[0].attempt), (1, 1));
    assert!(matches!(
        world.runtime.pull(&id(BILLING), 1, seconds(1)).await,
        Err(PullError::Pushed { .. })
    ));
    let unknown = world
        .runtime
        .pull(&id("audti/OrderPlaced"), 1, seconds(1))
        .await
        .unwrap_err();
    insta::assert_snapshot!(unknown, @"consumer `audti/OrderPlaced` is not in the design; did you mean `audit/OrderPlaced`?");
    for wrong in [
        "",
        "x",
        "audit/OrderPlaced/0/1",
        "billing/OrderPlaced/0/1/1",
        "a/b/c/d/e",
    ] {
        let settled = world.runtime.settle(wrong, Outcome::Done).await;
        assert!(
            matches!(settled, Err(SettleError::Malformed { .. })),
            "{wrong}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_loses_nothing_and_repeats_nothing_that_was_done() {
    let world = World::new().await;
    world.script.answer("3", [permanent()]);
    world.script.answer("5", [retryable(), retryable()]);
    world
        .publish((0..10).map(|n| order(&n.to_string(), &format!("{n}"))))
        .await;
    world.pass(Duration::from_millis(50)).await;
    let before = world.script.calls();
    assert_eq!(before.len(), 10);
    // 5 waits for its retry, 3 is a dead letter, everything else is done.
    let world = world.restart().await;
    world.pass(seconds(5)).await;
    let after: Vec<_> = world.script.calls().split_off(10);
    assert_eq!(after, [("5".to_owned(), 2), ("5".to_owned(), 3)]);
    assert_eq!(world.letters().await.letters[0].event_id, "3");
    let report = world
        .runtime
        .redrive(LettersSelection::of(id(BILLING)))
        .await
        .unwrap();
    assert_eq!(report.done.len(), 1);
    let world = world.restart().await;
    world.pass(seconds(1)).await;
    assert_eq!(world.letters().await.total, 0);
    let calls = world.script.calls();
    assert_eq!(calls.iter().filter(|(event, _)| event == "3").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_ran_when_the_process_ended_runs_again_alone() {
    let world = World::new().await;
    world.script.takes(seconds(2));
    world
        .publish((0..8).map(|n| order(&n.to_string(), &format!("{n}"))))
        .await;
    world.pass(seconds(1)).await;
    assert_eq!(world.script.calls().len(), 4, "the concurrency");
    let world = world.restart().await;
    world.pass(seconds(1)).await;
    assert_eq!(world.script.calls().len(), 5, "one suspect, alone");
    world.pass(seconds(30)).await;
    assert_eq!(world.consumer(BILLING).await.succeeded_total, 8);
    assert_eq!(world.script.calls().len(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_runs_and_takes_nothing_new() {
    let world = World::new().await;
    world.script.takes(seconds(2));
    world
        .publish((0..8).map(|n| order(&n.to_string(), &format!("{n}"))))
        .await;
    world.pass(seconds(1)).await;
    let report = world.runtime.drain(seconds(10)).await;
    assert_eq!((report.finished, report.cancelled), (4, 0));
    assert!(
        report.took < Duration::from_millis(1_100),
        "{:?}",
        report.took
    );
    let refused = world.runtime.publish(vec![order("9", "z")]).await;
    assert_eq!(refused, Err(PublishError::Draining));
    assert_eq!(
        world
            .runtime
            .pull(&id(AUDIT), 1, seconds(1))
            .await
            .unwrap_err(),
        PullError::Draining
    );
    assert_eq!(world.script.calls().len(), 4);
    // The next process does the rest, and nothing twice.
    let world = world.restart().await;
    world.pass(seconds(10)).await;
    let mut calls: Vec<String> = world
        .script
        .calls()
        .into_iter()
        .map(|(event, _)| event)
        .collect();
    calls.sort();
    assert_eq!(calls, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_at_its_limit_calls_off_without_burning_attempts() {
    let world = World::new().await;
    world.script.takes(seconds(4));
    world.publish([order("1", "a")]).await;
    world.pass(Duration::from_millis(10)).await;
    let report = world.runtime.drain(seconds(1)).await;
    assert_eq!((report.finished, report.cancelled), (0, 1));
    let world = world.restart().await;
    world.pass(seconds(10)).await;
    assert_eq!(
        world.script.calls(),
        [("1".to_owned(), 1), ("1".to_owned(), 1)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_pushes_back_with_the_reason() {
    let settings = Settings {
        backlog_deliveries_max: 3,
        ..Settings::default()
    };
    let world = World::with(support::DESIGN, settings).await;
    world
        .publish((0..3).map(|n| order(&n.to_string(), "k")))
        .await;
    world.pass(seconds(1)).await;
    let error = world
        .runtime
        .publish(vec![order("9", "k")])
        .await
        .unwrap_err();
    insta::assert_snapshot!(error, @"consumer `audit/OrderPlaced` has 3 unfinished deliveries; the most is 3; try again in 1s");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_a_probe_burns_no_attempt() {
    let world = World::new().await;
    let slow = Outcome::Retry {
        class: RetryClass::Timeout,
        error: "slow".to_owned(),
        after: None,
    };
    world.script.otherwise(slow);
    world.publish([order("1", "a")]).await;
    // Alone, it is the probe every time, for much longer than all its attempts would last.
    world.pass(seconds(600)).await;
    assert_eq!(world.letters().await.total, 0);
    world.script.otherwise(Outcome::Done);
    world.pass(seconds(60)).await;
    assert_eq!(world.consumer(BILLING).await.succeeded_total, 1);
}
