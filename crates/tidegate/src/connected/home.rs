//! The start, the publishing and the end of an app whose events are in a daemon.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tidegate_base::{Clock, ConsumerId, Name};
use tidegate_model::closest;
#[cfg(feature = "sql")]
use tidegate_runtime::ReplayWatermark;
use tidegate_runtime::{Accept, Accepted, TokioClock};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::client::{AskError, Client, Refusal};
use super::pull::Puller;
use crate::app::{App, DrainReport, Home, Inner};
use crate::design::read_text;
use crate::embedded::{unhandled, unknown};
use crate::error::{PublishError, StartError};
use crate::router::Router;
use crate::setup::{HomeSetup, Setup, Token};

/// Names the file with the token, where the program does not.
const TOKEN_FILE: &str = "TIDEGATE_TOKEN_FILE";
/// When a producer tries again that was pushed back without a word about it.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long what was called off may take to tell the daemon.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// The connection of an app to its daemon.
pub(crate) struct Connection {
    client: Client,
    /// True once nothing more is pulled; dropped with the app, which means the same.
    draining: watch::Sender<bool>,
    pullers: Mutex<Vec<JoinHandle<()>>>,
    counts: Arc<Counts>,
}

/// What became of deliveries since the drain began.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) finished: AtomicU64,
    pub(crate) cancelled: AtomicU64,
}

/// What is read of the state of a daemon.
#[derive(Deserialize)]
struct State {
    system: Name,
    consumers: Vec<Consumer>,
}

#[derive(Deserialize)]
struct Consumer {
    id: ConsumerId,
    mode: String,
    concurrency: u32,
}

pub(crate) async fn start(mut setup: Setup) -> Result<App, StartError> {
    let HomeSetup::Connected { url } = &setup.home else {
        // A setup is started by the module of its home.
        return Err(StartError::Address(
            "the setup is of another home".to_owned(),
        ));
    };
    // The one variable that the library reads, documented at `App::connect`.
    let token = token(setup.token.as_ref(), std::env::var_os(TOKEN_FILE))?;
    let client = Client::new(url, token.as_deref()).map_err(StartError::Address)?;
    let state = client.get("/v1/state").await;
    let state = state.map_err(|error| unasked(&client, &error))?;
    let State { system, consumers } =
        State::deserialize(state).map_err(|error| StartError::Daemon {
            url: client.url().to_owned(),
            reason: format!("its state is another one: {error}; is it of another version?"),
        })?;
    fit(&mut setup, &consumers, client.url())?;
    let (ended, ending) = watch::channel(false);
    let (draining, drain) = watch::channel(false);
    let router = Arc::new(Router {
        handlers: setup.handlers(),
        shared: Arc::new(std::mem::take(&mut setup.shared)),
        app: OnceLock::new(),
        ended: ending,
    });
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let counts = Arc::new(Counts::default());
    let inner = Arc::new(Inner {
        home: Home::Connected(Box::new(Connection {
            client: client.clone(),
            draining,
            pullers: Mutex::default(),
            counts: Arc::clone(&counts),
        })),
        clock,
        source: setup.source.unwrap_or_else(|| format!("/{system}")),
        publish_wait: setup.publish_wait,
        drain_limit: setup.drain_limit,
        pending: setup.pending,
        tries: Default::default(),
        #[cfg(feature = "sql")]
        inboxes: std::mem::take(&mut setup.inboxes),
        ended,
    });
    // Nothing has set it before.
    let _first = router.app.set(Arc::downgrade(&inner));
    let handled = consumers.into_iter().filter(|c| router.handles(&c.id));
    let pullers = handled.map(|consumer| {
        let puller = Puller {
            consumer: consumer.id,
            concurrency: usize::try_from(consumer.concurrency)
                .unwrap_or(usize::MAX)
                .max(1),
            client: client.clone(),
            router: Arc::clone(&router),
            draining: drain.clone(),
            counts: Arc::clone(&counts),
        };
        tokio::spawn(puller.run())
    });
    let pullers = pullers.collect();
    if let Home::Connected(connection) = &inner.home {
        *connection
            .pullers
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = pullers;
    }
    Ok(App::of(inner))
}

/// The token: what the program says, or else what the file holds that the environment names.
fn token(told: Option<&Token>, file: Option<OsString>) -> Result<Option<String>, StartError> {
    let file = match told {
        Some(Token::Text(token)) => return Ok(Some(token.clone())),
        Some(Token::File(file)) => Some(file.clone()),
        None => file.map(PathBuf::from),
    };
    let read = |file: &Path| {
        read_text(file).map(Some).map_err(|error| {
            StartError::Address(format!(
                "cannot read the token in `{}`: {error}",
                file.display()
            ))
        })
    };
    file.as_deref().map_or(Ok(None), read)
}

fn unasked(client: &Client, error: &AskError) -> StartError {
    let reason = match error {
        AskError::Unanswered(reason) => {
            format!("{reason}; start it with `tidegate run DESIGN`, or connect to another one")
        }
        AskError::Refused(refusal) if is_access(refusal) => {
            format!(
                "{}; give it the daemon's token with `.token_file(…)`",
                refusal.message
            )
        }
        AskError::Refused(refusal) => refusal.message.clone(),
    };
    let url = client.url().to_owned();
    StartError::Daemon { url, reason }
}

fn is_access(refusal: &Refusal) -> bool {
    matches!(refusal.status.as_u16(), 401 | 403)
}

