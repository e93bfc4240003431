//! A design simulated before it exists: backlog and latency for each consumer.
//!
//! Every consumer is a queue with handlers, fed by the arrivals of its event. No
//! list of events is kept, so millions of deliveries a second are simulated. What a run contains is
//! a [`Scenario`]; what comes out is a [`Simulation`], with a verdict against the design's targets.

mod arrivals;
mod backlog;
mod consumer;
mod keys;
mod nanos;
mod outcome;
mod report;
mod scenario;
mod stability;
mod station;
mod statistics;
#[cfg(test)]
mod validation;
mod work;

use tidegate_model::Design;

pub use backlog::Backlog;
pub use outcome::{
    ConsumerSimulation, Outcome, Recovery, Simulated, Simulation, Stability, StabilityState,
    TargetCheck, Verdict,
};
pub use scenario::{
    KEYS_MAX, Keys, MESSAGES_MAX, Outage, RecordedArrival, Scenario, ServiceTime, Window,
};
pub use statistics::{Estimate, Latency};

/// Simulates every consumer of `design`, in the order written.
///
/// The result depends on nothing else than the arguments. Memory grows with the backlog of one
/// consumer at a time, at most with `scenario.messages_max`.
#[must_use]
pub fn simulate(design: &Design, scenario: &Scenario) -> Simulation {
    let consumers = design
        .consumers()
        .map(|consumer| ConsumerSimulation {
            consumer: consumer.id(),
            outcome: consumer::simulate(design, consumer, scenario),
        })
        .collect();
    Simulation::new(design, scenario, consumers)
}
