//! What both sides are given: events, when they are published, and where it is noted what became of them.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tidegate_base::Envelope;
use tidegate_servers::Server;
use tokio::sync::Notify;
use tokio::time::{sleep_until, timeout};

use crate::took::{Meter, Reading};

/// Bytes of a payload.
pub(crate) const PAYLOAD_BYTES: usize = 1_024;
/// How many keys there are.
const KEYS: usize = 10_000;
/// By then a side has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much is published, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) producers: usize,
    /// Events that are published together.
    pub(crate) batch: usize,
    /// Batches of each producer.
    pub(crate) batches: usize,
    /// When a producer publishes its next batch; `None`: as soon as the one before is confirmed.
    pub(crate) every: Option<Duration>,
}

impl Load {
    pub(crate) const fn events(self) -> usize {
        self.producers * self.batch * self.batches
    }

    /// Most events that are published and not confirmed.
    pub(crate) const fn in_flight(self) -> usize {
        self.producers * self.batch
    }
}

/// When each event was published, confirmed and handled, in nanoseconds since the marks were made; 0: not yet.
#[derive(Debug)]
pub(crate) struct Marks {
    made: Instant,
    pub(crate) published: Vec<AtomicU64>,
    pub(crate) confirmed: Vec<AtomicU64>,
    pub(crate) handled: Vec<AtomicU64>,
    left: AtomicU64,
    all: Notify,
    meter: Meter,
    /// When the work began and was done.
    pub(crate) begun: OnceLock<Reading>,
    pub(crate) done: OnceLock<Reading>,
}

impl Marks {
    pub(crate) fn new(load: Load, server: &Server) -> Self {
        let none = || (0..load.events()).map(|_| AtomicU64::new(0)).collect();
        Self {
            made: Instant::now(),
            published: none(),
            confirmed: none(),
            handled: none(),
            left: AtomicU64::new(load.events() as u64),
            all: Notify::new(),
            meter: Meter::new(server),
            begun: OnceLock::new(),
            done: OnceLock::new(),
        }
    }

    fn note(&self, place: &AtomicU64, at: Instant) -> bool {
        let nanos = at.duration_since(self.made).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        place
            .compare_exchange(0, nanos, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// The handler of both sides: it does nothing but to note that it ran.
    pub(crate) fn handle(&self, id: &str) {
        let place = id.parse().ok().and_then(|at: usize| self.handled.get(at));
        let Some(place) = place else {
            return;
        };
        // One that comes again was handled before.
        if self.note(place, Instant::now()) && self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all.notify_one();
        }
    }

    /// Waits until every event was handled.
    pub(crate) async fn all_handled(&self) -> Result<()> {
        let waited = timeout(PATIENCE, self.all.notified()).await;
        let left = self.left.load(Ordering::Acquire);
        waited.with_context(|| format!("{left} events were not handled"))
    }

    /// The work is done: all was handled, and that is kept.
    pub(crate) fn finish(&self) {
        self.done.get_or_init(|| self.meter.read());
    }
}

/// An event whose `id` is its number.
fn event(number: usize) -> Envelope {
    let key = number % KEYS;
    let mut data = format!(r#"{{"orderId":"order-{key}","total":12.5,"note":""#);
    let rest = PAYLOAD_BYTES.saturating_sub(data.len() + 2);
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

/// The partition key of an event, as the design takes it from the payload.
pub(crate) fn key(event: &Envelope) -> String {
    let number: usize = event.id.parse().unwrap_or_default();
    format!("order-{}", number % KEYS)
}

/// Has every producer publish its batches. It is done when all are confirmed.
pub(crate) async fn produce<F>(
    load: Load,
    marks: Arc<Marks>,
    publish: impl Fn(Vec<Envelope>) -> F + Clone + Send + 'static,
) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut work: Vec<Vec<Vec<Envelope>>> = Vec::new();
    for producer in 0..load.producers {
        let first = producer * load.batch * load.batches;
        let batch = |at: usize| first + at * load.batch..first + (at + 1) * load.batch;
        let batches = (0..load.batches).map(|at| batch(at).map(event).collect());
        work.push(batches.collect());
    }
    let begun = marks.begun.get_or_init(|| marks.meter.read()).at;
    let producers: Vec<_> = work
        .into_iter()
        .enumerate()
        .map(|(producer, batches)| {
            let (publish, marks) = (publish.clone(), Arc::clone(&marks));
            tokio::spawn(produce_one(
                load,
                (producer, batches),
                (begun, marks),
                publish,
            ))
        })
        .collect();
    for producer in producers {
        timeout(PATIENCE, producer)
            .await
            .context("publishing takes too long")???;
    }
    Ok(())
}

async fn produce_one<F>(
    load: Load,
    (producer, batches): (usize, Vec<Vec<Envelope>>),
    (begun, marks): (Instant, Arc<Marks>),
    publish: impl Fn(Vec<Envelope>) -> F,
) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let mut number = producer * load.batch * load.batches;
    for (at, batch) in batches.into_iter().enumerate() {
        let mut now = Instant::now();
        if let Some(every) = load.every {
            // The producers take turns. An event that is late counts from when it was due.
            let turn = every * u32::try_from(producer)? / u32::try_from(load.producers)?;
            let due = begun + every * u32::try_from(at)? + turn;
            sleep_until(due.into()).await;
            now = due;
        }
        let numbers = number..number + batch.len();
        number = numbers.end;
        for place in marks.published.get(numbers.clone()).into_iter().flatten() {
            marks.note(place, now);
        }
        publish(batch).await?;
        let now = Instant::now();
        for place in marks.confirmed.get(numbers).into_iter().flatten() {
            ensure!(marks.note(place, now), "an event was published twice");
        }
    }
    Ok(())
}
