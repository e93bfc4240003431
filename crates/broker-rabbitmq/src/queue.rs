//! What waits to be sent, in the order of the calls.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_broker_journal::{JournalError, Message};
use tokio::sync::{Notify, oneshot};

/// The segment into which a call was written; 0 where there are none.
pub(crate) type Written = Result<u64, JournalError>;

/// One call.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) messages: Vec<Message>,
    /// By which its messages are known again, followed by their numbers.
    pub(crate) mark: Option<u64>,
    pub(crate) answer: oneshot::Sender<Written>,
}

/// The calls that wait.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<Waiting>>,
    wake: Notify,
}

/// Every change is made whole under the lock, so a panic elsewhere leaves nothing half done.
pub(crate) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// Takes the place of a call. Whoever drops the future gives up what is not sent yet.
    pub(crate) fn push(
        &self,
        messages: Vec<Message>,
        mark: Option<u64>,
    ) -> BoxFuture<'static, Written> {
        let (answer, answered) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        // While nothing can be sent callers may come again and again.
        waiting.retain(|call| !call.answer.is_closed());
        waiting.push_back(Waiting {
            messages,
            mark,
            answer,
        });
        drop(waiting);
        self.wake.notify_one();
        let ended = |_| JournalError::Unknown("the connection was closed".to_owned());
        async move { answered.await.map_err(ended)? }.boxed()
    }

    /// The next call that somebody waits for.
    pub(crate) async fn next(&self) -> Waiting {
        loop {
            let call = lock(&self.waiting).pop_front();
            match call {
                Some(call) if call.answer.is_closed() => {}
                Some(call) => return call,
                None => self.wake.notified().await,
            }
        }
    }

    /// Answers all that wait.
    pub(crate) fn fail(&self, error: &JournalError) {
        for call in lock(&self.waiting).drain(..) {
            // Nobody may be waiting any more.
            let _left = call.answer.send(Err(error.clone()));
        }
    }
}
