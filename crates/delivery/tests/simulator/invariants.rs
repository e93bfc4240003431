//! What must hold whatever happens, watched from outside the machine.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{
    Arrival, Command, Conclusion, ConsumerConfig, DeliveryStatus, Effect, Followers, JobLetter,
    Machine, Mode, Order, SystemConfig, Ticket,
};

use crate::world::{Sequences, is_end};

type Place = (ConsumerId, u64);

pub(crate) struct Watch {
    config: SystemConfig,
    /// Deliveries whose handler did its work at least once.
    handled: Sequences,
    /// Deliveries that the machine called finished.
    finished: Sequences,
    /// Of this process: deliveries that it called repeated. A power failure may take that back: they
    /// are found to be repeated again.
    repeated: Sequences,
    /// Deliveries that became dead letters and were not redriven.
    buried: Sequences,
    /// The last epoch that started anything, and that of the processes before.
    epoch: u64,
    earlier: u64,
    /// Of this process: the attempts that run.
    running: BTreeMap<Place, (Ticket, Timestamp)>,
    /// Of this process: failed attempts of the redrive round.
    failures: BTreeMap<Place, u32>,
    /// Of this process: the last attempt, and what the next one must be.
    next_attempt: BTreeMap<Place, u32>,
    /// Of this process, by consumer: first attempts and retries.
    firsts: BTreeMap<ConsumerId, u64>,
    retries: BTreeMap<ConsumerId, u64>,
    watermarks: BTreeMap<ConsumerId, u64>,
    booted: Option<Timestamp>,
    probes: BTreeMap<(ConsumerId, u64, u64), Timestamp>,
    /// Records that the channel no longer has.
    removed: BTreeSet<u64>,
    /// What a consumer that joined later came too late for.
    missed: Sequences,
    /// Consumers that an operator has paused, and whether one holds the breaker open.
    paused: BTreeSet<ConsumerId>,
    forced: bool,
    /// Letters that were given up and not taken back.
    discarded: Sequences,
    /// The last command for each consumer, and for the breaker.
    last_command: BTreeMap<Option<ConsumerId>, u64>,
}

impl Watch {
    pub(crate) fn new(config: &SystemConfig) -> Self {
        Self {
            config: config.clone(),
            handled: Sequences::new(),
            finished: Sequences::new(),
            repeated: Sequences::new(),
            buried: Sequences::new(),
            epoch: 0,
            earlier: 0,
            running: BTreeMap::new(),
            failures: BTreeMap::new(),
            next_attempt: BTreeMap::new(),
            firsts: BTreeMap::new(),
            retries: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            booted: None,
            probes: BTreeMap::new(),
            removed: BTreeSet::new(),
            missed: Sequences::new(),
            paused: BTreeSet::new(),
            forced: false,
            discarded: Sequences::new(),
            last_command: BTreeMap::new(),
        }
    }

    /// From now on what an operator has closed before may be open again.
    pub(crate) fn commanded(&mut self, token: u64, command: &Command) {
        let of_letters = matches!(
            command,
            Command::StartJob { .. } | Command::TurnJob { .. } | Command::Edit { .. }
        );
        if of_letters {
            return;
        }
        self.last_command.insert(target(command), token);
        match command {
            Command::Resume { consumer } => drop(self.paused.remove(consumer)),
            Command::ResetBreaker { .. } => self.forced = false,
            Command::Restore {
                consumer,
                sequences,
            } => {
                let discarded = self.discarded.entry(consumer.clone()).or_default();
                discarded.retain(|sequence| !sequences.contains(sequence));
            }
            _ => {}
        }
    }

    /// From now on, in every process to come, it must be as it was commanded.
    pub(crate) fn obeyed(&mut self, token: u64, command: &Command) {
        if self.last_command.get(&target(command)) != Some(&token) {
            // It was commanded otherwise meanwhile.
            return;
        }
        match command {
            Command::Pause { consumer, .. } => drop(self.paused.insert(consumer.clone())),
            Command::OpenBreaker { .. } => self.forced = true,
            _ => {}
        }
    }

    pub(crate) fn cleaned(&mut self, removed: &BTreeSet<u64>) {
        self.removed.clone_from(removed);
    }

    /// A consumer is new in the design.
    pub(crate) fn joined(&mut self, config: &ConsumerConfig, head: u64) {
        let missed = self.removed.iter().copied().chain(0..head);
        self.missed.insert(config.id.clone(), missed.collect());
        self.config.consumers.push(config.clone());
    }

    pub(crate) fn restarted(&mut self) {
        self.earlier = self.epoch;
        self.repeated.clear();
        self.running.clear();
        self.failures.clear();
        self.next_attempt.clear();
        self.firsts.clear();
        self.retries.clear();
        self.watermarks.clear();
        self.probes.clear();
        self.booted = None;
    }

