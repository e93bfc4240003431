//! What operators do: pauses, breakers, discards; and what they are told.

use tidegate_runtime::view::ConsumerState;
use tidegate_runtime::{
    Command, DeadLetterFilter, LetterFilter, LettersSelection, OperateError, Outcome, Settings,
};

use crate::support::*;

const BILLING: &str = "billing/OrderPlaced";
const AUDIT: &str = "audit/OrderPlaced";

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
    let breaker = "payments-api".parse().unwrap();
    let open = Command::OpenBreaker {
        breaker,
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
        breaker: "payments-api".parse().unwrap(),
    };
    world.runtime.operate(reset).await.unwrap();
    world.pass(seconds(1)).await;
    assert_eq!(billings_calls(&world), ["1"]);
    assert!(world.runtime.view().dependencies[0].forced.is_none());
}

/// The design without a word of what billing needs, and with the retries that it has then.
fn without_needs() -> String {
    let retry =
        "        retry: {backoff: constant, initial: 100ms, max: 1s, jitter: none, attempts: 3}\n";
    let text = DESIGN.replace("        needs: [payments-api]\n", "");
    text.replacen(retry, "", 1)
}

/// An endpoint that is away for an hour: nothing becomes a dead letter, be there one event or many, and what is held
/// says by what.
#[tokio::test(start_paused = true)]
async fn an_outage_of_a_consumer_that_names_no_need_makes_no_dead_letter() {
    for events in [1, 40] {
        let world = World::with(&without_needs(), Settings::default()).await;
        world.script.otherwise(unavailable());
        let orders = (0..events).map(|n| order(&n.to_string(), &format!("key-{n}")));
        world.publish(orders).await;
        world.pass(seconds(3_600)).await;
        let billing = world.consumer(BILLING).await;
        assert_eq!((billing.dead_letters, billing.backlog), (0, events));
        assert!(world.script.calls().len() < 420, "a probe each 10 s");
        let view = world.runtime.view();
        let mut breakers = view.dependencies.iter();
        let own = breakers.find(|breaker| breaker.own).unwrap();
        assert_eq!(own.name.to_string(), BILLING);
        assert_eq!(
            (own.state, &own.consumers[..]),
            ("open", &[id(BILLING)][..])
        );
        assert_eq!(
            billing.held_by.as_deref(),
            Some("breaker billing/OrderPlaced")
        );
        assert_eq!(billing.state, ConsumerState::Held);
        assert!(billing.needs.is_empty());
        let why = world.runtime.why("0", None).await.unwrap();
        let mut deliveries = why.deliveries.iter();
        let of_billing = deliveries.find(|delivery| delivery.consumer == id(BILLING));
        let gate = of_billing.unwrap().gate.as_ref().unwrap();
        assert_eq!(gate.what, "breaker");
        assert_eq!(gate.detail, "breaker `billing/OrderPlaced` is open");
        // A restart knows that it is open: it does not begin with a rush.
        let calls = world.script.calls().len();
        let world = world.restart().await;
        world.pass(seconds(1)).await;
        assert!(world.script.calls().len() <= calls + 1);
        world.script.otherwise(Outcome::Done);
        world.pass(seconds(60)).await;
        let billing = world.consumer(BILLING).await;
        assert_eq!((billing.dead_letters, billing.backlog), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_s_own_breaker_is_held_open_and_reset() {
    let world = World::with(&without_needs(), Settings::default()).await;
    let breaker = || BILLING.parse().unwrap();
    let open = Command::OpenBreaker {
        breaker: breaker(),
        reason: "they move".to_owned(),
    };
    world.runtime.operate(open).await.unwrap();
    let world = world.restart().await;
    world.publish([order("1", "a")]).await;
    world.pass(seconds(3_600)).await;
    assert!(billings_calls(&world).is_empty());
    let billing = world.consumer(BILLING).await;
    insta::assert_snapshot!(billing.reason, @"breaker `billing/OrderPlaced` is held open for 1h by an operator");
    let reset = Command::ResetBreaker { breaker: breaker() };
    world.runtime.operate(reset).await.unwrap();
    world.pass(seconds(1)).await;
    assert_eq!(billings_calls(&world), ["1"]);
}

/// Pullers say themselves what is away: their word counts, and the end of a lease does not.
#[tokio::test(start_paused = true)]
async fn a_puller_s_own_breaker_hears_its_word_and_not_the_end_of_leases() {
    let world = World::new().await;
    let audit = id(AUDIT);
    world
        .publish((0..20).map(|n| order(&n.to_string(), &n.to_string())))
        .await;
    let pulled = world.runtime.pull(&audit, 2, seconds(1)).await.unwrap();
    assert_eq!(pulled.len(), 2);
    world.pass(seconds(11)).await;
    let state = |world: &World| {
        let view = world.runtime.view();
        let mut breakers = view.dependencies.iter();
        breakers
            .find(|breaker| breaker.name.to_string() == AUDIT)
            .map(|own| (own.state, own.calls))
    };
    assert_eq!(state(&world), Some(("closed", 0)));
    for _ in 0..3 {
        let pulled = world.runtime.pull(&audit, 1, seconds(1)).await.unwrap();
        world
            .runtime
            .settle(&pulled[0].lease, unavailable())
            .await
            .unwrap();
    }
    world.pass(seconds(1)).await;
    assert_eq!(state(&world), Some(("open", 0)));
}

/// A handler that asks for an hour is called neither by the next process nor a day later, and an operator may
/// shorten that.
#[tokio::test(start_paused = true)]
async fn a_handler_that_asks_for_time_has_it_until_its_consumer_is_resumed() {
    let world = World::new().await;
    let busy = Outcome::Overload {
        error: "HTTP 429".to_owned(),
        after: Some(seconds(86_400)),
    };
    world.script.answer("1", [busy.clone(), busy]);
    world.publish([order("1", "a")]).await;
    world.pass(seconds(10)).await;
    let drained = world.runtime.drain(seconds(1)).await;
    assert_eq!((drained.cancelled, drained.backlog), (0, 2));
    let world = world.restart().await;
    world.pass(seconds(3_500)).await;
    assert_eq!(billings_calls(&world), ["1"]);
    let billing = world.consumer(BILLING).await;
    assert_eq!(billing.state, ConsumerState::Held);
    assert_eq!(billing.held_by.as_deref(), Some("overload"));
    let said = &world.runtime.view().attention;
    let mut said = said.iter().filter(|said| said.name == BILLING);
    insta::assert_snapshot!(said.next().unwrap().sentence, @"`billing/OrderPlaced` is 58.52m behind (objective 30s): the handler asked for time: HTTP 429; it is called again in 1.48m; nothing is lost: it goes on by itself then, or at once when it is resumed");
    // An hour is the most that a handler may ask for.
    world.pass(seconds(100)).await;
    assert_eq!(billings_calls(&world), ["1", "1"]);
    world.runtime.operate(resume()).await.unwrap();
    world.pass(seconds(1)).await;
    assert_eq!(billings_calls(&world), ["1", "1", "1"]);
    assert_eq!(world.consumer(BILLING).await.backlog, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_the_design_is_refused() {
    let world = World::new().await;
    let nobody = Command::Resume {
        consumer: id("nobody/OrderPlaced"),
    };
    let refused = world.runtime.operate(nobody).await;
    assert!(matches!(refused, Err(OperateError::UnknownConsumer { .. })));
    // Billing has what it needs by name, and no breaker of its own.
    for (breaker, said) in [
        ("nothing", "dependency `nothing` is not in the design"),
        (
            BILLING,
            "consumer `billing/OrderPlaced` has no breaker of its own: it is not in the design, or its `needs` name those that hold it",
        ),
    ] {
        let breaker = breaker.parse().unwrap();
        let refused = world
            .runtime
            .operate(Command::ResetBreaker { breaker })
            .await;
        assert_eq!(refused.unwrap_err().to_string(), said);
    }
    let reset = Command::ResetBreaker {
        breaker: "nothing".parse().unwrap(),
    };
    let refused = world.runtime.operate(reset).await;
    assert!(matches!(refused, Err(OperateError::UnknownBreaker { .. })));
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
