//! What handlers publish: with the end of their deliveries, exactly once, and valid.

use std::sync::Arc;

use tidegate_base::limit::{KEY_STATE_BYTES_MAX, OUTPUTS_MAX};
use tidegate_base::{Envelope, output_id};
use tidegate_broker::Broker;
use tidegate_runtime::view::ConsumerState;
use tidegate_runtime::{Answer, KeyState, Outcome, Settings, SettleError, TokioClock};

use crate::faulty::{Commits, FaultyBroker};
use crate::support::*;
use crate::{AUDIT, BILLING};

fn named(id: &str) -> Envelope {
    let id = id.to_owned();
    let source = "/billing".to_owned();
    Envelope {
        id,
        source,
        ..payment()
    }
}

async fn letter_error(world: &World) -> String {
    let letters = world.letters().await.letters;
    let [letter] = letters.as_slice() else {
        panic!("{letters:?}");
    };
    assert_eq!(letter.reason, "permanent");
    letter.error.clone()
}

#[tokio::test(start_paused = true)]
async fn an_output_is_named_by_what_it_follows_from() {
    let world = World::new().await;
    world
        .script
        .publishes(vec![payment(), named("mine"), payment()]);
    world.publish([order("1", "a")]).await;
    world.pass(seconds(1)).await;
    let named = |ordinal| output_id(&id(BILLING), "/shop", "1", ordinal);
    assert_eq!(
        world.payments().await,
        [named(0), "mine".to_owned(), named(2)]
    );
}

