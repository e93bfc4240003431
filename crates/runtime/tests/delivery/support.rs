//! A system in a test: a design, a memory broker, a scripted caller, paused time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_base::{ConsumerId, Envelope, Timestamp};
use tidegate_broker::{Broker, MemoryBroker, ReadLimit, Record};
use tidegate_model::{Design, Source, read};
use tidegate_runtime::view::ConsumerView;
use tidegate_runtime::{
    Answer, Attempt, Caller, DeadLetterFilter, DeadLetterPage, KeyState, Outcome, RetryClass,
    Runtime, Settings, TokioClock,
};

/// An order event with a schema and a key, one pushed and one pulled consumer.
pub(crate) const DESIGN: &str = r#"
tidegate: 1
system: checkout
events:
  OrderPlaced:
    schema: order.json
    key: /orderId
  PaymentTaken: {}
services:
  orders: {publishes: [OrderPlaced]}
  billing:
    publishes: [PaymentTaken]
    consumes:
      OrderPlaced:
        deliver: {to: "http://localhost:9001/events", concurrency: 4, timeout: 5s}
        guarantee: deduplicated
        needs: [payments-api]
        retry: {backoff: constant, initial: 100ms, max: 1s, jitter: none, attempts: 3}
        dead-letter: {owner: team-billing, retention: 30d}
        objective: 30s
  audit:
    consumes:
      OrderPlaced:
        deliver: {concurrency: 8, timeout: 10s}
        retry: {backoff: constant, initial: 100ms, max: 1s, jitter: none, attempts: 3}
        dead-letter: {owner: team-audit, retention: 30d}
dependencies:
  payments-api: {breaker: {failure-rate: 50%, minimum: 3, window: 30s, open: 10s, probes: 1}}
"#;

pub(crate) const SCHEMA: &str = r#"{
  "type": "object",
  "required": ["orderId", "total"],
  "properties": {"orderId": {"type": "string"}, "total": {"type": "number", "minimum": 0}}
}"#;

pub(crate) fn design(text: &str) -> Design {
    let source = Source {
        name: Arc::from("design.yaml"),
        text: text.to_owned(),
    };
    let reading = read(&[source], &|_| Ok(SCHEMA.to_owned()));
    let errors: Vec<_> = reading
        .findings
        .iter()
        .filter(|finding| finding.severity == tidegate_model::Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    reading.design.expect("the design is readable")
}

pub(crate) fn id(text: &str) -> ConsumerId {
    text.parse().unwrap()
}

pub(crate) fn order(id: &str, order: &str) -> Envelope {
    let text = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/shop","type":"OrderPlaced","data":{{"orderId":"{order}","total":3.5}}}}"#
    );
    Envelope::from_json(text.as_bytes()).unwrap()
}

/// What billing publishes, named by the runtime.
pub(crate) fn payment() -> Envelope {
    Envelope::from_attributes([("type".to_owned(), "PaymentTaken".to_owned())], None)
}

pub(crate) fn unavailable() -> Outcome {
    Outcome::Retry {
        class: RetryClass::Unavailable,
        error: "no route".to_owned(),
        after: None,
    }
}

pub(crate) fn retryable() -> Outcome {
    Outcome::Retry {
        class: RetryClass::Retryable,
        error: "HTTP 500".to_owned(),
        after: None,
    }
}

pub(crate) fn permanent() -> Outcome {
    Outcome::Permanent {
        error: "order 17 has no customer".to_owned(),
    }
}

/// Answers by event: what is scripted for it, one after the other, then done.
#[derive(Clone, Default)]
pub(crate) struct Script {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    scripted: HashMap<String, Vec<Outcome>>,
    default: Option<Outcome>,
    panics: Option<String>,
    time: Duration,
    calls: Vec<(String, u32)>,
    deliveries: Vec<String>,
    received: Vec<(String, Envelope)>,
    outputs: Vec<Envelope>,
    counts: bool,
    seen: HashMap<String, Option<String>>,
}

/// One more than what was kept.
fn counted(state: Option<&str>) -> KeyState {
    let count: u64 = state.map_or(0, |text| text.parse().unwrap());
    KeyState::Is((count + 1).to_string().into())
}

impl Script {
    pub(crate) fn answer(&self, event: &str, outcomes: impl IntoIterator<Item = Outcome>) {
        let mut outcomes: Vec<Outcome> = outcomes.into_iter().collect();
        outcomes.reverse();
        self.inner
            .lock()
            .unwrap()
            .scripted
            .insert(event.to_owned(), outcomes);
    }

    /// What every event without a script gets from now on.
    pub(crate) fn otherwise(&self, outcome: Outcome) {
        self.inner.lock().unwrap().default = Some(outcome);
    }

    /// The handler panics at this event from now on.
    pub(crate) fn panics(&self, event: &str) {
        self.inner.lock().unwrap().panics = Some(event.to_owned());
    }

    /// How long a call takes from now on.
    pub(crate) fn takes(&self, time: Duration) {
        self.inner.lock().unwrap().time = time;
    }

