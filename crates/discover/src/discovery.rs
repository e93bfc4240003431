//! What discovery finds, as data.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tidegate_trace::Payload;
use tidegate_trace::recording::Arrival;

use crate::availability::Availability;
use crate::contrast::Blocks;
use crate::coupling::Coupling;
use crate::interval::Estimate;
use crate::queueing::Credit;
use crate::ranking::Worth;
use crate::replay::Saving;
use crate::replay::complete::Completeness;
use crate::sampling::Sampling;
use crate::slowness::Slowness;
use crate::statistics::{Proportion, Quantile};
use crate::supposition::Answer;
use crate::workload::Workload;

/// Everything found in a set of captures.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// The captures, in the order given.
    pub captures: Vec<Capture>,
    /// How long was observed: captures that overlap count once.
    pub window: Duration,
    /// Traces that were used; the same trace in two captures counts once.
    pub traces: usize,
    /// Spans of those traces.
    pub spans: usize,
    /// Spans whose parent is absent.
    pub orphans: usize,
    /// How the traces were chosen from all requests, and for how many they stand.
    pub sampling: Sampling,
    /// The time that requests took, added up over all entries: what all shares refer to.
    pub waiting: Duration,
    /// How long each trace took, in blocks of time.
    pub requests: Blocks,
    /// How complete the traces are, and how many of them predictions rest on.
    pub completeness: Completeness,
    /// Services, by name.
    pub services: Vec<Service>,
    /// Operations, by the time spent in themselves, most first.
    pub operations: Vec<Operation>,
    /// Where the time of requests goes: operations by the critical-path time spent in themselves.
    pub exclusive: Vec<Exclusive>,
    /// How available endpoints are by what they depend on; those with most failures first.
    pub endpoints: Vec<Availability>,
    /// Calls between services: feasible ones first, then by critical-path time, most first.
    pub calls: Vec<Call>,
    /// What was asked beside, each with its answer.
    pub answers: Vec<Answer>,
}

/// The critical-path time that is spent in an operation itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusive {
    /// The service.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The service that it asks, when it asks one.
    pub callee: Option<String>,
    /// How often it ran.
    pub count: usize,
    /// The time, added up.
    pub time: Duration,
    /// The same in blocks of time.
    pub blocks: Blocks,
}

/// One capture and what was left out of it.
#[derive(Clone, Debug)]
pub struct Capture {
    /// As the caller named it.
    pub name: String,
    /// The format.
    pub format: String,
    /// Traces in it.
    pub traces: usize,
    /// Spans in it.
    pub spans: usize,
    /// What was left out, in words; empty when nothing was.
    pub left_out: Vec<String>,
}

/// One service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name, as the capture writes it.
    pub name: String,
    /// Its spans.
    pub spans: usize,
    /// The different operations among them.
    pub operations: usize,
    /// Requests that it handled, and how many of them failed.
    pub failures: Proportion,
}

/// One operation of a service.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The service.
    pub service: String,
    /// The operation, with identifiers in paths replaced by `{}`.
    pub name: String,
    /// How often it ran.
    pub count: usize,
    /// How often a second; `None` when less than a second was observed.
    pub rate: Option<f64>,
    /// The most in one second.
    pub peak: usize,
    /// How long it took.
    pub latency: Latency,
    /// How many failed.
    pub failures: Proportion,
    /// The time in it while no child ran, added up.
    pub self_time: Duration,
}

/// Quantiles of a duration.
#[derive(Clone, Debug)]
pub struct Latency {
    /// The median.
    pub p50: Quantile,
    /// The 95th percentile.
    pub p95: Quantile,
    /// The 99th percentile.
    pub p99: Quantile,
    /// The longest seen.
    pub max: Duration,
}

