//! Replay and skip: a consumer is sent back to what it has finished, or on past what it has not.
//!
//! A replay rewinds the reading of the channel. What has not started and is newer goes from memory, to
//! be read again in its turn, so that a replayed event takes its old place in its lane.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt};
use thiserror::Error;
use tidegate_base::limit::{SEEK_RANGES_MAX, SEEKS_MAX};

use super::Consumer;
use super::delivery::{Before, Custody, Delivery, LaneKey, Phase};
use crate::config::Order;
use crate::cursor::Cursor;
use crate::ended::{End, SeekOrder};
use crate::input::Conclusion;
use crate::mutant::{self, Mutant};
use crate::outbox::Then;
use crate::ranges::{Marked, without};
use crate::record::{Progress, StateRecord};
use crate::shared::Shared;

/// The replays of a consumer: what of them is still to run, and what the latest were for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replays {
    /// The number of the last one.
    pub(super) generation: u64,
    /// What the channel is still to bring, by replay. All of it is settled in the cursor.
    pub(super) left: Marked,
    pub(super) orders: BTreeMap<u64, SeekOrder>,
}

impl Replays {
    /// Takes in what is still to run of a replay.
    pub(super) fn set(&mut self, generation: u64, ranges: &[(u64, u64)], order: SeekOrder) {
        self.generation = self.generation.max(generation);
        self.left.remove_mark(generation);
        for (start, end) in ranges {
            self.left.insert(*start, *end, generation);
        }
        self.orders.insert(generation, order);
        while self.orders.len() > SEEKS_MAX
            && let Some(oldest) = self.orders.keys().copied().find(|g| self.is_done(*g))
        {
            self.orders.remove(&oldest);
        }
    }

    fn is_done(&self, generation: u64) -> bool {
        self.left.of(generation).next().is_none()
    }

    /// Those that have not all run.
    fn under_way(&self) -> usize {
        let orders = self.orders.keys();
        orders
            .filter(|generation| !self.is_done(**generation))
            .count()
    }
}

/// What operators have passed over, of the latest skips.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skips {
    last: u64,
    pub(super) of: Marked,
    pub(super) orders: BTreeMap<u64, SeekOrder>,
}

impl Skips {
    pub(super) fn add(&mut self, ranges: &[(u64, u64)], order: SeekOrder) {
        self.last += 1;
        for (start, end) in ranges {
            self.of.insert(*start, *end, self.last);
        }
        self.orders.insert(self.last, order);
        while (self.orders.len() > SEEKS_MAX || self.of.len() > SEEK_RANGES_MAX)
            && let Some((oldest, _)) = self.orders.pop_first()
        {
            self.of.remove_mark(oldest);
        }
    }

    /// Why a delivery was passed over, if one of the latest skips did.
    pub(super) fn order_of(&self, sequence: u64) -> Option<&SeekOrder> {
        self.orders.get(&self.of.mark_of(sequence)?)
    }
}

/// A skip that is being recorded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Skip {
    ranges: Vec<(u64, u64)>,
    order: SeekOrder,
    /// The last replay before it: those that are ordered later are none of its business.
    generation: u64,
}

/// What a replay or a skip would do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeekPlan {
    /// How many deliveries would run again, or be settled without a run. Some of those to run again may
    /// be gone from the channel: then they do not run.
    pub deliveries: u64,
    /// Them, each range with its end excluded.
    pub ranges: Vec<(u64, u64)>,
    /// The generation that a replay would have; 0 for a skip.
    pub generation: u64,
}

/// Why a consumer cannot be sent back or on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SeekRefusal {
    /// There is no such consumer.
    #[error("there is no such consumer")]
    Unknown,
    /// There would be too many ranges of deliveries to keep.
    #[error(
        "it would be {0} separate ranges of deliveries, and {SEEK_RANGES_MAX} is the most: \
         take a smaller part, or wait until more is finished"
    )]
    Ranges(usize),
    /// There are as many replays as there may be.
    #[error("{SEEKS_MAX} replays are under way, which is the most: wait until one is done")]
    Replays,
}

/// A replay that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaying {
    /// The number of the latest.
    pub generation: u64,
    /// Why and when it was ordered.
    pub order: SeekOrder,
    /// Deliveries that are still to run, of all replays.
    pub deliveries: u64,
    /// As how many ranges they are kept.
    pub ranges: usize,
}

