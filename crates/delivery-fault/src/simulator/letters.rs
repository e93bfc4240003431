//! Dead letters, redrive jobs and edits, watched from outside.
//!
//! I8 dead letters stay within their limits, and what waits to become one halts its consumer.
//!
//! J1 what a job waits for has not ended · J2 a job sends nothing to a consumer that takes nothing · J3
//! a job that goes in steps waits for the verdicts on one before the next · J4 a letter goes behind none
//! of its key · J5 a letter failed again only after it was sent · J6 what an operator was told of a job
//! stays so · E1 an edit stays until its delivery ends · E2 only the version that was looked at is edited.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_base::limit::JOBS_MAX;
use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{
    Arrival, Command, ConsumerConfig, ConsumerStatus, DeliveryStatus, Followers, HaltCause,
    JobLetter, JobState, JobTurn, Machine, Ticket,
};

use super::promises::{Place, Watch, in_lane};

/// What is known of jobs and edits.
#[derive(Default)]
pub(super) struct Letters {
    /// Letters on their way, as of the last step.
    sent: BTreeSet<(u64, Place)>,
    /// The redrive of a letter by a job.
    rounds: BTreeMap<(u64, Place), u32>,
    /// Jobs that are not held to their steps: they made room, or began anew.
    free: BTreeSet<u64>,
    /// Jobs that were begun or cancelled durably.
    begun: BTreeSet<u64>,
    cancelled: BTreeSet<u64>,
    /// The number that a job gets that is being begun, by its command.
    numbers: BTreeMap<u64, u64>,
    /// A letter that is being edited, within one step.
    pub(super) editing: Option<Place>,
    /// Edits that are not durable yet, by their command, and those that are: how many edits, and the id.
    edits_under_way: BTreeMap<u64, (Place, usize, String)>,
    edits: BTreeMap<Place, (usize, String)>,
}

impl Letters {
    pub(super) fn restarted(&mut self, machine: &Machine) {
        self.sent = sent(machine);
        self.numbers.clear();
        self.edits_under_way.clear();
    }

    /// Whether a command has begun a job.
    pub(super) fn is_begun_by(&self, token: u64) -> bool {
        self.numbers.contains_key(&token)
    }

    /// A delivery has ended: what it had in the place of its event is gone, and a replay counts anew.
    pub(super) fn over(&mut self, place: &Place) {
        self.edits.remove(place);
        self.rounds.retain(|(_, of), _| of != place);
    }
}

fn sent(machine: &Machine) -> BTreeSet<(u64, Place)> {
    let mut all = BTreeSet::new();
    for job in machine.jobs() {
        let letters = job.letters();
        let sent = letters.filter(|(_, _, letter)| matches!(letter, JobLetter::Sent { .. }));
        all.extend(sent.map(|(consumer, sequence, _)| (job.id(), (consumer.clone(), sequence))));
    }
    all
}

/// The most letters that a job may have on its way after so many that ended well.
fn step_after(verified: u64) -> u64 {
    let steps = (0..).map(|step: u32| [1, 2, 5][step as usize % 3] * 10_u64.pow(step / 3));
    let mut needed = 0;
    for size in steps {
        needed += size;
        if verified < needed {
            return size;
        }
    }
    u64::MAX
}

impl Watch {
    /// Before a command about letters is carried out.
    pub(super) fn ordered(&mut self, token: u64, machine: &Machine, command: &Command) {
        match command {
            Command::StartJob { plan } if machine.may_start_job(plan).is_ok() => {
                self.letters.numbers.insert(token, machine.next_job());
            }
            Command::TurnJob { job, turn } => {
                let state = machine.job(*job).map(tidegate_delivery::Job::state);
                let is_anew = matches!(state, Some(JobState::Stopped(_)));
                if *turn == JobTurn::Resume && is_anew {
                    self.letters.free.insert(*job);
                }
            }
            Command::Edit {
                consumer, sequence, ..
            } => self.letters.editing = Some((consumer.clone(), *sequence)),
            _ => {}
        }
    }

