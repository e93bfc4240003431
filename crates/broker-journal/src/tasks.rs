//! What goes on beside the callers: sending what waits, and reading it back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::broker::Shared;
use crate::journal::{Entry, Follow, JournalError};
use crate::open::Opened;
use crate::pass::pass_on;
use crate::queue::Queue;
use crate::reader::{Effect, Reader, Seen};

/// Calls of the engine that are under way at the same time.
const CALLS_MAX: usize = 16;
/// How long to wait before what was not confirmed is sent again; doubled each time.
const AGAIN: Duration = Duration::from_millis(50);
/// The longest wait.
const AGAIN_MAX: Duration = Duration::from_secs(2);
/// The wait from which on producers are told to wait as well.
const STALLED: Duration = Duration::from_millis(800);
/// How long nothing may be read back, until it is sent again: by then nobody knows what has become of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why an owner can write no more, in the usual case.
pub(crate) const TAKEN: &str = "another process has taken this shard over";

/// Lets a shard that was opened live, until `ended` can tell nothing any more.
pub(crate) fn start(opened: Opened, ended: &watch::Receiver<()>) -> Arc<Shared> {
    let Opened {
        shard,
        journals,
        journal,
        view,
        reader,
        nonce,
        follow,
    } = opened;
    let place = (shard, u32::try_from(journals.len()).unwrap_or(u32::MAX));
    let queue = Queue::new(Arc::clone(&journal), reader.epoch(), place);
    let shared = Arc::new(Shared {
        shard,
        journals,
        journal,
        sent: watch::Sender::new(view.sent.clone()),
        view: Mutex::new(view),
        queue: Mutex::new(queue),
        wake: Notify::new(),
        closed: watch::Sender::new(false),
    });
    until_ended(ended, send(Arc::clone(&shared)));
    until_ended(ended, pass_on(Arc::clone(&shared)));
    let back = Back {
        shared: Arc::clone(&shared),
        reader,
        nonce,
    };
    until_ended(ended, back.read(follow));
    shared
}

fn until_ended(ended: &watch::Receiver<()>, task: impl Future<Output = ()> + Send + 'static) {
    let mut ended = ended.clone();
    tokio::spawn(async move {
        tokio::select! {
            biased;
            _last = ended.changed() => {}
            () = task => {}
        }
    });
}

/// Sends what waits, without waiting for the answers; what is not confirmed is sent again, with all behind it.
async fn send(shared: Arc<Shared>) {
    let mut under_way: FuturesUnordered<BoxFuture<'static, Result<(), JournalError>>> =
        FuturesUnordered::new();
    let mut next = 0;
    let mut pause = AGAIN;
    let mut last_unread = None;
    let mut failed_at = None;
    loop {
        while under_way.len() < CALLS_MAX {
            let group = shared.queue().group(next);
            let Some((messages, behind)) = group else {
                break;
            };
            under_way.push(shared.journal.append(messages));
            next = behind;
        }
        let failed = tokio::select! {
            biased;
            Some(answer) = under_way.next() => match answer {
                Ok(()) => None,
                Err(JournalError::Refused(reason)) => return shared.stop(&reason),
                Err(JournalError::Unknown(reason)) => Some(reason),
            },
            () = shared.wake.notified() => None,
            () = sleep(PATIENCE) => {
                let unread = shared.queue().unread();
                let stands = unread.is_some() && unread == last_unread;
                last_unread = unread;
                stands.then(|| "nothing comes back of what was written".to_owned())
            }
        };
        if shared.queue().stopped().is_some() {
            return;
        }
        if let Some(reason) = failed {
            // What is under way has its place already; its answers say nothing any more.
            under_way.clear();
            let unread = shared.queue().unread();
            if unread != failed_at {
                // Something came back since it failed last.
                (failed_at, pause) = (unread, AGAIN);
            } else if pause >= STALLED {
                stall(&shared, &reason);
            }
            sleep(pause).await;
            pause = (pause * 2).min(AGAIN_MAX);
            next = shared.queue().unread().unwrap_or(next);
        }
    }
}

fn stall(shared: &Shared, reason: &str) {
    let mut queue = shared.queue();
    if !queue.is_stalled {
        tracing::warn!("{}: {reason}; it is tried again", shared.journal.engine());
    }
    queue.is_stalled = true;
}

/// Reads the journal as its owner.
struct Back {
    shared: Arc<Shared>,
    reader: Reader,
    nonce: u64,
}

impl Back {
    async fn read(mut self, mut follow: Box<dyn Follow>) {
        let mut pause = AGAIN;
        loop {
            match follow.next().await {
                Ok(entries) => {
                    pause = AGAIN;
                    for entry in entries {
                        self.take(entry);
                    }
                }
                Err(JournalError::Refused(reason)) => return self.shared.stop(&reason),
                Err(JournalError::Unknown(reason)) => {
                    if pause >= STALLED {
                        stall(&self.shared, &reason);
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(AGAIN_MAX);
                }
            }
        }
    }

    /// Readers see what is new before whoever wrote it is answered.
    fn take(&mut self, entry: Entry) {
        let position = entry.position;
        let effects = self.reader.step(Seen::of(&entry));
        {
            let mut view = self.shared.view();
            view.remember(entry);
            view.apply(&effects, &self.reader, position);
        }
        for effect in effects {
            match effect {
                Effect::Opened { nonce, .. } if nonce != self.nonce => self.shared.stop(TAKEN),
                Effect::Committed { number, appends } => {
                    self.shared.queue().committed(number, appends);
                }
                _ => {}
            }
        }
        self.shared.queue().note_read(self.reader.number());
    }
}
