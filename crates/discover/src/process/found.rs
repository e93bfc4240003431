//! What is found in process logs, as data.

use std::fmt;
use std::time::Duration;

use crate::discovery::{Latency, Weight};
use crate::statistics::{Proportion, Quantile};

/// Everything found in a set of process logs.
#[derive(Clone, Debug)]
pub struct ProcessDiscovery {
    /// The logs, in the order given.
    pub logs: Vec<LogScope>,
    /// From the first begin to the last end.
    pub window: Duration,
    /// Cases of all logs.
    pub cases: usize,
    /// Activity instances of all cases.
    pub instances: usize,
    /// Instances whose start is recorded.
    pub starts: Proportion,
    /// Instances of which it is recorded who did them.
    pub resources: Proportion,
    /// How long cases take, from their first begin (or arrival) to their last end.
    pub cycle: Latency,
    /// Time that cases took, added up.
    pub cycle_total: Duration,
    /// Time in which work was done, added up; zero where starts are not recorded.
    pub processing: Duration,
    /// Time between what enabled work and its start, added up; where starts are not recorded,
    /// waiting and work together.
    pub waiting: Duration,
    /// Processing as a share of processing and waiting: cycle-time efficiency.
    pub efficiency: Option<Estimate>,
    /// The causes of waiting, most first; `None` where starts or resources are not recorded.
    pub causes: Option<Vec<CauseShare>>,
    /// Processes: one for each log, or for each object type; by waiting, most first.
    pub processes: Vec<Process>,
    /// The most usual ways through the process.
    pub variants: Vec<Variant>,
    /// How many ways there are.
    pub variants_total: usize,
    /// Activities, by waiting before them, most first.
    pub activities: Vec<Activity>,
    /// Transitions, by waiting, most first.
    pub arcs: Vec<Arc>,
    /// Pairs of activities that go on side by side.
    pub concurrent: Vec<Concurrent>,
    /// How working hours were learned.
    pub calendars: Calendars,
    /// Activities that are done in batches.
    pub batched: Vec<Batched>,
    /// What could become events, feasible first, then by waiting removed, most first.
    pub candidates: Vec<Candidate>,
    /// Evidence that the logs do not hold, each with the way to get it.
    pub missing: Vec<String>,
}

/// One log and what was left out of it.
#[derive(Clone, Debug)]
pub struct LogScope {
    /// As the caller named it.
    pub name: String,
    /// The format.
    pub format: String,
    /// Its cases.
    pub cases: usize,
    /// Its activity instances.
    pub instances: usize,
    /// What was left out or assumed, in words.
    pub notes: Vec<String>,
}

/// A number with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Why work waits. Source: K. Lashkevich, F. Milani, D. Chapela-Campa, I. Suvorau, M. Dumas, "Why
/// am I waiting? Data-driven analysis of waiting times in business processes", CAiSE 2023.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// It waits for others, to be done together.
    Batching,
    /// Who does it is busy with what could start before it.
    Contention,
    /// Who does it is busy with what could start only after it.
    Prioritisation,
    /// Who does it is off duty.
    Unavailability,
    /// Nothing in the log explains it: who does it was free.
    Extraneous,
}

impl Cause {
    /// Every cause; where several hold at once, the first one counts.
    pub const ALL: [Self; 5] = [
        Self::Batching,
        Self::Contention,
        Self::Prioritisation,
        Self::Unavailability,
        Self::Extraneous,
    ];

