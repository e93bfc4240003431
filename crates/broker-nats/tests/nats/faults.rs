//! NATS killed as a power cut would, stopped where it stands, connections cut in the middle of batches and slow ones,
//! and shards taken over, all under load: in the end everything acknowledged is there once, in order and whole.
//!
//! `TIDEGATE_ROUNDS=30 cargo test -p tidegate-broker-nats --test nats faults` does it more often;
//! `TIDEGATE_SEED=n` makes the same choices again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_base::Random;
use tidegate_broker::Broker;
use tidegate_broker::conformance::rounds::{Round, Sufferer, survive};
use tidegate_broker_journal::JournalBroker;
use tidegate_broker_nats::{NatsConfig, OpenError, Session};
use tidegate_servers::{Fault, Kind, Own, Proxy, own, setting};
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::support;

const ROUNDS: [Round<Fault>; 6] = [
    round(Some(Fault::Killed), false),
    round(None, true),
    round(Some(Fault::Cut), false),
    round(Some(Fault::Killed), true),
    round(Some(Fault::Stopped), false),
    round(Some(Fault::Slow), false),
];

const fn round(fault: Option<Fault>, is_taken_over: bool) -> Round<Fault> {
    Round {
        fault,
        is_taken_over,
    }
}

struct OnNats {
    own: Own,
    config: NatsConfig,
    proxy: Proxy,
}

impl Sufferer for OnNats {
    type Fault = Fault;

    fn open(&self) -> BoxFuture<'_, Arc<dyn Broker>> {
        async move {
            let mut last = String::new();
            for _ in 0..20 {
                match open(&self.config).await {
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

async fn open(config: &NatsConfig) -> Result<JournalBroker, OpenError> {
    Session::connect(config.clone()).await?.open(0).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_when_nats_is_killed_and_shards_change_hands() {
    let test = "nothing_acknowledged_is_lost_when_nats_is_killed_and_shards_change_hands";
    let Some(own) = own(Kind::Nats, test).unwrap() else {
        return;
    };
    let rounds = setting("TIDEGATE_ROUNDS").unwrap_or(ROUNDS.len() as u64);
    let seed = setting("TIDEGATE_SEED").unwrap_or(u64::from(std::process::id()));
    println!("TIDEGATE_SEED={seed}");
    let random = Random::new(seed, "nats", "faults");
    let mut config = support::on(&own.server);
    let proxy = Proxy::start(&config.servers[0]).unwrap();
    config.servers = vec![proxy.address()];
    let mut sufferer = OnNats { own, config, proxy };
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