    /// What every handling that is done publishes from now on.
    pub(crate) fn publishes(&self, outputs: Vec<Envelope>) {
        self.inner.lock().unwrap().outputs = outputs;
    }

    /// Every handling counts in the state of its key from now on.
    pub(crate) fn counts(&self) {
        self.inner.lock().unwrap().counts = true;
    }

    /// The state that the last attempt of an event was given.
    pub(crate) fn seen(&self, event: &str) -> Option<String> {
        self.inner
            .lock()
            .unwrap()
            .seen
            .get(event)
            .cloned()
            .flatten()
    }

    /// The delivery ids of the calls so far.
    pub(crate) fn deliveries(&self) -> Vec<String> {
        self.inner.lock().unwrap().deliveries.clone()
    }

    /// What was called so far: the delivery's id and the event.
    pub(crate) fn received(&self) -> Vec<(String, Envelope)> {
        self.inner.lock().unwrap().received.clone()
    }

    /// The calls so far: event and attempt.
    pub(crate) fn calls(&self) -> Vec<(String, u32)> {
        self.inner.lock().unwrap().calls.clone()
    }
}

impl Caller for Script {
    fn call(&self, attempt: Attempt) -> BoxFuture<'static, Answer> {
        let mut inner = self.inner.lock().unwrap();
        let event = attempt.envelope.id.clone();
        inner.calls.push((event.clone(), attempt.attempt));
        inner.deliveries.push(attempt.delivery_id.clone());
        let received = (attempt.delivery_id.clone(), (*attempt.envelope).clone());
        inner.received.push(received);
        let scripted = inner.scripted.get_mut(&event).and_then(Vec::pop);
        let outcome = scripted.or(inner.default.clone()).unwrap_or(Outcome::Done);
        let time = inner.time;
        let outputs = inner.outputs.clone();
        let state = inner.counts.then(|| counted(attempt.state.as_deref()));
        let seen = attempt.state.as_deref().map(str::to_owned);
        inner.seen.insert(event.clone(), seen);
        let panics = inner.panics.as_ref() == Some(&event);
        async move {
            assert!(!panics, "a handler of a test panics, as it should");
            tokio::time::sleep(time).await;
            Answer {
                outcome,
                outputs,
                state,
            }
        }
        .boxed()
    }
}

pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) script: Script,
    pub(crate) text: String,
    pub(crate) settings: Settings,
    pub(crate) clock: TokioClock,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(DESIGN, Settings::default()).await
    }

    pub(crate) async fn with(text: &str, settings: Settings) -> Self {
        let broker: Arc<dyn Broker> = Arc::new(MemoryBroker::new());
        let clock = TokioClock::starting_at(Timestamp::from_millis(1_700_000_000_000));
        Self::on(text, settings, broker, Script::default(), clock).await
    }

    pub(crate) async fn on(
        text: &str,
        settings: Settings,
        broker: Arc<dyn Broker>,
        script: Script,
        clock: TokioClock,
    ) -> Self {
        let runtime = Runtime::start(
            &design(text),
            Arc::clone(&broker),
            Arc::new(script.clone()),
            Arc::new(clock),
            settings.clone(),
        )
        .await
        .expect("it starts");
        Self {
            runtime,
            broker,
            script,
            text: text.to_owned(),
            settings,
            clock,
        }
    }

    /// The process ends without a word, and another one starts on the same broker.
    pub(crate) async fn restart(self) -> Self {
        let text = self.text.clone();
        self.restart_as(&text).await
    }

    /// As [`Self::restart`], with another design.
    pub(crate) async fn restart_as(self, text: &str) -> Self {
        let Self {
            runtime,
            broker,
            script,
            text: _,
            settings,
            clock,
        } = self;
        drop(runtime);
        // The actor notices that its last handle is gone.
        tokio::time::sleep(Duration::from_millis(1)).await;
        Self::on(text, settings, broker, script, clock).await
    }

    pub(crate) async fn publish(&self, events: impl IntoIterator<Item = Envelope>) {
        self.runtime
            .publish(events.into_iter().collect())
            .await
            .expect("accepted");
    }

    pub(crate) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// The view after the next renewal.
    pub(crate) async fn consumer(&self, consumer: &str) -> ConsumerView {
        self.pass(Duration::from_millis(600)).await;
        let view = self.runtime.view();
        view.consumers
            .iter()
            .find(|view| view.id == id(consumer))
            .unwrap()
            .clone()
    }

    /// The ids of the payments in their channel, in its order.
    pub(crate) async fn payments(&self) -> Vec<String> {
        let limit = ReadLimit {
            records: 1_000,
            bytes: usize::MAX,
        };
        let channel = "PaymentTaken".parse().unwrap();
        let records = self.broker.read(&channel, 0, limit).await.unwrap();
        let id_of = |record: Record| {
            let mut headers = record.headers.into_iter();
            headers.find(|(name, _)| name == "id").unwrap().1
        };
        records.into_iter().map(id_of).collect()
    }

    pub(crate) async fn letters(&self) -> DeadLetterPage {
        self.runtime.dead_letters(DeadLetterFilter::default()).await
    }
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
