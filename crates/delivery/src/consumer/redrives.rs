//! What a redrive job asks of a consumer. Asking changes nothing.

use tidegate_base::Timestamp;

use super::admission::Obstacle;
use super::delivery::Phase;
use super::{Consumer, RedriveRefusal};
use crate::breaker::Gate;
use crate::config::Followers;
use crate::job::{Door, Fit, Found, Skip};
use crate::mutant::{self, Mutant};
use crate::record::HaltCause;
use crate::shared::Shared;

impl Consumer {
    /// Whether it takes letters of a job. Sent to one that takes nothing, a letter would only wait
    /// there, and use up one of its redrives.
    pub(crate) fn door(&self, now: Timestamp, shared: &Shared) -> Door {
        let cause = self.halt.as_ref().map(|halt| halt.cause);
        match self.gate(now, shared) {
            Err(Obstacle::Halted) if cause == Some(HaltCause::DeadLetters) => {
                let breakers = self.needs.iter().filter_map(|n| shared.breakers.get(*n));
                let mut gates = breakers.map(|named| named.breaker.gate());
                match gates.any(|gate| gate == Gate::Hold) || self.hold_until > now {
                    true => Door::Closed((self.hold_until > now).then_some(self.hold_until)),
                    false => Door::Full,
                }
            }
            Err(Obstacle::Overload { until }) => Door::Closed(Some(until)),
            Err(Obstacle::Halted | Obstacle::Paused | Obstacle::Breaker(_))
                if mutant::is(Mutant::JobDoorNotAsked) =>
            {
                Door::Open
            }
            Err(
                Obstacle::Boot
                | Obstacle::Draining
                | Obstacle::Halted
                | Obstacle::Paused
                | Obstacle::Breaker(_),
            ) => Door::Closed(None),
            // What goes back waits for its turn as everything does.
            Err(
                Obstacle::Concurrency
                | Obstacle::Rate { .. }
                | Obstacle::Dependency(_)
                | Obstacle::Share
                | Obstacle::NobodyPulls
                | Obstacle::Suspect
                | Obstacle::Replay
                | Obstacle::Inbox
                | Obstacle::Budget { .. },
            )
            | Ok(_) => Door::Open,
        }
    }

    /// What keeps it from taking letters of a job.
    pub(crate) fn closed_by(&self, now: Timestamp, shared: &Shared) -> Option<Obstacle> {
        let is_closed = matches!(self.door(now, shared), Door::Closed(_));
        self.gate(now, shared).err().filter(|_| is_closed)
    }

    /// Whether a letter can go back now.
    pub(crate) fn fit(&self, sequence: u64) -> Fit {
        let Some(delivery) = self.deliveries.get(&sequence) else {
            return Fit::Never(Skip::Gone);
        };
        match (&delivery.phase, self.may_redrive(sequence)) {
            (Phase::Discarded(..), _) => Fit::Never(Skip::Discarded),
            // What becomes of it will be known soon.
            (Phase::Settling | Phase::Deciding(_), _) => Fit::Later,
            (_, Err(RedriveRefusal::Unknown)) => Fit::Never(Skip::Gone),
            (_, Err(RedriveRefusal::Often)) => Fit::Never(Skip::Often),
            (_, Ok(())) => match self.before(sequence) {
                Some((head, true)) => Fit::Behind(head),
                Some((_, false)) => Fit::Later,
                None => Fit::Goes(delivery.progress.redrives + 1),
            },
        }
    }

    /// The first of a letter's lane that is before it, and whether that is a dead letter. Without
    /// followers that wait none stays before it for long.
    fn before(&self, sequence: u64) -> Option<(u64, bool)> {
        if self.config.followers == Followers::Continue || mutant::is(Mutant::JobOvertakes) {
            return None;
        }
        let lane = self.lane(sequence)?;
        let head = lane.first().filter(|head| *head < sequence)?;
        let is_dead = self.deliveries.get(&head).is_some_and(|d| d.is_dead());
        Some((head, is_dead))
    }

    /// Where a letter is that a job had sent when the process ended.
    pub(crate) fn find_letter(&self, sequence: u64) -> Found {
        match self.deliveries.get(&sequence) {
            None if self.skips.order_of(sequence).is_some() => Found::PassedOver,
            None if self.cursor.is_settled(sequence) => Found::Finished,
            None => Found::Nowhere,
            Some(delivery) => match &delivery.phase {
                Phase::Dead(death) | Phase::Discarded(death, _) => {
                    Found::Dead(delivery.progress.redrives, death.reason)
                }
                _ => Found::Live,
            },
        }
    }
}
