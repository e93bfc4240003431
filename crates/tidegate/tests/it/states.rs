//! The state of a key.

use serde::{Deserialize, Serialize};
use tidegate::{App, Context, Outcome, Shared};

use crate::support::*;

#[derive(Default, Serialize, Deserialize)]
struct Total {
    cents: u64,
}

pub(crate) async fn sum(
    order: OrderPlaced,
    context: Context,
    Shared(notes): Shared<Notes<(String, u64)>>,
) -> tidegate::Result<Outcome> {
    let mut total: Total = context.state()?.unwrap_or_default();
    total.cents += order.cents;
    notes.add((order.order, total.cents));
    // Three orders make a bill.
    let kept = (total.cents < 300).then_some(total);
    Ok(Outcome::done().state(&kept))
}

#[tokio::test(start_paused = true)]
async fn a_key_keeps_its_state_until_it_is_given_up() {
    let notes: Notes<(String, u64)> = Notes::new();
    let app = with_only(App::in_memory(shop()), &[BILLING])
        .share(notes.clone())
        .on(BILLING, sum)
        .start()
        .await
        .unwrap();
    for name in ["a", "a", "b", "a", "a"] {
        app.publish(&order(name)).await.unwrap();
    }
    notes.wait_for(5).await;
    let of = |name: &str| -> Vec<u64> {
        let notes = notes.all();
        let of_name = notes.into_iter().filter(|(noted, _)| noted == name);
        of_name.map(|(_, cents)| cents).collect()
    };
    assert_eq!(of("a"), [100, 200, 300, 100]);
    assert_eq!(of("b"), [100]);
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_kept_parks_the_event() {
    let app = with_only(App::in_memory(shop()), &[BILLING])
        .on(BILLING, async |order: OrderPlaced| {
            drop(order);
            Outcome::done().state(&"x".repeat(20_000))
        })
        .start()
        .await
        .unwrap();
    app.publish(&order("a")).await.unwrap();
    let error = &letters_of(&app, 1).await[0].error;
    assert!(error.contains("the state has 20002 bytes"), "{error}");
}
