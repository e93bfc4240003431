//! Admission: the gates before an attempt. A gate that is closed changes nothing about a delivery.

use tidegate_base::Timestamp;

use super::Consumer;
use super::delivery::{Custody, Phase, Run};
use crate::breaker::{Gate, Verdict};
use crate::config::Mode;
use crate::input::{Conclusion, Effect, Release, Ticket};
use crate::mutant::{self, Mutant};
use crate::outbox::Then;
use crate::record::{Company, HaltCause, StateRecord};
use crate::sequences::SequenceSet;
use crate::shared::Shared;

/// What keeps a consumer's runnable deliveries from running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The takeover is not durable yet.
    Boot,
    /// The system is draining.
    Draining,
    /// The consumer stands still.
    Halted,
    /// An operator has paused the consumer.
    Paused,
    /// The handler asked to be left alone until then.
    Overload {
        /// Until when.
        until: Timestamp,
    },
    /// The breaker of a dependency is open, or it lets only a few through.
    Breaker(tidegate_base::BreakerName),
    /// Every place is taken.
    Concurrency,
    /// Its rate lets the next one start then.
    Rate {
        /// When.
        until: Timestamp,
    },
    /// Every place of a dependency is taken, by the consumer itself or by others that need it.
    Dependency(tidegate_base::BreakerName),
    /// Every place of the process is taken, by the consumer itself or by others.
    Share,
    /// Nobody pulls.
    NobodyPulls,
    /// One that may have ended the process runs alone.
    Suspect,
    /// A replay of earlier events goes first.
    Replay,
    /// So many finished events must be remembered that only the oldest delivery may start.
    Inbox,
    /// Only retries are left, and the retry budget is used up until then.
    Budget {
        /// Until when.
        until: Timestamp,
    },
}

/// What came of the turn of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It has started something.
    Started,
    /// It would start something if there were a place of what it shares with others, and waits for one.
    Waits,
    /// It has nothing to start, or may not.
    Nothing,
}

impl Consumer {
    /// Starts one delivery if the gates let one through.
    pub(crate) fn admit_one(&mut self, now: Timestamp, shared: &mut Shared) -> Admission {
        while let Ok(gate) = self.gate(now, shared) {
            let Ok(Some(sequence)) = self.choose(now, gate, shared) else {
                break;
            };
            match self.repeated(now, sequence) {
                None => {
                    if let Some(place) = self.flow.full(&shared.shares) {
                        let turn = self.turn();
                        self.flow.wait(place, turn, &mut shared.shares);
                        return Admission::Waits;
                    }
                    self.start(now, sequence, shared);
                    return Admission::Started;
                }
                Some(Repeat::Done) => self.skip_duplicate(sequence, shared),
                Some(Repeat::Running) => self.set_aside(sequence),
            }
        }
        self.flow.give_up(&mut shared.shares);
        Admission::Nothing
    }

    /// The gates that are the same for every delivery of the consumer.
    pub(super) fn gate(&self, now: Timestamp, shared: &Shared) -> Result<Gate, Obstacle> {
        if self.paused.is_some() {
            return Err(Obstacle::Paused);
        }
        let active = self.starting + self.running;
        let probes_endpoint = match &self.halt {
            None => false,
            Some(halt) => {
                let due = halt.cause == HaltCause::Endpoint && now >= self.probe_at && active == 0;
                if !due {
                    return Err(Obstacle::Halted);
                }
                true
            }
        };
        if !shared.owned && !mutant::is(Mutant::StartsUnowned) {
            return Err(Obstacle::Boot);
        }
        if shared.draining {
            return Err(Obstacle::Draining);
        }
        if self.hold_until > now {
            return Err(Obstacle::Overload {
                until: self.hold_until,
            });
        }
        let breakers = self
            .needs
            .iter()
            .filter_map(|need| shared.breakers.get(*need));
        let mut gate = if probes_endpoint {
            Gate::Probe
        } else {
            Gate::Free
        };
        for breaker in breakers {
            match breaker.breaker.gate() {
                Gate::Hold => return Err(Obstacle::Breaker(breaker.name.clone())),
                Gate::Probe => gate = Gate::Probe,
                Gate::Free => {}
            }
        }
        let most = self.flow.limit(self.config.concurrency);
        if active >= most && !mutant::is(Mutant::ConcurrencyNotAsked) {
            return Err(Obstacle::Concurrency);
        }
        if self.config.mode == Mode::Pull && self.starting >= self.wanted {
            return Err(Obstacle::NobodyPulls);
        }
        if self.alone.is_some() && !mutant::is(Mutant::SuspectNotAlone) {
            return Err(Obstacle::Suspect);
        }
        if let Some(until) = self.flow.held_until(now) {
            return Err(Obstacle::Rate { until });
        }
        Ok(gate)
    }

