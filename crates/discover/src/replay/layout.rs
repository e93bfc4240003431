//! One trace as the replay needs it: lengths, where children lie in their parents, and call paths.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tidegate_trace::{Labels, SpanKind, Trace};

use super::order::{KIDS_MAX, Learned, View};
use super::place;
use super::waits::{Earlier, Lists};

/// No slot: the parent has more children than order is learned for.
pub(crate) const NO_SLOT: u16 = u16::MAX;

/// Where one span lies in the span that waits for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// From the parent's start, by the parent's clock; never negative. A message starts when it is sent.
    pub(crate) start: i64,
    pub(crate) length: i64,
    /// The call path from the root: which spans are the same in all traces.
    pub(crate) path: u32,
    /// Which child of its parent's path it is, for the learned order.
    pub(crate) slot: u16,
    /// How many spans wait for it, one for the other.
    pub(crate) depth: u32,
    /// Whether its end tells when the parent went on: both have one clock.
    pub(crate) same_clock: bool,
    step: Step,
    /// Whether it may be a mere frame around a span beside it: work of a service without children.
    pub(crate) may_frame: bool,
}

/// The step of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Nanosecond,
    Microsecond,
    Millisecond,
}

/// How long one span goes on beside those around it.
#[derive(Clone, Copy, Debug)]
struct Chain {
    /// By how much it outlasts every span around it with the same clock; zero when it does not.
    outlasts: i64,
    /// When the last of those and itself ends, by that clock.
    end: u64,
}

impl Place {
    /// The step of the clock that its times are read from, in nanoseconds.
    pub(crate) fn step(&self) -> i64 {
        match self.step {
            Step::Nanosecond => 1,
            Step::Microsecond => 1_000,
            Step::Millisecond => 1_000_000,
        }
    }

    pub(crate) fn end(&self) -> i64 {
        self.start.saturating_add(self.length)
    }
}

/// The step of each service's clock, in nanoseconds, by the number of the service.
pub(crate) type Steps = Vec<i64>;

/// The steps of the clocks that spans start by: the largest of a millisecond and a microsecond that
/// divides every start; 1 when none does. Ends may be finer, where durations are measured apart.
pub(crate) fn steps(traces: &[&Trace], labels: &Labels) -> Steps {
    let mut steps: Vec<u64> = Vec::new();
    for (index, trace) in traces.iter().enumerate() {
        for (span, label) in trace.spans().iter().zip(labels.trace(index)) {
            let Some(label) = labels.label(*label) else {
                continue;
            };
            let service = label.service as usize;
            if service >= steps.len() {
                steps.resize(service + 1, 1_000_000);
            }
            let Some(step) = steps.get_mut(service).filter(|step| **step > 1) else {
                continue;
            };
            while !span.start.nanos().is_multiple_of(*step) {
                *step = if *step > 1_000 { 1_000 } else { 1 };
            }
        }
    }
    steps
        .into_iter()
        .map(|step| i64::try_from(step).unwrap_or(1))
        .collect()
}

/// One trace, laid out.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) places: Vec<Place>,
    /// By span, until all is learned.
    chains: Vec<Chain>,
    /// Children that may be waited for, by start, parent after parent.
    kids: Vec<u32>,
    ranges: Vec<(u32, u32)>,
    /// The span that waits for each one, by all traces; [`NOBODY`] where none does.
    waiting: Vec<u32>,
    /// Children that are waited for, by start, parent after parent.
    waited: Vec<u32>,
    /// Of each span: where those begin and end, the number of its first list, and whether another view may
    /// come to another result.
    parents: Vec<Parent>,
    lists: Lists,
    /// How many spans lie where the clocks of two hosts say, as nothing else tells.
    pub(crate) by_clocks: usize,
}

/// What a replay asks of a span with children.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parent {
    from: u32,
    to: u32,
    first: u32,
    pub(crate) is_unsure: bool,
}

/// No span waits.
const NOBODY: u32 = u32::MAX;

