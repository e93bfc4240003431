//! Publishing a plan into a running system, open loop: late is late, and nothing is left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_base::Clock;
use tidegate_runtime::{PublishError, Runtime};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::plan::Plan;

/// Most publishes that wait for their acknowledgement.
const OUTSTANDING_MAX: usize = 1_000;

/// What came of a plan so far.
#[derive(Debug, Default)]
pub struct Played {
    /// Events that were accepted.
    pub accepted: AtomicU64,
    /// Times that a producer was pushed back; it tried again.
    pub pushed_back: AtomicU64,
    /// Events that were refused for good.
    pub refused: AtomicU64,
}

/// Publishes the plan until `until` turns true. An event that is pushed back is tried again.
pub async fn play(
    plan: Arc<Plan>,
    runtime: Runtime,
    clock: Arc<dyn Clock>,
    played: Arc<Played>,
    until: watch::Receiver<bool>,
) {
    let run = format!("{:x}", clock.now().millis());
    let start = Instant::now();
    let room = Arc::new(Semaphore::new(OUTSTANDING_MAX));
    let mut ending = until.clone();
    for planned in plan.schedule() {
        tokio::select! {
            () = tokio::time::sleep_until(start + planned.arrival.at) => {}
            _ended = ending.wait_for(|ended| *ended) => return,
        }
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let envelope =
            planned
                .stream
                .envelope(&run, planned.number, &planned.arrival.key, clock.now());
        let (runtime, played, until) = (runtime.clone(), Arc::clone(&played), until.clone());
        tokio::spawn(async move {
            publish(&runtime, envelope, &played, until).await;
            drop(permit);
        });
    }
}

async fn publish(
    runtime: &Runtime,
    envelope: tidegate_base::Envelope,
    played: &Played,
    mut until: watch::Receiver<bool>,
) {
    loop {
        match runtime.publish(vec![envelope.clone()]).await {
            Ok(_) => {
                played.accepted.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Err(PublishError::Full { retry_after, .. }) => {
                played.pushed_back.fetch_add(1, Ordering::Relaxed);
                tokio::select! {
                    () = tokio::time::sleep(retry_after) => {}
                    _ended = until.wait_for(|ended| *ended) => return,
                }
            }
            Err(PublishError::Draining | PublishError::Stopped) => return,
            Err(error) => {
                tracing::warn!("an event of the plan was refused: {error}");
                played.refused.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }
}
