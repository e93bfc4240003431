//! The order of calls, learned over all traces: what was never seen to overlap waits for each other,
//! in the order of each trace.
//!
//! Sources: M. Chow et al., "The Mystery Machine", OSDI 2014 (all hypotheses, refuted by one
//! counter-example); the rule of last finishers for the optimistic view is this project's own.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::interval::nanos;

use super::gaps::{Doubt, END, Gaps};
use super::layout::{Layout, NO_SLOT, Place};
use super::limit::Limits;

/// Most children of one call path whose order is learned; more keep the order of each trace.
const SLOTS_MAX: usize = 128;
/// Most children of one span whose order is compared pair by pair; more are taken as they come.
pub(crate) const KIDS_MAX: usize = 256;
/// Most occurrences of one call path below one parent that are told apart.
const OCCURRENCES_MAX: u16 = 64;
/// How often a call must have been the last to end before another one started to show that it was
/// waited for, and not just always early.
const FORCED_MIN: u32 = 5;
/// Where more than one of so many outlasts its request, it may be by itself.
const GIVEN_UP: u32 = 100;
/// The fewest that end inside from which it is told how long before.
const INSIDE_MIN: u32 = 20;
/// Where more than one of so many does, it is not for requests that were given up, however far from it the others are.
const OUTLASTING: u32 = 4;
/// An order that one of so many breaks at most may be a rule with exceptions.
const EXCEPTIONS: u32 = 20;
/// The chance of an interleaving that confidence is about.
const INTERLEAVED: f64 = 0.01;

/// From what the order of calls is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From all traces: one counter-example refutes it.
    #[default]
    Learned,
    /// From each trace alone, as most tools do it; to compare with.
    EachTrace,
}

/// Which of the orders that no trace refutes are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// All: the least is gained.
    Pessimistic,
    /// Those that were seen to be waited for: the most is gained.
    Optimistic,
}

/// The children of one call path.
#[derive(Clone, Debug, Default)]
struct Group {
    slots: HashMap<(u32, u16), u16, RandomState>,
    /// For each pair: in how many traces both were there, and one ended before the other started.
    both: Vec<u32>,
    ordered: Vec<u32>,
    /// In how many of these the second started at once when the first had ended.
    at_once: Vec<u32>,
    /// In how many the first was the last to end before the second started.
    last: Vec<u32>,
    /// In how many the first was a frame around the second.
    framed: Vec<u32>,
    /// Which children are mere frames around others.
    frames: Vec<bool>,
    /// For each pair, what the counts say: [`KEPT`] and [`SEEN`].
    orders: Vec<u8>,
    children: Vec<Child>,
}

/// No trace refutes the order of the pair.
const KEPT: u8 = 1;
/// Nor is it an accident, as far as was seen.
const SEEN: u8 = 2;

/// One child of a call path.
#[derive(Clone, Copy, Debug, Default)]
struct Child {
    seen: u32,
    outlasted: u32,
    /// In how many it ended inside, and in how many of these the parent went on at once.
    inside: u32,
    joined: u32,
    /// How long the parent went on later in those, added up, and the squares of that.
    gaps: f64,
    squares: f64,
    /// In how many it was the last to end before the parent did.
    last: u32,
}

impl Child {
    /// Whether those that outlast their requests were given up with them: few do, or the others end so long before their
    /// parents go on that these cannot be the tail of their kind.
    fn is_given_up(self) -> bool {
        if self.outlasted.saturating_mul(GIVEN_UP) <= self.seen {
            return true;
        }
        if self.inside < INSIDE_MIN {
            return false;
        }
        let n = f64::from(self.inside);
        let mean = self.gaps / n;
        let spread = ((self.squares - mean * self.gaps) / (n - 1.0))
            .max(0.0)
            .sqrt();
        self.outlasted.saturating_mul(OUTLASTING) <= self.seen && mean > 3.0 * spread
    }
}

