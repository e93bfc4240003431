//! Orders that are booked in a database exactly once, and what follows from them, published from its outbox.
//!
//! `cargo run -p tidegate --features sqlite --example effects`

use std::error::Error;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sqlx::{SqliteConnection, SqlitePool};
use tidegate::sql::{Effects, SQLITE, SqliteOutbox};
use tidegate::{App, Context, Design, Event, Outcome, Publication, Shared};
use tokio::sync::Semaphore;

const DESIGN: &str = "
tidegate: 1
system: bookshop
events:
  OrderPlaced: {summary: An order., owner: orders, key: /order}
  OrderBooked: {summary: An order that is in the books., owner: billing, key: /order}
services:
  orders: {owner: orders, publishes: [OrderPlaced]}
  billing:
    owner: billing
    publishes: [OrderBooked]
    consumes:
      OrderPlaced:
        deliver: {transaction: sqlite}
        guarantee: exactly-once-effect
        emits: [OrderBooked]
        dead-letter: {owner: billing, retention: 30d}
  shipping:
    owner: shipping
    consumes:
      OrderBooked: {dead-letter: {owner: shipping, retention: 30d}}
";

#[derive(Serialize, Deserialize)]
struct OrderPlaced {
    order: String,
    cents: i64,
}

impl Event for OrderPlaced {
    const TYPE: &'static str = "OrderPlaced";
}

#[derive(Serialize, Deserialize)]
struct OrderBooked {
    order: String,
}

impl Event for OrderBooked {
    const TYPE: &'static str = "OrderBooked";
}

/// The change and the event commit together with the note of this delivery, or nothing does.
async fn book(
    order: OrderPlaced,
    tx: &mut SqliteConnection,
    context: Context,
) -> tidegate::Result<Outcome> {
    if order.cents <= 0 {
        return Err(Outcome::park(format!(
            "order {} costs nothing",
            context.id()
        )));
    }
    sqlx::query("UPDATE account SET cents = cents + ?1")
        .bind(order.cents)
        .execute(&mut *tx)
        .await?;
    let order = order.order;
    let booked = OrderBooked {
        order: order.clone(),
    };
    Ok(Outcome::done().publish(Publication::from(&booked).key(order)))
}

async fn ship(_booked: OrderBooked, Shared(shipped): Shared<Arc<Semaphore>>) {
    shipped.add_permits(1);
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example tells what it does")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("billing.db").display());
    let pool = SqlitePool::connect(&format!("{url}?mode=rwc")).await?;
    sqlx::raw_sql(SQLITE).execute(&pool).await?;
    sqlx::raw_sql("CREATE TABLE account (cents INTEGER); INSERT INTO account VALUES (0)")
        .execute(&pool)
        .await?;

    let shipped = Arc::new(Semaphore::new(0));
    let effects = Effects::new(pool.clone());
    let app = App::open(Design::inline(DESIGN), folder.path().join("data"))
        .share(Arc::clone(&shipped))
        .on_effect("billing/OrderPlaced", &effects, book)
        .on("shipping/OrderBooked", ship)
        .start()
        .await?;
    app.relay(SqliteOutbox::from_url(&url)?);

    for cents in 1..=10 {
        let order = format!("A-{cents}");
        app.publish(&OrderPlaced { order, cents }).await?;
    }
    app.run_until(shipped.acquire_many(10)).await;
    let sum: i64 = sqlx::query_scalar("SELECT cents FROM account")
        .fetch_one(&pool)
        .await?;
    println!("10 orders are booked and shipped: {sum} cents");
    Ok(())
}
