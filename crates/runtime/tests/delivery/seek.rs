//! Replay and skip: what is run again or passed over, what is said of it, and what a restart changes.

use tidegate_base::Timestamp;
use tidegate_broker::{History, Keep};
use tidegate_runtime::{OperateError, SeekAction, SeekReport, SeekRequest, SeekTo};

use crate::support::*;

const BILLING: &str = "billing/OrderPlaced";
const AUDIT: &str = "audit/OrderPlaced";

fn to(place: SeekTo) -> SeekRequest {
    SeekRequest {
        consumer: id(BILLING),
        to: place,
        until: None,
        reason: "a fix".to_owned(),
        dry_run: false,
        confirmed: false,
    }
}

/// A system whose events billing has done.
async fn done(events: u32) -> World {
    let world = World::new().await;
    for event in 0..events {
        let name = event.to_string();
        world.publish([order(&name, &name)]).await;
        world.pass(seconds(10)).await;
    }
    assert_eq!(world.script.calls().len(), events as usize);
    world
}

fn since(world: &World, calls: usize) -> Vec<String> {
    let deliveries = world.script.deliveries().into_iter();
    let prefix = format!("{BILLING}/");
    let short = |id: String| id.strip_prefix(&prefix).unwrap().to_owned();
    deliveries.skip(calls).map(short).collect()
}

fn of_billing(why: &tidegate_runtime::Why) -> &tidegate_runtime::WhyDelivery {
    let mut deliveries = why.deliveries.iter();
    deliveries.find(|d| d.consumer == id(BILLING)).unwrap()
}

async fn watermark(world: &World) -> (u64, u64) {
    let mark = world.runtime.replay_watermark(&id(BILLING)).await.unwrap();
    (mark.below, mark.generation)
}

#[tokio::test(start_paused = true)]
async fn what_is_done_runs_again_and_goes_on_after_a_restart() {
    let world = done(3).await;
    let dry = SeekRequest {
        dry_run: true,
        ..to(SeekTo::Sequence(1))
    };
    let expected = SeekReport {
        consumer: id(BILLING),
        action: SeekAction::Replay,
        from: 1,
        until: 3,
        deliveries: 2,
        generation: Some(1),
        dry_run: true,
        note: None,
    };
    assert_eq!(world.runtime.seek(dry).await, Ok(expected.clone()));
    world.pass(seconds(10)).await;
    assert_eq!(world.script.calls().len(), 3, "a dry run changes nothing");

    world.script.answer("1", [retryable()]);
    world.script.takes(seconds(2));
    let report = world.runtime.seek(to(SeekTo::Sequence(1))).await.unwrap();
    let dry_run = false;
    assert_eq!(
        report,
        SeekReport {
            dry_run,
            ..expected
        }
    );
    let view = world.consumer(BILLING).await;
    let replaying = view.replaying.unwrap();
    assert_eq!((replaying.generation, replaying.deliveries), (1, 2));
    assert_eq!((replaying.reason.as_str(), view.backlog), ("a fix", 2));
    assert!(view.lag_seconds < 5.0, "it counts from the order");
    assert_eq!(watermark(&world).await, (1, 1));
    let why = world.runtime.why("1", None).await.unwrap();
    let delivery = of_billing(&why);
    assert_eq!((delivery.state, delivery.generation), ("running", 1));

    let world = world.restart().await;
    world.pass(seconds(20)).await;
    let mut again = since(&world, 3);
    again.sort_unstable();
    again.dedup();
    assert_eq!(again, ["1/replay-1", "2/replay-1"]);
    assert!(world.consumer(BILLING).await.replaying.is_none());
    assert_eq!(watermark(&world).await, (3, 1));
    let world = world.restart().await;
    world.pass(seconds(20)).await;
    let calls = world.script.calls().len();
    let why = world.runtime.why("2", None).await.unwrap();
    let delivery = of_billing(&why);
    assert_eq!((delivery.state, delivery.generation), ("done", 1));
    assert_eq!(delivery.replay.as_ref().unwrap().reason, "a fix");
    let by_place = world.runtime.why("billing/OrderPlaced/2", None).await;
    assert_eq!(by_place.unwrap().event.id, why.event.id);
    let elsewhere = world.runtime.why("billing/OrderShipped/2", None).await;
    assert!(elsewhere.is_none(), "nobody of the design");
    let report = world.runtime.seek(to(SeekTo::Earliest)).await.unwrap();
    assert_eq!((report.generation, report.deliveries), (Some(2), 3));
    world.pass(seconds(20)).await;
    let mut last = since(&world, calls);
    last.sort_unstable();
    assert_eq!(last, ["0/replay-2", "1/replay-2", "2/replay-2"]);
}

