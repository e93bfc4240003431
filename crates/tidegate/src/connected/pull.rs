//! Pulls the deliveries of one consumer and settles them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidegate_base::{ConsumerId, Envelope};
use tidegate_runtime::{Answer, KeyState, Outcome as Ended, RetryClass};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{AskError, Client, JSON};
use super::home::Counts;
use crate::context::Facts;
use crate::router::Router;

/// How long a pull waits for a delivery. A drain waits for the pull: what it brings must be given back.
const WAIT: Duration = Duration::from_secs(2);
/// Most deliveries of one pull, as the daemon has it.
const PULL_MAX: usize = 256;
/// The code of a daemon's answer when a delivery that is done is a dead letter instead.
const DEAD_LETTER: &str = "dead-letter";
/// The first and the longest pause after a pull or a settlement that failed.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a lease lasts where the daemon does not say it: the default of the design language.
const LEASE: Duration = Duration::from_secs(30);
/// How long a lease that is given back is worth trying.
const RELEASE_LIMIT: Duration = Duration::from_secs(1);

/// Pulls one consumer.
pub(super) struct Puller {
    pub(super) consumer: ConsumerId,
    /// Most deliveries that run at the same time.
    pub(super) concurrency: usize,
    pub(super) client: Client,
    pub(super) router: Arc<Router>,
    pub(super) draining: watch::Receiver<bool>,
    pub(super) counts: Arc<Counts>,
}

#[derive(Deserialize)]
struct Pulled {
    deliveries: Vec<Lease>,
}

#[derive(Deserialize)]
struct Lease {
    lease: String,
    delivery: String,
    /// A daemon of before says it in `delivery` alone.
    sequence: Option<u64>,
    #[serde(default)]
    replay: u64,
    attempt: u32,
    #[serde(default)]
    epoch: u64,
    timeout_ms: Option<u64>,
    #[serde(default)]
    state: Value,
    event: Value,
}

