//! Replays and skips, watched from outside: what they take up, and that it runs again, or does not.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{
    Arrival, Command, Conclusion, ConsumerConfig, DeliveryStatus, Machine, Repetition, Ticket,
};

use crate::invariants::{Place, Watch};

/// What is known of generations.
#[derive(Default)]
pub(crate) struct Seeks {
    /// Of commands that are not durable yet: what they take up.
    plans: BTreeMap<u64, BTreeSet<u64>>,
    /// The generation that a replay, ordered in this process, has got.
    numbers: BTreeMap<u64, u64>,
    /// The generations in which a delivery may run, besides 0.
    ordered: BTreeMap<Place, BTreeSet<u64>>,
    /// The generation in which a delivery must run, as its replay is durable.
    owed: BTreeMap<Place, u64>,
    /// The generations in which a handler did its work.
    handled: BTreeMap<Place, BTreeSet<u64>>,
    may_be_skipped: BTreeSet<Place>,
    /// Of this process: the generation of the last attempt.
    running: BTreeMap<Place, u64>,
    /// Events that a deduplicated consumer has durably finished, by generation.
    done: BTreeSet<(ConsumerId, String, u64)>,
}

impl Seeks {
    pub(crate) fn restarted(&mut self) {
        self.plans.clear();
        self.numbers.clear();
        self.running.clear();
    }

    pub(crate) fn handled(&mut self, ticket: &Ticket) {
        let place = (ticket.consumer.clone(), ticket.sequence);
        let generation = self.running[&place];
        self.handled.entry(place).or_default().insert(generation);
    }

    pub(crate) fn concluded(
        &mut self,
        channel: &[Arrival],
        consumer: &ConsumerId,
        sequence: u64,
        conclusion: Conclusion,
    ) {
        let place = (consumer.clone(), sequence);
        match conclusion {
            Conclusion::Succeeded => {
                let id = channel[sequence as usize].event.id.clone();
                self.done
                    .insert((consumer.clone(), id, self.running[&place]));
            }
            Conclusion::Skipped => {
                assert!(
                    self.may_be_skipped.contains(&place),
                    "R4: {place:?} is lost"
                );
            }
            _ => {}
        }
    }

    pub(crate) fn is_replay(&self, consumer: &ConsumerId, sequence: u64) -> bool {
        self.ordered.contains_key(&(consumer.clone(), sequence))
    }

    pub(crate) fn may_be_skipped(&self, consumer: &ConsumerId, sequence: u64) -> bool {
        self.may_be_skipped.contains(&(consumer.clone(), sequence))
    }

    /// R3: what a durable replay takes up is handled in its generation before it is finished.
    pub(crate) fn is_paid(&self, config: &ConsumerConfig, channel: &[Arrival], arrival: &Arrival) {
        let place = (config.id.clone(), arrival.sequence);
        let Some(owed) = self.owed.get(&place) else {
            return;
        };
        let ran = |sequence: u64| {
            let ran = self.handled.get(&(config.id.clone(), sequence));
            ran.is_some_and(|ran| ran.range(owed..).next().is_some())
        };
        let twin_ran = || {
            config.repetition == Repetition::Deduplicated
                && channel
                    .iter()
                    .any(|other| other.event == arrival.event && ran(other.sequence))
        };
        assert!(
            ran(arrival.sequence) || twin_ran(),
            "R3: {place:?} is finished without a run of replay {owed}"
        );
    }
}

fn status_in(machine: &Machine, id: &ConsumerId, sequence: u64, of: &[DeliveryStatus]) -> bool {
    of.contains(&machine.delivery(id, sequence).unwrap())
}

