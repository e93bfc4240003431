//! The process with the handlers: a program of the library that books events in its databases, and is killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool, SqliteConnection, SqlitePool};
use tidegate::sql::{Effects, PostgresOutbox, SqliteOutbox};
use tidegate::{App, Context, Event, Outcome, Publication};
use tidegate_base::Random;

use crate::ledger::amount;

pub(crate) const BILLING: &str = "billing/OrderPlaced";
pub(crate) const STOCK: &str = "stock/OrderPlaced";

/// Says in a text of JSON what the child is to do; without it the child has nothing to do.
const ORDERS: &str = "TIDEGATE_TEST_BOOKKEEPER";

/// What a bookkeeper is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) daemon: String,
    pub(crate) sqlite: String,
    /// Where there is no PostgreSQL, the stock is not kept.
    pub(crate) postgres: Option<String>,
    /// Once this file is there, handlers only succeed.
    pub(crate) mended: PathBuf,
    pub(crate) seed: u64,
}

#[derive(Deserialize)]
pub(crate) struct OrderPlaced {
    #[serde(rename = "orderId")]
    order: String,
}

#[derive(Serialize)]
struct Entered {
    #[serde(rename = "orderId")]
    order: String,
}

impl Event for Entered {
    const TYPE: &'static str = "Entered";
}

/// Begins a process with handlers.
pub(crate) fn begin(orders: &Orders) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "bookkeeper::child", "--nocapture"])
        .env(ORDERS, serde_json::to_string(orders).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs of handlers of this process.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// What goes wrong after the change, until all is mended.
async fn goes_wrong(orders: &Orders, context: &Context) -> tidegate::Result {
    let consumer = context.consumer().to_string();
    let random = Random::new(orders.seed, &consumer, context.id());
    // An overload burns no attempt: chosen by the attempt, it would never pass.
    let run = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
    let pause = random.bits(run) % 4;
    tokio::time::sleep(Duration::from_millis(pause)).await;
    if Path::new(&orders.mended).exists() {
        return Ok(());
    }
    match random.bits(run) % 100 {
        // Rare, as everything of its key waits until it is sent back.
        0 if random.bits(run + 1).is_multiple_of(2) => Err(Outcome::park("a dead letter")),
        0..6 => Err(Outcome::retry("something")),
        6..8 => Err(Outcome::unavailable("something is away")),
        8 => Err(Outcome::overloaded("busy").after(Duration::from_millis(20))),
        9 => panic!("a handler of a test panics, as it should"),
        _ => Ok(()),
    }
}

pub(crate) fn entered(order: OrderPlaced) -> Outcome {
    let order = order.order;
    let entered = Entered {
        order: order.clone(),
    };
    Outcome::done().publish(Publication::from(&entered).key(order))
}

async fn bill(
    order: OrderPlaced,
    tx: &mut SqliteConnection,
    context: Context,
    tidegate::Shared(orders): tidegate::Shared<Orders>,
) -> tidegate::Result<Outcome> {
    sqlx::query("INSERT INTO ledger (id, key, sequence) VALUES (?1, ?2, ?3)")
        .bind(context.id())
        .bind(&order.order)
        .bind(i64::try_from(context.sequence())?)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO account (key, sum) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET sum = sum + excluded.sum",
    )
    .bind(&order.order)
    .bind(amount(context.id()))
    .execute(&mut *tx)
    .await?;
    goes_wrong(&orders, &context).await?;
    Ok(entered(order))
}

async fn keep(
    order: OrderPlaced,
    tx: &mut PgConnection,
    context: Context,
    tidegate::Shared(orders): tidegate::Shared<Orders>,
) -> tidegate::Result<Outcome> {
    sqlx::query("INSERT INTO ledger (id, key, sequence) VALUES ($1, $2, $3)")
        .bind(context.id())
        .bind(&order.order)
        .bind(i64::try_from(context.sequence())?)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "INSERT INTO account (key, sum) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET sum = account.sum + excluded.sum",
    )
    .bind(&order.order)
    .bind(amount(context.id()))
    .execute(&mut *tx)
    .await?;
    goes_wrong(&orders, &context).await?;
    Ok(entered(order))
}

/// The child: handles until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Some(orders) = std::env::var_os(ORDERS) else {
        return;
    };
    let orders: Orders = serde_json::from_str(orders.to_str().unwrap()).unwrap();
    let sqlite = SqlitePool::connect(&orders.sqlite).await.unwrap();
    let postgres = match &orders.postgres {
        Some(url) => Some(PgPool::connect(url).await.unwrap()),
        None => None,
    };
    let app = loop {
        let mut setup = App::connect(&orders.daemon)
            .share(orders.clone())
            .collect_every(Some(Duration::from_millis(100)))
            .on_effect(BILLING, &Effects::new(sqlite.clone()), bill);
        if let Some(pool) = &postgres {
            setup = setup.on_effect(STOCK, &Effects::new(pool.clone()), keep);
        }
        match setup.start().await {
            Ok(app) => break app,
            // The daemon was killed and comes again.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let _of_billing = app.relay(SqliteOutbox::from_url(&orders.sqlite).unwrap());
    if let Some(url) = &orders.postgres {
        app.relay(PostgresOutbox::from_url(url).unwrap());
    }
    std::future::pending::<()>().await;
}
