//! Lanes: what keeps its order, and which delivery of each may run next.

use std::collections::BTreeSet;

use super::Consumer;
use super::delivery::{Custody, Delivery, LaneKey, Phase};
use crate::config::Order;
use crate::mutant::{self, Mutant};
use crate::record::EventRef;
use crate::retry::RetryMode;

/// The deliveries of one consumer that may not overtake each other, by sequence.
///
/// A redriven dead letter takes its old place, before everything newer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    members: BTreeSet<u64>,
    /// The one that starts, runs or is being recorded.
    busy: Option<u64>,
    /// The one that may run next.
    exposed: Option<u64>,
}

impl Lane {
    /// The oldest of the lane.
    pub(super) fn first(&self) -> Option<u64> {
        self.members.first().copied()
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

    /// Puts a delivery in its place.
    pub(super) fn join_lane(&mut self, sequence: u64) {
        if let Some(key) = self.lane_key(sequence)
            && key != LaneKey::Free
        {
            self.lanes.entry(key).or_default().members.insert(sequence);
        }
        self.refresh(sequence);
    }

    /// Takes a delivery out, and lets the next one through.
    pub(super) fn leave_lane(&mut self, sequence: u64, key: &LaneKey) {
        self.conceal(sequence);
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        lane.members.remove(&sequence);
        lane.busy = lane.busy.filter(|busy| *busy != sequence);
        lane.exposed = lane.exposed.filter(|exposed| *exposed != sequence);
        if lane.members.is_empty() {
            self.lanes.remove(key);
        } else {
            self.refresh_lane(key);
        }
    }

    /// Closes the lane of a delivery that starts.
    pub(super) fn occupy_lane(&mut self, sequence: u64) {
        self.conceal(sequence);
        if let Some(lane) = self
            .lane_key(sequence)
            .and_then(|key| self.lanes.get_mut(&key))
        {
            lane.busy = Some(sequence);
            lane.exposed = None;
        }
    }

    /// Opens the lane of a delivery that stopped running and stays.
    pub(super) fn vacate_lane(&mut self, sequence: u64) {
        if let Some(lane) = self
            .lane_key(sequence)
            .and_then(|key| self.lanes.get_mut(&key))
        {
            lane.busy = lane.busy.filter(|busy| *busy != sequence);
        }
        self.refresh(sequence);
    }

    /// Finds out anew what may run next in the lane of a delivery.
    pub(super) fn refresh(&mut self, sequence: u64) {
        match self.lane_key(sequence) {
            Some(LaneKey::Free) => self.expose(sequence),
            Some(key) => self.refresh_lane(&key),
            None => {}
        }
    }

    fn refresh_lane(&mut self, key: &LaneKey) {
        let Some(lane) = self.lanes.get(key) else {
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
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.exposed = next;
        }
        if let Some(next) = next {
            self.expose(next);
        }
    }

    fn next_of(&self, lane: &Lane) -> Option<u64> {
        let delivery = |sequence: &u64| self.deliveries.get(sequence);
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

    /// The delivery of its lane that goes before it.
    pub(super) fn blocker(&self, sequence: u64) -> Option<u64> {
        let lane = self.lanes.get(&self.lane_key(sequence)?)?;
        let waits = |sequence: &&u64| {
            let delivery = self.deliveries.get(*sequence);
            !delivery.is_some_and(Delivery::is_scheduled)
        };
        let first = lane.busy.or(lane.members.iter().find(waits).copied())?;
        (lane.members.contains(&sequence) && first != sequence && lane.exposed != Some(sequence))
            .then_some(first)
    }

    /// Whether the member of its lane right before it would come from the channel after a restart.
    pub(super) fn is_behind_channel(&self, sequence: u64) -> bool {
        let lane = self.lane_key(sequence).and_then(|key| self.lanes.get(&key));
        lane.and_then(|lane| lane.members.range(..sequence).next_back())
            .and_then(|before| self.deliveries.get(before))
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
        let lane = self.lane_key(sequence).and_then(|key| self.lanes.get(&key));
        lane.into_iter()
            .flat_map(move |lane| lane.members.range(sequence.saturating_add(1)..))
            .filter_map(|sequence| self.deliveries.get(sequence))
    }

    /// The members of a delivery's lane before it, oldest first.
    pub(super) fn members_before(&self, sequence: u64) -> impl Iterator<Item = &Delivery> {
        let lane = self.lane_key(sequence).and_then(|key| self.lanes.get(&key));
        lane.into_iter()
            .flat_map(move |lane| lane.members.range(..sequence))
            .filter_map(|sequence| self.deliveries.get(sequence))
    }

    /// Whether the oldest delivery of its lane, other than itself, is a dead letter.
    pub(super) fn is_behind_dead_letter(&self, sequence: u64) -> bool {
        let lane = self.lane_key(sequence).and_then(|key| self.lanes.get(&key));
        let before = |lane: &Lane| {
            let mut before = lane.members.range(..sequence);
            before.any(|one| self.deliveries.get(one).is_some_and(Delivery::is_dead))
        };
        self.dead > 0 && lane.is_some_and(before)
    }

    fn lane_key(&self, sequence: u64) -> Option<LaneKey> {
        self.deliveries
            .get(&sequence)
            .map(|delivery| delivery.lane.clone())
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
        set.insert(sequence);
    }

    pub(super) fn conceal(&mut self, sequence: u64) {
        self.suspects.remove(&sequence);
        self.fresh.remove(&sequence);
        self.again.remove(&sequence);
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
