//! Stand-in services: real HTTP endpoints (or pullers) in place of the design's consumers.
//!
//! They take as long as was recorded (or as the design says), fail as was recorded and as the story
//! says, and publish what their handlers emit, so that a chain of events lives.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tidegate_base::{Clock, ConsumerId, Envelope, Name, Random};
use tidegate_model::Design;
use tidegate_model::design::ConsumerRef;
use tidegate_runtime::{Outcome, PublishError, RetryClass, Runtime};
use tidegate_trace::recording::{self, Recording};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::sample::{SampleError, Sampler};
use crate::scenario::Answer;
use crate::stage::Stage;

/// How long a handler takes for which nothing is known.
const DEFAULT_HANDLER_TIME: Duration = Duration::from_millis(20);
/// How long a silent service stays silent: longer than any timeout that makes sense.
const SILENCE: Duration = Duration::from_secs(3_600);
/// Deliveries that one pull asks for.
const PULL_SIZE: usize = 16;

/// The stand-ins of a design. They stop when dropped.
#[derive(Debug)]
pub struct StandIns {
    address: SocketAddr,
    crew: Arc<Crew>,
    serving: JoinHandle<()>,
    pulling: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Crew {
    members: HashMap<ConsumerId, Member>,
    stage: Stage,
    clock: Arc<dyn Clock>,
    runtime: OnceLock<Runtime>,
}

/// One consumer's stand-in.
#[derive(Debug)]
struct Member {
    consumer: ConsumerId,
    needs: Vec<Name>,
    /// What was recorded; empty: `handler_time` holds.
    recorded: Vec<recording::Arrival>,
    handler_time: Duration,
    emits: Vec<Emission>,
    random: Random,
}

/// An event that a handler publishes when it is done.
#[derive(Debug)]
struct Emission {
    event: Name,
    event_type: String,
    sampler: Sampler,
}

/// What a stand-in does with a delivery.
struct Verdict {
    answer: Option<Answer>,
    error: String,
}

impl StandIns {
    /// Starts a stand-in for every consumer of the design, on a loopback port of the system's choice.
    ///
    /// # Errors
    ///
    /// When no port can be listened on, or payloads of an emitted event cannot be made.
    pub async fn start(
        design: &Design,
        recording: Option<&Recording>,
        stage: Stage,
        clock: Arc<dyn Clock>,
        seed: u64,
    ) -> Result<Self, StandInError> {
        let mut members = HashMap::new();
        for consumer in design.consumers() {
            members.insert(
                consumer.id(),
                Member::new(design, consumer, recording, seed)?,
            );
        }
        let crew = Arc::new(Crew {
            members,
            stage,
            clock,
            runtime: OnceLock::new(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let app = Router::new()
            .route("/{service}/{event}", post(serve))
            .with_state(Arc::clone(&crew));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!("the stand-in services stopped: {error}");
            }
        });
        Ok(Self {
            address,
            crew,
            serving,
            pulling: Vec::new(),
        })
    }

    /// The design with every pushed consumer's endpoint replaced by its stand-in's.
    #[must_use]
    pub fn take_over(&self, mut design: Design) -> Design {
        for (service, consumer) in &mut design.services {
            for (event, consume) in &mut consumer.consumes {
                if let Some(to) = &mut consume.deliver.to {
                    to.value = format!("http://{}/{service}/{event}", self.address);
                }
            }
        }
        design
    }