impl Group {
    fn at(&self, earlier: u16, later: u16) -> Option<usize> {
        let count = self.children.len();
        let (earlier, later) = (usize::from(earlier), usize::from(later));
        (earlier < count && later < count).then_some(earlier * count + later)
    }

    /// Draws from the counts which orders may be real.
    fn settle(&mut self) {
        let count = self.children.len();
        let counts = self.both.iter().zip(&self.ordered).zip(&self.last);
        let orders = counts.enumerate().map(|(at, ((both, ordered), last))| {
            let other = at % count.max(1) * count + at / count.max(1);
            let at_once = [at, other].map(|at| self.at_once.get(at).copied().unwrap_or_default());
            let broken = both - ordered.min(both);
            // A few that overlap are of another kind of request, where all others go from the one right to the other.
            let is_rule = u64::from(broken) * u64::from(EXCEPTIONS) <= u64::from(*both)
                && at_once.iter().map(|count| u64::from(*count)).sum::<u64>() * 10
                    >= u64::from(*ordered) * 9;
            let kept = broken == 0 || is_rule;
            let seen = broken == 0 && (*last >= FORCED_MIN || *both == 0);
            (u8::from(kept) * KEPT) | (u8::from(seen) * SEEN)
        });
        self.orders = orders.collect();
    }

    /// A child is a frame when it always surrounds another one: who waits for that one is not seen to
    /// do anything meanwhile.
    fn find_frames(&mut self) {
        let count = self.children.len();
        let is_frame = |frame: usize| {
            (0..count).any(|other| {
                let at = frame * count + other;
                let framed = self.framed.get(at).copied().unwrap_or_default();
                framed >= FORCED_MIN && self.both.get(at) == Some(&framed)
            })
        };
        self.frames = (0..count).map(is_frame).collect();
    }

    /// Started before its parent ended, outlasted it somewhere, and was never seen to be waited for.
    fn is_forgotten(&self, slot: u16) -> bool {
        self.children.get(usize::from(slot)).is_some_and(|child| {
            let joined = u64::from(child.joined) * 2 > u64::from(child.inside);
            child.outlasted > 0 && !joined && !child.is_given_up()
        })
    }
}

/// What was learned.
#[derive(Clone, Debug)]
pub(crate) struct Learned {
    order: Order,
    /// By number of the parent's path.
    groups: Vec<Group>,
    gaps: Vec<Gaps>,
    pub(crate) limits: Limits,
}

/// Times that are closer than this are the same: the step of the clock, or a microsecond, which is
/// the resolution of most tracers.
pub(crate) fn tolerance(layout: &Layout, parent: usize) -> i64 {
    layout.place(parent).map_or(1, Place::step).max(1_000)
}

impl Learned {
    /// Learns from all traces; gives every child its slot.
    pub(crate) fn from(layouts: &mut [Layout], paths: usize, order: Order) -> Self {
        let mut learned = Self {
            order,
            groups: vec![Group::default(); paths],
            gaps: Vec::new(),
            limits: Limits::default(),
        };
        for layout in layouts.iter_mut() {
            learned.give_slots(layout);
        }
        if order == Order::Learned {
            learned.limits = Limits::from(layouts);
        }
        for group in &mut learned.groups {
            let count = group.slots.len();
            group.children = vec![Child::default(); count];
            group.both = vec![0; count * count];
            group.ordered = vec![0; count * count];
            group.at_once = vec![0; count * count];
            group.last = vec![0; count * count];
            group.framed = vec![0; count * count];
        }
        for layout in layouts.iter() {
            learned.each_parent(layout, count_pairs);
        }
        for group in &mut learned.groups {
            group.find_frames();
            group.settle();
        }
        // Asked while the counts are added: the same but for them, which it does not read.
        let known = learned.clone();
        for layout in layouts.iter() {
            learned.each_parent(layout, |group, layout, parent, tolerance| {
                count_last(&known, group, layout, parent, tolerance);
            });
        }
        for group in &mut learned.groups {
            group.settle();
        }
        learned
    }

