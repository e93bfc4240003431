//! Effects of an app whose events are in a daemon: behind a real server, in this process.

use std::time::Duration;

use tidegate::runtime::{SeekRequest, SeekTo};
use tidegate::{App, CollectError, Design, Publication};
use tidegate_server::{Access, Server};

use crate::effects::{Books, DESIGN, book};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn effects_relay_replay_and_collection_work_over_http() {
    let guarantee = "guarantee: exactly-once-effect";
    let design = DESIGN.replace(guarantee, &format!("{guarantee}\n        replay: allowed"));
    let daemon = App::in_memory(Design::inline(design))
        .elsewhere(BILLING)
        .elsewhere(SHIPPING)
        .start()
        .await
        .unwrap();
    let access = Access::new("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let runtime = daemon.runtime().unwrap().clone();
    let server = Server::start(runtime.clone(), access).await.unwrap();
    let url = format!("http://{}", server.address());

    let books = Books::open().await;
    let app = App::connect(&url)
        .collect_every(None)
        .on_effect(BILLING, &books.effects(), book)
        .start()
        .await
        .unwrap();
    let relay = app.relay(books.outbox());
    for name in ["a", "flaky", "b"] {
        let event = Publication::from(&order(name)).id(name);
        app.publish(event).await.unwrap();
    }
    let payments = || {
        let view = runtime.view();
        let event = view
            .events
            .iter()
            .find(|e| e.name.as_str() == "PaymentTaken");
        event.map_or(0, |event| event.accepted_total)
    };
    until(|| done(&daemon, BILLING) == 3 && payments() == 3).await;
    let mut ledger = books.ledger().await;
    ledger.sort_unstable();
    assert_eq!(ledger, ["a", "b", "flaky"]);

    let replay = SeekRequest {
        consumer: BILLING.parse().unwrap(),
        to: SeekTo::Sequence(1),
        until: Some(SeekTo::Sequence(2)),
        reason: "a fix".to_owned(),
        dry_run: false,
        confirmed: false,
    };
    assert_eq!(app.collect_inboxes().await.unwrap(), 3);
    runtime.seek(replay).await.unwrap();
    until(|| done(&daemon, BILLING) == 4).await;
    assert_eq!(books.ledger().await[3], "flaky");
    let generations: Vec<(i64, i64)> =
        sqlx::query_as("SELECT position, generation FROM tidegate_inbox")
            .fetch_all(&books.pool)
            .await
            .unwrap();
    assert_eq!(generations, [(1, 1)]);
    assert_eq!(app.collect_inboxes().await.unwrap(), 1);

    relay.stop().await.unwrap();
    server.stop(Duration::from_secs(1)).await;
    let unknown = app.collect_inboxes().await;
    assert!(matches!(unknown, Err(CollectError::Unknown { .. })));
    app.drain(Duration::from_secs(1)).await;
}
