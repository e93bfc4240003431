//! A checkout in one process: orders, billing and shipping, with a bank that fails and an order of nobody.
//!
//! ```sh
//! cargo run -p tidegate --example checkout
//! ```
#![expect(clippy::print_stdout, reason = "it tells what happens")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidegate::runtime::DeadLetterFilter;
use tidegate::{App, Batch, Context, Design, Event, OrElse, Outcome, Shared};
use tokio::sync::Semaphore;

const DESIGN: &str = "
tidegate: 1
system: checkout
events:
  OrderPlaced: {key: /customer, owner: team-orders}
  PaymentTaken: {key: /customer, owner: team-billing}
services:
  orders: {owner: team-orders, publishes: [OrderPlaced]}
  billing:
    owner: team-billing
    publishes: [PaymentTaken]
    consumes:
      OrderPlaced:
        needs: [bank]
        retry: {initial: 100ms, max: 1s, attempts: 5}
        dead-letter: {owner: team-billing, retention: 30d}
  shipping:
    owner: team-shipping
    consumes:
      PaymentTaken: {dead-letter: {owner: team-shipping, retention: 30d}}
dependencies:
  bank: {owner: team-bank}
";

#[derive(Serialize, Deserialize)]
struct OrderPlaced {
    order: String,
    customer: String,
    cents: u64,
}

impl Event for OrderPlaced {
    const TYPE: &'static str = "OrderPlaced";
}

#[derive(Serialize, Deserialize)]
struct PaymentTaken {
    order: String,
    customer: String,
}

impl Event for PaymentTaken {
    const TYPE: &'static str = "PaymentTaken";
}

/// A bank that is away for its first three calls.
#[derive(Default)]
struct Bank {
    calls: AtomicU32,
}

impl Bank {
    async fn charge(&self, cents: u64, idempotency_key: &str) -> Result<(), String> {
        match self.calls.fetch_add(1, Ordering::Relaxed) {
            0..3 => Err(format!("no route to the bank for {idempotency_key}")),
            _ => {
                println!("  bank      {cents} cents for {idempotency_key}");
                Ok(())
            }
        }
    }
}

/// Charges an order and keeps what the customer has spent: effect known to the bank by its key, the rest in one batch.
async fn bill(
    order: OrderPlaced,
    context: Context,
    Shared(bank): Shared<Arc<Bank>>,
) -> tidegate::Result<Outcome> {
    if order.customer == "nobody" {
        return Err(Outcome::park(format!(
            "order {} has no customer",
            order.order
        )));
    }
    bank.charge(order.cents, context.delivery_id())
        .await
        .or_unavailable()?;
    let spent = context.state::<u64>()?.unwrap_or_default() + order.cents;
    println!("  billing   {} has spent {spent} cents", order.customer);
    let OrderPlaced {
        order, customer, ..
    } = order;
    let payment = PaymentTaken { order, customer };
    Ok(Outcome::done().publish(&payment).state(&spent))
}

/// One van takes all parcels of a moment.
async fn ship(payments: Batch<PaymentTaken>, shipped: Arc<Semaphore>) {
    let orders: Vec<&str> = payments
        .iter()
        .map(|payment| payment.data.order.as_str())
        .collect();
    println!("  shipping  a van with {}", orders.join(", "));
    shipped.add_permits(orders.len());
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let shipped = Arc::new(Semaphore::new(0));
    let van = Arc::clone(&shipped);
    let app = App::open(Design::inline(DESIGN), folder.path())
        .share(Arc::new(Bank::default()))
        .on("billing/OrderPlaced", bill)
        .on_batch(
            "shipping/PaymentTaken",
            16,
            Duration::from_millis(50),
            move |payments| ship(payments, Arc::clone(&van)),
        )
        .start()
        .await?;
    println!("six orders; the bank is away for its first calls");
    for (number, customer) in ["ada", "ada", "nobody", "bob", "ada", "bob"]
        .iter()
        .enumerate()
    {
        let (order, customer) = (format!("A-{number}"), (*customer).to_owned());
        app.publish(&OrderPlaced {
            order,
            customer,
            cents: 1250,
        })
        .await?;
    }
    // A service says `app.run_until(tokio::signal::ctrl_c())`; this ends once five are shipped.
    let end = async {
        let _five = shipped.acquire_many(5).await;
        if let Some(runtime) = app.runtime() {
            let page = runtime.dead_letters(DeadLetterFilter::default()).await;
            for letter in page.letters {
                println!("  parked    {}: {}", letter.id, letter.error);
            }
        }
    };
    let report = app.run_until(end).await;
    println!(
        "drained: {} finished, {} called off",
        report.finished, report.cancelled
    );
    Ok(())
}
