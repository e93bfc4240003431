//! Rules of a design for single classes of failures.

use std::time::Duration;

use tidegate_runtime::{Outcome, RetryClass, Settings};

use crate::support::{DESIGN, World, id, order, payment, permanent, retryable, unavailable};

const BILLING: &str = "billing/OrderPlaced";
const POLICY: &str =
    "retry: {backoff: constant, initial: 100ms, max: 1s, jitter: none, attempts: 3}";

/// Billing, with these rules.
fn ruled(rules: &str) -> String {
    let ruled = format!(
        "retry: {{backoff: constant, initial: 100ms, max: 1s, jitter: none, attempts: 3, classes: {{{rules}}}}}"
    );
    DESIGN.replacen(POLICY, &ruled, 1)
}

async fn world(rules: &str) -> World {
    World::with(&ruled(rules), Settings::default()).await
}

fn timeout() -> Outcome {
    Outcome::Retry {
        class: RetryClass::Timeout,
        error: "no answer within 5s".to_owned(),
        after: None,
    }
}

fn overload(after: Duration) -> Outcome {
    Outcome::Overload {
        error: "busy".to_owned(),
        after: Some(after),
    }
}

/// Its state at billing, and each attempt with its rule.
async fn why(world: &World, event: &str) -> (&'static str, Vec<String>) {
    let why = world.runtime.why(event, None).await;
    let why = why.expect("the event is there");
    let deliveries = why.deliveries.into_iter();
    let mut billing = deliveries.filter(|delivery| delivery.consumer == id(BILLING));
    let billing = billing.next().expect("it is delivered to billing");
    let attempts = billing.attempts.iter().map(|attempt| match &attempt.rule {
        Some(rule) => format!("{}: {rule}", attempt.outcome),
        None => attempt.outcome.to_owned(),
    });
    (billing.state, attempts.collect())
}

async fn reasons(world: &World) -> Vec<(String, &'static str)> {
    let letters = world.letters().await.letters.into_iter();
    let mut reasons: Vec<_> = letters
        .map(|letter| (letter.event_id, letter.reason))
        .collect();
    reasons.sort();
    reasons
}

#[tokio::test(start_paused = true)]
async fn each_class_goes_its_own_way_and_why_says_which_rule_it_was() {
    let world = world("permanent: {attempts: 2, initial: 300ms}, retryable: park").await;
    world.script.answer("1", [permanent()]);
    world.script.answer("2", [permanent(), permanent()]);
    world.script.answer("3", [retryable()]);
    world
        .publish([order("1", "a"), order("2", "b"), order("3", "c")])
        .await;
    world.pass(Duration::from_millis(250)).await;
    assert_eq!(
        why(&world, "1").await,
        ("waiting", vec!["permanent: 1 of 2".to_owned()])
    );
    world.pass(Duration::from_millis(500)).await;
    assert_eq!(why(&world, "1").await.0, "done");
    let twice = ["permanent: 1 of 2", "permanent: 2 of 2"].map(str::to_owned);
    assert_eq!(why(&world, "2").await, ("dead-letter", twice.to_vec()));
    assert_eq!(
        why(&world, "3").await,
        ("dead-letter", vec!["retryable: park".to_owned()])
    );
    let expected = [("2".to_owned(), "exhausted"), ("3".to_owned(), "rule")];
    assert_eq!(reasons(&world).await, expected);
}

/// Counters of classes are kept as the failures are: no class begins anew, and none is charged for another.
#[tokio::test(start_paused = true)]
async fn a_restart_forgets_no_failure_of_a_class() {
    let world = world("timeout: {attempts: 2, initial: 1s}, retryable: {attempts: 9}").await;
    let answers = [retryable(), retryable(), timeout(), retryable(), timeout()];
    world.script.answer("1", answers);
    world.publish([order("1", "a")]).await;
    world.pass(Duration::from_millis(500)).await;
    let told = ["retryable: 1 of 9", "retryable: 2 of 9", "timeout: 1 of 2"].map(str::to_owned);
    assert_eq!(why(&world, "1").await, ("waiting", told.to_vec()));
    let world = world.restart().await;
    world.pass(Duration::from_secs(5)).await;
    let (state, attempts) = why(&world, "1").await;
    assert_eq!(state, "dead-letter");
    assert_eq!(
        attempts[3..],
        ["retryable: 3 of 9", "timeout: 2 of 2"].map(str::to_owned)
    );
}

#[tokio::test(start_paused = true)]
async fn an_overload_with_a_rule_is_a_failure_of_its_delivery_alone() {
    let world = world("overload: {attempts: 2}").await;
    let long = Duration::from_secs(20);
    world.script.answer("1", [overload(long)]);
    world
        .script
        .answer("2", [overload(long), overload(Duration::ZERO)]);
    world.publish([order("1", "a"), order("2", "b")]).await;
    world.pass(Duration::from_millis(50)).await;
    // The consumer is not held.
    world.publish([order("3", "c")]).await;
    world.pass(Duration::from_millis(50)).await;
    assert_eq!(why(&world, "3").await.0, "done");
    assert_eq!(
        why(&world, "1").await,
        ("waiting", vec!["overload: 1 of 2".to_owned()])
    );
    // It waits for as long as its handler asked.
    world.pass(Duration::from_secs(15)).await;
    assert_eq!(world.script.calls().len(), 3);
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(why(&world, "1").await.0, "done");
    assert_eq!(reasons(&world).await, [("2".to_owned(), "exhausted")]);
}

/// Its breaker opens at the third failure: those before have had their one attempt, and none after that.
#[tokio::test(start_paused = true)]
async fn an_open_breaker_holds_what_a_rule_would_park() {
    let world = world("unavailable: park").await;
    world.script.otherwise(unavailable());
    for number in 0..20 {
        let number = number.to_string();
        world.publish([order(&number, &number)]).await;
        world.pass(Duration::from_millis(50)).await;
    }
    world.pass(Duration::from_mins(2)).await;
    let letters = reasons(&world).await;
    assert!(letters.len() <= 3, "{letters:?}");
    assert!(letters.iter().all(|(_, reason)| *reason == "rule"));
    world.script.otherwise(Outcome::Done);
    world.pass(Duration::from_mins(2)).await;
    let billing = world.consumer(BILLING).await;
    assert_eq!(billing.backlog, 0);
    assert_eq!(billing.succeeded_total + letters.len() as u64, 20);
}

#[tokio::test(start_paused = true)]
async fn no_rule_retries_what_is_wrong_with_an_answer_itself() {
    let world = world("permanent: retry").await;
    let mut unknown = payment();
    unknown.event_type = "PaymentTakn".to_owned();
    world.script.publishes(vec![unknown]);
    world.publish([order("1", "a")]).await;
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(
        why(&world, "1").await,
        ("dead-letter", vec!["permanent".to_owned()])
    );
    assert_eq!(reasons(&world).await, [("1".to_owned(), "permanent")]);
}

#[tokio::test(start_paused = true)]
async fn whatever_is_written_for_it_a_fault_of_the_endpoint_makes_no_dead_letter() {
    let world = world("endpoint-fault: park").await;
    world.script.otherwise(Outcome::EndpointFault {
        error: "HTTP 404".to_owned(),
    });
    world.publish([order("1", "a"), order("2", "b")]).await;
    world.pass(Duration::from_mins(10)).await;
    assert!(world.letters().await.letters.is_empty());
    world.script.otherwise(Outcome::Done);
    world.pass(Duration::from_mins(2)).await;
    assert_eq!(world.consumer(BILLING).await.succeeded_total, 2);
}
