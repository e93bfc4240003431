//! Lanes: what keeps its order, and which delivery of each may run next.

use foldhash::HashMap;

use super::Consumer;
use super::delivery::{Custody, Delivery, LaneKey, Phase};
use super::members::Members;
use crate::config::Order;
use crate::mutant::{self, Mutant};
use crate::record::EventRef;
use crate::retry::RetryMode;

/// The deliveries of one consumer that may not overtake each other, by sequence.
///
/// A redriven dead letter takes its old place, before everything newer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    members: Members,
    /// The one that starts, runs or is being recorded.
    busy: Option<u64>,
    /// The one that may run next.
    exposed: Option<u64>,
}

impl Lane {
    /// The oldest of the lane.
    pub(super) fn first(&self) -> Option<u64> {
        self.members.first()
    }
}

/// The lanes of a consumer. Each member knows the number of its lane, so that its key is looked up when it
/// joins and when the lane ends, and not in between.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lanes {
    numbers: HashMap<LaneKey, usize>,
    lanes: Vec<Lane>,
    /// Numbers of lanes that have ended.
    free: Vec<usize>,
}

impl Lanes {
    fn get(&self, number: usize) -> Option<&Lane> {
        self.lanes.get(number)
    }

    fn get_mut(&mut self, number: usize) -> Option<&mut Lane> {
        self.lanes.get_mut(number)
    }

    /// The number of the lane with a key.
    fn number(&mut self, key: &LaneKey) -> usize {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let number = self.free.pop().unwrap_or(self.lanes.len());
        if number == self.lanes.len() {
            self.lanes.push(Lane::default());
        }
        self.numbers.insert(key.clone(), number);
        number
    }

    /// A lane without members is no more.
    fn end(&mut self, key: &LaneKey, number: usize) {
        self.numbers.remove(key);
        self.free.push(number);
        if let Some(lane) = self.lanes.get_mut(number) {
            // What a long lane has taken up is given back.
            *lane = Lane::default();
        }
    }
}

impl Consumer {
    pub(super) fn lane_of(&self, event: &EventRef) -> LaneKey {
        match (self.config.order, &event.key) {
            (Order::Total, _) => LaneKey::Total,
            (Order::Key, Some(key)) => LaneKey::Key(key.clone()),
            (Order::Key, None) | (Order::None, _) => LaneKey::Free,
        }
    }

    /// The lane of a delivery, be it in there or not.
    pub(super) fn lane(&self, sequence: u64) -> Option<&Lane> {
        self.lanes.get(self.lane_number(sequence)?)
    }

    fn lane_number(&self, sequence: u64) -> Option<usize> {
        let delivery = self.deliveries.get(&sequence)?;
        let number = || self.lanes.numbers.get(&delivery.lane).copied();
        delivery.lane_number.or_else(number)
    }

    fn lane_mut(&mut self, sequence: u64) -> Option<&mut Lane> {
        let number = self.lane_number(sequence)?;
        self.lanes.get_mut(number)
    }

    /// Puts a delivery in its place.
    pub(super) fn join_lane(&mut self, sequence: u64) {
        if let Some(delivery) = self.deliveries.get_mut(&sequence)
            && delivery.lane != LaneKey::Free
        {
            let number = self.lanes.number(&delivery.lane);
            delivery.lane_number = Some(number);
            if let Some(lane) = self.lanes.get_mut(number) {
                lane.members.insert(sequence);
            }
        }
        self.refresh(sequence);
    }

    /// Takes a delivery out, and lets the next one through.
    pub(super) fn leave_lane(&mut self, sequence: u64) {
        self.conceal(sequence);
        let Some(number) = self.lane_number(sequence) else {
            return;
        };
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        delivery.lane_number = None;
        let Some(lane) = self.lanes.get_mut(number) else {
            return;
        };
        lane.members.remove(sequence);
        lane.busy = lane.busy.filter(|busy| *busy != sequence);
        lane.exposed = lane.exposed.filter(|exposed| *exposed != sequence);
        if lane.members.is_empty() {
            self.lanes.end(&delivery.lane, number);
        } else {
            self.refresh_lane(number);
        }
    }

    /// Closes the lane of a delivery that starts.
    pub(super) fn occupy_lane(&mut self, sequence: u64) {
        self.conceal(sequence);
        if let Some(lane) = self.lane_mut(sequence) {
            lane.busy = Some(sequence);
            lane.exposed = None;
        }
    }

    /// Opens the lane of a delivery that stopped running and stays.
    pub(super) fn vacate_lane(&mut self, sequence: u64) {
        if let Some(lane) = self.lane_mut(sequence) {
            lane.busy = lane.busy.filter(|busy| *busy != sequence);
        }
        self.refresh(sequence);
    }

    /// Finds out anew what may run next in the lane of a delivery.
    pub(super) fn refresh(&mut self, sequence: u64) {
        match self
            .deliveries
            .get(&sequence)
            .map(|delivery| &delivery.lane)
        {
            Some(LaneKey::Free) => self.expose(sequence),
            Some(_) => {
                if let Some(number) = self.lane_number(sequence) {
                    self.refresh_lane(number);
                }
            }
            None => {}
        }
    }