    /// Learns how long callers work after their calls. Not where spans are lost: their time would be taken
    /// for such work.
    pub(crate) fn learn_gaps(&mut self, layouts: &[Layout]) {
        if self.order == Order::EachTrace {
            return;
        }
        let children = self.groups.iter().map(|group| group.children.len());
        let mut gaps: Vec<Gaps> = children.map(Gaps::of).collect();
        for layout in layouts {
            for parent in 0..layout.places.len() {
                let kids = layout.kids(parent).len();
                let path = layout.place(parent).map(|place| place.path as usize);
                // After an only call there is but one gap.
                if (2..=KIDS_MAX).contains(&kids)
                    && let Some(gaps) = path.and_then(|path| gaps.get_mut(path))
                {
                    self.add_gaps(layout, parent, gaps);
                }
            }
        }
        self.gaps = gaps;
    }

    fn add_gaps(&self, layout: &Layout, parent: usize, gaps: &mut Gaps) {
        let tolerance = tolerance(layout, parent);
        let kids = layout.kids(parent);
        for (index, kid) in kids.iter().enumerate() {
            if let Some((end, first)) = last_before(self, (layout, parent), index, tolerance)
                && let Some(place) = layout.place(*kid as usize)
            {
                gaps.add(place.slot, first, place.start - end);
            }
        }
        let length = layout.length(parent);
        let ended = kids.iter().filter_map(|kid| {
            let place = layout.place(*kid as usize)?;
            let waits = layout.waiting(*kid as usize) == Some(parent);
            waits.then_some((place.end().min(length), place.slot))
        });
        if let Some((end, slot)) = ended.max() {
            gaps.add(END, slot, length - end);
        }
    }

    fn give_slots(&mut self, layout: &mut Layout) {
        let mut seen: HashMap<u32, u16, RandomState> = HashMap::default();
        for parent in 0..layout.places.len() {
            let Some(path) = layout.place(parent).map(|place| place.path) else {
                continue;
            };
            let Some(group) = self.groups.get_mut(path as usize) else {
                continue;
            };
            seen.clear();
            for kid in layout.kids(parent).to_vec() {
                let Some(place) = layout.places.get_mut(kid as usize) else {
                    continue;
                };
                let occurrence = seen.entry(place.path).or_default();
                let next = u16::try_from(group.slots.len()).unwrap_or(NO_SLOT);
                let key = (place.path, *occurrence);
                place.slot = match group.slots.get(&key) {
                    Some(slot) => *slot,
                    None if usize::from(next) < SLOTS_MAX && *occurrence < OCCURRENCES_MAX => {
                        *group.slots.entry(key).or_insert(next)
                    }
                    None => NO_SLOT,
                };
                *occurrence = occurrence.saturating_add(1);
            }
        }
    }

    fn each_parent(
        &mut self,
        layout: &Layout,
        mut count: impl FnMut(&mut Group, &Layout, usize, i64),
    ) {
        for parent in 0..layout.places.len() {
            if layout.kids(parent).is_empty() {
                continue;
            }
            let path = layout.place(parent).map(|place| place.path as usize);
            if let Some(group) = path.and_then(|path| self.groups.get_mut(path)) {
                count(group, layout, parent, tolerance(layout, parent));
            }
        }
    }

    /// Whether the parent waits for its child, which the trace alone does not refute.
    pub(crate) fn waits(&self, layout: &Layout, parent: usize, child: usize) -> bool {
        let (Some(own), Some(place)) = (layout.place(parent), layout.place(child)) else {
            return true;
        };
        let group = self.groups.get(own.path as usize);
        let free = group.is_some_and(|group| {
            let frames = group.frames.get(usize::from(place.slot));
            group.is_forgotten(place.slot) || frames == Some(&true)
        });
        self.order == Order::EachTrace || !free
    }