impl Layout {
    pub(crate) fn new(
        (index, trace): (usize, &Trace),
        labels: &Labels,
        paths: &mut Paths,
        steps: &Steps,
    ) -> Self {
        let count = trace.spans().len();
        let step = |span: usize| {
            let label = labels.label(labels.number(index, span)?)?;
            let step = steps.get(label.service as usize).copied()?;
            Some(match step {
                1_000_000.. => Step::Millisecond,
                1_000.. => Step::Microsecond,
                _ => Step::Nanosecond,
            })
        };
        let numbers = labels.trace(index);
        let mut layout = Self {
            places: trace
                .spans()
                .iter()
                .enumerate()
                .map(|(index, span)| Place {
                    start: 0,
                    length: place::length(span),
                    path: 0,
                    slot: NO_SLOT,
                    depth: 0,
                    same_clock: true,
                    step: step(index).unwrap_or(Step::Nanosecond),
                    may_frame: false,
                })
                .collect(),
            chains: trace
                .spans()
                .iter()
                .map(|span| Chain {
                    outlasts: 0,
                    end: span.end.nanos(),
                })
                .collect(),
            kids: Vec::with_capacity(count),
            ranges: vec![(0, 0); count],
            waiting: vec![NOBODY; count],
            waited: Vec::new(),
            parents: Vec::new(),
            lists: Lists::default(),
            by_clocks: 0,
        };
        for root in trace.roots() {
            layout.enter(numbers, root, Paths::ROOT, paths);
        }
        for parent in trace.depth_first() {
            layout.add_children(trace, numbers, parent, paths);
        }
        layout
    }

    fn enter(&mut self, labels: &[u32], index: usize, above: u32, paths: &mut Paths) {
        if let (Some(label), Some(place)) = (labels.get(index), self.places.get_mut(index)) {
            place.path = paths.below(above, *label);
        }
    }

    fn add_children(&mut self, trace: &Trace, labels: &[u32], parent: usize, paths: &mut Paths) {
        let (Some(asking), Some(own)) = (trace.span(parent), self.places.get(parent).copied())
        else {
            return;
        };
        let from = self.kids.len();
        let one_answer = place::has_one_answer(trace, parent);
        let around = self.chains.get(parent).map_or(0, |chain| chain.end);
        for child in trace.children(parent) {
            let waited_for = place::is_waited_for(trace, (parent, one_answer), *child);
            // What nobody waits for starts a path of its own, like a root.
            let above = if waited_for { own.path } else { Paths::ROOT };
            self.enter(labels, *child, above, paths);
            let (Some(span), Some(place)) = (trace.span(*child), self.places.get_mut(*child))
            else {
                continue;
            };
            place.start = place::start_in(asking, span, one_answer).max(0);
            self.by_clocks += usize::from(place::is_by_clocks(asking, span, one_answer));
            if waited_for {
                place.depth = own.depth + 1;
                let works = matches!(span.kind, SpanKind::Internal | SpanKind::Unspecified);
                place.may_frame = works && trace.children(*child).is_empty();
                place.same_clock = !place::is_across_hosts(asking, span);
                if place.same_clock
                    && let Some(chain) = self.chains.get_mut(*child)
                {
                    let late = span.end.nanos().saturating_sub(around);
                    chain.outlasts = i64::try_from(late).unwrap_or(i64::MAX);
                    chain.end = span.end.nanos().max(around);
                }
                self.kids.push(u32::try_from(*child).unwrap_or(u32::MAX));
            }
        }
        let places = &self.places;
        if let Some(kids) = self.kids.get_mut(from..) {
            kids.sort_by_key(|kid| {
                let place = places.get(*kid as usize);
                place.map(|place| (place.start, place.end(), place.path, *kid))
            });
        }
        let range = (u32::try_from(from), u32::try_from(self.kids.len()));
        if let ((Ok(from), Ok(to)), Some(own)) = (range, self.ranges.get_mut(parent)) {
            *own = (from, to);
        }
    }