    /// The cause as one word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Batching => "BATCHING",
            Self::Contention => "CONTENTION",
            Self::Prioritisation => "PRIORITISATION",
            Self::Unavailability => "UNAVAILABILITY",
            Self::Extraneous => "EXTRANEOUS",
        }
    }

    /// The cause in words for everybody.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Batching => "collected, to be done together",
            Self::Contention => "waiting its turn",
            Self::Prioritisation => "overtaken by later work",
            Self::Unavailability => "outside working hours",
            Self::Extraneous => "nobody took it up, or somebody outside was waited for",
        }
    }

    /// Whether an event at the end of the work before can take it away: it tells at once, and one
    /// by one. It adds no hands and no hours.
    #[must_use]
    pub fn goes_with_an_event(self) -> bool {
        matches!(self, Self::Batching | Self::Extraneous)
    }

    pub(super) fn index(self) -> usize {
        Self::ALL
            .iter()
            .position(|cause| *cause == self)
            .unwrap_or_default()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// Waiting by its causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits(pub(super) [Duration; 5]);

impl Waits {
    /// The waiting of one cause.
    #[must_use]
    pub fn of(&self, cause: Cause) -> Duration {
        self.0.get(cause.index()).copied().unwrap_or_default()
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.0.iter().sum()
    }

    /// What an event could take away.
    #[must_use]
    pub fn removable(&self) -> Duration {
        let causes = Cause::ALL.iter().filter(|cause| cause.goes_with_an_event());
        causes.map(|cause| self.of(*cause)).sum()
    }

    /// The cause with most of it; `None` where there is no waiting.
    #[must_use]
    pub fn top(&self) -> Option<Cause> {
        let most = Cause::ALL
            .into_iter()
            .rev()
            .max_by_key(|cause| self.of(*cause))?;
        (!self.of(most).is_zero()).then_some(most)
    }

    pub(super) fn add(&mut self, cause: Cause, time: Duration) {
        if let Some(sum) = self.0.get_mut(cause.index()) {
            *sum += time;
        }
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        for cause in Cause::ALL {
            self.add(cause, other.of(cause));
        }
    }
}

/// One cause of all waiting.
#[derive(Clone, Copy, Debug)]
pub struct CauseShare {
    /// The cause.
    pub cause: Cause,
    /// Its waiting, added up.
    pub total: Duration,
    /// Its share of all waiting, 0.0 to 1.0; cases are the units of the interval.
    pub share: Estimate,
    /// The cycle-time efficiency without it.
    pub efficiency_without: f64,
    /// How much higher that is.
    pub gain: f64,
}

/// One process: the cases of a log, or of an object type.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Its cases.
    pub cases: usize,
    /// Cases a day; `None` where less than a day was observed.
    pub per_day: Option<f64>,
    /// Activity instances.
    pub instances: usize,
    /// How long cases take.
    pub cycle: Latency,
    /// Waiting, added up.
    pub waiting: Duration,
}

/// One way through the process.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The activities by their begin.
    pub activities: Vec<String>,
    /// The cases that go this way.
    pub cases: Proportion,
    /// How long they take, on average.
    pub cycle_mean: Duration,
}

/// One activity.
#[derive(Clone, Debug)]
pub struct Activity {
    /// Its name.
    pub name: String,
    /// How often it was done.
    pub count: usize,
    /// How often a day; `None` where less than a day was observed.
    pub per_day: Option<f64>,
    /// The most in one hour.
    pub peak_hour: usize,
    /// The index of dispersion of counts per hour: 1 is Poisson, more is bursts.
    pub dispersion: Option<f64>,
    /// How long work on it took; `None` where starts are not recorded.
    pub duration: Option<Latency>,
    /// How long it waited before.
    pub waiting: Latency,
    /// Work, added up.
    pub processing_total: Duration,
    /// Waiting, added up.
    pub waiting_total: Duration,
    /// Its work on the critical paths of cases, added up.
    pub critical: Duration,
    /// Instances that could have ended later without the case ending later.
    pub slack: Proportion,
    /// Who does it: how many.
    pub resources: usize,
    /// Waiting by its causes.
    pub causes: Option<Waits>,
    /// Whether more arrivals make it wait longer.
    pub bottleneck: Bottleneck,
}

/// Whether an activity holds its process up because too much arrives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bottleneck {
    /// It waits longer the more is waiting when it arrives, and waits for who does it.
    Yes {
        /// Spearman's correlation of waiting with the queue at arrival.
        correlation: Estimate,
    },
    /// It waits, and not for that.
    No {
        /// The correlation.
        correlation: Estimate,
    },
    /// There is too little to tell.
    Unknown,
}

impl Bottleneck {
    /// The verdict as one word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Yes { .. } => "BOTTLENECK",
            Self::No { .. } => "NOT_A_BOTTLENECK",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// One transition: work that enabled other work.
#[derive(Clone, Debug)]
pub struct Arc {
    /// What was done; `None` for the arrival of the case.
    pub from: Option<String>,
    /// What it enabled.
    pub to: String,
    /// How often.
    pub count: usize,
    /// In how many cases.
    pub cases: usize,
    /// How long that waited.
    pub waiting: Latency,
    /// Waiting, added up.
    pub total: Duration,
    /// That as a share of all waiting.
    pub share: f64,
    /// The part of it on the critical paths of cases.
    pub critical: Duration,
    /// Transitions from one resource to another, among those with both known.
    pub handoffs: Proportion,
    /// The waiting of those.
    pub handoff_waiting: Duration,
    /// Waiting by its causes.
    pub causes: Option<Waits>,
}

/// Two activities that go on side by side.
#[derive(Clone, Debug)]
pub struct Concurrent {
    /// The one.
    pub first: String,
    /// The other.
    pub second: String,
    /// Cases in which they overlap, among those with both.
    pub overlaps: Proportion,
}

/// How working hours were learned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Calendars {
    /// Resources with hours of their own.
    pub own: usize,
    /// Resources with the hours of all others together.
    pub pooled: usize,
    /// Resources taken as always on duty, for want of starts.
    pub always: usize,
}

