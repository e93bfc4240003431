//! Whether a history keeps what was promised.
//!
//! A run is known to be recorded as done when the daemon said so (a settled lease), when the next
//! delivery of its key has started, or, of what is pushed, as long as the process lives that it was answered to.
//! Only a kill before that, or another answer, or the end of a lease, may repeat a delivery.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Answer, Happening, Promise, Run};

/// What is known of one consumer.
struct Consumer<'a> {
    promise: Promise,
    /// Sequences that were answered as done.
    answered: BTreeSet<u64>,
    done: BTreeSet<&'a str>,
    recorded: BTreeSet<u64>,
    recorded_ids: BTreeSet<&'a str>,
    /// What was answered as done, and to which process.
    fresh: BTreeMap<u64, u64>,
    /// The last run of a delivery with its answer, if it gave one.
    last: BTreeMap<u64, (&'a Run, Option<Answer>)>,
    life: u64,
}

/// Everything that breaks a promise, in words.
pub(crate) fn check(history: &[Happening], promises: &[Promise]) -> Vec<String> {
    promises
        .iter()
        .flat_map(|promise| check_consumer(history, *promise))
        .collect()
}

fn check_consumer(history: &[Happening], promise: Promise) -> Vec<String> {
    let mut wrong = Vec::new();
    let keys = keys_of(history);
    let mut consumer = Consumer::new(promise);
    let mut accepted: BTreeMap<&str, u64> = BTreeMap::new();
    for happening in history {
        match happening {
            Happening::Accepted { id, sequence } => drop(accepted.insert(id, *sequence)),
            Happening::Started(run) if run.consumer == promise.consumer => {
                consumer.starts(run, &keys, &mut wrong);
            }
            Happening::Answered { run, answer } if run.consumer == promise.consumer => {
                consumer.answers(run, *answer);
            }
            Happening::Confirmed(run) if run.consumer == promise.consumer => {
                consumer.record(run.sequence, &run.id);
            }
            Happening::Rest { letters } => {
                let letters = letters.iter().filter(|(id, _)| *id == promise.consumer);
                let letters: BTreeSet<u64> = letters.map(|(_, sequence)| *sequence).collect();
                consumer.rests(&accepted, &keys, &letters, &mut wrong);
            }
            Happening::Redriven => consumer.last.clear(),
            _ => {}
        }
    }
    for id in accepted.keys().filter(|id| !consumer.done.contains(*id)) {
        wrong.push(format!(
            "{}: {id} was accepted and is lost",
            promise.consumer
        ));
    }
    wrong
}

/// Every delivery that any consumer saw, by key: all consumers read one channel.
fn keys_of(history: &[Happening]) -> BTreeMap<&str, BTreeMap<u64, &str>> {
    let mut keys: BTreeMap<&str, BTreeMap<u64, &str>> = BTreeMap::new();
    for happening in history {
        if let Happening::Started(run) = happening {
            let sequences = keys.entry(&run.key).or_default();
            sequences.insert(run.sequence, &run.id);
        }
    }
    keys
}

impl<'a> Consumer<'a> {
    fn new(promise: Promise) -> Self {
        Self {
            promise,
            answered: BTreeSet::new(),
            done: BTreeSet::new(),
            recorded: BTreeSet::new(),
            recorded_ids: BTreeSet::new(),
            fresh: BTreeMap::new(),
            last: BTreeMap::new(),
            life: 0,
        }
    }

    fn record(&mut self, sequence: u64, id: &'a str) {
        self.recorded.insert(sequence);
        self.recorded_ids.insert(id);
    }

