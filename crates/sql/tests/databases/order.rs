//! Nothing that is committed is missed, and each key keeps the order of its commits.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, Postgres, Sqlite};
use tidegate_base::Random;
use tidegate_sql::RelaySettings;

use crate::server;
use crate::support::{Case, TestEngine, assert_order, eventually, postgres, sqlite};

/// The true order of each key: a counter of the key, in the same transaction.
const TRUTH: &str = "
    CREATE TABLE aggregate (key text PRIMARY KEY, n bigint NOT NULL);
    CREATE TABLE truth (key text NOT NULL, n bigint NOT NULL, id text NOT NULL);
    INSERT INTO aggregate VALUES ('k0', 0), ('k1', 0), ('k2', 0), ('k3', 0), ('k4', 0)";

/// One transaction of a writer. In every second one the event is stored before the aggregate is touched: what then
/// orders two of them is a lock that is taken after the row was numbered.
async fn write(connection: &mut PgConnection, id: &str, dice: u64) -> Result<(), sqlx::Error> {
    let key = format!("k{}", dice % 5);
    let pause = async |bits: u64| tokio::time::sleep(Duration::from_millis(bits % 7)).await;
    let event = format!(
        "INSERT INTO tidegate_outbox (id, source, type, key) VALUES ('{id}', '/order', 'Counted', '{key}')"
    );
    let truth = format!(
        "WITH next AS (UPDATE aggregate SET n = n + 1 WHERE key = '{key}' RETURNING n)
         INSERT INTO truth SELECT '{key}', n, '{id}' FROM next"
    );
    let orders = if dice & 8 == 0 {
        [event, truth]
    } else {
        [truth, event]
    };
    Postgres::run(connection, "BEGIN").await?;
    for order in &orders {
        Postgres::run(connection, order).await?;
        pause(dice >> 8).await;
    }
    // A third has nothing happened.
    Postgres::run(
        connection,
        if (dice >> 16).is_multiple_of(3) {
            "ROLLBACK"
        } else {
            "COMMIT"
        },
    )
    .await
}

