//! The machine: a whole system of consumers and dependencies, moved by inputs.

mod jobs;
mod letters;
mod seek;
mod turns;

use std::collections::BTreeSet;

use foldhash::{HashMap, HashMapExt};
use tidegate_base::{BreakerName, ConsumerId, Name, Timestamp};

use crate::breaker::{Breaker, BreakerStatus};
use crate::config::SystemConfig;
use crate::consumer::{Consumer, ConsumerStatus, DeliveryStatus, EndedBy, Explanation, Replay};
use crate::input::{Command, Effect, Heard, Input, Ticket};
use crate::job::Jobs;
use crate::mutant::{self, Mutant};
use crate::needed::Needed;
use crate::outbox::Then;
use crate::outcome::Outcome;
use crate::record::{Discard, Halt, HaltCause, Pause, StateRecord};
use crate::share::Turns;
use crate::shared::{NamedBreaker, Shared};

/// Every delivery decision of a system: `step` takes what happened and says what to do. Of several
/// things that happened at once each can be heard by itself, and all of them decided together, which
/// leaves fewer commits.
///
/// The same configuration, records and inputs give the same effects. Nothing becomes visible
/// before the records that it rests on are kept: an attempt starts after [`Input::Committed`] of
/// its start, a lane opens after that of its outcome.
#[derive(Clone, Debug)]
pub struct Machine {
    consumers: Vec<Consumer>,
    by_id: HashMap<ConsumerId, usize>,
    by_breaker: HashMap<BreakerName, usize>,
    shared: Shared,
    wakes: BTreeSet<(Timestamp, Who)>,
    /// Consumers that may have something to start; empty between steps.
    ready: Turns,
    /// For each consumer, then each dependency: when it wakes.
    wake_of: HashMap<Who, Timestamp>,
    asked: Option<Timestamp>,
    /// Records of consumers and dependencies that the configuration does not have: kept as they are.
    foreign: Vec<StateRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Who {
    Dependency(usize),
    Consumer(usize),
    Jobs,
}

impl Machine {
    /// A machine that takes up where `records` end; none for a new system. It does nothing before
    /// [`Input::TakeOver`].
    #[must_use]
    pub fn restore(
        config: SystemConfig,
        now: Timestamp,
        records: impl IntoIterator<Item = StateRecord>,
    ) -> Self {
        let mut machine = Self::new(config);
        let mut replays: Vec<Replay> = vec![Replay::default(); machine.consumers.len()];
        let mut jobs = Jobs::default();
        for record in records {
            if record.is_of_job() {
                jobs.replay(record);
            } else {
                machine.replay(record, now, &mut replays);
            }
        }
        for (consumer, replay) in machine.consumers.iter_mut().zip(replays) {
            consumer.restore(replay, now);
        }
        machine.restore_jobs(jobs);
        machine
    }

