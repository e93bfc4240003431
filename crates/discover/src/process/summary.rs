//! What is said of a whole log.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_base::Timestamp;
use tidegate_trace::process::{EventLog, Objects};

use super::found::{Cause, CauseShare, Estimate, LogScope, Process, Variant, Waits};
use super::load::per_day;
use super::order::{Order, enablings};
use super::path::{SLACK_WORKS_MAX, begin, end};
use super::share::ratio;
use super::study::Study;
use super::timeline::Timeline;
use crate::Proportion;
use crate::services::latency;

/// Most ways through a process that are listed.
const VARIANTS_MAX: usize = 10;

/// A log and what was left out of it.
pub(super) fn scope(log: &EventLog) -> LogScope {
    LogScope {
        name: log.name.clone(),
        format: log.format.to_string(),
        cases: log.cases.len(),
        instances: log.recorded.instances,
        notes: log.notes.clone(),
    }
}

/// Sums over all cases.
pub(super) struct Totals {
    pub(super) processing: Duration,
    pub(super) waiting: Duration,
    pub(super) efficiency: Option<Estimate>,
    pub(super) causes: Option<Vec<CauseShare>>,
}

pub(super) fn totals(study: &Study<'_>) -> Totals {
    let mut processing = Duration::ZERO;
    let mut waiting = Duration::ZERO;
    let mut efficiency = Vec::new();
    let mut by_case: Vec<Waits> = Vec::new();
    let mut started = 0_usize;
    for (first, works) in study.timeline.each() {
        let (mut worked, mut waited, mut waits) =
            (Duration::ZERO, Duration::ZERO, Waits::default());
        for (place, work) in works.iter().enumerate() {
            started += usize::from(work.start.is_some());
            worked += work.end.since(work.begin());
            waited += study.waited(first + place);
            waits.add_all(&study.waits(first + place).unwrap_or_default());
        }
        processing += worked;
        waiting += waited;
        efficiency.push((worked.as_secs_f64(), (worked + waited).as_secs_f64()));
        by_case.push(waits);
    }
    let efficiency = (started > 0).then(|| ratio(&efficiency, 1.0));
    let causes = efficiency.map(|now| causes(&by_case, processing, waiting, now.value));
    Totals {
        processing,
        waiting,
        efficiency,
        causes: causes.filter(|_| by_case.iter().any(|waits| !waits.total().is_zero())),
    }
}

/// The causes, most first. The gain is that of Lashkevich et al. (2023): processing by processing
/// and waiting, without the waiting of the cause.
fn causes(
    by_case: &[Waits],
    processing: Duration,
    waiting: Duration,
    efficiency: f64,
) -> Vec<CauseShare> {
    let mut causes: Vec<CauseShare> = Cause::ALL
        .iter()
        .map(|cause| {
            let parts: Vec<(f64, f64)> = by_case
                .iter()
                .map(|waits| (waits.of(*cause).as_secs_f64(), waits.total().as_secs_f64()))
                .collect();
            let total: Duration = by_case.iter().map(|waits| waits.of(*cause)).sum();
            let rest = processing + waiting.saturating_sub(total);
            let without = processing.as_secs_f64() / rest.as_secs_f64().max(f64::MIN_POSITIVE);
            // Of no waiting of the cause, what rounding leaves is no gain.
            let gain = match total.is_zero() {
                true => 0.0,
                false => without - efficiency,
            };
            CauseShare {
                cause: *cause,
                total,
                share: ratio(&parts, 1.0),
                efficiency_without: without,
                gain,
            }
        })
        .collect();
    causes.sort_by_key(|one| (std::cmp::Reverse(one.total), one.cause));
    causes
}

/// Evidence that the log does not hold, each with the way to get it.
pub(super) fn missing(study: &Study<'_>, starts: Proportion, resources: Proportion) -> Vec<String> {
    let mut missing = Vec::new();
    let lacks = |share: Proportion| share.total - share.hits;
    if lacks(starts) > 0 {
        missing.push(format!(
            "when work started, in {} of {}: waiting and work cannot be told apart there; export \
             a start column or the lifecycle's `start`",
            lacks(starts),
            starts.total
        ));
    }
    if lacks(resources) > 0 {
        missing.push(format!(
            "who did the work, in {} of {}: why it waited cannot be told there; export the \
             resource, under a pseudonym if need be",
            lacks(resources),
            resources.total
        ));
    }
    if study.timeline.works.iter().all(|work| work.told.is_none()) {
        missing.push(
            "when cases arrived: waiting before the first activity is not in the log; export a \
             column of it as `enabled`"
                .to_owned(),
        );
    }
    if study.resources.calendars().always > 0 && resources.hits > 0 && starts.hits > 0 {
        missing.push(format!(
            "working hours of {} resources: under 100 starts or two weeks; they count as always \
             on duty",
            study.resources.calendars().always
        ));
    }
    let long = study
        .timeline
        .cases
        .iter()
        .filter(|case| case.len() > SLACK_WORKS_MAX)
        .count();
    if long > 0 {
        missing.push(format!(
            "slack in {long} cases of more than {SLACK_WORKS_MAX} activity instances"
        ));
    }
    if let Some(end) = &study.options.visible_end
        && !study.timeline.activities.contains(end)
    {
        missing.push(format!(
            "the activity `{end}`, named as the visible end: no case has it"
        ));
    }
    missing
}

