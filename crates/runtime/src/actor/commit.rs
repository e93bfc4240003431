//! Commits: as few as possible, in order, retried at a limit, never lost.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use foldhash::{HashMap, HashMapExt};
use futures_util::future::{BoxFuture, FutureExt};
use tidegate_base::{ConsumerId, Timestamp};
use tidegate_broker::{Append, Batch, CommitError, Durability, StateChange};
use tidegate_delivery::{Class, Input, StateRecord};

use super::Actor;
use super::hear::Event;
use crate::checkpoint;
use crate::journal::{self, Lines};
use crate::settings::Settings;
use crate::view::Mode;

/// Records that are committed together, with the tokens that wait for them and the events that handlers
/// publish with their being done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pile {
    tokens: Vec<u64>,
    lines: Lines,
    /// In the order of the batches.
    outputs: Vec<Append>,
    output_bytes: usize,
    /// How many of the outputs belong to which delivery, in their order, until batches are made.
    publishers: Vec<(ConsumerId, u64, usize)>,
    /// Of one that no batch holds, or that was refused: what is still to be committed, batch by batch.
    left: VecDeque<Part>,
    /// Where the outputs are of the batches that are committed.
    sequences: Vec<u64>,
    /// Whether nothing may overtake it: it was refused at a limit, or is committed in several batches.
    alone: bool,
}

/// What one batch has of a pile.
#[derive(Clone, Debug)]
struct Part {
    state: Vec<Bytes>,
    /// How many outputs go with it.
    outputs: usize,
}

impl Pile {
    fn take(&mut self, token: u64, records: &[StateRecord], outputs: Outputs) {
        self.tokens.push(token);
        for record in records {
            self.lines.push(record);
        }
        self.output_bytes += outputs.bytes;
        self.outputs.extend(outputs.appends);
        self.publishers.extend(outputs.publishers);
    }

    /// A pile with outputs is one batch, unless one step of the machine is more than that.
    fn takes(&self, outputs: &Outputs) -> bool {
        let together = self.lines.bytes() + self.output_bytes + outputs.bytes;
        let any = !self.outputs.is_empty() || !outputs.appends.is_empty();
        !any || self.tokens.is_empty() || together <= journal::COMMIT_BYTES_MAX / 2
    }

    /// Makes batches of it: the outputs of each delivery are in the one with its end, or they would not be atomic.
    fn divide(&mut self, bytes_max: usize) {
        let groups = journal::groups(self.lines.pieces(), bytes_max);
        let publishers = std::mem::take(&mut self.publishers);
        if groups.len() < 2 {
            let outputs = self.outputs.len();
            let only = groups.into_iter().map(|state| Part { state, outputs });
            self.left.extend(only);
            return;
        }
        let mut outputs = std::mem::take(&mut self.outputs).into_iter();
        let mut by_end: HashMap<(ConsumerId, u64), Vec<Append>> = HashMap::new();
        for (consumer, sequence, count) in publishers {
            let of = outputs.by_ref().take(count).collect();
            by_end.insert((consumer, sequence), of);
        }
        for state in groups {
            let before = self.outputs.len();
            if !by_end.is_empty() {
                let ends = journal::ends(&state).into_iter();
                let of = ends.filter_map(|end| by_end.remove(&end));
                self.outputs.extend(of.flatten());
            }
            let outputs = self.outputs.len() - before;
            self.left.push_back(Part { state, outputs });
        }
        // Every output has its end here. If one had not, it would go with the last batch: better twice than never.
        if let Some(last) = self.left.back_mut() {
            let before = self.outputs.len();
            self.outputs.extend(by_end.into_values().flatten());
            last.outputs += self.outputs.len() - before;
        }
    }

    /// What is to be committed next.
    fn batch(&self) -> Option<Batch> {
        let Part { state, outputs } = self.left.front()?;
        let left = self.outputs.iter().skip(self.sequences.len());
        Some(Batch {
            appends: left.take(*outputs).cloned().collect(),
            state: StateChange::Append(state.clone()),
        })
    }
}

/// What handlers publish with the end of their deliveries.
#[derive(Debug, Default)]
struct Outputs {
    appends: Vec<Append>,
    bytes: usize,
    publishers: Vec<(ConsumerId, u64, usize)>,
}

/// What is to be committed.
#[derive(Debug)]
pub(super) struct Commits {
    written: Pile,
    durable: Pile,
    /// Durable piles that are full, before the present one.
    full_piles: Vec<Pile>,
    /// What is published once a delivery is done.
    outputs: HashMap<(ConsumerId, u64), Vec<Append>>,
    /// How many bytes they have.
    outputs_bytes: usize,
    /// Commits that were refused at a limit and are tried again, and those of several batches: of either the state
    /// must not have what comes later without what comes before.
    alone: usize,
    /// Since when, and the limit.
    full: Option<(Timestamp, String)>,
    /// What came later waits behind them, in order.
    waiting: VecDeque<Pile>,
    /// Commits that are under way.
    pub(super) under_way: usize,
    /// Those of them with outputs. A checkpoint has the records of everything under way, so it may not overtake
    /// outputs that are to come with theirs: it waits for them, and what comes meanwhile waits for it.
    publishing: usize,
    appended_bytes: u64,
    /// Of the last one, even if it failed.
    checkpoint_bytes: u64,
    /// A checkpoint is under way, perhaps in parts: no other one begins.
    checkpointing: bool,
}