    pub(crate) fn handled(&mut self, ticket: &Ticket) {
        self.handled
            .entry(ticket.consumer.clone())
            .or_default()
            .insert(ticket.sequence);
    }

    pub(crate) fn booted_at(&mut self, now: Timestamp) {
        self.booted.get_or_insert(now);
    }

    /// An outcome of another epoch, or of an attempt that does not run, changes nothing.
    pub(crate) fn ended(
        &mut self,
        machine: &Machine,
        ticket: &Ticket,
        ran: bool,
        effects: &[Effect],
    ) {
        let rejected = effects.contains(&Effect::Rejected(ticket.clone()));
        assert_eq!(
            rejected, !ran,
            "I5: an outcome of {ticket:?}, which runs: {ran}"
        );
        assert!(
            rejected || ticket.epoch == machine.epoch(),
            "I5: of another epoch: {ticket:?}"
        );
        let place = (ticket.consumer.clone(), ticket.sequence);
        if self
            .running
            .get(&place)
            .is_some_and(|(running, _)| running == ticket)
        {
            self.running.remove(&place);
        }
        self.probes
            .remove(&(ticket.consumer.clone(), ticket.sequence, ticket.run));
    }

    pub(crate) fn concluded(&mut self, consumer: &ConsumerId, sequence: u64, c: Conclusion) {
        let place = (consumer.clone(), sequence);
        self.running.remove(&place);
        // A lease ends inside the machine, without an input.
        self.probes
            .retain(|(id, other, _), _| id != consumer || *other != sequence);
        let attempts = self.consumer(consumer).retry.attempts;
        match c {
            Conclusion::Failed { .. } => {
                let failures = self.failures.entry(place.clone()).or_default();
                *failures += 1;
                assert!(
                    *failures < attempts,
                    "I6: {failures} failures of {attempts}, retried"
                );
                *self.next_attempt.entry(place).or_insert(1) += 1;
            }
            Conclusion::Redriven => {
                self.failures.remove(&place);
                self.next_attempt.remove(&place);
            }
            Conclusion::Released(_) | Conclusion::Restored => {}
            Conclusion::Discarded => {
                let discarded = self.discarded.entry(consumer.clone()).or_default();
                discarded.insert(sequence);
            }
            Conclusion::DeadLettered(_) => {
                self.buried
                    .entry(consumer.clone())
                    .or_default()
                    .insert(sequence);
            }
            Conclusion::Succeeded | Conclusion::Duplicate => {
                let ended = match c {
                    Conclusion::Duplicate => &mut self.repeated,
                    _ => &mut self.finished,
                };
                ended.entry(consumer.clone()).or_default().insert(sequence);
            }
        }
        assert!(
            !is_end(c) || self.was_handled(consumer, sequence, c),
            "I1: nobody handled {c:?}"
        );
    }

    /// An operator sends dead letters back.
    pub(crate) fn redriven(&mut self, consumer: &ConsumerId, sequences: &[u64]) {
        let buried = self.buried.entry(consumer.clone()).or_default();
        buried.retain(|sequence| !sequences.contains(sequence));
    }

    fn was_handled(&self, consumer: &ConsumerId, sequence: u64, c: Conclusion) -> bool {
        c == Conclusion::Duplicate
            || self
                .handled
                .get(consumer)
                .is_some_and(|handled| handled.contains(&sequence))
    }

    pub(crate) fn started(
        &mut self,
        machine: &Machine,
        channel: &[Arrival],
        ticket: &Ticket,
        attempt: u32,
        now: Timestamp,
    ) {
        let Ticket {
            consumer,
            sequence,
            epoch,
            ..
        } = ticket;
        assert_eq!(
            *epoch,
            machine.epoch(),
            "I5: an attempt of another epoch starts"
        );
        assert!(
            !self.removed.contains(sequence),
            "I12: {ticket:?} starts without its record"
        );
        assert!(
            !self.came_late(consumer, *sequence),
            "I12: {ticket:?} is of the time before the consumer"
        );
        let finished = [&self.finished, &self.repeated].iter().any(|ended| {
            ended
                .get(consumer)
                .is_some_and(|done| done.contains(sequence))
        });
        assert!(!finished, "I1: {ticket:?} is finished and starts again");
        let buried = self
            .buried
            .get(consumer)
            .is_some_and(|dead| dead.contains(sequence));
        assert!(!buried, "I1: {ticket:?} is a dead letter and starts again");
        assert!(
            *epoch > self.earlier,
            "I5: epoch {epoch} started things in an earlier process"
        );
        self.epoch = self.epoch.max(*epoch);
        self.as_commanded(ticket);
        self.end_leases(now);
        self.alone_in_lane(channel, ticket);
        self.breakers(machine, ticket, now);
        let place = (consumer.clone(), *sequence);
        let expected = *self.next_attempt.entry(place.clone()).or_insert(attempt);
        assert_eq!(
            attempt, expected,
            "I11: what was held, released or failed miscounts {ticket:?}"
        );
        let retries = if self
            .failures
            .get(&place)
            .is_some_and(|failures| *failures > 0)
        {
            &mut self.retries
        } else {
            &mut self.firsts
        };
        *retries.entry(consumer.clone()).or_default() += 1;
        let ends = now + self.consumer(consumer).timeout;
        self.running.insert(place, (ticket.clone(), ends));
        self.budget(consumer, now);
        let concurrency = self.consumer(consumer).concurrency as usize;
        let running = self
            .running
            .keys()
            .filter(|(other, _)| other == consumer)
            .count();
        assert!(running <= concurrency, "{running} run, {concurrency} may");
    }