    /// Gives the stand-ins the running system: to publish what they emit, and to pull from.
    pub fn attach(&mut self, runtime: &Runtime, design: &Design, until: &watch::Receiver<bool>) {
        if self.crew.runtime.set(runtime.clone()).is_err() {
            return;
        }
        for consumer in design
            .consumers()
            .filter(|consumer| consumer.consume.deliver.to.is_none())
        {
            let (crew, id) = (Arc::clone(&self.crew), consumer.id());
            let pulling = pull(crew, id, runtime.clone(), until.clone());
            self.pulling.push(tokio::spawn(pulling));
        }
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        self.serving.abort();
        self.pulling.iter().for_each(JoinHandle::abort);
    }
}

/// Why the stand-ins do not start.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// No port can be listened on.
    #[error("the stand-in services cannot listen on loopback")]
    Listen(#[from] io::Error),
    /// Payloads of an emitted event cannot be made.
    #[error(transparent)]
    Sample(#[from] SampleError),
}

impl Member {
    fn new(
        design: &Design,
        consumer: ConsumerRef<'_>,
        recording: Option<&Recording>,
        seed: u64,
    ) -> Result<Self, SampleError> {
        let id = consumer.id();
        let recorded = recording
            .and_then(|recording| recording.streams.get(consumer.event_name))
            .filter(|stream| stream.consumer == *consumer.service_name)
            .map(|stream| stream.arrivals.clone())
            .unwrap_or_default();
        let mut emits = Vec::new();
        for name in consumer.consume.emits.iter().flatten() {
            if let Some(event) = design.events.get(&name.value) {
                emits.push(Emission {
                    event: name.value.clone(),
                    event_type: event.event_type.clone(),
                    sampler: Sampler::new(&name.value, event, seed)?,
                });
            }
        }
        let handler_time = consumer.consume.deliver.handler_time.as_ref();
        Ok(Self {
            needs: consumer
                .consume
                .needs
                .iter()
                .map(|need| need.value.clone())
                .collect(),
            recorded,
            handler_time: handler_time.map_or(DEFAULT_HANDLER_TIME, |time| time.value),
            emits,
            random: Random::new(seed, "handler", &id.to_string()),
            consumer: id,
        })
    }

    /// What was recorded for a delivery like the one with this lot.
    fn recorded(&self, lot: u64) -> Option<&recording::Arrival> {
        let bits = usize::try_from(self.random.bits(lot) >> 1).unwrap_or_default();
        self.recorded.get(bits.checked_rem(self.recorded.len())?)
    }

    /// Takes the time that a delivery takes, and says how it ends.
    async fn work(&self, stage: &Stage, event: &Envelope, attempt: u32) -> Verdict {
        let lot = lot(&event.id);
        let recorded = self.recorded(lot);
        tokio::time::sleep(recorded.map_or(self.handler_time, |arrival| arrival.handler_time))
            .await;
        let data = event.data_json().unwrap_or_default();
        let attempts_lot = lot.wrapping_add(u64::from(attempt));
        if let Some(fault) = stage.fault(&self.consumer, &self.needs, &data, attempts_lot) {
            return Verdict {
                answer: Some(fault.answer),
                error: fault.error.clone(),
            };
        }
        let failed = recorded.is_some_and(|arrival| arrival.outcome == recording::Outcome::Failed);
        if failed && attempt == 1 {
            return Verdict {
                answer: Some(Answer::Status(500)),
                error: "failed as recorded".to_owned(),
            };
        }
        Verdict {
            answer: None,
            error: String::new(),
        }
    }
}

/// The same event draws the same lot in every attempt.
fn lot(id: &str) -> u64 {
    // FNV-1a (Fowler, Noll and Vo, 1991).
    let offset = 0xcbf2_9ce4_8422_2325_u64;
    id.bytes().fold(offset, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl Crew {
    /// Publishes what the handler emits. Its id follows from the delivery, so that a repeated run
    /// publishes nothing twice.
    async fn emit(
        &self,
        member: &Member,
        cause: &Envelope,
        delivery: &str,
    ) -> Result<(), PublishError> {
        let Some(runtime) = self.runtime.get() else {
            return Ok(());
        };
        let key = cause
            .extensions
            .get("partitionkey")
            .map_or(cause.id.as_str(), String::as_str);
        let emitted = member.emits.iter().map(|emission| Envelope {
            id: format!("{delivery}/{}", emission.event),
            source: format!("/stand-in/{}", member.consumer.service),
            event_type: emission.event_type.clone(),
            subject: None,
            time: Some(self.clock.now().to_string()),
            data_content_type: Some("application/json".to_owned()),
            data_schema: None,
            extensions: [
                ("partitionkey".to_owned(), key.to_owned()),
                ("causationid".to_owned(), cause.id.clone()),
            ]
            .into(),
            data: Some(
                emission
                    .sampler
                    .payload(lot(&cause.id), key)
                    .to_string()
                    .into(),
            ),
        });
        let emitted: Vec<Envelope> = emitted.collect();
        if !emitted.is_empty() {
            runtime.publish(emitted).await?;
        }
        Ok(())
    }
}

async fn serve(
    State(crew): State<Arc<Crew>>,
    Path((service, event)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let id = format!("{service}/{event}").parse::<ConsumerId>().ok();
    let Some(member) = id.and_then(|id| crew.members.get(&id)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let attempt = text("tidegate-attempt")
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let delivery = text("tidegate-delivery").unwrap_or_default();
    let attributes = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("ce-")?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    });
    let event = Envelope::from_attributes(attributes, Some(body));
    let verdict = member.work(&crew.stage, &event, attempt).await;
    match verdict.answer {
        Some(Answer::Silence) => {
            tokio::time::sleep(SILENCE).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Some(Answer::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, verdict.error).into_response()
        }
        None => match crew.emit(member, &event, delivery).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        },
    }
}

/// A puller: asks, works through what it gets at the same time, settles, asks again.
async fn pull(crew: Arc<Crew>, id: ConsumerId, runtime: Runtime, until: watch::Receiver<bool>) {
    let wait = Duration::from_secs(5);
    while !*until.borrow() {
        let Ok(deliveries) = runtime.pull(&id, PULL_SIZE, wait).await else {
            return;
        };
        let settled = deliveries.into_iter().map(|delivery| {
            let (crew, id, runtime) = (&crew, &id, &runtime);
            async move {
                let Some(member) = crew.members.get(id) else {
                    return;
                };
                let event = &delivery.envelope;
                let verdict = member.work(&crew.stage, event, delivery.attempt).await;
                let outcome = match outcome(verdict) {
                    Outcome::Done => {
                        let emitted = crew.emit(member, event, &delivery.delivery_id).await;
                        emitted
                            .err()
                            .map_or(Outcome::Done, |error| retry(error.to_string()))
                    }
                    other => other,
                };
                if let Err(error) = runtime.settle(&delivery.lease, outcome).await {
                    tracing::debug!("a stand-in could not settle: {error}");
                }
            }
        });
        futures_util::future::join_all(settled).await;
    }
}

fn retry(error: String) -> Outcome {
    Outcome::Retry {
        class: RetryClass::Retryable,
        error,
        after: None,
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    let error = verdict.error;
    match verdict.answer {
        None => Outcome::Done,
        Some(Answer::Silence) => Outcome::Retry {
            class: RetryClass::Timeout,
            error,
            after: None,
        },
        Some(Answer::Status(502..=504)) => Outcome::Retry {
            class: RetryClass::Unavailable,
            error,
            after: None,
        },
        Some(Answer::Status(400 | 422)) => Outcome::Permanent { error },
        Some(Answer::Status(_)) => retry(error),
    }
}