    /// The delivery to run next: the oldest, or for a probe the oldest that never failed; in either
    /// case one that was put off only when all were.
    ///
    /// A suspect goes before everything, and alone: with nothing else of its consumer. One that has
    /// ended the process alone before also waits until no other such suspect of the system runs.
    fn choose(&self, now: Timestamp, gate: Gate, shared: &Shared) -> Result<Option<u64>, Obstacle> {
        let last = self.last_in_turn();
        let last = match self.is_inbox_full() {
            true => last.min(self.inbox_mark()),
            false => last,
        };
        let foremost = |runnable| self.foremost(runnable, last);
        let (mut fresh, mut again) = (foremost(&self.fresh), foremost(&self.again));
        let put_off = |sequence: Option<u64>| sequence.is_some_and(|s| self.put_off.contains(s));
        match (put_off(fresh), put_off(again)) {
            (true, false) if again.is_some() => fresh = None,
            (false, true) if fresh.is_some() => again = None,
            _ => {}
        }
        if gate == Gate::Probe
            && !mutant::is(Mutant::ProbeThatFailed)
            && let Some(fresh) = fresh
        {
            return Ok(Some(fresh));
        }
        let suspect = self.suspects.first();
        if let Some(suspect) = suspect.filter(|suspect| *suspect <= last) {
            let crashed = self
                .deliveries
                .get(&suspect)
                .is_some_and(|d| d.progress.crashes > 0);
            let free =
                self.starting + self.running == 0 && !(crashed && shared.exclusive.is_some());
            return if free {
                self.afford(now, suspect).map(Some)
            } else {
                Err(Obstacle::Suspect)
            };
        }
        match (fresh, again) {
            (Some(fresh), Some(again)) if again < fresh => {
                Ok(Some(self.afford(now, again).unwrap_or(fresh)))
            }
            (Some(fresh), _) => Ok(Some(fresh)),
            (None, Some(again)) => self.afford(now, again).map(Some),
            (None, None) if self.runnable() == 0 => Ok(None),
            (None, None) if self.last_in_turn() == last => Err(Obstacle::Replay),
            (None, None) => Err(Obstacle::Inbox),
        }
    }

    /// The first of `runnable` up to `last` that was not put off, or else the first.
    fn foremost(&self, runnable: &SequenceSet, last: u64) -> Option<u64> {
        let mut within = runnable.range(..=last);
        let first = within.next()?;
        if !self.put_off.contains(first) {
            return Some(first);
        }
        let mut rest = within.filter(|sequence| !self.put_off.contains(*sequence));
        rest.next().or(Some(first))
    }

    /// `sequence`, when it is no retry or the budget has a token for it.
    fn afford(&self, now: Timestamp, sequence: u64) -> Result<u64, Obstacle> {
        let retry = self
            .deliveries
            .get(&sequence)
            .is_some_and(|d| d.progress.failures > 0);
        match &self.budget {
            Some(_) if mutant::is(Mutant::RetryBudgetNotAsked) => Ok(sequence),
            Some(budget) if retry && budget.next(now) > now => Err(Obstacle::Budget {
                until: budget.next(now),
            }),
            _ => Ok(sequence),
        }
    }