impl Commits {
    pub(super) fn new(checkpoint_bytes: u64) -> Self {
        Self {
            written: Pile::default(),
            durable: Pile::default(),
            full_piles: Vec::new(),
            outputs: HashMap::new(),
            outputs_bytes: 0,
            alone: 0,
            full: None,
            waiting: VecDeque::new(),
            under_way: 0,
            publishing: 0,
            appended_bytes: 0,
            checkpoint_bytes,
            checkpointing: false,
        }
    }

    /// Adds what the machine wants kept. What is only to be written goes ahead of what is to be
    /// durable, as within one step of the machine.
    pub(super) fn add(&mut self, token: u64, class: Class, records: &[StateRecord]) {
        match class {
            Class::Written => self.written.take(token, records, Outputs::default()),
            Class::Durable => {
                let outputs = self.outputs_of(records);
                if !self.durable.takes(&outputs) {
                    self.full_piles.push(std::mem::take(&mut self.durable));
                }
                self.durable.take(token, records, outputs);
            }
        }
    }

    /// What is published with the end of a delivery, which the machine is about to be told.
    pub(super) fn publish_with(
        &mut self,
        consumer: ConsumerId,
        sequence: u64,
        outputs: Vec<Append>,
    ) {
        self.outputs_bytes += outputs.iter().map(size).sum::<usize>();
        self.outputs.insert((consumer, sequence), outputs);
    }

    /// Whether these outputs and those that are to be published with the next decision are too much for one
    /// batch: then what was heard before is to be decided first.
    pub(super) fn is_crowded_by(&self, outputs: &[Append]) -> bool {
        let together = self.outputs_bytes + outputs.iter().map(size).sum::<usize>();
        self.outputs_bytes > 0 && together > journal::COMMIT_BYTES_MAX / 2
    }

    fn outputs_of(&mut self, records: &[StateRecord]) -> Outputs {
        let mut outputs = Outputs::default();
        if self.outputs.is_empty() {
            return outputs;
        }
        for record in records {
            if let StateRecord::Done {
                consumer, sequence, ..
            } = record
                && let Some(appends) = self.outputs.remove(&(consumer.clone(), *sequence))
            {
                outputs.bytes += appends.iter().map(size).sum::<usize>();
                let publisher = (consumer.clone(), *sequence, appends.len());
                outputs.publishers.push(publisher);
                outputs.appends.extend(appends);
            }
        }
        self.outputs_bytes = self.outputs_bytes.saturating_sub(outputs.bytes);
        outputs
    }

    /// Since when commits find no room, and which limit was reached; `None`: they do.
    pub(super) fn full(&self) -> Option<(Timestamp, &str)> {
        let (since, reason) = self.full.as_ref()?;
        Some((*since, reason))
    }

    fn is_due(&self, settings: &Settings) -> bool {
        let base = self.checkpoint_bytes.max(settings.checkpoint_bytes_min);
        let most = base.saturating_mul(settings.checkpoint_growth);
        self.alone == 0 && !self.checkpointing && self.appended_bytes > most
    }

    fn awaits_checkpoint(&self, settings: &Settings) -> bool {
        self.is_due(settings) && self.publishing > 0
    }
}

/// About what a record takes.
pub(crate) fn size(append: &Append) -> usize {
    let headers = append.headers.iter();
    let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
    append.payload.len() + headers
}

impl Actor {
    /// Sends what was collected. The calls are made here and now, which fixes their order.
    pub(super) fn send_commits(&mut self) {
        let written = std::mem::take(&mut self.commits.written);
        let full = std::mem::take(&mut self.commits.full_piles);
        let durable = std::mem::take(&mut self.commits.durable);
        let durable = full.into_iter().chain([durable]);
        let piles = std::iter::once((written, Durability::Written))
            .chain(durable.map(|pile| (pile, Durability::Durable)));
        for (pile, durability) in piles {
            if pile.tokens.is_empty() {
                continue;
            }
            let settings = &self.parts.settings;
            if self.commits.alone > 0
                || !self.commits.waiting.is_empty()
                || self.commits.awaits_checkpoint(settings)
            {
                self.commits.waiting.push_back(pile);
            } else {
                self.send(pile, durability, Duration::ZERO);
            }
        }
        // Here and not when a commit ends: all that the machine wants kept is in a pile now, so that what waits
        // for the checkpoint is not in it.
        let settings = &self.parts.settings;
        if self.commits.alone == 0 && !self.commits.awaits_checkpoint(settings) {
            self.checkpoint_if_due();
            self.send_waiting();
        }
    }