/// The most usual ways through the process, and how many there are.
pub(super) fn variants(timeline: &Timeline, cycles: &[Duration]) -> (Vec<Variant>, usize) {
    let mut ways: BTreeMap<Vec<usize>, (usize, Duration)> = BTreeMap::new();
    for ((_, works), cycle) in timeline.each().zip(cycles) {
        let way: Vec<usize> = works.iter().map(|work| work.activity).collect();
        let entry = ways.entry(way).or_default();
        entry.0 += 1;
        entry.1 += *cycle;
    }
    let total = ways.len();
    let mut ways: Vec<(Vec<usize>, (usize, Duration))> = ways.into_iter().collect();
    ways.sort_by_key(|(_, (cases, _))| std::cmp::Reverse(*cases));
    let name = |index: &usize| timeline.activities.get(*index).cloned().unwrap_or_default();
    let variants = ways
        .iter()
        .take(VARIANTS_MAX)
        .map(|(way, (cases, cycle))| Variant {
            activities: way.iter().map(name).collect(),
            cases: Proportion {
                hits: *cases,
                total: timeline.cases.len(),
            },
            cycle_mean: *cycle / u32::try_from(*cases).unwrap_or(u32::MAX).max(1),
        })
        .collect();
    (variants, total)
}

/// One process a log; of an object-centric one, one an object type. By waiting, most first.
pub(super) fn processes(logs: &[EventLog]) -> Vec<Process> {
    let mut processes: Vec<Process> = logs
        .iter()
        .flat_map(|log| match &log.objects {
            Some(objects) => by_type(objects),
            None => vec![whole(log)],
        })
        .collect();
    processes.sort_by(|a, b| {
        (std::cmp::Reverse(a.waiting), &a.name).cmp(&(std::cmp::Reverse(b.waiting), &b.name))
    });
    processes
}

fn whole(log: &EventLog) -> Process {
    let timeline = Timeline::new(&[log]);
    let enablings = enablings(&timeline, &Order::learn(&timeline));
    let waiting = timeline
        .works
        .iter()
        .zip(&enablings)
        .filter_map(|(work, enabling)| Some(work.begin().since((*enabling)?.time)))
        .sum();
    let (first, last) = timeline.span();
    Process {
        name: log.name.clone(),
        cases: timeline.cases.len(),
        per_day: per_day(timeline.cases.len(), last.since(first)),
        instances: timeline.works.len(),
        cycle: latency(
            timeline
                .each()
                .map(|(_, works)| end(works).since(begin(works)))
                .collect(),
        ),
        waiting,
    }
}

fn by_type(objects: &Objects) -> Vec<Process> {
    let mut spans: Vec<Option<(Timestamp, Timestamp, usize)>> = vec![None; objects.kinds.len()];
    for event in &objects.events {
        for object in &event.objects {
            if let Some(place) = spans.get_mut(*object) {
                let (first, last, count) = place.unwrap_or((event.time, event.time, 0));
                *place = Some((first.min(event.time), last.max(event.time), count + 1));
            }
        }
    }
    let span = objects.events.first().zip(objects.events.last());
    let window = span.map_or(Duration::ZERO, |(first, last)| last.time.since(first.time));
    objects
        .types
        .iter()
        .enumerate()
        .map(|(kind, named)| {
            let own: Vec<(Timestamp, Timestamp, usize)> = spans
                .iter()
                .zip(&objects.kinds)
                .filter(|(_, of)| **of == kind)
                .filter_map(|(span, _)| *span)
                .collect();
            let cycles: Vec<Duration> = own.iter().map(|(from, to, _)| to.since(*from)).collect();
            Process {
                name: named.name.clone(),
                cases: own.len(),
                per_day: per_day(own.len(), window),
                instances: own.iter().map(|(_, _, count)| count).sum(),
                waiting: cycles.iter().sum(),
                cycle: latency(cycles),
            }
        })
        .collect()
}