#[tokio::test(start_paused = true)]
async fn places_are_found_by_time_and_bounded() {
    let world = done(4).await;
    let second =
        |second: u64| SeekTo::Time(Timestamp::from_millis(1_700_000_000_000 + 1_000 * second));
    let part = SeekRequest {
        until: Some(second(21)),
        ..to(second(5))
    };
    let report = world.runtime.seek(part).await.unwrap();
    assert_eq!((report.from, report.until, report.deliveries), (1, 3, 2));
    world.pass(seconds(5)).await;
    assert_eq!(since(&world, 4), ["1/replay-1", "2/replay-1"]);
    let wrong = SeekRequest {
        until: Some(SeekTo::Sequence(1)),
        ..to(SeekTo::Sequence(2))
    };
    let refused = world.runtime.seek(wrong).await;
    assert!(
        matches!(refused, Err(OperateError::Seek { .. })),
        "{refused:?}"
    );
    let nobody = SeekRequest {
        consumer: id("nobody/OrderPlaced"),
        ..to(SeekTo::Earliest)
    };
    let refused = world.runtime.seek(nobody).await;
    assert!(matches!(refused, Err(OperateError::UnknownConsumer { .. })));
    let report = world.runtime.seek(to(SeekTo::Latest)).await.unwrap();
    assert_eq!(report.action, SeekAction::None);
}

