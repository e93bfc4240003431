//! The whole way of an event beside the log alone: validate, persist, dispatch to a handler in this
//! process, record its end, with deduplication; in events a second, and as a ratio to the log that only
//! persists the same events in the same batches, measured in turns in the same run. Beside them stands the
//! processor time of an event, on all threads: unlike the rest it is nearly the same on a busy machine.
//!
//! `cargo bench -p tidegate-server --bench pipeline`

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark: it measures time, prints, and stops at what is wrong"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tidegate_base::{Clock, Envelope, Timestamp};
use tidegate_broker::{Append, Batch, Broker, Durability, StateChange};
use tidegate_broker_log::LogBroker;
use tidegate_log::Options;
use tidegate_model::{Design, Source, read};
use tidegate_runtime::{Answer, Attempt, Caller, Outcome, Runtime, Settings, TokioClock};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: u64 = 300_000;
const BATCH: u64 = 100;
const PRODUCERS: u64 = 32;
const KEYS: u64 = 10_000;
const ROUNDS: usize = 5;
/// The aim at 256 B, with deduplication.
const AIM: f64 = 0.3;

const DESIGN: &str = r#"
tidegate: 1
system: shop
events:
  OrderPlaced:
    key: /orderId
    schema:
      type: object
      required: [orderId, total]
      properties:
        orderId: {type: string}
        total: {type: number, minimum: 0}
        note: {type: string}
services:
  orders: {publishes: [OrderPlaced]}
  billing:
    consumes:
      OrderPlaced:
        deliver: {to: "http://localhost:1/in-process", concurrency: 1024, timeout: 30s}
        guarantee: deduplicated
"#;

fn design() -> Design {
    let source = Source {
        name: Arc::from("design.yaml"),
        text: DESIGN.to_owned(),
    };
    let reading = read(&[source], &|_| Err("no files".to_owned()));
    reading.design.expect("the design is readable")
}

/// An event whose payload has `bytes` bytes.
fn event(number: u64, bytes: usize) -> Envelope {
    let key = number % KEYS;
    let mut data = format!(r#"{{"orderId":"order-{key}","total":12.5,"note":""#);
    let rest = bytes.saturating_sub(data.len() + 2);
    data.push_str(&"x".repeat(rest));
    data.push_str("\"}");
    Envelope {
        id: number.to_string(),
        source: "/shop".to_owned(),
        event_type: "OrderPlaced".to_owned(),
        subject: None,
        time: None,
        data_content_type: Some("application/json".to_owned()),
        data_schema: None,
        extensions: std::collections::BTreeMap::new(),
        data: Some(Bytes::from(data)),
    }
}

#[derive(Debug, Default)]
struct Counter {
    done: AtomicU64,
}

#[derive(Clone, Debug)]
struct Counting(Arc<Counter>);

impl Caller for Counting {
    fn call(&self, _attempt: Attempt) -> BoxFuture<'static, Answer> {
        self.0.done.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Outcome::Done.into()).boxed()
    }
}

fn broker(directory: &std::path::Path) -> Arc<dyn Broker> {
    let (broker, _) = LogBroker::open(directory, Options::default()).expect("a log");
    Arc::new(broker)
}

/// Events of one producer, in batches.
fn batches(producer: u64, bytes: usize) -> Vec<Vec<Envelope>> {
    let count = EVENTS / BATCH / PRODUCERS;
    let batch = |batch: u64| {
        let first = (producer * count + batch) * BATCH;
        (first..first + BATCH)
            .map(|number| event(number, bytes))
            .collect()
    };
    (0..count).map(batch).collect()
}

fn append(event: &Envelope) -> Append {
    let headers = event.attributes();
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Append {
        channel: "OrderPlaced".parse().expect("a name"),
        key: Some(event.id.clone()),
        time: Timestamp::from_millis(1),
        headers: headers.collect(),
        payload: event.data.clone().unwrap_or_default(),
    }
}

/// What a run took.
struct Took {
    time: Duration,
    /// Of the processors; `None` where it cannot be told.
    busy: Option<Duration>,
}

/// A run that has begun.
struct Run {
    start: Instant,
    busy: Option<Duration>,
}

impl Run {
    fn begin() -> Self {
        let (start, busy) = (Instant::now(), busy());
        Self { start, busy }
    }

