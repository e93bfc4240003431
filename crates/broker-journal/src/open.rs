//! Taking a shard over.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tidegate_base::Timestamp;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout_at};

use crate::codec::Base;
use crate::control::Control;
use crate::journal::{Entry, Follow, Journal, JournalError, Message, Target};
use crate::reader::{Effect, Reader, Seen};
use crate::view::View;

/// How long the engine may not answer, until it is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait before it is asked again.
const AGAIN: Duration = Duration::from_millis(200);
/// How often somebody else may come first.
const TRIES_MAX: usize = 20;

/// Why a shard cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// There is no such shard.
    #[error("there is no shard {shard}: the system has {shards}")]
    Shard {
        /// The shard.
        shard: u32,
        /// How many there are.
        shards: usize,
    },
    /// The engine does not answer, or refuses.
    #[error("{engine}: {doing}: {reason}")]
    Engine {
        /// What it is called.
        engine: &'static str,
        /// What it was asked.
        doing: &'static str,
        /// Its words.
        reason: String,
    },
    /// Others take it over all the time.
    #[error(
        "shard {shard} is taken over by others as often as it is opened; does each process have shards of its own?"
    )]
    Contended {
        /// The shard.
        shard: u32,
    },
}

/// A shard that was taken over.
pub(crate) struct Opened {
    pub(crate) shard: u32,
    pub(crate) journals: Vec<Arc<dyn Journal>>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) view: View,
    pub(crate) reader: Reader,
    pub(crate) nonce: u64,
    pub(crate) follow: Box<dyn Follow>,
}

/// Reads what is there, then says that it is ours, and reads on until that is seen.
pub(crate) async fn open(shard: u32, journals: Vec<Arc<dyn Journal>>) -> Result<Opened, OpenError> {
    let place = usize::try_from(shard).unwrap_or(usize::MAX);
    let Some(journal) = journals.get(place).cloned() else {
        let shards = journals.len();
        return Err(OpenError::Shard { shard, shards });
    };
    let mut opening = Opening {
        follow: journal.follow(0),
        journal,
        view: View::default(),
        reader: Reader::default(),
    };
    opening.catch_up().await?;
    for _ in 0..TRIES_MAX {
        if let Some(nonce) = opening.take_over().await? {
            let Opening {
                journal,
                view,
                reader,
                follow,
            } = opening;
            return Ok(Opened {
                shard,
                journals,
                journal,
                view,
                reader,
                nonce,
                follow,
            });
        }
    }
    Err(OpenError::Contended { shard })
}

struct Opening {
    journal: Arc<dyn Journal>,
    follow: Box<dyn Follow>,
    view: View,
    reader: Reader,
}

impl Opening {
    /// Reads everything that is there now.
    async fn catch_up(&mut self) -> Result<(), OpenError> {
        let nonce = random();
        append(
            Arc::clone(&self.journal),
            Control::Probe { nonce },
            "writing",
        )
        .await?;
        let mut there: Vec<Seen> = Vec::new();
        let mut is_whole = false;
        while !is_whole {
            let seen: Vec<Seen> = self.next().await?.iter().map(Seen::of).collect();
            is_whole = seen.iter().any(|seen| seen.probe() == Some(nonce));
            there.extend(seen);
        }
        let first = there.first().map_or(0, |seen| seen.position);
        // What was removed is told by what its owner wrote before. Each that is told of a place that is left is true;
        // the least is the one by which nothing is passed over that stays.
        let told = there.iter().filter_map(Seen::base);
        let base = told
            .filter(|base| base.first >= first)
            .min_by_key(|base| base.first);
        let base = base.unwrap_or_else(|| Base {
            first,
            ..Base::default()
        });
        self.view.begin(base.first, base.standing.clone());
        self.reader = Reader::from(base.standing);
        for seen in there {
            if seen.position >= base.first {
                self.step(seen);
            }
        }
        Ok(())
    }

    /// Says that the shard is ours. Returns the nonce by which that is known; `None` when somebody else was first.
    async fn take_over(&mut self) -> Result<Option<u64>, OpenError> {
        let (epoch, nonce) = (self.reader.epoch().saturating_add(1), random());
        append(
            Arc::clone(&self.journal),
            Control::Open { epoch, nonce },
            "taking the shard over",
        )
        .await?;
        loop {
            let mut opened = None;
            for entry in self.next().await? {
                let effects = self.step(Seen::of(&entry));
                self.view.remember(entry);
                for effect in effects {
                    if let Effect::Opened { nonce, .. } = effect {
                        opened = Some(nonce);
                    }
                }
            }
            match opened {
                Some(found) if found == nonce => return Ok(Some(nonce)),
                Some(_) => return Ok(None),
                None => {}
            }
        }
    }

    fn step(&mut self, seen: Seen) -> Vec<Effect> {
        let position = seen.position;
        let effects = self.reader.step(seen);
        self.view.apply(&effects, &self.reader, position);
        effects
    }

    async fn next(&mut self) -> Result<Vec<Entry>, OpenError> {
        let mut waiting = Waiting::new(&*self.journal, "reading");
        loop {
            let answer = timeout_at(waiting.end, self.follow.next()).await;
            if let Some(entries) = waiting.judge(answer)? {
                return Ok(entries);
            }
            sleep(AGAIN).await;
        }
    }
}

async fn append(
    journal: Arc<dyn Journal>,
    control: Control,
    doing: &'static str,
) -> Result<(), OpenError> {
    let message = Message {
        target: Target::System,
        key: None,
        time: Timestamp::from_nanos(0),
        attributes: Vec::new(),
        payload: bytes::Bytes::new(),
        control: Some(control.to_string()),
    };
    let mut waiting = Waiting::new(&*journal, doing);
    loop {
        let answer = timeout_at(waiting.end, journal.append_beside(vec![message.clone()])).await;
        if waiting.judge(answer)?.is_some() {
            return Ok(());
        }
        sleep(AGAIN).await;
    }
}

/// Asks until there is an answer, or the patience ends.
struct Waiting {
    end: Instant,
    engine: &'static str,
    doing: &'static str,
    last: String,
}

impl Waiting {
    fn new(journal: &dyn Journal, doing: &'static str) -> Self {
        Self {
            end: Instant::now() + PATIENCE,
            engine: journal.engine(),
            doing,
            last: "it does not answer".to_owned(),
        }
    }

    /// What was answered; `None`: it is to be asked again.
    fn judge<T>(
        &mut self,
        answer: Result<Result<T, JournalError>, Elapsed>,
    ) -> Result<Option<T>, OpenError> {
        let reason = match answer {
            Ok(Ok(answer)) => return Ok(Some(answer)),
            Ok(Err(JournalError::Unknown(reason))) => {
                self.last = reason;
                return Ok(None);
            }
            Ok(Err(JournalError::Refused(reason))) => reason,
            Err(_) => self.last.clone(),
        };
        Err(OpenError::Engine {
            engine: self.engine,
            doing: self.doing,
            reason,
        })
    }
}

/// A number that nobody else has chosen.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
