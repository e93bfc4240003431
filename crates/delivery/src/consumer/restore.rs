//! From records to a consumer and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_base::Timestamp;

use super::Consumer;
use super::delivery::{Before, Custody, Phase};
use super::done::DoneSet;
use super::histories::Histories;
use super::seek::{Replays, Skips};
use super::settlement::{crashed, is_solo, push_attempt};
use super::states::States;
use super::window::not_before;
use crate::classes::{ClassCounts, Tally};
use crate::cursor::Cursor;
use crate::ended::SeekOrder;
use crate::identity::Identity;
use crate::mutant::{self, Mutant};
use crate::outcome::KeyState;
use crate::record::{
    AttemptRecord, Company, Halt, HaltCause, Hold, KeptDelivery, Pause, Progress, Standing,
    StateRecord,
};
use crate::shared::Shared;

/// Most identities of one record.
const IDENTITIES_OF_RECORD: usize = 4_096;

/// What the records say of one consumer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    cursor: Cursor,
    replays: Replays,
    skips: Skips,
    ended: Histories,
    done: DoneSet,
    kept: BTreeMap<u64, KeptDelivery>,
    loose: BTreeMap<u64, Progress>,
    until: BTreeMap<u64, Timestamp>,
    halt: Option<Halt>,
    paused: Option<Pause>,
    hold: Option<Hold>,
    states: States,
}

impl Replay {
    /// Takes in one record of the consumer, after all before it.
    pub(crate) fn apply(&mut self, record: StateRecord) {
        match record {
            StateRecord::Cursor { below, above, .. } => self.settle(below, above),
            StateRecord::Started {
                sequence, company, ..
            } => {
                if let Some(progress) = self.progress(sequence) {
                    progress.started = Some(company);
                    // What has started waits for nothing, whatever the clock says now.
                    self.until.remove(&sequence);
                }
            }
            StateRecord::Released {
                sequence, standing, ..
            } => {
                if let Some(progress) = self.progress(sequence) {
                    progress.started = None;
                    progress.standing = standing;
                }
            }
            StateRecord::Failed {
                sequence,
                failures,
                classes,
                until,
                attempt,
                ..
            } => {
                let tally = Tally { failures, classes };
                self.failed(sequence, tally, until, attempt);
            }
            StateRecord::State { key, state, .. } => self.states.set(key, KeyState::Is(state)),
            StateRecord::Done {
                sequence,
                identity,
                generation,
                state,
                ..
            } => self.done(sequence, identity, generation, state),
            StateRecord::Kept { delivery, .. } => {
                self.settle_one(delivery.sequence, delivery.generation);
                self.kept.insert(delivery.sequence, *delivery);
            }
            StateRecord::Progress {
                sequence,
                progress,
                until,
                ..
            } => {
                if let Some(place) = self.progress(sequence) {
                    *place = progress;
                    self.until.remove(&sequence);
                    self.until.extend(until.map(|until| (sequence, until)));
                }
            }
            StateRecord::Halt { halt, .. } => self.halt = halt,
            StateRecord::Pause { pause, .. } => self.paused = pause,
            StateRecord::Hold { hold, .. } => self.hold = hold,
            other => self.apply_memory(other),
        }
    }

    fn failed(&mut self, sequence: u64, tally: Tally, until: Timestamp, attempt: AttemptRecord) {
        let Some(progress) = self.progress(sequence) else {
            return;
        };
        progress.started = None;
        progress.failures = match mutant::is(Mutant::FailuresForgotten) {
            true => 0,
            false => tally.failures,
        };
        progress.classes = match mutant::is(Mutant::ClassCountsForgotten) {
            true => ClassCounts::default(),
            false => tally.classes,
        };
        progress.standing = Standing::Tainted;
        push_attempt(&mut progress.history, attempt);
        self.until.insert(sequence, until);
    }

    /// Takes in what is remembered of what is finished, and of what is to run again.
    fn apply_memory(&mut self, record: StateRecord) {
        match record {
            StateRecord::Identities {
                done, sequences, ..
            } => {
                // Without its delivery an identity is one of the oldest.
                let sequences = sequences.into_iter().chain(std::iter::repeat(0));
                for (identity, sequence) in done.into_iter().zip(sequences) {
                    self.done.insert(sequence, identity);
                }
            }
            StateRecord::Replay {
                generation,
                ranges,
                order,
                ..
            } => {
                for (start, end) in &ranges {
                    self.cursor.settle_range(*start, *end);
                    self.skips.of.remove(*start, *end);
                }
                self.replays.set(generation, &ranges, order);
            }
            StateRecord::Skipped { ranges, order, .. } => self.skip(&ranges, order),
            StateRecord::Ended { ended, .. } => self.ended.insert(*ended),
            _ => {}
        }
    }