/// Writes with so many writers until `ended` says so; the true order.
pub(crate) async fn write_postgres(
    case: &Case<Postgres>,
    writers: u64,
    ended: impl Fn() -> bool,
) -> BTreeMap<String, Vec<String>> {
    case.run(TRUTH).await;
    let (round, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let (pool, round, is_over) =
                (case.pool.clone(), Arc::clone(&round), Arc::clone(&is_over));
            tokio::spawn(async move {
                let random = Random::new(writer, "order", "dice");
                let mut connection = pool.acquire().await.unwrap();
                while is_over.load(Ordering::SeqCst) == 0 {
                    let number = round.fetch_add(1, Ordering::SeqCst);
                    // Ids in no order: only positions have one.
                    let id = format!("{:016x}", random.bits(2 * number));
                    write(&mut connection, &id, random.bits(2 * number + 1))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    eventually("the writers are told to end", async || {
        tokio::time::sleep(Duration::from_millis(20)).await;
        ended().then_some(())
    })
    .await;
    is_over.store(1, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    truth(case).await
}

/// The same in SQLite, with two writers that wait for each other.
pub(crate) async fn write_sqlite(
    case: &Case<Sqlite>,
    ended: impl Fn() -> bool,
) -> BTreeMap<String, Vec<String>> {
    case.run(TRUTH).await;
    let random = Random::new(1, "order", "dice");
    let mut number = 0;
    while !ended() {
        let mut connections = Vec::new();
        for _ in 0..2 {
            number += 1;
            let (id, dice) = (random.bits(2 * number), random.bits(2 * number + 1));
            let key = format!("k{}", dice % 5);
            let end = if (dice >> 16).is_multiple_of(3) {
                "ROLLBACK"
            } else {
                "COMMIT"
            };
            let order = format!(
                "BEGIN IMMEDIATE;
                 UPDATE aggregate SET n = n + 1 WHERE key = '{key}';
                 INSERT INTO truth SELECT key, n, '{id:016x}' FROM aggregate WHERE key = '{key}';
                 INSERT INTO tidegate_outbox (id, source, type, key)
                 VALUES ('{id:016x}', '/order', 'Counted', '{key}');
                 {end}"
            );
            let mut connection = case.pool.acquire().await.unwrap();
            connections.push(tokio::spawn(async move {
                Sqlite::run(&mut connection, &order).await.unwrap()
            }));
        }
        for connection in connections {
            connection.await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(random.bits(number) % 9)).await;
    }
    truth(case).await
}

async fn truth<D: TestEngine>(case: &Case<D>) -> BTreeMap<String, Vec<String>>
where
    for<'r> (String, String): sqlx::FromRow<'r, D::Row>,
    for<'c> &'c sqlx::Pool<D>: sqlx::Executor<'c, Database = D>,
    D::Arguments: sqlx::IntoArguments<D>,
{
    let rows: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(
        "SELECT key, id FROM truth ORDER BY key, n".to_owned(),
    ))
    .fetch_all(&case.pool)
    .await
    .unwrap();
    let mut truth: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, id) in rows {
        truth.entry(key).or_default().push(id);
    }
    truth
}

fn settings() -> RelaySettings {
    RelaySettings {
        batch_events: 5,
        poll: Duration::from_millis(100),
        ..RelaySettings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_are_published_in_the_order_of_their_commits() {
    let Some(case) = postgres("concurrent_writers").await else {
        return;
    };
    // A transaction that writes and never ends stalls nobody but itself.
    let mut long = case.pool.begin().await.unwrap();
    Postgres::run(
        &mut long,
        "INSERT INTO tidegate_outbox (id, source, type, key) VALUES ('long', '/order', 'Counted', 'k0')",
    )
    .await
    .unwrap();
    let relay = case.relay(settings());
    let clock = tokio::time::Instant::now();
    let truth = write_postgres(&case, 8, || clock.elapsed() > Duration::from_secs(4)).await;
    let count = truth.values().map(Vec::len).sum::<usize>();
    assert!(count > 100, "{count}");
    relay.until_sent(count).await;
    assert_order(&relay.ids(), &truth);
    assert!(!relay.ids().contains(&"long".to_owned()));
    long.commit().await.unwrap();
    relay.until_sent(count + 1).await;
    assert_eq!(relay.ids().last().map(String::as_str), Some("long"));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_sqlite_are_published_in_the_order_of_their_commits() {
    let case = sqlite().await;
    let relay = case.relay(settings());
    let clock = tokio::time::Instant::now();
    let truth = write_sqlite(&case, || clock.elapsed() > Duration::from_secs(2)).await;
    relay.until_sent(truth.values().map(Vec::len).sum()).await;
    assert_order(&relay.ids(), &truth);
    relay.stop().await;
}

/// Transaction numbers begin anew in the new server; positions do not.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_restored_from_a_dump_goes_on_in_order() {
    let Some(case) = postgres("dumped").await else {
        return;
    };
    let clock = tokio::time::Instant::now();
    let mut truth = write_postgres(&case, 3, || clock.elapsed() > Duration::from_millis(500)).await;
    let Some(restored) = server::database("restored").await else {
        return;
    };
    let dump = Command::new(server::bin().join("pg_dump"))
        .arg(&case.url)
        .output()
        .unwrap();
    assert!(
        dump.status.success(),
        "{}",
        String::from_utf8_lossy(&dump.stderr)
    );
    let file = case.folder.path().join("dump.sql");
    std::fs::write(&file, dump.stdout).unwrap();
    let psql = Command::new(server::bin().join("psql"))
        .args(["-q", "-v", "ON_ERROR_STOP=1", "-f"])
        .arg(&file)
        .arg(&restored)
        .output()
        .unwrap();
    assert!(
        psql.status.success(),
        "{}",
        String::from_utf8_lossy(&psql.stderr)
    );

    let pool = sqlx::PgPool::connect(&restored).await.unwrap();
    let case = Case {
        pool,
        url: restored,
        folder: case.folder,
    };
    // The script changes nothing that is there.
    case.run(tidegate_sql::POSTGRES).await;
    for n in 0..5 {
        let id = format!("after-{n}");
        case.run(&format!(
            "INSERT INTO tidegate_outbox (id, source, type, key) VALUES ('{id}', '/order', 'Counted', 'k{n}')"
        ))
        .await;
        truth.entry(format!("k{n}")).or_default().push(id);
    }
    let relay = case.relay(settings());
    relay.until_sent(truth.values().map(Vec::len).sum()).await;
    assert_order(&relay.ids(), &truth);
    relay.stop().await;
}