impl SeekPlan {
    fn of(ranges: Vec<(u64, u64)>, besides: usize, generation: u64) -> Result<Self, SeekRefusal> {
        let count = ranges.len() + besides;
        if count > SEEK_RANGES_MAX {
            return Err(SeekRefusal::Ranges(count));
        }
        let deliveries = ranges.iter().map(|(start, end)| end - start).sum();
        Ok(Self {
            deliveries,
            ranges,
            generation,
        })
    }
}

impl Consumer {
    /// What a replay of `from` to `until` would run again: what is finished, and nothing else.
    pub(crate) fn replay_plan(
        &self,
        from: u64,
        until: Option<u64>,
    ) -> Result<SeekPlan, SeekRefusal> {
        if self.replays.under_way() >= SEEKS_MAX {
            return Err(SeekRefusal::Replays);
        }
        let end = until.unwrap_or(self.tail).min(self.tail);
        let finished = self.cursor.settled_within(from, end);
        // What runs, waits or is a letter stays what it is; so does what another replay is to run.
        let not_replayed = finished.flat_map(|(start, end)| {
            let mut rest = Vec::new();
            let mut from = start;
            while from < end {
                let next = self
                    .replays
                    .left
                    .first_from(from)
                    .map_or(end, |n| n.min(end));
                if from < next {
                    rest.push((from, next));
                    from = next;
                } else {
                    from = self.end_of_replay(from).min(end);
                }
            }
            rest
        });
        let ranges = without(not_replayed, |start, end| {
            match mutant::is(Mutant::ReplayTakesLive) {
                true => Vec::new(),
                false => self.in_memory(start, end),
            }
        });
        let generation = self.replays.generation + 1;
        SeekPlan::of(ranges, self.replays.left.len(), generation)
    }

    /// Where the range of a replay ends that `sequence` is in.
    fn end_of_replay(&self, sequence: u64) -> u64 {
        let mut ranges = self.replays.left.iter();
        let found = ranges.find(|(start, end)| (*start..*end).contains(&sequence));
        found.map_or(sequence.saturating_add(1), |(_, end)| end)
    }

    fn in_memory(&self, start: u64, end: u64) -> Vec<u64> {
        let deliveries = self.deliveries.range(start..end);
        deliveries.map(|(sequence, _)| sequence).collect()
    }

    /// Lets what is finished run again.
    pub(crate) fn replay(
        &mut self,
        (from, until): (u64, Option<u64>),
        order: SeekOrder,
        shared: &mut Shared,
    ) {
        let Ok(plan) = self.replay_plan(from, until) else {
            return;
        };
        let SeekPlan {
            ranges, generation, ..
        } = plan;
        if ranges.is_empty() {
            return;
        }
        self.replays.set(generation, &ranges, order.clone());
        for (start, end) in &ranges {
            self.skips.of.remove(*start, *end);
        }
        // From now on it goes first; nothing of it is read before it is durable.
        self.seeking += u32::from(!mutant::is(Mutant::ReplayReadEarly));
        self.rewind();
        self.forget_done();
        let consumer = self.config.id.clone();
        let record = StateRecord::Replay {
            consumer,
            generation,
            ranges,
            order,
        };
        let then = Then::Replay(self.index);
        shared.out.keep(Mutant::ReplayNotDurable, record, then);
    }

    /// A replay is durable: it may be read.
    pub(crate) fn replayed(&mut self) {
        self.seeking = self.seeking.saturating_sub(1);
    }

    fn rewind(&mut self) {
        let first = self.replays.left.first().unwrap_or(u64::MAX);
        self.next_fetch = self.next_fetch.min(first);
        // What is being read now may be of elsewhere.
        self.stale_read = self.fetching;
    }

    /// The last delivery that may start now. What is newer than a replayed one of its key waits until
    /// that has been read; which key that is, only the channel knows.
    pub(super) fn last_in_turn(&self) -> u64 {
        let in_any_order = self.config.order == Order::None || mutant::is(Mutant::ReplayOvertaken);
        match in_any_order || !self.is_rewound() {
            true => u64::MAX,
            false => self.next_fetch,
        }
    }

