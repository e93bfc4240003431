//! What must hold whatever happens, watched from outside the machine.
//!
//! I1 every event is, for each consumer, under way or in one final state, and done only once a handler
//! did it · I2 the watermark passes nothing that would not come back · I3 order within a lane · I5 no
//! outcome of another epoch counts · I6 failures stay below the most of a redrive round · I7 an open
//! breaker starts nothing, a half-open one probes · I8 retries and dead letters stay within their budgets
//! · I9 a dead letter has its event · I10 a redrive keeps its place · I11 what is held, released or
//! called off counts nothing · I13 nothing is visible before it is kept · I14 nobody is asked earlier
//! than they said · I15 what ends the process is found, alone · I16 retention leaves what is needed ·
//! I17 a finished event is not repeated by its twin · I18 nothing waits for longer than was asked for · I19 a
//! restart brings a lane back in its order · O1 to O3 what an operator closed stays closed.
//!
//! Beside it: I4 in `states.rs`, R1 to R4 in `seek.rs`, J1 to J6, E1 and E2 in `letters.rs`, F1 and F2 in
//! `rates.rs`, S1 to S5 in `schedule.rs`, C1 to C3 in `classes.rs`.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_base::limit::SOLO_CRASHES_MAX;
use tidegate_base::{BreakerName, ConsumerId, Timestamp};
use tidegate_delivery::{
    Arrival, Command, Company, Conclusion, ConsumerConfig, ConsumerStatus, DeathReason,
    DeliveryStatus, Followers, Machine, Order, Repetition, RetryMode, SystemConfig, Ticket,
};

use super::broken::Broken;
use super::classes;
use super::disk::Disk;
use super::knowledge::Knowledge;
use super::letters::Letters;
use super::rates::Rates;
use super::seek::Seeks;
use super::states::Counts;
use super::tokens::Tokens;
use super::world::{Sequences, is_end};

pub(super) type Place = (ConsumerId, u64);

pub(super) struct Watch {
    pub(super) broken: Broken,
    pub(super) config: SystemConfig,
    /// Deliveries whose handler did its work at least once.
    handled: Sequences,
    /// Deliveries that the machine called finished.
    pub(super) finished: Sequences,
    /// Deliveries that became dead letters and were not redriven.
    pub(super) buried: Sequences,
    /// Deliveries that were admitted at least once.
    pub(super) touched: BTreeSet<Place>,
    /// The last epoch that started anything.
    epoch: u64,
    /// Ends of the process that a delivery made and that must have been counted.
    kills: BTreeMap<Place, u32>,
    /// Records that the channel no longer has.
    pub(super) removed: BTreeSet<u64>,
    /// What a consumer that joined later came too late for.
    missed: Sequences,
    /// Consumers that an operator has paused, and whether one holds the breaker open.
    pub(super) paused: BTreeSet<ConsumerId>,
    pub(super) forced: bool,
    /// Letters that were given up and not taken back, and those that are being taken back.
    discarded: Sequences,
    restoring: BTreeSet<Place>,
    /// The last command for each of what commands are for.
    last_command: BTreeMap<Target, u64>,
    pub(super) seeks: Seeks,
    pub(super) letters: Letters,
    pub(super) counts: Counts,
    pub(super) process: Process,
}

/// What is watched within one process.
#[derive(Default)]
pub(super) struct Process {
    pub(super) now: Timestamp,
    /// The last epoch that started anything before.
    pub(super) earlier: u64,
    /// Deliveries called repeated. A power failure may take that back: they are found again.
    pub(super) repeated: Sequences,
    /// The attempts that run, and when they end at the latest.
    pub(super) running: BTreeMap<Place, (Ticket, Timestamp)>,
    /// Failed attempts of the redrive round.
    pub(super) failures: BTreeMap<Place, u32>,
    pub(super) classes: BTreeMap<Place, classes::Counts>,
    /// What the next attempt must be.
    pub(super) next_attempt: BTreeMap<Place, u32>,
    /// When what failed may start again, and consumers that asked to be left alone.
    pub(super) retry_at: BTreeMap<Place, Timestamp>,
    pub(super) left_alone: BTreeMap<ConsumerId, Timestamp>,
    /// Deliveries that must not probe while others can.
    pub(super) tainted: BTreeSet<Place>,
    /// Deliveries that have run: the time that was set for them is over.
    pub(super) ran: BTreeSet<Place>,
    /// Deliveries that may have ended the process, and those that did so alone.
    pub(super) suspects: BTreeSet<Place>,
    pub(super) crashed: BTreeSet<Place>,
    /// First attempts that were paid for.
    pub(super) paid: BTreeSet<Place>,
    pub(super) retries: BTreeMap<ConsumerId, Tokens>,
    letters: BTreeMap<ConsumerId, Tokens>,
    pub(super) rates: Rates,
    watermarks: BTreeMap<ConsumerId, u64>,
    /// When the leases end that were given.
    pub(super) leases: BTreeMap<Ticket, Timestamp>,
    pub(super) probes: BTreeMap<(ConsumerId, u64, u64), (BreakerName, Timestamp)>,
}

