//! How complete traces are: how many spans were lost, and which traces show it.
//!
//! A span that has children shows its loss by the parent that they name; that gives the rate. A
//! span without children is missed where all other traces have it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tidegate_trace::completeness::{COMPLETE_SHARE, Measure, Total, of_labelled};
use tidegate_trace::{Labels, Trace};

use super::layout::Layout;
use crate::interval::number;
use crate::statistics::Proportion;

/// The fewest traces with all their spans that predictions can rest on alone.
const WHOLE_MIN: usize = 30;
/// The fewest traces that predictions can rest on at all.
const USED_MIN: usize = 10;

/// How complete the traces are.
#[derive(Clone, Debug, PartialEq)]
pub struct Completeness {
    /// Spans with children that are lost, among all that there were.
    pub lost: Proportion,
    /// Traces.
    pub traces: usize,
    /// Traces that predictions rest on: those with all their spans, or 95 % of them where those are
    /// too few.
    pub used: usize,
    /// Why no prediction is made; `None` when they are.
    pub withheld: Option<String>,
    /// What is missing of the traces by all that shows it, calls without their other side among it.
    pub measured: Total,
    /// Spans that could be placed only by comparing the clocks of two hosts, among all: callers without asking spans.
    pub by_clocks: Proportion,
}

/// For each trace how many traces it stands for; 0 when it is too incomplete to be replayed.
pub(super) struct Weights {
    pub(super) by_trace: Vec<f64>,
    pub(super) completeness: Completeness,
}

pub(super) fn weigh(traces: &[&Trace], layouts: &[Layout], labels: &Labels) -> Weights {
    let (measures, measured) = of_labelled(traces.iter().copied(), labels);
    let lost = loss(traces, &measured.measure);
    let share = lost.share();
    let expected = if lost.hits > 0 {
        expected(traces, layouts, lost)
    } else {
        HashMap::new()
    };
    // A call without its other side is no loss here: one that timed out never had it, and traces
    // without such calls would be faster than the others.
    let missing: Vec<usize> = traces
        .iter()
        .zip(layouts)
        .zip(&measures)
        .map(|((trace, layout), measure)| {
            measure.absent_parents + absent_children(trace, layout, &expected)
        })
        .collect();
    let whole = missing.iter().filter(|missing| **missing == 0).count();
    let strict = whole >= WHOLE_MIN.min(traces.len()) || whole == traces.len();
    let by_trace: Vec<f64> = traces
        .iter()
        .zip(&missing)
        .map(|(trace, missing)| {
            let spans = number(trace.spans().len());
            match (strict, missing) {
                // A trace with many spans is rarely whole: those that are stand for the others.
                (true, 0) => (1.0 - share).powf(-spans.min(200.0)),
                (false, missing) if spans / (spans + number(*missing)) >= COMPLETE_SHARE => 1.0,
                _ => 0.0,
            }
        })
        .collect();
    let used = by_trace.iter().filter(|weight| **weight > 0.0).count();
    let withheld = (used < USED_MIN.min(traces.len())).then(|| {
        format!(
            "{used} of {} traces are complete, {USED_MIN} are needed: {:.1}% of spans are lost",
            traces.len(),
            share * 100.0
        )
    });
    Weights {
        by_trace,
        completeness: Completeness {
            lost,
            traces: traces.len(),
            used,
            withheld,
            measured,
            by_clocks: Proportion {
                hits: layouts.iter().map(|layout| layout.by_clocks).sum(),
                total: traces.iter().map(|trace| trace.spans().len()).sum(),
            },
        },
    }
}

/// Spans with children: those that are absent, among all.
fn loss(traces: &[&Trace], measure: &Measure) -> Proportion {
    let there = |trace: &&Trace| {
        (0..trace.spans().len())
            .filter(|index| !trace.children(*index).is_empty())
            .count()
    };
    let there: usize = traces.iter().map(there).sum();
    Proportion {
        hits: measure.absent_parents,
        total: measure.absent_parents + there,
    }
}

/// Children, by their paths, that are there as often as spans are not lost.
fn expected(traces: &[&Trace], layouts: &[Layout], lost: Proportion) -> HashMap<u32, Vec<u32>> {
    let mut parents: HashMap<u32, usize> = HashMap::new();
    let mut children: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for (trace, layout) in traces.iter().zip(layouts) {
        for index in 0..trace.spans().len() {
            let Some(path) = layout.place(index).map(|place| place.path) else {
                continue;
            };
            if trace.span(index).is_some_and(tidegate_trace::Span::failed) {
                continue;
            }
            *parents.entry(path).or_default() += 1;
            for child in child_paths(layout, index) {
                *children.entry((path, child)).or_default() += 1;
            }
        }
    }
    // What is lost at most, by the interval of its rate, and by chance in so many.
    let most = lost.interval().map_or(1.0, |(_, high)| high);
    let is_expected = |(path, _): &(u32, u32), count: usize| {
        let n = number(parents.get(path).copied().unwrap_or(1));
        let chance = 3.0 * (most * (1.0 - most) / n).sqrt();
        number(count) / n >= 1.0 - most - chance
    };
    let mut by_parent: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pair, count) in &children {
        if is_expected(pair, *count) {
            by_parent.entry(pair.0).or_default().push(pair.1);
        }
    }
    by_parent
}

fn child_paths(layout: &Layout, index: usize) -> BTreeSet<u32> {
    layout
        .kids(index)
        .iter()
        .filter_map(|kid| Some(layout.place(*kid as usize)?.path))
        .collect()
}

fn absent_children(trace: &Trace, layout: &Layout, expected: &HashMap<u32, Vec<u32>>) -> usize {
    if expected.is_empty() {
        return 0;
    }
    let mut absent = 0;
    for index in 0..trace.spans().len() {
        let wanted = layout
            .place(index)
            .and_then(|place| expected.get(&place.path));
        let Some(wanted) = wanted else {
            continue;
        };
        if trace.span(index).is_some_and(tidegate_trace::Span::failed) {
            continue;
        }
        let there = child_paths(layout, index);
        absent += wanted.iter().filter(|child| !there.contains(child)).count();
    }
    absent
}