    fn done(
        &mut self,
        sequence: u64,
        identity: Option<Identity>,
        generation: u64,
        state: Option<(Arc<str>, KeyState)>,
    ) {
        self.settle_one(sequence, generation);
        if let Some(hold) = &mut self.hold {
            hold.overloads = 0;
        }
        if let Some(identity) = identity {
            self.done.insert(sequence, identity);
        }
        if let Some((key, state)) = state {
            self.states.set(key, state);
        }
    }

    fn settle(&mut self, below: u64, above: Vec<(u64, u64)>) {
        self.cursor.settle_range(0, below);
        for (start, end) in above {
            self.cursor.settle_range(start, end);
        }
    }

    /// A delivery of a replay, or of none, is settled; one of another replay is not.
    fn settle_one(&mut self, sequence: u64, generation: u64) {
        self.cursor.settle(sequence);
        match self.replays.left.mark_of(sequence) {
            Some(left) if left != generation => {}
            _ => {
                self.replays
                    .left
                    .remove(sequence, sequence.saturating_add(1));
                self.forget(sequence);
            }
        }
    }

    fn skip(&mut self, ranges: &[(u64, u64)], order: SeekOrder) {
        for (start, end) in ranges {
            self.cursor.settle_range(*start, *end);
            self.replays.left.remove(*start, *end);
            let range = *start..*end;
            self.kept.retain(|sequence, _| !range.contains(sequence));
            self.loose.retain(|sequence, _| !range.contains(sequence));
            self.until.retain(|sequence, _| !range.contains(sequence));
        }
        self.skips.add(ranges, order);
    }

    /// `None` for a delivery that is finished: a late record of it means nothing.
    fn progress(&mut self, sequence: u64) -> Option<&mut Progress> {
        if let Some(kept) = self.kept.get_mut(&sequence) {
            return Some(&mut kept.progress);
        }
        let settled =
            self.cursor.is_settled(sequence) && self.replays.left.mark_of(sequence).is_none();
        (!settled).then(|| self.loose.entry(sequence).or_default())
    }

    fn forget(&mut self, sequence: u64) {
        self.kept.remove(&sequence);
        self.loose.remove(&sequence);
        self.until.remove(&sequence);
    }
}

impl Consumer {
    /// Takes up where the records end. Attempts that nobody saw end make their deliveries suspects.
    pub(crate) fn restore(&mut self, mut replay: Replay, now: Timestamp) {
        for progress in replay.kept.values_mut().map(|kept| &mut kept.progress) {
            suspect(progress, now);
        }
        for progress in replay.loose.values_mut() {
            suspect(progress, now);
        }
        self.flow.begin(now);
        self.cursor = replay.cursor;
        self.replays = replay.replays;
        self.skips = replay.skips;
        self.ended = replay.ended;
        self.done = replay.done;
        self.next_fetch = self.inbox_mark();
        // The store may have been repaired meanwhile: the next read finds out.
        self.halt = replay.halt.filter(|h| h.cause != HaltCause::Channel);
        self.paused = replay.paused;
        self.restore_hold(replay.hold, now);
        self.states = replay.states;
        // A clock that went back must not keep a retry waiting for longer than was ever asked for.
        let latest = now + self.config.retry.longest_wait();
        for until in replay.until.values_mut() {
            if !mutant::is(Mutant::RetryTimeUnbounded) {
                *until = (*until).min(latest);
            }
        }
        for (sequence, kept) in replay.kept {
            if let Some(discard) = &kept.discard {
                self.discarded.insert((discard.at, sequence));
            } else if kept.death.is_some() {
                self.dead += 1;
            } else {
                self.kept += 1;
            }
            let due = match mutant::is(Mutant::ScheduleForgotten) {
                true => None,
                false => not_before(&kept.event, &kept.progress),
            };
            let until = replay.until.remove(&sequence).max(due);
            let until = until.filter(|until| *until > now);
            self.admit_to_memory(kept, Custody::State, until);
        }
        let until = &mut replay.until;
        self.restored = replay
            .loose
            .into_iter()
            .map(|(sequence, progress)| {
                let until = until.remove(&sequence);
                let before = Before {
                    progress,
                    until,
                    was_sent: false,
                };
                (sequence, before)
            })
            .collect();
        self.forget_done();
    }

    /// What the restore concluded and must not be forgotten by another crash.
    pub(crate) fn take_over(&mut self, now: Timestamp, shared: &mut Shared) -> Vec<StateRecord> {
        let consumer = &self.config.id;
        let mut records = Vec::new();
        for (sequence, delivery) in self.deliveries.range(..) {
            if delivery.is_suspect() {
                let (progress, until) = (delivery.progress.clone(), None);
                let consumer = consumer.clone();
                records.push(StateRecord::Progress {
                    consumer,
                    sequence,
                    progress,
                    until,
                });
            }
        }
        for (sequence, before) in &self.restored {
            if before.progress.started.is_some() {
                let (progress, until) = (before.progress.clone(), before.until);
                let (consumer, sequence) = (consumer.clone(), *sequence);
                records.push(StateRecord::Progress {
                    consumer,
                    sequence,
                    progress,
                    until,
                });
            }
        }
        // Also those that are not the next of their lanes: they must not run once more in their turn.
        let suspects = self.deliveries.values().filter(|d| d.is_suspect());
        let suspects: Vec<u64> = suspects.map(|delivery| delivery.sequence).collect();
        for sequence in suspects {
            self.bury_if_crashing(now, sequence, shared);
        }
        self.bury_condemned(shared);
        records
    }