    /// The children that may be waited for, by start.
    pub(crate) fn kids(&self, index: usize) -> &[u32] {
        let (from, to) = self.ranges.get(index).copied().unwrap_or_default();
        self.kids
            .get(from as usize..to as usize)
            .unwrap_or_default()
    }

    /// Notes who waits for whom, once it is known from all traces.
    pub(crate) fn settle(&mut self, waits: impl Fn(&Self, usize, usize) -> bool) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.fill(NOBODY);
        for parent in 0..self.places.len() {
            for kid in self.kids(parent) {
                if waits(self, parent, *kid as usize)
                    && let Some(own) = waiting.get_mut(*kid as usize)
                {
                    *own = u32::try_from(parent).unwrap_or(NOBODY);
                }
            }
        }
        self.waiting = waiting;
    }

    /// Finds which children may have waited for which, once it is known who waits for whom.
    pub(crate) fn prepare(&mut self, learned: &Learned, before: &mut Vec<Earlier>) {
        let mut waited: Vec<u32> = Vec::with_capacity(self.kids.len());
        let mut parents = Vec::with_capacity(self.places.len());
        let mut lists = Lists::default();
        for span in 0..self.places.len() {
            let from = waited.len();
            let kids = self.kids(span).iter().copied();
            waited.extend(kids.filter(|kid| self.waiting(*kid as usize) == Some(span)));
            let kids = waited.get(from..).unwrap_or_default();
            let first = lists.len();
            let is_unsure = if kids.is_empty() || kids.len() > KIDS_MAX {
                kids.len() > KIDS_MAX
            } else {
                lists.add(self, (span, kids), learned, View::Pessimistic, before)
            };
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            parents.push(Parent {
                from: number(from),
                to: number(waited.len()),
                first: number(first),
                is_unsure,
            });
        }
        (self.waited, self.parents, self.lists) = (waited, parents, lists);
        self.chains = Vec::new();
    }

    /// What a replay asks of the span, and its children that are waited for, by start.
    pub(crate) fn parent(&self, index: usize) -> (Parent, &[u32]) {
        let parent = self.parents.get(index).copied().unwrap_or_default();
        let kids = self.waited.get(parent.from as usize..parent.to as usize);
        (parent, kids.unwrap_or_default())
    }

    /// The children that one of a span's steps may have waited for: steps are the starts of its children that
    /// are waited for, and its end.
    pub(crate) fn waited_before(&self, parent: Parent, step: usize) -> &[u16] {
        self.lists.get(parent.first as usize + step)
    }

    /// The span that waits for this one.
    pub(crate) fn waiting(&self, index: usize) -> Option<usize> {
        let waiting = self.waiting.get(index).copied()?;
        (waiting != NOBODY).then_some(waiting as usize)
    }

    /// By how much a span outlasts every span around it with the same clock; zero when it does not.
    pub(crate) fn outlasts(&self, index: usize) -> i64 {
        self.chains.get(index).map_or(0, |chain| chain.outlasts)
    }

    pub(crate) fn place(&self, index: usize) -> Option<&Place> {
        self.places.get(index)
    }

    pub(crate) fn length(&self, index: usize) -> i64 {
        self.places.get(index).map_or(0, |place| place.length)
    }
}

/// Call paths by number: the same service, operation and kind below the same path.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    children: HashMap<(u32, u32), u32, RandomState>,
    /// The path above each path, and a span's label.
    above: Vec<(u32, u32)>,
}

impl Paths {
    /// Above every root.
    pub(crate) const ROOT: u32 = u32::MAX;

    fn below(&mut self, above: u32, label: u32) -> u32 {
        let next = u32::try_from(self.above.len()).unwrap_or(u32::MAX);
        let path = *self.children.entry((above, label)).or_insert(next);
        if path == next {
            self.above.push((above, label));
        }
        path
    }

    /// How many paths there are.
    pub(crate) fn len(&self) -> usize {
        self.above.len()
    }
}
