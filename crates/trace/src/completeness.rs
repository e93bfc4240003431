//! How much of a trace is there.
//!
//! Some losses show in the trace itself: a span names a parent which is not there. Others show only
//! beside the other traces: the answering side of a call is there everywhere else. So what is usual is
//! learned from all traces, and each one is held against it. All functions are pure.

use serde::Serialize;
use tidegate_base::limit::TRACE_OPERATIONS_MAX;

use crate::{Identifier, Labels, Span, SpanKind, Trace};

/// How often something has to be seen before it is usual.
const SEEN_MIN: usize = 5;
/// The share of all times from which the other side of a call is usual: below it the callee may be
/// traced in some places only.
const OTHER_SIDE_SHARE: f64 = 0.9;
/// The share of all times from which a number of children is usual: below it the operation has
/// several ways to go.
const CHILDREN_SHARE: f64 = 0.5;
/// The most different numbers of children that are counted for one operation: at the limit further
/// ones are not learned.
const COUNTS_MAX: usize = 64;

/// A trace of less than this share is not to be replayed: what is missing would be taken for idle time.
pub const COMPLETE_SHARE: f64 = 0.95;

/// What is there and what is missing of one trace, or of several added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Measure {
    /// Spans that are there.
    pub spans: usize,
    /// Spans that name a parent which is not there.
    pub orphans: usize,
    /// The different parents that they name: spans that are missing for certain.
    pub absent_parents: usize,
    /// Traces without a span that names no parent.
    pub without_root: usize,
    /// Answering sides below something that is not an asking side of a call.
    pub servers_without_client: usize,
    /// Those of them whose operation is usually below an asking side: spans that are missing.
    pub missing_clients: usize,
    /// Asking sides without an answering side: of callees that are not traced, or lost.
    pub clients_without_server: usize,
    /// Those of them whose operation usually has one: spans that are missing.
    pub missing_servers: usize,
    /// Spans fewer below operations that usually have a certain number of children. They may have
    /// gone another way, so they count as suspected only.
    pub fewer_children: usize,
}

impl Measure {
    /// Spans that are missing for certain, or as their kind is there nearly everywhere else.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.absent_parents + self.missing_clients + self.missing_servers
    }

    /// The share of the expected spans that is there: 0.0 to 1.0; 1.0 without spans.
    #[must_use]
    pub fn share(&self) -> f64 {
        share(self.spans, self.missing())
    }

    /// The share if every suspected span was lost.
    #[must_use]
    pub fn least_share(&self) -> f64 {
        share(self.spans, self.missing() + self.fewer_children)
    }

    /// Whether at least [`COMPLETE_SHARE`] is there, the root among it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.without_root == 0 && self.share() >= COMPLETE_SHARE
    }

    fn add(&mut self, other: &Self) {
        self.spans += other.spans;
        self.orphans += other.orphans;
        self.absent_parents += other.absent_parents;
        self.without_root += other.without_root;
        self.servers_without_client += other.servers_without_client;
        self.missing_clients += other.missing_clients;
        self.clients_without_server += other.clients_without_server;
        self.missing_servers += other.missing_servers;
        self.fewer_children += other.fewer_children;
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share is printed with three digits"
)]
fn share(there: usize, missing: usize) -> f64 {
    if there + missing == 0 {
        1.0
    } else {
        there as f64 / (there + missing) as f64
    }
}

/// The measures of many traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Traces that were measured.
    pub traces: usize,
    /// Those of them that are complete.
    pub complete: usize,
    /// All of them added up.
    pub measure: Measure,
}

impl Total {
    /// Adds the measure of a trace.
    pub fn add(&mut self, measure: &Measure) {
        self.traces += 1;
        self.complete += usize::from(measure.is_complete());
        self.measure.add(measure);
    }
}

/// Holds every trace against all of them: the measure of each, in their order, and the total.
#[must_use]
pub fn of_all<'a>(traces: impl IntoIterator<Item = &'a Trace> + Clone) -> (Vec<Measure>, Total) {
    let labels = Labels::of(traces.clone());
    of_labelled(traces, &labels)
}

