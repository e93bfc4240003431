//! The window: how much of the channel is in memory. At its limit nothing more is fetched.

use std::time::Duration;

use tidegate_base::Timestamp;
use tidegate_base::limit::SOLO_CRASHES_MAX;

use super::Consumer;
use super::delivery::{Before, Custody, Delivery, Phase};
use crate::config::Followers;
use crate::cursor::Cursor;
use crate::input::{Arrival, Effect};
use crate::mutant::{self, Mutant};
use crate::outbox::Then;
use crate::record::{Death, DeathReason, EventRef, HaltCause, KeptDelivery, Progress, StateRecord};
use crate::shared::Shared;

/// Most records of one read.
const FETCH_MAX: usize = 2_048;

/// What is scheduled for later than this does not wait in the window.
const SCHEDULE_KEPT: Duration = Duration::from_secs(10);

/// The time before which a delivery does not start. Once it has run that is over: a clock that is set back
/// makes nothing wait for it again.
pub(super) fn not_before(event: &EventRef, progress: &Progress) -> Option<Timestamp> {
    let is_untouched = *progress == Progress::default() || mutant::is(Mutant::ScheduledTwice);
    event.not_before.filter(|_| is_untouched)
}

impl Consumer {
    /// Asks for more of the channel when there is more and the window has room for it.
    pub(crate) fn fetch(&mut self, shared: &mut Shared) {
        if self.seeking > 0 {
            return;
        }
        self.skip_settled();
        self.make_way();
        let room = self.config.window.saturating_sub(self.in_window);
        let left = self.tail.saturating_sub(self.next_fetch);
        // Single reads as single places come free would cost more than they bring.
        let worth =
            room >= self.config.window / 8 || usize::try_from(left).is_ok_and(|l| l <= room);
        // What could not be read is not asked for again and again.
        let unreadable = self.halt.as_ref().map(|halt| halt.cause) == Some(HaltCause::Channel);
        let idle = self.fetching || unreadable || !shared.owned || shared.draining;
        if idle || left == 0 || room == 0 || !worth {
            return;
        }
        self.fetching = true;
        shared.out.effects.push(Effect::Fetch {
            consumer: self.config.id.clone(),
            from: self.next_fetch,
            limit: room.min(FETCH_MAX),
        });
    }

    /// Takes in what was read.
    pub(crate) fn arrive(
        &mut self,
        now: Timestamp,
        records: Vec<Arrival>,
        next: u64,
        shared: &mut Shared,
    ) {
        self.fetching = false;
        if std::mem::take(&mut self.stale_read) {
            return;
        }
        for record in records {
            if record.sequence < self.next_fetch {
                continue;
            }
            self.pass_to(record.sequence);
            self.next_fetch = record.sequence + 1;
            if !self.is_settled(record.sequence) && !self.deliveries.contains_key(&record.sequence)
            {
                self.take_in(now, record, shared);
            }
        }
        self.pass_to(next);
    }

    /// Goes on at `sequence`. What lies between was removed and will never come: it is settled, as it
    /// will be again after a restart.
    fn pass_to(&mut self, sequence: u64) {
        if sequence > self.next_fetch {
            self.settle_range(self.next_fetch, sequence);
            self.restored = self.restored.split_off(&sequence);
            self.next_fetch = sequence;
        }
    }

    /// Goes on at the next sequence that the channel is still to bring.
    fn skip_settled(&mut self) {
        let open = self.cursor.next_open(self.next_fetch);
        let replayed = self.replays.left.first_from(self.next_fetch);
        self.next_fetch = replayed.map_or(open, |replayed| replayed.min(open));
    }

    /// Starts at the head of its channel if it has never seen the channel: what others still need of
    /// the time before is none of its business.
    pub(crate) fn begin(&mut self, head: u64, shared: &mut Shared) {
        let known = self.next_fetch > 0
            || self.cursor != Cursor::default()
            || !self.deliveries.is_empty()
            || !self.restored.is_empty();
        if known || head == 0 {
            return;
        }
        self.pass_to(head);
        let (consumer, above) = (self.config.id.clone(), Vec::new());
        let record = StateRecord::Cursor {
            consumer,
            below: head,
            above,
        };
        shared.out.durable(record, Then::Nothing);
    }

    fn take_in(&mut self, now: Timestamp, record: Arrival, shared: &mut Shared) {
        let sequence = record.sequence;
        let Before {
            progress,
            until,
            was_sent,
        } = self.restored.remove(&sequence).unwrap_or_default();
        let was_sent = was_sent && !mutant::is(Mutant::ScheduledTwice);
        let due = match was_sent || mutant::is(Mutant::ScheduleIgnored) {
            true => None,
            false => not_before(&record.event, &progress),
        };
        let until = until.max(due);
        let generation = self.replays.left.mark_of(sequence).unwrap_or_default();
        let kept = KeptDelivery {
            sequence,
            event: record.event,
            accepted: record.accepted,
            progress,
            death: None,
            discard: None,
            generation,
            edit: None,
        };
        self.in_window += 1;
        self.admit_to_memory(kept, Custody::Channel, until.filter(|until| *until > now));
        if let Some(delivery) = self.deliveries.get_mut(&sequence) {
            delivery.was_sent = was_sent;
        }
        self.bury_if_crashing(now, sequence, shared);
        let is_far = until.is_some_and(|until| until.since(now) > SCHEDULE_KEPT)
            && !mutant::is(Mutant::ScheduledInWindow);
        // A replay goes before what is newer after a restart, too.
        let is_overtaken = generation == 0 && self.is_before_kept(sequence);
        if is_overtaken {
            self.keep(sequence, shared);
        } else if is_far || self.is_behind_dead_letter(sequence) {
            self.keep_follower(sequence, shared);
        }
    }

