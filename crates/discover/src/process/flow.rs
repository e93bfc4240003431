//! Activities and transitions, summed up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::found::{Activity, Arc, Bottleneck, Cause, Waits};
use super::load::{correlation, hours, per_day, queue_at_arrival};
use super::path::Path;
use super::study::Study;
use crate::Proportion;
use crate::services::latency;

/// The correlation from which more arrivals make it wait longer.
const CORRELATION_MIN: f64 = 0.3;

/// Everything of one activity.
#[derive(Default)]
struct Seen {
    durations: Vec<Duration>,
    waits: Vec<Duration>,
    begins: Vec<tidegate_base::Timestamp>,
    ready: Vec<(tidegate_base::Timestamp, tidegate_base::Timestamp)>,
    critical: Duration,
    slack: Proportion,
    resources: BTreeSet<usize>,
    causes: Waits,
    explained: usize,
}

/// The activities, by waiting, most first.
pub(super) fn activities(study: &Study<'_>, paths: &[Path]) -> Vec<Activity> {
    let timeline = study.timeline;
    let mut seen: BTreeMap<usize, Seen> = BTreeMap::new();
    for (index, work) in timeline.works.iter().enumerate() {
        let one = seen.entry(work.activity).or_default();
        if let Some(start) = work.start {
            one.durations.push(work.end.since(start));
        }
        if let Some(ready) = study.ready(index) {
            one.waits.push(work.begin().since(ready));
            one.ready.push((ready, work.begin()));
        }
        one.begins.push(work.begin());
        one.resources.extend(work.resource);
        if let Some(slack) = study.slacks.get(index).copied().flatten() {
            one.slack.count(slack.into());
        }
        if let Some(waits) = study.waits(index) {
            one.causes.add_all(&waits);
            one.explained += 1;
        }
    }
    for index in paths.iter().flat_map(|path| &path.works) {
        if let Some(work) = timeline.works.get(*index)
            && let Some(one) = seen.get_mut(&work.activity)
        {
            one.critical += work.end.since(work.begin());
        }
    }
    let mut activities: Vec<Activity> = seen
        .into_iter()
        .map(|(index, seen)| activity(study, index, seen))
        .collect();
    activities.sort_by(|a, b| {
        (std::cmp::Reverse(a.waiting_total), &a.name)
            .cmp(&(std::cmp::Reverse(b.waiting_total), &b.name))
    });
    activities
}

fn activity(study: &Study<'_>, index: usize, seen: Seen) -> Activity {
    let span = study.timeline.span();
    let (peak_hour, dispersion) = hours(&seen.begins, span);
    let count = seen.begins.len();
    Activity {
        name: study.activity(index),
        count,
        per_day: per_day(count, span.1.since(span.0)),
        peak_hour,
        dispersion,
        processing_total: seen.durations.iter().sum(),
        waiting_total: seen.waits.iter().sum(),
        bottleneck: bottleneck(&seen),
        duration: (!seen.durations.is_empty()).then(|| latency(seen.durations)),
        waiting: latency(seen.waits),
        critical: seen.critical,
        slack: seen.slack,
        resources: seen.resources.len(),
        causes: (seen.explained > 0).then_some(seen.causes),
    }
}

/// Waiting alone is no bottleneck: it must grow with what is waiting already, and for who does it.
#[expect(clippy::cast_precision_loss, reason = "queues are far below 2^52")]
fn bottleneck(seen: &Seen) -> Bottleneck {
    let queues = queue_at_arrival(&seen.ready);
    let pairs: Vec<(f64, f64)> = queues
        .iter()
        .zip(&seen.waits)
        .map(|(queue, wait)| (*queue as f64, wait.as_secs_f64()))
        .collect();
    let Some(correlation) = correlation(&pairs) else {
        return Bottleneck::Unknown;
    };
    let for_hands = [
        Cause::Contention,
        Cause::Prioritisation,
        Cause::Unavailability,
    ];
    let for_hands: Duration = for_hands.iter().map(|cause| seen.causes.of(*cause)).sum();
    let explained = seen.explained == 0 || for_hands * 2 >= seen.causes.total();
    if correlation.value >= CORRELATION_MIN && correlation.low > 0.0 && explained {
        Bottleneck::Yes { correlation }
    } else {
        Bottleneck::No { correlation }
    }
}

/// Everything of one transition.
#[derive(Default)]
struct Crossed {
    waits: Vec<Duration>,
    cases: BTreeSet<usize>,
    critical: Duration,
    handoffs: Proportion,
    handoff_waiting: Duration,
    causes: Waits,
    explained: usize,
}

/// The transitions, by waiting, most first.
pub(super) fn arcs(study: &Study<'_>, paths: &[Path]) -> Vec<Arc> {
    let timeline = study.timeline;
    let mut crossed: BTreeMap<(Option<usize>, usize), Crossed> = BTreeMap::new();
    for (index, work) in timeline.works.iter().enumerate() {
        let Some(enabling) = study.enablings.get(index).copied().flatten() else {
            continue;
        };
        let by = enabling.by.and_then(|by| timeline.works.get(by));
        let waited = work.begin().since(enabling.time);
        let arc = crossed
            .entry((by.map(|by| by.activity), work.activity))
            .or_default();
        arc.waits.push(waited);
        arc.cases.insert(work.case);
        if let (Some(one), Some(two)) = (by.and_then(|by| by.resource), work.resource) {
            arc.handoffs.count((one != two).into());
            if one != two {
                arc.handoff_waiting += waited;
            }
        }
        if let Some(waits) = study.waits(index) {
            arc.causes.add_all(&waits);
            arc.explained += 1;
        }
    }
    for index in paths.iter().flat_map(|path| &path.works) {
        if let Some(work) = timeline.works.get(*index)
            && let Some(enabling) = study.enablings.get(*index).copied().flatten()
        {
            let by = enabling.by.and_then(|by| timeline.works.get(by));
            if let Some(arc) = crossed.get_mut(&(by.map(|by| by.activity), work.activity)) {
                arc.critical += work.begin().since(enabling.time);
            }
        }
    }
    let all: Duration = crossed.values().flat_map(|arc| &arc.waits).sum();
    let mut arcs: Vec<Arc> = crossed
        .into_iter()
        .map(|((from, to), arc)| self::arc(study, from, to, arc, all))
        .collect();
    arcs.sort_by(|a, b| {
        (std::cmp::Reverse(a.total), &a.from, &a.to).cmp(&(
            std::cmp::Reverse(b.total),
            &b.from,
            &b.to,
        ))
    });
    arcs
}

fn arc(study: &Study<'_>, from: Option<usize>, to: usize, arc: Crossed, all: Duration) -> Arc {
    let total: Duration = arc.waits.iter().sum();
    Arc {
        from: from.map(|from| study.activity(from)),
        to: study.activity(to),
        count: arc.waits.len(),
        cases: arc.cases.len(),
        waiting: latency(arc.waits),
        total,
        share: if all.is_zero() {
            0.0
        } else {
            total.as_secs_f64() / all.as_secs_f64()
        },
        critical: arc.critical,
        handoffs: arc.handoffs,
        handoff_waiting: arc.handoff_waiting,
        causes: (arc.explained > 0).then_some(arc.causes),
    }
}