/// The same, where it is known already what every span does.
#[must_use]
pub fn of_labelled<'a>(
    traces: impl IntoIterator<Item = &'a Trace> + Clone,
    labels: &Labels,
) -> (Vec<Measure>, Total) {
    let mut usual = Usual {
        operations: vec![Counts::default(); labels.len().min(TRACE_OPERATIONS_MAX)],
    };
    for (index, trace) in traces.clone().into_iter().enumerate() {
        usual.add(trace, labels.trace(index));
    }
    let mut total = Total::default();
    let measures = traces
        .into_iter()
        .enumerate()
        .map(|(index, trace)| {
            let measure = of(trace, labels.trace(index), &usual);
            total.add(&measure);
            measure
        })
        .collect();
    (measures, total)
}

/// What is there and what is missing of one trace.
fn of(trace: &Trace, labels: &[u32], usual: &Usual) -> Measure {
    let mut measure = Measure {
        spans: trace.spans().len(),
        ..Measure::default()
    };
    let mut absent: Vec<&Identifier> = trace
        .orphans()
        .filter_map(|orphan| trace.span(orphan)?.parent.as_ref())
        .collect();
    measure.orphans = absent.len();
    absent.sort_unstable();
    absent.dedup();
    measure.absent_parents = absent.len();
    let has_root = trace.spans().iter().any(|span| span.parent.is_none());
    measure.without_root = usize::from(!has_root);
    for ((index, span), label) in trace.spans().iter().enumerate().zip(labels) {
        let around = Around::of(trace, index, span);
        let known = usual.operations.get(*label as usize);
        let is_usual = |count: fn(&Counts) -> usize| {
            known.is_some_and(|counts| reaches(count(counts), counts.seen, OTHER_SIDE_SHARE))
        };
        if around.lacks_server {
            measure.clients_without_server += 1;
            measure.missing_servers += usize::from(is_usual(|counts| counts.with_server));
        }
        if around.lacks_client {
            measure.servers_without_client += 1;
            measure.missing_clients += usize::from(is_usual(|counts| counts.with_client));
        }
        if span.kind != SpanKind::Client
            && let Some(children) = known.and_then(Counts::usual_children)
        {
            measure.fewer_children += children.saturating_sub(around.children);
        }
    }
    measure
}

/// What stands around a span in its trace.
struct Around {
    children: usize,
    lacks_server: bool,
    lacks_client: bool,
}

impl Around {
    fn of(trace: &Trace, index: usize, span: &Span) -> Self {
        let children = trace.children(index);
        let kind_of = |index: usize| trace.span(index).map(|span| span.kind);
        let parent = trace.parent(index).and_then(kind_of);
        Self {
            children: children.len(),
            lacks_server: span.kind == SpanKind::Client
                && !children
                    .iter()
                    .any(|child| kind_of(*child) == Some(SpanKind::Server)),
            lacks_client: span.kind == SpanKind::Server
                && parent.is_some_and(|parent| parent != SpanKind::Client),
        }
    }
}

/// What is usual for each operation, by the number of its label; nothing is said of those beyond a
/// limit.
struct Usual {
    operations: Vec<Counts>,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    seen: usize,
    with_server: usize,
    with_client: usize,
    /// Numbers of children, and how often each was seen.
    children: Vec<(usize, usize)>,
}

impl Usual {
    /// Learns from a trace.
    fn add(&mut self, trace: &Trace, labels: &[u32]) {
        for ((index, span), label) in trace.spans().iter().enumerate().zip(labels) {
            let Some(counts) = self.operations.get_mut(*label as usize) else {
                continue;
            };
            let around = Around::of(trace, index, span);
            counts.seen += 1;
            counts.with_server += usize::from(!around.lacks_server);
            counts.with_client += usize::from(!around.lacks_client);
            counts.count_children(around.children);
        }
    }
}

impl Counts {
    fn count_children(&mut self, children: usize) {
        for (number, times) in &mut self.children {
            if *number == children {
                *times += 1;
                return;
            }
        }
        if self.children.len() < COUNTS_MAX {
            self.children.push((children, 1));
        }
    }

    /// The number of children that is usual, if one is; the least of two that are as frequent.
    fn usual_children(&self) -> Option<usize> {
        let frequent = |(number, times): &&(usize, usize)| (*times, std::cmp::Reverse(*number));
        let most = self.children.iter().max_by_key(frequent);
        most.filter(|(_, times)| reaches(*times, self.seen, CHILDREN_SHARE))
            .map(|(number, _)| *number)
    }
}

#[expect(clippy::cast_precision_loss, reason = "compared with a rough share")]
fn reaches(times: usize, seen: usize, share: f64) -> bool {
    seen >= SEEN_MIN && times as f64 >= seen as f64 * share
}
