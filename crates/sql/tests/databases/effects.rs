//! One effect for each delivery, whoever runs it at the same time and whatever the handler does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Postgres, Sqlite};
use tidegate_base::EnvelopeError;
use tidegate_sql::{Applied, EffectError, EffectFailure, Effects, output_id};
use tokio::sync::Notify;

use crate::support::{Case, TestEngine, delivery, event, eventually, postgres, sqlite};

const EFFECT: &str = "INSERT INTO effect VALUES (1); UPDATE account SET balance = balance + 1";

async fn repeats<D: TestEngine>(case: &Case<D>) {
    let effects = Effects::new(case.pool.clone());
    let apply = async |number, epoch| {
        let handler = async |transaction: &mut D::Connection| {
            D::run(transaction, EFFECT).await?;
            Ok::<_, sqlx::Error>(vec![event("a"), event("b")])
        };
        effects
            .apply(&delivery(number, epoch), handler)
            .await
            .unwrap()
    };
    let first = delivery(1, 1);
    let outputs: Vec<String> = (0..2)
        .map(|n| output_id(&first.consumer, &first.source, &first.id, n))
        .collect();
    assert_eq!(apply(1, 1).await, Applied::Done { outputs });
    assert_eq!(apply(1, 1).await, Applied::Duplicate);
    assert_eq!(apply(1, 2).await, Applied::Duplicate);
    assert!(matches!(apply(2, 2).await, Applied::Done { .. }));
    assert_eq!(case.number("SELECT balance FROM account").await, 2);
    assert_eq!(case.number("SELECT count(*) FROM tidegate_outbox").await, 4);
    assert_eq!(
        case.number("SELECT sum(outputs) FROM tidegate_inbox").await,
        4
    );

    // A replay is run again, and emits nothing twice. Another consumer is another delivery.
    let mut replay = delivery(1, 2);
    replay.generation = 1;
    let mut other = delivery(1, 2);
    other.consumer = "audit/OrderPlaced".parse().unwrap();
    for delivery in [&replay, &other] {
        let handler = async |transaction: &mut D::Connection| {
            D::run(transaction, EFFECT).await?;
            Ok::<_, sqlx::Error>(vec![event("a")])
        };
        let applied = effects.apply(delivery, handler).await.unwrap();
        assert!(matches!(applied, Applied::Done { .. }));
    }
    assert_eq!(case.number("SELECT balance FROM account").await, 4);
    assert_eq!(case.number("SELECT count(*) FROM tidegate_outbox").await, 5);
}

/// An event that has an id keeps it.
async fn ids<D: TestEngine>(case: &Case<D>) {
    let effects = Effects::new(case.pool.clone());
    let applied = effects
        .apply(&delivery(1, 1), async |_| {
            let mut named = event("a");
            named.id = "payment-1".to_owned();
            Ok::<_, sqlx::Error>(vec![named])
        })
        .await
        .unwrap();
    let outputs = vec!["payment-1".to_owned()];
    assert_eq!(applied, Applied::Done { outputs });
}

/// What is wrong with the set-up is told from what is wrong with a delivery.
async fn kinds<D: TestEngine>(case: &Case<D>) {
    let effects = Effects::new(case.pool.clone());
    let nothing = async |_: &mut D::Connection| Ok::<_, sqlx::Error>(Vec::new());
    let mut large = delivery(1, 1);
    large.generation = u64::MAX;
    let failed = effects.apply(&large, nothing).await.unwrap_err();
    assert_eq!(failed.failure(), Some(EffectFailure::Mistake));
    effects.apply(&delivery(1, 2), nothing).await.unwrap();
    let failed = effects.apply(&delivery(2, 1), nothing).await.unwrap_err();
    assert_eq!(failed.failure(), Some(EffectFailure::SetUp));
    case.run("DROP TABLE tidegate_inbox").await;
    let failed = effects.apply(&delivery(2, 2), nothing).await.unwrap_err();
    assert_eq!(failed.failure(), Some(EffectFailure::SetUp), "{failed}");
    case.pool.close().await;
    let failed = effects.apply(&delivery(2, 2), nothing).await.unwrap_err();
    assert_eq!(failed.failure(), Some(EffectFailure::Away), "{failed}");
}

