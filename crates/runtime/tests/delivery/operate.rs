//! What operators do: pauses, breakers, discards; and what they are told.

use tidegate_runtime::{
    Command, DeadLetterFilter, LetterFilter, LettersSelection, OperateError, Settings,
};

use crate::support::*;

const BILLING: &str = "billing/OrderPlaced";

fn pause() -> Command {
    Command::Pause {
        consumer: id(BILLING),
        reason: "a migration".to_owned(),
    }
}

fn resume() -> Command {
    Command::Resume {
        consumer: id(BILLING),
    }
}

fn ids(ids: &[&str]) -> LettersSelection {
    LettersSelection::Ids(ids.iter().map(|id| (*id).to_owned()).collect())
}

fn billings_calls(world: &World) -> Vec<String> {
    let calls = world.script.calls().into_iter();
    calls.map(|(event, _)| event).collect()
}

#[tokio::test(start_paused = true)]
async fn a_pause_outlives_the_process_and_is_shown() {
    let world = World::new().await;
    world.runtime.operate(pause()).await.unwrap();
    world.publish([order("1", "a")]).await;
    world.pass(seconds(60)).await;
    assert!(billings_calls(&world).is_empty());
    let billing = world.consumer(BILLING).await;
    assert_eq!(billing.paused.unwrap().reason, "a migration");
    assert_eq!(billing.held_by.as_deref(), Some("paused"));
    assert!(
        billing.reason.ends_with("a migration"),
        "{}",
        billing.reason
    );
    let why = world.runtime.why("1", None).await.unwrap();
    let delivery = why
        .deliveries
        .iter()
        .find(|delivery| delivery.consumer == id(BILLING))
        .unwrap();
    let gate = delivery.gate.as_ref().unwrap();
    assert_eq!((delivery.state, gate.what), ("held", "pause"));
    let world = world.restart().await;
    world.pass(seconds(60)).await;
    assert!(billings_calls(&world).is_empty());
    world.runtime.operate(resume()).await.unwrap();
    world.pass(seconds(1)).await;
    assert_eq!(billings_calls(&world), ["1"]);
    let why = world.runtime.why("1", Some("/shop")).await.unwrap();
    assert_eq!(why.event.key.as_deref(), Some("a"));
    let states = why.deliveries.iter().map(|delivery| delivery.state);
    assert!(states.eq(["done", "held"]), "{why:?}");
    assert_eq!(why.deliveries[1].gate.as_ref().unwrap().what, "pull");
    assert!(world.runtime.why("1", Some("/elsewhere")).await.is_none());
    assert!(world.runtime.why("2", None).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_breaker_is_held_open_and_reset() {
    let world = World::new().await;
    let dependency = "payments-api".parse().unwrap();
    let open = Command::OpenBreaker {
        dependency,
        reason: "they move".to_owned(),
    };
    world.runtime.operate(open).await.unwrap();
    world.publish([order("1", "a")]).await;
    world.pass(seconds(3_600)).await;
    assert!(billings_calls(&world).is_empty());
    let view = world.runtime.view();
    let dependency = &view.dependencies[0];
    assert_eq!(dependency.state, "open");
    assert_eq!(dependency.forced.as_ref().unwrap().reason, "they move");
    let said = view.attention.iter().map(|attention| &attention.sentence);
    let said: Vec<_> = said.filter(|said| said.contains("they move")).collect();
    assert!(!said.is_empty(), "{:?}", view.attention);
    let reset = Command::ResetBreaker {
        dependency: "payments-api".parse().unwrap(),
    };
    world.runtime.operate(reset).await.unwrap();
    world.pass(seconds(1)).await;
    assert_eq!(billings_calls(&world), ["1"]);
    assert!(world.runtime.view().dependencies[0].forced.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_the_design_is_refused() {
    let world = World::new().await;
    let nobody = Command::Resume {
        consumer: id("nobody/OrderPlaced"),
    };
    let refused = world.runtime.operate(nobody).await;
    assert!(matches!(refused, Err(OperateError::UnknownConsumer { .. })));
    let reset = Command::ResetBreaker {
        dependency: "nothing".parse().unwrap(),
    };
    let refused = world.runtime.operate(reset).await;
    assert!(matches!(
        refused,
        Err(OperateError::UnknownDependency { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_discarded_letter_lets_its_followers_go_and_can_be_taken_back() {
    let world = World::new().await;
    world.script.answer("1", [permanent()]);
    world
        .publish([order("1", "a"), order("2", "a"), order("3", "b")])
        .await;
    world.pass(seconds(1)).await;
    let why = world.runtime.why("2", None).await.unwrap();
    let behind = why.deliveries[0].behind.as_ref();
    let state = why.deliveries[0].state;
    assert_eq!((state, behind.unwrap().event_id.as_str()), ("held", "1"));

    let letter = "billing/OrderPlaced/0";
    let reason = "a test order".to_owned();
    let selected = ids(&[letter, "billing/OrderPlaced/2", "nonsense"]);
    let report = world.runtime.discard(selected, reason).await.unwrap();
    assert_eq!(
        (report.done.as_slice(), report.refused.len()),
        (&[letter.to_owned()][..], 2)
    );
    world.pass(seconds(1)).await;
    assert_eq!(billings_calls(&world), ["1", "3", "2"]);
    assert_eq!(world.letters().await.total, 0);

    let world = world.restart().await;
    let filter = || DeadLetterFilter {
        which: LetterFilter {
            discarded: true,
            ..LetterFilter::default()
        },
        ..DeadLetterFilter::default()
    };
    let page = world.runtime.dead_letters(filter()).await;
    let discarded = page.letters[0].discarded.as_ref().unwrap();
    assert_eq!((page.total, discarded.reason.as_str()), (1, "a test order"));
    let detail = world.runtime.dead_letter(letter).await.unwrap();
    assert_eq!(detail.event["data"]["orderId"], "a");
    let why = world.runtime.why("1", None).await.unwrap();
    assert_eq!(why.deliveries[0].state, "discarded");

    let restored = world
        .runtime
        .restore(vec![letter.to_owned()])
        .await
        .unwrap();
    assert_eq!(restored.done, [letter]);
    assert_eq!(world.runtime.dead_letters(filter()).await.total, 0);
    let page = world.letters().await;
    assert_eq!((page.total, page.letters[0].reason), (1, "permanent"));
    let report = world.runtime.redrive(ids(&[letter])).await.unwrap();
    assert_eq!(report.done, [letter]);
    world.pass(seconds(1)).await;
    assert_eq!(world.letters().await.total, 0);
    let again = world
        .runtime
        .restore(vec![letter.to_owned()])
        .await
        .unwrap();
    assert_eq!(again.refused.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_found_far_back_in_its_channel() {
    let world = World::with(DESIGN, Settings::default()).await;
    for chunk in 0..20 {
        let events = (0..100).map(|event| order(&format!("{chunk}-{event}"), "a"));
        world.publish(events).await;
    }
    world.pass(seconds(30)).await;
    let why = world.runtime.why("3-7", None).await.unwrap();
    assert_eq!(why.event.id, "3-7");
    let billing = &why.deliveries[0];
    assert_eq!((billing.sequence, billing.state), (307, "done"));
}

/// A letter that nobody looked after in its time is given up, as an operator would: its followers go on, and it can be
/// taken back, with as much time again.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_kept_as_long_as_the_design_says() {
    let world = World::with(
        &DESIGN.replace("retention: 30d", "retention: 2h"),
        Settings::default(),
    )
    .await;
    world.script.answer("1", [permanent()]);
    world.publish([order("1", "a"), order("2", "a")]).await;
    world.pass(seconds(7_100)).await;
    assert_eq!(world.letters().await.total, 1);
    assert_eq!(billings_calls(&world), ["1"]);
    world.pass(seconds(300)).await;
    assert_eq!(world.letters().await.total, 0);
    assert_eq!(billings_calls(&world), ["1", "2"]);
    let filter = || DeadLetterFilter {
        which: LetterFilter {
            discarded: true,
            ..LetterFilter::default()
        },
        ..DeadLetterFilter::default()
    };
    let page = world.runtime.dead_letters(filter()).await;
    let reason = &page.letters[0].discarded.as_ref().unwrap().reason;
    assert_eq!(reason, "kept for 2h, as `dead-letter.retention` says");

    let letter = vec!["billing/OrderPlaced/0".to_owned()];
    world.runtime.restore(letter).await.unwrap();
    world.pass(seconds(7_100)).await;
    let world = world.restart().await;
    assert_eq!(world.letters().await.total, 1);
    world.pass(seconds(300)).await;
    assert_eq!(world.letters().await.total, 0);
}
