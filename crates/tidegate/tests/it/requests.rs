//! Requests and their replies.

use std::time::Duration;

use tidegate::{App, Context, RequestError, Setup};

use crate::support::*;

fn quoting() -> Setup {
    with_only(App::in_memory(shop()), &[QUOTING, QUOTES])
        .replies::<QuoteGiven>(QUOTES)
        .on(QUOTING, quote)
}

pub(crate) async fn quote(asked: QuoteAsked, context: Context) -> tidegate::Result {
    let time = match asked.item.as_str() {
        "slow" => 2_000,
        "never" => 20_000,
        _ => 100,
    };
    tokio::time::sleep(Duration::from_millis(time)).await;
    context.reply(&QuoteGiven { item: asked.item })
}

fn asked(item: &str) -> QuoteAsked {
    let item = item.to_owned();
    QuoteAsked { item }
}

#[tokio::test(start_paused = true)]
async fn each_requester_gets_its_own_reply() {
    let app = quoting().start().await.unwrap();
    let (slow, quick) = (asked("slow"), asked("quick"));
    let limit = Duration::from_secs(10);
    let (slow, quick) = tokio::join!(
        app.request::<QuoteGiven>(&slow, limit),
        app.request::<QuoteGiven>(&quick, limit)
    );
    assert_eq!(slow.unwrap().item, "slow");
    assert_eq!(quick.unwrap().item, "quick");
    assert_eq!(app.late_replies(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_is_dropped_and_counted() {
    let app = quoting().start().await.unwrap();
    let limit = Duration::from_secs(1);
    let error = app
        .request::<QuoteGiven>(&asked("slow"), limit)
        .await
        .unwrap_err();
    assert_eq!(error, RequestError::Timeout { after: limit });
    until(|| app.late_replies() == 1).await;
    let reply = app
        .request::<QuoteGiven>(&asked("quick"), limit)
        .await
        .unwrap();
    assert_eq!(reply.item, "quick");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_nobody_takes_or_asked_for_is_told() {
    let app = quoting().start().await.unwrap();
    let error = app
        .request::<PaymentTaken>(&asked("x"), Duration::from_secs(1))
        .await;
    let error = error.unwrap_err();
    assert!(
        matches!(
            error,
            RequestError::NoReplies {
                event_type: "PaymentTaken"
            }
        ),
        "{error}"
    );
    // An event that is no request makes a dead letter of a handler that replies.
    app.publish(&asked("x")).await.unwrap();
    let letters = letters_of(&app, 1).await;
    assert!(
        letters[0].error.contains("asks for no reply"),
        "{}",
        letters[0].error
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_another_type_parks_the_request() {
    let app = with_only(App::in_memory(shop()), &[QUOTING, QUOTES])
        .replies::<QuoteGiven>(QUOTES)
        .on(QUOTING, async |asked: QuoteAsked, context: Context| {
            context.reply(&PaymentTaken { order: asked.item })
        })
        .start()
        .await
        .unwrap();
    let limit = Duration::from_secs(1);
    assert!(app.request::<QuoteGiven>(&asked("x"), limit).await.is_err());
    let error = &letters_of(&app, 1).await[0].error;
    assert!(
        error.contains("type `QuoteGiven`, and the handler gives `PaymentTaken`"),
        "{error}"
    );
}
