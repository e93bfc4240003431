//! Which events are published when: recorded, or drawn from the design's targets.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use thiserror::Error;
use tidegate_base::{Envelope, Name, Random, Timestamp};
use tidegate_model::Design;
use tidegate_trace::recording::{self, Recording};

use crate::sample::{SampleError, Sampler};

/// The rate of an event for which the design names none.
const DEFAULT_RATE: f64 = 1.0;
/// Keys of synthetic traffic: enough that most events do not wait for each other.
const KEYS: u64 = 1_000;

/// When each event is published, and with what.
#[derive(Debug)]
pub struct Plan {
    /// The events that are played, one stream each.
    pub streams: Vec<PlannedStream>,
}

/// One event's part of a plan.
#[derive(Debug)]
pub struct PlannedStream {
    /// The event.
    pub event: Name,
    event_type: String,
    source: String,
    sampler: Sampler,
    arrivals: Arrivals,
}

/// When the events of a stream come.
#[derive(Debug)]
enum Arrivals {
    /// As recorded, again and again.
    Recorded {
        arrivals: Vec<recording::Arrival>,
        duration: Duration,
        speed: f64,
    },
    /// A Poisson process of this many events a second.
    Poisson { rate: f64, random: Random },
}

/// Who publishes the events that handlers emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emitted {
    /// Their handlers do: the plan leaves them out.
    ByHandlers,
    /// The plan does: handlers emit nothing.
    ByPlan,
}

/// One event to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When, from the start of the plan.
    pub at: Duration,
    /// What orders it.
    pub key: String,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// Payloads of an event cannot be made.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// The recording has an event that the design does not have.
    #[error("the recording has event `{event}`, which is not in the design")]
    UnknownEvent {
        /// The event.
        event: Name,
    },
    /// Nothing would be published.
    #[error("there is nothing to play: {reason}")]
    Nothing {
        /// Why.
        reason: &'static str,
    },
}

impl Plan {
    /// The traffic of a recording, played again and again, `speed` times as fast. Events that a
    /// handler emits by the design's own word (`emits`) are left out: their handlers cause them.
    ///
    /// # Errors
    ///
    /// [`PlanError`] when an event is not in the design, or its payloads cannot be made.
    pub fn recorded(
        design: &Design,
        recording: &Recording,
        speed: f64,
        seed: u64,
    ) -> Result<Self, PlanError> {
        let mut streams = Vec::new();
        for (name, stream) in &recording.streams {
            let Some(event) = design.events.get(name) else {
                return Err(PlanError::UnknownEvent {
                    event: name.clone(),
                });
            };
            if stream.arrivals.is_empty() || is_caused(design, name) {
                continue;
            }
            streams.push(PlannedStream {
                event: name.clone(),
                event_type: event.event_type.clone(),
                source: format!("/recorded/{}", stream.publisher),
                sampler: Sampler::new(name, event, seed)?,
                arrivals: Arrivals::Recorded {
                    arrivals: stream.arrivals.clone(),
                    duration: recording.duration,
                    speed,
                },
            });
        }
        Self::some(
            streams,
            "the recording has no arrivals of events that a service begins with",
        )
    }

    /// A Poisson process for each published event, at its target rate times `share`. Events that a
    /// handler emits are drawn as well or left to their handlers, as `emitted` says.
    ///
    /// # Errors
    ///
    /// [`PlanError`] when payloads of an event cannot be made, or no service publishes.
    pub fn synthetic(
        design: &Design,
        share: f64,
        emitted: Emitted,
        seed: u64,
    ) -> Result<Self, PlanError> {
        let mut streams = Vec::new();
        for (name, event) in &design.events {
            let Some(publisher) = design.publishers(name).next() else {
                continue;
            };
            if emitted == Emitted::ByHandlers && is_caused(design, name) {
                continue;
            }
            let rate = event
                .targets
                .rate
                .map_or(DEFAULT_RATE, tidegate_base::Rate::value)
                * share;
            if rate > 0.0 {
                streams.push(PlannedStream {
                    event: name.clone(),
                    event_type: event.event_type.clone(),
                    source: format!("/synthetic/{publisher}"),
                    sampler: Sampler::new(name, event, seed)?,
                    arrivals: Arrivals::Poisson {
                        rate,
                        random: Random::new(seed, "arrivals", name.as_str()),
                    },
                });
            }
        }
        Self::some(streams, "no service of the design publishes an event")
    }

    fn some(streams: Vec<PlannedStream>, reason: &'static str) -> Result<Self, PlanError> {
        if streams.is_empty() {
            Err(PlanError::Nothing { reason })
        } else {
            Ok(Self { streams })
        }
    }

