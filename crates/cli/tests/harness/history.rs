//! What happened, in the order in which the test saw it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// How a consumer ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 2xx, or a lease settled as done.
    Done,
    /// A failure: the attempt counts.
    Failed,
    /// No answer in time, or a connection that broke: the attempt counts, unless the consumer's breaker is open.
    Unreached,
    /// Too busy: the attempt does not count.
    Busy,
    /// It can never succeed.
    Refused,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// The publisher was told that an event is durable.
    Accepted { id: String, sequence: u64 },
    /// A consumer got a delivery from the process `life`; for push that is its epoch.
    Started(Run),
    /// It did the work of a delivery, whatever it answers then.
    Applied { consumer: &'static str, id: String },
    /// It is about to answer.
    Answered { run: Run, answer: Answer },
    /// The daemon has said that the outcome is durable.
    Confirmed(Run),
    /// The daemon was killed and is gone; so is every connection to it.
    Killed,
    /// Faults and load end, and the daemon has nothing left to do: these are its dead letters.
    Rest { letters: Vec<(String, u64)> },
    /// Consumers are mended and all dead letters sent back.
    Redriven,
}

/// One run of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) consumer: &'static str,
    pub(crate) sequence: u64,
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) attempt: u32,
    pub(crate) life: u64,
}

/// The history, written by all threads.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Vec<Happening>>);

impl History {
    pub(crate) fn note(&self, happening: Happening) {
        self.all().push(happening);
    }

    pub(crate) fn all(&self) -> MutexGuard<'_, Vec<Happening>> {
        self.0.lock().unwrap()
    }

    pub(crate) fn len(&self) -> usize {
        self.all().len()
    }
}

/// What the design promises of a consumer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    pub(crate) consumer: &'static str,
    /// Deliveries of one key keep their order.
    pub(crate) ordered: bool,
    pub(crate) deduplicated: bool,
    /// Every process that pushes has an epoch of its own; one that is pulled from has not.
    pub(crate) pushed: bool,
}

/// How often each thing happened, to see that the run was a run.
pub(crate) fn counts(history: &[Happening]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for happening in history {
        let word = match happening {
            Happening::Accepted { .. } => "accepted".to_owned(),
            Happening::Started(run) => format!("started {}", run.consumer),
            Happening::Applied { .. } => "applied".to_owned(),
            Happening::Answered { answer, .. } => format!("answered {answer:?}"),
            Happening::Confirmed(_) => "confirmed".to_owned(),
            Happening::Killed => "killed".to_owned(),
            Happening::Rest { letters } => format!("rest, with {} letters", letters.len()),
            Happening::Redriven => "redriven".to_owned(),
        };
        *counts.entry(word).or_default() += 1;
    }
    counts
}
