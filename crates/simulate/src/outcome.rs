//! What a simulation says.

use std::time::Duration;

use serde::Serialize;
use tidegate_base::{ConsumerId, Name};
use tidegate_model::Design;

use crate::backlog::Backlog;
use crate::scenario::{Scenario, WARM_UP_SHARE};
use crate::statistics::{Estimate, Latency};

/// A simulated design. Its JSON is `tidegate/simulate/v1`; durations are in seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Simulation {
    /// Always `tidegate/simulate/v1`.
    pub schema: &'static str,
    /// The design's name.
    pub system: Name,
    /// Where the random numbers started.
    pub seed: u64,
    /// How much time was simulated.
    pub duration_seconds: f64,
    /// How much of its beginning is left out of latencies.
    pub warm_up_seconds: f64,
    /// What the model leaves out or assumes, each a sentence.
    pub assumptions: Vec<String>,
    /// The worst verdict of all consumers.
    pub verdict: Verdict,
    /// Every consumer, in the order of the design.
    pub consumers: Vec<ConsumerSimulation>,
}

/// One consumer.
#[derive(Clone, Debug, Serialize)]
pub struct ConsumerSimulation {
    /// `service/event`.
    pub consumer: ConsumerId,
    /// What came out.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came out for one consumer.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was simulated.
    Simulated(Box<Simulated>),
    /// Something that a simulation needs is unknown.
    Skipped {
        /// What is missing and how to give it.
        reason: String,
    },
}

/// The figures of one consumer.
#[derive(Clone, Debug, Serialize)]
pub struct Simulated {
    /// Deliveries a second, usual and at the peak.
    pub rate: f64,
    /// Deliveries a second at the peak.
    pub peak: f64,
    /// Most deliveries at the same time.
    pub concurrency: u32,
    /// The mean time of one attempt.
    pub handler_seconds: f64,
    /// How many deliveries were simulated, warm-up included.
    pub deliveries: u64,
    /// How many of them ended as dead letters.
    pub dead_letters: u64,
    /// Attempts over deliveries.
    pub amplification: f64,
    /// The share of the handlers' time that was busy after the warm-up.
    pub utilisation: f64,
    /// Whether the queue stays bounded, and by how much.
    pub stability: Stability,
    /// From arrival to the end of the last attempt.
    pub latency: Latency,
    /// The longest that a delivery waited before its first attempt: how far behind the consumer fell.
    pub behind_max_seconds: f64,
    /// The backlog over time.
    pub backlog: Backlog,
    /// What happened after each hold.
    pub recoveries: Vec<Recovery>,
    /// The design's targets, checked.
    pub targets: Vec<TargetCheck>,
    /// The worst of stability, recoveries and targets.
    pub verdict: Verdict,
    /// What else a reader must know, such as a run that was cut.
    pub notes: Vec<String>,
}

/// Whether a queue stays bounded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stability {
    /// In a word.
    pub state: StabilityState,
    /// Work offered over work possible at the usual rate, retries included; 1 and above never settles.
    pub load: f64,
    /// The same at the peak rate.
    pub load_at_peak: f64,
    /// How many times the usual rate it could stand.
    pub headroom: f64,
    /// What binds, in one sentence.
    pub limit: String,
}

/// Whether a queue stays bounded, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StabilityState {
    /// At the usual rate and at the peak.
    Stable,
    /// At the usual rate only: the backlog grows during peaks and drains after.
    GrowsAtPeak,
    /// Not even at the usual rate.
    Unstable,
}

/// What happened after deliveries had been held.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recovery {
    /// What was down; absent when it was everything.
    pub dependency: Option<Name>,
    /// When deliveries stopped.
    pub held_from_seconds: f64,
    /// For how long: the outage, then what is left of the breaker's pause.
    pub held_seconds: f64,
    /// The highest backlog from then on.
    pub backlog_max: u64,
    /// How long after the end of the hold the backlog was back at its usual level; absent: not in this run.
    pub recovered_after_seconds: Option<f64>,
    /// What the formula says: held × load / (1 − load) at the usual rate; absent when it never recovers.
    pub predicted_seconds: Option<f64>,
}