/// One call path: an operation of one service that calls an operation of another.
#[derive(Clone, Debug)]
pub struct Call {
    /// The service that calls.
    pub caller: String,
    /// The request that it was handling meanwhile.
    pub caller_operation: String,
    /// The service that is called.
    pub callee: String,
    /// What it was asked to do.
    pub callee_operation: String,
    /// How often it was seen.
    pub count: usize,
    /// How many calls these stand for, as traces were sampled.
    pub stands_for: f64,
    /// How often a second; `None` when less than a second was observed.
    pub rate: Option<f64>,
    /// The most in one second.
    pub peak: usize,
    /// How long the caller waited for it.
    pub latency: Latency,
    /// How long the callee worked on it; the caller's view when the callee is not traced.
    pub handling: Latency,
    /// How many failed.
    pub failures: Proportion,
    /// Requests that failed, among those in which this call failed.
    pub coupling: Proportion,
    /// The time of requests in which nothing but this call went on, added up: an upper bound of
    /// what making it asynchronous takes away.
    pub critical: Duration,
    /// `critical` as a share of all waiting: 0.0 to 1.0.
    pub critical_share: f64,
    /// `critical` for each second observed; `None` when less than a second was observed.
    pub critical_per_second: Option<f64>,
    /// What each endpoint whose requests cause it would save if nobody waited for it, by replay;
    /// the largest saving in all first. Empty when predictions are withheld.
    pub savings: Vec<Saving>,
    /// How its failures become failures of requests.
    pub coupled: Coupling,
    /// How its slowness becomes that of requests; `None` where there are too few.
    pub slowness: Option<Slowness>,
    /// What requests would wait less for their workers, beside what they save; `None` when they save
    /// nothing for certain, or less than a second was observed.
    pub queueing: Option<Credit>,
    /// What a broker and a consumer would have to carry.
    pub workload: Workload,
    /// What it is worth to change it.
    pub worth: Worth,
    /// What else could be done about it; for candidates alone.
    pub alternatives: Option<Alternatives>,
    /// How often it is on the critical path.
    pub on_path: Proportion,
    /// The part of it in requests about as long as their 50th, 95th and 99th percentile, on
    /// average; `None` where there are too few.
    pub critical_at: [Option<Duration>; 3],
    /// What it could become.
    pub class: Class,
    /// What speaks for and against it, strongest first.
    pub evidence: Vec<Evidence>,
    /// Evidence that the capture does not hold.
    pub missing: Vec<String>,
    /// Up to three traces to look at: the slowest, the median, the fastest.
    pub exemplars: Vec<String>,
    /// Every call, by time: what a replay needs. Of candidates alone, where there are any.
    pub arrivals: Vec<Arrival>,
    /// What the spans of calls tell of their payloads, of the first calls of which one does; where it was
    /// asked for while reading. Of candidates alone, where there are any.
    pub payloads: Vec<Vec<Payload>>,
}

/// What requests of the endpoint that saves most would take otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alternatives {
    /// What is saved on average if the call did not happen at all, as with a perfect cache.
    pub removed: Estimate,
    /// How much longer requests take on average, for each nanosecond that the call takes longer: what
    /// an injected delay must show.
    pub per_delay: Option<f64>,
}

/// What a call could become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// It is a message already, or no request waits for it.
    AlreadyAsync,
    /// An event that the caller publishes and forgets.
    FireAndForget,
    /// An event that must commit together with the caller's own change.
    AsyncWithOutbox,
    /// An event, and a way for the user to get the result later.
    Async202Poll,
    /// The caller needs the answer, but not one after the other.
    Parallelise,
    /// The caller needs the answer.
    NotACandidate {
        /// Why.
        reason: String,
    },
    /// The capture does not tell.
    Unknown {
        /// The evidence that is missing.
        missing: String,
    },
}

impl Class {
    /// Whether the call could become an event by this evidence.
    #[must_use]
    pub fn is_feasible(&self) -> bool {
        matches!(
            self,
            Self::FireAndForget | Self::AsyncWithOutbox | Self::Async202Poll
        )
    }

