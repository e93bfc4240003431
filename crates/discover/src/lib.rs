//! From traces to a ranked proposal: which synchronous calls could become events, with evidence.
//!
//! [`discover`] measures and judges every call between services; [`draft`] turns the result into a
//! design folder with a recording of the traffic; [`report`] prints it.

mod availability;
mod business;
mod calls;
mod classify;
mod contrast;
mod coupling;
pub mod critical_path;
mod difference;
mod discovery;
mod draft;
mod evidence;
mod interval;
mod judge;
mod measure;
mod messaging;
mod observe;
mod operation;
mod options;
pub mod process;
mod queueing;
mod ranking;
mod replay;
mod report;
mod sampling;
mod services;
mod signals;
mod slowness;
mod statement;
mod statistics;
mod supposition;
mod survey;
mod told;
mod tops;
mod usual;
mod verdict;
mod vocabulary;
mod window;
mod workload;

pub use availability::{Availability, Dependency};
pub use contrast::Blocks;
pub use coupling::Coupling;
pub use difference::{Changed, Difference, Turn, Turned, difference};
pub use discovery::{
    Alternatives, Call, Capture, Class, Discovery, Evidence, Exclusive, Latency, Operation,
    Service, Signal, Weight,
};
pub use draft::{Draft, draft};
pub use interval::Estimate;
pub use measure::{discover, discover_with};
pub use options::Options;
pub use queueing::{Credit, waiting};
pub use ranking::Worth;
pub use replay::Saving;
pub use replay::complete::Completeness;
pub use replay::order::Order;
pub use report::{Paint, ReportFormat, report, report_difference};
pub use sampling::Sampling;
pub use slowness::Slowness;
pub use statistics::{Proportion, Quantile};
pub use supposition::{Answer, Supposed, Supposition};
pub use verdict::Verdict;
pub use workload::{Keys, Workload};
