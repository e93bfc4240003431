//! What each resource does when: its work, how much at once, and its hours.

use std::time::Duration;

use tidegate_base::Timestamp;

use super::calendar::Calendar;
use super::found::Calendars;
use super::intervals::Stretch;
use super::timeline::Timeline;

/// The share of its busy time in which a resource must do so much at once, for it to be its
/// capacity.
const CAPACITY_SHARE: f64 = 0.05;
/// Of the median work: shorter gaps between works are not being free.
const TOLERANCE_SHARE: f64 = 0.05;

/// The work of one resource.
#[derive(Clone, Debug, Default)]
struct Own {
    /// Works by begin: begin, end, index.
    works: Vec<(Timestamp, Timestamp, usize)>,
    /// The latest end up to each of them.
    reach: Vec<Timestamp>,
    capacity: usize,
    calendar: Option<Calendar>,
}

/// All resources of a timeline.
#[derive(Debug)]
pub(super) struct Resources<'a> {
    timeline: &'a Timeline,
    own: Vec<Own>,
    tolerance: Duration,
    calendars: Calendars,
}

impl<'a> Resources<'a> {
    pub(super) fn new(timeline: &'a Timeline) -> Self {
        let mut own: Vec<Own> = vec![Own::default(); timeline.resources.len()];
        let mut lengths = Vec::new();
        for (index, work) in timeline.works.iter().enumerate() {
            let (Some(resource), Some(start)) = (work.resource, work.start) else {
                continue;
            };
            lengths.push(work.end.since(start));
            if let Some(own) = own.get_mut(resource) {
                own.works.push((start, work.end, index));
            }
        }
        lengths.sort_unstable();
        let median = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
        let mut pool = Vec::new();
        for own in &mut own {
            own.works.sort_unstable();
            let mut reach = Timestamp::EPOCH;
            for (_, end, _) in &own.works {
                reach = reach.max(*end);
                own.reach.push(reach);
            }
            own.capacity = capacity(timeline, &own.works);
            let starts: Vec<Timestamp> = own.works.iter().map(|work| work.0).collect();
            own.calendar = Calendar::learn(&starts, timeline.zone);
            if own.calendar.is_none() {
                pool.extend(starts);
            }
        }
        let pooled = Calendar::learn(&pool, timeline.zone);
        let mut calendars = Calendars::default();
        for own in own.iter_mut().filter(|own| !own.works.is_empty()) {
            if own.calendar.is_some() {
                calendars.own += 1;
            } else if pooled.is_some() {
                own.calendar.clone_from(&pooled);
                calendars.pooled += 1;
            } else {
                calendars.always += 1;
            }
        }
        Self {
            timeline,
            own,
            tolerance: median.mul_f64(TOLERANCE_SHARE),
            calendars,
        }
    }

    pub(super) fn calendars(&self) -> Calendars {
        self.calendars
    }

    pub(super) fn calendar(&self, resource: usize) -> Option<&Calendar> {
        self.own.get(resource)?.calendar.as_ref()
    }

    /// Gaps no longer than this are the change from one work to the next.
    pub(super) fn tolerance(&self) -> Duration {
        self.tolerance
    }

    pub(super) fn capacity(&self, resource: usize) -> usize {
        self.own.get(resource).map_or(1, |own| own.capacity.max(1))
    }

    /// Works of the resource that overlap `whole`, by begin, without `except`.
    pub(super) fn works(&self, resource: usize, whole: Stretch, except: &[usize]) -> Vec<usize> {
        let Some(own) = self.own.get(resource) else {
            return Vec::new();
        };
        let last = own.works.partition_point(|work| work.0 < whole.1);
        let mut found = Vec::new();
        for place in (0..last).rev() {
            // Nothing up to here reaches into it.
            if own.reach.get(place).is_none_or(|reach| *reach <= whole.0) {
                break;
            }
            if let Some((_, end, index)) = own.works.get(place)
                && *end > whole.0
                && !except.contains(index)
            {
                found.push(*index);
            }
        }
        found.reverse();
        found
    }

    /// The stretches of `whole` in which the resource does as much as it can at once.
    pub(super) fn busy(&self, resource: usize, whole: Stretch, except: &[usize]) -> Vec<Stretch> {
        let works = self.works(resource, whole, except);
        let levels = levels(self.timeline, &works, whole);
        let capacity = self.capacity(resource);
        levels
            .into_iter()
            .filter(|(_, level)| *level >= capacity)
            .map(|(stretch, _)| stretch)
            .collect()
    }
}

/// How many works go on in each stretch between begins and ends; works of one activity that
/// begin together are one.
pub(super) fn levels(
    timeline: &Timeline,
    works: &[usize],
    whole: Stretch,
) -> Vec<(Stretch, usize)> {
    let mut jobs: Vec<(Timestamp, usize, Timestamp)> = works
        .iter()
        .filter_map(|index| timeline.works.get(*index))
        .map(|work| (work.begin(), work.activity, work.end))
        .collect();
    jobs.sort_unstable();
    jobs.dedup_by(|next, first| {
        let together = (next.0, next.1) == (first.0, first.1);
        if together {
            first.2 = first.2.max(next.2);
        }
        together
    });
    let mut edges: Vec<(Timestamp, bool)> = Vec::with_capacity(jobs.len() * 2);
    for (begin, _, end) in jobs {
        let (from, to) = (begin.max(whole.0), end.min(whole.1));
        if from < to {
            edges.push((from, true));
            edges.push((to, false));
        }
    }
    // At one time ends come first.
    edges.sort_unstable();
    let mut level = 0_usize;
    let mut reached = whole.0;
    let mut found = Vec::new();
    for (at, begins) in edges {
        if at > reached && level > 0 {
            found.push(((reached, at), level));
        }
        reached = at;
        level = if begins {
            level + 1
        } else {
            level.saturating_sub(1)
        };
    }
    found
}

/// How much at once the resource does for a good part of its busy time.
fn capacity(timeline: &Timeline, works: &[(Timestamp, Timestamp, usize)]) -> usize {
    let indexes: Vec<usize> = works.iter().map(|work| work.2).collect();
    let first = works.first().map_or(Timestamp::EPOCH, |work| work.0);
    let last = works.iter().map(|work| work.1).max().unwrap_or(first);
    let levels = levels(timeline, &indexes, (first, last));
    let busy: Duration = levels.iter().map(|((from, to), _)| to.since(*from)).sum();
    let most = levels.iter().map(|(_, level)| *level).max().unwrap_or(1);
    (1..=most)
        .rev()
        .find(|capacity| {
            let at_least = levels.iter().filter(|(_, level)| level >= capacity);
            let time: Duration = at_least.map(|((from, to), _)| to.since(*from)).sum();
            time.as_secs_f64() >= busy.as_secs_f64() * CAPACITY_SHARE
        })
        .unwrap_or(1)
}
