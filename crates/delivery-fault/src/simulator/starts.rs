//! What must hold when a delivery is admitted, starts and ends.

use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{
    Arrival, Conclusion, ConsumerConfig, DeliveryStatus, Effect, Followers, Heard, Machine, Mode,
    Outcome, Release, Repetition, RetryMode, Ticket,
};

use super::classes;
use super::promises::{Watch, in_lane};
use super::seek::Known;
use super::tokens::Tokens;

impl Watch {
    /// A delivery has passed the gates: its start is being recorded.
    pub(super) fn admitted(
        &mut self,
        machine: &Machine,
        channel: &[Arrival],
        (consumer, sequence): (&ConsumerId, u64),
        now: Timestamp,
    ) {
        self.in_order(machine, channel, consumer, sequence);
        self.probes_well(machine, channel, consumer, sequence);
        let place = (consumer.clone(), sequence);
        self.starts_in_time(channel, &place, now);
        let due = self
            .process
            .retry_at
            .get(&place)
            .is_none_or(|at| *at <= now);
        self.broken
            .unless(due, || format!("I14: {place:?} is retried too early"));
        let alone = self.process.left_alone.get(consumer);
        self.broken
            .unless(alone.is_none_or(|until| *until <= now), || {
                format!("I14: {place:?} starts although the handler asked to be left alone")
            });
        self.touched.insert(place.clone());
        self.process.ran.insert(place);
        self.affords(consumer, sequence, now);
        self.keeps_to_rate(consumer, now);
    }

