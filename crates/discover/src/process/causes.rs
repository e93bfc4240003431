//! Why each work waited.
//!
//! The waiting of a work is cut into five causes, as Lashkevich et al. (CAiSE 2023) define them and
//! in their order where several hold. One rule goes further, after the eclipse-aware estimator of
//! Chapela-Campa and Dumas (Information Systems 122, 2024): up to the last moment at which who did
//! the work was free and on duty, the work cannot have waited for them; so all of that is
//! extraneous, also while they were busy or off duty meanwhile. What kept it may have ended after
//! that moment: by how much is what works of the activity say that began at a free moment, see
//! [`super::delays`].
//!
//! The rule takes it that nobody is free and leaves work lying. Where work of an activity waited
//! past such moments and yet hardly ever began at one, but in a row with other work, it was left
//! lying: there only the moments themselves are extraneous.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidegate_base::Timestamp;

use super::batch::Batches;
use super::delays::{Delays, Hidden, Seen};
use super::found::{Cause, Waits};
use super::intervals::{Stretch, without};
use super::order::Enabling;
use super::resources::{Resources, levels};
use super::timeline::{Timeline, Work};
use crate::Proportion;

/// Works that waited past a free moment, which tell how an activity is taken up.
const PASSED_MIN: usize = 20;
/// The share of them that must begin at one; fewer, and it was left lying.
const FROM_FREE_SHARE: f64 = 0.05;

/// The waits of every work by cause; `None` where its start, its resource or what enabled it is
/// not known.
pub(super) fn waits(
    timeline: &Timeline,
    enablings: &[Option<Enabling>],
    resources: &Resources<'_>,
    batches: &Batches,
) -> Vec<Option<Waits>> {
    let reader = Reader {
        timeline,
        enablings,
        resources,
        batches,
    };
    let seen: Vec<Option<Seen>> = timeline
        .works
        .iter()
        .enumerate()
        .map(|(index, work)| Some(reader.wait(index, work)?.delay()))
        .collect();
    let left_lying = reader.left_lying();
    let delays = reader.delays(&seen);
    timeline
        .works
        .iter()
        .enumerate()
        .map(|(index, work)| {
            let wait = reader.wait(index, work)?;
            let delay = delays.get(index).copied().flatten()?;
            let delay = (!left_lying.contains(&work.activity)).then_some(delay);
            Some(reader.waits(&wait, delay))
        })
        .collect()
}

struct Reader<'a> {
    timeline: &'a Timeline,
    enablings: &'a [Option<Enabling>],
    resources: &'a Resources<'a>,
    batches: &'a Batches,
}

/// One wait and what its resource did meanwhile.
struct Wait {
    ready: Timestamp,
    /// From the completion of its batch on, where it is in one.
    whole: Stretch,
    /// Other works of the resource.
    others: Vec<usize>,
    busy: Vec<Stretch>,
    off: Vec<Stretch>,
    /// Free and on duty, for longer than the change from one work to the next.
    free: Vec<Stretch>,
}

impl Wait {
    /// How long the work cannot have started for what is not in the log: up to its begin where
    /// that was a free moment, else to somewhere between the last one and its begin.
    fn delay(&self) -> Seen {
        let (from, start) = self.whole;
        let last_free = self.free.last().map_or(from, |(_, to)| *to);
        if last_free >= start {
            Seen::Exactly(start.since(from))
        } else {
            Seen::Between(last_free.since(from), start.since(from))
        }
    }
}