    /// What keeps runnable deliveries from running now; `None` when nothing is runnable or nothing does.
    pub(crate) fn obstacle(&self, now: Timestamp, shared: &Shared) -> Option<Obstacle> {
        if self.runnable() == 0 {
            return None;
        }
        let chosen = self
            .gate(now, shared)
            .and_then(|gate| self.choose(now, gate, shared));
        match chosen {
            Ok(_) => self.flow.shared_obstacle(&shared.shares),
            Err(obstacle) => Some(obstacle),
        }
    }

    /// Deliveries that are the next of their lanes and ready.
    pub(crate) fn runnable(&self) -> usize {
        self.fresh.len() + self.again.len() + self.suspects.len()
    }

    fn start(&mut self, now: Timestamp, sequence: u64, shared: &mut Shared) {
        // One that was put off starts when all that could run were: the next round begins.
        if self.put_off.contains(sequence) {
            self.put_off.clear();
        }
        self.occupy_lane(sequence);
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        let company = if delivery.is_suspect() {
            Company::Alone
        } else {
            Company::Shared
        };
        if company == Company::Alone {
            self.alone = Some(sequence);
            if delivery.progress.crashes > 0 {
                shared.exclusive = Some((self.index, sequence));
            }
        }
        if delivery.progress.failures > 0
            && let Some(budget) = &mut self.budget
        {
            budget.spend(now);
        }
        let mut periods = Vec::with_capacity(self.needs.len());
        for need in &self.needs {
            periods.extend(
                shared
                    .breakers
                    .get_mut(*need)
                    .map(|named| named.breaker.start()),
            );
        }
        let run = shared.next_run();
        let deadline = now + self.config.timeout;
        delivery.progress.started = Some(company);
        delivery.phase = Phase::Starting(Run {
            sequence,
            run,
            started: now,
            deadline,
            periods,
            company,
        });
        // What moves it into the state says that it never started: its start must come behind that.
        let moves = delivery.custody == Custody::Moving;
        for identity in delivery.identities() {
            if let Some(live) = self.live.get_mut(&identity) {
                live.runs = true;
            }
        }
        self.starting += 1;
        let in_flight = self.in_flight();
        self.flow.started(now, in_flight, &mut shared.shares);
        if mutant::is(Mutant::StartNotRecorded) {
            return self.dispatch(now, sequence, shared);
        }
        let record = StateRecord::Started {
            consumer: self.config.id.clone(),
            sequence,
            company,
        };
        let then = Then::Dispatch(self.index, sequence);
        match moves {
            true => shared.out.durable(record, then),
            false => shared.out.written(record, then),
        }
    }

    /// The start is recorded: the attempt may be sent, unless something closed its way meanwhile.
    pub(crate) fn dispatch(&mut self, now: Timestamp, sequence: u64, shared: &mut Shared) {
        let Some(Phase::Starting(run)) = self.deliveries.get(&sequence).map(|d| d.phase.clone())
        else {
            return;
        };
        if !self.still_admitted(now, &run, shared) {
            self.starting = self.starting.saturating_sub(1);
            self.flow.withdrawn(&mut shared.shares);
            self.leave_breakers(now, &run, Verdict::Neutral, shared);
            self.release(&run, Release::Withdrawn, shared);
            return;
        }
        let deadline = now + self.config.timeout;
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        delivery.was_sent = true;
        delivery.phase = Phase::Running(Run {
            started: now,
            deadline,
            ..run.clone()
        });
        self.starting = self.starting.saturating_sub(1);
        self.running += 1;
        if self.config.mode == Mode::Pull {
            self.wanted = self.wanted.saturating_sub(1);
            self.leases.insert((deadline, sequence));
        }
        let (attempt, generation) = (delivery.attempt(), delivery.generation);
        let consumer = self.config.id.clone();
        let ticket = Ticket {
            consumer,
            sequence,
            epoch: shared.epoch,
            run: run.run,
        };
        let state = self.state_for(sequence);
        shared.out.effects.push(Effect::Start {
            ticket,
            attempt,
            generation,
            deadline,
            state,
        });
    }

