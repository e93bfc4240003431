//! The same promises on a broker: the daemon is killed, and so is the broker, under load.

use tidegate_base::Random;
use tidegate_servers::{Kind, Server, own};

use crate::rounds::{BILLING, MAILING, design, kill, setting, under_load, wait_for};
use crate::service::{World, serve};

/// How often something is killed unless it is said: a daemon that is killed is missed for ten seconds.
const KILLS: u64 = 4;
/// Happenings between two kills, at most.
const HAPPENINGS: u64 = 300;

#[cfg(feature = "kafka")]
#[test]
fn every_promise_is_kept_on_kafka_when_it_or_the_process_is_killed_under_load() {
    let test = "every_promise_is_kept_on_kafka_when_it_or_the_process_is_killed_under_load";
    killed_under_load(Kind::Kafka, test);
}

#[cfg(feature = "nats")]
#[test]
fn every_promise_is_kept_on_nats_when_it_or_the_process_is_killed_under_load() {
    let test = "every_promise_is_kept_on_nats_when_it_or_the_process_is_killed_under_load";
    killed_under_load(Kind::Nats, test);
}

#[cfg(feature = "rabbitmq")]
#[test]
fn every_promise_is_kept_on_rabbitmq_when_it_or_the_process_is_killed_under_load() {
    let test = "every_promise_is_kept_on_rabbitmq_when_it_or_the_process_is_killed_under_load";
    killed_under_load(Kind::RabbitMq, test);
}

/// Where a server is, as the command line takes it: without credentials, which are those that it has by itself.
pub(crate) fn address(server: &Server) -> String {
    server.url.replace("guest:guest@", "")
}

fn killed_under_load(kind: Kind, test: &str) {
    let Some(mut own) = own(kind, test).unwrap() else {
        return;
    };
    let seed = setting("TIDEGATE_SEED").unwrap_or(u64::from(std::process::id()));
    let kills = setting("TIDEGATE_BROKER_KILLS").unwrap_or(KILLS);
    println!("TIDEGATE_SEED={seed}");
    let random = Random::new(seed, "harness", "broker");
    let world = World::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let (billing, mailing) = (serve(&world, BILLING), serve(&world, MAILING));
    let design = design(folder.path(), billing, mailing);
    let broker = address(&own.server);
    let arguments = ["run", &design, "--broker", &broker];
    under_load(&world, seed, &arguments, |address, start| {
        let mut daemon = start(0);
        if kind == Kind::RabbitMq {
            // RabbitMQ 3.10 forgets all streams if it is killed within seconds of the very first one.
            own.server.stop().unwrap();
            own.server.start_again().unwrap();
        }
        for life in 1..=kills {
            let happenings = 50 + random.bits(life) % HAPPENINGS;
            wait_for(&world, usize::try_from(happenings).unwrap());
            if life % 2 == 1 {
                own.server.kill().unwrap();
                own.server.start_again().unwrap();
            } else {
                kill(&world, address, daemon);
                daemon = start(life);
            }
        }
        wait_for(&world, 100);
        daemon
    });
}