    /// O1 and O2: nothing starts that an operator has closed.
    fn as_commanded(&self, ticket: &Ticket) {
        assert!(
            !self.paused.contains(&ticket.consumer),
            "O1: {ticket:?} starts while its consumer is paused"
        );
        let needs = !self.consumer(&ticket.consumer).needs.is_empty();
        assert!(
            !(self.forced && needs),
            "O2: {ticket:?} starts through a breaker that is held open"
        );
    }

    /// A lease ends inside the machine, without an input, and long before its end is recorded.
    fn end_leases(&mut self, now: Timestamp) {
        let consumers = &self.config.consumers;
        let pulls = |id: &ConsumerId| {
            consumers
                .iter()
                .any(|c| c.id == *id && c.mode == Mode::Pull)
        };
        self.running
            .retain(|(consumer, _), (_, ends)| *ends > now || !pulls(consumer));
        let running = &self.running;
        self.probes.retain(|(consumer, sequence, run), _| {
            running
                .get(&(consumer.clone(), *sequence))
                .is_some_and(|(ticket, _)| ticket.run == *run)
        });
    }

    /// I3 and I10: nothing is admitted before what stands before it in its lane, redriven or not.
    pub(crate) fn admitted(
        &self,
        machine: &Machine,
        channel: &[Arrival],
        consumer: &ConsumerId,
        sequence: u64,
    ) {
        let config = self.consumer(consumer);
        for before in (0..sequence).filter(|other| in_lane(config, channel, *other, sequence)) {
            let status = machine.delivery(consumer, before);
            let passes = match status {
                Some(DeliveryStatus::Finished | DeliveryStatus::Discarded) => true,
                // One that is being redriven has not come back yet.
                Some(DeliveryStatus::Dead | DeliveryStatus::Settling) => {
                    config.followers == Followers::Continue
                }
                _ => false,
            };
            assert!(
                passes,
                "I3/I10: {sequence} of {consumer} ({:?}) goes before {before}, which is {status:?}",
                config.followers
            );
        }
    }

    /// I3: in a lane one runs at a time.
    fn alone_in_lane(&self, channel: &[Arrival], ticket: &Ticket) {
        let config = self.consumer(&ticket.consumer);
        let beside = self.running.keys().find(|(consumer, sequence)| {
            *consumer == ticket.consumer && in_lane(config, channel, *sequence, ticket.sequence)
        });
        assert!(beside.is_none(), "I3: {ticket:?} starts beside {beside:?}");
    }

    /// I7: while a breaker is open nothing that needs it starts; half open, only probes.
    fn breakers(&mut self, machine: &Machine, ticket: &Ticket, now: Timestamp) {
        for need in &self.consumer(&ticket.consumer).needs.clone() {
            let status = machine.breaker(need, now).unwrap();
            assert_ne!(
                status.state, "open",
                "I7: {ticket:?} starts through an open breaker"
            );
            if status.state == "half-open" {
                self.probes.retain(|_, since| *since == status.since);
                let probe = (ticket.consumer.clone(), ticket.sequence, ticket.run);
                self.probes.insert(probe, status.since);
                let most = self.config.dependencies[0].probes as usize;
                assert!(
                    self.probes.len() <= most,
                    "I7: {} probes of {most}",
                    self.probes.len()
                );
            }
        }
    }

    /// I8: retries stay within their share of first attempts, the floor and the start.
    fn budget(&self, consumer: &ConsumerId, now: Timestamp) {
        let Some(share) = self.consumer(consumer).retry.budget else {
            return;
        };
        let count =
            |map: &BTreeMap<ConsumerId, u64>| map.get(consumer).copied().unwrap_or(0) as f64;
        let seconds = self
            .booted
            .map_or(0.0, |booted| now.since(booted).as_secs_f64());
        let most = 10.0 + share.value() * count(&self.firsts) + seconds + 1.0;
        assert!(
            count(&self.retries) <= most,
            "I8: {} retries of {most}",
            count(&self.retries)
        );
    }