    /// Puts a delivery in memory and in its lane.
    pub(crate) fn admit_to_memory(
        &mut self,
        kept: KeptDelivery,
        custody: Custody,
        until: Option<Timestamp>,
    ) {
        let KeptDelivery {
            sequence,
            event,
            accepted,
            progress,
            death,
            discard,
            generation,
            edit,
        } = kept;
        let phase = match (death, discard, until) {
            (Some(death), Some(discard), _) => Phase::Discarded(death, discard),
            (Some(death), None, _) => Phase::Dead(death),
            (None, _, Some(until)) => Phase::Waiting { until },
            (None, _, None) => Phase::Ready,
        };
        if let Phase::Waiting { until } = phase {
            self.waiting.insert((until, sequence));
        }
        let identity = self.identity_in(&event, generation);
        let order = self.replays.orders.get(&generation);
        let due = event.not_before.map_or(accepted, |at| at.max(accepted));
        let lane = self.lane_of(&event);
        let waits = match phase {
            Phase::Discarded(..) => false,
            Phase::Dead(_) => self.config.followers == Followers::Wait,
            _ => true,
        };
        let delivery = Delivery {
            sequence,
            event,
            accepted,
            since: order.map_or(due, |order| order.at.max(due)),
            generation,
            lane,
            lane_number: None,
            identity,
            edit,
            custody,
            progress,
            was_sent: false,
            phase,
        };
        self.count_live(&delivery);
        self.deliveries.insert(sequence, delivery);
        if waits {
            self.join_lane(sequence);
        }
    }

    /// A delivery that ended the process too often while it was alone becomes a dead letter.
    pub(crate) fn bury_if_crashing(&mut self, now: Timestamp, sequence: u64, shared: &mut Shared) {
        let crashing = self.deliveries.get(&sequence).is_some_and(|delivery| {
            delivery.is_ready() && delivery.progress.crashes >= SOLO_CRASHES_MAX
        });
        if crashing {
            let error = format!("the process ended {SOLO_CRASHES_MAX} times while it ran alone");
            self.give_up(
                sequence,
                Death {
                    reason: DeathReason::Crash,
                    error,
                    at: now,
                },
                shared,
            );
        }
    }

    /// Moves a delivery behind a dead letter, or one for later, into the state, so that the window is free for others.
    /// At the limit of followers it stays in the window, which pushes back in the end.
    pub(super) fn keep_follower(&mut self, sequence: u64, shared: &mut Shared) {
        if self.kept < self.config.kept {
            self.keep(sequence, shared);
        }
    }

    /// The same, whatever the limit is: for what the state must have because it has what comes after it. Each dead
    /// letter brings as many as the window holds at most.
    fn keep(&mut self, sequence: u64, shared: &mut Shared) {
        // One that the channel would bring again after a restart must not come after those behind it.
        if self.is_behind_channel(sequence) {
            return;
        }
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        let waits = delivery.is_ready() || delivery.is_scheduled();
        if delivery.custody != Custody::Channel || !waits {
            return;
        }
        delivery.custody = Custody::Moving;
        self.kept += 1;
        let record = StateRecord::Kept {
            consumer: self.config.id.clone(),
            delivery: delivery.kept(None),
        };
        shared.out.durable(record, Then::Keep(self.index, sequence));
        if mutant::is(Mutant::FollowerSettledEarly) {
            self.follower_kept(sequence);
        }
    }

    /// What is scheduled right behind a delivery that is about to leave its lane: it could not be kept yet.
    pub(super) fn scheduled_behind(&self, sequence: u64) -> Vec<u64> {
        // What is for later waits: mostly nothing does, and then no lane need be looked through.
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let behind = self.followers(sequence);
        let later = behind.take_while(|next| next.is_scheduled());
        later.map(|next| next.sequence).collect()
    }

    pub(super) fn keep_scheduled(&mut self, later: Vec<u64>, shared: &mut Shared) {
        for sequence in later {
            if mutant::is(Mutant::ScheduledBehindStays) {
                return;
            }
            self.keep_follower(sequence, shared);
        }
    }

    /// Keeps what was for later when a delivery, which is about to move into the state, went before it. After a
    /// restart neither that nor what follows it may be there before what the channel would bring.
    pub(super) fn keep_overtaken(&mut self, sequence: u64, shared: &mut Shared) {
        if mutant::is(Mutant::OvertakenStays) {
            return;
        }
        let before = self.members_before(sequence);
        let overtaken: Vec<u64> = before.map(|before| before.sequence).collect();
        for sequence in overtaken {
            self.keep(sequence, shared);
        }
    }

    /// A follower is durably in the state.
    pub(crate) fn follower_kept(&mut self, sequence: u64) {
        self.settle_one(sequence);
        if let Some(delivery) = self.deliveries.get_mut(&sequence)
            && delivery.custody == Custody::Moving
        {
            delivery.custody = Custody::State;
            self.in_window = self.in_window.saturating_sub(1);
        }
    }

    /// Gives back the place of a delivery that goes from memory, or becomes a dead letter.
    pub(super) fn give_back(&mut self, custody: Custody) {
        if custody != Custody::State {
            self.in_window = self.in_window.saturating_sub(1);
        }
        if custody != Custody::Channel {
            self.kept = self.kept.saturating_sub(1);
        }
    }

    /// Takes a delivery from memory.
    pub(super) fn remove_from_memory(&mut self, sequence: u64) {
        if let Some(removed) = self.deliveries.remove(&sequence) {
            self.discount_live(&removed);
        }
    }
}
