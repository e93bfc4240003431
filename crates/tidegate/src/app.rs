//! A running app: the handle through which events are published and the end is ordered.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tidegate_base::Clock;
use tidegate_broker_log::LogBroker;
use tidegate_runtime::Runtime;
use tidegate_runtime::view::Mode;
use tokio::sync::watch;

use crate::connected::Connection;
use crate::design::Design;
use crate::request::Pending;
use crate::setup::{HomeSetup, Setup};

/// A running app. Cheap to clone.
///
/// It ends with [`App::drain`] or [`App::run_until`], or when the last clone is dropped. Dropping is safe and not polite:
/// nothing is lost, what runs is called off, and may run again at the next start.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) home: Home,
    pub(crate) clock: Arc<dyn Clock>,
    /// The source of what is published without one.
    pub(crate) source: String,
    pub(crate) publish_wait: Duration,
    pub(crate) drain_limit: Duration,
    pub(crate) pending: Arc<Pending>,
    /// Counts tries to publish, for their jitter.
    pub(crate) tries: AtomicU64,
    #[cfg(feature = "sql")]
    pub(crate) inboxes: Vec<crate::effect::Inbox>,
    /// What still runs is called off once this is true, or dropped.
    pub(crate) ended: watch::Sender<bool>,
}

/// Where the events are.
pub(crate) enum Home {
    /// In this process.
    Embedded {
        runtime: Runtime,
        /// `None` in memory.
        log: Option<LogBroker>,
    },
    /// In a daemon.
    Connected(Box<Connection>),
}

/// How a drain went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// Deliveries that were handled to their end during the drain.
    pub finished: u64,
    /// Deliveries that were called off at the limit: they come again, and the attempt does not count.
    pub cancelled: u64,
    /// Deliveries that wait for the next start; `None` when they wait in a daemon, which knows.
    pub backlog: Option<u64>,
    /// Why the system had stopped by itself, when it had, such as a full disk.
    pub stopped: Option<String>,
}

impl App {
    /// An app with the whole system in this process: the runtime, and the log in the folder `data`.
    ///
    /// Consumers that have a handler in code are handled here, whatever their `deliver.to` says.
    pub fn open(design: impl Into<Design>, data: impl Into<std::path::PathBuf>) -> Setup {
        let data = Some(data.into());
        let design = design.into();
        Setup::new(HomeSetup::Embedded { design, data })
    }

    /// As [`App::open`] with nothing on disk: what is not handled is gone with the process. For tests, whose time may be
    /// paused, and for trying things out.
    pub fn in_memory(design: impl Into<Design>) -> Setup {
        let design = design.into();
        Setup::new(HomeSetup::Embedded { design, data: None })
    }

    /// An app whose events are in a running daemon, such as `http://127.0.0.1:7070`: it publishes and pulls over HTTP.
    ///
    /// A daemon that wants a token gets it from [`Setup::token_file`], or else from the file that the environment
    /// variable `TIDEGATE_TOKEN_FILE` names.
    pub fn connect(url: impl Into<String>) -> Setup {
        Setup::new(HomeSetup::Connected { url: url.into() })
    }

    pub(crate) const fn of(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    #[cfg(feature = "sql")]
    pub(crate) const fn shared(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub(crate) fn pending(&self) -> &Arc<Pending> {
        &self.inner.pending
    }

    /// The runtime of an embedded app, for what only it can do: dead letters, pauses, views; and to serve the console and
    /// the HTTP API of this very process with `tidegate-server`. `None` when the events are in a daemon.
    #[must_use]
    pub fn runtime(&self) -> Option<&Runtime> {
        match &self.inner.home {
            Home::Embedded { runtime, .. } => Some(runtime),
            Home::Connected(_) => None,
        }
    }

    /// Handles events until `signal` comes, then drains for at most [`Setup::drain_limit`]. It also returns when the
    /// system stops by itself, which the report tells.
    ///
    /// ```no_run
    /// # use tidegate::App;
    /// # async fn main_of(app: App) {
    /// app.run_until(tokio::signal::ctrl_c()).await;
    /// # }
    /// ```
    pub async fn run_until<S: Future>(&self, signal: S) -> DrainReport {
        tokio::select! {
            _ = signal => {}
            () = self.stopped() => {}
        }
        self.drain(self.inner.drain_limit).await
    }

    /// Takes nothing new, lets what runs finish for at most `limit`, calls off the rest without counting its attempts,
    /// writes everything and closes the log.
    pub async fn drain(&self, limit: Duration) -> DrainReport {
        let report = match &self.inner.home {
            Home::Embedded { runtime, log } => {
                let drained = runtime.drain(limit).await;
                let stopped = log.as_ref().and_then(LogBroker::stopped);
                if let Some(log) = log {
                    log.close().await;
                }
                DrainReport {
                    finished: drained.finished,
                    cancelled: drained.cancelled,
                    backlog: Some(drained.backlog),
                    stopped,
                }
            }
            Home::Connected(connection) => connection.drain(limit, &self.inner.ended).await,
        };
        self.inner.ended.send_replace(true);
        report
    }

    /// Returns once an embedded system has stopped by itself.
    async fn stopped(&self) {
        let Home::Embedded { runtime, .. } = &self.inner.home else {
            return std::future::pending().await;
        };
        let mut views = runtime.watch();
        // An error means that the runtime has ended.
        let _ended = views
            .wait_for(|view| view.mode != Mode::Running)
            .await
            .is_err();
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let home = match &self.inner.home {
            Home::Embedded { .. } => "embedded",
            Home::Connected(_) => "connected",
        };
        write!(f, "App({home})")
    }
}
