//! From records to a consumer and back.

use std::collections::BTreeMap;

use tidegate_base::Timestamp;

use super::Consumer;
use super::delivery::{Custody, Phase};
use super::repetition::DoneSet;
use super::settlement::{crashed, is_solo, push_attempt};
use crate::cursor::Cursor;
use crate::record::{Company, Halt, HaltCause, KeptDelivery, Pause, Progress, StateRecord};
use crate::shared::Shared;

/// What the records say of one consumer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    cursor: Cursor,
    done: DoneSet,
    kept: BTreeMap<u64, KeptDelivery>,
    loose: BTreeMap<u64, Progress>,
    until: BTreeMap<u64, Timestamp>,
    halt: Option<Halt>,
    paused: Option<Pause>,
}

impl Replay {
    /// Takes in one record of the consumer, after all before it.
    pub(crate) fn apply(&mut self, record: StateRecord) {
        match record {
            StateRecord::Cursor { below, above, .. } => self.settle(below, above),
            StateRecord::Identities { done, .. } => {
                done.into_iter()
                    .for_each(|identity| self.done.insert(identity));
            }
            StateRecord::Started {
                sequence, company, ..
            } => {
                if let Some(progress) = self.progress(sequence) {
                    progress.started = Some(company);
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
                until,
                attempt,
                ..
            } => {
                if let Some(progress) = self.progress(sequence) {
                    progress.started = None;
                    progress.failures = failures;
                    progress.standing = crate::record::Standing::Tainted;
                    push_attempt(&mut progress.history, attempt);
                    self.until.insert(sequence, until);
                }
            }
            StateRecord::Done {
                sequence, identity, ..
            } => {
                self.cursor.settle(sequence);
                self.forget(sequence);
                if let Some(identity) = identity {
                    self.done.insert(identity);
                }
            }
            StateRecord::Kept { delivery, .. } => {
                self.forget(delivery.sequence);
                self.cursor.settle(delivery.sequence);
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
            // What is about no consumer is read elsewhere.
            _ => {}
        }
    }

    fn settle(&mut self, below: u64, above: Vec<(u64, u64)>) {
        self.cursor.settle_range(0, below);
        for (start, end) in above {
            self.cursor.settle_range(start, end);
        }
    }

    /// `None` for a delivery that is finished: a late record of it means nothing.
    fn progress(&mut self, sequence: u64) -> Option<&mut Progress> {
        if let Some(kept) = self.kept.get_mut(&sequence) {
            return Some(&mut kept.progress);
        }
        (!self.cursor.is_settled(sequence)).then(|| self.loose.entry(sequence).or_default())
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
        self.next_fetch = replay.cursor.below();
        self.cursor = replay.cursor;
        self.done = replay.done;
        // The store may have been repaired meanwhile: the next read finds out.
        self.halt = replay.halt.filter(|h| h.cause != HaltCause::Channel);
        self.paused = replay.paused;
        // A clock that went back must not keep a retry waiting for longer than was ever asked for.
        let latest = now + self.config.retry.longest_wait();
        for until in replay.until.values_mut() {
            *until = (*until).min(latest);
        }
        for (sequence, kept) in replay.kept {
            if let Some(discard) = &kept.discard {
                self.discarded.insert((discard.at, sequence));
            } else if kept.death.is_some() {
                self.dead += 1;
            } else {
                self.kept += 1;
            }
            let until = replay.until.remove(&sequence).filter(|until| *until > now);
            self.admit_to_memory(kept, Custody::State, until);
        }
        let until = &mut replay.until;
        self.restored = replay
            .loose
            .into_iter()
            .map(|(sequence, progress)| (sequence, (progress, until.remove(&sequence))))
            .collect();
    }

    /// What the restore concluded and must not be forgotten by another crash.
    pub(crate) fn take_over(&mut self, now: Timestamp, shared: &mut Shared) -> Vec<StateRecord> {
        let consumer = &self.config.id;
        let mut records = Vec::new();
        for (sequence, delivery) in &self.deliveries {
            if delivery.is_suspect() {
                let (progress, until) = (delivery.progress.clone(), None);
                let (consumer, sequence) = (consumer.clone(), *sequence);
                records.push(StateRecord::Progress {
                    consumer,
                    sequence,
                    progress,
                    until,
                });
            }
        }
        for (sequence, (progress, until)) in &self.restored {
            if progress.started.is_some() {
                let (progress, until) = (progress.clone(), *until);
                let (consumer, sequence) = (consumer.clone(), *sequence);
                records.push(StateRecord::Progress {
                    consumer,
                    sequence,
                    progress,
                    until,
                });
            }
        }
        let suspects: Vec<u64> = self.suspects.iter().copied().collect();
        for sequence in suspects {
            self.bury_if_crashing(now, sequence, shared);
        }
        self.bury_condemned(shared);
        records
    }

    /// The consumer as records; those of what is still being recorded follow in the outbox.
    pub(crate) fn checkpoint(&self, records: &mut Vec<StateRecord>) {
        let consumer = || self.config.id.clone();
        let (below, above) = (self.cursor.below(), self.cursor.above());
        records.push(StateRecord::Cursor {
            consumer: consumer(),
            below,
            above,
        });
        let done: Vec<_> = self.done.iter().collect();
        if !done.is_empty() {
            records.push(StateRecord::Identities {
                consumer: consumer(),
                done,
            });
        }
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
        for delivery in self.deliveries.values() {
            let (sequence, progress) = (delivery.sequence, delivery.progress.clone());
            let until = match &delivery.phase {
                Phase::Waiting { until } => Some(*until),
                _ => None,
            };
            if delivery.custody == Custody::State {
                let (death, discard) = match &delivery.phase {
                    Phase::Dead(death) => (Some(death.clone()), None),
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
        for (sequence, (progress, until)) in &self.restored {
            let (sequence, progress, until) = (*sequence, progress.clone(), *until);
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
        progress.crashes += 1;
        push_attempt(&mut progress.history, crashed(attempt, now));
    }
    if progress.started.is_some() {
        progress.started = Some(Company::Shared);
    }
}
