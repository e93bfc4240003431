//! The notes of deliveries go when, and only when, nothing can bring the delivery again.

use sqlx::{Postgres, Sqlite};
use tidegate_sql::{Applied, EffectError, Effects};

use crate::support::{Case, TestEngine, delivery, postgres, sqlite};

async fn watermark<D: TestEngine>(case: &Case<D>) {
    let effects = Effects::new(case.pool.clone());
    let run = async |id: u64, position: u64| {
        let mut delivery = delivery(id, 1);
        delivery.position = position;
        let handler = async |transaction: &mut D::Connection| {
            D::run(transaction, "INSERT INTO effect VALUES (1)")
                .await
                .map(|()| Vec::new())
        };
        effects.apply(&delivery, handler).await.unwrap()
    };
    for position in 1..=10 {
        run(position, position).await;
    }
    let mut other = delivery(1, 1);
    other.consumer = "audit/OrderPlaced".parse().unwrap();
    effects
        .apply(&other, async |_| Ok::<_, sqlx::Error>(Vec::new()))
        .await
        .unwrap();

    // The event of 3 was published again, and is at 50 too.
    assert_eq!(run(3, 50).await, Applied::Duplicate);
    let consumer = delivery(1, 1).consumer;
    assert_eq!(effects.collect(&consumer, 6, 0).await.unwrap(), 4);
    assert_eq!(run(3, 50).await, Applied::Duplicate);
    assert_eq!(run(6, 6).await, Applied::Duplicate);
    assert_eq!(effects.collect(&consumer, 50, 0).await.unwrap(), 5);
    assert_eq!(run(3, 50).await, Applied::Duplicate);
    assert_eq!(effects.collect(&consumer, 51, 0).await.unwrap(), 1);
    assert_eq!(case.number("SELECT count(*) FROM tidegate_inbox").await, 1);
    assert_eq!(case.number("SELECT count(*) FROM effect").await, 10);
}

/// More notes than one transaction deletes.
async fn many<D: TestEngine>(case: &Case<D>) {
    case.run(
        "INSERT INTO tidegate_inbox (consumer, source, id, position, epoch)
         WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 2999)
         SELECT 'billing/OrderPlaced', '/orders', CAST(n AS text), n, 1 FROM n",
    )
    .await;
    let effects = Effects::new(case.pool.clone());
    let collected = effects
        .collect(&delivery(1, 1).consumer, 2_500, 0)
        .await
        .unwrap();
    assert_eq!(collected, 2_500);
    assert_eq!(
        case.number("SELECT min(position) FROM tidegate_inbox")
            .await,
        2_500
    );
}

/// A process that slept through the end of its delivery wakes up when the note is gone.
async fn late_runs<D: TestEngine>(case: &Case<D>) {
    let effects = Effects::new(case.pool.clone());
    let run = async |position: u64, generation: u64| {
        let mut delivery = delivery(position, 1);
        delivery.generation = generation;
        let handler = async |transaction: &mut D::Connection| {
            D::run(transaction, "INSERT INTO effect VALUES (1)")
                .await
                .map(|()| Vec::new())
        };
        effects.apply(&delivery, handler).await
    };
    let consumer = delivery(1, 1).consumer;
    let is_over = |applied| matches!(applied, Err(EffectError::Over { .. }));
    for position in 1..=4 {
        run(position, 0).await.unwrap();
    }
    assert_eq!(effects.collect(&consumer, 4, 0).await.unwrap(), 3);
    assert!(is_over(run(3, 0).await));
    assert_eq!(run(4, 0).await.unwrap(), Applied::Duplicate);

    // A replay of what is collected is another delivery; its notes stay until it is told of.
    run(2, 1).await.unwrap();
    assert_eq!(effects.collect(&consumer, 5, 0).await.unwrap(), 1);
    assert_eq!(run(2, 1).await.unwrap(), Applied::Duplicate);
    // It is under way, so that less is over than once was: nothing goes.
    assert_eq!(effects.collect(&consumer, 3, 1).await.unwrap(), 0);
    assert_eq!(run(2, 1).await.unwrap(), Applied::Duplicate);
    assert_eq!(effects.collect(&consumer, 5, 1).await.unwrap(), 1);
    assert!(is_over(run(2, 1).await));
    assert_eq!(case.number("SELECT count(*) FROM effect").await, 5);
}

/// Of two runs of one delivery one sleeps in its handler; what it would do is refused, not done again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_collected_during_a_run_is_not_done_again() {
    let Some(case) = postgres("collect_meanwhile").await else {
        return;
    };
    let effects = Effects::new(case.pool.clone());
    effects
        .apply(&delivery(9, 1), async |_| Ok::<_, sqlx::Error>(Vec::new()))
        .await
        .unwrap();
    let applied = effects
        .apply(&delivery(1, 1), async |transaction| {
            Postgres::run(transaction, "INSERT INTO effect VALUES (1)").await?;
            effects.collect(&delivery(1, 1).consumer, 5, 0).await?;
            Ok::<_, sqlx::Error>(Vec::new())
        })
        .await;
    assert!(
        matches!(applied, Err(EffectError::Over { position: 1, .. })),
        "{applied:?}"
    );
    assert_eq!(case.number("SELECT count(*) FROM effect").await, 0);
}

macro_rules! on_both {
    ($($name:ident: $test:ident;)*) => {
        $(mod $name {
            use super::*;
            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                let Some(case) = postgres(concat!("collect_", stringify!($name))).await else { return };
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
    notes_stay_until_nothing_can_come_again: watermark;
    many_notes_go_in_small_transactions: many;
    a_run_after_the_collection_is_refused: late_runs;
}
