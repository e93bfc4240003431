//! A shop in a test: its design, its events, and a note of what its handlers did.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidegate::runtime::DeadLetterFilter;
use tidegate::runtime::view::DeadLetterView;
use tidegate::{App, Design, Event, Setup};

const DESIGN: &str = "
tidegate: 1
system: shop
events:
  OrderPlaced: {key: /order, owner: team-orders}
  PaymentTaken: {key: /order, owner: team-billing}
  QuoteAsked: {owner: team-orders}
  QuoteGiven: {owner: team-billing}
services:
  orders:
    owner: team-orders
    publishes: [OrderPlaced, QuoteAsked]
    consumes:
      QuoteGiven: {}
  billing:
    owner: team-billing
    publishes: [PaymentTaken, QuoteGiven]
    consumes:
      OrderPlaced:
        deliver: {concurrency: 8, timeout: 5s}
        needs: [bank]
        retry: {backoff: constant, initial: 100ms, max: 1s, jitter: none, attempts: 3}
        dead-letter: {owner: team-billing, retention: 30d}
        emits: [PaymentTaken]
      QuoteAsked:
        retry: {backoff: constant, initial: 100ms, max: 1s, jitter: none, attempts: 2}
        dead-letter: {owner: team-billing, retention: 30d}
        emits: [QuoteGiven]
  shipping:
    owner: team-shipping
    consumes:
      PaymentTaken:
        dead-letter: {owner: team-shipping, retention: 30d}
dependencies:
  bank: {owner: team-bank, breaker: {failure-rate: 50%, minimum: 3, window: 30s, open: 10s, probes: 1}}
";

pub(crate) const BILLING: &str = "billing/OrderPlaced";
pub(crate) const QUOTING: &str = "billing/QuoteAsked";
pub(crate) const QUOTES: &str = "orders/QuoteGiven";
pub(crate) const SHIPPING: &str = "shipping/PaymentTaken";
const CONSUMERS: [&str; 4] = [BILLING, QUOTING, QUOTES, SHIPPING];

pub(crate) fn shop() -> Design {
    Design::inline(DESIGN)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderPlaced {
    pub(crate) order: String,
    pub(crate) cents: u64,
}

impl Event for OrderPlaced {
    const TYPE: &'static str = "OrderPlaced";
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PaymentTaken {
    pub(crate) order: String,
}

impl Event for PaymentTaken {
    const TYPE: &'static str = "PaymentTaken";
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QuoteAsked {
    pub(crate) item: String,
}

impl Event for QuoteAsked {
    const TYPE: &'static str = "QuoteAsked";
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QuoteGiven {
    pub(crate) item: String,
}

impl Event for QuoteGiven {
    const TYPE: &'static str = "QuoteGiven";
}

pub(crate) fn order(name: &str) -> OrderPlaced {
    let order = name.to_owned();
    OrderPlaced { order, cents: 100 }
}

pub(crate) fn payment(order: &OrderPlaced) -> PaymentTaken {
    let order = order.order.clone();
    PaymentTaken { order }
}

/// A setup in which every consumer that is not named is elsewhere.
pub(crate) fn with_only(setup: Setup, handled: &[&str]) -> Setup {
    let others = CONSUMERS.iter().filter(|name| !handled.contains(name));
    others.fold(setup, |setup, name| setup.elsewhere(name))
}

/// What handlers did, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes<T>(Arc<Mutex<Vec<T>>>);

impl<T: Clone> Notes<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Notes something; returns how many notes there were before.
    pub(crate) fn add(&self, note: T) -> usize {
        let mut notes = self.0.lock().unwrap();
        notes.push(note);
        notes.len() - 1
    }

    pub(crate) fn remove(&self, note: &T)
    where
        T: PartialEq,
    {
        let mut notes = self.0.lock().unwrap();
        let place = notes.iter().position(|noted| noted == note);
        drop(place.map(|place| notes.remove(place)));
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) async fn wait_for(&self, count: usize) {
        until(|| self.len() >= count).await;
    }
}

/// Polls until something is true; a test that waits for it in vain fails.
pub(crate) async fn until(is_true: impl Fn() -> bool) {
    let wait = async {
        while !is_true() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, wait)
        .await
        .expect("it comes true");
}

pub(crate) async fn letters(app: &App) -> Vec<DeadLetterView> {
    let runtime = app.runtime().expect("it is embedded");
    runtime
        .dead_letters(DeadLetterFilter::default())
        .await
        .letters
}

/// Dead letters once there are so many.
pub(crate) async fn letters_of(app: &App, count: usize) -> Vec<DeadLetterView> {
    let wait = async {
        loop {
            let letters = letters(app).await;
            if letters.len() >= count {
                return letters;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, wait)
        .await
        .expect("they come")
}

/// Deliveries of a consumer that are done since the start, as of the last view.
pub(crate) fn done(app: &App, consumer: &str) -> u64 {
    let view = app.runtime().expect("it is embedded").view();
    let consumers = view.consumers.iter();
    let found = consumers.filter(|view| view.id.to_string() == consumer);
    found.map(|view| view.succeeded_total).sum()
}
