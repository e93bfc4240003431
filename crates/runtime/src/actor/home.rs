//! Where the actor runs.

use std::thread::JoinHandle;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use super::Actor;

impl Actor {
    /// Begins to run: on a thread of its own beside several workers. As a task it would wait its turn behind producers
    /// whose events are being judged, and little would be delivered while they are many.
    ///
    /// # Errors
    ///
    /// When there can be no further thread.
    pub(crate) fn begin(self) -> std::io::Result<()> {
        let workers = Handle::current();
        if workers.runtime_flavor() == RuntimeFlavor::CurrentThread {
            tokio::spawn(self.run(std::future::pending()));
            return Ok(());
        }
        let (over, is_over) = oneshot::channel::<()>();
        let (with_actor, actor_gone) = oneshot::channel::<()>();
        let place = workers.clone();
        let thread = std::thread::Builder::new()
            .name("delivery".to_owned())
            .spawn(move || {
                let _with_actor = with_actor;
                let is_over = async {
                    let _workers_gone = is_over.await;
                };
                place.block_on(self.run(is_over));
            })?;
        let keeper = Keeper {
            over: Some(over),
            thread: Some(thread),
        };
        workers.spawn(async move {
            let _keeper = keeper;
            let _gone = actor_gone.await;
        });
        Ok(())
    }
}

/// Ends the thread with the workers, which drop their tasks when they go: before the clock that the actor waits by, and so
/// that nobody finds the broker in use after that.
struct Keeper {
    over: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            // What it says when it panics was said.
            let _ended = thread.join();
        }
    }
}