impl Watch {
    pub(super) fn new(config: &SystemConfig, now: Timestamp) -> Self {
        Self {
            broken: Broken::default(),
            config: config.clone(),
            handled: Sequences::new(),
            finished: Sequences::new(),
            buried: Sequences::new(),
            touched: BTreeSet::new(),
            epoch: 0,
            kills: BTreeMap::new(),
            removed: BTreeSet::new(),
            missed: Sequences::new(),
            paused: BTreeSet::new(),
            forced: false,
            discarded: Sequences::new(),
            restoring: BTreeSet::new(),
            last_command: BTreeMap::new(),
            seeks: Seeks::default(),
            letters: Letters::default(),
            counts: Counts::default(),
            process: Process {
                rates: Rates::new(config, now),
                ..Process::default()
            },
        }
    }

    /// From now on what an operator has closed before may be open again.
    pub(super) fn commanded(&mut self, token: u64, command: &Command) {
        self.last_command.insert(target(command), token);
        match command {
            Command::Resume { consumer } => {
                self.process.left_alone.remove(consumer);
                self.paused.remove(consumer);
                if let Some(tokens) = self.process.letters.get_mut(consumer) {
                    tokens.refill();
                }
            }
            Command::ResetBreaker { .. } => self.forced = false,
            Command::Restore {
                consumer,
                sequences,
            } => {
                let discarded = self.discarded.entry(consumer.clone()).or_default();
                discarded.retain(|sequence| !sequences.contains(sequence));
                let places = sequences.iter().map(|s| (consumer.clone(), *s));
                self.restoring.extend(places);
            }
            _ => {}
        }
    }

    /// From now on, in every process to come, it must be as it was commanded.
    pub(super) fn obeyed(&mut self, token: u64, command: &Command, under_way: bool) {
        let is_refused = match command {
            Command::StartJob { .. } => !self.letters.is_begun_by(token),
            Command::Replay { .. } | Command::Skip { .. } => !self.seeks.is_taking(token),
            _ => false,
        };
        self.sought_durably(token, command);
        self.ordered_durably(token, command);
        if self.last_command.get(&target(command)) != Some(&token) {
            // It was commanded otherwise meanwhile.
            return;
        }
        self.broken.unless(!under_way || is_refused, || {
            format!("I13: {command:?} is answered and not kept")
        });
        match command {
            Command::Pause { consumer, .. } => drop(self.paused.insert(consumer.clone())),
            Command::OpenBreaker { .. } => self.forced = true,
            _ => {}
        }
    }

    pub(super) fn cleaned(&mut self, removed: &BTreeSet<u64>) {
        self.removed.clone_from(removed);
    }

    /// A consumer is new in the design.
    pub(super) fn joined(&mut self, config: &ConsumerConfig, head: u64) {
        let missed = self.removed.iter().copied().chain(0..head);
        self.missed.insert(config.id.clone(), missed.collect());
        self.config.consumers.push(config.clone());
    }

    pub(super) fn passes(&mut self, now: Timestamp) {
        self.process.now = now;
    }

    /// Another process takes up what the disk says.
    pub(super) fn restarted(&mut self, machine: &Machine, known: Knowledge, now: Timestamp) {
        self.restoring.clear();
        self.seeks.restarted();
        self.letters.restarted(machine);
        self.counts_are_found(machine);
        self.process = Process {
            earlier: self.epoch,
            rates: Rates::new(&self.config, now),
            ..Process::default()
        };
        for (place, known) in known {
            if known.has_run() {
                self.process.ran.insert(place.clone());
            }
            if known.dead {
                continue;
            }
            if known.started.is_some() {
                self.process.suspects.insert(place.clone());
            }
            if known.crashes > 0 || known.started == Some(Company::Alone) {
                self.process.crashed.insert(place.clone());
            }
            if known.failures > 0 {
                let counts = classes::counts(known.failures, known.classes);
                self.process.classes.insert(place.clone(), counts);
                self.process.failures.insert(place, known.failures);
            }
        }
    }

