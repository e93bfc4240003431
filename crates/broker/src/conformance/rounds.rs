//! Rounds of faults: in each the broker has load, and something is done to it.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tidegate_base::Random;
use tokio::time::{Instant, sleep, timeout};

use super::history::{Fates, Signs, check, found, load};
use crate::Broker;

/// How long a round may wait for something to be written, or for what is under way to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A broker on a server that something is done to.
pub trait Sufferer: Send {
    /// What is done to the server, or the way there.
    type Fault: Copy + Debug + Send;

    /// Takes the shard over.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Broker>>;

    /// Does it, and lets the server live again.
    fn inflict(&mut self, fault: Self::Fault) -> BoxFuture<'_, ()>;
}

/// What is done in a round.
#[derive(Clone, Copy, Debug)]
pub struct Round<F> {
    /// To the server.
    pub fault: Option<F>,
    /// Whether the shard is taken over after that.
    pub is_taken_over: bool,
}

/// One round after the other, as many as asked for, and then what is wrong with what is there. `tell` hears of each.
///
/// # Errors
///
/// When a round comes to no end.
pub async fn survive<S: Sufferer>(
    sufferer: &mut S,
    rounds: &[Round<S::Fault>],
    many: u64,
    random: &Random,
    tell: impl Fn(String),
) -> Result<Vec<String>, String> {
    let next = Arc::new(AtomicU64::new(0));
    let mut fates = Fates::new();
    let mut broker = sufferer.open().await;
    for (number, round) in (0..many).zip(rounds.iter().cycle()) {
        let begun_at = Instant::now();
        let signs = Arc::new(Signs::default());
        let loading = load(Arc::clone(&broker), Arc::clone(&next), Arc::clone(&signs));
        let loading = tokio::spawn(loading);
        // Something is written before, so that no round is in vain.
        let enough = random.bits(number) % 60;
        let begun = timeout(PATIENCE, async {
            while signs.acknowledged.load(Ordering::Relaxed) <= enough {
                sleep(Duration::from_millis(2)).await;
            }
        });
        let stuck = |what: &str| format!("round {number}, {round:?}: {what}");
        begun.await.map_err(|_| stuck("nothing is written"))?;
        if let Some(fault) = round.fault {
            sufferer.inflict(fault).await;
        }
        if round.is_taken_over {
            broker = sufferer.open().await;
        }
        sleep(Duration::from_millis(
            random.bits(number.saturating_add(1_000)) % 300,
        ))
        .await;
        signs.over.store(true, Ordering::Relaxed);
        let ended = timeout(PATIENCE, loading).await;
        let ended = ended.map_err(|_| stuck("commits never end"))?;
        let ended = ended.map_err(|error| error.to_string())??;
        let known = ended.values().filter(|fate| fate.is_some()).count();
        let (all, seconds) = (ended.len(), begun_at.elapsed().as_secs());
        tell(format!(
            "round {number}, {round:?}: {known} of {all} acknowledged, in {seconds} s"
        ));
        fates.extend(ended);
    }
    // Read by a new owner: what the present one remembers is not what is kept.
    let reader = sufferer.open().await;
    Ok(check(&fates, &found(&*reader).await?))
}
