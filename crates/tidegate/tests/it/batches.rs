//! Batches, and the event that makes one fail.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidegate::{App, Batch, Outcome, Setup};

use crate::support::*;

const LINGER: Duration = Duration::from_millis(50);

/// The orders of each run of the handler, in order.
type Runs = Notes<Vec<String>>;

fn names<T>(batch: &Batch<T>, name: impl Fn(&T) -> &str) -> Vec<String> {
    batch
        .iter()
        .map(|item| name(&item.data).to_owned())
        .collect()
}

fn note(runs: &Runs, orders: &Batch<OrderPlaced>) -> Vec<String> {
    let names = names(orders, |order| &order.order);
    runs.add(names.clone());
    names
}

fn billing(setup: Setup) -> Setup {
    with_only(setup, &[BILLING])
}

async fn publish(app: &App, names: &[&str]) {
    let orders: Vec<OrderPlaced> = names.iter().map(|name| order(name)).collect();
    app.publish_all(&orders).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn events_are_collected_up_to_the_most_or_as_long_as_allowed() {
    let runs = Runs::new();
    let noted = runs.clone();
    let app = billing(App::in_memory(shop()))
        .on_batch(BILLING, 3, LINGER, move |orders: Batch<OrderPlaced>| {
            note(&noted, &orders);
            std::future::ready(())
        })
        .start()
        .await
        .unwrap();
    publish(&app, &["a", "b", "c", "d"]).await;
    until(|| done(&app, BILLING) == 4).await;
    let sizes: Vec<usize> = runs.all().iter().map(Vec::len).collect();
    assert_eq!(sizes, [3, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_poison_event_is_found_and_nothing_that_succeeded_runs_again() {
    let runs = Runs::new();
    let succeeded: Notes<String> = Notes::new();
    let (noted, fine) = (runs.clone(), succeeded.clone());
    let app = billing(App::in_memory(shop()))
        .on_batch(BILLING, 8, LINGER, move |orders: Batch<OrderPlaced>| {
            let names = note(&noted, &orders);
            // What a run wants to publish that fails is not published.
            for item in &orders {
                item.context.publish(&payment(&item.data));
            }
            let end = if names.iter().any(|name| name == "f") {
                Err(Outcome::park("one of them is odd"))
            } else {
                for item in &orders {
                    fine.add(item.data.order.clone());
                }
                Ok(())
            };
            std::future::ready(end)
        })
        .start()
        .await
        .unwrap();
    publish(&app, &["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    let letters = letters_of(&app, 1).await;
    assert_eq!(letters[0].key.as_deref(), Some("f"));
    assert_eq!(letters[0].attempts, 1);
    until(|| done(&app, BILLING) == 7).await;
    let expected: [&[&str]; 7] = [
        &["a", "b", "c", "d", "e", "f", "g", "h"],
        &["a", "b", "c", "d"],
        &["e", "f", "g", "h"],
        &["e", "f"],
        &["e"],
        &["f"],
        &["g", "h"],
    ];
    assert_eq!(runs.all(), expected);
    let mut succeeded = succeeded.all();
    succeeded.sort();
    assert_eq!(succeeded, ["a", "b", "c", "d", "e", "g", "h"]);
    let view = app.runtime().unwrap().view();
    let payments = view
        .events
        .iter()
        .find(|event| event.name.as_str() == "PaymentTaken");
    assert_eq!(payments.unwrap().accepted_total, 7);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_batch_is_that_of_one_event_and_the_others_go_on() {
    let app = billing(App::in_memory(shop()))
        .on_batch(BILLING, 4, LINGER, async |orders: Batch<OrderPlaced>| {
            let odd = orders.iter().any(|item| item.data.order == "b");
            assert!(!odd, "a handler of a test panics, as it should");
        })
        .start()
        .await
        .unwrap();
    publish(&app, &["a", "b", "c", "d"]).await;
    let letters = letters_of(&app, 1).await;
    assert_eq!(letters[0].key.as_deref(), Some("b"));
    assert_eq!((letters[0].reason, letters[0].attempts), ("exhausted", 3));
    until(|| done(&app, BILLING) == 3).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_tried_before_runs_alone() {
    let runs = Runs::new();
    let noted = runs.clone();
    let app = billing(App::in_memory(shop()))
        .on_batch(BILLING, 4, LINGER, move |orders: Batch<OrderPlaced>| {
            let first = note(&noted, &orders).len() > 1;
            let outcome = || {
                if first {
                    Outcome::retry("again")
                } else {
                    Outcome::done()
                }
            };
            std::future::ready(orders.iter().map(|_| outcome()).collect::<Vec<_>>())
        })
        .start()
        .await
        .unwrap();
    publish(&app, &["a", "b", "c", "d"]).await;
    until(|| done(&app, BILLING) == 4).await;
    let sizes: Vec<usize> = runs.all().iter().map(Vec::len).collect();
    assert_eq!(sizes, [4, 1, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn what_is_away_for_all_is_not_looked_for_in_one() {
    for outcome in [
        Outcome::unavailable("no route to the bank"),
        Outcome::overloaded("429").after(Duration::from_secs(1)),
    ] {
        let (runs, times) = (Runs::new(), Notes::new());
        let (noted, clock) = (runs.clone(), times.clone());
        let app = billing(App::in_memory(shop()))
            .on_batch(BILLING, 4, LINGER, move |orders: Batch<OrderPlaced>| {
                note(&noted, &orders);
                clock.add(tokio::time::Instant::now());
                let first = noted.len() == 1;
                std::future::ready(if first { Err(outcome.clone()) } else { Ok(()) })
            })
            .start()
            .await
            .unwrap();
        publish(&app, &["a", "b", "c", "d"]).await;
        until(|| done(&app, BILLING) == 4).await;
        let runs = runs.all();
        assert_eq!(runs[0].len(), 4);
        let pause = times.all()[1] - times.all()[0];
        assert!(
            pause >= Duration::from_millis(100),
            "it is retried, not halved: {pause:?}"
        );
        let again: BTreeSet<&String> = runs[1..].iter().flatten().collect();
        let total: usize = runs[1..].iter().map(Vec::len).sum();
        assert_eq!(
            (again.len(), total),
            (4, 4),
            "each runs once more: {runs:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_of_the_wrong_length_says_nothing_of_anyone() {
    let app = billing(App::in_memory(shop()))
        .on_batch(BILLING, 2, LINGER, async |orders: Batch<OrderPlaced>| {
            drop(orders);
            Vec::<Outcome>::new()
        })
        .start()
        .await
        .unwrap();
    publish(&app, &["a"]).await;
    let error = &letters_of(&app, 1).await[0].error;
    assert!(
        error.contains("0 outcomes for a batch of 1 events"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_does_not_parse_leaves_the_batch_alone() {
    let runs = Runs::new();
    let noted = runs.clone();
    let app = billing(App::in_memory(shop()))
        .on_batch(BILLING, 8, LINGER, move |orders: Batch<OrderPlaced>| {
            note(&noted, &orders);
            std::future::ready(())
        })
        .start()
        .await
        .unwrap();
    let odd = tidegate::Publication::new("OrderPlaced", &serde_json::json!({"order": "x"}));
    app.publish_all([(&order("a")).into(), odd, (&order("b")).into()])
        .await
        .unwrap();
    let error = &letters_of(&app, 1).await[0].error;
    assert!(error.contains("missing field `cents`"), "{error}");
    until(|| done(&app, BILLING) == 2).await;
    assert_eq!(runs.all(), [["a", "b"]]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_holds_one_event_of_a_key_and_keeps_their_order() {
    let seen: Notes<(String, u64)> = Notes::new();
    let runs = Runs::new();
    let (noted, totals) = (runs.clone(), seen.clone());
    let app = billing(App::in_memory(shop()))
        .on_batch(BILLING, 8, LINGER, move |orders: Batch<OrderPlaced>| {
            note(&noted, &orders);
            for item in &orders {
                totals.add((item.data.order.clone(), item.data.cents));
            }
            std::future::ready(())
        })
        .start()
        .await
        .unwrap();
    let orders: Vec<OrderPlaced> = (0..30)
        .map(|cents| OrderPlaced {
            order: format!("{}", cents % 5),
            cents,
        })
        .collect();
    app.publish_all(&orders).await.unwrap();
    until(|| done(&app, BILLING) == 30).await;
    for run in runs.all() {
        let keys: BTreeSet<&String> = run.iter().collect();
        assert_eq!(keys.len(), run.len(), "{run:?}");
    }
    assert!(runs.len() < 30, "they are collected");
    let mut by_key: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (key, cents) in seen.all() {
        by_key.entry(key).or_default().push(cents);
    }
    assert!(by_key.values().all(|cents| cents.is_sorted()), "{by_key:?}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_late_is_a_timeout_and_its_innocents_get_through_alone() {
    let runs = Runs::new();
    let noted = runs.clone();
    let app = billing(App::in_memory(shop()))
        .on_batch(BILLING, 4, LINGER, move |orders: Batch<OrderPlaced>| {
            let names = note(&noted, &orders);
            async move {
                if names.contains(&"slow".to_owned()) {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            }
        })
        .start()
        .await
        .unwrap();
    publish(&app, &["a", "b", "slow"]).await;
    until(|| done(&app, BILLING) == 2).await;
    let letters = letters(&app).await;
    assert!(
        letters
            .iter()
            .all(|letter| letter.key.as_deref() == Some("slow")),
        "{letters:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_event_runs_twice_at_once_when_a_batch_is_late_for_its_first() {
    let (running, overlaps) = (Notes::<String>::new(), Notes::<String>::new());
    let (now, twice) = (running.clone(), overlaps.clone());
    let linger = Duration::from_millis(400);
    let app = billing(App::in_memory(shop()))
        .on_batch(BILLING, 4, linger, move |orders: Batch<OrderPlaced>| {
            let guards: Vec<Running> = orders
                .iter()
                .map(|item| {
                    let name = item.data.order.clone();
                    if now.all().contains(&name) {
                        twice.add(name.clone());
                    }
                    now.add(name.clone());
                    Running(now.clone(), name)
                })
                .collect();
            async move {
                tokio::time::sleep(Duration::from_secs(60)).await;
                drop(guards);
            }
        })
        .start()
        .await
        .unwrap();
    publish(&app, &["a"]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    publish(&app, &["b"]).await;
    until(|| app.runtime().unwrap().view().dependencies[0].state != "closed").await;
    assert_eq!(overlaps.all(), Vec::<String>::new());
}

/// Noted as running while it lives.
struct Running(Notes<String>, String);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.remove(&self.1);
    }
}
