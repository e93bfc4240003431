//! Attempts under way: those that start together are called together.
//!
//! A handler that answers at once costs no task of its own: only one that has to wait gets one, so that
//! it waits beside the others.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::{HashMap, HashMapExt};
use futures_util::future::{BoxFuture, FutureExt};
use tidegate_delivery::Ticket;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::hear::Event;

/// Most attempts that one task calls one after the other.
const TOGETHER_MAX: usize = 32;
/// Most groups of ends that wait for the actor; beyond it the tasks wait.
const GROUPS_MAX: usize = 1_024;

/// An attempt, and how it ends.
pub(super) struct Call {
    pub(super) ticket: Ticket,
    pub(super) ended: BoxFuture<'static, Event>,
}

/// The attempts of an actor.
pub(super) struct Attempts {
    starting: Vec<Call>,
    under_way: UnderWay,
    ended: mpsc::Receiver<Vec<Event>>,
}

/// What the actor and the tasks share.
#[derive(Clone)]
struct UnderWay {
    tasks: Arc<Mutex<Tasks>>,
    ends: mpsc::Sender<Vec<Event>>,
}

/// Those that wait for their handler.
struct Tasks {
    waiting: HashMap<Ticket, AbortHandle>,
    called_off: bool,
}

impl Attempts {
    pub(super) fn new() -> Self {
        let (ends, ended) = mpsc::channel(GROUPS_MAX);
        let tasks = Tasks {
            waiting: HashMap::new(),
            called_off: false,
        };
        let tasks = Arc::new(Mutex::new(tasks));
        Self {
            starting: Vec::new(),
            under_way: UnderWay { tasks, ends },
            ended,
        }
    }

    /// Adds an attempt; [`Attempts::send_off`] begins it.
    pub(super) fn add(&mut self, call: Call) {
        self.starting.push(call);
    }

    /// Begins what was added, on as many tasks as there are workers, or more.
    pub(super) fn send_off(&mut self) {
        if self.starting.is_empty() {
            return;
        }
        let workers = tokio::runtime::Handle::current().metrics().num_workers();
        let together = self.starting.len().div_ceil(workers).min(TOGETHER_MAX);
        let mut starting = std::mem::take(&mut self.starting).into_iter();
        loop {
            let calls: Vec<Call> = starting.by_ref().take(together).collect();
            if calls.is_empty() {
                return;
            }
            tokio::spawn(self.under_way.clone().call(calls));
        }
    }

    /// Waits for the next ends.
    pub(super) async fn next(&mut self) -> Vec<Event> {
        // It has a sender itself, so the channel never closes.
        self.ended.recv().await.unwrap_or_default()
    }

    /// The next ends, if there are any yet.
    pub(super) fn try_next(&mut self) -> Option<Vec<Event>> {
        self.ended.try_recv().ok()
    }

    /// Calls off everything that has not ended, and whatever would start later.
    pub(super) fn call_off(&mut self) {
        let mut tasks = lock(&self.under_way.tasks);
        tasks.called_off = true;
        tasks.waiting.values().for_each(AbortHandle::abort);
        tasks.waiting.clear();
    }
}

impl UnderWay {
    /// Calls one after the other as far as each goes without waiting, and leaves the rest to tasks.
    async fn call(self, calls: Vec<Call>) {
        let mut events = Vec::with_capacity(calls.len());
        for Call { ticket, mut ended } in calls {
            if lock(&self.tasks).called_off {
                return;
            }
            // Whoever is to wake it is told by the task that goes on with it: that one asks again at once.
            match (&mut ended).now_or_never() {
                Some(event) => events.push(event),
                None => self.wait(ticket, ended),
            }
        }
        if !events.is_empty() {
            let _actor_gone = self.ends.send(events).await;
        }
    }

    fn wait(&self, ticket: Ticket, ended: impl Future<Output = Event> + Send + 'static) {
        let under_way = self.clone();
        let waits = ticket.clone();
        let mut tasks = lock(&self.tasks);
        if tasks.called_off {
            return;
        }
        // The lock is held until it is noted: it cannot end before.
        let task = tokio::spawn(async move {
            let event = ended.await;
            lock(&under_way.tasks).waiting.remove(&waits);
            let _actor_gone = under_way.ends.send(vec![event]).await;
        });
        tasks.waiting.insert(ticket, task.abort_handle());
    }
}

/// Nothing can panic while it is held, but a lock is not worth a panic either.
fn lock(tasks: &Mutex<Tasks>) -> MutexGuard<'_, Tasks> {
    tasks.lock().unwrap_or_else(PoisonError::into_inner)
}
