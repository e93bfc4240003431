//! What the tests of both databases share.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Pool, Postgres, Sqlite, SqlitePool};
use tempfile::TempDir;
use tidegate_base::Envelope;
use tidegate_sql::{
    Delivery, Engine, Note, Outbox, OutboxError, PostgresOutbox, Published, Relay, RelaySettings,
    SqliteOutbox,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::server;

/// Tables that handlers change.
const TABLES: &str = "
    CREATE TABLE effect (delivery bigint NOT NULL);
    CREATE TABLE account (balance bigint NOT NULL);
    INSERT INTO account VALUES (0);";

/// A database with the tables of the script, and how to ask it with plain SQL.
pub(crate) trait TestEngine: Engine {
    type Outbox: Outbox + 'static;

    fn run(
        connection: &mut Self::Connection,
        sql: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
    fn number(pool: &Pool<Self>, sql: &str) -> impl Future<Output = i64> + Send;
    fn outbox(url: &str) -> Self::Outbox;
}

impl TestEngine for Postgres {
    type Outbox = PostgresOutbox;

    async fn run(connection: &mut Self::Connection, sql: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(connection)
            .await
            .map(drop)
    }
    async fn number(pool: &PgPool, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(pool)
            .await
            .unwrap()
    }
    fn outbox(url: &str) -> PostgresOutbox {
        PostgresOutbox::new(url.parse().unwrap())
    }
}

impl TestEngine for Sqlite {
    type Outbox = SqliteOutbox;

    async fn run(connection: &mut Self::Connection, sql: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(connection)
            .await
            .map(drop)
    }
    async fn number(pool: &SqlitePool, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(pool)
            .await
            .unwrap()
    }
    fn outbox(url: &str) -> SqliteOutbox {
        SqliteOutbox::new(url.parse().unwrap())
    }
}

/// A database of one test.
pub(crate) struct Case<D: Engine> {
    pub(crate) pool: Pool<D>,
    pub(crate) url: String,
    pub(crate) folder: TempDir,
}

impl<D: TestEngine> Case<D> {
    pub(crate) async fn run(&self, sql: &str) {
        let mut connection = self.pool.acquire().await.unwrap();
        D::run(&mut connection, sql).await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        D::number(&self.pool, sql).await
    }

    /// A relay that publishes into a list.
    pub(crate) fn relay(&self, settings: RelaySettings) -> Running {
        Running::start(D::outbox(&self.url), settings, |_| Published::Accepted)
    }
}

pub(crate) async fn postgres(name: &str) -> Option<Case<Postgres>> {
    let url = server::database(name).await?;
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(20)
        .acquire_timeout(Duration::from_secs(60))
        .connect(&url)
        .await
        .unwrap();
    let case = Case {
        pool,
        url,
        folder: tempfile::tempdir().unwrap(),
    };
    // Twice: it may be run again.
    case.run(tidegate_sql::POSTGRES).await;
    case.run(tidegate_sql::POSTGRES).await;
    case.run(TABLES).await;
    Some(case)
}

pub(crate) async fn sqlite() -> Case<Sqlite> {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", file(&folder).display());
    let options = url
        .parse::<SqliteConnectOptions>()
        .unwrap()
        .create_if_missing(true);
    let pool = SqlitePoolOptions::new()
        .max_connections(10)
        .acquire_timeout(Duration::from_secs(60))
        .connect_with(options.busy_timeout(Duration::from_secs(30)))
        .await
        .unwrap();
    let case = Case { pool, url, folder };
    case.run(tidegate_sql::SQLITE).await;
    case.run(tidegate_sql::SQLITE).await;
    case.run(TABLES).await;
    case
}

fn file(folder: &TempDir) -> std::path::PathBuf {
    Path::new(folder.path()).join("service.db")
}

/// A delivery of one consumer.
pub(crate) fn delivery(number: u64, epoch: u64) -> Delivery {
    Delivery {
        consumer: "billing/OrderPlaced".parse().unwrap(),
        source: "/orders".to_owned(),
        id: number.to_string(),
        generation: 0,
        position: number,
        epoch,
    }
}

pub(crate) fn event(key: &str) -> Envelope {
    let attributes = [
        ("source", "/billing"),
        ("type", "Counted"),
        ("subject", "s"),
        ("partitionkey", key),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Envelope::from_attributes(attributes, Some("{\"n\":1}".into()))
}

/// As [`eventually`], with what to tell at the end.
pub(crate) async fn eventually_or<T>(
    told: impl AsyncFn() -> String,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    for _ in 0..6_000 {
        if let Some(found) = ask().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {}", told().await);
}

/// Asks again and again, for a minute.
pub(crate) async fn eventually<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_or(async || what.to_owned(), ask).await
}

/// What a relay has published and said.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) events: Vec<Envelope>,
    pub(crate) notes: Vec<Note>,
}

/// A relay of this process.
pub(crate) struct Running {
    pub(crate) seen: Arc<Mutex<Seen>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), OutboxError>>,
}

impl Running {
    pub(crate) fn start(
        outbox: impl Outbox + 'static,
        settings: RelaySettings,
        answer: impl Fn(&[Envelope]) -> Published + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let (stop, stopped) = watch::channel(false);
        let (of_events, of_notes) = (Arc::clone(&seen), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            let publish = |batch: Vec<Envelope>| {
                let answer = answer(&batch);
                if answer == Published::Accepted {
                    of_events.lock().unwrap().events.extend(batch);
                }
                std::future::ready(answer)
            };
            let mut relay = Relay::new(outbox, settings);
            let note = |note| of_notes.lock().unwrap().notes.push(note);
            relay.run(&publish, stopped, note).await
        });
        Self { seen, stop, task }
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.events.iter().map(|event| event.id.clone()).collect()
    }

    pub(crate) fn has_said(&self, wanted: impl Fn(&Note) -> bool) -> bool {
        self.seen.lock().unwrap().notes.iter().any(wanted)
    }

    pub(crate) async fn until_sent(&self, count: usize) {
        let told = async || {
            let notes = self.seen.lock().unwrap().notes.clone();
            format!("{count} are published; {:?}, {notes:?}", self.ids())
        };
        eventually_or(told, async || (self.ids().len() >= count).then_some(())).await;
    }

    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap().unwrap();
    }

    /// Ends it as a crash would, as far as that goes in this process.
    pub(crate) fn abort(self) {
        self.task.abort();
    }
}

/// That each key's events came in the order of `truth`, which has the true order of each key's ids; repeats aside.
pub(crate) fn assert_order(published: &[String], truth: &BTreeMap<String, Vec<String>>) {
    let keys: HashMap<&String, &String> = truth
        .iter()
        .flat_map(|(key, ids)| ids.iter().map(move |id| (id, key)))
        .collect();
    let mut found: HashMap<&String, Vec<&String>> = HashMap::new();
    let mut met = std::collections::HashSet::new();
    for id in published {
        if let Some(key) = keys.get(id)
            && met.insert(id)
        {
            found.entry(key).or_default().push(id);
        }
    }
    for (key, ids) in truth {
        let found = found.get(key).map_or(&[][..], Vec::as_slice);
        assert_eq!(found, ids.iter().collect::<Vec<_>>(), "key {key}");
    }
}