    fn checkpoint_identities(&self, records: &mut Vec<StateRecord>) {
        let mut done = self.done.iter().peekable();
        while done.peek().is_some() {
            let (sequences, done) = done.by_ref().take(IDENTITIES_OF_RECORD).unzip();
            records.push(StateRecord::Identities {
                consumer: self.config.id.clone(),
                done,
                sequences,
            });
        }
    }

    /// What was passed over may be wanted again since: it comes before all that is.
    fn checkpoint_skips(&self, records: &mut Vec<StateRecord>) {
        for (number, order) in &self.skips.orders {
            records.push(StateRecord::Skipped {
                consumer: self.config.id.clone(),
                ranges: self.skips.of.of(*number).collect(),
                order: order.clone(),
            });
        }
    }

    fn checkpoint_replays(&self, records: &mut Vec<StateRecord>) {
        for (generation, order) in &self.replays.orders {
            records.push(StateRecord::Replay {
                consumer: self.config.id.clone(),
                generation: *generation,
                ranges: self.replays.left.of(*generation).collect(),
                order: order.clone(),
            });
        }
        for ended in self.ended.iter() {
            records.push(StateRecord::Ended {
                consumer: self.config.id.clone(),
                ended: Box::new(ended.clone()),
            });
        }
    }

    /// The consumer as records; those of what is still being recorded follow in the outbox.
    pub(crate) fn checkpoint(&self, records: &mut Vec<StateRecord>) {
        let consumer = || self.config.id.clone();
        self.checkpoint_skips(records);
        let (below, above) = (self.cursor.below(), self.cursor.above());
        records.push(StateRecord::Cursor {
            consumer: consumer(),
            below,
            above,
        });
        self.checkpoint_identities(records);
        self.checkpoint_replays(records);
        if self.halt.is_some() {
            records.push(StateRecord::Halt {
                consumer: consumer(),
                halt: self.halt.clone(),
            });
        }
        if self.paused.is_some() {
            records.push(StateRecord::Pause {
                consumer: consumer(),
                pause: self.paused.clone(),
            });
        }
        if self.hold_until > Timestamp::EPOCH {
            records.push(self.hold_record());
        }
        let states = self.states.iter();
        for (key, state) in states.filter(|_| !mutant::is(Mutant::StateNotRestored)) {
            records.push(StateRecord::State {
                consumer: consumer(),
                key: Arc::clone(key),
                state: Arc::clone(state),
            });
        }
        self.checkpoint_deliveries(records);
    }

    fn checkpoint_deliveries(&self, records: &mut Vec<StateRecord>) {
        let consumer = || self.config.id.clone();
        for delivery in self.deliveries.values() {
            let (sequence, progress) = (delivery.sequence, delivery.progress.clone());
            let until = match &delivery.phase {
                Phase::Waiting { until } => Some(*until),
                _ => None,
            };
            if delivery.custody == Custody::State {
                let (death, discard) = match &delivery.phase {
                    Phase::Dead(death) | Phase::Deciding(death) => (Some(death.clone()), None),
                    Phase::Discarded(death, discard) => {
                        (Some(death.clone()), Some(discard.clone()))
                    }
                    _ => (None, None),
                };
                let mut delivery = delivery.kept(death);
                delivery.discard = discard;
                records.push(StateRecord::Kept {
                    consumer: consumer(),
                    delivery,
                });
            }
            if progress != Progress::default() && (until.is_some() || !delivery.is_letter()) {
                records.push(StateRecord::Progress {
                    consumer: consumer(),
                    sequence,
                    progress,
                    until,
                });
            }
        }
        for (sequence, before) in &self.restored {
            let (sequence, progress, until) = (*sequence, before.progress.clone(), before.until);
            records.push(StateRecord::Progress {
                consumer: consumer(),
                sequence,
                progress,
                until,
            });
        }
    }
}

/// An attempt that nobody saw end makes a suspect; one that ran alone counts as a crash.
fn suspect(progress: &mut Progress, now: Timestamp) {
    if is_solo(progress.started) {
        let attempt = progress.failures + progress.crashes + 1;
        progress.crashes += u32::from(!mutant::is(Mutant::CrashNotCounted));
        push_attempt(&mut progress.history, crashed(attempt, now));
    }
    if progress.started.is_some() {
        progress.started = Some(Company::Shared);
    }
}