    fn new(config: SystemConfig) -> Self {
        let SystemConfig {
            seed,
            consumers,
            dependencies,
            in_flight,
        } = config;
        let mut shared = Shared {
            seed,
            consumers: consumers.len(),
            ..Shared::default()
        };
        let mut needing: HashMap<&BreakerName, BTreeSet<usize>> = HashMap::new();
        for (index, consumer) in consumers.iter().enumerate() {
            for need in &consumer.needs {
                needing.entry(need).or_default().insert(index);
            }
        }
        let mut places = Vec::new();
        let mut by_breaker = HashMap::new();
        for (index, dependency) in dependencies.iter().enumerate() {
            let dependents = needing.remove(&dependency.name).unwrap_or_default();
            let capacity = dependents
                .iter()
                .filter_map(|dependent| Some(consumers.get(*dependent)?.concurrency))
                .fold(0, u32::saturating_add)
                .min(dependency.concurrency.unwrap_or(u32::MAX));
            by_breaker.insert(dependency.name.clone(), index);
            shared.breakers.push(NamedBreaker {
                name: dependency.name.clone(),
                breaker: Breaker::new(dependency, capacity),
                dependents: dependents.into_iter().collect(),
                reason: None,
            });
            places.push(
                dependency
                    .concurrency
                    .map(|most| shared.shares.add(Some(dependency.name.clone()), most)),
            );
        }
        shared.turned = (0..dependencies.len()).collect();
        let process = in_flight.map(|most| shared.shares.add(None, most));
        let mut machine = Self {
            consumers: Vec::new(),
            by_id: HashMap::new(),
            by_breaker,
            shared,
            wakes: BTreeSet::new(),
            ready: Turns::default(),
            wake_of: HashMap::new(),
            asked: None,
            foreign: Vec::new(),
        };
        for (index, config) in consumers.into_iter().enumerate() {
            let needs = config
                .needs
                .iter()
                .filter_map(|need| machine.breaker_index(need));
            let needs: BTreeSet<usize> = needs.collect();
            let of_need = |need: &usize| places.get(*need).copied().flatten();
            let shared = needs.iter().filter_map(of_need).chain(process).collect();
            let needs = needs.into_iter().collect();
            machine.by_id.insert(config.id.clone(), index);
            let consumer = Consumer::new(config, index, needs, shared);
            machine.consumers.push(consumer);
        }
        machine
    }

    fn replay(&mut self, record: StateRecord, now: Timestamp, replays: &mut [Replay]) {
        if let StateRecord::Epoch(epoch) = record {
            self.shared.epoch = self.shared.epoch.max(epoch);
            return;
        }
        if let StateRecord::Breaker {
            dependency,
            breaker,
            reason,
        } = &record
            && let Some(index) = self.breaker_index(dependency)
            && let Some(named) = self.shared.breakers.get_mut(index)
        {
            named.breaker.restore(*breaker, now);
            named.reason.clone_from(reason);
            return;
        }
        let known = record
            .consumer()
            .and_then(|consumer| self.by_id.get(consumer));
        match known.and_then(|index| replays.get_mut(*index)) {
            Some(replay) => replay.apply(record),
            None => self.foreign.push(record),
        }
    }

    /// Takes in what happened at `now` and adds what to do to `effects`.
    pub fn step(&mut self, now: Timestamp, input: Input, effects: &mut Vec<Effect>) {
        self.hear(now, input);
        self.decide(now, effects);
    }

    /// Takes in what happened at `now`; what to do is said by [`Machine::decide`], which must follow
    /// before anything else is asked of the machine than to hear more.
    pub fn hear(&mut self, now: Timestamp, input: Input) -> Heard {
        self.wake(now);
        let Input::Ended { ticket, outcome } = input else {
            self.take(now, input);
            return Heard::Taken;
        };
        let known = self.shared.out.mark();
        let (consumer, sequence) = (ticket.consumer.clone(), ticket.sequence);
        self.ended(now, ticket, outcome, EndedBy::Handler);
        self.shared.out.heard_since(known, &consumer, sequence)
    }

    /// Adds what to do about all that was heard to `effects`.
    pub fn decide(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        for (index, sequence) in std::mem::take(&mut self.shared.dispatch) {
            self.at(index, |consumer, shared| {
                consumer.dispatch(now, sequence, shared);
            });
        }
        self.give_turns(now);
        for index in std::mem::take(&mut self.shared.turned) {
            let at = self
                .shared
                .breakers
                .get(index)
                .and_then(|named| named.breaker.wake_at());
            self.set_wake(Who::Dependency(index), at);
        }
        self.shared.out.flush(effects);
        let first = self.wakes.first().map(|(at, _)| *at);
        if first != self.asked {
            self.asked = first;
            effects.extend(first.map(Effect::WakeAt));
        }
    }