#[tokio::test(start_paused = true)]
async fn only_what_is_done_publishes_and_only_once() {
    let broker = FaultyBroker::default();
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let clock = TokioClock::starting_at(tidegate_base::Timestamp::from_millis(1_700_000_000_000));
    let world = World::on(
        DESIGN,
        Settings::default(),
        shared,
        Script::default(),
        clock,
    )
    .await;
    world.script.publishes(vec![payment()]);
    world.script.answer("1", [retryable(), Outcome::Done]);
    broker.commits(Commits::StateFull);
    world.publish([order("1", "a")]).await;
    world.pass(seconds(5)).await;
    assert!(
        world.payments().await.is_empty(),
        "its order is not recorded as done"
    );
    broker.commits(Commits::Done);
    world.pass(seconds(5)).await;
    assert_eq!(world.payments().await.len(), 1);
    let world = world.restart().await;
    world.publish([order("1", "a")]).await;
    world.pass(seconds(5)).await;
    assert_eq!(world.payments().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn outputs_that_the_design_refuses_make_a_dead_letter_of_the_event() {
    let unknown = Envelope::from_attributes([("type".to_owned(), "PaymentTken".to_owned())], None);
    let foreign = order("9", "a");
    let invalid = Envelope {
        data: None,
        ..order("9", "a")
    };
    let cases = [
        (
            vec![payment(), unknown],
            "output 1 of the handler (`PaymentTken`): type `PaymentTken` is not in the design; did you mean `PaymentTaken`?",
        ),
        (
            vec![foreign],
            "`billing/OrderPlaced` does not emit `OrderPlaced`",
        ),
        (vec![invalid], "the payload is not JSON"),
        (
            vec![payment(); OUTPUTS_MAX + 1],
            "the handler publishes 101 events; the most is 100",
        ),
    ];
    for (outputs, expected) in cases {
        let world = World::new().await;
        world.script.publishes(outputs);
        world.publish([order("1", "a")]).await;
        world.pass(seconds(1)).await;
        let error = letter_error(&world).await;
        assert!(error.contains(expected), "{error}");
        assert!(world.payments().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_puller_publishes_with_its_settling_unless_its_lease_has_ended() {
    let text = DESIGN.replace("  audit:\n", "  audit:\n    publishes: [PaymentTaken]\n");
    let world = World::with(&text, Settings::default()).await;
    world.publish([order("1", "a")]).await;
    let audit = id(AUDIT);
    let pull = || world.runtime.pull(&audit, 1, seconds(5));
    let late = pull().await.unwrap();
    world.pass(seconds(11)).await;
    let answer = || Answer {
        outputs: vec![payment()],
        ..Outcome::Done.into()
    };
    let stale = world.runtime.settle(&late[0].lease, answer()).await;
    assert!(matches!(stale, Err(SettleError::Stale { .. })), "{stale:?}");
    assert!(world.payments().await.is_empty());
    let pulled = pull().await.unwrap();
    world
        .runtime
        .settle(&pulled[0].lease, answer())
        .await
        .unwrap();
    let named = output_id(&audit, "/shop", "1", 0);
    assert_eq!(world.payments().await, [named]);
}

#[tokio::test(start_paused = true)]
async fn a_puller_hears_that_its_delivery_is_a_dead_letter_as_its_answer_is_refused() {
    let world = World::new().await;
    let audit = id(AUDIT);
    let large = KeyState::Is("x".repeat(KEY_STATE_BYTES_MAX + 1).into());
    let done = || Answer::from(Outcome::Done);
    let foreign = Answer {
        outputs: vec![payment()],
        ..done()
    };
    let large = Answer {
        state: Some(large),
        ..done()
    };
    let cases = [
        ("1", foreign, "does not emit `PaymentTaken`"),
        ("2", large, "bytes for a key; the most is"),
    ];
    for (sequence, (event, answer, expected)) in (0..).zip(cases) {
        world.publish([order(event, event)]).await;
        let pulled = world.runtime.pull(&audit, 1, seconds(5)).await.unwrap();
        let settled = world.runtime.settle(&pulled[0].lease, answer).await;
        let Err(SettleError::DeadLettered { letter, reason }) = settled else {
            panic!("{settled:?}");
        };
        assert_eq!(letter, format!("{AUDIT}/{sequence}"));
        assert!(reason.contains(expected), "{reason}");
        let kept = world.runtime.dead_letter(&letter).await.unwrap();
        assert_eq!(kept.letter.error, reason);
    }
    assert!(world.payments().await.is_empty());
    // One that says itself that it cannot be done has heard all there is to hear.
    world.publish([order("3", "c")]).await;
    let pulled = world.runtime.pull(&audit, 1, seconds(5)).await.unwrap();
    let error = "no address".to_owned();
    let parked = Outcome::Permanent { error };
    let settled = world.runtime.settle(&pulled[0].lease, parked).await;
    assert_eq!(settled, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_puller_hears_so_too_while_there_is_no_room_for_the_letter() {
    let text = DESIGN.replace(
        "dead-letter: {owner: team-audit, retention: 30d}",
        "dead-letter: {owner: team-audit, retention: 30d, budget: 1%}",
    );
    assert_ne!(text, DESIGN);
    let world = World::with(&text, Settings::default()).await;
    let audit = id(AUDIT);
    let mut last = Ok(());
    for number in 0..30 {
        world
            .publish([order(&number.to_string(), &number.to_string())])
            .await;
        let pulled = world.runtime.pull(&audit, 1, seconds(1)).await.unwrap();
        let Some(delivery) = pulled.first() else {
            break;
        };
        let answer = Answer {
            outputs: vec![payment()],
            ..Outcome::Done.into()
        };
        last = world.runtime.settle(&delivery.lease, answer).await;
        assert!(
            matches!(&last, Err(SettleError::DeadLettered { reason, .. }) if reason.contains("does not emit")),
            "{last:?}"
        );
    }
    let state = world.consumer(AUDIT).await.state;
    assert_eq!(state, ConsumerState::Halted, "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_state_belongs_to_its_key_and_outlives_the_process() {
    let world = World::new().await;
    world.script.counts();
    world.script.answer("2", [retryable(), Outcome::Done]);
    let orders = ["1", "2", "3"].map(|event| order(event, "a"));
    world.publish(orders).await;
    world.publish([order("4", "b")]).await;
    world.pass(seconds(5)).await;
    let world = world.restart().await;
    world.publish([order("5", "a"), order("6", "c")]).await;
    world.pass(seconds(5)).await;
    let seen = ["1", "2", "3", "4", "5", "6"].map(|event| world.script.seen(event));
    let seen: Vec<Option<&str>> = seen.iter().map(Option::as_deref).collect();
    assert_eq!(seen, [None, Some("1"), Some("2"), None, Some("3"), None]);
}

#[tokio::test(start_paused = true)]
async fn a_puller_is_given_the_state_that_it_settled_with() {
    let world = World::new().await;
    world
        .publish([order("1", "a"), order("2", "a"), order("3", "a")])
        .await;
    let audit = id(AUDIT);
    let mut seen = Vec::new();
    for state in [
        KeyState::Is("{\"n\":1}".into()),
        KeyState::Gone,
        KeyState::Gone,
    ] {
        let pulled = world.runtime.pull(&audit, 1, seconds(5)).await.unwrap();
        let delivery = pulled.first().unwrap();
        seen.push(delivery.state.as_deref().map(str::to_owned));
        let answer = Answer {
            state: Some(state),
            ..Outcome::Done.into()
        };
        world.runtime.settle(&delivery.lease, answer).await.unwrap();
    }
    assert_eq!(seen, [None, Some("{\"n\":1}".to_owned()), None]);
}

#[tokio::test(start_paused = true)]
async fn a_state_without_a_key_makes_a_dead_letter() {
    let text = DESIGN.replace("    key: /orderId\n", "");
    let world = World::with(&text, Settings::default()).await;
    world.script.counts();
    world.publish([order("1", "a")]).await;
    world.pass(seconds(1)).await;
    let error = letter_error(&world).await;
    assert!(error.contains("a state belongs to a key"), "{error}");
}