    fn is_rewound(&self) -> bool {
        self.replays.left.first_from(self.next_fetch).is_some()
    }

    /// Lets go of what is newer than what a replay reads next and has not started: it would take up the
    /// window and wait, and comes again in its turn.
    pub(super) fn make_way(&mut self) {
        if self.config.order == Order::None || !self.is_rewound() {
            return;
        }
        let condemned = self.last_condemned();
        let newer = self.deliveries.range(self.next_fetch..);
        let newer = newer.filter(|(_, delivery)| {
            delivery.custody == Custody::Channel
                && matches!(delivery.phase, Phase::Ready | Phase::Waiting { .. })
                && !self.is_overtaken(delivery, &condemned)
        });
        let newer: Vec<u64> = newer.map(|(sequence, _)| sequence).collect();
        for sequence in newer {
            self.put_back(sequence);
        }
    }

    /// Whether one that may become a dead letter went before it while it was for later: then it must move into the
    /// state with that one, and so stays in memory until that is decided.
    fn is_overtaken(&self, delivery: &Delivery, condemned: &HashMap<&LaneKey, u64>) -> bool {
        let (sequence, lane) = (delivery.sequence, &delivery.lane);
        let is_later = |other: u64| other > sequence;
        *lane != LaneKey::Free
            && (self.busy_in_lane(sequence).is_some_and(is_later)
                || condemned.get(lane).copied().is_some_and(is_later))
    }

    /// The last of each lane that waits to become a dead letter.
    fn last_condemned(&self) -> HashMap<&LaneKey, u64> {
        let mut last = HashMap::new();
        for delivery in self
            .condemned
            .iter()
            .filter_map(|it| self.deliveries.get(it))
        {
            let newest = last.entry(&delivery.lane).or_default();
            *newest = delivery.sequence.max(*newest);
        }
        last
    }

    /// Puts a delivery back into its channel; what it went through is kept.
    fn put_back(&mut self, sequence: u64) {
        let Some(delivery) = self.deliveries.get(&sequence) else {
            return;
        };
        let (progress, was_sent) = (delivery.progress.clone(), delivery.was_sent);
        let until = match &delivery.phase {
            Phase::Waiting { until } => Some(*until),
            _ => None,
        };
        if let Some(until) = until {
            self.waiting.remove(&(until, sequence));
        }
        self.leave_lane(sequence);
        self.put_off.remove(sequence);
        self.remove_from_memory(sequence);
        self.in_window = self.in_window.saturating_sub(1);
        if progress != Progress::default() || until.is_some() || was_sent {
            let before = Before {
                progress,
                until,
                was_sent,
            };
            self.restored.insert(sequence, before);
        }
    }

    /// What a skip up to `until` would pass over: what is not finished, but for what runs, what its end
    /// is being recorded of, and letters.
    pub(crate) fn skip_plan(&self, until: u64) -> Result<SeekPlan, SeekRefusal> {
        let end = until.min(self.tail);
        let mut ranges = Cursor::default();
        // The channel's, read or not.
        let open = self.cursor.open_within(0, end).into_iter();
        let replays = self.replays.left.iter();
        let replays = replays.map(|(start, to)| (start, to.min(end)));
        let unread = without(
            open.chain(replays.filter(|(start, end)| start < end)),
            |a, b| self.in_memory(a, b),
        );
        for (start, end) in unread {
            ranges.settle_range(start, end);
        }
        for (sequence, delivery) in self.deliveries.range(..end) {
            let runs = matches!(delivery.phase, Phase::Starting(_) | Phase::Running(_));
            if matches!(delivery.phase, Phase::Ready | Phase::Waiting { .. })
                || (runs && mutant::is(Mutant::SkipSettlesRunning))
            {
                ranges.settle(sequence);
            }
        }
        SeekPlan::of(ranges.settled_within(0, end).collect(), 0, 0)
    }

