//! Values that travel: identifiers of one request alone that are first seen below a call and then
//! elsewhere, which shows that its answer was needed.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tidegate_trace::values::words;
use tidegate_trace::{Group, Key, Trace};

use super::hash;

/// Most values of all traces that are kept, and most spans with one; beyond it no value tells anything.
const VALUES_MAX: usize = 2_000_000;
const OCCURRENCES_MAX: usize = 6_000_000;
/// Most values of one span.
const SPAN_VALUES_MAX: usize = 32;

/// The values of all traces: which are of one trace alone.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// By value: the one trace that has it; `None` when several do.
    owners: HashMap<u64, Option<u32>, RandomState>,
    /// Every value with its span, in order and once, trace after trace; and where those of each trace end.
    all: Vec<(u64, u32)>,
    ends: Vec<usize>,
    /// Those of one trace, while they are put in order.
    found: Vec<(u64, u32)>,
    is_full: bool,
}

/// The values of one trace, in order, each with its spans.
pub(crate) struct Seen(Vec<(u64, u32)>);

impl Seen {
    /// The spans of each value.
    fn spans(&self) -> impl Iterator<Item = impl Iterator<Item = usize> + Clone> {
        let by_value = self.0.chunk_by(|(one, _), (other, _)| one == other);
        by_value.map(|spans| spans.iter().map(|(_, span)| *span as usize))
    }
}

impl Values {
    /// Notes the values of the next trace.
    pub(crate) fn add(&mut self, trace: &Trace) {
        let Ok(index) = u32::try_from(self.ends.len()) else {
            return;
        };
        let start = self.all.len();
        if !self.is_full {
            self.found.clear();
            self.found.extend(values(trace));
            self.found.sort_unstable();
            self.found.dedup();
            self.all.extend_from_slice(&self.found);
        }
        for (value, _) in self.all.get(start..).unwrap_or_default() {
            let owner = self.owners.entry(*value).or_insert(Some(index));
            if *owner != Some(index) {
                *owner = None;
            }
        }
        self.ends.push(self.all.len());
        if self.owners.len() >= VALUES_MAX || self.all.len() >= OCCURRENCES_MAX {
            *self = Self {
                is_full: true,
                ..Self::default()
            };
        }
    }

    /// The values of a trace that no other trace has.
    pub(crate) fn own(&self, index: usize) -> Seen {
        let start = index
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let end = self.ends.get(index).copied().unwrap_or(0);
        let all = self.all.get(start.copied().unwrap_or(0)..end);
        let own = all.unwrap_or_default().iter().filter(|(value, _)| {
            let owner = self.owners.get(value).copied().flatten();
            owner.is_some_and(|owner| owner as usize == index)
        });
        Seen(own.copied().collect())
    }
}

/// Whether a value first seen below `call` is seen elsewhere later; `None` when no value below it
/// can tell.
pub(crate) fn tainted(trace: &Trace, seen: &Seen, call: usize) -> Option<bool> {
    let mut tells = false;
    for spans in seen.spans() {
        let below = |span: &usize| is_below(trace, call, *span);
        if !spans.clone().any(|span| below(&span)) {
            continue;
        }
        let elsewhere = spans.filter(|span| !below(span));
        let mut orders = elsewhere.map(|span| order(trace, call, span)).peekable();
        let is_elsewhere = orders.peek().is_some();
        // What was there before, around or beside the call came with its request.
        if orders.any(|order| order != Order::Later) {
            continue;
        }
        tells = true;
        if is_elsewhere {
            return Some(true);
        }
    }
    tells.then_some(false)
}

/// The one call, of `calls`, that uses the values first seen below `call`; `None` when no other call
/// does, or something else as well.
pub(crate) fn fed(trace: &Trace, seen: &Seen, call: usize, calls: &[usize]) -> Option<usize> {
    let mut fed = None;
    for spans in seen.spans() {
        let below = |span: &usize| is_below(trace, call, *span);
        if !spans.clone().any(|span| below(&span)) {
            continue;
        }
        for span in spans.filter(|span| !below(span)) {
            if order(trace, call, span) != Order::Later {
                return None;
            }
            let parent = trace.parent(call);
            let user = calls.iter().copied().find(|other| {
                *other != call && trace.parent(*other) == parent && is_below(trace, *other, span)
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
fn values(trace: &Trace) -> impl Iterator<Item = (u64, u32)> {
    trace.spans().iter().zip(0_u32..).flat_map(|(span, index)| {
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