impl Watch {
    /// R1 and R4: a replay takes up what is finished, a skip what is not and neither runs nor is a letter.
    pub(crate) fn sought(&mut self, token: u64, machine: &Machine, tail: u64, command: &Command) {
        let (consumer, plan, range, of) = match command {
            Command::Replay {
                consumer,
                from,
                until,
                ..
            } => {
                let end = until.unwrap_or(u64::MAX);
                let plan = machine.replay_plan(consumer, *from, *until);
                (consumer, plan, *from..end, &[DeliveryStatus::Finished][..])
            }
            Command::Skip {
                consumer, until, ..
            } => {
                let plan = machine.skip_plan(consumer, *until);
                let of = &[
                    DeliveryStatus::InChannel,
                    DeliveryStatus::Ready,
                    DeliveryStatus::Waiting,
                ][..];
                (consumer, plan, 0..*until, of)
            }
            _ => return,
        };
        let Ok(plan) = plan else {
            return;
        };
        let taken: BTreeSet<u64> = plan.ranges.iter().flat_map(|(a, b)| *a..*b).collect();
        assert_eq!(taken.len() as u64, plan.deliveries);
        for sequence in range.start..range.end.min(tail) {
            let fits = status_in(machine, consumer, sequence, of);
            let is_taken = taken.contains(&sequence);
            assert_eq!(is_taken, fits, "R1/R4: {sequence}: {command:?}");
        }
        assert!(taken.iter().all(|sequence| range.contains(sequence)));
        match command {
            Command::Replay { .. } => self.reopen(consumer, &taken),
            _ => {
                let places = taken.iter().map(|sequence| (consumer.clone(), *sequence));
                self.seeks.may_be_skipped.extend(places);
                for plan in self.seeks.plans.values_mut() {
                    plan.retain(|sequence| !taken.contains(sequence));
                }
                self.seeks
                    .owed
                    .retain(|(id, sequence), _| id != consumer || !taken.contains(sequence));
            }
        }
        self.seeks.plans.insert(token, taken);
    }

    /// The generation that a replay has got.
    pub(crate) fn numbered(
        &mut self,
        token: u64,
        machine: &Machine,
        command: &Command,
        now: Timestamp,
    ) {
        let (Command::Replay { consumer, .. }, Some(plan)) =
            (command, self.seeks.plans.get(&token))
        else {
            return;
        };
        if plan.is_empty() {
            return;
        }
        let status = machine.status(consumer, now).unwrap();
        let generation = status.replaying.unwrap().generation;
        for sequence in plan {
            let place = (consumer.clone(), *sequence);
            let ordered = self.seeks.ordered.entry(place).or_default();
            ordered.insert(generation);
        }
        self.seeks.numbers.insert(token, generation);
    }

    /// From now on, in every process to come, it is so.
    pub(crate) fn sought_durably(&mut self, token: u64, command: &Command) {
        let Some(plan) = self.seeks.plans.remove(&token) else {
            return;
        };
        match command {
            Command::Replay { consumer, .. } => {
                let Some(generation) = self.seeks.numbers.get(&token) else {
                    return;
                };
                let left = plan.iter().filter(|sequence| !self.is_removed(**sequence));
                let places: Vec<_> = left
                    .map(|s| ((consumer.clone(), *s), *generation))
                    .collect();
                self.seeks.owed.extend(places);
            }
            Command::Skip { consumer, .. } => {
                self.close(consumer, &plan);
            }
            _ => {}
        }
    }

    /// R2: what was not finished when a replay was ordered is not of it; a deduplicated event runs
    /// to its end once in each generation.
    pub(crate) fn of_generation(&mut self, channel: &[Arrival], ticket: &Ticket, generation: u64) {
        let place = (ticket.consumer.clone(), ticket.sequence);
        let ordered = self.seeks.ordered.get(&place);
        assert!(
            generation == 0 || ordered.is_some_and(|ordered| ordered.contains(&generation)),
            "R2: {place:?} runs in generation {generation} of {ordered:?}"
        );
        if self.consumer(&ticket.consumer).repetition == Repetition::Deduplicated {
            let id = channel[ticket.sequence as usize].event.id.clone();
            let done = (ticket.consumer.clone(), id, generation);
            assert!(!self.seeks.done.contains(&done), "I4: {done:?} runs again");
        }
        self.seeks.running.insert(place, generation);
    }
}