    fn still_admitted(&self, now: Timestamp, run: &Run, shared: &Shared) -> bool {
        let breakers = self
            .needs
            .iter()
            .filter_map(|need| shared.breakers.get(*need));
        let open = breakers
            .zip(&run.periods)
            .all(|(b, period)| b.breaker.still_admits(*period));
        // While it is halted the only start is the probe of its endpoint.
        let halted = match &self.halt {
            Some(halt) => halt.cause != HaltCause::Endpoint || self.starting + self.running > 1,
            None => false,
        };
        let pulled = self.config.mode == Mode::Push || self.wanted > 0;
        let paused = self.paused.is_some();
        open && pulled && !halted && !paused && !shared.draining && self.hold_until <= now
    }

    /// When something of the consumer is due that no other input would bring about.
    pub(crate) fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let mut times = [None; 5];
        let [retry, lease, hold, budget, rate] = &mut times;
        *retry = self.waiting.first().map(|(until, _)| *until);
        *lease = self.leases.first().map(|(until, _)| *until);
        if self.runnable() > 0 {
            *hold = [self.hold_until, self.probe_at]
                .into_iter()
                .filter(|at| *at > now)
                .min();
            *rate = self.flow.held_until(now);
            let next = self.budget.as_ref().map(|budget| budget.next(now));
            let retries = !self.again.is_empty() || !self.suspects.is_empty();
            *budget = next.filter(|at| *at > now && retries);
        }
        times.into_iter().flatten().min()
    }

    /// Lets what is due run again.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        while let Some((until, sequence)) = self.waiting.first().copied()
            && (until <= now || mutant::is(Mutant::RetryTooEarly))
        {
            self.waiting.remove(&(until, sequence));
            if let Some(delivery) = self.deliveries.get_mut(&sequence) {
                delivery.phase = Phase::Ready;
            }
            self.refresh(sequence);
        }
    }

    /// The attempt whose lease has ended, if there is one.
    pub(crate) fn ended_lease(&self, now: Timestamp, epoch: u64) -> Option<Ticket> {
        let due = |until: Timestamp| until <= now && !mutant::is(Mutant::LeaseNeverEnds);
        let (_, sequence) = self.leases.first().filter(|(until, _)| due(*until))?;
        let Phase::Running(run) = &self.deliveries.get(sequence)?.phase else {
            return None;
        };
        let consumer = self.config.id.clone();
        Some(Ticket {
            consumer,
            sequence: *sequence,
            epoch,
            run: run.run,
        })
    }

    /// Puts a delivery back that ended, or never began, without counting.
    pub(super) fn release(&mut self, run: &Run, release: Release, shared: &mut Shared) {
        let sequence = run.sequence;
        let Some(delivery) = self.deliveries.get_mut(&sequence) else {
            return;
        };
        delivery.phase = Phase::Ready;
        let standing = delivery.progress.standing;
        let consumer = self.config.id.clone();
        // One that never ran is as suspect as before: not cleared, and not to blame for the next crash.
        let record = if release == Release::Withdrawn && run.company == Company::Alone {
            let company = Company::Shared;
            delivery.progress.started = Some(company);
            StateRecord::Started {
                consumer,
                sequence,
                company,
            }
        } else {
            delivery.progress.started = None;
            StateRecord::Released {
                consumer,
                sequence,
                standing,
            }
        };
        shared.out.advise(record);
        self.conclude(sequence, Conclusion::Released(release), shared);
        self.stop_running(sequence, shared);
        self.vacate_lane(sequence);
    }
}

/// Why a delivery of a deduplicated consumer does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Its event is finished.
    Done,
    /// Its event runs now.
    Running,
}