    /// Whether `later` may have waited for `earlier`, two children of `parent` of which one ended
    /// before the other one started.
    pub(crate) fn may_precede(
        &self,
        layout: &Layout,
        parent: usize,
        (earlier, later): (usize, usize),
        view: View,
    ) -> bool {
        let (Some(own), Some(first), Some(second)) = (
            layout.place(parent),
            layout.place(earlier),
            layout.place(later),
        ) else {
            return true;
        };
        self.slots_may_precede(own.path, (first.slot, second.slot), view)
    }

    fn slots_may_precede(&self, path: u32, (earlier, later): (u16, u16), view: View) -> bool {
        if self.order == Order::EachTrace {
            return true;
        }
        let Some(group) = self.groups.get(path as usize) else {
            return true;
        };
        // Children without slots have been seen together zero times.
        let at = group.at(earlier, later);
        let order = at.and_then(|at| group.orders.get(at)).copied();
        let wanted = match view {
            View::Pessimistic => KEPT,
            View::Optimistic => SEEN,
        };
        order.is_none_or(|order| order & wanted != 0)
    }

    /// How long a step of the parent comes after the end of a child that is the last to end before it;
    /// the step is the start of another child, or the parent's end.
    pub(crate) fn gap(
        &self,
        layout: &Layout,
        parent: usize,
        (child, step): (usize, Option<usize>),
        doubt: Doubt,
    ) -> i64 {
        if self.order == Order::EachTrace {
            return 0;
        }
        let slot = |index: usize| layout.place(index).map_or(NO_SLOT, |place| place.slot);
        let gaps = layout
            .place(parent)
            .and_then(|own| self.gaps.get(own.path as usize));
        gaps.map_or(0, |gaps| {
            gaps.usual(step.map_or(END, slot), slot(child), doubt)
        })
    }

    /// Whether the parent was seen to end only once the child had: what always ends before others may not be
    /// waited for.
    pub(crate) fn is_end_seen(&self, layout: &Layout, parent: usize, child: usize) -> bool {
        let (Some(own), Some(place)) = (layout.place(parent), layout.place(child)) else {
            return true;
        };
        let group = self.groups.get(own.path as usize);
        let child = group.and_then(|group| group.children.get(usize::from(place.slot)));
        self.order == Order::EachTrace || child.is_none_or(|child| child.last >= FORCED_MIN)
    }

    /// In how many traces a child was seen.
    pub(crate) fn seen(&self, layout: &Layout, parent: usize, child: usize) -> u32 {
        let (Some(own), Some(place)) = (layout.place(parent), layout.place(child)) else {
            return 0;
        };
        let group = self.groups.get(own.path as usize);
        group
            .and_then(|group| group.children.get(usize::from(place.slot)))
            .map_or(0, |child| child.seen)
    }
}

/// How sure it is that no order around a child that was seen so often is taken for real that is not:
/// the chance that an interleaving in one of a hundred traces would have been seen.
pub(crate) fn confidence(seen: u32) -> f64 {
    1.0 - (1.0 - INTERLEAVED).powf(f64::from(seen))
}

fn count_pairs(group: &mut Group, layout: &Layout, parent: usize, tolerance: i64) {
    let kids = layout.kids(parent);
    for (index, kid) in kids.iter().enumerate() {
        let Some(first) = layout.place(*kid as usize) else {
            continue;
        };
        if first.slot == NO_SLOT {
            continue;
        }
        for later in kids.iter().skip(index + 1) {
            let Some(second) = layout.place(*later as usize) else {
                continue;
            };
            let pair = (
                group.at(first.slot, second.slot),
                group.at(second.slot, first.slot),
            );
            let (Some(there), Some(back)) = pair else {
                continue;
            };
            add(&mut group.both, there);
            add(&mut group.both, back);
            if first.end() <= second.start.saturating_add(tolerance) {
                // Both orders: another program of the same name may do it the other way round, which
                // shows nothing. What overlaps does not wait for each other.
                add(&mut group.ordered, there);
                add(&mut group.ordered, back);
                if second.start - first.end() <= tolerance.max(layout.length(parent) / 100) {
                    add(&mut group.at_once, there);
                }
            }
            let apart = second.end().abs_diff(first.end());
            if first.may_frame
                && !second.may_frame
                && first.end() > second.start
                && apart <= second.length.unsigned_abs() / 20
            {
                add(&mut group.framed, there);
            }
        }
        count_end(group, (first, layout.outlasts(*kid as usize)), tolerance);
        count_join(group, layout, parent, index, tolerance);
    }
}