/// One target of the design against the simulated figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetCheck {
    /// Which: `p99` or `objective`.
    pub target: &'static str,
    /// What the design asks for.
    pub wanted_seconds: f64,
    /// What was simulated; absent when too few deliveries were.
    pub simulated_seconds: Option<f64>,
    /// Whether it is met.
    pub verdict: Verdict,
}

/// Whether something holds; ordered from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It does.
    Met,
    /// Nothing to judge by.
    Unknown,
    /// The figure and the target are closer than the confidence interval is wide.
    TooClose,
    /// It does not.
    Missed,
}

impl TargetCheck {
    /// The 99th percentile from acceptance to the end of handling.
    pub(crate) fn p99(wanted: Duration, simulated: Option<Estimate>) -> Self {
        let wanted_seconds = wanted.as_secs_f64();
        let verdict = match simulated {
            None => Verdict::Unknown,
            Some(p99) if (p99.value - wanted_seconds).abs() < p99.plus_minus.unwrap_or(0.0) => {
                Verdict::TooClose
            }
            Some(p99) if p99.value <= wanted_seconds => Verdict::Met,
            Some(_) => Verdict::Missed,
        };
        let simulated_seconds = simulated.map(|p99| p99.value);
        Self {
            target: "p99",
            wanted_seconds,
            simulated_seconds,
            verdict,
        }
    }

    /// How far behind, in time, the consumer may fall.
    pub(crate) fn objective(wanted: Duration, behind_max_seconds: f64) -> Self {
        let wanted_seconds = wanted.as_secs_f64();
        let met = behind_max_seconds <= wanted_seconds;
        Self {
            target: "objective",
            wanted_seconds,
            simulated_seconds: Some(behind_max_seconds),
            verdict: if met { Verdict::Met } else { Verdict::Missed },
        }
    }
}

impl Recovery {
    /// Missed when it can never recover; unknown when the run was too short to see it.
    pub(crate) fn verdict(&self) -> Verdict {
        match (self.recovered_after_seconds, self.predicted_seconds) {
            (Some(_), _) => Verdict::Met,
            (None, Some(_)) => Verdict::Unknown,
            (None, None) => Verdict::Missed,
        }
    }
}

impl Simulation {
    pub(crate) fn new(
        design: &Design,
        scenario: &Scenario,
        consumers: Vec<ConsumerSimulation>,
    ) -> Self {
        let verdict = consumers
            .iter()
            .map(|consumer| match &consumer.outcome {
                Outcome::Simulated(simulated) => simulated.verdict,
                Outcome::Skipped { .. } => Verdict::Unknown,
            })
            .max()
            .unwrap_or(Verdict::Unknown);
        Self {
            schema: "tidegate/simulate/v1",
            system: design.system.value.clone(),
            seed: scenario.seed,
            duration_seconds: scenario.duration.as_secs_f64(),
            warm_up_seconds: scenario
                .warm_up
                .min(scenario.duration / WARM_UP_SHARE)
                .as_secs_f64(),
            assumptions: assumptions(scenario),
            verdict,
            consumers,
        }
    }
}

fn assumptions(scenario: &Scenario) -> Vec<String> {
    let mut assumptions = vec![
        "the broker's own time and the network are not included".to_owned(),
        "a handler is never idle while a delivery could start".to_owned(),
        "every event arrives at its own declared or recorded rate, whatever happens to those before it"
            .to_owned(),
    ];
    if scenario.failures.value() > 0.0 {
        assumptions.push(
            "the attempts of a delivery keep a handler busy in one piece; retry delays hold up its \
             key only, and retry budgets are not applied"
                .to_owned(),
        );
    }
    if !scenario.outages.is_empty() {
        assumptions.push(
            "a breaker opens at the start of an outage and its last pause covers the end: the calls \
             that make it open, and its probes, are not simulated"
                .to_owned(),
        );
    }
    assumptions
}
