//! Which letters of a job go now.

use std::time::Duration;

use tidegate_base::Timestamp;

use super::{Job, JobLetter, Skip};
use crate::mutant::{self, Mutant};

/// How much a job may be behind its rate and make up for it: timers are that coarse.
const BEHIND: Duration = Duration::from_millis(10);
/// Most letters of one consumer that are looked at beyond those that go: the rest is looked at when
/// those have gone.
const LOOK_MAX: usize = 64;

/// Whether a consumer takes letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// It does.
    Open,
    /// It has halted as it has too many dead letters: it goes on only when some are sent back. What
    /// is sent does not run before that.
    Full,
    /// It does not, until then or until something else happens.
    Closed(Option<Timestamp>),
}

/// Whether a letter can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It can, as its redrive of this number.
    Goes(u32),
    /// Not while a delivery of its key is before it that will end by itself.
    Later,
    /// Not while this dead letter of its key is before it.
    Behind(u64),
    /// Never.
    Never(Skip),
}

/// A letter that goes: its consumer as the machine has it, its sequence, its place in the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Going {
    pub(crate) target: usize,
    pub(crate) sequence: u64,
    pub(crate) place: u32,
}

impl Job {
    /// Takes the letters that go now. Returns them, and when to ask again if nothing happens before.
    pub(super) fn choose(
        &mut self,
        now: Timestamp,
        door: impl Fn(usize) -> Door,
        fit: impl Fn(usize, u64) -> Fit,
    ) -> (Vec<Going>, Option<Timestamp>) {
        let (mut going, mut wake) = (Vec::new(), None);
        for consumer in 0..self.consumers.len() {
            let Some(target) = self.targets.get(consumer).copied().flatten() else {
                self.skip_all(consumer, Skip::NoConsumer);
                continue;
            };
            if self.is_through(consumer) {
                continue;
            }
            let is_full = match door(target) {
                Door::Open => false,
                Door::Full => true,
                Door::Closed(until) => {
                    wake = wake.into_iter().chain(until).min();
                    continue;
                }
            };
            let mut passed = 0;
            while let Some(place) = self.waiting_at(consumer, passed) {
                let has_room = is_full
                    || !self.canary
                    || self.ramp.has_room()
                    || mutant::is(Mutant::JobStepNotWaited);
                if !has_room || passed > LOOK_MAX {
                    break;
                }
                if self.next_at > now {
                    wake = wake.into_iter().chain([self.next_at]).min();
                    break;
                }
                let sequence = self.members.get(place as usize).map_or(0, |m| m.sequence);
                match fit(target, sequence) {
                    Fit::Goes(round) => {
                        self.take(consumer, passed, JobLetter::Sent { round });
                        self.ramp.sent();
                        let earliest = now.nanos().saturating_sub(nanos(BEHIND));
                        self.next_at =
                            self.next_at.max(Timestamp::from_nanos(earliest)) + self.every;
                        going.push(Going {
                            target,
                            sequence,
                            place,
                        });
                    }
                    Fit::Later => passed += 1,
                    Fit::Behind(head) if self.has_not_ended(consumer, head) => passed += 1,
                    Fit::Behind(_) => {
                        self.take(consumer, passed, JobLetter::Skipped(Skip::Behind));
                    }
                    Fit::Never(skip) => self.take(consumer, passed, JobLetter::Skipped(skip)),
                }
            }
        }
        self.end();
        (going, wake)
    }

    fn is_through(&self, consumer: usize) -> bool {
        self.queues
            .get(consumer)
            .is_none_or(|queue| queue.is_empty())
    }

    fn waiting_at(&self, consumer: usize, position: usize) -> Option<u32> {
        self.queues.get(consumer)?.get(position).copied()
    }

    fn take(&mut self, consumer: usize, position: usize, letter: JobLetter) {
        let queue = self.queues.get_mut(consumer);
        if let Some(place) = queue.and_then(|queue| queue.remove(position)) {
            self.set(place, letter);
        }
    }

    fn skip_all(&mut self, consumer: usize, skip: Skip) {
        while !self.is_through(consumer) {
            self.take(consumer, 0, JobLetter::Skipped(skip));
        }
    }

    /// Whether a letter is one of the job's that waits or is on its way.
    fn has_not_ended(&self, consumer: usize, sequence: u64) -> bool {
        let wanted = (consumer, sequence);
        let found = self
            .members
            .binary_search_by_key(&wanted, |member| (member.consumer, member.sequence));
        let member = found.ok().and_then(|place| self.members.get(place));
        member.is_some_and(|member| {
            matches!(member.letter, JobLetter::Waiting | JobLetter::Sent { .. })
        })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
