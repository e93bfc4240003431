//! Replays and skips, watched from outside: what they take up, and that it runs again, or does not.
//!
//! R1 a replay takes up what is finished, and nothing else · R2 what was not finished when it was ordered
//! is not of it, and nothing of it runs before it is durable · R3 what a durable replay takes up is handled
//! in its generation before it is finished · R4 a skip takes up what neither runs nor is a letter, and
//! nothing else is lost.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{
    Arrival, Command, Conclusion, ConsumerConfig, DeliveryStatus, Machine, Repetition, Ticket,
};

use super::disk::Disk;
use super::promises::{Place, Watch};

/// The event of an attempt: its generation, its id and the ids of those that it was edited from.
pub(super) type Known = (u64, Vec<String>);

/// What is known of generations.
#[derive(Default)]
pub(super) struct Seeks {
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
    /// Of this process: the event of the last attempt.
    running: BTreeMap<Place, Known>,
    /// Events that a consumer has durably finished, by generation.
    done: BTreeSet<(ConsumerId, u64, String)>,
}

impl Seeks {
    pub(super) fn restarted(&mut self) {
        self.plans.clear();
        self.numbers.clear();
        self.running.clear();
    }

    pub(super) fn handled(&mut self, ticket: &Ticket) {
        let place = (ticket.consumer.clone(), ticket.sequence);
        let generation = self.generation_of(&place);
        self.handled.entry(place).or_default().insert(generation);
    }

    /// The generation of the last attempt of this process.
    pub(super) fn generation_of(&self, place: &Place) -> u64 {
        self.running.get(place).map_or(0, |(of, _)| *of)
    }

    /// Whether a command takes up anything.
    pub(super) fn is_taking(&self, token: u64) -> bool {
        self.plans.get(&token).is_some_and(|plan| !plan.is_empty())
    }

    pub(super) fn is_replay(&self, consumer: &ConsumerId, sequence: u64) -> bool {
        self.ordered.contains_key(&(consumer.clone(), sequence))
    }

    pub(super) fn may_be_skipped(&self, consumer: &ConsumerId, sequence: u64) -> bool {
        self.may_be_skipped.contains(&(consumer.clone(), sequence))
    }

    /// Whether two deliveries have an event in common, in one generation.
    pub(super) fn are_twins(&self, one: &Known, other: &Place) -> bool {
        self.running.get(other).is_some_and(|(generation, ids)| {
            *generation == one.0 && ids.iter().any(|id| one.1.contains(id))
        })
    }

    /// Whether an event was finished in its generation.
    pub(super) fn is_done(&self, consumer: &ConsumerId, (generation, ids): &Known) -> bool {
        let mut ids = ids.iter();
        ids.any(|id| {
            self.done
                .contains(&(consumer.clone(), *generation, id.clone()))
        })
    }
}

/// What an attempt delivers.
pub(super) fn known(
    machine: &Machine,
    channel: &[Arrival],
    ticket: &Ticket,
    generation: u64,
) -> Known {
    let ids = match machine.edit_of(&ticket.consumer, ticket.sequence) {
        Some(edit) => {
            let notes = edit.notes.iter().map(|note| note.id.clone());
            notes.chain([edit.id.clone()]).collect()
        }
        None => vec![channel[ticket.sequence as usize].event.id.clone()],
    };
    (generation, ids)
}

fn status_in(machine: &Machine, id: &ConsumerId, sequence: u64, of: &[DeliveryStatus]) -> bool {
    machine
        .delivery(id, sequence)
        .is_some_and(|status| of.contains(&status))
}

impl Watch {
    /// R1 and R4, before the order is carried out.
    pub(super) fn sought(&mut self, token: u64, machine: &Machine, tail: u64, command: &Command) {
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
        let wrong = (0..tail).find(|sequence| {
            let fits = range.contains(sequence) && status_in(machine, consumer, *sequence, of);
            taken.contains(sequence) != fits
        });
        self.broken.unless(wrong.is_none(), || {
            format!("R1/R4: {wrong:?} of {taken:?}: {command:?}")
        });
        // Of two the later one counts.
        for plan in self.seeks.plans.values_mut() {
            plan.retain(|sequence| !taken.contains(sequence));
        }
        match command {
            Command::Replay { .. } => self.reopen(consumer, &taken),
            _ => {
                let places = taken.iter().map(|sequence| (consumer.clone(), *sequence));
                self.seeks.may_be_skipped.extend(places);
                self.seeks
                    .owed
                    .retain(|(id, sequence), _| id != consumer || !taken.contains(sequence));
            }
        }
        self.seeks.plans.insert(token, taken);
    }

