//! Values that travel: identifiers of one request alone that are first seen below a call and then
//! elsewhere, which shows that its answer was needed.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tidegate_trace::values::words;
use tidegate_trace::{Group, Key, Trace};

use super::hash;

/// Most values of all traces that are kept; beyond it no value tells anything.
const VALUES_MAX: usize = 2_000_000;
/// Most values of one span.
const SPAN_VALUES_MAX: usize = 32;

/// The values of all traces: which are of one trace alone.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// By value: the one trace that has it; `None` when several do.
    owners: HashMap<u64, Option<u32>, RandomState>,
    is_full: bool,
}

/// The values of one trace, in order, each with its spans.
pub(crate) type Seen = Vec<(u64, Vec<usize>)>;

impl Values {
    /// Notes the values of a trace.
    pub(crate) fn add(&mut self, index: usize, trace: &Trace) {
        let Ok(index) = u32::try_from(index) else {
            return;
        };
        for (value, _) in values(trace) {
            if self.owners.len() >= VALUES_MAX {
                self.is_full = true;
                return;
            }
            let owner = self.owners.entry(value).or_insert(Some(index));
            if *owner != Some(index) {
                *owner = None;
            }
        }
    }

    /// The values of a trace that no other trace has.
    pub(crate) fn own(&self, index: usize, trace: &Trace) -> Seen {
        let mut seen = Seen::new();
        if self.is_full || self.owners.is_empty() {
            return seen;
        }
        let own = values(trace).filter(|(value, _)| {
            let owner = self.owners.get(value).copied().flatten();
            owner.is_some_and(|owner| owner as usize == index)
        });
        let mut all: Vec<(u64, usize)> = own.collect();
        all.sort_unstable();
        all.dedup();
        for (value, span) in all {
            match seen.last_mut() {
                Some((last, spans)) if *last == value => spans.push(span),
                _ => seen.push((value, vec![span])),
            }
        }
        seen
    }
}

/// Whether a value first seen below `call` is seen elsewhere later; `None` when no value below it
/// can tell.
pub(crate) fn tainted(trace: &Trace, seen: &Seen, call: usize) -> Option<bool> {
    let mut tells = false;
    for (_, spans) in seen {
        let below = |span: usize| is_below(trace, call, span);
        if !spans.iter().any(|span| below(*span)) {
            continue;
        }
        let elsewhere: Vec<Order> = spans
            .iter()
            .filter(|span| !below(**span))
            .map(|span| order(trace, call, *span))
            .collect();
        // What was there before, around or beside the call came with its request.
        if elsewhere.iter().any(|order| *order != Order::Later) {
            continue;
        }
        tells = true;
        if !elsewhere.is_empty() {
            return Some(true);
        }
    }
    tells.then_some(false)
}

/// The one call, of `calls`, that uses the values first seen below `call`; `None` when no other call
/// does, or something else as well.
pub(crate) fn fed(trace: &Trace, seen: &Seen, call: usize, calls: &[usize]) -> Option<usize> {
    let mut fed = None;
    for (_, spans) in seen {
        let below = |span: usize| is_below(trace, call, span);
        if !spans.iter().any(|span| below(*span)) {
            continue;
        }
        for span in spans.iter().filter(|span| !below(**span)) {
            if order(trace, call, *span) != Order::Later {
                return None;
            }
            let parent = trace.parent(call);
            let user = calls.iter().copied().find(|other| {
                *other != call && trace.parent(*other) == parent && is_below(trace, *other, *span)
            })?;
            if fed.is_some_and(|fed| fed != user) {
                return None;
            }
            fed = Some(user);
        }
    }
    fed
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Around,
    NotLater,
    Later,
}

fn is_below(trace: &Trace, above: usize, mut span: usize) -> bool {
    while span != above {
        match trace.parent(span) {
            Some(parent) => span = parent,
            None => return false,
        }
    }
    true
}

/// When `span` started, compared with the end of `call`, by the clock of their nearest common
/// caller's children.
fn order(trace: &Trace, call: usize, span: usize) -> Order {
    if is_below(trace, span, call) {
        return Order::Around;
    }
    let mut mine = call;
    while let Some(parent) = trace.parent(mine) {
        if is_below(trace, parent, span) {
            let mut other = span;
            while let Some(above) = trace.parent(other).filter(|above| *above != parent) {
                other = above;
            }
            let later = match (trace.span(mine), trace.span(other)) {
                (Some(mine), Some(other)) => other.start >= mine.end,
                _ => false,
            };
            return if later { Order::Later } else { Order::NotLater };
        }
        mine = parent;
    }
    Order::NotLater
}

/// The values of every span that are random enough, with the span.
fn values(trace: &Trace) -> impl Iterator<Item = (u64, usize)> {
    trace.spans().iter().enumerate().flat_map(|(index, span)| {
        let attributes = span.attributes.iter();
        let telling = attributes.filter(|(key, _)| holds_values(*key));
        telling
            .flat_map(|(_, text)| words(text))
            .take(SPAN_VALUES_MAX)
            .map(move |word| (hash(&word), index))
    })
}

fn holds_values(key: Key) -> bool {
    const GROUPS: [Group; 6] = [
        Group::Database,
        Group::Http,
        Group::Messaging,
        Group::Other,
        Group::Sql,
        Group::Url,
    ];
    GROUPS.into_iter().any(|group| key.is_of(group))
}