    /// Events a second over all streams.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.streams.iter().map(PlannedStream::rate).sum()
    }

    /// All events in the order of their times; endless.
    #[must_use]
    pub fn schedule(&self) -> Schedule<'_> {
        let first = |stream: usize| {
            let arrival = self.streams.get(stream)?.arrival(0, Duration::ZERO);
            Some(Reverse(Due {
                arrival,
                stream,
                number: 0,
            }))
        };
        Schedule {
            plan: self,
            next: (0..self.streams.len()).filter_map(first).collect(),
        }
    }
}

/// The events of a plan in the order of their times.
#[derive(Debug)]
pub struct Schedule<'a> {
    plan: &'a Plan,
    next: BinaryHeap<Reverse<Due>>,
}

/// One event of a plan.
#[derive(Clone, Debug)]
pub struct Planned<'a> {
    /// Its stream.
    pub stream: &'a PlannedStream,
    /// Its number in the stream, from 0.
    pub number: u64,
    /// When, and with which key.
    pub arrival: Arrival,
}

impl<'a> Iterator for Schedule<'a> {
    type Item = Planned<'a>;

    fn next(&mut self) -> Option<Planned<'a>> {
        let Reverse(due) = self.next.pop()?;
        let stream = self.plan.streams.get(due.stream)?;
        let number = due.number + 1;
        let arrival = stream.arrival(number, due.arrival.at);
        self.next.push(Reverse(Due {
            arrival,
            stream: due.stream,
            number,
        }));
        Some(Planned {
            stream,
            number: due.number,
            arrival: due.arrival,
        })
    }
}

/// The next event of a stream; ordered by time, then stream.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    arrival: Arrival,
    stream: usize,
    number: u64,
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.arrival.at, self.stream).cmp(&(other.arrival.at, other.stream))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether a handler emits the event by the design's own word.
fn is_caused(design: &Design, event: &Name) -> bool {
    design.consumers().any(|consumer| {
        consumer
            .consume
            .emits
            .iter()
            .flatten()
            .any(|emitted| emitted.value == *event)
    })
}

impl PlannedStream {
    /// Events a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        match &self.arrivals {
            Arrivals::Recorded {
                arrivals,
                duration,
                speed,
            } => {
                #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
                let count = arrivals.len() as f64;
                count * speed / duration.as_secs_f64().max(1e-9)
            }
            Arrivals::Poisson { rate, .. } => *rate,
        }
    }

    /// The event number `index`, which comes after the one before, at `after`.
    #[must_use]
    pub fn arrival(&self, index: u64, after: Duration) -> Arrival {
        match &self.arrivals {
            Arrivals::Recorded {
                arrivals,
                duration,
                speed,
            } => {
                let count = u64::try_from(arrivals.len()).unwrap_or(1).max(1);
                let (round, place) = (index / count, index % count);
                let recorded = usize::try_from(place)
                    .ok()
                    .and_then(|place| arrivals.get(place));
                let offset = recorded.map_or(Duration::ZERO, |arrival| arrival.offset);
                let rounds = u32::try_from(round).unwrap_or(u32::MAX);
                let at = duration.saturating_mul(rounds).saturating_add(offset);
                let key = recorded.map_or("", |arrival| arrival.key.as_str());
                // Keys of another round are other things: an order is placed once.
                let key = if round == 0 {
                    key.to_owned()
                } else {
                    format!("{key}-{round}")
                };
                Arrival {
                    at: at.div_f64(speed.max(1e-3)),
                    key,
                }
            }
            Arrivals::Poisson { rate, random } => {
                let gap =
                    Duration::from_secs_f64((random.exponential(2 * index) / rate).min(86_400.0));
                let key = random.bits(2 * index + 1) % KEYS;
                Arrival {
                    at: after + gap,
                    key: format!("k{key}"),
                }
            }
        }
    }

    /// The envelope of event number `index`. `run` keeps the ids of two runs apart.
    #[must_use]
    pub fn envelope(&self, run: &str, index: u64, key: &str, now: Timestamp) -> Envelope {
        let payload = self.sampler.payload(index, key);
        Envelope {
            id: format!("{run}-{}-{index}", self.event),
            source: self.source.clone(),
            event_type: self.event_type.clone(),
            subject: None,
            time: Some(now.to_string()),
            data_content_type: Some("application/json".to_owned()),
            data_schema: None,
            extensions: [("partitionkey".to_owned(), key.to_owned())].into(),
            data: Some(payload.to_string().into()),
        }
    }
}
