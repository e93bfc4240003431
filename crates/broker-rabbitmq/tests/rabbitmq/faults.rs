//! RabbitMQ killed as a power cut would, stopped where it stands, connections cut in the middle of batches and slow ones,
//! its disk full, and shards taken over, all under load: in the end everything acknowledged is there once, in order and whole.
//!
//! `TIDEGATE_ROUNDS=30 cargo test -p tidegate-broker-rabbitmq --test rabbitmq faults` does it more often;
//! `TIDEGATE_SEED=n` makes the same choices again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_base::Random;
use tidegate_broker::Broker;
use tidegate_broker::conformance::rounds::{Round, Sufferer, survive};
use tidegate_broker_rabbitmq::{RabbitBroker, RabbitConfig};
use tidegate_servers::{Fault, Kind, Own, Proxy, own, setting};
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::support;

const ROUNDS: [Round<Fault>; 7] = [
    round(Some(Fault::Killed), false),
    round(None, true),
    round(Some(Fault::Cut), false),
    round(Some(Fault::Killed), true),
    round(Some(Fault::Stopped), false),
    round(Some(Fault::Slow), false),
    round(Some(Fault::DiskFull), false),
];

const fn round(fault: Option<Fault>, is_taken_over: bool) -> Round<Fault> {
    Round {
        fault,
        is_taken_over,
    }
}

struct OnRabbitMq {
    own: Own,
    config: RabbitConfig,
    proxy: Proxy,
}

impl Sufferer for OnRabbitMq {
    type Fault = Fault;

    fn open(&self) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            let mut last = String::new();
            for _ in 0..20 {
                match RabbitBroker::open(self.config.clone(), support::clock()).await {
                    Ok(broker) => return Arc::new(broker) as Arc<dyn Broker>,
                    Err(error) => last = error.to_string(),
                }
                sleep(Duration::from_millis(500)).await;
            }
            panic!("{last}");
        }
        .boxed()
    }

    fn inflict(&mut self, fault: Fault) -> BoxFuture<'_, ()> {
        async move { block_in_place(|| self.own.inflict(fault, Some(&self.proxy)).unwrap()) }
            .boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_when_rabbitmq_is_killed_and_shards_change_hands() {
    let test = "nothing_acknowledged_is_lost_when_rabbitmq_is_killed_and_shards_change_hands";
    let Some(own) = own(Kind::RabbitMq, test).unwrap() else {
        return;
    };
    let rounds = setting("TIDEGATE_ROUNDS").unwrap_or(ROUNDS.len() as u64);
    let seed = setting("TIDEGATE_SEED").unwrap_or(u64::from(std::process::id()));
    println!("TIDEGATE_SEED={seed}");
    let random = Random::new(seed, "rabbitmq", "faults");
    let mut config = support::on(&own.server);
    // So that segments come and go as well.
    config.segment_bytes = 64 << 10;
    let (host, port) = &config.servers[0];
    let proxy = Proxy::start(&format!("{host}:{port}")).unwrap();
    let (host, port) = proxy
        .address()
        .rsplit_once(':')
        .map(|(host, port)| (host.to_owned(), port.parse().unwrap()))
        .unwrap();
    config.servers = vec![(host, port)];
    let mut sufferer = OnRabbitMq { own, config, proxy };
    // RabbitMQ 3.10 forgets all streams if it is killed within seconds of the very first one, which no client can prevent: it
    // may write down first that it has streams.
    drop(sufferer.open().await);
    block_in_place(|| {
        sufferer.own.server.stop().unwrap();
        sufferer.own.server.start_again().unwrap();
    });
    let survived = survive(&mut sufferer, &ROUNDS, rounds, &random, |line| {
        println!("{line}")
    });
    let wrong = survived.await.unwrap_or_else(|error| vec![error]);
    assert!(
        wrong.is_empty(),
        "TIDEGATE_SEED={seed}:\n{}",
        wrong.join("\n")
    );
}
