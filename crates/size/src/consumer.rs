//! What one consumer needs, as data.

use serde::Serialize;
use tidegate_base::ConsumerId;
use tidegate_base::limit::CONCURRENCY_MAX;

use crate::figure::{Figure, Input, Need};
use crate::proof::{Load, Trial};

/// The consumer of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Consumer {
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
    /// It has a size.
    Sized(Box<Workers>),
    /// Something is not known.
    Unknown {
        /// What is missing and how to give it.
        reason: String,
    },
}

/// What one consumer needs.
#[derive(Clone, Debug, Serialize)]
pub struct Workers {
    /// What keeps its order: `none`, `key` or `total`.
    pub order: &'static str,
    /// Deliveries a second, usually.
    pub rate: Input,
    /// Deliveries a second at the peak.
    pub peak: Input,
    /// The mean time of one attempt.
    pub handler_time: Input,
    /// The squared coefficient of variation of the times of attempts.
    pub handler_scv: Input,
    /// Attempts of each delivery.
    pub attempts: Figure,
    /// The same while every attempt fails: its attempts, or what the budget of retries allows.
    pub attempts_if_all_fail: f64,
    /// What the design declares.
    pub concurrency: Input,
    /// How many are needed.
    pub needed: Need,
    /// Why no number of workers is enough; absent when one is.
    pub out_of_reach: Option<String>,
    /// The target and what was found; absent without a target.
    pub p99: Option<P99>,
    /// How busy the needed workers are at the peak.
    pub load_at_peak: Figure,
    /// How busy the declared ones are.
    pub declared_load_at_peak: f64,
    /// How busy the most frequent key keeps the worker that has it; of total order, everything.
    pub key_load: Option<Figure>,
    /// Deliveries that are not finished at the same time, on average at the peak.
    pub in_flight: Figure,
    /// After an outage.
    pub catch_up: CatchUp,
    /// Everything that was simulated.
    pub trials: Vec<Trial>,
}

/// The 99th percentile from arrival to the end of handling.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct P99 {
    /// What the design asks for.
    pub wanted: Input,
    /// Of handling alone.
    pub handling_seconds: f64,
    /// By formula, with the needed workers.
    pub formula_seconds: Option<f64>,
    /// Simulated, with the needed workers.
    pub simulated_seconds: Option<f64>,
    /// Half the width of its 95 % interval.
    pub plus_minus_seconds: Option<f64>,
    /// Under which load that is: the one under which it is longest.
    pub simulated_under: Option<Load>,
    /// Simulated with one fewer; absent where that is above the utilisation.
    pub one_fewer_seconds: Option<f64>,
    /// Simulated with the declared workers.
    pub declared_seconds: Option<f64>,
}

/// What an outage of the consumer leaves behind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CatchUp {
    /// Deliveries that wait at its end, at the usual rate.
    pub backlog: Figure,
    /// Their bytes.
    pub backlog_bytes: Option<Figure>,
    /// Until they are done, at the usual rate with the needed workers; absent: never.
    pub usual: Option<Figure>,
    /// The same when the peak lasts.
    pub at_peak: Option<Figure>,
    /// At the usual rate with the declared workers; absent: never.
    pub declared_seconds: Option<f64>,
}

/// Of `workers`, how many processes: one runs at most so many deliveries of a consumer.
pub(crate) fn processes(workers: u64) -> u64 {
    workers.div_ceil(u64::from(CONCURRENCY_MAX)).max(1)
}