    /// What was only written may be gone: starts may go uncounted.
    pub(super) fn lost_power(&mut self) {
        self.kills.clear();
    }

    /// A delivery ends the process.
    pub(super) fn kills(&mut self, place: &Place) {
        let kills = self.kills.entry(place.clone()).or_default();
        *kills += 1;
        let kills = *kills;
        // One in company, which makes it a suspect, then those that it ran alone.
        self.broken.unless(kills <= 1 + SOLO_CRASHES_MAX, || {
            format!("I15: {place:?} has ended the process {kills} times")
        });
    }

    pub(super) fn handled(&mut self, ticket: &Ticket) {
        let handled = self.handled.entry(ticket.consumer.clone()).or_default();
        handled.insert(ticket.sequence);
        self.seeks.handled(ticket);
    }

    pub(super) fn epoch_starts(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch);
    }

    /// A delivery did well, for the budget of dead letters.
    pub(super) fn earned_letter(&mut self, consumer: &ConsumerId) {
        let now = self.process.now;
        if let Some(tokens) = self.letter_tokens(consumer) {
            tokens.earn(now);
        }
    }

    fn letter_tokens(&mut self, consumer: &ConsumerId) -> Option<&mut Tokens> {
        let share = self.consumer(consumer).dead_letter_budget?.value();
        let now = self.process.now;
        let letters = self.process.letters.entry(consumer.clone());
        Some(letters.or_insert_with(|| Tokens::new(share, 1.0 / 300.0, now)))
    }

    /// I8: the machine makes a dead letter.
    pub(super) fn given_up(&mut self, consumer: &ConsumerId, sequence: u64) {
        let place = (consumer.clone(), sequence);
        if self.restoring.contains(&place) || self.letters.editing == Some(place) {
            return;
        }
        let now = self.process.now;
        let afforded = self
            .letter_tokens(consumer)
            .is_none_or(|tokens| tokens.spend(now));
        self.broken.unless(afforded, || {
            format!("I8: {consumer} makes a letter of {sequence} beyond its budget")
        });
    }

    pub(super) fn concluded(
        &mut self,
        consumer: &ConsumerId,
        sequence: u64,
        c: Conclusion,
        under_way: bool,
    ) {
        let place = (consumer.clone(), sequence);
        let process = &mut self.process;
        process.running.remove(&place);
        // A lease ends inside the machine, without an input.
        process
            .probes
            .retain(|(id, other, _), _| id != consumer || *other != sequence);
        if c != Conclusion::Released(tidegate_delivery::Release::Withdrawn) {
            process.suspects.remove(&place);
        }
        match c {
            Conclusion::Failed { .. } | Conclusion::Released(_) => {}
            _ => self.broken.unless(!under_way, || {
                format!("I13: {sequence} of {consumer} is {c:?} before that is kept")
            }),
        }
        self.ended_in_generation(&place, c);
        match c {
            Conclusion::Failed { until, class } => self.failed(place, class, until),
            Conclusion::Released(_) | Conclusion::Redriven => {}
            Conclusion::Restored => drop(self.restoring.remove(&place)),
            Conclusion::Discarded => {
                let discarded = self.discarded.entry(consumer.clone()).or_default();
                discarded.insert(sequence);
            }
            Conclusion::DeadLettered(reason) => {
                let buried = self.buried.entry(consumer.clone()).or_default();
                buried.insert(sequence);
                self.dead_for_a_reason(consumer, sequence, reason);
            }
            Conclusion::Succeeded | Conclusion::Duplicate | Conclusion::Skipped => {
                self.count_is_kept(&place);
                self.letters.over(&place);
                let ended = match c {
                    Conclusion::Duplicate => &mut self.process.repeated,
                    _ => &mut self.finished,
                };
                ended.entry(consumer.clone()).or_default().insert(sequence);
            }
        }
        self.broken.unless(
            !is_end(c) || self.was_handled(consumer, sequence, c),
            || format!("I1: nobody handled {sequence} of {consumer}, which is {c:?}"),
        );
    }

    /// I15: only what ran when a process ended is given up for that.
    fn dead_for_a_reason(&self, consumer: &ConsumerId, sequence: u64, reason: DeathReason) {
        let place = (consumer.clone(), sequence);
        self.broken.unless(
            reason != DeathReason::Crash || self.process.crashed.contains(&place),
            || format!("I15: {place:?} is given up for ends of the process it has not seen"),
        );
    }

    /// An operator sends dead letters back.
    pub(super) fn redriven(&mut self, consumer: &ConsumerId, sequences: &[u64]) {
        let buried = self.buried.entry(consumer.clone()).or_default();
        buried.retain(|sequence| !sequences.contains(sequence));
        // Its round begins anew; it starts once that is durable.
        let process = &mut self.process;
        for place in sequences.iter().map(|s| (consumer.clone(), *s)) {
            process.failures.remove(&place);
            process.classes.remove(&place);
            process.next_attempt.remove(&place);
            process.retry_at.remove(&place);
            process.paid.remove(&place);
            process.tainted.remove(&place);
            process.crashed.remove(&place);
            self.kills.remove(&place);
        }
    }

    fn was_handled(&self, consumer: &ConsumerId, sequence: u64, c: Conclusion) -> bool {
        c == Conclusion::Duplicate
            || self
                .handled
                .get(consumer)
                .is_some_and(|handled| handled.contains(&sequence))
    }

    /// What holds at every moment.
    pub(super) fn hold(
        &mut self,
        machine: &Machine,
        channel: &[Arrival],
        disk: &Disk,
        now: Timestamp,
    ) {
        for config in &self.config.consumers {
            let id = &config.id;
            let Some(status) = machine.status(id, now) else {
                continue;
            };
            let mark = self.process.watermarks.entry(id.clone()).or_default();
            self.broken.unless(status.watermark >= *mark, || {
                format!("I2: the watermark of {id} went back")
            });
            *mark = status.watermark;
            for arrival in channel {
                self.in_its_place(machine, channel, disk, (config, arrival, status.watermark));
            }
            self.stays_finished(machine, config);
            self.waits_no_longer(machine, config, &status);
            self.is_held_no_longer(machine, id, now);
            self.schedule_holds(machine, channel, disk, (config, &status));
            self.letters_are_bounded(machine, config, &status);
        }
        self.letters_hold(machine);
    }

    /// I1, I2, I9, I16: one event at one consumer.
    fn in_its_place(
        &self,
        machine: &Machine,
        channel: &[Arrival],
        disk: &Disk,
        (config, arrival, watermark): (&ConsumerConfig, &Arrival, u64),
    ) {
        let (id, sequence) = (&config.id, arrival.sequence);
        match machine.delivery(id, sequence) {
            Some(DeliveryStatus::Finished) => {
                let over = self.came_late(id, sequence)
                    || self.seeks.may_be_skipped(id, sequence)
                    || self.is_handled(config, channel, arrival);
                self.broken
                    .unless(over, || format!("I1/I2: {id} has lost {sequence}"));
                self.is_paid(config, channel, arrival);
            }
            Some(DeliveryStatus::Dead) => {
                self.broken.unless(!self.removed.contains(&sequence), || {
                    format!("I16: the record of letter {sequence} is gone")
                });
                let letter = machine.dead_letter(id, sequence);
                let whole = letter.is_some_and(|letter| {
                    let first = letter.edit.and_then(|edit| edit.notes.first());
                    let id = first.map_or(&letter.event.id, |note| &note.id);
                    (id, &letter.event.key) == (&arrival.event.id, &arrival.event.key)
                });
                self.broken
                    .unless(whole, || format!("I9: letter {sequence} has not its event"));
            }
            Some(DeliveryStatus::Discarded) | None => {}
            Some(live) => {
                let returns = sequence >= watermark
                    || disk.keeps(id, sequence)
                    || self.seeks.is_replay(id, sequence);
                self.broken.unless(returns, || {
                    format!("I2: {sequence} of {id} is {live:?} and would not come back")
                });
                if disk.keeps(id, sequence) {
                    self.comes_back_in_order(machine, channel, disk, (config, sequence));
                }
            }
        }
    }

    /// I19: a restart finds nothing ahead of what the channel would bring again of its lane.
    fn comes_back_in_order(
        &self,
        machine: &Machine,
        channel: &[Arrival],
        disk: &Disk,
        (config, sequence): (&ConsumerConfig, u64),
    ) {
        if config.followers == Followers::Continue || config.retry.mode == RetryMode::NonBlocking {
            return;
        }
        let id = &config.id;
        let is_over = |status| {
            matches!(
                status,
                Some(DeliveryStatus::Finished | DeliveryStatus::Discarded | DeliveryStatus::Dead)
            )
        };
        let behind = (0..sequence)
            .filter(|before| in_lane(config, channel, *before, sequence))
            .filter(|before| !self.removed.contains(before))
            // A restart reads what a replay brings before anything newer starts.
            .filter(|before| !self.seeks.is_replay(id, *before))
            .filter(|before| !is_over(machine.delivery(id, *before)) && !disk.keeps(id, *before))
            .find(|before| !disk.skips(id, *before));
        self.broken.unless(behind.is_none(), || {
            format!("I19: the state keeps {sequence} of {id} ahead of {behind:?}")
        });
    }

    /// I18: whatever the clock did, nothing waits for longer than was designed or asked for.
    fn waits_no_longer(&self, machine: &Machine, config: &ConsumerConfig, status: &ConsumerStatus) {
        let now = self.process.now;
        let until = status.failing.as_ref().and_then(|failing| failing.until);
        let soon = until.is_none_or(|until| until <= now + config.retry.longest_wait());
        self.broken.unless(soon, || {
            format!("I18: {} waits for a retry until {until:?}", config.id)
        });
        for dependency in &self.config.dependencies {
            let breaker = machine.breaker(&dependency.name, now);
            let probes_at = breaker.and_then(|breaker| breaker.probes_at);
            let soon = probes_at.is_none_or(|at| at <= now + dependency.open);
            self.broken.unless(soon, || {
                format!("I18: {} is open until {probes_at:?}", dependency.name)
            });
        }
        let over = |ticket: &Ticket| self.process.leases.get(ticket).is_some_and(|at| *at <= now);
        let running = machine.running();
        let late = running.iter().find(|ticket| over(ticket));
        self.broken.unless(late.is_none(), || {
            format!("I18: the lease of {late:?} is over")
        });
    }

    fn stays_finished(&self, machine: &Machine, config: &ConsumerConfig) {
        let id = &config.id;
        let ended = [self.finished.get(id), self.process.repeated.get(id)];
        for sequence in ended.into_iter().flatten().flatten() {
            let now = machine.delivery(id, *sequence);
            self.broken
                .unless(now == Some(DeliveryStatus::Finished), || {
                    format!("I1: {sequence} of {id} was finished and is {now:?}")
                });
        }
        for sequence in self.discarded.get(id).into_iter().flatten() {
            let now = machine.delivery(id, *sequence);
            self.broken
                .unless(now == Some(DeliveryStatus::Discarded), || {
                    format!("O3: {sequence} of {id} was given up and is {now:?}")
                });
            self.broken.unless(!self.removed.contains(sequence), || {
                format!("O3: the record of {sequence}, which may be taken back, is gone")
            });
        }
    }

    /// Whether a handler did the work of an event, under this sequence or a twin's.
    fn is_handled(&self, config: &ConsumerConfig, channel: &[Arrival], arrival: &Arrival) -> bool {
        let Some(handled) = self.handled.get(&config.id) else {
            return false;
        };
        handled.contains(&arrival.sequence)
            || (config.repetition == Repetition::Deduplicated
                && handled
                    .iter()
                    .any(|s| channel[*s as usize].event == arrival.event))
    }

    /// Whether a consumer joined when an event was gone, or was there only for others.
    pub(super) fn came_late(&self, id: &ConsumerId, sequence: u64) -> bool {
        let missed = self.missed.get(id);
        missed.is_some_and(|missed| missed.contains(&sequence))
    }

    pub(super) fn consumer(&self, id: &ConsumerId) -> &ConsumerConfig {
        let mut consumers = self.config.consumers.iter();
        consumers.find(|config| config.id == *id).unwrap()
    }
}

