//! A consumer that pulls, and settles its leases as it likes.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::history::{Happening, Run};
use crate::publisher::{Address, Flags, pause};
use crate::service::{Deed, World};
use crate::support;

pub(crate) const AUDIT: &str = "audit/OrderPlaced";

/// Pulls until all is over.
pub(crate) fn pull(world: &World, address: &Address, flags: &Flags) {
    while !flags.over.load(Ordering::Relaxed) {
        let Some((url, life)) = address.lock().unwrap().clone() else {
            pause(std::time::Duration::from_millis(5));
            continue;
        };
        let body = r#"{"max": 8, "wait": "250ms"}"#;
        let path = format!("{url}/v1/consumers/{AUDIT}/pull");
        let deliveries = post(&path, body).map(|(_, body)| body);
        let deliveries = deliveries.and_then(|body| body["deliveries"].as_array().cloned());
        for delivery in deliveries.unwrap_or_default() {
            settle(world, &url, life, &delivery);
        }
    }
}

fn settle(world: &World, url: &str, life: u64, delivery: &Value) {
    let id = delivery["delivery"].as_str().unwrap();
    let event = &delivery["event"];
    let run = Run {
        consumer: AUDIT,
        sequence: id.rsplit('/').next().unwrap().parse().unwrap(),
        id: event["id"].as_str().unwrap().to_owned(),
        key: event["data"]["orderId"].as_str().unwrap().to_owned(),
        attempt: u32::try_from(delivery["attempt"].as_u64().unwrap()).unwrap(),
        life,
    };
    let outcome = match world.takes(&run) {
        Deed::Succeed => json!({"outcome": "done"}),
        Deed::Fail | Deed::LieAndFail => json!({"outcome": "retry", "error": "later"}),
        Deed::TooMany | Deed::Unavailable => json!({"outcome": "overload", "error": "busy"}),
        Deed::Refuse => json!({"outcome": "park", "error": "poison"}),
        // The lease ends by itself.
        Deed::Hang | Deed::Drop | Deed::LieAndDrop => return,
    };
    let lease = delivery["lease"].as_str().unwrap();
    let answer = post(&format!("{url}/v1/leases/{lease}"), &outcome.to_string());
    if outcome["outcome"] == "done" && answer.is_some_and(|(status, _)| status == 204) {
        world.history.note(Happening::Confirmed(run));
    }
}

/// The status and body of an answer; `None` when there is none.
fn post(url: &str, body: &str) -> Option<(u16, Value)> {
    let agent = support::agent();
    let request = agent.post(url).header("content-type", "application/json");
    let mut response = request.send(body).ok()?;
    let json = response.body_mut().read_json().unwrap_or(Value::Null);
    Some((response.status().as_u16(), json))
}
