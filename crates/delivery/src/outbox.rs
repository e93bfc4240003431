//! What one step wants done, collected so that it leaves as few commits as possible.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_base::ConsumerId;

use crate::consumer::Skip;
use crate::input::{Class, Conclusion, Effect, Heard};
use crate::mutant::{self, Mutant};
use crate::record::{Death, Discard, StateRecord};

/// What goes on once a record is kept: the consumer by index, and the delivery.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Then {
    /// Nothing waits for it.
    Nothing,
    /// The process is the owner.
    Own,
    /// An attempt may be sent.
    Dispatch(usize, u64),
    /// A delivery is finished.
    Finish(usize, u64, Conclusion),
    /// A delivery is a dead letter.
    Bury(usize, u64, Box<Death>),
    /// A follower is in the state.
    Keep(usize, u64),
    /// A dead letter is back in its lane.
    Return(usize, u64),
    /// A dead letter is given up.
    Discard(usize, u64, Box<(Death, Discard)>),
    /// A discarded letter is a dead letter again.
    Restore(usize, u64, Box<Death>),
    /// A replay may begin.
    Replay(usize),
    /// Deliveries are passed over.
    Skip(usize, Box<Skip>),
    /// A dead letter is edited.
    Edited(usize, u64, Box<Death>),
    /// A command is carried out.
    Obey(u64),
}

#[derive(Clone, Debug, Default)]
struct Pile {
    records: Vec<StateRecord>,
    then: Vec<Then>,
}

impl Pile {
    /// What was collected. The next pile has room for as much at once: steps are alike.
    fn take(&mut self) -> Self {
        let next = Self {
            records: Vec::with_capacity(self.records.len()),
            then: Vec::with_capacity(self.then.len()),
        };
        std::mem::replace(self, next)
    }
}

/// How much was collected at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    effects: usize,
    durable: usize,
}

/// Records on their way, by token.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) effects: Vec<Effect>,
    written: Pile,
    durable: Pile,
    pending: BTreeMap<u64, Pending>,
    token: u64,
}

/// What was sent to be kept.
#[derive(Clone, Debug)]
struct Pending {
    class: Class,
    records: Arc<Vec<StateRecord>>,
    then: Vec<Then>,
}

impl Outbox {
    /// Keeps a record whose loss with the machine's power is harmless.
    pub(crate) fn written(&mut self, record: StateRecord, then: Then) {
        self.written.records.push(record);
        self.written.then.push(then);
    }

    /// Keeps a record for which nothing waits.
    pub(crate) fn advise(&mut self, record: StateRecord) {
        self.written(record, Then::Nothing);
    }

    /// Keeps a record durably.
    pub(crate) fn durable(&mut self, record: StateRecord, then: Then) {
        self.durable.records.push(record);
        self.durable.then.push(then);
    }

    /// Keeps a record durably, unless the fault is built in: then it is only written.
    pub(crate) fn keep(&mut self, fault: Mutant, record: StateRecord, then: Then) {
        match mutant::is(fault) {
            true => self.written(record, then),
            false => self.durable(record, then),
        }
    }

    /// Answers a command once all that was said before is durable.
    pub(crate) fn obey(&mut self, token: u64) {
        let under_way = self.pending.values_mut().rev();
        let mut under_way = under_way.filter(|pending| pending.class == Class::Durable);
        if mutant::is(Mutant::CommandObeyedEarly) {
            self.effects.push(Effect::Obeyed { token });
        } else if !self.durable.then.is_empty() {
            self.durable.then.push(Then::Obey(token));
        } else if let Some(last) = under_way.next() {
            // The same was commanded before, and is not durable yet.
            last.then.push(Then::Obey(token));
        } else {
            self.effects.push(Effect::Obeyed { token });
        }
    }

    /// How much was collected.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            effects: self.effects.len(),
            durable: self.durable.records.len(),
        }
    }

    /// What was collected since `mark` says of an end of that delivery.
    pub(crate) fn heard_since(&self, mark: Mark, consumer: &ConsumerId, sequence: u64) -> Heard {
        let mut effects = self.effects.iter().skip(mark.effects);
        if effects.any(|effect| matches!(effect, Effect::Rejected(_))) {
            return Heard::Rejected;
        }
        let of = |record: &StateRecord| match record {
            StateRecord::Done {
                consumer: of,
                sequence: done,
                ..
            } => (*done == sequence && of == consumer).then_some(Heard::Done),
            StateRecord::Kept {
                consumer: of,
                delivery,
            } => {
                let buried = delivery.death.is_some() && delivery.sequence == sequence;
                (buried && of == consumer).then_some(Heard::Buried)
            }
            _ => None,
        };
        let mut durable = self.durable.records.iter().skip(mark.durable);
        durable.find_map(of).unwrap_or(Heard::Taken)
    }

    /// Moves everything collected into `effects`. Written records go first: a delivery with a
    /// durable record under way is frozen, so no written record of it can be newer.
    pub(crate) fn flush(&mut self, effects: &mut Vec<Effect>) {
        let piles = [
            (Class::Written, self.written.take()),
            (Class::Durable, self.durable.take()),
        ];
        for (class, pile) in piles {
            if pile.records.is_empty() {
                continue;
            }
            self.token += 1;
            let token = self.token;
            let records = Arc::new(pile.records);
            effects.push(Effect::Persist {
                token,
                class,
                records: Arc::clone(&records),
            });
            let then = pile.then;
            let pending = Pending {
                class,
                records,
                then,
            };
            self.pending.insert(token, pending);
        }
        effects.append(&mut self.effects);
    }

    /// What may go on now that `token` is kept; nothing for an unknown token.
    pub(crate) fn committed(&mut self, token: u64) -> Vec<Then> {
        self.pending
            .remove(&token)
            .map(|pile| pile.then)
            .unwrap_or_default()
    }

    /// Records that are on their way, in order, other than those of `except`.
    pub(crate) fn under_way(&self, except: &BTreeSet<u64>) -> impl Iterator<Item = &StateRecord> {
        let pending = self.pending.iter();
        let pending = pending.filter(|(token, _)| !except.contains(token));
        let pending = pending.filter(|_| !mutant::is(Mutant::CheckpointForgets));
        pending.flat_map(|(_, pile)| &*pile.records)
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending.is_empty()
            && self.written.records.is_empty()
            && self.durable.records.is_empty()
    }
}
