//! Starts, ends and what is between them: nothing is lost, what is done stays done.

use std::path::Path;
use std::time::Duration;

use tidegate::{App, Context, Setup, StartError};

use crate::support::*;

fn billing(data: &Path) -> Setup {
    with_only(App::open(shop(), data), &[BILLING])
}

/// The app, once the process before has let the log go.
async fn reopened(setup: impl Fn() -> Setup) -> App {
    for _ in 0..1_000 {
        match setup().start().await {
            Ok(app) => return app,
            Err(StartError::Log { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the log stays locked");
}

#[tokio::test]
async fn an_app_that_is_dropped_loses_nothing_and_repeats_nothing_that_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let runs: Notes<(String, u64)> = Notes::new();
    let first = runs.clone();
    let app = billing(folder.path())
        .on(BILLING, move |order: OrderPlaced, context: Context| {
            first.add((order.order.clone(), context.epoch()));
            async move {
                if order.order == "hangs" {
                    std::future::pending::<()>().await;
                }
            }
        })
        .start()
        .await
        .unwrap();
    app.publish(&order("done")).await.unwrap();
    until(|| done(&app, BILLING) == 1).await;
    app.publish(&order("hangs")).await.unwrap();
    runs.wait_for(2).await;
    drop(app);
    let again = runs.clone();
    let app = reopened(|| {
        let again = again.clone();
        billing(folder.path()).on(BILLING, move |order: OrderPlaced, context: Context| {
            again.add((order.order, context.epoch()));
            std::future::ready(())
        })
    })
    .await;
    until(|| done(&app, BILLING) == 1).await;
    let runs = runs.all();
    let names: Vec<&str> = runs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["done", "hangs", "hangs"]);
    assert!(runs[1].1 < runs[2].1, "the epoch grows: {runs:?}");
}

#[tokio::test]
async fn a_drain_lets_handlers_finish_and_calls_off_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let started: Notes<String> = Notes::new();
    let begun = started.clone();
    let app = billing(folder.path())
        .on(BILLING, move |order: OrderPlaced| {
            begun.add(order.order.clone());
            async move {
                match order.order.as_str() {
                    "hangs" => std::future::pending::<()>().await,
                    _ => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        })
        .start()
        .await
        .unwrap();
    app.publish_all([&order("quick"), &order("hangs")])
        .await
        .unwrap();
    started.wait_for(2).await;
    let report = app.drain(Duration::from_secs(1)).await;
    assert_eq!((report.finished, report.cancelled), (1, 1), "{report:?}");
    assert_eq!((report.backlog, report.stopped), (Some(1), None));
    let error = app.publish(&order("late")).await.unwrap_err();
    assert!(
        matches!(error, tidegate::PublishError::Ended { .. }),
        "{error}"
    );
    // A log that is closed is let go: it opens at once, also while a handle is left.
    let attempts: Notes<(String, u32)> = Notes::new();
    let noted = attempts.clone();
    drop(app);
    let app = reopened(|| {
        let noted = noted.clone();
        billing(folder.path()).on(BILLING, move |order: OrderPlaced, context: Context| {
            noted.add((order.order, context.attempt()));
            std::future::ready(())
        })
    })
    .await;
    attempts.wait_for(1).await;
    assert_eq!(
        attempts.all(),
        [("hangs".to_owned(), 1)],
        "its attempt did not count"
    );
    drop(app);
}

#[tokio::test]
async fn a_signal_drains() {
    let folder = tempfile::tempdir().unwrap();
    let app = billing(folder.path())
        .on(BILLING, async |order: OrderPlaced| drop(order))
        .start()
        .await
        .unwrap();
    app.publish(&order("a")).await.unwrap();
    until(|| done(&app, BILLING) == 1).await;
    let (signal, signalled) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn({
        let app = app.clone();
        async move { app.run_until(signalled).await }
    });
    tokio::task::yield_now().await;
    assert!(!running.is_finished());
    signal.send(()).unwrap();
    let report = running.await.unwrap();
    assert_eq!(report.backlog, Some(0));
}

#[tokio::test]
async fn a_log_in_use_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let setup = || with_only(App::open(shop(), folder.path()), &[]);
    let app = setup().start().await.unwrap();
    let error = setup().start().await.unwrap_err();
    assert!(matches!(error, StartError::Log { .. }), "{error}");
    drop(app);
}

#[tokio::test(start_paused = true)]
async fn a_handler_reaches_its_app_and_keeps_nobody_alive() {
    let seen = Notes::new();
    let noted = seen.clone();
    let app = with_only(App::in_memory(shop()), &[BILLING])
        .on(BILLING, move |order: OrderPlaced, context: Context| {
            noted.add((order.order, context.app().is_some()));
            std::future::ready(())
        })
        .start()
        .await
        .unwrap();
    app.publish(&order("a")).await.unwrap();
    seen.wait_for(1).await;
    assert_eq!(seen.all(), [("a".to_owned(), true)]);
    let mut views = app.runtime().unwrap().watch();
    drop(app);
    // The views end with the runtime.
    while views.changed().await.is_ok() {}
}