/// An activity that is done in batches.
#[derive(Clone, Debug)]
pub struct Batched {
    /// The activity.
    pub activity: String,
    /// How many batches.
    pub batches: usize,
    /// Instances in batches, among all.
    pub instances: Proportion,
    /// The usual size.
    pub size: usize,
}

/// What a part of a process could become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CandidateClass {
    /// An event at the end of the work before, which whoever is next is told of at once.
    EventAtHandoff,
    /// A stream of its own, beside what the case waits for.
    OwnStream,
    /// The same, with an end that something waits for.
    JoinNeeded,
    /// It stays as it is.
    Stays {
        /// Why.
        reason: String,
    },
    /// The log does not tell.
    Unknown {
        /// The evidence that is missing.
        missing: String,
    },
}

impl CandidateClass {
    /// Whether it could become an event by this evidence.
    #[must_use]
    pub fn is_feasible(&self) -> bool {
        !matches!(self, Self::Stays { .. } | Self::Unknown { .. })
    }

    /// The class as one word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::EventAtHandoff => "EVENT_AT_HANDOFF",
            Self::OwnStream => "OWN_STREAM",
            Self::JoinNeeded => "JOIN_NEEDED",
            Self::Stays { .. } => "STAYS",
            Self::Unknown { .. } => "UNKNOWN",
        }
    }

    /// What would change, in a sentence for everybody.
    #[must_use]
    pub fn explanation(&self) -> String {
        match self {
            Self::EventAtHandoff => "Whoever is next is told at once, by an event, instead of \
                 finding the work in a list, a mailbox or the next batch"
                .to_owned(),
            Self::OwnStream => "It goes on beside the rest, started by an event; nothing that the \
                 case waits for comes later"
                .to_owned(),
            Self::JoinNeeded => "It goes on beside the rest, started by an event, and another \
                 event says when it is done"
                .to_owned(),
            Self::Stays { reason } => format!("Stays as it is: {reason}"),
            Self::Unknown { missing } => format!("The log does not tell: {missing}"),
        }
    }
}

/// A part of a process that was looked at.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What it could become.
    pub class: CandidateClass,
    /// The work that would publish; `None` for the arrival of cases.
    pub after: Option<String>,
    /// The activities that would be started by the event.
    pub activities: Vec<String>,
    /// Events: how many.
    pub count: usize,
    /// Events a day; `None` where less than a day was observed.
    pub per_day: Option<f64>,
    /// The most in one hour.
    pub peak_hour: usize,
    /// The index of dispersion of counts per hour.
    pub dispersion: Option<f64>,
    /// What keeps events in order: what is the same for those that must.
    pub key: String,
    /// Waiting before these activities, added up.
    pub waiting: Duration,
    /// The part of it that an event can take away at most.
    pub removable: Duration,
    /// What cases would gain, replayed with the learned order.
    pub change: Option<Change>,
    /// Transitions into it from one resource to another.
    pub handoffs: Proportion,
    /// Activities elsewhere that wait for its end.
    pub joins: Vec<String>,
    /// Events that touch objects which work elsewhere touches too; `None` without objects.
    pub shared: Option<Proportion>,
    /// What speaks for and against.
    pub evidence: Vec<Reason>,
    /// Cases that a trial needs on each side to see the waiting that an event takes away, if it is
    /// there: a two-sided test at 5 % with power 80 %. `None` where nothing is taken away.
    pub trial: Option<usize>,
    /// Cases to look at: the one that waited longest, the median, the one that waited least.
    pub exemplars: Vec<String>,
    /// When each event would be published, from the start of the window, with the time that the
    /// work took and its case: what a replay needs.
    pub arrivals: Vec<Arrived>,
}

/// One event that would have been published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// From the start of the window.
    pub offset: Duration,
    /// How long the work took that it starts.
    pub work: Duration,
    /// The case.
    pub case: String,
}

/// The cycle time of cases before and after, case by case.
#[derive(Clone, Debug)]
pub struct Change {
    /// Cases that it reaches.
    pub cases: usize,
    /// Time saved for each case that it reaches, in nanoseconds, with its interval.
    pub mean: Estimate,
    /// The median cycle time of all cases now, and then.
    pub p50: (Quantile, Quantile),
    /// The 95th percentile now, and then.
    pub p95: (Quantile, Quantile),
    /// Time saved, added up.
    pub total: Duration,
}

/// One observation that speaks for or against.
#[derive(Clone, Debug)]
pub struct Reason {
    /// Which way it points.
    pub weight: Weight,
    /// The observation in a sentence with its numbers.
    pub claim: String,
    /// The share behind it, where it is one.
    pub share: Option<Proportion>,
}
