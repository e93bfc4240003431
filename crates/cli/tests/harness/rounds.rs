//! Rounds of load and kills, and then the end: everything is done.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_base::Random;

use crate::checker::check;
use crate::history::{Happening, Promise, counts};
use crate::publisher::{Address, Flags, Over, pause, publish};
use crate::puller::{AUDIT, pull};
use crate::service::{World, serve};
use crate::support::{Daemon, eventually};

/// How often the daemon is killed unless it is said.
pub(crate) const KILLS: u64 = 15;
/// Happenings between two kills, at most.
const HAPPENINGS: u64 = 400;

pub(crate) const BILLING: &str = "billing/OrderPlaced";
pub(crate) const MAILING: &str = "mailing/OrderPlaced";

pub(crate) const PROMISES: [Promise; 3] = [
    Promise {
        consumer: BILLING,
        ordered: true,
        deduplicated: true,
        pushed: true,
    },
    Promise {
        consumer: MAILING,
        ordered: false,
        deduplicated: false,
        pushed: true,
    },
    Promise {
        consumer: AUDIT,
        ordered: true,
        deduplicated: true,
        pushed: false,
    },
];

pub(crate) fn design(folder: &Path, billing: u16, mailing: u16) -> String {
    let text = format!(
        r"tidegate: 1
system: harness
events:
  OrderPlaced:
    summary: An order.
    owner: team
    key: /orderId
    schema:
      type: object
      required: [orderId]
      properties: {{orderId: {{type: string}}}}
services:
  orders: {{owner: team, publishes: [OrderPlaced]}}
  billing:
    owner: team
    consumes:
      OrderPlaced:
        deliver: {{to: 'http://127.0.0.1:{billing}/events', concurrency: 8, timeout: 3s}}
        guarantee: deduplicated
        retry: {{initial: 5ms, max: 50ms, attempts: 5}}
        dead-letter: {{retention: 30d}}
  mailing:
    owner: team
    consumes:
      OrderPlaced:
        deliver: {{to: 'http://127.0.0.1:{mailing}/events', concurrency: 8, timeout: 3s}}
        order: none
        retry: {{initial: 5ms, max: 50ms, attempts: 5}}
        dead-letter: {{retention: 30d}}
  audit:
    owner: team
    consumes:
      OrderPlaced:
        deliver: {{concurrency: 16, timeout: 2s}}
        guarantee: deduplicated
        retry: {{initial: 5ms, max: 50ms, attempts: 5}}
        dead-letter: {{retention: 30d}}
"
    );
    let path = folder.join("design.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "set by a command")]
pub(crate) fn setting(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Kills the daemon, and waits until nothing of it is left: no request of it is read after one of the
/// next.
pub(crate) fn kill(world: &World, address: &Address, daemon: Daemon) {
    daemon.kill_now();
    address.lock().unwrap().take();
    daemon.kill();
    let mut quiet = 0;
    while quiet < 3 {
        let none = world.connections.load(Ordering::SeqCst) == 0;
        quiet = if none { quiet + 1 } else { 0 };
        pause(Duration::from_millis(5));
    }
    world.history.note(Happening::Killed);
}

/// Waits until so much more has happened; less when nothing happens.
pub(crate) fn wait_for(world: &World, happenings: usize) {
    let (start, mut waited) = (world.history.len(), 0);
    while world.history.len() < start + happenings && waited < 500 {
        waited += 1;
        pause(Duration::from_millis(4));
    }
}

/// Waits until no consumer has anything left to do, and returns the dead letters.
pub(crate) fn rest(daemon: &Daemon) -> Vec<(String, u64)> {
    // The state is renewed now and then: one that was taken after the question.
    let shown = |state: &Value| state["time_ms"].as_u64().unwrap();
    let asked = shown(&daemon.get("/v1/state"));
    // Patience is with what stands still, not with what is long.
    let mut before = None;
    while before != Some(0) {
        before = eventually("something is done, or nothing is left", || {
            let state = daemon.get("/v1/state");
            let consumers = state["consumers"].as_array().unwrap().iter();
            let left: u64 = consumers.map(|c| c["backlog"].as_u64().unwrap()).sum();
            let moved = left == 0 || before != Some(left);
            (shown(&state) > asked && moved).then_some(Some(left))
        });
    }
    let list = daemon.get("/v1/dead-letters?limit=1000");
    let letters = list["letters"].as_array().unwrap();
    assert_eq!(list["total"].as_u64(), Some(letters.len() as u64));
    let letter = |letter: &Value| {
        let (consumer, sequence) = letter["id"].as_str().unwrap().rsplit_once('/').unwrap();
        (consumer.to_owned(), sequence.parse().unwrap())
    };
    letters.iter().map(letter).collect()
}

pub(crate) fn redrive(world: &World, daemon: &Daemon, consumers: &[&str]) {
    world.mended.store(true, Ordering::Relaxed);
    world.history.note(Happening::Redriven);
    for consumer in consumers {
        let body = json!({"consumer": consumer}).to_string();
        let path = "/v1/dead-letters/redrive";
        let (status, report) = daemon.post(path, "application/json", &body);
        assert_eq!(status, 200, "{report}");
    }
    eventually("nothing is a dead letter", || {
        rest(daemon).is_empty().then_some(())
    });
}

#[test]
fn every_promise_is_kept_when_the_process_is_killed_under_load() {
    let seed = setting("TIDEGATE_SEED").unwrap_or(u64::from(std::process::id()));
    let kills = setting("TIDEGATE_KILLS").unwrap_or(KILLS);
    println!("TIDEGATE_SEED={seed}");
    let random = Random::new(seed, "harness", "kills");
    let world = World::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let (billing, mailing) = (serve(&world, BILLING), serve(&world, MAILING));
    let design = design(folder.path(), billing, mailing);
    let data = folder.path().join("data");
    let arguments = ["run", &design, "--data", data.to_str().unwrap()];
    under_load(&world, seed, &arguments, |address, start| {
        for life in 0..kills {
            let daemon = start(life);
            let happenings = random.bits(life) % HAPPENINGS;
            wait_for(&world, usize::try_from(happenings).unwrap());
            kill(&world, address, daemon);
        }
        start(kills)
    });
}

/// Publishes and pulls while daemons live `through` their lives; then the last one comes to rest, and what was seen is held
/// against the promises.
pub(crate) fn under_load(
    world: &World,
    seed: u64,
    arguments: &[&str],
    through: impl FnOnce(&Address, &dyn Fn(u64) -> Daemon) -> Daemon,
) {
    let address: Address = Arc::new(Mutex::new(None));
    let flags = Flags::default();
    let start = |life: u64| {
        let daemon = Daemon::start(arguments);
        *address.lock().unwrap() = Some((daemon.url.clone(), life));
        daemon
    };
    std::thread::scope(|scope| {
        let over = Over(&flags);
        let (address, flags) = (&address, &flags);
        let publishers =
            [0, 1].map(|publisher| scope.spawn(move || publish(world, address, publisher, flags)));
        scope.spawn(move || pull(world, address, flags));
        let daemon = through(address, &start);
        flags.no_load.store(true, Ordering::Relaxed);
        for publisher in publishers {
            publisher.join().unwrap();
        }
        let letters = rest(&daemon);
        world.history.note(Happening::Rest { letters });
        redrive(world, &daemon, &PROMISES.map(|promise| promise.consumer));
        drop(over);
        assert!(daemon.interrupt().success(), "it drains and exits 0");
    });
    let history = world.history.all();
    println!("{:#?}", counts(&history));
    let wrong = check(&history, &PROMISES);
    assert!(
        wrong.is_empty(),
        "TIDEGATE_SEED={seed}:\n{}",
        wrong.join("\n")
    );
}