    /// E2, after an edit was carried out or passed over; `before` is the version that its letter had.
    pub(super) fn edited(
        &mut self,
        token: u64,
        machine: &Machine,
        command: &Command,
        before: Option<u64>,
    ) {
        self.letters.editing = None;
        let Command::Edit {
            consumer,
            sequence,
            version,
            edit,
        } = command
        else {
            return;
        };
        let now = machine.edit_of(consumer, *sequence);
        if now.is_none_or(|now| now.id != edit.id) {
            return;
        }
        self.broken.unless(before == Some(*version), || {
            format!("E2: {sequence} of {consumer} is edited at {before:?}, not {version}")
        });
        let place = (consumer.clone(), *sequence);
        let edit = (place, edit.notes.len(), edit.id.clone());
        self.letters.edits_under_way.insert(token, edit);
    }

    /// A command about letters is carried out durably.
    pub(super) fn ordered_durably(&mut self, token: u64, command: &Command) {
        if let Some(job) = self.letters.numbers.remove(&token) {
            self.letters.begun.insert(job);
        }
        if let Some((place, edits, id)) = self.letters.edits_under_way.remove(&token) {
            self.letters.edits.insert(place, (edits, id));
        }
        if let Command::TurnJob {
            job,
            turn: JobTurn::Cancel,
        } = command
            && self.letters.begun.contains(job)
        {
            self.letters.cancelled.insert(*job);
        }
    }

    /// J2 to J4: what jobs have sent in this step, which are no dead letters any more.
    pub(super) fn sent_by_jobs(&mut self, machine: &Machine, channel: &[Arrival], now: Timestamp) {
        let before = std::mem::replace(&mut self.letters.sent, sent(machine));
        let new: Vec<_> = self.letters.sent.difference(&before).cloned().collect();
        for (job, place) in &new {
            self.is_taken(machine, (*job, place), now);
        }
        for (job, place) in new {
            self.waits_for_verdicts(machine, job);
            self.goes_behind_none(machine, channel, &place);
            let letter = machine.job(job).and_then(|job| {
                let mut letters = job.letters();
                let of_place = |(id, sequence, _): &(&ConsumerId, u64, JobLetter)| {
                    **id == place.0 && *sequence == place.1
                };
                letters.find(of_place).map(|(_, _, letter)| letter)
            });
            if let Some(JobLetter::Sent { round }) = letter {
                self.letters.rounds.insert((job, place.clone()), round);
            }
            self.redriven(&place.0, &[place.1]);
        }
    }

    /// I8.
    pub(super) fn letters_are_bounded(
        &self,
        machine: &Machine,
        config: &ConsumerConfig,
        status: &ConsumerStatus,
    ) {
        let (id, most) = (&config.id, config.dead_letters);
        let letters = machine.dead_letters(id).count();
        self.broken.unless(letters <= most, || {
            format!("I8: {letters} dead letters of {most}")
        });
        let goes_on = status.condemned > 0 && status.halt.is_none();
        self.broken.unless(!goes_on, || {
            let condemned = status.condemned;
            format!("I8: {id} goes on beside {condemned} that may not be dead letters")
        });
    }

    /// J2.
    fn is_taken(&mut self, machine: &Machine, (job, place): (u64, &Place), now: Timestamp) {
        let Some(status) = machine.status(&place.0, now) else {
            return;
        };
        let stands = match status.halt.as_ref().map(|halt| halt.cause) {
            Some(HaltCause::DeadLetters) => {
                self.letters.free.insert(job);
                false
            }
            Some(HaltCause::Endpoint) => now < status.probe_at,
            Some(_) => true,
            None => false,
        };
        let config = self.consumer(&place.0);
        let open = config.needs.iter().any(|need| {
            let breaker = machine.breaker(need, now);
            breaker.is_some_and(|breaker| breaker.state == "open")
        });
        let alone = self.process.left_alone.get(&place.0);
        let is_left_alone = alone.is_some_and(|until| *until > now);
        let closed = status.paused.is_some() || stands || open || is_left_alone;
        self.broken.unless(!closed, || {
            format!("J2: job {job} sends {place:?} to a consumer that takes nothing")
        });
    }

