//! Rehearsal: recorded and synthetic traffic, stand-in services, injected faults, measured load.
//!
//! A [`Plan`] says which events are published when. [`play`] publishes them into a running system at
//! the time that the plan says, whatever the system does (open loop). [`StandIns`] are real HTTP
//! services that take the place of the design's consumers, with recorded handler times and the
//! faults of a [`Scenario`]. [`measure`] runs a plan against stand-in handlers in process and holds
//! what it measured against the design's targets.

mod comparison;
mod measure;
mod plan;
mod play;
mod probe;
mod sample;
mod scenario;
mod stage;
mod stand_in;
#[cfg(test)]
mod tests;
mod times;

pub use comparison::{Figure, Measured, Measurement, Verdict};
pub use measure::{MeasureError, Span, measure};
pub use plan::{Arrival, Emitted, Plan, PlanError, Planned, PlannedStream, Schedule};
pub use play::{Played, play};
pub use probe::{ProbeCaller, SharedProbe};
pub use sample::{SampleError, Sampler};
pub use scenario::{Answer, Fault, Injection, Scenario, ScenarioError, Scene};
pub use stage::Stage;
pub use stand_in::{StandInError, StandIns};
