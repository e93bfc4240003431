//! The disk under the machine: records are collected, sent, written and synced, each when it comes to
//! pass; a power failure takes what was not synced.
//!
//! As in the runtime, what is only to be written goes ahead of what is to be durable that was collected
//! with it, and may be answered before something earlier is durable.

use std::collections::VecDeque;

use tidegate_base::ConsumerId;
use tidegate_delivery::{Class, Command, StateRecord};

use super::chance::Chance;
use super::world::Sequences;

/// Records on their way to the disk.
struct Persist {
    token: u64,
    /// Whether they take the place of everything before.
    replaces: bool,
    class: Class,
    records: Vec<StateRecord>,
    /// How much of the disk must be synced for them to be durable; `None`: they are not written yet.
    end: Option<usize>,
}

/// What is recorded of a delivery.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Start,
    End,
    /// It becomes a dead letter, or is one again.
    Death,
    /// Something becomes of a dead letter.
    Letter,
    /// An operator passes over it.
    Skip,
}

#[derive(Default)]
pub(crate) struct Disk {
    records: Vec<StateRecord>,
    /// How many of them a power failure spares for sure.
    synced: usize,
    /// Deliveries that the state keeps, once and for all.
    kept: Sequences,
    collected: [Vec<Persist>; 2],
    sent: VecDeque<Persist>,
}

impl Disk {
    pub(crate) fn collect(&mut self, token: u64, class: Class, records: &[StateRecord]) {
        self.collected[usize::from(class == Class::Durable)].push(Persist {
            token,
            replaces: false,
            class,
            records: records.to_vec(),
            end: None,
        });
    }

    /// Sends what was collected.
    pub(crate) fn send(&mut self) {
        for pile in &mut self.collected {
            self.sent.extend(pile.drain(..));
        }
    }

    /// Sends the whole state, which takes the place of everything before.
    pub(crate) fn send_checkpoint(&mut self, records: Vec<StateRecord>) {
        self.sent.push_back(Persist {
            token: 0,
            replaces: true,
            class: Class::Durable,
            records,
            end: None,
        });
    }

    /// Whether everything that was sent is kept.
    pub(crate) fn is_idle(&self) -> bool {
        self.sent.is_empty()
    }

    /// Keeps something that was sent in the class that was asked for, and returns its token: what was
    /// sent first, or now and then something that only has to be written, ahead of others.
    pub(crate) fn keep(&mut self, chance: &mut Chance) -> Option<u64> {
        let written = |persist: &Persist| persist.class == Class::Written;
        let ahead = match chance.in_thousand(400) {
            true => self.sent.iter().take(4).position(written).unwrap_or(0),
            false => 0,
        };
        for at in 0..=ahead {
            self.write(at);
        }
        let persist = self.sent.remove(ahead)?;
        if persist.class == Class::Durable {
            self.synced = self.synced.max(persist.end.unwrap_or(0));
        }
        Some(persist.token)
    }

    fn write(&mut self, at: usize) {
        let Some(persist) = self.sent.get_mut(at).filter(|p| p.end.is_none()) else {
            return;
        };
        // What is kept is what comes back from its encoding.
        let coded = persist.records.iter();
        let coded = coded.map(|record| StateRecord::decode(&record.encode()).unwrap());
        if persist.replaces {
            self.records = coded.collect();
            // A segment begins with it, and is used once it is synced.
            self.synced = self.records.len();
        } else {
            self.records.extend(coded);
        }
        persist.end = Some(self.records.len());
        if persist.replaces {
            self.kept.clear();
        }
        for record in &persist.records {
            note(&mut self.kept, record);
        }
        if persist.replaces {
            for earlier in self.sent.iter_mut().take(at) {
                earlier.end = Some(0);
            }
        }
    }

    /// The process ends: a part of what was sent is written without anyone having heard.
    pub(crate) fn cut_off(&mut self, chance: &mut Chance) {
        let unheard = chance.below(self.sent.len() as u64 + 1) as usize;
        for at in 0..unheard {
            self.write(at);
        }
        self.sent.clear();
        self.collected = Default::default();
    }

    /// The power fails: what was not synced goes, from some place on.
    pub(crate) fn lose_power(&mut self, chance: &mut Chance) {
        let at_risk = self.records.len() - self.synced;
        let spared = chance.below(at_risk as u64 + 1) as usize;
        self.records.truncate(self.synced + spared);
        self.kept.clear();
        for record in &self.records {
            note(&mut self.kept, record);
        }
        self.synced = self.records.len();
    }

