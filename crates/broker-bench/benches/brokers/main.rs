//! What Tidegate costs on a real broker: the bare client library and Tidegate's adapter with the full runtime do the
//! same work on the same server in the same run, in turns. Each is measured at full speed and at a steady rate.
//!
//! Both publish the same events of 1 KiB from as many producers in the same batches, with the attributes of
//! CloudEvents as headers, and a batch counts as confirmed once the broker keeps all of it: on Kafka `acks=all` and
//! idempotence, on RabbitMQ publisher confirms, on JetStream its acknowledgement. Both hand each event to a handler that
//! does nothing, and note for good that it has. What differs:
//!
//! - **The bare client** decides nothing: it checks no schema, knows no event again, starts nothing anew, and keeps
//!   of a delivery only what its broker does. On Kafka it commits offsets every ten milliseconds while it reads on; on JetStream it acknowledges each message, without asking whether that arrived; a quorum queue has several
//!   acknowledged at once. A stream of RabbitMQ keeps nothing of it at all, so nothing of what is done outlives that client:
//!   it is the ceiling of what the adapter writes to, and does less work than the others.
//! - **Tidegate** checks the schema and takes the key, knows an event again that is published twice, keeps the order of each
//!   key, keeps that an attempt starts, keeps its end with the identity of the event (`guarantee: deduplicated`), and
//!   reads back what it wrote. On RabbitMQ it publishes every event to other services as well. It counts as done once every end is kept.
//!
//! `cargo bench -p tidegate-broker-bench [-- kafka|nats|rabbitmq|rabbitmq-stream …]`

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a benchmark: it measures time, and prints"
)]

mod kafka;
mod load;
mod nats;
mod rabbitmq;
mod report;
mod tidegate_side;
mod took;

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures_util::future::{BoxFuture, FutureExt};
use tidegate_broker::Shard;
use tidegate_servers::{Kind, Server, own};

use load::{Load, Marks};
use report::Report;
use took::Took;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Events of a side go as fast as they can, so many at the same time.
const FULL_SPEED: Load = Load {
    producers: 32,
    batch: 32,
    batches: 40,
    every: None,
};
/// One event every two milliseconds: what an event waits for when nothing is crowded.
const STEADY: Load = Load {
    producers: 8,
    batch: 1,
    batches: 250,
    every: Some(std::time::Duration::from_millis(16)),
};
const ROUNDS: usize = 7;

/// A broker to be measured.
struct Case {
    name: &'static str,
    kind: Kind,
    bare: fn(Server, String, Load, Arc<Marks>) -> BoxFuture<'static, Result<()>>,
    open: fn(Server, String) -> Opening,
}

/// A shard that is being opened.
type Opening = BoxFuture<'static, Result<Arc<dyn Shard>>>;

const CASES: [Case; 4] = [
    Case {
        name: "kafka",
        kind: Kind::Kafka,
        bare: |server, name, load, marks| kafka::bare(server, name, load, marks).boxed(),
        open: |server, name| kafka::open(server, name).boxed(),
    },
    Case {
        name: "nats",
        kind: Kind::Nats,
        bare: |server, name, load, marks| nats::bare(server, name, load, marks).boxed(),
        open: |server, name| nats::open(server, name).boxed(),
    },
    Case {
        name: "rabbitmq",
        kind: Kind::RabbitMq,
        bare: |server, name, load, marks| {
            rabbitmq::bare(server, (name, rabbitmq::Queue::Quorum), load, marks).boxed()
        },
        open: |server, name| rabbitmq::open(server, name).boxed(),
    },
    Case {
        name: "rabbitmq-stream",
        kind: Kind::RabbitMq,
        bare: |server, name, load, marks| {
            rabbitmq::bare(server, (name, rabbitmq::Queue::Stream), load, marks).boxed()
        },
        open: |server, name| rabbitmq::open(server, name).boxed(),
    },
];

impl Case {
    /// One round of each side, in turns which goes first.
    async fn round(&self, server: &Server, load: Load, round: usize) -> Result<[Took; 2]> {
        let name = |side: &str| format!("{side}{}x{round}", load.batch);
        let bare = async || {
            let marks = Arc::new(Marks::new(load, server));
            let work = (self.bare)(server.clone(), name("bare"), load, Arc::clone(&marks));
            work.await.context("the bare client")?;
            Took::of(&marks)
        };
        let whole = async || {
            let marks = Arc::new(Marks::new(load, server));
            let shard = (self.open)(server.clone(), name("whole")).await?;
            let work = tidegate_side::run(shard, load, Arc::clone(&marks));
            work.await.context("Tidegate")?;
            Took::of(&marks)
        };
        Ok(match round % 2 {
            0 => [bare().await?, whole().await?],
            _ => {
                let whole = whole().await?;
                [bare().await?, whole]
            }
        })
    }

    async fn measure(&self) -> Result<()> {
        let Some(own) = own(self.kind, "benches/brokers")? else {
            return Ok(());
        };
        for (what, load) in [("full speed", FULL_SPEED), ("a steady rate", STEADY)] {
            let mut report = Report::new(self.name, what, load);
            for round in 0..=ROUNDS {
                let took = self.round(&own.server, load, round).await?;
                if std::io::stderr().is_terminal() {
                    let [bare, whole] = &took;
                    eprintln!(
                        "round {round} of {ROUNDS}: {:.0} and {:.0} events/s",
                        bare.rate, whole.rate
                    );
                }
                // The first one finds everything cold.
                if round > 0 {
                    report.add(took);
                }
            }
            report.print();
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    for case in &CASES {
        if asked.is_empty() || asked.iter().any(|name| name == case.name) {
            let measured = runtime.block_on(case.measure());
            measured.with_context(|| format!("`{}` was not measured", case.name))?;
        }
    }
    Ok(())
}