    fn checkpoint_if_due(&mut self) {
        // Once it has stopped, records are under way whose outputs will never come.
        if self.parts.publisher.mode() == Mode::Stopped {
            return;
        }
        let settings = &self.parts.settings;
        if self.commits.is_due(settings) && self.commits.publishing == 0 {
            self.checkpoint();
        }
    }

    fn send(&mut self, mut pile: Pile, durability: Durability, wait: Duration) {
        if pile.left.is_empty() {
            self.commits.appended_bytes += journal::bytes(&pile.lines.pieces()) as u64;
            pile.divide(self.parts.settings.commit_bytes_max);
        }
        if pile.left.len() > 1 && !pile.alone {
            pile.alone = true;
            self.commits.alone += 1;
        }
        self.commits.under_way += 1;
        self.commits.publishing += usize::from(!pile.outputs.is_empty());
        let broker = self.parts.broker.clone();
        let commit = move |batch| broker.commit(batch, durability);
        // The first call is made here and now, which fixes what comes before it and what after.
        let first = pile.batch().filter(|_| wait.is_zero()).map(&commit);
        let work = async move {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let result = in_turn(&mut pile, first, commit).await;
            Event::Committed {
                pile: Box::new(pile),
                durability,
                result,
            }
        };
        self.work.push(work.boxed());
    }

    /// Hears how a commit ended.
    pub(super) fn committed(
        &mut self,
        mut pile: Pile,
        durability: Durability,
        result: Result<(), CommitError>,
    ) {
        self.commits.under_way -= 1;
        self.commits.publishing -= usize::from(!pile.outputs.is_empty());
        self.commits.alone -= usize::from(pile.alone);
        match result {
            Ok(()) => {
                let (outputs, sequences) = (&pile.outputs, &pile.sequences);
                self.parts.publisher.note_stored(outputs, sequences);
                for token in pile.tokens {
                    self.tell(Input::Committed { token });
                }
            }
            Err(error @ CommitError::Full { .. }) if self.is_out_of_time() => {
                tracing::error!(%error, "the system ends; what was not written runs again");
                self.stop();
            }
            Err(CommitError::Full {
                reason,
                retry_after,
            }) => {
                tracing::warn!(reason, "the state is not written yet");
                pile.alone = true;
                self.commits.alone += 1;
                let since = self.commits.full().map(|(since, _)| since);
                self.commits.full = Some((since.unwrap_or(self.now()), reason));
                let wait = retry_after.max(Duration::from_millis(10));
                self.send(pile, durability, wait);
            }
            Err(error @ (CommitError::Invalid { .. } | CommitError::Stopped { .. })) => {
                tracing::error!(%error, "the system stops");
                self.stop();
            }
        }
    }

    /// Sends what waited behind refused commits, of which there are none any more, up to one that nothing may
    /// overtake.
    fn send_waiting(&mut self) {
        self.commits.full = None;
        while self.commits.alone == 0
            && let Some(pile) = self.commits.waiting.pop_front()
        {
            // Durable serves both classes.
            self.send(pile, Durability::Durable, Duration::ZERO);
        }
    }

    /// Writes the whole state in the place of everything before.
    pub(super) fn checkpoint(&mut self) {
        let waiting = self.commits.waiting.iter();
        let waiting = waiting
            .flat_map(|pile| pile.tokens.iter().copied())
            .collect();
        let records = self.parts.machine.checkpoint_before(&waiting);
        self.commits.appended_bytes = 0;
        let changes = checkpoint::changes(&records, self.parts.settings.checkpoint_batch_bytes_max);
        self.commits.checkpoint_bytes = checkpoint::bytes(&changes);
        self.commits.under_way += 1;
        self.commits.checkpointing = true;
        let broker = self.parts.broker.clone();
        let commit = move |state| {
            let appends = Vec::new();
            broker.commit(Batch { appends, state }, Durability::Durable)
        };
        // The first one is called here and now, which fixes what comes before it and what after; each other one only
        // once all before it are done, as the last removes what they stand for.
        let mut changes = changes.into_iter();
        let first = changes.next().map(&commit);
        let work = async move {
            for commit in first.into_iter().chain(changes.map(commit)) {
                commit.await?;
            }
            Ok(())
        };
        self.work.push(work.map(Event::Checkpointed).boxed());
    }

    /// Hears how a checkpoint ended. One that failed changed nothing: the next one is as good.
    pub(super) fn checkpointed(&mut self, result: Result<(), CommitError>) {
        self.commits.under_way -= 1;
        self.commits.checkpointing = false;
        if let Err(error) = result {
            tracing::warn!(%error, "no checkpoint was written");
        }
    }
}

type Commit = BoxFuture<'static, Result<Vec<u64>, CommitError>>;

/// Commits the batches of a pile one after the other, and leaves those that were not.
async fn in_turn(
    pile: &mut Pile,
    mut first: Option<Commit>,
    commit: impl Fn(Batch) -> Commit,
) -> Result<(), CommitError> {
    while !pile.left.is_empty() {
        let next = first.take().or_else(|| pile.batch().map(&commit));
        if let Some(next) = next {
            pile.sequences.extend(next.await?);
        }
        pile.left.pop_front();
    }
    Ok(())
}