    /// I3 and I10: nothing is admitted before what stands before it in its lane, redriven or not.
    fn in_order(
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
                // It is for later.
                Some(DeliveryStatus::Waiting) if self.is_for_later(channel, consumer, before) => {
                    true
                }
                // Retention has removed it, which the machine finds when it reads on.
                Some(DeliveryStatus::InChannel) if self.removed.contains(&before) => true,
                // Or waited for a retry before a restart.
                Some(DeliveryStatus::Waiting | DeliveryStatus::InChannel) => {
                    config.retry.mode == RetryMode::NonBlocking
                }
                _ => false,
            };
            self.broken.unless(passes, || {
                format!(
                    "I3/I10: {sequence} of {consumer} goes before {before}, which is {status:?}"
                )
            });
        }
    }

    /// I7: a half-open breaker is not probed with what failed while something else can run.
    fn probes_well(
        &self,
        machine: &Machine,
        channel: &[Arrival],
        consumer: &ConsumerId,
        sequence: u64,
    ) {
        let config = self.consumer(consumer);
        let half_open = config.needs.iter().any(|need| {
            machine
                .breaker(need, self.process.now)
                .is_some_and(|breaker| breaker.state == "half-open")
        });
        let place = (consumer.clone(), sequence);
        let doubtful =
            self.process.tainted.contains(&place) || self.process.suspects.contains(&place);
        if !half_open || !doubtful {
            return;
        }
        let better = (0..channel.len() as u64)
            .find(|other| self.could_probe(machine, channel, config, *other));
        self.broken.unless(better.is_none(), || {
            format!("I7: {place:?} probes, and {better:?} never failed")
        });
    }

    /// Whether a delivery could run for sure, and was never admitted.
    fn could_probe(
        &self,
        machine: &Machine,
        channel: &[Arrival],
        config: &ConsumerConfig,
        number: u64,
    ) -> bool {
        let event = &channel[number as usize].event;
        let status = machine.status(&config.id, self.process.now);
        // What is newer waits until a replay has been read.
        if status.is_none_or(|status| status.replaying.is_some()) {
            return false;
        }
        let alone = channel
            .iter()
            .all(|other| other.sequence == number || other.event != *event);
        let done = |before: &u64| {
            matches!(
                machine.delivery(&config.id, *before),
                Some(DeliveryStatus::Finished | DeliveryStatus::Discarded)
            )
        };
        // What was for later does not run beside what it has let pass.
        let busy = |after: &u64| {
            matches!(
                machine.delivery(&config.id, *after),
                Some(DeliveryStatus::Running | DeliveryStatus::Settling)
            )
        };
        machine.delivery(&config.id, number) == Some(DeliveryStatus::Ready)
            && alone
            && !self.touched.contains(&(config.id.clone(), number))
            && (0..number)
                .filter(|before| in_lane(config, channel, *before, number))
                .all(|before| done(&before))
            && !(number..channel.len() as u64)
                .filter(|after| in_lane(config, channel, *after, number))
                .any(|after| busy(&after))
    }

    /// I8: retries stay within their share of first attempts, the floor and the start.
    fn affords(&mut self, consumer: &ConsumerId, sequence: u64, now: Timestamp) {
        let Some(share) = self.consumer(consumer).retry.budget else {
            return;
        };
        let place = (consumer.clone(), sequence);
        let process = &mut self.process;
        let tokens = process.retries.entry(consumer.clone());
        let tokens = tokens.or_insert_with(|| Tokens::new(share.value(), 1.0, now));
        if process.failures.get(&place).is_none_or(|f| *f == 0) {
            // The machine pays at the end of a first attempt; here it is at its start, which is no less.
            if process.paid.insert(place) {
                tokens.earn(now);
            }
            return;
        }
        let afforded = tokens.spend(now);
        self.broken.unless(afforded, || {
            format!("I8: {place:?} is retried beyond the budget")
        });
    }

    /// I13 and I15: a start is counted before it is sent.
    pub(super) fn sent(&self, ticket: &Ticket, under_way: bool) {
        let known = self
            .touched
            .contains(&(ticket.consumer.clone(), ticket.sequence));
        self.broken.unless(known && !under_way, || {
            format!("I13: {ticket:?} is sent before its start is kept")
        });
    }

    pub(super) fn started(
        &mut self,
        machine: &Machine,
        channel: &[Arrival],
        ticket: &Ticket,
        (attempt, event): (u32, &Known),
        now: Timestamp,
    ) {
        self.end_leases(now);
        self.of_this_epoch(machine, ticket);
        self.not_over(ticket, event);
        self.starts_edited(machine, ticket);
        self.as_commanded(ticket);
        self.alone_in_lane(channel, ticket);
        self.suspects_alone(ticket);
        self.breakers(machine, ticket, now);
        let place = (ticket.consumer.clone(), ticket.sequence);
        let process = &mut self.process;
        let expected = *process.next_attempt.entry(place.clone()).or_insert(attempt);
        let failures = process.failures.get(&place).copied().unwrap_or(0);
        self.broken
            .unless(attempt == expected && attempt > failures, || {
                format!("I11: {ticket:?} starts as attempt {attempt}, not {expected}, after {failures} failures")
            });
        let config = self.consumer(&ticket.consumer);
        let (ends, concurrency) = (now + config.timeout, config.concurrency as usize);
        let pulls = config.mode == Mode::Pull;
        let process = &mut self.process;
        if pulls {
            process.leases.insert(ticket.clone(), ends);
        }
        process.running.insert(place, (ticket.clone(), ends));
        let running = process.running.keys();
        let running = running.filter(|(other, _)| *other == ticket.consumer);
        let running = running.count();
        self.broken.unless(running <= concurrency, || {
            format!(
                "I7: {running} run of {}, {concurrency} may",
                ticket.consumer
            )
        });
    }

    /// I5: what starts is of this process.
    fn of_this_epoch(&mut self, machine: &Machine, ticket: &Ticket) {
        let epoch = ticket.epoch;
        self.broken.unless(epoch == machine.epoch(), || {
            format!("I5: an attempt of epoch {epoch} starts")
        });
        self.broken.unless(epoch > self.process.earlier, || {
            format!("I5: epoch {epoch} started things in an earlier process")
        });
        self.epoch_starts(epoch);
    }

    /// I1, I16, I17: what is over does not start.
    fn not_over(&self, ticket: &Ticket, event: &Known) {
        let Ticket {
            consumer, sequence, ..
        } = ticket;
        self.broken.unless(!self.removed.contains(sequence), || {
            format!("I16: {ticket:?} starts without its record")
        });
        self.broken
            .unless(!self.came_late(consumer, *sequence), || {
                format!("I16: {ticket:?} is of the time before the consumer")
            });
        let mut ended = [&self.finished, &self.process.repeated]
            .into_iter()
            .filter_map(|ended| ended.get(consumer));
        self.broken
            .unless(!ended.any(|done| done.contains(sequence)), || {
                format!("I1: {ticket:?} is finished and starts again")
            });
        let buried = self.buried.get(consumer);
        self.broken
            .unless(!buried.is_some_and(|dead| dead.contains(sequence)), || {
                format!("I1: {ticket:?} is a dead letter and starts again")
            });
        if self.consumer(consumer).repetition == Repetition::Allowed {
            return;
        }
        let mut running = self.process.running.keys();
        let twin = running.find(|other| {
            other.0 == *consumer && other.1 != *sequence && self.seeks.are_twins(event, other)
        });
        self.broken.unless(twin.is_none(), || {
            format!("I17: {ticket:?} runs beside {twin:?}")
        });
        self.broken
            .unless(!self.seeks.is_done(consumer, event), || {
                format!("I17: {ticket:?} repeats {event:?}")
            });
    }

    /// O1 and O2: nothing starts that an operator has closed.
    fn as_commanded(&self, ticket: &Ticket) {
        self.broken
            .unless(!self.paused.contains(&ticket.consumer), || {
                format!("O1: {ticket:?} starts while its consumer is paused")
            });
        let needs = &self.consumer(&ticket.consumer).needs;
        let closed = self.forced && needs.iter().any(|need| need.dependency().is_some());
        self.broken.unless(!closed, || {
            format!("O2: {ticket:?} starts through a breaker that is held open")
        });
    }

    /// A lease ends inside the machine, without an input, and long before its end is recorded.
    fn end_leases(&mut self, now: Timestamp) {
        let consumers = &self.config.consumers;
        let pulls = |id: &ConsumerId| {
            consumers
                .iter()
                .any(|c| c.id == *id && c.mode == Mode::Pull)
        };
        let process = &mut self.process;
        process
            .running
            .retain(|(consumer, _), (_, ends)| *ends > now || !pulls(consumer));
        let running = &process.running;
        process.probes.retain(|(consumer, sequence, run), _| {
            running
                .get(&(consumer.clone(), *sequence))
                .is_some_and(|(ticket, _)| ticket.run == *run)
        });
    }

    /// I3: in a lane one runs at a time.
    fn alone_in_lane(&self, channel: &[Arrival], ticket: &Ticket) {
        let config = self.consumer(&ticket.consumer);
        let beside = self.process.running.keys().find(|(consumer, sequence)| {
            *consumer == ticket.consumer && in_lane(config, channel, *sequence, ticket.sequence)
        });
        self.broken.unless(beside.is_none(), || {
            format!("I3: {ticket:?} starts beside {beside:?}")
        });
    }

    /// I15: what may have ended the process runs with nothing else of its consumer, and what did so
    /// alone with no other such.
    fn suspects_alone(&self, ticket: &Ticket) {
        let place = (ticket.consumer.clone(), ticket.sequence);
        let process = &self.process;
        let is = process.suspects.contains(&place);
        let beside = process.running.keys().find(|other| {
            let suspicious = is || process.suspects.contains(*other);
            let crashed =
                |place| process.suspects.contains(place) && process.crashed.contains(place);
            (other.0 == place.0 && suspicious) || (crashed(&place) && crashed(*other))
        });
        self.broken.unless(beside.is_none(), || {
            format!("I15: {ticket:?}, a suspect: {is}, starts beside {beside:?}")
        });
    }

    /// I7: while a breaker is open nothing that needs it starts; half open, only probes.
    fn breakers(&mut self, machine: &Machine, ticket: &Ticket, now: Timestamp) {
        for need in &self.consumer(&ticket.consumer).needs.clone() {
            let Some(status) = machine.breaker(need, now) else {
                continue;
            };
            self.broken.unless(status.state != "open", || {
                format!("I7: {ticket:?} starts through an open breaker")
            });
            if status.state != "half-open" {
                continue;
            }
            let probes = &mut self.process.probes;
            probes.retain(|_, (of, since)| *of != *need || *since == status.since);
            let probe = (ticket.consumer.clone(), ticket.sequence, ticket.run);
            probes.insert(probe, (need.clone(), status.since));
            let mut breakers = self.config.dependencies.iter();
            let breaker = breakers.find(|breaker| breaker.name == *need);
            let most = breaker.map_or(0, |breaker| breaker.probes as usize);
            let probing = probes.values().filter(|(of, _)| *of == *need).count();
            self.broken.unless(probing <= most, || {
                format!("I7: {probing} probes of {most}")
            });
        }
    }

    /// I5: an outcome of another epoch, or of an attempt that does not run, changes nothing.
    pub(super) fn ended(&mut self, machine: &Machine, ticket: &Ticket, ran: bool, heard: Heard) {
        let rejected = heard == Heard::Rejected;
        self.broken.unless(rejected != ran, || {
            format!("I5: an outcome of {ticket:?}, which runs: {ran}")
        });
        self.broken
            .unless(rejected || ticket.epoch == machine.epoch(), || {
                format!("I5: of another epoch: {ticket:?}")
            });
        let place = (ticket.consumer.clone(), ticket.sequence);
        let process = &mut self.process;
        let running = process.running.get(&place);
        if running.is_some_and(|(running, _)| running == ticket) {
            process.running.remove(&place);
        }
        process
            .probes
            .remove(&(ticket.consumer.clone(), ticket.sequence, ticket.run));
    }

    /// Whether a breaker that a consumer needs is not closed.
    pub(super) fn is_open(&self, machine: &Machine, consumer: &ConsumerId, now: Timestamp) -> bool {
        let needs = &self.consumer(consumer).needs;
        let mut breakers = needs.iter().filter_map(|need| machine.breaker(need, now));
        breakers.any(|breaker| breaker.state != "closed")
    }

    /// An attempt that ran has ended: the outcome does what it says, and nothing else.
    pub(super) fn settled(
        &mut self,
        ticket: &Ticket,
        outcome: &Outcome,
        open: bool,
        effects: &[Effect],
        now: Timestamp,
    ) {
        let place = (ticket.consumer.clone(), ticket.sequence);
        let found = effects.iter().find_map(|effect| match effect {
            Effect::Concluded {
                consumer,
                sequence,
                conclusion,
                ..
            } if *consumer == place.0 && *sequence == place.1 => Some(*conclusion),
            _ => None,
        });
        let policy = self.consumer(&ticket.consumer).retry;
        let before = self
            .process
            .classes
            .get(&place)
            .copied()
            .unwrap_or_default();
        let right = classes::is_right(&policy, outcome, &before, open, found, now);
        self.broken.unless(right, || {
            format!(
                "I11/I14/C1/C2: {place:?} ended with {outcome:?} after {before:?}, breaker open: {open}, and is {found:?}"
            )
        });
        match outcome {
            Outcome::Done | Outcome::DoneWith(_) => self.earned_letter(&place.0),
            Outcome::Overload {
                after: Some(after), ..
            } if classes::holds(&policy) => {
                let until = self.process.left_alone.entry(place.0).or_default();
                *until = (*until).max(now + *after);
            }
            _ => {}
        }
        if found == Some(Conclusion::Released(Release::BreakerOpen)) {
            let place = (ticket.consumer.clone(), ticket.sequence);
            self.process.tainted.insert(place);
        }
        let withdrawn = Some(Conclusion::Released(Release::Withdrawn));
        if found != withdrawn {
            let place = (ticket.consumer.clone(), ticket.sequence);
            self.process.suspects.remove(&place);
        }
    }
}
