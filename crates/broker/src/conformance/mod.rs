//! The suite that holds a broker to the contract and to its own promises: one check a promise.
//!
//! ```no_run
//! # async fn test(subject: &dyn tidegate_broker::conformance::Subject) {
//! let broken = tidegate_broker::conformance::run(subject).await;
//! assert!(broken.is_empty(), "{broken:#?}");
//! # }
//! ```

mod durability;
pub mod history;
mod order;
mod ranked;
mod reading;
mod report;
mod retention;
pub mod rounds;
mod scene;
pub mod sharing;
mod state;
mod visibility;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::time::timeout;

use self::ranked::RankedSubject;
pub use self::report::{Report, Verdict};
use crate::{Broker, Retention, Survives};

/// Longest time that one check may take: a broker that never answers is broken too.
const CHECK_TIME_MAX: Duration = Duration::from_secs(60);

/// What the suite is run on.
pub trait Subject: Send + Sync {
    /// A broker that holds nothing.
    fn make(&self) -> BoxFuture<'_, Arc<dyn Broker>>;

    /// Ends `broker` and opens another on what it has kept. Called only for a broker that survives
    /// something; the suite holds no other reference to it.
    fn reopen(&self, broker: Arc<dyn Broker>) -> BoxFuture<'_, Arc<dyn Broker>>;
}

/// A promise that is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The promise.
    pub promise: &'static str,
    /// What happened instead.
    pub instead: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.instead)
    }
}

/// The outcome of one check: what happened instead of what was promised.
type Outcome = Result<(), String>;
type Check = fn(Arc<dyn Broker>) -> BoxFuture<'static, Outcome>;
type ReopenCheck = for<'a> fn(&'a dyn Subject, Arc<dyn Broker>) -> BoxFuture<'a, Outcome>;

const CHECKS: &[(&str, Check)] = &[
    (
        "sequences ascend, without gaps where that is promised",
        |b| order::dense(b).boxed(),
    ),
    ("commits take effect in the order of the calls", |b| {
        order::of_calls(b).boxed()
    }),
    ("classes do not change the order of the calls", |b| {
        order::over_classes(b).boxed()
    }),
    ("concurrent commits keep that so", |b| {
        order::concurrent(b).boxed()
    }),
    ("an empty batch is done", |b| order::empty_batch(b).boxed()),
    ("a record comes back as it was", |b| {
        reading::record(b).boxed()
    }),
    ("a large record comes back as it was", |b| {
        reading::large_record(b).boxed()
    }),
    ("a read keeps its limits and makes progress", |b| {
        reading::limits(b).boxed()
    }),
    ("a record is found by its time", |b| {
        reading::times(b).boxed()
    }),
    ("an unknown channel reads empty", |b| {
        reading::unknown_channel(b).boxed()
    }),
    ("a done commit is visible", |b| {
        visibility::done_is_visible(b).boxed()
    }),
    ("nothing is visible before it is done", |b| {
        visibility::visible_is_done(b).boxed()
    }),
    ("a batch is seen whole or not at all", |b| {
        visibility::whole(b).boxed()
    }),
    ("a refused batch leaves no trace", |b| {
        visibility::refused(b).boxed()
    }),
    ("the tail grows and wakes who waits for it", |b| {
        visibility::tail_wakes(b).boxed()
    }),
    ("dropping the future does not undo the commit", |b| {
        visibility::dropped(b).boxed()
    }),
    (
        "the state is the last replacement and what was added since",
        |b| state::changes(b).boxed(),
    ),
    ("nothing goes of which nothing was said", |b| {
        retention::unsaid(b).boxed()
    }),
];

/// Called only for a broker that removes what nobody needs.
const RETENTION_CHECKS: &[(&str, Check)] = &[
    ("what is too old goes, what is not stays", |b| {
        retention::age(b).boxed()
    }),
    ("the oldest go while enough bytes stay", |b| {
        retention::bytes(b).boxed()
    }),
    ("what is needed stays", |b| retention::needed(b).boxed()),
    ("nothing that was removed is found by its time", |b| {
        retention::times(b).boxed()
    }),
    ("what is said last of a channel holds", |b| {
        retention::said_last(b).boxed()
    }),
    ("no sequence is used again", |b| {
        retention::sequences(b).boxed()
    }),
];

/// Called only for a broker that removes every record that may go, not only the oldest.
const ANY_RECORD_CHECKS: &[(&str, Check)] = &[
    ("the latest record of each key stays", |b| {
        retention::latest(b).boxed()
    }),
    ("what is pinned stays", |b| retention::pinned(b).boxed()),
];

const REOPEN_RETENTION_CHECKS: &[(&str, ReopenCheck)] = &[
    ("what was removed stays away after reopening", |s, b| {
        retention::reopened(s, b).boxed()
    }),
    ("no sequence is used again after reopening", |s, b| {
        retention::sequences_reopened(s, b).boxed()
    }),
];

const REOPEN_CHECKS: &[(&str, ReopenCheck)] = &[
    ("everything durable is there after reopening", |s, b| {
        durability::kept(s, b).boxed()
    }),
    ("sequences go on after reopening", |s, b| {
        durability::goes_on(s, b).boxed()
    }),
    ("what was in flight is there whole or not at all", |s, b| {
        durability::in_flight(s, b).boxed()
    }),
];

/// Runs every check that the broker's promises call for, each on a new broker. Returns the promises
/// that are broken: none for a broker that keeps the contract.
pub async fn run(subject: &dyn Subject) -> Vec<Broken> {
    examine(subject).await.broken()
}

/// Runs every check that the broker's promises call for, each on a new broker, and says what came of each.
pub async fn examine(subject: &dyn Subject) -> Report {
    let subject: &dyn Subject = &RankedSubject::new(subject);
    let promises = subject.make().await.promises();
    let enforced = promises.retention != Retention::Kept;
    let any_record = promises.retention == Retention::Enforced;
    let survives = promises.survives != Survives::Nothing;
    let mut checks = Vec::new();
    for (list, called) in [
        (CHECKS, true),
        (RETENTION_CHECKS, enforced),
        (ANY_RECORD_CHECKS, any_record),
    ] {
        for (promise, check) in list {
            let verdict = if called {
                judge(check(subject.make().await)).await
            } else {
                Verdict::NotPromised
            };
            checks.push((*promise, verdict));
        }
    }
    for (list, called) in [
        (REOPEN_CHECKS, survives),
        (REOPEN_RETENTION_CHECKS, enforced && survives),
    ] {
        for (promise, check) in list {
            let verdict = if called {
                judge(check(subject, subject.make().await)).await
            } else {
                Verdict::NotPromised
            };
            checks.push((*promise, verdict));
        }
    }
    Report { promises, checks }
}

async fn judge(check: BoxFuture<'_, Outcome>) -> Verdict {
    let seconds = CHECK_TIME_MAX.as_secs();
    match timeout(CHECK_TIME_MAX, check).await {
        Ok(Ok(())) => Verdict::Kept,
        Ok(Err(instead)) => Verdict::Broken(instead),
        Err(_) => Verdict::Broken(format!("no answer within {seconds} seconds")),
    }
}
