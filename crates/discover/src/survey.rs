//! What is asked of every call of a trace, computed once for the whole trace.

use tidegate_base::Timestamp;
use tidegate_trace::{SpanKind, Trace};

use crate::statement::Statement;
use crate::told::Told;

/// Facts of every span of one trace, by index.
#[derive(Debug, Default)]
pub(crate) struct Survey(Vec<OfSpan>);

/// Facts of one span.
#[derive(Clone, Debug, Default)]
struct OfSpan {
    below: Below,
    latest: Latest,
    outermost_method: Option<&'static str>,
    entry: Option<EntryFacts>,
}

/// What a span and everything below it do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Below {
    /// Database statements that read.
    pub(crate) reads: usize,
    /// Database statements that change.
    pub(crate) writes: usize,
    /// Messages that are sent.
    pub(crate) sends: usize,
    /// Whether any statement may be done twice without harm.
    pub(crate) has_upsert: bool,
}

/// The two latest children of a span, by start and by end.
#[derive(Clone, Copy, Debug, Default)]
struct Latest {
    starts: [Option<(Timestamp, usize)>; 2],
    ends: [Option<(Timestamp, usize)>; 2],
}

/// What a service does itself while it handles one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EntryFacts {
    /// Whether it changes a database.
    pub(crate) writes: bool,
    /// How many spans of other services it causes.
    pub(crate) remote_children: usize,
}

impl Survey {
    /// Looks at every span of another trace, in an order in which parents come before their children; takes
    /// time linear in it.
    pub(crate) fn look(&mut self, trace: &Trace, told: &[Told], order: &[usize]) {
        self.0.clear();
        self.0.resize(order.len(), OfSpan::default());
        for index in order {
            let above = trace
                .parent(*index)
                .and_then(|parent| self.outermost_method(parent));
            let own = told.get(*index).and_then(|told| told.method);
            if let Some(of_span) = self.0.get_mut(*index) {
                of_span.outermost_method = above.or(own);
            }
        }
        for index in order.iter().rev() {
            self.add(trace, told, *index);
        }
    }

    /// Adds a span, after everything below it.
    fn add(&mut self, trace: &Trace, told: &[Told], index: usize) {
        let (Some(span), Some(told)) = (trace.span(index), told.get(index)) else {
            return;
        };
        let Some(OfSpan { below, .. }) = self.0.get_mut(index) else {
            return;
        };
        match told.statement {
            Some(Statement::Read) => below.reads += 1,
            Some(Statement::Write) => below.writes += 1,
            None => {}
        }
        below.sends += usize::from(span.kind == SpanKind::Producer);
        below.has_upsert |= told.is_upsert;
        let own = *below;
        let Some(parent) = trace.parent(index) else {
            return;
        };
        if let Some(OfSpan { below, latest, .. }) = self.0.get_mut(parent) {
            below.reads += own.reads;
            below.writes += own.writes;
            below.sends += own.sends;
            below.has_upsert |= own.has_upsert;
            keep_latest(&mut latest.starts, (span.start, index));
            keep_latest(&mut latest.ends, (span.end, index));
        }
    }

    /// What the span and everything below it do.
    pub(crate) fn below(&self, index: usize) -> Below {
        self.0.get(index).map(|span| span.below).unwrap_or_default()
    }

    /// The HTTP method of the outermost span with one, from the root down to `index`.
    pub(crate) fn outermost_method(&self, index: usize) -> Option<&'static str> {
        self.0.get(index)?.outermost_method
    }

    /// Whether a child of `parent` other than `child` starts at `time` or later, or ends later.
    pub(crate) fn goes_on_after(&self, parent: usize, child: usize, time: Timestamp) -> bool {
        let Some(OfSpan { latest, .. }) = self.0.get(parent) else {
            return false;
        };
        let other = |pair: &[Option<(Timestamp, usize)>; 2]| {
            pair.iter()
                .flatten()
                .find(|(_, index)| *index != child)
                .map(|(time, _)| *time)
        };
        other(&latest.starts).is_some_and(|start| start >= time)
            || other(&latest.ends).is_some_and(|end| end > time)
    }

    /// What the service of `entry` does itself during that request.
    pub(crate) fn entry(&mut self, trace: &Trace, told: &[Told], entry: usize) -> EntryFacts {
        let Some(OfSpan { entry: known, .. }) = self.0.get_mut(entry) else {
            return EntryFacts::default();
        };
        *known.get_or_insert_with(|| entry_facts(trace, told, entry))
    }
}

fn keep_latest(pair: &mut [Option<(Timestamp, usize)>; 2], new: (Timestamp, usize)) {
    let [first, second] = *pair;
    if first.is_none_or(|first| new > first) {
        *pair = [Some(new), first];
    } else if second.is_none_or(|second| new > second) {
        *pair = [first, Some(new)];
    }
}

fn entry_facts(trace: &Trace, told: &[Told], entry: usize) -> EntryFacts {
    let mut facts = EntryFacts::default();
    let Some(service) = trace.span(entry).map(|span| &span.service) else {
        return facts;
    };
    let mut waiting = vec![entry];
    while let Some(index) = waiting.pop() {
        let own = told.get(index).and_then(|told| told.statement);
        facts.writes |= own == Some(Statement::Write);
        for child in trace.children(index) {
            if trace
                .span(*child)
                .is_some_and(|span| span.service == *service)
            {
                waiting.push(*child);
            } else {
                facts.remote_children += 1;
            }
        }
    }
    facts
}