    fn starts(
        &mut self,
        run: &'a Run,
        keys: &BTreeMap<&'a str, BTreeMap<u64, &'a str>>,
        wrong: &mut Vec<String>,
    ) {
        let Promise {
            consumer,
            ordered,
            deduplicated,
            pushed,
        } = self.promise;
        if pushed && run.life < self.life {
            wrong.push(format!(
                "{consumer}: epoch {} after {}",
                run.life, self.life
            ));
        }
        self.life = self.life.max(run.life);
        // What a puller answers counts once it is told so: a lease may end before, as while the broker is away.
        let same = pushed && self.fresh.get(&run.sequence) == Some(&run.life);
        if self.recorded.contains(&run.sequence) || same {
            wrong.push(format!(
                "{consumer}: {run:?} repeats what was recorded as done"
            ));
        } else if deduplicated && self.recorded_ids.contains(run.id.as_str()) {
            wrong.push(format!(
                "{consumer}: {run:?} repeats an event that was done"
            ));
        }
        if ordered {
            self.in_order(run, keys, wrong);
        }
        self.counts(run, wrong);
        self.last.insert(run.sequence, (run, None));
    }

    /// Everything earlier of its key was answered as done, and is recorded by now.
    fn in_order(
        &mut self,
        run: &'a Run,
        keys: &BTreeMap<&'a str, BTreeMap<u64, &'a str>>,
        wrong: &mut Vec<String>,
    ) {
        let Some(all) = keys.get(run.key.as_str()) else {
            return;
        };
        for (sequence, id) in all.range(..run.sequence) {
            // Where a publisher did not hear whether its event was stored, it may be there twice: whoever deduplicates
            // has done the second one with the first.
            let is_twin = self.promise.deduplicated && self.done.contains(id);
            if self.answered.contains(sequence) {
                self.record(*sequence, id);
            } else if !is_twin {
                let consumer = self.promise.consumer;
                wrong.push(format!(
                    "{consumer}: {run:?} starts before {sequence} is done"
                ));
            }
        }
    }

    /// Attempts never go back, and within one process each failure adds one and nothing else does; one of a dependency
    /// adds none while its breaker is open.
    fn counts(&self, run: &Run, wrong: &mut Vec<String>) {
        let Some((last, answer)) = self.last.get(&run.sequence) else {
            return;
        };
        let counted = match answer {
            Some(Answer::Failed) => Some(last.attempt + 1..=last.attempt + 1),
            Some(Answer::Unreached) => Some(last.attempt..=last.attempt + 1),
            Some(Answer::Busy) => Some(last.attempt..=last.attempt),
            _ => None,
        };
        let expected = counted.filter(|_| last.life == run.life);
        if run.attempt < last.attempt || expected.is_some_and(|all| !all.contains(&run.attempt)) {
            let consumer = self.promise.consumer;
            wrong.push(format!("{consumer}: {run:?} after {last:?}, {answer:?}"));
        }
    }

    fn answers(&mut self, run: &'a Run, answer: Answer) {
        if let Some((started, last)) = self.last.get_mut(&run.sequence)
            && *started == run
        {
            *last = Some(answer);
        }
        if answer == Answer::Done {
            self.done.insert(&run.id);
            self.answered.insert(run.sequence);
            self.fresh.insert(run.sequence, run.life);
        }
    }

    /// Nothing is left to do: what is accepted is done, a dead letter, or waits behind one.
    fn rests(
        &self,
        accepted: &BTreeMap<&str, u64>,
        keys: &BTreeMap<&str, BTreeMap<u64, &str>>,
        letters: &BTreeSet<u64>,
        wrong: &mut Vec<String>,
    ) {
        let behind = |sequence: u64| {
            let key = keys.values().find(|key| key.contains_key(&sequence));
            key.is_some_and(|key| {
                key.range(..sequence)
                    .any(|(before, _)| letters.contains(before))
            })
        };
        for (id, sequence) in accepted {
            let waits = letters.contains(sequence) || (self.promise.ordered && behind(*sequence));
            if !self.done.contains(id) && !waits {
                let consumer = self.promise.consumer;
                wrong.push(format!(
                    "{consumer}: {id} is neither done nor a dead letter"
                ));
            }
        }
    }
}