    /// The class as one word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyAsync => "ALREADY_ASYNC",
            Self::FireAndForget => "FIRE_AND_FORGET",
            Self::AsyncWithOutbox => "ASYNC_WITH_OUTBOX",
            Self::Async202Poll => "ASYNC_202_POLL",
            Self::Parallelise => "PARALLELISE",
            Self::NotACandidate { .. } => "NOT_A_CANDIDATE",
            Self::Unknown { .. } => "UNKNOWN",
        }
    }

    /// What would change, in a sentence for everybody.
    #[must_use]
    pub fn explanation(&self) -> String {
        match self {
            Self::AlreadyAsync => "Nobody waits for it already: nothing to change".to_owned(),
            Self::FireAndForget => {
                "The caller publishes an event and goes on; nobody waits for the work".to_owned()
            }
            Self::AsyncWithOutbox => {
                "The caller stores an event together with its own change and goes on; the work \
                 follows and cannot be lost"
                    .to_owned()
            }
            Self::Async202Poll => {
                "The caller accepts the request, publishes an event and tells where the result \
                 will be"
                    .to_owned()
            }
            Self::Parallelise => {
                "Stays a call, as its answer is needed; several of them can be made at once"
                    .to_owned()
            }
            Self::NotACandidate { reason } => format!("Stays a call: {reason}"),
            Self::Unknown { missing } => format!("The capture does not tell: {missing}"),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// One observation that speaks for or against making a call asynchronous.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What was looked at.
    pub signal: Signal,
    /// Which way it points.
    pub weight: Weight,
    /// The observation in a sentence with its numbers.
    pub claim: String,
    /// The share behind the claim, where it is one.
    pub share: Option<Proportion>,
    /// The number behind the claim, where it is none of a share, with its 95 % interval.
    pub number: Option<(f64, f64, f64)>,
    /// How many occurrences it rests on.
    pub n: usize,
}

impl Evidence {
    /// A claim without a number.
    pub(crate) fn plain(signal: Signal, weight: Weight, claim: String) -> Self {
        Self {
            signal,
            weight,
            claim,
            share: None,
            number: None,
            n: 0,
        }
    }

    /// The number behind the claim.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let share = self.share.map(Proportion::share);
        self.number.map(|(value, ..)| value).or(share)
    }

    /// The 95 % interval of the number behind the claim.
    #[must_use]
    pub fn interval(&self) -> Option<(f64, f64)> {
        let share = self.share.and_then(Proportion::interval);
        self.number.map(|(_, low, high)| (low, high)).or(share)
    }

    /// A claim about a share.
    pub(crate) fn share(signal: Signal, weight: Weight, claim: String, share: Proportion) -> Self {
        Self {
            share: Some(share),
            n: share.total,
            ..Self::plain(signal, weight, claim)
        }
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Whether it only reads.
    Read,
    /// Whether it changes something.
    Write,
    /// Whether the caller changes something of its own.
    LocalWrite,
    /// Whether it is the last thing that the caller does.
    Tail,
    /// Whether the caller does nothing but forward it.
    Forwarding,
    /// Whether its answer is empty or tiny.
    SmallAnswer,
    /// Whether its words are those of side work.
    Vocabulary,
    /// Whether it is a message.
    Messaging,
    /// Whether it is slow or fails.
    Reliability,
    /// Whether requests fail when it fails.
    Coupling,
    /// Whether a value of its answer is used later.
    Taint,
    /// Whether requests are refused when it refuses.
    Rejection,
    /// Whether the same session reads what it wrote.
    ReadYourWrites,
    /// Whether what the caller does next depends on its answer.
    Independence,
    /// Whether doing it twice is harmless.
    Idempotency,
    /// Whether the same entity is written again before long.
    Ordering,
    /// Whether it happens several times, one after the other.
    Loop,
    /// Whether another call only prepares it.
    Follower,
}

impl Signal {
    /// The name under which the documentation explains it.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Read => "V1",
            Self::Taint => "V2",
            Self::Rejection => "V3",
            Self::LocalWrite => "V4",
            Self::ReadYourWrites => "V5",
            Self::Tail | Self::Forwarding => "P1",
            Self::Independence => "P2",
            Self::Coupling => "P3",
            Self::Write => "P4",
            Self::SmallAnswer => "P5",
            Self::Vocabulary => "P6",
            Self::Messaging => "P7",
            Self::Reliability => "P8",
            Self::Loop => "L1",
            Self::Follower => "R1",
            Self::Idempotency => "I1",
            Self::Ordering => "O1",
        }
    }
}

/// Which way evidence points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The answer is needed: decides alone.
    Veto,
    /// Speaks for making it asynchronous.
    For,
    /// Speaks against it.
    Against,
    /// Says what it would bring, not whether it can be done.
    Benefit,
}

impl Weight {
    /// Its word in drafts.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Veto => "veto",
            Self::For => "for",
            Self::Against => "against",
            Self::Benefit => "benefit",
        }
    }
}
