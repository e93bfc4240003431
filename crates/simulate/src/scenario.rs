//! What is simulated: how long, with which arrivals, keys, failures and outages.

use std::time::Duration;

use indexmap::IndexMap;
use tidegate_base::{ConsumerId, Name, Rate, Ratio};
use tidegate_trace::recording::Recording;

/// Most messages simulated for one consumer; a longer run is cut there, and says so.
pub const MESSAGES_MAX: u64 = 2_000_000;
/// Most different keys.
pub const KEYS_MAX: u32 = 1_000_000;

/// A warm-up is at most one part in this many of a run: a shorter rest would measure nothing.
pub(crate) const WARM_UP_SHARE: u32 = 5;

/// One run of a design. The same scenario and design give the same result, to the last digit.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where the random numbers start.
    pub seed: u64,
    /// How much time is simulated.
    pub duration: Duration,
    /// How much of its beginning is left out of latencies, until the queues have settled; at most a
    /// fifth of the run.
    pub warm_up: Duration,
    /// When events arrive at their peak rate; at all other times they arrive at their usual rate.
    pub peaks: Vec<Window>,
    /// When dependencies are down.
    pub outages: Vec<Outage>,
    /// How service times vary, for consumers without recorded ones.
    pub service: ServiceTime,
    /// How keys are distributed, for events with a key.
    pub keys: Keys,
    /// The share of attempts that fail and are retried.
    pub failures: Ratio,
    /// Recorded arrivals, by event; they take the place of the target rate.
    pub recorded_arrivals: IndexMap<Name, Vec<RecordedArrival>>,
    /// Recorded handler times, by consumer; they take the place of `handler-time`.
    pub recorded_handler_times: IndexMap<ConsumerId, Vec<Duration>>,
    /// Recorded handler times, by consumer, that say how far attempts are from `handler-time`, which
    /// stays their mean; they take the place of `service`.
    pub recorded_spread: IndexMap<ConsumerId, Vec<Duration>>,
    /// The rate of events that declare none; `None`: their consumers are not simulated.
    pub rate: Option<Rate>,
    /// The handler time of consumers that declare none; `None`: they are not simulated.
    pub handler_time: Option<Duration>,
    /// Most messages simulated for one consumer.
    pub messages_max: u64,
}

impl Default for Scenario {
    /// Ten minutes with one minute of peak in the middle, and nothing fails.
    fn default() -> Self {
        Self {
            seed: 1,
            duration: Duration::from_mins(10),
            warm_up: Duration::from_secs(30),
            peaks: vec![Window {
                from: Duration::from_mins(5),
                length: Duration::from_mins(1),
            }],
            outages: Vec::new(),
            service: ServiceTime::LogNormal { scv: 1.0 },
            keys: Keys::Uniform { count: 10_000 },
            failures: Ratio::default(),
            recorded_arrivals: IndexMap::new(),
            recorded_handler_times: IndexMap::new(),
            recorded_spread: IndexMap::new(),
            rate: None,
            handler_time: None,
            messages_max: MESSAGES_MAX,
        }
    }
}

impl Scenario {
    /// This scenario with the arrivals, keys and handler times of `recording`, and its length, in
    /// the place of the design's rates, the drawn keys and the declared handler times.
    #[must_use]
    pub fn with_recording(mut self, recording: &Recording) -> Self {
        self.duration = recording.duration;
        self.recorded_handler_times = handler_times(recording);
        for (event, stream) in &recording.streams {
            let arrivals = stream.arrivals.iter();
            let recorded = arrivals
                .map(|arrival| RecordedArrival {
                    offset: arrival.offset,
                    key: arrival.key.clone(),
                })
                .collect();
            self.recorded_arrivals.insert(event.clone(), recorded);
        }
        self
    }

    /// This scenario with handler times that vary around the declared ones as those of `recording` do.
    #[must_use]
    pub fn with_spread_of(mut self, recording: &Recording) -> Self {
        self.recorded_spread = handler_times(recording);
        self
    }
}

/// The handler times of each consumer.
fn handler_times(recording: &Recording) -> IndexMap<ConsumerId, Vec<Duration>> {
    let streams = recording.streams.iter();
    streams
        .map(|(event, stream)| {
            let id = ConsumerId {
                service: stream.consumer.clone(),
                event: event.clone(),
            };
            let arrivals = stream.arrivals.iter();
            (id, arrivals.map(|arrival| arrival.handler_time).collect())
        })
        .collect()
}

/// One recorded arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedArrival {
    /// When, from the start of the run.
    pub offset: Duration,
    /// The value of its key.
    pub key: String,
}

/// A stretch of simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it begins, from the start of the run.
    pub from: Duration,
    /// How long it lasts.
    pub length: Duration,
}

/// A dependency that is down.
#[derive(Clone, Debug)]
pub struct Outage {
    /// The dependency; `None`: every consumer is held, as when the consumers themselves are down.
    pub dependency: Option<Name>,
    /// When.
    pub window: Window,
}

/// How the time that one attempt takes varies around its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ServiceTime {
    /// Always the mean.
    Constant,
    /// Without memory: squared coefficient of variation 1.
    Exponential,
    /// Skewed, as measured handler times usually are.
    LogNormal {
        /// The variance over the square of the mean; not negative.
        scv: f64,
    },
}

/// How the keys of an event are distributed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keys {
    /// All equally often.
    Uniform {
        /// How many, 1 to [`KEYS_MAX`].
        count: u32,
    },
    /// The key of rank `k` in proportion to `k^-exponent`.
    Zipf {
        /// How many, 1 to [`KEYS_MAX`].
        count: u32,
        /// How skewed; 0 is uniform, 1 is usual.
        exponent: f64,
    },
}
