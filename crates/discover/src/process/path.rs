//! The critical path of each case, the slack of each work, and what a case takes when waits
//! change.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use tidegate_base::Timestamp;

use super::order::{Enabling, Order};
use super::timeline::{Timeline, Work};

/// Works of a case up to which slack is computed: each is held against each.
pub(super) const SLACK_WORKS_MAX: usize = 400;
/// Slack below this is rounding.
const SLACK_MIN: Duration = Duration::from_millis(1);

/// The path of one case, from its end backwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path {
    /// Works on it, the last first.
    pub(super) works: Vec<usize>,
    /// From the begin of the case to when the first work of the path could start.
    pub(super) lead: Duration,
}

/// When the case begins: its first begin, or an arrival before it that the log says.
pub(super) fn begin(works: &[Work]) -> Timestamp {
    let times = works
        .iter()
        .map(|work| work.told.unwrap_or(work.begin()).min(work.begin()));
    times.min().unwrap_or_default()
}

/// When the last work of the case ends.
pub(super) fn end(works: &[Work]) -> Timestamp {
    works.iter().map(|work| work.end).max().unwrap_or_default()
}

/// The critical path: the last work to end, what enabled it, and so on. Its works, the waiting
/// before each and its lead add up to the time of the case exactly.
pub(super) fn critical(first: usize, works: &[Work], enablings: &[Option<Enabling>]) -> Path {
    let mut path = Path::default();
    let last = (0..works.len()).max_by_key(|place| works.get(*place).map(|work| work.end));
    let mut next = last.map(|place| first + place);
    while let Some(index) = next {
        path.works.push(index);
        let enabling = enablings.get(index).copied().flatten();
        next = enabling.and_then(|enabling| enabling.by);
        if next.is_none() {
            let work = index.checked_sub(first).and_then(|place| works.get(place));
            let begin_of_work = work.map(Work::begin).unwrap_or_default();
            let ready = enabling.map_or(begin_of_work, |enabling| enabling.time);
            path.lead = ready.since(begin(works));
        }
        if path.works.len() > works.len() {
            // What enables ends before: a cycle cannot be. Were there one, this would end it.
            break;
        }
    }
    path
}

/// Whether each work could end later without its case ending later, all waits kept; `None` for
/// the works of cases with more than [`SLACK_WORKS_MAX`]. With an activity that is the `visible`
/// end, a case ends with the last of it, and what begins after that has slack.
pub(super) fn slacks(
    timeline: &Timeline,
    enablings: &[Option<Enabling>],
    order: &Order,
    visible: Option<usize>,
) -> Vec<Option<bool>> {
    let mut slack = vec![None; timeline.works.len()];
    for (first, works) in timeline.each() {
        if works.len() > SLACK_WORKS_MAX {
            continue;
        }
        let seen = works
            .iter()
            .filter(|work| Some(work.activity) == visible)
            .map(|work| work.end)
            .max();
        let end = seen.unwrap_or_else(|| end(works));
        let is_after = |work: &Work| {
            seen.is_some_and(|seen| work.begin() >= seen && Some(work.activity) != visible)
        };
        // The latest end of each work, as time before the end of the case.
        let mut must: Vec<Duration> = vec![Duration::ZERO; works.len()];
        let mut places: Vec<usize> = (0..works.len()).collect();
        places.sort_by_key(|place| {
            Reverse(
                works
                    .get(*place)
                    .map(|work| (work.end, work.begin(), *place)),
            )
        });
        for place in places {
            let Some(work) = works.get(place) else {
                continue;
            };
            let mut latest = Duration::ZERO;
            for later in place + 1..works.len() {
                let Some(other) = works.get(later) else {
                    continue;
                };
                let ordered = !order.is_concurrent(work.activity, other.activity);
                if other.begin() < work.end || !ordered || is_after(other) {
                    continue;
                }
                let enabling = enablings.get(first + later).copied().flatten();
                // A time that the log says was not waited for from this work on.
                let waited = enabling.map_or(Duration::ZERO, |one| other.begin().since(one.time));
                let needs = must.get(later).copied().unwrap_or_default();
                let took = other.end.since(other.begin());
                latest = latest.max(needs + took + waited);
            }
            if let Some(place) = must.get_mut(place) {
                *place = latest;
            }
            let free = end.since(work.end).saturating_sub(latest);
            if let Some(place) = slack.get_mut(first + place) {
                *place = Some(free > SLACK_MIN || is_after(work));
            }
        }
    }
    slack
}

/// How much sooner the case ends when each work waits `less` of its time, by place in the case:
/// every work begins when all works that it is ordered after have ended, and its wait is over.
pub(super) fn sooner(works: &[Work], order: &Order, less: &[Duration]) -> Duration {
    let mut latest: BTreeMap<usize, (Timestamp, Timestamp)> = BTreeMap::new();
    let mut running: BinaryHeap<Reverse<(Timestamp, usize, Timestamp)>> = BinaryHeap::new();
    let (mut end, mut new_end) = (Timestamp::EPOCH, Timestamp::EPOCH);
    for (place, work) in works.iter().enumerate() {
        while let Some(Reverse((was, index, now))) = running.peek().copied() {
            if was > work.begin() {
                break;
            }
            running.pop();
            if let Some(done) = works.get(index) {
                let both = latest.entry(done.activity).or_insert((was, now));
                *both = (both.0.max(was), both.1.max(now));
            }
        }
        let before = latest
            .iter()
            .filter(|(activity, _)| !order.is_concurrent(**activity, work.activity))
            .map(|(_, both)| *both);
        let enabled = before.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)));
        let less = less.get(place).copied().unwrap_or_default();
        let new_begin = match enabled {
            Some((was, now)) => {
                let waited = work.begin().since(was);
                now + waited.saturating_sub(less)
            }
            None => work.begin() - less,
        };
        let now = new_begin + work.end.since(work.begin());
        end = end.max(work.end);
        new_end = new_end.max(now);
        running.push(Reverse((work.end, place, now)));
    }
    end.since(new_end)
}
