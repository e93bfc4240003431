//! From traces to a ranked proposal: which synchronous calls could become events, with evidence.
//!
//! [`discover`] measures and judges every call between services; [`draft`] turns the result into a
//! design folder with a recording of the traffic; [`report`] prints it.

mod business;
mod calls;
mod classify;
pub mod critical_path;
mod discovery;
mod draft;
mod evidence;
mod measure;
mod messaging;
mod observe;
mod operation;
pub mod process;
mod report;
mod services;
mod statement;
mod statistics;
mod survey;
mod vocabulary;
mod window;

pub use discovery::{
    Call, Capture, Class, Discovery, Evidence, Latency, Operation, Service, Signal, Weight,
};
pub use draft::{Draft, draft};
pub use measure::discover;
pub use report::{Paint, ReportFormat, report};
pub use statistics::{Proportion, Quantile};