    /// Brings forward what is due.
    fn wake(&mut self, now: Timestamp) {
        while let Some((at, who)) = self.wakes.first().copied()
            && at <= now
        {
            self.set_wake(who, None);
            match who {
                Who::Consumer(index) => {
                    self.shared.dirty.insert(index);
                }
                Who::Dependency(index) => {
                    let named = self.shared.breakers.get_mut(index);
                    let changed = named.is_some_and(|named| named.breaker.tick(now));
                    self.shared.breaker_touched(index, changed);
                }
                // Jobs are asked at the end of every step.
                Who::Jobs => {}
            }
        }
    }

    fn take(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::TakeOver => self.take_over(now),
            Input::Grown { channel, tail } => self.grown(&channel, tail),
            Input::Trimmed { channel, head } => self.trimmed(&channel, head),
            Input::Arrived {
                consumer,
                records,
                next,
            } => {
                self.with(&consumer, |consumer, shared| {
                    consumer.arrive(now, records, next, shared)
                });
            }
            Input::ChannelFault { consumer, reason } => {
                self.with(&consumer, |consumer, shared| {
                    consumer.stop_fetching();
                    let halt = Halt {
                        cause: HaltCause::Channel,
                        reason,
                        since: now,
                    };
                    consumer.stop(halt, shared);
                });
            }
            Input::Committed { token } => {
                for then in self.shared.out.committed(token) {
                    self.go_on(then);
                }
            }
            Input::Ended { ticket, outcome } => self.ended(now, ticket, outcome, EndedBy::Handler),
            Input::Wanted {
                consumer,
                deliveries,
            } => {
                self.with(&consumer, |consumer, _| consumer.wanted = deliveries);
            }
            Input::Redrive {
                consumer,
                sequences,
            } => {
                self.with(&consumer, |consumer, shared| {
                    sequences
                        .iter()
                        .for_each(|sequence| consumer.redrive(*sequence, shared));
                });
            }
            Input::Command { token, command } => {
                self.obey(now, command);
                self.shared.out.obey(token);
            }
            Input::Drain => self.shared.draining = true,
            Input::Tick => {}
        }
    }

    fn obey(&mut self, now: Timestamp, command: Command) {
        match command {
            Command::Pause { consumer, reason } => {
                let pause = Some(Pause { reason, since: now });
                self.with(&consumer, |consumer, shared| consumer.pause(pause, shared));
            }
            Command::Resume { consumer } => self.with(&consumer, |consumer, shared| {
                consumer.pause(None, shared);
                consumer.go_on(shared);
            }),
            Command::OpenBreaker { breaker, reason } => {
                self.turn_breaker(&breaker, |named| {
                    named.breaker.force_open(now);
                    named.reason = Some(reason);
                });
            }
            Command::ResetBreaker { breaker } => self.turn_breaker(&breaker, |named| {
                named.breaker.reset(now);
                named.reason = None;
            }),
            Command::Discard {
                consumer,
                sequences,
                reason,
            } => self.with(&consumer, |consumer, shared| {
                let discard = Discard { reason, at: now };
                for sequence in sequences {
                    consumer.discard(sequence, &discard, shared);
                }
            }),
            Command::Restore {
                consumer,
                sequences,
            } => self.with(&consumer, |consumer, shared| {
                for sequence in sequences {
                    consumer.restore_letter(now, sequence, shared);
                }
            }),
            Command::Replay { .. } | Command::Skip { .. } => self.seek(now, command),
            Command::Edit {
                consumer,
                sequence,
                version,
                edit,
            } => self.edit(&consumer, sequence, version, edit),
            Command::StartJob { .. } | Command::TurnJob { .. } => self.obey_job(now, command),
        }
    }

    fn turn_breaker(&mut self, name: &BreakerName, turn: impl FnOnce(&mut NamedBreaker)) {
        let index = self.breaker_index(name);
        let named = index.and_then(|index| self.shared.breakers.get_mut(index));
        if let Some(named) = named {
            turn(named);
            let record = named.record();
            self.shared.turned.extend(index);
            self.shared.dirty.extend(named.dependents.iter().copied());
            self.shared.out.durable(record, Then::Nothing);
        }
    }

