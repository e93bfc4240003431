//! Batches: what a batch handler is given and what it may say.

use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::outcome::Outcome;

/// Events that are handled together: of one consumer, and where it keeps an order, each of another key. The next event
/// of a key comes only once the end of the one before is durable.
#[derive(Debug)]
pub struct Batch<T> {
    pub(crate) items: Vec<Item<T>>,
}

/// One event of a batch.
#[derive(Debug)]
#[non_exhaustive]
pub struct Item<T> {
    /// Its payload.
    pub data: T,
    /// What is known of its delivery. What it publishes goes with the end of this delivery alone.
    pub context: Context,
}

impl<T> Batch<T> {
    /// How many events; never 0.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Never true: a handler gets no empty batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The events in the order in which they came.
    pub fn iter(&self) -> std::slice::Iter<'_, Item<T>> {
        self.items.iter()
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = Item<T>;
    type IntoIter = std::vec::IntoIter<Item<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Batch<T> {
    type Item = &'a Item<T>;
    type IntoIter = std::slice::Iter<'a, Item<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

/// How a batch ended.
#[derive(Debug)]
pub enum BatchEnd {
    /// Every event is done.
    Done,
    /// The batch failed, and nothing is known of the single events.
    Failed(Outcome),
    /// The outcome of each event, in the order of the batch.
    Each(Vec<Outcome>),
}

/// What a batch handler may return: nothing or `Ok(())` when every event is done; `Err` when the batch failed as a whole;
/// a list of outcomes in the order of the batch, one for each event.
pub trait IntoBatchEnd {
    /// The end that is meant.
    fn into_batch_end(self) -> BatchEnd;
}

impl IntoBatchEnd for () {
    fn into_batch_end(self) -> BatchEnd {
        BatchEnd::Done
    }
}

impl IntoBatchEnd for Vec<Outcome> {
    fn into_batch_end(self) -> BatchEnd {
        BatchEnd::Each(self)
    }
}

impl<T: IntoBatchEnd, E: Into<Outcome>> IntoBatchEnd for Result<T, E> {
    fn into_batch_end(self) -> BatchEnd {
        match self {
            Ok(end) => end.into_batch_end(),
            Err(error) => BatchEnd::Failed(error.into()),
        }
    }
}

/// What handles batches: an async function of a [`Batch`].
#[diagnostic::on_unimplemented(
    message = "this is no handler of batches",
    label = "not an async function of `Batch<…>` whose future is `Send`",
    note = "it returns `()`, a list of `Outcome`s, or a `Result` of one of them"
)]
pub trait BatchHandler<T>: Clone + Send + Sync + 'static {
    /// Handles one batch.
    fn handle(&self, batch: Batch<T>) -> impl Future<Output = BatchEnd> + Send;
}

impl<T, Run, Running> BatchHandler<T> for Run
where
    T: DeserializeOwned + Send + 'static,
    Run: Fn(Batch<T>) -> Running + Clone + Send + Sync + 'static,
    Running: Future<Output: IntoBatchEnd> + Send,
{
    async fn handle(&self, batch: Batch<T>) -> BatchEnd {
        self(batch).await.into_batch_end()
    }
}
