//! Tower's layers around handlers.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidegate::{App, Context, Delivery, Outcome, Shared};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::timeout::TimeoutLayer;
use tower::{BoxError, ServiceBuilder, service_fn};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_layer_is_one_that_breakers_count() {
    let app = with_only(App::in_memory(shop()), &[BILLING])
        .layer(TimeoutLayer::new(Duration::from_secs(1)))
        .on(BILLING, async |order: OrderPlaced| {
            drop(order);
            tokio::time::sleep(Duration::from_secs(3)).await;
        })
        .start()
        .await
        .unwrap();
    app.publish_all(["a", "b", "c", "d"].map(order).iter())
        .await
        .unwrap();
    let state = || app.runtime().unwrap().view().dependencies[0].state;
    until(|| state() != "closed").await;
    let letters = letters(&app).await;
    assert!(letters.is_empty(), "an open breaker holds: {letters:?}");
}

#[tokio::test(start_paused = true)]
async fn a_layer_around_all_handlers_limits_them_together() {
    #[derive(Clone, Default)]
    struct Running(Arc<AtomicUsize>, Arc<AtomicUsize>);
    async fn handle(_event: serde_json::Value, Shared(running): Shared<Running>) {
        let now = running.0.fetch_add(1, Ordering::SeqCst) + 1;
        running.1.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
        running.0.fetch_sub(1, Ordering::SeqCst);
    }
    for (limit, expected) in [(2, 2), (100, 9)] {
        let running = Running::default();
        let app = with_only(App::in_memory(shop()), &[BILLING, QUOTING])
            .layer(GlobalConcurrencyLimitLayer::new(limit))
            .share(running.clone())
            .on(BILLING, handle)
            .on(QUOTING, handle)
            .start()
            .await
            .unwrap();
        let item = "pen".to_owned();
        app.publish(&QuoteAsked { item }).await.unwrap();
        for number in 0..8 {
            app.publish(&order(&number.to_string())).await.unwrap();
        }
        until(|| done(&app, BILLING) + done(&app, QUOTING) == 9).await;
        let most = running.1.load(Ordering::SeqCst);
        // Publishing takes no time here, so without the limit all of them run together.
        assert_eq!(most, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_sheds_load_burns_no_attempt() {
    let notes: Notes<u32> = Notes::new();
    let attempts = notes.clone();
    let handler = tidegate::service(move |order: OrderPlaced, context: Context| {
        drop(order);
        attempts.add(context.attempt());
        tokio::time::sleep(Duration::from_secs(1))
    });
    let handler = ServiceBuilder::new()
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::new(1))
        .service(handler);
    let app = with_only(App::in_memory(shop()), &[BILLING])
        .on_service(BILLING, handler)
        .start()
        .await
        .unwrap();
    for name in ["a", "b", "c"] {
        app.publish(&order(name)).await.unwrap();
    }
    until(|| done(&app, BILLING) == 3).await;
    assert_eq!(notes.all(), [1, 1, 1]);
    assert!(letters(&app).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn any_service_of_deliveries_is_a_handler_and_its_errors_are_retries() {
    let service = service_fn(async |delivery: Delivery| {
        let context = delivery.context();
        match context.attempt() {
            1 => Err(std::io::Error::other("the disk is full")),
            2 => panic!("a handler of a test panics, as it should"),
            _ => {
                context.publish(&PaymentTaken {
                    order: context.id().to_owned(),
                });
                Ok(Outcome::done())
            }
        }
    });
    let shipped = Notes::new();
    let parcels = shipped.clone();
    let ship = service_fn(move |delivery: Delivery| {
        parcels.add(delivery.context().attempt());
        std::future::ready(Ok::<_, Infallible>(Outcome::done()))
    });
    let app = with_only(App::in_memory(shop()), &[BILLING, SHIPPING])
        .on_service(BILLING, service)
        .on_service(SHIPPING, ship)
        .start()
        .await
        .unwrap();
    app.publish(&order("a")).await.unwrap();
    shipped.wait_for(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_runs_a_handler_twice_publishes_once() {
    #[derive(Clone)]
    struct Twice;
    impl tower::retry::Policy<Delivery, Outcome, BoxError> for Twice {
        type Future = std::future::Ready<()>;
        fn retry(
            &mut self,
            _request: &mut Delivery,
            result: &mut Result<Outcome, BoxError>,
        ) -> Option<Self::Future> {
            result.is_err().then(|| std::future::ready(()))
        }
        fn clone_request(&mut self, request: &Delivery) -> Option<Delivery> {
            Some(request.clone())
        }
    }
    let runs = Notes::new();
    let notes = runs.clone();
    let handler = tidegate::service(move |order: OrderPlaced, context: Context| {
        context.publish(&payment(&order));
        let first = notes.add(order.order) == 0;
        async move {
            if first {
                std::future::pending::<()>().await;
            }
        }
    });
    let handler = ServiceBuilder::new()
        .retry(Twice)
        .timeout(Duration::from_secs(1))
        .service(handler);
    let shipped = Notes::new();
    let parcels = shipped.clone();
    let app = with_only(App::in_memory(shop()), &[BILLING, SHIPPING])
        .on_service(BILLING, handler)
        .on(SHIPPING, move |payment: PaymentTaken, context: Context| {
            parcels.add((payment.order, context.sequence()));
            std::future::ready(())
        })
        .start()
        .await
        .unwrap();
    app.publish(&order("a")).await.unwrap();
    until(|| done(&app, BILLING) == 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(runs.len(), 2);
    assert_eq!(shipped.all(), [("a".to_owned(), 0)]);
}
