//! A process of an embedded app that is killed again and again: what was accepted is handled, in order, and what its
//! handler publishes and keeps is there once.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidegate::{App, Context, Event, Outcome};

use crate::support::*;

/// Names the folder of the child's log; without it the child has nothing to do.
const FOLDER: &str = "TIDEGATE_TEST_FOLDER";
const ORDERS: u64 = 300;
const KEYS: u64 = 3;

/// A payment with the number of it for its key.
#[derive(Serialize, Deserialize)]
struct Numbered {
    order: String,
    number: u64,
}

impl Event for Numbered {
    const TYPE: &'static str = "PaymentTaken";
}

/// Counts the orders of a key in its state, and publishes each count.
async fn count(order: OrderPlaced, context: Context) -> tidegate::Result<Outcome> {
    let number = context.state::<u64>()?.unwrap_or_default() + 1;
    tokio::time::sleep(Duration::from_millis(order.cents % 7)).await;
    let order = order.order;
    Ok(Outcome::done()
        .publish(&Numbered { order, number })
        .state(&number))
}

async fn started(folder: &Path, notes: Notes<(String, u64)>) -> App {
    with_only(App::open(shop(), folder), &[BILLING, SHIPPING])
        .on(BILLING, count)
        .on(SHIPPING, move |payment: Numbered| {
            notes.add((payment.order, payment.number));
            std::future::ready(())
        })
        .start()
        .await
        .unwrap()
}

/// The child: publishes and handles until it is killed, and says what was accepted.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let app = started(Path::new(&folder), Notes::new()).await;
    for cents in 0..ORDERS {
        let name = (cents % KEYS).to_string();
        let order = OrderPlaced {
            order: name.clone(),
            cents,
        };
        let event = tidegate::Publication::from(&order).id(cents.to_string());
        let accepted = app.publish(event).await.unwrap();
        eprintln!("accepted {}", accepted.id);
    }
    std::future::pending::<()>().await;
}

fn begin(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_repeats_no_output_and_loses_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let mut accepted = std::collections::BTreeSet::new();
    // Each child publishes from the first on: what is there already is stored once.
    for lines in [20, 90, 170, 230, 290] {
        let mut child = begin(folder.path());
        let output = BufReader::new(child.stderr.take().unwrap());
        let said = output.lines().map_while(Result::ok);
        let ids = said.filter_map(|line| line.strip_prefix("accepted ").map(str::to_owned));
        accepted.extend(ids.take(lines));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(accepted.len() >= 290);
    assert!(fs::read_dir(folder.path()).unwrap().count() > 0);
    // The payments of before were shipped by children, so what is counted here is the log of them.
    let notes = Notes::new();
    let app = started(folder.path(), notes.clone()).await;
    let view = || app.runtime().unwrap().view();
    let backlog = || view().totals.backlog;
    tokio::time::sleep(Duration::from_millis(600)).await;
    until(|| backlog() == 0).await;
    let counts = |name: &str| {
        let view = view();
        let event = view.events.iter().find(|event| event.name.as_str() == name);
        event.unwrap().accepted_total
    };
    let (orders, payments) = (counts("OrderPlaced"), counts("PaymentTaken"));
    assert!(orders >= 290, "{orders}");
    assert_eq!(payments, orders, "each order has one payment");
    // The next of a key has the next number: no state was lost, and none was counted twice.
    let before = notes.len();
    for key in 0..KEYS {
        let order = OrderPlaced {
            order: key.to_string(),
            cents: 0,
        };
        app.publish(&order).await.unwrap();
    }
    until(|| notes.len() >= before + 3).await;
    let total: u64 = notes.all()[before..]
        .iter()
        .map(|(_, number)| number - 1)
        .sum();
    assert_eq!(total, orders);
    assert!(letters(&app).await.is_empty());
}
