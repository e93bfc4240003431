//! What handlers take, and what comes of what they say.

use std::time::Duration;

use tidegate::{App, Context, OrElse, Outcome, Publication, Shared};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn a_handler_takes_what_it_names_and_its_outputs_are_delivered() {
    async fn bill(
        Shared(notes): Shared<Notes<String>>,
        context: Context,
        order: OrderPlaced,
    ) -> tidegate::Result<Outcome> {
        notes.add(format!(
            "{} {} {} {} {} {}",
            context.consumer(),
            context.id(),
            context.source(),
            context.delivery_id(),
            context.sequence(),
            order.order
        ));
        context.publish(&payment(&order));
        let second = Publication::new("PaymentTaken", &serde_json::json!({"order": "B"}));
        Ok(Outcome::done().publish(second.subject("tip")))
    }
    let (notes, shipped) = (Notes::<String>::new(), Notes::new());
    let parcels = shipped.clone();
    let app = with_only(App::in_memory(shop()), &[BILLING, SHIPPING])
        .share(notes.clone())
        .on(BILLING, bill)
        .on(SHIPPING, move |payment: PaymentTaken, context: Context| {
            let envelope = context.envelope();
            parcels.add((
                payment.order,
                envelope.source.clone(),
                envelope.subject.clone(),
                context.traceparent().map(str::to_owned),
            ));
            std::future::ready(())
        })
        .start()
        .await
        .unwrap();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let event = Publication::from(&order("A"))
        .id("1")
        .source("/web")
        .traceparent(parent);
    let accepted = app.publish(event).await.unwrap();
    assert_eq!(accepted.sequence, 0);
    shipped.wait_for(2).await;
    assert_eq!(
        notes.all(),
        ["billing/OrderPlaced 1 /web billing/OrderPlaced/0 0 A"]
    );
    let parent = Some(parent.to_owned());
    let expected = [
        ("A".to_owned(), "/billing".to_owned(), None, parent.clone()),
        (
            "B".to_owned(),
            "/billing".to_owned(),
            Some("tip".to_owned()),
            parent,
        ),
    ];
    let mut shipped = shipped.all();
    shipped.sort();
    assert_eq!(shipped, expected);
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_does_not_parse_is_parked_with_the_path() {
    let ran = Notes::new();
    let notes = ran.clone();
    let app = with_only(App::in_memory(shop()), &[BILLING])
        .on(BILLING, move |order: OrderPlaced| {
            notes.add(order.order);
            std::future::ready(())
        })
        .start()
        .await
        .unwrap();
    let odd = serde_json::json!({"order": "A", "cents": "many"});
    app.publish(Publication::new("OrderPlaced", &odd))
        .await
        .unwrap();
    let letters = letters_of(&app, 1).await;
    assert_eq!(letters[0].reason, "permanent");
    assert_eq!(letters[0].attempts, 1);
    let error = &letters[0].error;
    assert!(
        error.starts_with("the payload is no `OrderPlaced`: at cents: invalid type"),
        "{error}"
    );
    assert_eq!(ran.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn errors_are_retried_unless_they_say_otherwise() {
    async fn handle(
        order: OrderPlaced,
        context: Context,
        Shared(notes): Shared<Notes<(String, u32)>>,
    ) -> tidegate::Result {
        let earlier = notes
            .all()
            .iter()
            .filter(|(name, _)| *name == order.order)
            .count();
        notes.add((order.order.clone(), context.attempt()));
        match (order.order.as_str(), earlier) {
            ("poison", _) => drop("x".parse::<u8>().or_park()?),
            ("slow", 0) => {
                let refused: Result<(), &str> = Err("429");
                refused.or_overloaded(Duration::from_secs(2))?;
            }
            ("flaky", 0) => drop("x".parse::<u8>()?),
            ("broken", _) => return Err(Outcome::retry("the ledger is locked")),
            _ => {}
        }
        // What a failed attempt wants to publish is not published.
        context.publish(&payment(&order));
        Ok(())
    }
    let notes: Notes<(String, u32)> = Notes::new();
    let app = with_only(App::in_memory(shop()), &[BILLING])
        .share(notes.clone())
        .on(BILLING, handle)
        .start()
        .await
        .unwrap();
    for name in ["poison", "flaky", "broken"] {
        app.publish(&order(name)).await.unwrap();
    }
    let letters = letters_of(&app, 2).await;
    app.publish(&order("slow")).await.unwrap();
    notes.wait_for(8).await;
    let attempts = |name: &str| -> Vec<u32> {
        let notes = notes.all();
        let of_name = notes.into_iter().filter(|(noted, _)| noted == name);
        of_name.map(|(_, attempt)| attempt).collect()
    };
    assert_eq!(attempts("poison"), [1]);
    assert_eq!(attempts("flaky"), [1, 2]);
    assert_eq!(attempts("broken"), [1, 2, 3]);
    assert_eq!(attempts("slow"), [1, 1], "an overload burns no attempt");
    let of = |name: &str| {
        letters
            .iter()
            .find(|letter| letter.key.as_deref() == Some(name))
            .unwrap()
    };
    assert_eq!(of("poison").error, "invalid digit found in string");
    assert_eq!(of("broken").reason, "exhausted");
    assert_eq!(of("broken").error, "the ledger is locked");
    until(|| done(&app, BILLING) == 2).await;
    let view = app.runtime().unwrap().view();
    let payments = view
        .events
        .iter()
        .find(|event| event.name.as_str() == "PaymentTaken")
        .unwrap();
    assert_eq!(payments.accepted_total, 2, "flaky and slow");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_with_its_words() {
    let app = with_only(App::in_memory(shop()), &[BILLING])
        .on(BILLING, async |order: OrderPlaced| {
            assert_ne!(
                order.order, "odd",
                "a handler of a test panics, as it should"
            );
        })
        .start()
        .await
        .unwrap();
    app.publish_all([&order("odd"), &order("even")])
        .await
        .unwrap();
    let letters = letters_of(&app, 1).await;
    assert_eq!((letters[0].reason, letters[0].attempts), ("exhausted", 3));
    let error = &letters[0].error;
    assert!(
        error.contains("the handler panicked: ") && error.contains("as it should"),
        "{error}"
    );
    until(|| done(&app, BILLING) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_output_that_cannot_be_written_or_is_refused_parks_the_event() {
    async fn bill(order: OrderPlaced) -> Outcome {
        if order.order == "odd" {
            let odd = std::collections::BTreeMap::from([((1, 2), 3)]);
            return Outcome::done().publish(Publication::new("PaymentTaken", &odd));
        }
        Outcome::done().publish(&order)
    }
    let app = with_only(App::in_memory(shop()), &[BILLING])
        .on(BILLING, bill)
        .start()
        .await
        .unwrap();
    app.publish_all([&order("odd"), &order("foreign")])
        .await
        .unwrap();
    let letters = letters_of(&app, 2).await;
    let of = |name: &str| {
        letters
            .iter()
            .find(|letter| letter.key.as_deref() == Some(name))
            .unwrap()
    };
    let error = &of("odd").error;
    assert!(
        error.contains("output 0 of the handler: the payload of `PaymentTaken` cannot be"),
        "{error}"
    );
    let error = &of("foreign").error;
    assert!(
        error.contains("`billing/OrderPlaced` does not emit `OrderPlaced`"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_design_refuses_is_told_and_what_is_named_alike_is_stored_once() {
    let app = with_only(App::in_memory(shop()), &[])
        .start()
        .await
        .unwrap();
    let unknown = Publication::new("OrderPlacd", &1);
    let error = app.publish(unknown).await.unwrap_err().to_string();
    assert!(error.contains("did you mean `OrderPlaced`?"), "{error}");
    let keyless = Publication::new("OrderPlaced", &serde_json::json!({}));
    let error = app.try_publish(keyless).await.unwrap_err().to_string();
    assert!(error.contains("/order"), "{error}");
    let event = Publication::from(&order("A")).id("A");
    let first = app.publish(event.clone()).await.unwrap();
    let again = app.publish(event).await.unwrap();
    assert_eq!(first.sequence, again.sequence);
    assert_ne!(first.duplicate, again.duplicate);
    let fresh = app.publish(&order("A")).await.unwrap();
    let later = app.publish(&order("A")).await.unwrap();
    assert_ne!(fresh.id, later.id);
    assert_eq!(app.publish_all::<Publication>([]).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_waits_for_room_unless_it_says_not_to() {
    let settings = tidegate::runtime::Settings {
        backlog_deliveries_max: 2,
        ..Default::default()
    };
    let (opened, open) = tokio::sync::watch::channel(false);
    let app = with_only(App::in_memory(shop()), &[BILLING])
        .settings(settings)
        .publish_wait(Duration::from_secs(60))
        .on(BILLING, move |order: OrderPlaced| {
            let mut open = open.clone();
            async move {
                drop(order);
                let _open = open.wait_for(|open| *open).await.is_ok();
            }
        })
        .start()
        .await
        .unwrap();
    for name in ["a", "b"] {
        app.publish(&order(name)).await.unwrap();
    }
    let full = app.try_publish(&order("c")).await.unwrap_err();
    assert!(
        matches!(full, tidegate::PublishError::Full { .. }),
        "{full}"
    );
    assert!(full.to_string().contains("billing/OrderPlaced"), "{full}");
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { app.publish(&order("c")).await }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!waiting.is_finished());
    opened.send(true).unwrap();
    waiting.await.unwrap().unwrap();
}