    /// Deliveries may run again, in a new generation: nothing of what they went through counts.
    fn reopen(&mut self, consumer: &ConsumerId, sequences: &BTreeSet<u64>) {
        for ended in [&mut self.finished, &mut self.process.repeated] {
            let ended = ended.entry(consumer.clone()).or_default();
            ended.retain(|sequence| !sequences.contains(sequence));
        }
        self.redriven(consumer, &sequences.iter().copied().collect::<Vec<_>>());
        for sequence in sequences {
            let place = (consumer.clone(), *sequence);
            self.letters.over(&place);
            // A skip has settled it without a run: what comes again is another run, that has ended nothing.
            self.process.suspects.remove(&place);
            self.process.ran.remove(&place);
        }
    }

    /// The generation that a replay has got.
    pub(super) fn numbered(
        &mut self,
        token: u64,
        machine: &Machine,
        command: &Command,
        now: Timestamp,
    ) {
        let plan = self.seeks.plans.get(&token).filter(|plan| !plan.is_empty());
        let (Command::Replay { consumer, .. }, Some(plan)) = (command, plan) else {
            return;
        };
        let status = machine.status(consumer, now);
        let Some(replaying) = status.and_then(|status| status.replaying) else {
            self.broken
                .unless(false, || format!("R1: nothing comes of {command:?}"));
            return;
        };
        for sequence in plan {
            let place = (consumer.clone(), *sequence);
            let ordered = self.seeks.ordered.entry(place).or_default();
            ordered.insert(replaying.generation);
        }
        self.seeks.numbers.insert(token, replaying.generation);
    }

    /// From now on, in every process to come, it is so.
    pub(super) fn sought_durably(&mut self, token: u64, command: &Command) {
        let Some(plan) = self.seeks.plans.remove(&token) else {
            return;
        };
        match command {
            Command::Replay { consumer, .. } => {
                let Some(generation) = self.seeks.numbers.get(&token) else {
                    return;
                };
                let left = plan.iter().filter(|s| !self.removed.contains(s));
                let places = left.map(|s| ((consumer.clone(), *s), *generation));
                self.seeks.owed.extend(places);
            }
            Command::Skip { consumer, .. } => {
                let finished = self.finished.entry(consumer.clone()).or_default();
                finished.extend(plan);
            }
            _ => {}
        }
    }

    /// R2, and what the attempt delivers.
    pub(super) fn of_generation(&mut self, disk: &Disk, ticket: &Ticket, known: Known) {
        let generation = known.0;
        let place = (ticket.consumer.clone(), ticket.sequence);
        let ordered = self.seeks.ordered.get(&place);
        let is_ordered = generation == 0 || ordered.is_some_and(|of| of.contains(&generation));
        self.broken.unless(is_ordered, || {
            format!("R2: {place:?} runs in generation {generation} of {ordered:?}")
        });
        let is_kept = generation == 0 || disk.is_replay_durable(&ticket.consumer, generation);
        self.broken.unless(is_kept, || {
            format!("R2: {place:?} runs in generation {generation}, which is not durable")
        });
        self.seeks.running.insert(place, known);
    }

    /// R3 and R4: a delivery has ended.
    pub(super) fn ended_in_generation(&mut self, place: &Place, conclusion: Conclusion) {
        match conclusion {
            Conclusion::Succeeded => {
                let Some((generation, ids)) = self.seeks.running.get(place) else {
                    return;
                };
                let handled = self.seeks.handled.get(place);
                let is_handled = handled.is_some_and(|of| of.contains(generation));
                self.broken.unless(is_handled, || {
                    format!("R3: nobody handled {place:?} in generation {generation}")
                });
                let done = ids
                    .iter()
                    .map(|id| (place.0.clone(), *generation, id.clone()));
                self.seeks.done.extend(done);
            }
            Conclusion::Skipped => {
                self.broken
                    .unless(self.seeks.may_be_skipped.contains(place), || {
                        format!("R4: {place:?} is passed over")
                    });
            }
            _ => {}
        }
    }

    /// R3: what is finished and was to run again has run.
    pub(super) fn is_paid(&self, config: &ConsumerConfig, channel: &[Arrival], arrival: &Arrival) {
        let place = (config.id.clone(), arrival.sequence);
        let Some(owed) = self.seeks.owed.get(&place) else {
            return;
        };
        let ran = |sequence: u64| {
            let ran = self.seeks.handled.get(&(config.id.clone(), sequence));
            ran.is_some_and(|ran| ran.range(owed..).next().is_some())
        };
        let twin_ran = || {
            let mut twins = channel.iter().filter(|other| other.event == arrival.event);
            config.repetition == Repetition::Deduplicated && twins.any(|other| ran(other.sequence))
        };
        self.broken.unless(ran(arrival.sequence) || twin_ran(), || {
            format!("R3: {place:?} is finished without a run of replay {owed}")
        });
    }
}