impl Puller {
    /// Pulls until the app drains or is gone, then waits for what runs.
    pub(super) async fn run(mut self) {
        let mut running = JoinSet::new();
        let mut pause = PAUSE_MIN;
        while !self.drains() {
            while running.try_join_next().is_some() {}
            let free = self.concurrency.saturating_sub(running.len()).min(PULL_MAX);
            if free == 0 {
                tokio::select! {
                    _ended = running.join_next() => {}
                    () = draining(&mut self.draining) => {}
                }
                continue;
            }
            match self.pull(free).await {
                Ok(leases) => {
                    pause = PAUSE_MIN;
                    let drains = self.drains();
                    for lease in leases {
                        self.begin(lease, drains, &mut running);
                    }
                }
                Err(error) => {
                    self.tell(&error, pause == PAUSE_MIN);
                    let asked = match &error {
                        AskError::Refused(refusal) => refusal.retry_after.unwrap_or_default(),
                        AskError::Unanswered(_) => Duration::ZERO,
                    };
                    tokio::select! {
                        () = tokio::time::sleep(pause.max(asked.min(PAUSE_MAX))) => {}
                        () = draining(&mut self.draining) => {}
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Whether nothing more is to be pulled. A sender that is gone went with the app.
    fn drains(&self) -> bool {
        *self.draining.borrow() || self.draining.has_changed().is_err()
    }

    async fn pull(&self, max: usize) -> Result<Vec<Lease>, AskError> {
        let path = format!("/v1/consumers/{}/pull", self.consumer);
        let body = json!({ "max": max, "wait": format!("{}ms", WAIT.as_millis()) });
        let answer = self.client.post(&path, JSON, &body, WAIT).await?;
        let pulled = Pulled::deserialize(answer);
        let pulled =
            pulled.map_err(|error| AskError::Unanswered(format!("not an answer: {error}")))?;
        Ok(pulled.deliveries)
    }

    /// Once for each outage, and quietly after that.
    fn tell(&self, error: &AskError, is_first: bool) {
        let (consumer, url) = (&self.consumer, self.client.url());
        if is_first {
            tracing::warn!("`{consumer}` cannot be pulled from {url}: {error}; trying again");
        } else {
            tracing::debug!("`{consumer}` cannot be pulled from {url}: {error}");
        }
    }

    /// Handles a delivery, or gives it back when the app drains.
    fn begin(&self, lease: Lease, drains: bool, running: &mut JoinSet<()>) {
        let Lease {
            lease,
            delivery,
            sequence,
            replay,
            attempt,
            epoch,
            timeout_ms,
            state,
            event,
        } = lease;
        let timeout = timeout_ms.map_or(LEASE, Duration::from_millis);
        let deadline = Instant::now() + timeout;
        let client = self.client.clone();
        let counts = Arc::clone(&self.counts);
        let envelope = match Envelope::read_stored(event) {
            Ok(envelope) => Arc::new(envelope),
            Err(error) => {
                let error = format!("the daemon handed out what is no CloudEvent: {error}");
                let answer = Ended::Permanent { error }.into();
                running.spawn(async move { settle(&client, &lease, answer, deadline).await });
                return;
            }
        };
        let facts = Facts {
            consumer: self.consumer.clone(),
            envelope,
            sequence: sequence.unwrap_or_else(|| sequence_of(&delivery)),
            generation: replay,
            delivery_id: delivery,
            attempt,
            epoch,
            deadline,
            state: (!state.is_null()).then(|| state.to_string().into()),
            app: self.router.app(),
        };
        let router = Arc::clone(&self.router);
        let state = self.draining.clone();
        running.spawn(async move {
            let answer = if drains {
                Ended::Cancelled.into()
            } else {
                // At the deadline the daemon has called it off already.
                match tokio::time::timeout_at(deadline, router.handle(facts)).await {
                    Ok(answer) => answer,
                    Err(_elapsed) => return,
                }
            };
            let is_cancelled = answer.outcome == Ended::Cancelled;
            settle(&client, &lease, answer, deadline).await;
            if is_cancelled {
                counts.cancelled.fetch_add(1, Ordering::Relaxed);
            } else if *state.borrow() {
                counts.finished.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

/// The sequence in a delivery's id: `service/event/sequence`, with more behind it in a replay.
fn sequence_of(delivery: &str) -> u64 {
    let sequence = delivery.split('/').nth(2);
    sequence.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Returns once the app drains or is gone.
async fn draining(state: &mut watch::Receiver<bool>) {
    // An error means that the app is gone, which is an end as well.
    let _gone = state.wait_for(|draining| *draining).await.is_err();
}

/// Tells the daemon how a delivery ended, for as long as its lease lasts.
async fn settle(client: &Client, lease: &str, answer: Answer, deadline: Instant) {
    let path = format!("/v1/leases/{lease}");
    let ends_at = if answer.outcome == Ended::Cancelled {
        deadline.min(Instant::now() + RELEASE_LIMIT)
    } else {
        deadline
    };
    let mut body = settlement(&answer);
    let mut is_given_up = false;
    let mut pause = PAUSE_MIN;
    loop {
        let error = match client.post(&path, JSON, &body, Duration::ZERO).await {
            Ok(_) => return,
            Err(error) => error,
        };
        if let AskError::Refused(refusal) = &error {
            match refusal.status.as_u16() {
                // The lease has ended, or an answer was lost that had settled it.
                409 => return tracing::debug!("lease `{lease}`: {}", refusal.message),
                // It is settled: what is published or kept with it is refused, so that it is a dead letter.
                422 if refusal.code == DEAD_LETTER => {
                    return tracing::error!("lease `{lease}`: {}", refusal.message);
                }
                // What is published with it is not what a daemon takes: no retry would change it.
                400 | 413 | 422 if answer.outcome.is_done() && !is_given_up => {
                    is_given_up = true;
                    let reason = &refusal.message;
                    let error = format!("what the handler publishes is refused: {reason}");
                    body = json!({ "outcome": "park", "error": error });
                    continue;
                }
                429 | 500..=599 => {}
                _ => {
                    let (code, message) = (&refusal.code, &refusal.message);
                    return tracing::error!("lease `{lease}` is not settled: {code}: {message}");
                }
            }
        }
        if Instant::now() + pause >= ends_at {
            return tracing::warn!("lease `{lease}` is not settled, and comes again: {error}");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// An answer in the words of the HTTP API.
fn settlement(answer: &Answer) -> Value {
    let mut body = Map::new();
    let mut add = |name: &str, value: Value| body.insert(name.to_owned(), value);
    let millis = |time: &Duration| Value::from(format!("{}ms", time.as_millis()));
    let outcome = match &answer.outcome {
        Ended::Done | Ended::DoneWith(_) => {
            let outputs: Vec<Value> = answer.outputs.iter().map(Envelope::to_value).collect();
            add("outputs", Value::from(outputs));
            let state = answer.state.as_ref().map(|state| match state {
                // Every state of this library is JSON.
                KeyState::Is(text) => {
                    serde_json::from_str(text).unwrap_or_else(|_| (**text).into())
                }
                KeyState::Gone => Value::Null,
            });
            state.and_then(|state| add("state", state));
            "done"
        }
        Ended::Retry {
            class,
            error,
            after,
        } => {
            if *class != RetryClass::Retryable {
                add("class", Value::from(class.word()));
            }
            add("error", Value::from(error.as_str()));
            after.as_ref().and_then(|time| add("after", millis(time)));
            "retry"
        }
        Ended::Overload { error, after } => {
            add("error", Value::from(error.as_str()));
            after.as_ref().and_then(|time| add("after", millis(time)));
            "overload"
        }
        Ended::Permanent { error } | Ended::Refused { error } => {
            add("error", Value::from(error.as_str()));
            "park"
        }
        // No handler says that its endpoint is wrong; giving it back is what is meant.
        Ended::EndpointFault { .. } | Ended::Cancelled => "release",
    };
    add("outcome", Value::from(outcome));
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_of_before_says_the_sequence_in_the_id_of_the_delivery() {
        for id in ["billing/OrderPlaced/7", "billing/OrderPlaced/7/replay-2"] {
            assert_eq!(sequence_of(id), 7, "{id}");
        }
        let old = json!({"lease": "l", "delivery": "a/B/7", "attempt": 1, "event": {}});
        let lease = Lease::deserialize(old).unwrap();
        assert_eq!((lease.sequence, lease.replay), (None, 0));
        let new = json!({"lease": "l", "delivery": "a/B/7/replay-2", "sequence": 7, "replay": 2,
            "attempt": 1, "event": {}});
        let lease = Lease::deserialize(new).unwrap();
        assert_eq!((lease.sequence, lease.replay), (Some(7), 2));
    }
}
