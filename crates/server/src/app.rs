//! The server: routes, limits, and its life from bind to drain.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use thiserror::Error;
use tidegate_base::format_duration;
use tidegate_base::limit::REQUEST_BODY_BYTES_MAX;
use tidegate_runtime::Runtime;
use tidegate_runtime::view::SystemView;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::access::{Access, guard};
use crate::history::History;
use crate::observe::{self, Observed};
use crate::problem::Problem;
use crate::{
    assets, dead_letters, edits, ingest, metrics, operate, pull, redrives, registry, seek, state,
};

/// How long a request may take, its body included; a pull waits at most half of it.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// What the handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) runtime: Runtime,
    pub(crate) history: History,
    /// The view of the last whole second.
    pub(crate) sampled: watch::Receiver<Option<Arc<SystemView>>>,
    /// True once the server ends: streams that never end by themselves end then.
    pub(crate) ended: watch::Receiver<bool>,
    /// The traces of the last minutes, where they are received.
    pub(crate) observed: Option<Observed>,
}

impl FromRef<Shared> for Runtime {
    fn from_ref(shared: &Shared) -> Self {
        shared.runtime.clone()
    }
}

/// Why the server does not serve.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is taken or not allowed.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// A server that listens. Dropping it does not stop it: call [`Server::stop`].
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    ended: watch::Sender<bool>,
    serving: JoinHandle<io::Result<()>>,
    sampling: JoinHandle<()>,
}

impl Server {
    /// Listens and serves `runtime` until [`Server::stop`].
    ///
    /// # Errors
    ///
    /// [`ServeError::Bind`] when the address cannot be listened on.
    pub async fn start(runtime: Runtime, access: Access) -> Result<Self, ServeError> {
        Self::start_observing(runtime, access, None).await
    }

    /// As [`Server::start`], with the traces that are received at the same time.
    ///
    /// # Errors
    ///
    /// [`ServeError::Bind`] when the address cannot be listened on.
    pub async fn start_observing(
        runtime: Runtime,
        access: Access,
        observed: Option<Observed>,
    ) -> Result<Self, ServeError> {
        let wanted = access.listen();
        let bind = |source| ServeError::Bind {
            address: wanted,
            source,
        };
        let listener = TcpListener::bind(wanted).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let (ended, ending) = watch::channel(false);
        let (sample, sampled) = watch::channel(None);
        let history = History::default();
        let sampling = tokio::spawn(sample_each_second(runtime.clone(), history.clone(), sample));
        let shared = Shared {
            runtime,
            history,
            sampled,
            ended: ending.clone(),
            observed,
        };
        let app = routes(shared, access);
        let mut until = ending;
        let serving = tokio::spawn(async move {
            let stop = async move {
                // An error means that the sender is gone, which is an end as well.
                let _gone = until.wait_for(|ended| *ended).await.is_err();
            };
            axum::serve(listener, app)
                .with_graceful_shutdown(stop)
                .await
        });
        Ok(Self {
            address,
            ended,
            serving,
            sampling,
        })
    }

    /// Where it listens, with the port that the system chose for port 0.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, ends streams, and waits for running requests, at most `limit`.
    pub async fn stop(self, limit: Duration) {
        self.ended.send_replace(true);
        self.sampling.abort();
        if tokio::time::timeout(limit, self.serving).await.is_err() {
            tracing::warn!("requests still ran after {limit:?} and were cut off");
        }
    }
}

fn routes(shared: Shared, access: Access) -> Router {
    Router::new()
        .route("/v1/events", post(ingest::publish))
        .route("/v1/consumers/{service}/{event}/pull", post(pull::pull))
        .route("/v1/leases/{*lease}", post(pull::settle))
        .route("/v1/why", get(operate::why))
        .route("/v1/state", get(state::state))
        .route("/v1/stream", get(state::stream))
        .route("/v1/history", get(state::history))
        .route("/v1/dead-letters", get(dead_letters::list))
        .route("/v1/dead-letters/redrive", post(dead_letters::redrive))
        .route("/v1/dead-letters/discard", post(dead_letters::discard))
        .route("/v1/dead-letters/restore", post(dead_letters::restore))
        .route("/v1/consumers/{service}/{event}", get(state::consumer))
        .route(
            "/v1/consumers/{service}/{event}/pause",
            post(operate::pause),
        )
        .route(
            "/v1/consumers/{service}/{event}/resume",
            post(operate::resume),
        )
        .route("/v1/consumers/{service}/{event}/seek", post(seek::seek))
        .route(
            "/v1/consumers/{service}/{event}/breaker/open",
            post(operate::open_own),
        )
        .route(
            "/v1/consumers/{service}/{event}/breaker/reset",
            post(operate::reset_own),
        )
        .route("/v1/dependencies/{name}/open", post(operate::open))
        .route("/v1/dependencies/{name}/reset", post(operate::reset))
        .route(
            "/v1/dead-letters/{service}/{event}/{sequence}",
            get(dead_letters::one)
                .merge(put(edits::edit).layer(DefaultBodyLimit::max(edits::EDIT_BODY_BYTES_MAX))),
        )
        .route("/v1/redrives", get(redrives::list).post(redrives::begin))
        .route("/v1/redrives/{id}", get(redrives::one))
        .route("/v1/redrives/{id}/{turn}", post(redrives::turn))
        .route("/v1/discover", get(observe::discover))
        .nest(registry::MOUNT, registry::routes())
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(state::healthz))
        .route("/readyz", get(state::readyz))
        .fallback(get(assets::asset))
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn(in_time))
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES_MAX))
        .layer(from_fn_with_state(access, guard))
        .layer(from_fn(registry::shaped))
        .with_state(shared)
}

async fn not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        "the path does not take this method",
    )
}

/// Routes whose requests are given up after a while.
pub(crate) fn timed<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(from_fn(in_time))
}

/// A request whose body never ends is given up. Streams answer at once, and are not cut.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!(
                "the request took longer than {}",
                format_duration(REQUEST_LIMIT)
            ),
        )
        .into_response(),
    }
}

/// One poll serves all viewers.
async fn sample_each_second(
    runtime: Runtime,
    history: History,
    sample: watch::Sender<Option<Arc<SystemView>>>,
) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        let view = runtime.view();
        history.push(view.clone());
        sample.send_replace(Some(view));
    }
}