    /// Settles what is not finished without a run.
    pub(crate) fn skip(&mut self, until: u64, order: SeekOrder, shared: &mut Shared) {
        let Ok(SeekPlan { ranges, .. }) = self.skip_plan(until) else {
            return;
        };
        if ranges.is_empty() {
            return;
        }
        for (start, end) in &ranges {
            for sequence in self.in_memory(*start, *end) {
                self.freeze(sequence);
            }
        }
        // What is being read may be among it.
        self.stale_read = self.fetching;
        self.seeking += 1;
        let consumer = self.config.id.clone();
        let record = StateRecord::Skipped {
            consumer,
            ranges: ranges.clone(),
            order: order.clone(),
        };
        let skip = Skip {
            ranges,
            order,
            generation: self.replays.generation,
        };
        let then = Then::Skip(self.index, Box::new(skip));
        shared.out.keep(Mutant::SkipNotDurable, record, then);
    }

    /// Keeps a delivery from running while its end is being recorded.
    fn freeze(&mut self, sequence: u64) {
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        let before = std::mem::replace(&mut delivery.phase, Phase::Settling);
        if let Phase::Waiting { until } = before {
            self.waiting.remove(&(until, sequence));
        }
        self.conceal(sequence);
        self.refresh(sequence);
    }

    /// A skip is durable: what was passed over is finished.
    pub(crate) fn skipped(&mut self, skip: Skip, shared: &mut Shared) {
        let Skip {
            ranges,
            order,
            generation,
        } = skip;
        self.seeking = self.seeking.saturating_sub(1);
        for (start, end) in &ranges {
            for sequence in self.in_memory(*start, *end) {
                self.finished(sequence, Conclusion::Skipped, shared);
            }
            self.cursor.settle_range(*start, *end);
            self.replays.left.remove_up_to(*start, *end, generation);
            let mut from = self.restored.split_off(start);
            let mut rest = from.split_off(end);
            self.restored.append(&mut rest);
        }
        self.skips.add(&ranges, order);
        // A replay that was ordered meanwhile stands.
        for (later, _) in self.replays.orders.range(generation + 1..) {
            for (start, end) in self.replays.left.of(*later) {
                self.skips.of.remove(start, end);
            }
        }
        self.forget_done();
    }

    /// Settles a delivery, of a replay or not.
    pub(super) fn settle_one(&mut self, sequence: u64) {
        self.settle_range(sequence, sequence.saturating_add(1));
    }

    pub(super) fn settle_range(&mut self, start: u64, end: u64) {
        self.cursor.settle_range(start, end);
        self.replays.left.remove(start, end);
        self.forget_done();
    }

    /// Whether the channel need not bring a delivery any more.
    pub(super) fn is_settled(&self, sequence: u64) -> bool {
        self.cursor.is_settled(sequence) && self.replays.left.mark_of(sequence).is_none()
    }

    /// How many deliveries the channel is still to bring.
    pub(super) fn left_in_channel(&self) -> u64 {
        let open = self.cursor.open_within(self.next_fetch, self.tail);
        let open: u64 = open.iter().map(|(start, end)| end - start).sum();
        let replayed = self.replays.left.count_from(self.next_fetch);
        let ahead = self.deliveries.range(self.next_fetch..);
        let ahead = ahead.filter(|(_, delivery)| delivery.custody != Custody::State);
        let ahead = u64::try_from(ahead.count()).unwrap_or(u64::MAX);
        (open + replayed).saturating_sub(ahead)
    }

    /// The replays that are under way.
    pub(super) fn replaying(&self) -> Option<Replaying> {
        let deliveries = self.replays.left.count_from(0);
        let mut orders = self.replays.orders.iter().rev();
        let (generation, order) =
            orders.find(|(generation, _)| !self.replays.is_done(**generation))?;
        Some(Replaying {
            generation: *generation,
            order: order.clone(),
            deliveries,
            ranges: self.replays.left.len(),
        })
    }

    /// Remembers how a delivery ended that did not simply succeed.
    pub(super) fn remember(&mut self, sequence: u64, end: End, shared: &mut Shared) {
        let Some(delivery) = self.deliveries.get(&sequence) else {
            return;
        };
        let (generation, progress) = (delivery.generation, &delivery.progress);
        let plain = progress.history.is_empty() && progress.redrives == 0;
        if plain && generation == 0 {
            return;
        }
        let (progress, edited) = (progress.clone(), delivery.provenance());
        let ended = self.ended.add(sequence, generation, end, progress, edited);
        let (consumer, ended) = (self.config.id.clone(), Box::new(ended));
        shared.out.advise(StateRecord::Ended { consumer, ended });
    }
}
