//! Process logs analysed: where cases wait, why, and what could become events.
//!
//! The engine is that of traces: a case is a trace, an activity instance a span, a resource a
//! host, and the order of activities is learned over all cases.

mod batch;
mod calendar;
mod causes;
mod delays;
mod diff;
mod draft;
mod events;
mod evidence;
mod flow;
mod found;
mod intervals;
mod load;
mod naming;
mod order;
mod path;
pub(crate) mod report;
mod resources;
mod share;
pub(crate) mod streams;
mod study;
mod summary;
mod timeline;

use std::time::Duration;

use tidegate_trace::process::{EventLog, Objects};

pub use crate::verdict::Verdict;
pub use diff::{Compared, compare, report_diff};
pub use draft::draft;
pub use found::{
    Activity, Arc, Arrived, Batched, Bottleneck, Calendars, Candidate, CandidateClass, Cause,
    CauseShare, Change, Concurrent, Estimate, LogScope, Process, ProcessDiscovery, Reason, Variant,
    Waits,
};
pub use report::report;

use crate::Proportion;
use crate::services::latency;
use path::{Path, begin, critical, end};
use study::Study;
use timeline::Timeline;

/// What the log cannot say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The activity with which a case ends for who waits for it; what comes after it has slack.
    pub visible_end: Option<String>,
}

/// Analyses process logs together: activities of the same name are the same, cases are not.
#[must_use]
pub fn analyse(logs: &[EventLog], options: &Options) -> ProcessDiscovery {
    let all: Vec<&EventLog> = logs.iter().collect();
    let timeline = Timeline::new(&all);
    // Objects of several logs are not one set: their identities may clash.
    let objects: Option<&Objects> = match logs {
        [one] => one.objects.as_ref(),
        _ => None,
    };
    let study = Study::new(&timeline, objects, options);
    let paths: Vec<Path> = timeline
        .each()
        .map(|(first, works)| critical(first, works, &study.enablings))
        .collect();
    let cycles: Vec<Duration> = timeline
        .each()
        .map(|(_, works)| end(works).since(begin(works)))
        .collect();
    let (first, last) = timeline.span();
    let starts = Proportion {
        hits: timeline.works.iter().filter(|w| w.start.is_some()).count(),
        total: timeline.works.len(),
    };
    let resources = Proportion {
        hits: timeline
            .works
            .iter()
            .filter(|w| w.resource.is_some())
            .count(),
        total: timeline.works.len(),
    };
    let totals = summary::totals(&study);
    let (variants, variants_total) = summary::variants(&timeline, &cycles);
    ProcessDiscovery {
        logs: logs.iter().map(summary::scope).collect(),
        window: last.since(first),
        cases: timeline.cases.len(),
        instances: timeline.works.len(),
        missing: summary::missing(&study, starts, resources),
        starts,
        resources,
        cycle_total: cycles.iter().sum(),
        cycle: latency(cycles),
        processing: totals.processing,
        waiting: totals.waiting,
        efficiency: totals.efficiency,
        causes: totals.causes,
        processes: summary::processes(logs),
        variants,
        variants_total,
        activities: flow::activities(&study, &paths),
        arcs: flow::arcs(&study, &paths),
        concurrent: study.order.pairs(&timeline),
        calendars: study.resources.calendars(),
        batched: study.batches.found.clone(),
        candidates: streams::candidates(&study),
    }
}

#[cfg(test)]
mod tests;