async fn failures<D: TestEngine>(case: &Case<D>) {
    let effects = Effects::new(case.pool.clone());
    let failed = effects
        .apply(&delivery(1, 1), async |transaction| {
            D::run(transaction, EFFECT).await.unwrap();
            Err("out of stock")
        })
        .await;
    assert!(matches!(failed, Err(EffectError::Handler("out of stock"))));

    let failed = effects
        .apply(&delivery(1, 1), async |transaction| {
            D::run(transaction, EFFECT).await?;
            let mut wrong = event("a");
            wrong.extensions.insert("Wrong".to_owned(), "x".to_owned());
            Ok::<_, sqlx::Error>(vec![event("a"), wrong])
        })
        .await;
    let wrong = EnvelopeError::AttributeName("Wrong".to_owned());
    assert!(
        matches!(failed, Err(EffectError::Emitted { ordinal: 1, problem }) if problem == wrong)
    );

    // A handler that ends the transaction itself.
    let failed = effects
        .apply(&delivery(1, 1), async |transaction| {
            D::run(transaction, EFFECT).await?;
            D::run(transaction, "ROLLBACK").await?;
            Ok::<_, sqlx::Error>(vec![event("a")])
        })
        .await;
    assert!(failed.is_err(), "{failed:?}");

    let nothing = "SELECT (SELECT count(*) FROM effect) + (SELECT balance FROM account)
                        + (SELECT count(*) FROM tidegate_inbox) + (SELECT count(*) FROM tidegate_outbox)";
    assert_eq!(case.number(nothing).await, 0);
    // And the delivery is not lost for that.
    let again = delivery(1, 1);
    let applied = effects.apply(&again, async |transaction| {
        D::run(transaction, EFFECT).await.map(|()| Vec::new())
    });
    assert!(matches!(applied.await.unwrap(), Applied::Done { .. }));
    assert_eq!(case.number("SELECT balance FROM account").await, 1);
}

/// Eight runs at the same time, of which the first few to get in fail.
async fn races<D: TestEngine>(case: &Case<D>) {
    let effects = Arc::new(Effects::new(case.pool.clone()));
    let failing = Arc::new(AtomicU32::new(3));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (effects, failing) = (Arc::clone(&effects), Arc::clone(&failing));
            // The future of a run goes to another thread.
            tokio::spawn(async move {
                effects
                    .apply(&delivery(7, 3), async |transaction| {
                        D::run(transaction, EFFECT)
                            .await
                            .map_err(|error| error.to_string())?;
                        tokio::task::yield_now().await;
                        let fails = |left: u32| left.checked_sub(1);
                        match failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails) {
                            Ok(_) => Err("not yet".to_owned()),
                            Err(_) => Ok(vec![event("a")]),
                        }
                    })
                    .await
            })
        })
        .collect();
    let (mut done, mut duplicates, mut failed) = (0, 0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(Applied::Done { .. }) => done += 1,
            Ok(Applied::Duplicate) => duplicates += 1,
            Err(EffectError::Handler(_)) => failed += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((done, duplicates, failed), (1, 4, 3));
    assert_eq!(case.number("SELECT count(*) FROM effect").await, 1);
    assert_eq!(case.number("SELECT count(*) FROM tidegate_outbox").await, 1);
}

async fn zombies<D: TestEngine>(case: &Case<D>) {
    let effects = Effects::new(case.pool.clone());
    let plain = async |transaction: &mut D::Connection| {
        D::run(transaction, EFFECT).await.map(|()| Vec::new())
    };
    effects.apply(&delivery(1, 5), plain).await.unwrap();
    let zombie = effects.apply(&delivery(2, 4), plain).await.unwrap_err();
    assert!(
        matches!(
            &zombie,
            EffectError::Fenced {
                epoch: 4,
                newest: 5,
                ..
            }
        ),
        "{zombie}"
    );
    assert!(!zombie.is_retryable());
    // An epoch of one consumer says nothing about another.
    let mut other = delivery(2, 1);
    other.consumer = "audit/OrderPlaced".parse().unwrap();
    effects.apply(&other, plain).await.unwrap();
    assert_eq!(case.number("SELECT count(*) FROM effect").await, 2);
}

/// An older process is in the middle of its transaction when the next one runs the same delivery.
#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_in_its_transaction_and_its_successor_have_one_effect() {
    let Some(case) = postgres("zombie_in_transaction").await else {
        return;
    };
    let effects = Arc::new(Effects::new(case.pool.clone()));
    let (started, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let zombie = tokio::spawn({
        let (effects, started, go) = (Arc::clone(&effects), Arc::clone(&started), Arc::clone(&go));
        async move {
            effects
                .apply(&delivery(1, 1), async |transaction| {
                    Postgres::run(transaction, EFFECT).await?;
                    started.notify_one();
                    go.notified().await;
                    Ok::<_, sqlx::Error>(vec![event("a")])
                })
                .await
        }
    });
    started.notified().await;
    let successor = tokio::spawn(async move {
        effects
            .apply(&delivery(1, 2), async |transaction| {
                Postgres::run(transaction, EFFECT)
                    .await
                    .map(|()| vec![event("a")])
            })
            .await
    });
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE wait_event_type = 'Lock' AND datname = current_database()";
    eventually("the successor waits", async || {
        (case.number(waits).await == 1).then_some(())
    })
    .await;
    go.notify_one();
    assert!(matches!(
        zombie.await.unwrap().unwrap(),
        Applied::Done { .. }
    ));
    assert_eq!(successor.await.unwrap().unwrap(), Applied::Duplicate);
    assert_eq!(case.number("SELECT balance FROM account").await, 1);
    assert_eq!(case.number("SELECT count(*) FROM tidegate_outbox").await, 1);
}