    /// Whether a restart finds a delivery in the state, not in the channel.
    pub(crate) fn keeps(&self, consumer: &ConsumerId, sequence: u64) -> bool {
        let kept = self.kept.get(consumer);
        kept.is_some_and(|kept| kept.contains(&sequence))
    }

    /// Whether a restart finds that a delivery was passed over, of which the machine may not have heard yet.
    pub(crate) fn skips(&self, consumer: &ConsumerId, sequence: u64) -> bool {
        self.records.iter().any(|record| match record {
            StateRecord::Skipped {
                consumer: of,
                ranges,
                ..
            } => {
                of == consumer
                    && ranges
                        .iter()
                        .any(|(from, to)| (*from..*to).contains(&sequence))
            }
            _ => false,
        })
    }

    /// What a restart finds.
    pub(crate) fn records(&self) -> impl Iterator<Item = &StateRecord> {
        self.records.iter()
    }

    /// Whether a record of a delivery is still on its way.
    pub(crate) fn is_under_way(&self, id: &ConsumerId, number: u64, what: Step) -> bool {
        let collected = self.collected.iter().flatten();
        let under_way = self.sent.iter().chain(collected).filter(|p| !p.replaces);
        let mut records = under_way.flat_map(|persist| &persist.records);
        records.any(|record| match record {
            StateRecord::Started {
                consumer, sequence, ..
            } => what == Step::Start && consumer == id && *sequence == number,
            StateRecord::Done {
                consumer, sequence, ..
            } => what == Step::End && consumer == id && *sequence == number,
            StateRecord::Kept { consumer, delivery } => {
                // A job may send it back in the step in which it is a dead letter.
                let fits =
                    what == Step::Letter || (what == Step::Death && delivery.death.is_some());
                fits && consumer == id && delivery.sequence == number
            }
            StateRecord::Skipped {
                consumer, ranges, ..
            } => {
                let mut ranges = ranges.iter();
                let passes = |(start, end): &(u64, u64)| (*start..*end).contains(&number);
                what == Step::Skip && consumer == id && ranges.any(passes)
            }
            _ => false,
        })
    }

    /// Whether a durable record of a command is still on its way.
    pub(crate) fn is_command_under_way(&self, command: &Command) -> bool {
        let collected = self.collected.iter().flatten();
        let under_way = self.sent.iter().chain(collected).filter(|p| !p.replaces);
        let mut records = under_way.flat_map(|persist| &persist.records);
        records.any(|record| match (record, command) {
            (StateRecord::Pause { consumer, .. }, Command::Pause { consumer: id, .. })
            | (StateRecord::Replay { consumer, .. }, Command::Replay { consumer: id, .. })
            | (StateRecord::Skipped { consumer, .. }, Command::Skip { consumer: id, .. }) => {
                consumer == id
            }
            (StateRecord::Breaker { reason, .. }, Command::OpenBreaker { .. }) => reason.is_some(),
            (StateRecord::Job(_), Command::StartJob { .. }) => true,
            (StateRecord::Kept { delivery, .. }, Command::Edit { edit, .. }) => {
                // A job may send it back in the step in which it is edited.
                let is_it = delivery
                    .edit
                    .as_ref()
                    .is_some_and(|kept| kept.id == edit.id);
                is_it && delivery.death.is_some()
            }
            _ => false,
        })
    }

    /// Whether it is still being recorded that a consumer is sent back or on.
    pub(crate) fn is_seek_under_way(&self, id: &ConsumerId) -> bool {
        let collected = self.collected.iter().flatten();
        let under_way = self.sent.iter().chain(collected).filter(|p| !p.replaces);
        let mut records = under_way.flat_map(|persist| &persist.records);
        records.any(|record| match record {
            StateRecord::Replay { consumer, .. } | StateRecord::Skipped { consumer, .. } => {
                consumer == id
            }
            _ => false,
        })
    }

    /// Whether a power failure spares the order of a replay.
    pub(crate) fn is_replay_durable(&self, id: &ConsumerId, number: u64) -> bool {
        let mut synced = self.records.iter().take(self.synced);
        synced.any(|record| match record {
            StateRecord::Replay {
                consumer,
                generation,
                ..
            } => consumer == id && *generation == number,
            _ => false,
        })
    }
}

fn note(kept: &mut Sequences, record: &StateRecord) {
    if let StateRecord::Kept { consumer, delivery } = record {
        let kept = kept.entry(consumer.clone()).or_default();
        kept.insert(delivery.sequence);
    }
}