    /// J3.
    fn waits_for_verdicts(&self, machine: &Machine, job: u64) {
        let Some(of) = machine.job(job).filter(|of| of.canary()) else {
            return;
        };
        let counts = of.counts();
        let most = step_after(counts.verified);
        self.broken.unless(
            counts.sent <= most || self.letters.free.contains(&job),
            || format!("J3: job {job} has {counts:?}, {most} may be on their way"),
        );
    }

    /// J4.
    fn goes_behind_none(&self, machine: &Machine, channel: &[Arrival], place: &Place) {
        let config = self.consumer(&place.0);
        if config.followers == Followers::Continue {
            return;
        }
        let is_ahead = |other: &u64| {
            in_lane(config, channel, *other, place.1)
                && !matches!(
                    machine.delivery(&place.0, *other),
                    Some(
                        DeliveryStatus::Finished
                            | DeliveryStatus::Discarded
                            | DeliveryStatus::InChannel
                    )
                )
        };
        let ahead = (0..place.1).find(is_ahead);
        self.broken.unless(ahead.is_none(), || {
            format!("J4: {place:?} goes back behind {ahead:?}")
        });
    }

    /// J1, J5, J6 and E1, at every moment.
    pub(super) fn letters_hold(&mut self, machine: &Machine) {
        for job in machine.jobs() {
            for (consumer, sequence, letter) in job.letters() {
                let place = (consumer.clone(), sequence);
                self.is_true(machine, (job.id(), &place), letter);
            }
        }
        // Beyond the most of them those that have ended are forgotten.
        let is_crowded = machine.next_job() > JOBS_MAX as u64;
        let mut begun = self.letters.begun.iter();
        let gone = begun.find(|job| machine.job(**job).is_none());
        self.broken.unless(is_crowded || gone.is_none(), || {
            format!("J6: job {gone:?} is gone")
        });
        for job in &self.letters.cancelled {
            let state = machine.job(*job).map(tidegate_delivery::Job::state);
            let stays = matches!(state, None | Some(JobState::Cancelled | JobState::Done));
            self.broken.unless(stays, || {
                format!("J6: job {job} was cancelled and is {state:?}")
            });
        }
        let places: Vec<Place> = self.letters.edits.keys().cloned().collect();
        for place in places {
            self.stays_edited(machine, &place);
        }
    }

    fn is_true(&self, machine: &Machine, (job, place): (u64, &Place), letter: JobLetter) {
        let status = machine.delivery(&place.0, place.1);
        let ended = matches!(
            status,
            Some(DeliveryStatus::Finished | DeliveryStatus::Dead)
        );
        self.broken
            .unless(!(ended && matches!(letter, JobLetter::Sent { .. })), || {
                format!("J1: {place:?} is {status:?} and job {job} waits for it")
            });
        let round = self.letters.rounds.get(&(job, place.clone()));
        let dead = machine.dead_letter(&place.0, place.1);
        if let (JobLetter::Failed(_), Some(round), Some(dead)) = (letter, round, dead) {
            let redrives = dead.progress.redrives;
            self.broken.unless(redrives >= *round, || {
                format!("J5: {place:?} was redriven {redrives} times and failed for job {job}")
            });
        }
    }

    /// E1.
    fn stays_edited(&mut self, machine: &Machine, place: &Place) {
        if machine.delivery(&place.0, place.1) == Some(DeliveryStatus::Finished) {
            return self.letters.over(place);
        }
        let Some((edits, id)) = self.letters.edits.get(place) else {
            return;
        };
        let now = machine.edit_of(&place.0, place.1);
        let stays = now.is_some_and(|now| {
            now.notes.len() > *edits || (now.notes.len() == *edits && now.id == *id)
        });
        self.broken.unless(stays, || {
            format!("E1: the edit {id} of {place:?} is gone: {now:?}")
        });
    }

    /// E1, for what starts.
    pub(super) fn starts_edited(&mut self, machine: &Machine, ticket: &Ticket) {
        self.stays_edited(machine, &(ticket.consumer.clone(), ticket.sequence));
    }
}