/// Postgres answers COMMIT of a failed transaction with a rollback and no error.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_the_handler_passes_over_is_no_success() {
    let Some(case) = postgres("passed_over").await else {
        return;
    };
    let effects = Effects::new(case.pool.clone());
    let applied = effects
        .apply(&delivery(1, 1), async |transaction| {
            Postgres::run(transaction, EFFECT).await?;
            Postgres::run(transaction, "SELECT 1 / 0")
                .await
                .unwrap_err();
            Ok::<_, sqlx::Error>(Vec::new())
        })
        .await;
    assert!(
        matches!(applied, Err(EffectError::Database(_))),
        "{applied:?}"
    );
    assert_eq!(case.number("SELECT count(*) FROM tidegate_inbox").await, 0);
}

/// Two deliveries that take locks crosswise, under the strictest isolation.
#[tokio::test(flavor = "multi_thread")]
async fn lost_races_are_told_from_failures() {
    let Some(case) = postgres("lost_races").await else {
        return;
    };
    case.run(
        "CREATE TABLE lock (id int PRIMARY KEY, n int); INSERT INTO lock VALUES (1, 0), (2, 0)",
    )
    .await;
    let effects = Arc::new(Effects::new(case.pool.clone()));
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let run = |number: u64, orders: [&'static str; 2]| {
        let (effects, barrier) = (Arc::clone(&effects), Arc::clone(&barrier));
        tokio::spawn(async move {
            let mut lost = 0;
            loop {
                let is_first = lost == 0;
                let applied = effects
                    .apply(&delivery(number, 1), async |transaction| {
                        Postgres::run(transaction, orders[0]).await?;
                        if is_first {
                            barrier.wait().await;
                        }
                        Postgres::run(transaction, orders[1]).await?;
                        Ok::<_, sqlx::Error>(Vec::new())
                    })
                    .await;
                match applied {
                    Ok(_) => return lost,
                    Err(error) => {
                        assert!(error.is_retryable(), "{error}");
                        lost += 1;
                    }
                }
            }
        })
    };
    let (one, two) = (
        "UPDATE lock SET n = n + 1 WHERE id = 1",
        "UPDATE lock SET n = n + 1 WHERE id = 2",
    );
    let (a, b) = (run(1, [one, two]), run(2, [two, one]));
    assert!(a.await.unwrap() + b.await.unwrap() >= 1);
    assert_eq!(case.number("SELECT sum(n) FROM lock").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_a_power_cut_may_take_are_not_relied_on() {
    let case = sqlite().await;
    let options: sqlx::sqlite::SqliteConnectOptions = case.url.parse().unwrap();
    let options = options.synchronous(sqlx::sqlite::SqliteSynchronous::Normal);
    let effects = Effects::new(sqlx::SqlitePool::connect_with(options).await.unwrap());
    let applied = effects
        .apply(&delivery(1, 1), async |_| Ok::<_, sqlx::Error>(Vec::new()))
        .await;
    assert!(
        matches!(applied, Err(EffectError::NotDurable(_))),
        "{applied:?}"
    );

    let Some(case) = postgres("synchronous").await else {
        return;
    };
    let relaxed = format!("{}?options=-csynchronous_commit%3Doff", case.url);
    let effects = Effects::new(sqlx::PgPool::connect(&relaxed).await.unwrap());
    let applied = effects
        .apply(&delivery(1, 1), async |transaction| {
            let setting: String = sqlx::query_scalar("SHOW synchronous_commit")
                .fetch_one(&mut *transaction)
                .await?;
            assert_eq!(setting, "on");
            Ok::<_, sqlx::Error>(Vec::new())
        })
        .await;
    assert!(applied.is_ok());
}

macro_rules! on_both {
    ($($name:ident: $test:ident;)*) => {
        $(mod $name {
            use super::*;
            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                let Some(case) = postgres(concat!("effects_", stringify!($name))).await else { return };
                $test::<Postgres>(&case).await;
            }
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                $test::<Sqlite>(&sqlite().await).await;
            }
        })*
    };
}

on_both! {
    a_repeat_changes_nothing: repeats;
    a_failure_leaves_nothing: failures;
    runs_at_the_same_time_have_one_effect: races;
    an_older_epoch_is_refused: zombies;
    a_given_id_is_kept: ids;
    kinds_of_failures_are_told_apart: kinds;
}
