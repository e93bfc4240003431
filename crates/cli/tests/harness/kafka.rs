//! The same promises on Kafka: the daemon is killed, and so is Kafka, under load.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use tidegate_base::Random;
use tidegate_servers::{Kind, own};

use crate::checker::check;
use crate::history::{Happening, counts};
use crate::publisher::{Address, Flags, Over, publish};
use crate::puller::pull;
use crate::rounds::{BILLING, MAILING, PROMISES, design, kill, redrive, rest, setting, wait_for};
use crate::service::{World, serve};
use crate::support::Daemon;

/// How often something is killed unless it is said: a daemon that is killed is missed for ten seconds.
const KILLS: u64 = 4;
/// Happenings between two kills, at most.
const HAPPENINGS: u64 = 300;

#[test]
fn every_promise_is_kept_on_kafka_when_it_or_the_process_is_killed_under_load() {
    let test = "every_promise_is_kept_on_kafka_when_it_or_the_process_is_killed_under_load";
    let Some(mut kafka) = own(Kind::Kafka, test).unwrap() else {
        return;
    };
    let seed = setting("TIDEGATE_SEED").unwrap_or(u64::from(std::process::id()));
    let kills = setting("TIDEGATE_KAFKA_KILLS").unwrap_or(KILLS);
    println!("TIDEGATE_SEED={seed}");
    let random = Random::new(seed, "harness", "kafka");
    let world = World::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let (billing, mailing) = (serve(&world, BILLING), serve(&world, MAILING));
    let design = design(folder.path(), billing, mailing);
    let broker = kafka.server.url.clone();
    let arguments = ["run", &design, "--broker", &broker];
    let address: Address = Arc::new(Mutex::new(None));
    let flags = Flags::default();
    let start = |life: u64| {
        let daemon = Daemon::start(&arguments);
        *address.lock().unwrap() = Some((daemon.url.clone(), life));
        daemon
    };
    std::thread::scope(|scope| {
        let over = Over(&flags);
        let (world, address, flags) = (&*world, &address, &flags);
        let publishers =
            [0, 1].map(|publisher| scope.spawn(move || publish(world, address, publisher, flags)));
        scope.spawn(move || pull(world, address, flags));
        let mut daemon = start(0);
        for life in 1..=kills {
            let happenings = 50 + random.bits(life) % HAPPENINGS;
            wait_for(world, usize::try_from(happenings).unwrap());
            if life % 2 == 1 {
                kafka.server.kill().unwrap();
                kafka.server.start_again().unwrap();
            } else {
                kill(world, address, daemon);
                daemon = start(life);
            }
        }
        wait_for(world, 100);
        flags.no_load.store(true, Ordering::Relaxed);
        for publisher in publishers {
            publisher.join().unwrap();
        }
        let letters = rest(&daemon);
        world.history.note(Happening::Rest { letters });
        redrive(world, &daemon);
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