/// What a command is for: of two for the same the later one counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Breaker,
    Jobs,
    Consumer(ConsumerId),
    /// Where a consumer is.
    Position(ConsumerId),
    Letter(Place),
}

fn target(command: &Command) -> Target {
    match command {
        Command::OpenBreaker { .. } | Command::ResetBreaker { .. } => Target::Breaker,
        Command::StartJob { .. } | Command::TurnJob { .. } => Target::Jobs,
        Command::Pause { consumer, .. }
        | Command::Resume { consumer }
        | Command::Discard { consumer, .. }
        | Command::Restore { consumer, .. } => Target::Consumer(consumer.clone()),
        Command::Replay { consumer, .. } | Command::Skip { consumer, .. } => {
            Target::Position(consumer.clone())
        }
        Command::Edit {
            consumer, sequence, ..
        } => Target::Letter((consumer.clone(), *sequence)),
    }
}

/// Whether two deliveries of a consumer may not overtake each other.
pub(super) fn in_lane(config: &ConsumerConfig, channel: &[Arrival], one: u64, other: u64) -> bool {
    let key = |sequence: u64| channel[sequence as usize].event.key.as_ref();
    one != other
        && match config.order {
            Order::None => false,
            Order::Total => true,
            Order::Key => key(one).is_some() && key(one) == key(other),
        }
}