fn add(table: &mut [u32], at: usize) {
    if let Some(count) = table.get_mut(at) {
        *count = count.saturating_add(1);
    }
}

/// Counts whether the child outlasted all that could wait for it, by more than the end of a span is
/// late.
fn count_end(group: &mut Group, (place, outlasts): (&Place, i64), tolerance: i64) {
    if let Some(child) = group.children.get_mut(usize::from(place.slot)) {
        child.seen += 1;
        let late = tolerance.max(place.length / 100);
        child.outlasted += u32::from(outlasts > late);
    }
}

/// Counts whether the parent went on at once when the child had ended: the next child starts, or
/// the parent ends, within a hundredth of the parent's length.
fn count_join(group: &mut Group, layout: &Layout, parent: usize, index: usize, tolerance: i64) {
    let kids = layout.kids(parent);
    let length = layout.length(parent);
    let Some(place) = kids.get(index).and_then(|kid| layout.place(*kid as usize)) else {
        return;
    };
    let end = place.end();
    if end > length {
        return;
    }
    let mut next = length;
    for kid in kids.iter().skip(index + 1) {
        if let Some(start) = layout.place(*kid as usize).map(|kid| kid.start)
            && start.saturating_add(tolerance) >= end
        {
            next = next.min(start);
            break;
        }
    }
    if let Some(child) = group.children.get_mut(usize::from(place.slot)) {
        let gap = nanos(next.saturating_sub(end).max(0));
        child.inside += 1;
        child.gaps += gap;
        child.squares += gap * gap;
        child.joined += u32::from(next.saturating_sub(end) <= tolerance.max(length / 100));
    }
}

/// The child that was the last to end before another one started, of those that it may have waited for;
/// with its end.
fn last_before(
    known: &Learned,
    (layout, parent): (&Layout, usize),
    index: usize,
    tolerance: i64,
) -> Option<(i64, u16)> {
    let kids = layout.kids(parent);
    let later = *kids.get(index)? as usize;
    let start = layout.place(later)?.start;
    let before = kids.iter().take(index).filter_map(|kid| {
        let place = layout.place(*kid as usize)?;
        let ended = place.end() <= start.saturating_add(tolerance);
        let may = || {
            let pair = (*kid as usize, later);
            known.waits(layout, parent, *kid as usize)
                && known.may_precede(layout, parent, pair, View::Pessimistic)
        };
        (ended && may()).then_some((place.end(), place.slot))
    });
    before.max()
}

/// Counts which child was the last to end before each one started.
fn count_last(known: &Learned, group: &mut Group, layout: &Layout, parent: usize, tolerance: i64) {
    let kids = layout.kids(parent);
    if kids.len() > KIDS_MAX {
        return;
    }
    for (index, kid) in kids.iter().enumerate() {
        let slot = layout
            .place(*kid as usize)
            .map_or(NO_SLOT, |place| place.slot);
        if let Some((_, first)) = last_before(known, (layout, parent), index, tolerance)
            && let Some(at) = group.at(first, slot)
        {
            add(&mut group.last, at);
        }
    }
    let length = layout.length(parent);
    let waited = kids
        .iter()
        .filter(|kid| known.waits(layout, parent, **kid as usize));
    let ends = waited.filter_map(|kid| {
        let place = layout.place(*kid as usize)?;
        Some((place.end().min(length), place.slot))
    });
    if let Some((_, slot)) = ends.max()
        && let Some(child) = group.children.get_mut(usize::from(slot))
    {
        child.last += 1;
    }
}