impl Reader<'_> {
    fn wait(&self, index: usize, work: &Work) -> Option<Wait> {
        let (start, resource) = (work.start?, work.resource?);
        let ready = self.enablings.get(index).copied().flatten()?.time;
        let whole = (self.from(index, work)?, start);
        let mut wait = Wait {
            ready: ready.min(start),
            whole,
            others: Vec::new(),
            busy: Vec::new(),
            off: Vec::new(),
            free: Vec::new(),
        };
        if whole.0 >= whole.1 {
            return Some(wait);
        }
        wait.others = self.resources.works(resource, whole, &[index]);
        wait.busy = self.resources.busy(resource, whole, &[index]);
        let calendar = self.resources.calendar(resource);
        wait.off = calendar
            .map(|calendar| calendar.off(whole.0, whole.1))
            .unwrap_or_default();
        let mut taken: Vec<Stretch> = wait.busy.iter().chain(&wait.off).copied().collect();
        let tolerance = self.resources.tolerance();
        wait.free = without(whole, &mut taken);
        wait.free.retain(|(from, to)| to.since(*from) > tolerance);
        Some(wait)
    }

    /// Activities that were left lying while who does them was free.
    fn left_lying(&self) -> BTreeSet<usize> {
        let mut from_free: BTreeMap<usize, Proportion> = BTreeMap::new();
        for (index, work) in self.timeline.works.iter().enumerate() {
            if let Some(wait) = self.wait(index, work)
                && let Some((_, last)) = wait.free.last()
            {
                let share = from_free.entry(work.activity).or_default();
                share.count((*last >= work.begin()).into());
            }
        }
        from_free
            .into_iter()
            .filter(|(_, share)| share.total >= PASSED_MIN && share.share() < FROM_FREE_SHARE)
            .map(|(activity, _)| activity)
            .collect()
    }

    /// The delay of each work.
    fn delays(&self, seen: &[Option<Seen>]) -> Vec<Option<Duration>> {
        let mut by_activity: BTreeMap<usize, Vec<Seen>> = BTreeMap::new();
        for (work, seen) in self.timeline.works.iter().zip(seen) {
            if let Some(seen) = seen {
                by_activity.entry(work.activity).or_default().push(*seen);
            }
        }
        let known: BTreeMap<usize, Delays> = by_activity
            .into_iter()
            .map(|(activity, seen)| (activity, Delays::new(&seen)))
            .collect();
        let mut found: Vec<Option<Duration>> = seen
            .iter()
            .map(|seen| match seen {
                Some(Seen::Exactly(delay)) => Some(*delay),
                _ => None,
            })
            .collect();
        for (seed, (activity, row)) in self.rows(seen).iter().enumerate() {
            let hidden: Vec<Hidden> = row
                .iter()
                .filter_map(|index| self.hidden(*index, seen.get(*index).copied().flatten()?))
                .collect();
            let Some(known) = known.get(activity).filter(|_| hidden.len() == row.len()) else {
                continue;
            };
            let seed = u64::try_from(seed).unwrap_or(u64::MAX);
            for (index, delay) in row.iter().zip(known.row(&hidden, seed)) {
                if let Some(place) = found.get_mut(*index) {
                    *place = Some(delay);
                }
            }
        }
        found
    }

    fn hidden(&self, index: usize, seen: Seen) -> Option<Hidden> {
        let Seen::Between(low, high) = seen else {
            return None;
        };
        let ready = self.from(index, self.timeline.works.get(index)?)?;
        Some(Hidden { ready, low, high })
    }

    /// Works of one activity whose delays are known as intervals, in rows: by one resource, none
    /// of them begun at a free moment.
    fn rows(&self, seen: &[Option<Seen>]) -> Vec<(usize, Vec<usize>)> {
        let mut order: Vec<usize> = (0..seen.len()).collect();
        order.sort_by_key(|index| self.timeline.works.get(*index).map(|w| (w.begin(), w.end)));
        let mut open: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        let mut rows = Vec::new();
        for index in order {
            let Some(work) = self.timeline.works.get(index) else {
                continue;
            };
            let (Some(resource), Some(seen)) = (work.resource, seen.get(index).copied().flatten())
            else {
                continue;
            };
            let row = open.entry((resource, work.activity)).or_default();
            match seen {
                Seen::Between(..) => row.push(index),
                Seen::Exactly(_) => rows.push((work.activity, std::mem::take(row))),
            }
        }
        rows.extend(open.into_iter().map(|((_, activity), row)| (activity, row)));
        rows
    }

    /// When a work could start but for delays: when it was ready and its batch complete.
    fn from(&self, index: usize, work: &Work) -> Option<Timestamp> {
        let (start, ready) = (
            work.start?,
            self.enablings.get(index).copied().flatten()?.time,
        );
        let complete = self.batches.complete.get(index).copied().flatten();
        let from = ready.min(start);
        Some(complete.map_or(from, |complete| complete.clamp(from, start)))
    }

    /// The causes of a wait of which the first `delay` is extraneous; without one its free moments
    /// alone are.
    fn waits(&self, wait: &Wait, delay: Option<Duration>) -> Waits {
        let mut waits = Waits::default();
        let (from, start) = wait.whole;
        waits.add(Cause::Batching, from.since(wait.ready));
        let earlier: Vec<usize> = wait
            .others
            .iter()
            .copied()
            .filter(|other| self.could_start_by(*other, wait.ready))
            .collect();
        let split = |waits: &mut Waits, rest| {
            self.split(waits, rest, &wait.busy, &earlier, &wait.off);
        };
        match delay {
            Some(delay) => {
                let delay = delay.min(start.since(from));
                waits.add(Cause::Extraneous, delay);
                split(&mut waits, (from + delay, start));
            }
            None => {
                waits.add(Cause::Extraneous, sum(&wait.free));
                for rest in without(wait.whole, &mut wait.free.clone()) {
                    split(&mut waits, rest);
                }
            }
        }
        waits
    }

    /// Whether the other could start no later than `ready`. Where the log does not say when it
    /// could, as for the first work of a case, it is not taken as an overtaking.
    fn could_start_by(&self, other: usize, ready: Timestamp) -> bool {
        let enabling = self.enablings.get(other).copied().flatten();
        enabling.is_none_or(|enabling| enabling.time <= ready)
    }

    /// Gives each part of `rest` to its cause: contention before prioritisation before
    /// unavailability.
    fn split(
        &self,
        waits: &mut Waits,
        rest: Stretch,
        busy: &[Stretch],
        earlier: &[usize],
        off: &[Stretch],
    ) {
        let clip = |stretches: &[Stretch]| -> Vec<Stretch> {
            stretches
                .iter()
                .map(|(from, to)| ((*from).max(rest.0), (*to).min(rest.1)))
                .filter(|(from, to)| from < to)
                .collect()
        };
        let contended: Vec<Stretch> = levels(self.timeline, earlier, rest)
            .into_iter()
            .map(|(stretch, _)| stretch)
            .collect();
        let mut not_busy = without(rest, &mut clip(busy));
        let busy_time = rest.1.since(rest.0).saturating_sub(sum(&not_busy));
        // Busy with something earlier: what is neither idle nor outside `contended`.
        let mut outside = without(rest, &mut contended.clone());
        outside.append(&mut not_busy.clone());
        let contention = sum(&without(rest, &mut outside));
        let prioritisation = busy_time.saturating_sub(contention);
        waits.add(Cause::Contention, contention);
        waits.add(Cause::Prioritisation, prioritisation);
        let mut off_duty = Duration::ZERO;
        let mut gaps = Duration::ZERO;
        for stretch in not_busy.drain(..) {
            let mut taken: Vec<Stretch> = off.to_vec();
            let open = sum(&without(stretch, &mut taken));
            off_duty += stretch.1.since(stretch.0).saturating_sub(open);
            gaps += open;
        }
        waits.add(Cause::Unavailability, off_duty);
        // What is left belongs to what it lies between.
        let between = [
            (Cause::Contention, contention),
            (Cause::Prioritisation, prioritisation),
            (Cause::Unavailability, off_duty),
        ];
        let longest = between.iter().rev().max_by_key(|(_, time)| *time);
        let around = longest.filter(|(_, time)| !time.is_zero());
        waits.add(around.map_or(Cause::Extraneous, |(cause, _)| *cause), gaps);
    }
}

fn sum(stretches: &[Stretch]) -> Duration {
    super::intervals::total(stretches)
}
