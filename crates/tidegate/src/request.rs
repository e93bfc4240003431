//! Requests and replies: two events of the design, matched by their correlation id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tidegate_base::Envelope;
use tidegate_base::limit::REQUESTS_WAITING_MAX;
use tokio::sync::oneshot;

use crate::app::App;
use crate::context::Context;
use crate::error::RequestError;
use crate::handler::payload;
use crate::publication::{Event, Publication};

/// What a request and its reply have in common.
///
/// Source: CloudEvents, "Correlation" extension.
pub(crate) const CORRELATION: &str = "correlationid";
/// The `id` of the request, in its reply. Source: as above.
pub(crate) const CAUSATION: &str = "causationid";
/// The type of the event that a request wants for its reply. CloudEvents has no attribute for that.
///
/// Source: Hohpe and Woolf, "Enterprise Integration Patterns", 2003, "Return Address".
pub(crate) const REPLY_TO: &str = "replyto";

/// Who waits for which reply, in memory alone.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    waiting: Mutex<BTreeMap<String, oneshot::Sender<Arc<Envelope>>>>,
    /// Types of replies that a consumer of this app takes.
    types: Mutex<BTreeSet<&'static str>>,
    late: AtomicU64,
}

impl Pending {
    pub(crate) fn expect(&self, event_type: &'static str) {
        lock(&self.types).insert(event_type);
    }

    /// Takes in a reply. One that nobody waits for is dropped and counted.
    pub(crate) fn arrived(&self, context: &Context) {
        let waiting = context
            .extension(CORRELATION)
            .and_then(|correlation| lock(&self.waiting).remove(correlation));
        let told = waiting.is_some_and(|reply| reply.send(Arc::clone(context.envelope())).is_ok());
        if !told {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    fn wait(
        self: &Arc<Self>,
        event_type: &'static str,
        correlation: &str,
    ) -> Result<(Ticket, oneshot::Receiver<Arc<Envelope>>), RequestError> {
        if !lock(&self.types).contains(event_type) {
            return Err(RequestError::NoReplies { event_type });
        }
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= REQUESTS_WAITING_MAX {
            let waiting = waiting.len();
            return Err(RequestError::Busy { waiting });
        }
        let (reply, replied) = oneshot::channel();
        waiting.insert(correlation.to_owned(), reply);
        let ticket = Ticket {
            pending: Arc::clone(self),
            correlation: correlation.to_owned(),
        };
        Ok((ticket, replied))
    }
}

/// A place among those who wait, given up when it is dropped.
struct Ticket {
    pending: Arc<Pending>,
    correlation: String,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        lock(&self.pending.waiting).remove(&self.correlation);
    }
}

/// Every change is made whole under the lock, so a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl App {
    /// Publishes a request and waits for its reply, an event of type `R` with the same correlation id.
    ///
    /// Request and reply are events of the design like any other: durable, retried, parked. The handler of the request
    /// answers with [`Context::reply`], so its design `emits` the reply; the reply's consumer is the requester, who says
    /// [`Setup::replies`](crate::Setup::replies). What is *not* durable is the wait: it is in the memory of this process.
    /// When the process ends, the request is handled and the reply comes, and nobody waits for it. A reply that comes too
    /// late is dropped and counted ([`App::late_replies`]). Where what follows from the reply must happen, handle the reply
    /// with a handler instead.
    ///
    /// Several processes that pull one consumer share its replies, and each knows its own requests alone: have one process
    /// for each consumer of replies.
    ///
    /// The correlation id is a fresh one; the `replyto` attribute names the type of the reply.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: nobody takes such replies, too many wait, the request was not published, no reply came in time,
    /// or it is of another shape.
    pub async fn request<R: Event + DeserializeOwned>(
        &self,
        request: impl Into<Publication>,
        timeout: Duration,
    ) -> Result<R, RequestError> {
        let correlation = self.fresh_id();
        let (_ticket, replied) = self.pending().wait(R::TYPE, &correlation)?;
        let request = request
            .into()
            .extension(CORRELATION, &correlation)
            .extension(REPLY_TO, R::TYPE);
        let asked = async {
            self.publish(request).await?;
            // The sender is dropped with the ticket alone.
            replied
                .await
                .map_err(|_| RequestError::Timeout { after: timeout })
        };
        let reply = match tokio::time::timeout(timeout, asked).await {
            Ok(reply) => reply?,
            Err(_elapsed) => return Err(RequestError::Timeout { after: timeout }),
        };
        payload(&reply).map_err(|reason| RequestError::Reply { reason })
    }

    /// Replies that nobody waited for any more, since the start.
    #[must_use]
    pub fn late_replies(&self) -> u64 {
        self.pending().late()
    }
}
