//! Batches: work that was kept until there was more of it, and then done together.
//!
//! Work in a row by one resource is a batch when all of it was ready before the first began. That
//! alone is also what a queue looks like. So an activity counts as batched only when most of it was
//! done in such rows that were collected while who does it was free, and that left nothing behind
//! that was ready when the last of the row was. Source of the rows: N. Martin, L. Pufahl, F.
//! Mannhardt, "Detection of batch activities from event logs", Information Systems 95 (2021).

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_base::Timestamp;

use super::calendar::Calendar;
use super::found::Batched;
use super::intervals::{total, without};
use super::order::Enabling;
use super::resources::Resources;
use super::timeline::Timeline;
use crate::Proportion;

/// The share of an activity's instances that makes it batched.
const BATCHED_SHARE: f64 = 0.5;
/// Batches that make it so.
const BATCHES_MIN: usize = 5;

/// Works in a row, by begin.
#[derive(Clone, Debug)]
struct Row {
    members: Vec<usize>,
    first: Timestamp,
    reach: Timestamp,
    /// When the last of it was ready.
    complete: Timestamp,
}

/// When the batch of each work was complete; `None` for work in no batch.
#[derive(Clone, Debug, Default)]
pub(super) struct Batches {
    pub(super) complete: Vec<Option<Timestamp>>,
    pub(super) found: Vec<Batched>,
}

impl Batches {
    pub(super) fn find(
        timeline: &Timeline,
        enablings: &[Option<Enabling>],
        resources: &Resources<'_>,
    ) -> Self {
        let mut batches = Self {
            complete: vec![None; timeline.works.len()],
            found: Vec::new(),
        };
        let ready = |index: usize| enablings.get(index).copied().flatten().map(|e| e.time);
        let mut by_activity: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, work) in timeline.works.iter().enumerate() {
            if work.start.is_some() && work.resource.is_some() && ready(index).is_some() {
                by_activity.entry(work.activity).or_default().push(index);
            }
        }
        for (activity, works) in by_activity {
            let rows = rows(timeline, &works, &ready);
            let queue = Queue::new(timeline, &works, &ready);
            let good: Vec<&Row> = rows
                .iter()
                .filter(|row| {
                    row.members.len() > 1
                        && queue.left_behind(row) == 0
                        && was_free(timeline, row, &ready, resources)
                })
                .collect();
            let instances = Proportion {
                hits: good.iter().map(|row| row.members.len()).sum(),
                total: works.len(),
            };
            if good.len() < BATCHES_MIN || instances.share() < BATCHED_SHARE {
                continue;
            }
            let mut sizes: Vec<usize> = good.iter().map(|row| row.members.len()).collect();
            sizes.sort_unstable();
            batches.found.push(Batched {
                activity: timeline
                    .activities
                    .get(activity)
                    .cloned()
                    .unwrap_or_default(),
                batches: good.len(),
                instances,
                size: sizes.get(sizes.len() / 2).copied().unwrap_or_default(),
            });
            // The policy is established: rows that were collected while who does it was busy or
            // off duty are its batches too, several of them in a row where the size is fixed.
            let fixed = fixed_size(&good, resources.tolerance());
            for row in rows.iter().filter(|row| row.members.len() > 1) {
                for batch in row.members.chunks(fixed.unwrap_or(row.members.len())) {
                    let complete = batch.iter().filter_map(|index| ready(*index)).max();
                    for member in batch {
                        if let Some(place) = batches.complete.get_mut(*member) {
                            *place = complete;
                        }
                    }
                }
            }
        }
        batches
    }
}

/// The rows of one activity: by resource, each member begun no later than the ones before it
/// ended, and ready before the first began.
fn rows(
    timeline: &Timeline,
    works: &[usize],
    ready: &impl Fn(usize) -> Option<Timestamp>,
) -> Vec<Row> {
    let mut by_resource: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for index in works {
        if let Some(work) = timeline.works.get(*index) {
            by_resource.entry(work.resource).or_default().push(*index);
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    for mut own in by_resource.into_values() {
        own.sort_by_key(|index| timeline.works.get(*index).map(|w| (w.begin(), w.end)));
        let mut open: Option<Row> = None;
        for index in own {
            let (Some(work), Some(ready)) = (timeline.works.get(index), ready(index)) else {
                continue;
            };
            match &mut open {
                Some(row) if work.begin() <= row.reach && ready <= row.first => {
                    row.members.push(index);
                    row.reach = row.reach.max(work.end);
                    row.complete = row.complete.max(ready);
                }
                _ => {
                    rows.extend(open.replace(Row {
                        members: vec![index],
                        first: work.begin(),
                        reach: work.end,
                        complete: ready,
                    }));
                }
            }
        }
        rows.extend(open);
    }
    rows
}

/// The size at which batches begin, when it is one: that of most rows which began as soon as they
/// were complete.
fn fixed_size(rows: &[&Row], tolerance: Duration) -> Option<usize> {
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    let mut total = 0_usize;
    for row in rows {
        if row.first.since(row.complete) <= tolerance {
            *sizes.entry(row.members.len()).or_default() += 1;
            total += 1;
        }
    }
    let (size, count) = sizes.into_iter().max_by_key(|(_, count)| *count)?;
    (count >= BATCHES_MIN && count * 2 > total).then_some(size)
}

/// What of one activity was ready when.
struct Queue {
    ready: Vec<Timestamp>,
    /// When work began and when it had been ready, by begin.
    begun: Vec<(Timestamp, Timestamp)>,
}

impl Queue {
    fn new(
        timeline: &Timeline,
        works: &[usize],
        ready: &impl Fn(usize) -> Option<Timestamp>,
    ) -> Self {
        let mut begun: Vec<(Timestamp, Timestamp)> = works
            .iter()
            .filter_map(|index| Some((timeline.works.get(*index)?.begin(), ready(*index)?)))
            .collect();
        begun.sort_unstable();
        let mut ready: Vec<Timestamp> = begun.iter().map(|(_, ready)| *ready).collect();
        ready.sort_unstable();
        Self { ready, begun }
    }

    /// Work that was ready before the row was complete, and began after the row ended.
    fn left_behind(&self, row: &Row) -> usize {
        let before = self.ready.partition_point(|ready| *ready < row.complete);
        let begun = self.begun.partition_point(|(begin, _)| *begin <= row.reach);
        let of_those = self
            .begun
            .get(..begun)
            .unwrap_or_default()
            .iter()
            .filter(|(_, ready)| *ready < row.complete)
            .count();
        before.saturating_sub(of_those)
    }
}

/// Whether who did the row was free for some time while it was collected.
fn was_free(
    timeline: &Timeline,
    row: &Row,
    ready: &impl Fn(usize) -> Option<Timestamp>,
    resources: &Resources<'_>,
) -> bool {
    let earliest = row.members.iter().filter_map(|index| ready(*index)).min();
    let work = row
        .members
        .first()
        .and_then(|index| timeline.works.get(*index));
    let (Some(earliest), Some(work)) = (earliest, work) else {
        return false;
    };
    let Some(resource) = work.resource else {
        return false;
    };
    if earliest >= row.complete {
        return false;
    }
    let whole = (earliest, row.complete);
    let mut taken = resources.busy(resource, whole, &row.members);
    taken.extend(
        resources
            .calendar(resource)
            .map(|calendar: &Calendar| calendar.off(whole.0, whole.1))
            .unwrap_or_default(),
    );
    total(&without(whole, &mut taken)) > resources.tolerance().max(Duration::from_nanos(1))
}