    fn end(&self) -> Took {
        let before = self.busy;
        let busy = busy().zip(before);
        Took {
            time: self.start.elapsed(),
            busy: busy.map(|(now, before)| now.saturating_sub(before)),
        }
    }
}

/// How long the processors have worked for this process, to a hundredth of a second: on Linux.
fn busy() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program may have spaces. After it, user and system time are the 12th and the 13th.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Option<Vec<u64>> = ticks.map(|ticks| ticks.parse().ok()).collect();
    Some(Duration::from_millis(10 * ticks?.iter().sum::<u64>()))
}

/// How long the log alone takes.
async fn bare(bytes: usize) -> Took {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = broker(folder.path());
    let work: Vec<Vec<Batch>> = (0..PRODUCERS)
        .map(|producer| {
            let batches = batches(producer, bytes).into_iter();
            let batches = batches.map(|events| Batch {
                appends: events.iter().map(append).collect(),
                state: StateChange::NONE,
            });
            batches.collect()
        })
        .collect();
    let run = Run::begin();
    let tasks: Vec<_> = work
        .into_iter()
        .map(|batches| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move {
                for batch in batches {
                    let commit = broker.commit(batch, Durability::Durable);
                    commit.await.expect("room");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    run.end()
}

/// How long the whole way takes, until every end is recorded.
async fn whole(bytes: usize) -> Took {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = broker(folder.path());
    let counter = Arc::new(Counter::default());
    let clock = TokioClock::starting_at(Timestamp::from_millis(1_700_000_000_000));
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let caller = Arc::new(Counting(Arc::clone(&counter)));
    let settings = Settings::default();
    let design = design();
    let runtime = Runtime::start(&design, broker, caller, clock, settings);
    let runtime = runtime.await.expect("it starts");
    let work: Vec<_> = (0..PRODUCERS)
        .map(|producer| batches(producer, bytes))
        .collect();
    let published: u64 = work.iter().flatten().map(|batch| batch.len() as u64).sum();
    let run = Run::begin();
    for batches in work {
        let runtime = runtime.clone();
        tokio::spawn(async move {
            for batch in batches {
                runtime.publish(batch).await.expect("accepted");
            }
        });
    }
    let mut views = runtime.watch();
    loop {
        let done: u64 = {
            let view = views.borrow_and_update();
            view.consumers
                .iter()
                .map(|consumer| consumer.succeeded_total)
                .sum()
        };
        if done >= published {
            break;
        }
        if counter.done.load(Ordering::Relaxed) >= published {
            // All were handled: the last ends are being recorded, and a drain says when they are.
            break;
        }
        views.changed().await.expect("it runs");
    }
    let report = runtime.drain(Duration::from_secs(30)).await;
    let took = run.end();
    assert_eq!(report.backlog, 0, "all is done");
    took
}

/// The processor time of an event.
fn of_event(took: &Took, events: u64) -> String {
    let busy = took.busy.map(|busy| busy.as_secs_f64() * 1e6);
    busy.map_or("unknown".to_owned(), |busy| {
        format!("{:.1} µs", busy / events as f64)
    })
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let events = EVENTS / BATCH / PRODUCERS * BATCH * PRODUCERS;
    println!(
        "{events} events in batches of {BATCH} from {PRODUCERS} producers, {KEYS} keys, deduplicated"
    );
    println!("payload   bare log     whole way    ratio   processor time of an event");
    for bytes in [256, 1_024] {
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let bare = runtime.block_on(bare(bytes));
            let whole = runtime.block_on(whole(bytes));
            let rate = |took: &Took| events as f64 / took.time.as_secs_f64();
            let ratio = rate(&whole) / rate(&bare);
            println!(
                "{bytes:>5} B  {:>8.0}/s  {:>8.0}/s  {ratio:>7.3}   {} and {}",
                rate(&bare),
                rate(&whole),
                of_event(&bare, events),
                of_event(&whole, events)
            );
            ratios.push(ratio);
        }
        ratios.sort_unstable_by(f64::total_cmp);
        let median = ratios.get(ROUNDS / 2).copied().unwrap_or_default();
        let aim = match bytes {
            256 => format!(", the aim is {AIM}"),
            _ => String::new(),
        };
        println!("{bytes:>5} B  median {median:.3}{aim}");
    }
}