    fn take_over(&mut self, now: Timestamp) {
        self.shared.epoch += u64::from(!mutant::is(Mutant::EpochNotRaised));
        let epoch = self.shared.epoch;
        self.shared.out.keep(
            Mutant::EpochNotDurable,
            StateRecord::Epoch(epoch),
            Then::Own,
        );
        for consumer in &mut self.consumers {
            for record in consumer.take_over(now, &mut self.shared) {
                self.shared.out.durable(record, Then::Nothing);
            }
        }
    }

    fn trimmed(&mut self, channel: &Name, head: u64) {
        let consumers = self.consumers.iter_mut();
        for consumer in consumers.filter(|c| c.config.id.event == *channel) {
            consumer.begin(head, &mut self.shared);
        }
    }

    fn grown(&mut self, channel: &Name, tail: u64) {
        for (index, consumer) in self.consumers.iter_mut().enumerate() {
            if consumer.config.id.event == *channel && consumer.tail < tail {
                consumer.tail = tail;
                self.shared.dirty.insert(index);
            }
        }
    }

    fn ended(&mut self, now: Timestamp, ticket: Ticket, outcome: Outcome, by: EndedBy) {
        match self.by_id.get(&ticket.consumer).copied() {
            Some(index) => self.at(index, |consumer, shared| {
                consumer.ended(now, ticket, outcome, by, shared);
            }),
            None => self.shared.out.effects.push(Effect::Rejected(ticket)),
        }
    }

