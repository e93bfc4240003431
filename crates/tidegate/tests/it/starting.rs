//! What is wrong with an app is told at its start, all at once.

use tidegate::{App, Context, Design, Shared, StartError};

use crate::support::*;

async fn handle(_order: OrderPlaced) {}

async fn wants(_order: OrderPlaced, _ledger: Shared<u64>) {}

#[tokio::test]
async fn every_misfit_is_told_with_its_place_and_the_next_step() {
    let setup = App::in_memory(shop())
        .on("biling/OrderPlaced", handle)
        .on("no name", handle)
        .on(QUOTING, handle)
        .on(QUOTING, handle)
        .on(SHIPPING, wants)
        .elsewhere(SHIPPING);
    let error = setup.start().await.unwrap_err();
    let StartError::Handlers { problems } = error else {
        panic!("{error}");
    };
    let expected = [
        "`no name` names no consumer, such as `billing/OrderPlaced`: ",
        "`billing/QuoteAsked` has two handlers: remove one",
        "`shipping/PaymentTaken`: the handler wants `Shared<u64>`: give it to the app with `.share(…)`",
        "`biling/OrderPlaced` is no consumer of the design; did you mean `billing/OrderPlaced`?",
        "inline design:14:7: `orders/QuoteGiven` has no handler: add `.on(\"orders/QuoteGiven\", …)`, or ",
        "inline design:19:7: `billing/OrderPlaced` has no handler: ",
        "`shipping/PaymentTaken` has a handler and is said to be elsewhere",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{problem}\n{expected}");
    }
}

#[tokio::test]
async fn a_design_with_errors_is_told_with_its_findings() {
    let text = "tidegate: 1\nsystem: shop\nservices: {shop: {publishes: [Nothing]}}\n";
    let error = App::in_memory(Design::inline(text))
        .start()
        .await
        .unwrap_err();
    let StartError::Design { findings } = error else {
        panic!("{error}");
    };
    assert!(findings.contains("Nothing"), "{findings}");
    let error = App::in_memory("no/such/design.yaml")
        .start()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no/such/design.yaml"), "{error}");
}

#[tokio::test]
async fn a_consumer_elsewhere_with_an_endpoint_needs_a_way_there() {
    let text = "
tidegate: 1
system: shop
events: {Happened: {}}
services:
  here: {publishes: [Happened]}
  there:
    consumes:
      Happened: {deliver: {to: 'http://localhost:9/'}}
";
    let setup = || App::in_memory(Design::inline(text)).elsewhere("there/Happened");
    let error = setup().start().await.unwrap_err().to_string();
    assert!(error.contains("`.push_through(…)`"), "{error}");
    let clock = std::sync::Arc::new(tidegate::runtime::TokioClock::new());
    let pusher = std::sync::Arc::new(tidegate_server::HttpCaller::new(clock));
    setup().push_through(pusher).start().await.unwrap();
}

#[tokio::test]
async fn a_transaction_of_kafka_is_refused_on_a_log_of_its_own() {
    let text = "
tidegate: 1
system: shop
messaging: {broker: kafka}
events: {Happened: {}}
services:
  here: {publishes: [Happened]}
  there: {consumes: {Happened: {guarantee: kafka-transaction}}}
";
    async fn note(_context: Context) {}
    let folder = tempfile::tempdir().unwrap();
    let setup = App::open(Design::inline(text), folder.path()).on("there/Happened", note);
    let error = setup.start().await.unwrap_err().to_string();
    assert!(
        error.contains("`there/Happened` asks for kafka-transaction")
            && error.contains("`App::connect`"),
        "{error}"
    );
    let setup = App::in_memory(Design::inline(text)).on("there/Happened", note);
    setup.start().await.unwrap();
}
