//! The simulations that prove a size: one consumer at a time, at its peak and as it was recorded.

use std::time::Duration;

use tidegate_base::{Name, Random, Rate, Ratio};
use tidegate_model::Design;
use tidegate_model::design::Messaging;
use tidegate_simulate::{MESSAGES_MAX, Outcome, RecordedArrival, Scenario, Window};
use tidegate_size::{Load, Question, Trial};
use tidegate_trace::recording::{Recording, Stream};

/// The fewest deliveries of a trial: 500 of them are beyond the 99th percentile.
const DELIVERIES_MIN: f64 = 50_000.0;
/// As many deliveries for each worker that is busy: with fewer, the queue has not settled.
const DELIVERIES_A_WORKER: f64 = 50.0;
/// The longest time that is simulated.
const LONGEST: f64 = 10.0 * 365.0 * 86_400.0;
/// Where the random numbers start: the same design has the same size.
const SEED: u64 = 1;

/// A design whose consumers are simulated one by one.
#[derive(Debug)]
pub(crate) struct Trials<'a> {
    design: &'a Design,
    recording: Option<&'a Recording>,
}

impl<'a> Trials<'a> {
    pub(crate) fn new(design: &'a Design, recording: Option<&'a Recording>) -> Self {
        Self { design, recording }
    }

    /// The consumer with so many workers, under each load.
    pub(crate) fn simulate(&self, question: &Question) -> Vec<Trial> {
        let Some(design) = self.design_of(question) else {
            return Vec::new();
        };
        let event = &question.consumer.event;
        let stream = self
            .recording
            .and_then(|recording| recording.streams.get(event));
        let recorded = stream.and_then(|stream| self.recorded(question, stream));
        let loads = [
            Some((Load::Peak, self.peak(question, stream))),
            recorded.map(|scenario| (Load::Recorded, scenario)),
        ];
        loads
            .into_iter()
            .flatten()
            .filter_map(|(load, scenario)| trial(&design, question, load, &scenario))
            .collect()
    }

    /// A design of this consumer and its event alone, with so many workers, at the peak.
    fn design_of(&self, question: &Question) -> Option<Design> {
        let (service, event) = (&question.consumer.service, &question.consumer.event);
        let publisher = self.design.services.get(service)?;
        let mut consume = publisher.consumes.get(event)?.clone();
        consume.deliver.concurrency.value = question.workers;
        let mut alone = publisher.clone();
        alone.consumes = std::iter::once((event.clone(), consume)).collect();
        let mut read = self.design.events.get(event)?.clone();
        read.targets.rate = Rate::per_second(question.peak);
        read.targets.peak = read.targets.rate;
        Some(Design {
            system: self.design.system.clone(),
            processes: Default::default(),
            events: std::iter::once((event.clone(), read)).collect(),
            services: std::iter::once((service.clone(), alone)).collect(),
            dependencies: Default::default(),
            messaging: Messaging::default(),
        })
    }

    fn common(&self, question: &Question, rate: f64) -> Scenario {
        let busy = rate * question.handler_seconds;
        let deliveries = DELIVERIES_MIN
            .max(busy * DELIVERIES_A_WORKER)
            .min(MESSAGES_MAX as f64);
        let duration = Duration::from_secs_f64((deliveries / rate).min(LONGEST));
        let scenario = Scenario {
            seed: SEED,
            duration,
            warm_up: duration / 20,
            peaks: Vec::<Window>::new(),
            failures: Ratio::new(question.failures).unwrap_or_default(),
            handler_time: Duration::try_from_secs_f64(question.handler_seconds).ok(),
            ..Scenario::default()
        };
        match self.recording.filter(|_| question.recorded_times) {
            Some(recording) => scenario.with_spread_of(recording),
            None => scenario,
        }
    }

    /// The peak for as long as it takes, arrivals independent of each other.
    fn peak(&self, question: &Question, stream: Option<&Stream>) -> Scenario {
        let mut scenario = self.common(question, question.peak);
        if let Some(stream) = stream.filter(|_| question.recorded_keys) {
            let event = &question.consumer.event;
            let arrivals = independent(event, question.peak, scenario.duration, stream);
            scenario.recorded_arrivals.insert(event.clone(), arrivals);
        }
        scenario
    }

    /// The recording over and over, at the speed that gives the usual rate of the design.
    fn recorded(&self, question: &Question, stream: &Stream) -> Option<Scenario> {
        let recording = self.recording?;
        let mut scenario = self.common(question, question.rate);
        let length = recording.duration.as_secs_f64();
        let measured = stream.arrivals.len() as f64 / length;
        let speed = question.rate / measured;
        if !speed.is_finite() || speed <= 0.0 {
            return None;
        }
        let round = length / speed;
        let mut arrivals = Vec::new();
        let mut start = 0.0;
        // The whole recording at least, and whole rounds of it.
        while start < scenario.duration.as_secs_f64() && (arrivals.len() as u64) < MESSAGES_MAX {
            for (number, arrival) in stream.arrivals.iter().enumerate() {
                let at = start + arrival.offset.as_secs_f64() / speed;
                arrivals.push(RecordedArrival {
                    offset: Duration::try_from_secs_f64(at).ok()?,
                    key: match question.recorded_keys {
                        true => arrival.key.clone(),
                        // Keys that hardly repeat are others in each round.
                        false => format!("{start}/{number}"),
                    },
                });
            }
            start += round;
        }
        scenario.duration = Duration::try_from_secs_f64(start).ok()?;
        scenario.warm_up = scenario.duration / 20;
        let event = question.consumer.event.clone();
        scenario.recorded_arrivals.insert(event, arrivals);
        Some(scenario)
    }
}

/// Arrivals by chance whose keys come as often as in `stream`.
fn independent(event: &Name, rate: f64, length: Duration, stream: &Stream) -> Vec<RecordedArrival> {
    let gaps = Random::new(SEED, "size-arrival", event.as_str());
    let picks = Random::new(SEED, "size-key", event.as_str());
    let count = stream.arrivals.len().max(1) as u64;
    let mut at = 0.0;
    let mut arrivals = Vec::new();
    for index in 0..MESSAGES_MAX {
        at += gaps.exponential(index) / rate;
        let Ok(offset) = Duration::try_from_secs_f64(at) else {
            break;
        };
        if offset > length {
            break;
        }
        let pick = usize::try_from(picks.bits(index) % count).unwrap_or(0);
        let key = stream.arrivals.get(pick).map(|arrival| arrival.key.clone());
        arrivals.push(RecordedArrival {
            offset,
            key: key.unwrap_or_default(),
        });
    }
    arrivals
}

fn trial(design: &Design, question: &Question, load: Load, scenario: &Scenario) -> Option<Trial> {
    let simulation = tidegate_simulate::simulate(design, scenario);
    let consumer = simulation.consumers.into_iter().next()?;
    let Outcome::Simulated(simulated) = consumer.outcome else {
        return None;
    };
    let p99 = simulated.latency.p99;
    Some(Trial {
        load,
        workers: question.workers,
        deliveries: simulated.deliveries,
        utilisation: simulated.utilisation,
        mean_seconds: simulated.latency.mean.map(|mean| mean.value),
        p99_seconds: p99.map(|p99| p99.value),
        plus_minus_seconds: p99.and_then(|p99| p99.plus_minus),
    })
}
