//! Where the actor runs.

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
        // A task goes when the workers do, and with it the clock that the actor waits by.
        let (with_workers, workers_gone) = oneshot::channel::<()>();
        let (with_actor, actor_gone) = oneshot::channel::<()>();
        workers.spawn(async move {
            let _with_workers = with_workers;
            let _gone = actor_gone.await;
        });
        let over = async {
            let _gone = workers_gone.await;
        };
        std::thread::Builder::new()
            .name("delivery".to_owned())
            .spawn(move || {
                let _with_actor = with_actor;
                workers.block_on(self.run(over));
            })?;
        Ok(())
    }
}
