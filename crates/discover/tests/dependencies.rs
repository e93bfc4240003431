//! Who asks whom in two systems whose sources are published: every dependency that a capture can show is
//! found, and none that the sources do not have.

#![cfg(test)]

#[expect(dead_code, reason = "only where they are")]
mod captures;

use std::collections::BTreeSet;

use captures::folder;
use tidegate_discover::{Discovery, discover};
use tidegate_trace::read;

fn load(path: &str) -> Option<Discovery> {
    let bytes = std::fs::read(folder()?.join(path)).unwrap();
    Some(discover(&[(path.to_owned(), read(path, &bytes).unwrap())]))
}

/// Callers and callees that are different services.
fn found(discovery: &Discovery) -> BTreeSet<(&str, &str)> {
    let calls = discovery.calls.iter();
    calls
        .map(|call| (call.caller.as_str(), call.callee.as_str()))
        .filter(|(caller, callee)| caller != callee)
        .collect()
}

/// What the services of Online Boutique ask each other, by its sources and its dependency table.
/// `checkoutservice` asks `currencyservice` as well, but the capture has no span of that: neither the
/// caller's asking side nor an answering side below it.
const BOUTIQUE: [(&str, &[&str]); 3] = [
    (
        "frontend",
        &[
            "adservice",
            "cartservice",
            "checkoutservice",
            "currencyservice",
            "productcatalogservice",
            "recommendationservice",
            "shippingservice",
        ],
    ),
    (
        "checkoutservice",
        &[
            "cartservice",
            "emailservice",
            "paymentservice",
            "productcatalogservice",
            "shippingservice",
        ],
    ),
    ("recommendationservice", &["productcatalogservice"]),
];

/// What the services of Train Ticket ask each other while somebody looks for a train, books with food
/// and assurance, pays, collects and cancels; by its sources. All names are `ts-…-service`.
const TRAIN_TICKET: [(&str, &[&str]); 13] = [
    ("auth", &["verification-code"]),
    ("basic", &["price", "route", "station", "train"]),
    ("cancel", &["inside-payment", "order", "user"]),
    ("execute", &["order", "order-other"]),
    (
        "food",
        &["delivery", "station-food", "train-food", "travel"],
    ),
    (
        "gateway",
        &[
            "auth",
            "cancel",
            "execute",
            "food",
            "inside-payment",
            "preserve",
            "preserve-other",
            "travel",
            "travel2",
        ],
    ),
    ("inside-payment", &["order", "payment"]),
    (
        "preserve",
        &[
            "assurance",
            "basic",
            "contacts",
            "food",
            "order",
            "seat",
            "security",
            "travel",
            "user",
        ],
    ),
    (
        "preserve-other",
        &[
            "assurance",
            "basic",
            "contacts",
            "food",
            "order-other",
            "seat",
            "security",
            "travel2",
            "user",
        ],
    ),
    ("seat", &["config", "order", "order-other"]),
    ("security", &["order", "order-other"]),
    ("travel", &["basic", "route", "seat"]),
    ("travel2", &["basic", "seat"]),
];

#[test]
fn the_boutique_asks_whom_its_sources_ask() {
    let Some(discovery) = load("online_boutique/nezha_online_boutique_normal.otlp.json") else {
        return;
    };
    let known: BTreeSet<(&str, &str)> = BOUTIQUE
        .iter()
        .flat_map(|(caller, callees)| callees.iter().map(|callee| (*caller, *callee)))
        .collect();
    assert_eq!(found(&discovery), known);
}

#[test]
fn the_train_ticket_asks_whom_its_sources_ask() {
    let Some(discovery) = load("train_ticket/nezha_train_ticket_normal.otlp.json") else {
        return;
    };
    let service = |name: &str| format!("ts-{name}-service");
    let known: BTreeSet<(String, String)> = TRAIN_TICKET
        .iter()
        .flat_map(|(caller, callees)| {
            callees
                .iter()
                .map(|callee| (service(caller), service(callee)))
        })
        .collect();
    let found: BTreeSet<(String, String)> = found(&discovery)
        .into_iter()
        .filter(|(_, callee)| callee.starts_with("ts-"))
        .map(|(caller, callee)| (caller.to_owned(), callee.to_owned()))
        .collect();
    assert_eq!(found, known);
    assert_eq!(known.len(), 53);
}