/// What retention has removed cannot run again, and the operator is told.
#[tokio::test(start_paused = true)]
async fn a_replay_starts_at_the_head_at_the_earliest() {
    let world = done(4).await;
    let channel = "OrderPlaced".parse().unwrap();
    let keep = Keep {
        age: Some(seconds(0)),
        needed_from: 2,
        history: History::All,
        ..Keep::ALL
    };
    world.broker.keep(&channel, keep);
    let later = Timestamp::from_millis(1_800_000_000_000);
    world.broker.clean(later).await.unwrap();
    let report = world.runtime.seek(to(SeekTo::Earliest)).await.unwrap();
    assert_eq!((report.from, report.deliveries), (2, 2));
    assert!(report.note.unwrap().contains("begins at sequence 2"));
    world.pass(seconds(5)).await;
    assert_eq!(since(&world, 4), ["2/replay-1", "3/replay-1"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_done_is_skipped_when_that_is_confirmed() {
    let world = World::new().await;
    world.script.answer("0", [retryable()]);
    world.script.takes(seconds(3));
    let names: Vec<String> = (0..9).map(|name: u32| name.to_string()).collect();
    let orders = names.iter().map(|name| order(name, name));
    world.publish(orders.collect::<Vec<_>>()).await;
    world.pass(seconds(1)).await;
    let running = world.script.calls().len();
    assert_eq!(running, 4, "its places are taken");
    let refused = world.runtime.seek(to(SeekTo::Sequence(7))).await;
    assert_eq!(refused, Err(OperateError::Unconfirmed { deliveries: 3 }));
    let dry = SeekRequest {
        dry_run: true,
        ..to(SeekTo::Sequence(7))
    };
    let report = world.runtime.seek(dry).await.unwrap();
    assert_eq!((report.action, report.deliveries), (SeekAction::Skip, 3));
    let confirmed = SeekRequest {
        confirmed: true,
        ..to(SeekTo::Sequence(7))
    };
    let report = world.runtime.seek(confirmed).await.unwrap();
    assert_eq!((report.generation, report.deliveries), (None, 3));
    for _ in 0..2 {
        let why = world.runtime.why("5", None).await.unwrap();
        let delivery = of_billing(&why);
        assert_eq!(delivery.state, "skipped");
        assert_eq!(delivery.skip.as_ref().unwrap().reason, "a fix");
        world.pass(seconds(30)).await;
    }
    let mut ran: Vec<String> = world
        .script
        .calls()
        .into_iter()
        .map(|(event, _)| event)
        .collect();
    ran.sort_unstable();
    assert_eq!(ran, ["0", "0", "1", "2", "3", "7", "8"]);
    let world = world.restart().await;
    world.pass(seconds(30)).await;
    assert_eq!(world.script.calls().len(), ran.len());
    let why = world.runtime.why("5", None).await.unwrap();
    assert_eq!(of_billing(&why).state, "skipped");
    // What failed before it was done is remembered; a plain success is not.
    let why = world.runtime.why("0", None).await.unwrap();
    let delivery = of_billing(&why);
    let outcomes: Vec<&str> = delivery.attempts.iter().map(|one| one.outcome).collect();
    assert_eq!(
        (delivery.state, outcomes),
        ("done", vec!["retryable", "done"])
    );
    let why = world.runtime.why("1", None).await.unwrap();
    assert!(of_billing(&why).attempts.is_empty());
}

/// Effects that happen exactly once are repeated only where the design says so.
#[tokio::test(start_paused = true)]
async fn exactly_once_effects_refuse_a_replay() {
    let in_transaction = "deliver: {concurrency: 8, timeout: 10s, transaction: sqlite}\n        guarantee: exactly-once-effect";
    let text = DESIGN.replace("deliver: {concurrency: 8, timeout: 10s}", in_transaction);
    let allowed = text.replace(
        "exactly-once-effect",
        "exactly-once-effect\n        replay: allowed",
    );
    let mut world = World::with(&text, Default::default()).await;
    world.publish([order("1", "a")]).await;
    let pulled = world.runtime.pull(&id(AUDIT), 1, seconds(1)).await.unwrap();
    assert_eq!(pulled[0].generation, 0);
    world
        .runtime
        .settle(&pulled[0].lease, tidegate_runtime::Outcome::Done)
        .await
        .unwrap();
    let again = || SeekRequest {
        consumer: id(AUDIT),
        ..to(SeekTo::Earliest)
    };
    let refused = world.runtime.seek(again()).await;
    assert!(matches!(refused, Err(OperateError::ReplayRefused { .. })));
    let command = tidegate_runtime::Command::Replay {
        consumer: id(AUDIT),
        from: 0,
        until: None,
        reason: "round about".to_owned(),
    };
    let refused = world.runtime.operate(command).await;
    assert!(matches!(refused, Err(OperateError::ReplayRefused { .. })));
    world = world.restart_as(&allowed).await;
    assert_eq!(world.runtime.seek(again()).await.unwrap().deliveries, 1);
    let pulled = world.runtime.pull(&id(AUDIT), 1, seconds(1)).await.unwrap();
    assert_eq!(pulled[0].generation, 1);
    assert_eq!(pulled[0].delivery_id, "audit/OrderPlaced/0/replay-1");
}

/// Events for later and what waits behind a dead letter lie in the state, before where the channel is read.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_channel_skips_whatever_is_not_finished() {
    for end in [SeekTo::Latest, SeekTo::Sequence(100)] {
        let world = World::new().await;
        world.script.answer("0", [permanent()]);
        let mut later = order("2", "b");
        let time = "2033-01-01T00:00:00Z".to_owned();
        later.extensions.insert("notbefore".to_owned(), time);
        world
            .publish([order("0", "a"), order("1", "a"), later])
            .await;
        world.pass(seconds(60)).await;
        assert_eq!(watermark(&world).await.0, 0, "the letter is needed");
        let request = SeekRequest {
            confirmed: true,
            ..to(end)
        };
        let report = world.runtime.seek(request.clone()).await.unwrap();
        assert_eq!(report.action, SeekAction::Skip);
        assert_eq!((report.from, report.until, report.deliveries), (1, 3, 2));
        let said = "the channel ends before sequence 3: what is published later is not touched";
        let expected = (end != SeekTo::Latest).then(|| said.to_owned());
        assert_eq!(report.note, expected);
        let world = world.restart().await;
        for (event, state) in [("0", "dead-letter"), ("1", "skipped"), ("2", "skipped")] {
            let why = world.runtime.why(event, None).await.unwrap();
            assert_eq!(of_billing(&why).state, state, "{event}");
        }
        let again = world.runtime.seek(request).await.unwrap();
        assert_eq!((again.action, again.deliveries), (SeekAction::None, 0));
        assert!(again.from <= again.until, "{again:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_beyond_the_end_is_none_and_says_so() {
    let world = done(2).await;
    let request = SeekRequest {
        until: Some(SeekTo::Sequence(70)),
        ..to(SeekTo::Sequence(50))
    };
    let report = world.runtime.seek(request).await.unwrap();
    assert_eq!(
        (report.action, report.from, report.until),
        (SeekAction::None, 2, 2)
    );
    assert!(
        report
            .note
            .unwrap()
            .starts_with("the channel ends before sequence 2")
    );
}