    fn go_on(&mut self, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Own => {
                self.shared.owned = true;
                self.shared.all_dirty();
            }
            Then::Dispatch(index, sequence) => self.shared.dispatch.push((index, sequence)),
            Then::Finish(index, sequence, conclusion) => {
                self.at(index, |consumer, shared| {
                    consumer.finished(sequence, conclusion, shared)
                });
            }
            Then::Bury(index, sequence, death) => {
                self.at(index, |consumer, shared| {
                    consumer.buried(sequence, *death, shared)
                });
            }
            Then::Keep(index, sequence) => {
                self.at(index, |consumer, _| consumer.follower_kept(sequence));
            }
            Then::Return(index, sequence) => {
                self.at(index, |consumer, shared| {
                    consumer.returned(sequence, shared)
                });
            }
            Then::Discard(index, sequence, why) => {
                self.at(index, |consumer, shared| {
                    consumer.discarded(sequence, *why, shared)
                });
            }
            Then::Restore(index, sequence, death) => {
                self.at(index, |consumer, shared| {
                    consumer.restored_letter(sequence, *death, shared)
                });
            }
            Then::Replay(index) => self.at(index, |consumer, _| consumer.replayed()),
            Then::Skip(index, skip) => {
                self.at(index, |consumer, shared| consumer.skipped(*skip, shared));
            }
            Then::Edited(index, sequence, death) => {
                self.at(index, |consumer, shared| {
                    consumer.edited(sequence, *death, shared)
                });
            }
            Then::Obey(token) => self.shared.out.effects.push(Effect::Obeyed { token }),
        }
    }

    fn set_wake(&mut self, who: Who, at: Option<Timestamp>) {
        let before = match at {
            Some(at) => self.wake_of.insert(who, at),
            None => self.wake_of.remove(&who),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.wakes.remove(&(before, who));
        }
        self.wakes.extend(at.map(|at| (at, who)));
    }

    fn with(&mut self, id: &ConsumerId, act: impl FnOnce(&mut Consumer, &mut Shared)) {
        if let Some(index) = self.by_id.get(id).copied() {
            self.at(index, act);
        }
    }

    fn at(&mut self, index: usize, act: impl FnOnce(&mut Consumer, &mut Shared)) {
        if let Some(consumer) = self.consumers.get_mut(index) {
            act(consumer, &mut self.shared);
            self.shared.dirty.insert(index);
        }
    }

    fn breaker_index(&self, name: &BreakerName) -> Option<usize> {
        self.by_breaker.get(name).copied()
    }

    fn consumer(&self, id: &ConsumerId) -> Option<&Consumer> {
        self.by_id
            .get(id)
            .and_then(|index| self.consumers.get(*index))
    }

    /// The whole state as records: what a restore from all records so far would find.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<StateRecord> {
        self.checkpoint_before(&BTreeSet::new())
    }

    /// As [`Machine::checkpoint`], without the records of those tokens: they are kept after it.
    #[must_use]
    pub fn checkpoint_before(&self, tokens: &BTreeSet<u64>) -> Vec<StateRecord> {
        let mut records = self.foreign.clone();
        records.push(StateRecord::Epoch(self.shared.epoch));
        for named in &self.shared.breakers {
            records.push(named.record());
        }
        for consumer in &self.consumers {
            consumer.checkpoint(&mut records);
        }
        records.extend(self.shared.jobs.checkpoint());
        records.extend(self.shared.out.under_way(tokens).cloned());
        records
    }

    /// The owner epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.shared.epoch
    }

    /// What retention must leave of a channel.
    #[must_use]
    pub fn needed(&self, channel: &Name) -> Needed {
        let consumers = self.consumers.iter();
        Needed::by(consumers.filter(|consumer| consumer.config.id.event == *channel))
    }

    /// Whether no attempt runs and nothing is being recorded.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.in_flight() == 0 && self.shared.out.is_settled()
    }

    /// Attempts that run or are about to.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.consumers
            .iter()
            .map(|consumer| u64::from(consumer.in_flight()))
            .sum()
    }

    /// Every attempt that runs.
    #[must_use]
    pub fn running(&self) -> Vec<Ticket> {
        let epoch = self.shared.epoch;
        self.consumers
            .iter()
            .flat_map(|consumer| consumer.running(epoch))
            .collect()
    }

    /// A consumer at `now`; `None` when there is none with this identity.
    #[must_use]
    pub fn status(&self, id: &ConsumerId, now: Timestamp) -> Option<ConsumerStatus> {
        Some(self.consumer(id)?.status(now, &self.shared))
    }

    /// A breaker at `now`; `None` when there is none with this name.
    #[must_use]
    pub fn breaker(&self, name: &BreakerName, now: Timestamp) -> Option<BreakerStatus> {
        let named = self.shared.breakers.get(self.breaker_index(name)?)?;
        Some(named.breaker.status(now))
    }

    /// Attempts in flight that need a dependency, and the most; `None` when it has no limit.
    #[must_use]
    pub fn places(&self, name: &BreakerName) -> Option<(u32, u32)> {
        self.shared.shares.of_dependency(name)
    }

    /// Why an operator holds a breaker open.
    #[must_use]
    pub fn forced_open(&self, name: &BreakerName) -> Option<&str> {
        let named = self.shared.breakers.get(self.breaker_index(name)?)?;
        named.reason.as_deref()
    }

    /// Where a delivery is; `None` when there is no such consumer.
    #[must_use]
    pub fn delivery(&self, id: &ConsumerId, sequence: u64) -> Option<DeliveryStatus> {
        Some(self.consumer(id)?.delivery_status(sequence))
    }

    /// Why a delivery is where it is; `None` when there is no such consumer.
    #[must_use]
    pub fn explain(
        &self,
        id: &ConsumerId,
        sequence: u64,
        now: Timestamp,
    ) -> Option<Explanation<'_>> {
        Some(self.consumer(id)?.explain(sequence, now, &self.shared))
    }

    /// Where the event of that id, of any source or of one, is in memory: channels and sequences.
    #[must_use]
    pub fn find(&self, id: &str, source: Option<&str>) -> BTreeSet<(Name, u64)> {
        let of = |consumer: &Consumer| {
            let channel = consumer.config.id.event.clone();
            let found = consumer.find(id, source);
            found
                .map(|sequence| (channel.clone(), sequence))
                .collect::<Vec<_>>()
        };
        self.consumers.iter().flat_map(of).collect()
    }
}