    /// J1: what a job has on its way has not ended.
    fn jobs(machine: &Machine) {
        for job in machine.jobs() {
            for (consumer, sequence, letter) in job.letters() {
                let status = machine.delivery(consumer, sequence);
                let ended = matches!(
                    status,
                    Some(DeliveryStatus::Finished | DeliveryStatus::Dead)
                );
                assert!(
                    !(ended && matches!(letter, JobLetter::Sent { .. })),
                    "J1: {sequence} of {consumer} is {status:?} and its job waits for it"
                );
            }
        }
    }

    /// What holds at every moment.
    pub(crate) fn hold(&mut self, machine: &Machine, channel: &[Arrival], now: Timestamp) {
        Self::jobs(machine);
        for config in &self.config.consumers {
            let id = &config.id;
            let status = machine.status(id, now).unwrap();
            let mark = self.watermarks.entry(id.clone()).or_default();
            assert!(status.watermark >= *mark, "I2: the watermark went back");
            *mark = status.watermark;
            for (sequence, arrival) in channel.iter().enumerate() {
                let sequence = sequence as u64;
                match machine.delivery(id, sequence).unwrap() {
                    DeliveryStatus::Finished => {
                        assert!(
                            self.came_late(id, sequence)
                                || self.is_handled(config, channel, arrival),
                            "I1/I2: lost {sequence}"
                        );
                    }
                    DeliveryStatus::InChannel => {
                        assert!(
                            sequence >= status.watermark,
                            "I2: {sequence} is passed over"
                        );
                    }
                    DeliveryStatus::Dead => {
                        assert!(
                            !self.removed.contains(&sequence),
                            "I12: the record of letter {sequence} is gone"
                        );
                        let letter = machine.dead_letter(id, sequence).unwrap();
                        let was = letter
                            .edit
                            .map_or(&letter.event.id, |edit| &edit.notes[0].id);
                        assert_eq!(
                            (was, &letter.event.key),
                            (&arrival.event.id, &arrival.event.key),
                            "I9: a letter without its event"
                        );
                    }
                    _ => {}
                }
            }
            let ended = [self.finished.get(id), self.repeated.get(id)];
            for sequence in ended.into_iter().flatten().flatten() {
                let now = machine.delivery(id, *sequence);
                assert_eq!(
                    now,
                    Some(DeliveryStatus::Finished),
                    "I1: {sequence} was finished"
                );
            }
            for sequence in self.discarded.get(id).into_iter().flatten() {
                let now = machine.delivery(id, *sequence);
                assert_eq!(
                    now,
                    Some(DeliveryStatus::Discarded),
                    "O3: {sequence} was given up"
                );
                assert!(
                    !self.removed.contains(sequence),
                    "O3: the record of {sequence}, which may be taken back, is gone"
                );
            }
            let letters = machine.dead_letters(id).count();
            assert!(letters <= config.dead_letters, "{letters} dead letters");
        }
    }

    /// Whether a handler did the work of an event, under this sequence or a twin's.
    fn is_handled(&self, config: &ConsumerConfig, channel: &[Arrival], arrival: &Arrival) -> bool {
        let Some(handled) = self.handled.get(&config.id) else {
            return false;
        };
        handled.contains(&arrival.sequence)
            || (config.repetition == tidegate_delivery::Repetition::Deduplicated
                && handled
                    .iter()
                    .any(|s| channel[*s as usize].event == arrival.event))
    }

    /// Whether a consumer joined when an event was gone, or was there only for others.
    fn came_late(&self, id: &ConsumerId, sequence: u64) -> bool {
        self.missed
            .get(id)
            .is_some_and(|missed| missed.contains(&sequence))
    }

    fn consumer(&self, id: &ConsumerId) -> &ConsumerConfig {
        self.config
            .consumers
            .iter()
            .find(|config| config.id == *id)
            .unwrap()
    }
}

/// Whom a command is for; `None`: the breaker.
fn target(command: &Command) -> Option<ConsumerId> {
    match command {
        Command::OpenBreaker { .. }
        | Command::ResetBreaker { .. }
        | Command::StartJob { .. }
        | Command::TurnJob { .. } => None,
        Command::Pause { consumer, .. }
        | Command::Resume { consumer }
        | Command::Edit { consumer, .. }
        | Command::Discard { consumer, .. }
        | Command::Restore { consumer, .. } => Some(consumer.clone()),
    }
}

/// Whether two deliveries of a consumer may not overtake each other.
fn in_lane(config: &ConsumerConfig, channel: &[Arrival], one: u64, other: u64) -> bool {
    let key = |sequence: u64| channel[sequence as usize].event.key.as_ref();
    one != other
        && match config.order {
            Order::None => false,
            Order::Total => true,
            Order::Key => key(one).is_some() && key(one) == key(other),
        }
}