/// Holds the handlers against the consumers of the daemon. Of a service that is handled here, everything that is pulled is.
fn fit(setup: &mut Setup, consumers: &[Consumer], url: &str) -> Result<(), StartError> {
    let mut problems = std::mem::take(&mut setup.problems);
    let known: Vec<String> = consumers.iter().map(|c| c.id.to_string()).collect();
    for id in setup.routes.keys().chain(&setup.elsewhere) {
        let name = id.to_string();
        if !known.contains(&name) {
            let near = closest(&name, known.iter().map(String::as_str));
            problems.push(format!("{} ({url})", unknown(&name, near)));
        }
    }
    for Consumer {
        id,
        mode,
        concurrency,
    } in consumers
    {
        let is_ours = setup
            .routes
            .keys()
            .any(|handled| handled.service == id.service);
        if let Some(route) = setup.routes.get(id) {
            if mode == "push" {
                problems.push(format!(
                    "`{id}` is pushed to, so it cannot be pulled: remove `deliver.to` from the design of {url}"
                ));
            }
            if let Some(max) = &route.batch {
                max.lower_to(usize::try_from(*concurrency).unwrap_or(usize::MAX));
            }
        } else if is_ours && mode == "pull" && !setup.elsewhere.contains(id) {
            problems.push(format!("{} ({url})", unhandled(id)));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(StartError::Handlers { problems })
}

impl Connection {
    /// Publishes a batch of CloudEvents, once.
    pub(crate) async fn publish(&self, events: &Value) -> Result<Vec<Accepted>, PublishError> {
        #[derive(Deserialize)]
        struct Answer {
            accepted: Vec<Stored>,
        }
        #[derive(Deserialize)]
        struct Stored {
            id: String,
            event: Name,
            sequence: u64,
            duplicate: bool,
        }
        const BATCH: &str = "application/cloudevents-batch+json";
        let asked = self
            .client
            .post("/v1/events", BATCH, events, Duration::ZERO);
        let answer = asked.await.map_err(unpublished)?;
        let answer = Answer::deserialize(answer).map_err(|error| PublishError::Unanswered {
            reason: format!("its answer is another one: {error}"),
        })?;
        let accepted = answer.accepted.into_iter().map(|stored| Accepted {
            id: stored.id,
            event: stored.event,
            sequence: stored.sequence,
            duplicate: if stored.duplicate {
                Accept::Duplicate
            } else {
                Accept::New
            },
        });
        Ok(accepted.collect())
    }

    /// What an inbox of a consumer may forget, as of now.
    #[cfg(feature = "sql")]
    pub(crate) async fn replay_watermark(
        &self,
        consumer: &ConsumerId,
    ) -> Result<ReplayWatermark, String> {
        #[derive(Deserialize)]
        struct Answer {
            replay_watermark: u64,
            replay_generation: u64,
        }
        let asked = self.client.get(&format!("/v1/consumers/{consumer}")).await;
        let answer = asked.map_err(|error| error.to_string())?;
        let answer = Answer::deserialize(answer)
            .map_err(|error| format!("the daemon's answer is another one: {error}"))?;
        Ok(ReplayWatermark {
            below: answer.replay_watermark,
            generation: answer.replay_generation,
        })
    }

    /// Pulls nothing more, lets handlers finish, calls off the rest and gives its leases back.
    pub(crate) async fn drain(&self, limit: Duration, ended: &watch::Sender<bool>) -> DrainReport {
        self.draining.send_replace(true);
        let pullers = {
            let mut pullers = self.pullers.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *pullers)
        };
        let mut rest = futures_util::future::join_all(pullers);
        if tokio::time::timeout(limit, &mut rest).await.is_err() {
            ended.send_replace(true);
            if tokio::time::timeout(RELEASE_LIMIT, rest).await.is_err() {
                tracing::warn!("not every lease was given back; they end by themselves");
            }
        }
        DrainReport {
            finished: self.counts.finished.load(Ordering::Relaxed),
            cancelled: self.counts.cancelled.load(Ordering::Relaxed),
            backlog: None,
            stopped: None,
        }
    }
}

fn unpublished(error: AskError) -> PublishError {
    let refusal = match error {
        AskError::Unanswered(reason) => return PublishError::Unanswered { reason },
        AskError::Refused(refusal) => refusal,
    };
    let retry_after = refusal.retry_after.unwrap_or(RETRY_AFTER);
    let is_forbidden = is_access(&refusal);
    let reason = refusal.message;
    match refusal.status.as_u16() {
        429 => PublishError::Full {
            reason,
            retry_after,
        },
        // A daemon that drains comes back, most often.
        503 => PublishError::Full {
            reason,
            retry_after,
        },
        _ if is_forbidden => PublishError::NotAllowed { reason },
        408 | 500 | 502 | 504 => PublishError::Unanswered { reason },
        _ => PublishError::Refused { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_goes_before_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "of the file\n").unwrap();
        let environment = Some(file.clone().into_os_string());
        let of_environment = token(None, environment.clone()).unwrap();
        assert_eq!(of_environment.as_deref(), Some("of the file\n"));
        let told = Token::Text("told".to_owned());
        let of_program = token(Some(&told), environment).unwrap();
        assert_eq!(of_program.as_deref(), Some("told"));
        assert_eq!(token(None, None).unwrap(), None);
        let missing = Token::File(folder.path().join("none"));
        let error = token(Some(&missing), None).unwrap_err().to_string();
        assert!(error.contains("none"), "{error}");
    }
}
