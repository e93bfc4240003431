//! Publishers that send an event again, with the same id, until they are told that it is durable.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_base::Random;

use crate::history::Happening;
use crate::service::World;
use crate::support;

/// Keys of the events.
const KEYS: u64 = 12;
/// Between two events of one publisher.
const PAUSE: Duration = Duration::from_millis(8);

/// Where the daemon is, as long as it lives, and how many there were before.
pub(crate) type Address = Arc<Mutex<Option<(String, u64)>>>;

/// What the threads are told.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    /// Publish nothing more.
    pub(crate) no_load: AtomicBool,
    /// End at once.
    pub(crate) over: AtomicBool,
}

/// Tells the threads that all is over, also when a check fails.
pub(crate) struct Over<'a>(pub(crate) &'a Flags);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.no_load.store(true, Ordering::Relaxed);
        self.0.over.store(true, Ordering::Relaxed);
    }
}

/// Publishes until it is told to end; then the last event is accepted, unless all is over.
pub(crate) fn publish(world: &World, address: &Address, publisher: u64, flags: &Flags) {
    let random = Random::new(publisher, "harness", "keys");
    for number in 0.. {
        if flags.no_load.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("{publisher}-{number}");
        let key = format!("k{}", random.bits(number) % KEYS);
        let Some(sequence) = until_accepted(address, &id, &key, flags) else {
            return;
        };
        world.history.note(Happening::Accepted { id, sequence });
        pause(PAUSE);
    }
}

fn until_accepted(address: &Address, id: &str, key: &str, flags: &Flags) -> Option<u64> {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "/harness", "type": "OrderPlaced",
        "data": {"orderId": key},
    });
    while !flags.over.load(Ordering::Relaxed) {
        let url = address.lock().unwrap().clone();
        if let Some((url, _)) = url
            && let Some(sequence) = send(&url, &event)
        {
            return Some(sequence);
        }
        pause(PAUSE);
    }
    None
}

/// The event's sequence once it is durable; `None`: nobody knows, or there is no room.
fn send(url: &str, event: &Value) -> Option<u64> {
    let agent = support::agent();
    let request = agent.post(format!("{url}/v1/events"));
    let request = request.header("content-type", "application/cloudevents+json");
    let mut response = request.send(event.to_string()).ok()?;
    let status = response.status().as_u16();
    // 408: a broker that was killed has not taken it in time; whether it will is not known.
    assert!(matches!(status, 202 | 408 | 429 | 503), "status {status}");
    let body: Value = response.body_mut().read_json().ok()?;
    body["accepted"][0]["sequence"].as_u64()
}

#[expect(clippy::disallowed_methods, reason = "a real process has its own time")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
