//! Commits: as few as possible, in order, retried at a limit, never lost.

use std::time::Duration;

use futures_util::future::FutureExt;
use tidegate_base::Timestamp;
use tidegate_broker::{Batch, CommitError, Durability, StateChange};
use tidegate_delivery::{Class, Input, StateRecord};

use super::Actor;
use super::hear::Event;
use crate::journal;

/// A checkpoint is not worth its commit before so much was appended.
const CHECKPOINT_BYTES_MIN: u64 = 1 << 20;

/// Records that are committed together, and the tokens that wait for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pile {
    tokens: Vec<u64>,
    records: Vec<StateRecord>,
    /// Whether it was refused at a limit before.
    refused: bool,
}

/// What is to be committed.
#[derive(Debug)]
pub(super) struct Commits {
    written: Pile,
    durable: Pile,
    /// Commits that were refused at a limit and are tried again.
    refused: usize,
    /// Since when, and the limit.
    full: Option<(Timestamp, String)>,
    /// What came later waits behind them, in order.
    waiting: Pile,
    /// Commits that are under way.
    pub(super) under_way: usize,
    appended_bytes: u64,
    checkpoint_bytes: u64,
}

impl Commits {
    pub(super) fn new(checkpoint_bytes: u64) -> Self {
        Self {
            written: Pile::default(),
            durable: Pile::default(),
            refused: 0,
            full: None,
            waiting: Pile::default(),
            under_way: 0,
            appended_bytes: 0,
            checkpoint_bytes,
        }
    }

    /// Adds what the machine wants kept. What is only to be written goes ahead of what is to be
    /// durable, as within one step of the machine.
    pub(super) fn add(&mut self, token: u64, class: Class, records: Vec<StateRecord>) {
        let pile = match class {
            Class::Written => &mut self.written,
            Class::Durable => &mut self.durable,
        };
        pile.tokens.push(token);
        pile.records.extend(records);
    }

    /// Since when commits find no room, and which limit was reached; `None`: they do.
    pub(super) fn full(&self) -> Option<(Timestamp, &str)> {
        let (since, reason) = self.full.as_ref()?;
        Some((*since, reason))
    }

    fn is_due(&self, growth: u64) -> bool {
        let base = self.checkpoint_bytes.max(CHECKPOINT_BYTES_MIN);
        self.refused == 0 && self.appended_bytes > base.saturating_mul(growth)
    }
}

impl Actor {
    /// Sends what was collected. The calls are made here and now, which fixes their order.
    pub(super) fn send_commits(&mut self) {
        let written = std::mem::take(&mut self.commits.written);
        let durable = std::mem::take(&mut self.commits.durable);
        for (pile, durability) in [
            (written, Durability::Written),
            (durable, Durability::Durable),
        ] {
            if pile.tokens.is_empty() {
                continue;
            }
            if self.commits.refused > 0 {
                self.commits.waiting.tokens.extend(pile.tokens);
                self.commits.waiting.records.extend(pile.records);
            } else {
                self.send(pile, durability, Duration::ZERO);
            }
        }
        if self.commits.is_due(self.parts.settings.checkpoint_growth) {
            self.checkpoint();
        }
    }

    fn send(&mut self, pile: Pile, durability: Durability, wait: Duration) {
        let pieces = journal::encode(&pile.records);
        self.commits.appended_bytes += journal::bytes(&pieces);
        let groups = journal::groups(pieces);
        self.commits.under_way += 1;
        let broker = self.parts.broker.clone();
        let commit = move |group| {
            let batch = Batch {
                appends: Vec::new(),
                state: StateChange::Append(group),
            };
            broker.commit(batch, durability)
        };
        let work = if wait.is_zero() {
            let commits: Vec<_> = groups.into_iter().map(commit).collect();
            async move {
                let result = all(commits).await;
                Event::Committed {
                    pile,
                    durability,
                    result,
                }
            }
            .boxed()
        } else {
            async move {
                tokio::time::sleep(wait).await;
                let result = all(groups.into_iter().map(commit).collect()).await;
                Event::Committed {
                    pile,
                    durability,
                    result,
                }
            }
            .boxed()
        };
        self.work.push(work);
    }

    /// Hears how a commit ended.
    pub(super) fn committed(
        &mut self,
        mut pile: Pile,
        durability: Durability,
        result: Result<(), CommitError>,
    ) {
        self.commits.under_way -= 1;
        self.commits.refused -= usize::from(pile.refused);
        match result {
            Ok(()) => {
                for token in pile.tokens {
                    self.step(Input::Committed { token });
                }
                if self.commits.refused == 0 {
                    self.send_waiting();
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
                pile.refused = true;
                self.commits.refused += 1;
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

    /// Sends what waited behind refused commits; there are none any more.
    fn send_waiting(&mut self) {
        self.commits.full = None;
        let waiting = std::mem::take(&mut self.commits.waiting);
        if !waiting.tokens.is_empty() {
            // Durable serves both classes.
            self.send(waiting, Durability::Durable, Duration::ZERO);
        }
    }

    /// Writes the whole state in the place of everything before.
    pub(super) fn checkpoint(&mut self) {
        let pieces = journal::encode(&self.parts.machine.checkpoint());
        let bytes = journal::bytes(&pieces);
        self.commits.appended_bytes = 0;
        self.commits.checkpoint_bytes = bytes;
        if !journal::fits(&pieces) {
            // A checkpoint in parts could be cut off in the middle; the appended records are all there.
            tracing::warn!(
                bytes,
                "the state is too large for a checkpoint and goes on growing"
            );
            return;
        }
        let state = StateChange::Replace(pieces);
        let batch = Batch {
            appends: Vec::new(),
            state,
        };
        self.commits.under_way += 1;
        let commit = self.parts.broker.commit(batch, Durability::Durable);
        self.work
            .push(async move { Event::Checkpointed(commit.await.map(drop)) }.boxed());
    }

    /// Hears how a checkpoint ended. One that failed changed nothing: the next one is as good.
    pub(super) fn checkpointed(&mut self, result: Result<(), CommitError>) {
        self.commits.under_way -= 1;
        if let Err(error) = result {
            tracing::warn!(%error, "no checkpoint was written");
        }
    }
}

type Commit = futures_util::future::BoxFuture<'static, Result<Vec<u64>, CommitError>>;

/// All of the commits; they were called in order, so they are done in order.
async fn all(commits: Vec<Commit>) -> Result<(), CommitError> {
    let mut result = Ok(());
    for commit in commits {
        result = result.and(commit.await.map(drop));
    }
    result
}