    fn refresh_lane(&mut self, number: usize) {
        let Some(lane) = self.lanes.get(number) else {
            return;
        };
        let next = if lane.busy.is_some() {
            None
        } else {
            self.next_of(lane)
        };
        let before = lane.exposed;
        if next == before {
            return;
        }
        if let Some(before) = before {
            self.conceal(before);
        }
        if let Some(lane) = self.lanes.get_mut(number) {
            lane.exposed = next;
        }
        if let Some(next) = next {
            self.expose(next);
        }
    }

    fn next_of(&self, lane: &Lane) -> Option<u64> {
        let delivery = |sequence: u64| self.deliveries.get(&sequence);
        let passes = |delivery: &&Delivery| {
            (self.config.retry.mode == RetryMode::Blocking
                && !mutant::is(Mutant::RetryReleasesLane))
                || !matches!(delivery.phase, Phase::Waiting { .. })
        };
        let for_later = |delivery: &&Delivery| {
            delivery.is_scheduled() && !mutant::is(Mutant::ScheduledHoldsLane)
        };
        let passes = |delivery: &&Delivery| passes(delivery) && !for_later(delivery);
        let behind = |delivery: &&Delivery| {
            (delivery.progress.redrives > 0 && mutant::is(Mutant::RedriveBehindNewer))
                || (delivery.event.not_before.is_some() && mutant::is(Mutant::ScheduledOvertaken))
        };
        let mut members = lane.members.iter().filter_map(delivery);
        let head = members.find(|delivery| passes(delivery) && !behind(delivery));
        let head = head.or_else(|| lane.members.iter().filter_map(delivery).find(passes))?;
        head.is_ready().then_some(head.sequence)
    }

    /// The one of its lane that starts, runs or is being recorded.
    pub(super) fn busy_in_lane(&self, sequence: u64) -> Option<u64> {
        self.lane(sequence)?.busy
    }

    /// The delivery of its lane that goes before it.
    pub(super) fn blocker(&self, sequence: u64) -> Option<u64> {
        let lane = self.lane(sequence)?;
        let waits = |sequence: &u64| {
            let delivery = self.deliveries.get(sequence);
            !delivery.is_some_and(Delivery::is_scheduled)
        };
        let first = lane.busy.or_else(|| lane.members.iter().find(waits))?;
        (lane.members.contains(sequence) && first != sequence && lane.exposed != Some(sequence))
            .then_some(first)
    }

    /// Whether the member of its lane right before it would come from the channel after a restart.
    pub(super) fn is_behind_channel(&self, sequence: u64) -> bool {
        // What a replay brings is there after a restart before anything that is not replayed starts.
        let is_replayed = |delivery: &Delivery| delivery.generation > 0;
        let replays_count = self.deliveries.get(&sequence).is_some_and(is_replayed);
        self.members_before(sequence)
            .rfind(|before| replays_count || !is_replayed(before))
            .is_some_and(|before| before.custody == Custody::Channel)
            && !mutant::is(Mutant::FollowerAheadOfChannel)
    }

    /// Whether the state keeps a member of its lane that comes after it: one that went before it while it was for
    /// later, and that has moved into the state before the channel brought it again.
    pub(super) fn is_before_kept(&self, sequence: u64) -> bool {
        let is_kept = |after: &Delivery| after.custody != Custody::Channel;
        self.followers(sequence).any(is_kept)
    }

    /// The members of a delivery's lane after it, oldest first.
    pub(super) fn followers(&self, sequence: u64) -> impl Iterator<Item = &Delivery> {
        let lane = self.lane(sequence).into_iter();
        lane.flat_map(move |lane| lane.members.after(sequence))
            .filter_map(|sequence| self.deliveries.get(&sequence))
    }

    /// The members of a delivery's lane before it, oldest first.
    pub(super) fn members_before(
        &self,
        sequence: u64,
    ) -> impl DoubleEndedIterator<Item = &Delivery> {
        let lane = self.lane(sequence).into_iter();
        lane.flat_map(move |lane| lane.members.before(sequence))
            .filter_map(|sequence| self.deliveries.get(&sequence))
    }

    /// Whether the oldest delivery of its lane, other than itself, is a dead letter.
    pub(super) fn is_behind_dead_letter(&self, sequence: u64) -> bool {
        let before = |lane: &Lane| {
            let mut before = lane.members.before(sequence);
            before.any(|one| self.deliveries.get(&one).is_some_and(Delivery::is_dead))
        };
        self.dead > 0 && self.lane(sequence).is_some_and(before)
    }

    /// Puts a delivery that is ready among those that may run.
    pub(super) fn expose(&mut self, sequence: u64) {
        let Some(delivery) = self.deliveries.get(&sequence).filter(|d| d.is_ready()) else {
            return;
        };
        let set = if delivery.is_suspect() {
            &mut self.suspects
        } else if delivery.is_fresh() {
            &mut self.fresh
        } else {
            &mut self.again
        };
        let _is_new = set.insert(sequence);
    }

    pub(super) fn conceal(&mut self, sequence: u64) {
        self.suspects.remove(sequence);
        self.fresh.remove(sequence);
        self.again.remove(sequence);
        if self.twins.is_empty() {
            return;
        }
        for identity in self.identities_of(sequence) {
            if let Some(twins) = self.twins.get_mut(&identity) {
                twins.remove(&sequence);
            }
        }
    }
}
