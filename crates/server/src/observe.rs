//! `GET /v1/discover`: what the traces of the last minutes say.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tidegate_base::{Clock, Timestamp};
use tidegate_discover::{Paint, ReportFormat};
use tidegate_trace::window::{Limits, Window, check, traces};
use tokio::sync::Semaphore;

use crate::app::Shared;
use crate::problem::Problem;

/// How long an answer is given again: viewers that ask often cost one analysis.
const FRESH: Duration = Duration::from_secs(5);
/// How many messages are looked at and analyses made at the same time, beside everything else.
const AT_ONCE: usize = 2;

/// The traces of the last minutes, shared by who receives them and who asks.
#[derive(Clone, Debug)]
pub struct Observed {
    clock: Arc<dyn Clock>,
    window: Arc<Mutex<Window>>,
    work: Arc<Semaphore>,
    answer: Arc<tokio::sync::Mutex<Option<Answer>>>,
}

/// An answer and when it was made.
#[derive(Debug)]
struct Answer {
    made: Timestamp,
    text: Arc<str>,
}

/// Why a message is not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// There were too many bytes in this second.
    Busy(Duration),
    /// It is no message of OTLP.
    Invalid(String),
    /// The server ends.
    Ended,
}

impl Observed {
    /// An empty window.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self {
            clock,
            window: Arc::new(Mutex::new(Window::new(limits))),
            work: Arc::new(Semaphore::new(AT_ONCE)),
            answer: Arc::default(),
        }
    }

    /// Takes one message, which is looked at first.
    pub(crate) async fn take(&self, message: &[u8]) -> Result<(), Refused> {
        let admitted = self.with(|window, now| window.admit(now, message.len()));
        admitted.map_err(Refused::Busy)?;
        let bytes: Arc<[u8]> = Arc::from(message);
        let checked = Arc::clone(&bytes);
        self.work(move || check(&checked))
            .await?
            .map_err(|error| Refused::Invalid(error.to_string()))?;
        self.with(|window, now| window.push(now, bytes));
        Ok(())
    }

    /// The report of what is in the window.
    pub(crate) async fn report(&self) -> Result<Arc<str>, Refused> {
        let mut answer = self.answer.lock().await;
        let now = self.clock.now();
        if let Some(known) = answer.as_ref()
            && now.since(known.made) < FRESH
        {
            return Ok(Arc::clone(&known.text));
        }
        let messages = self.with(|window, now| window.messages(now));
        let text = self
            .work(move || {
                let traces = traces(&messages)?;
                let discovery = tidegate_discover::discover(&[("received".to_owned(), traces)]);
                let text = tidegate_discover::report(&discovery, ReportFormat::Json, Paint::Plain);
                Ok::<_, tidegate_trace::ReadError>(Arc::<str>::from(text))
            })
            .await?
            .map_err(|error| Refused::Invalid(error.to_string()))?;
        *answer = Some(Answer {
            made: now,
            text: Arc::clone(&text),
        });
        Ok(text)
    }

    /// Does work that takes longer than a thread of the server should be kept from others.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let permit = Arc::clone(&self.work).acquire_owned().await;
        let permit = permit.map_err(|_| Refused::Ended)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        done.await.map_err(|_| Refused::Ended)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Window, Timestamp) -> T) -> T {
        let now = self.clock.now();
        // A window is whole after every step: what a panic elsewhere left is fine.
        act(
            &mut self.window.lock().unwrap_or_else(PoisonError::into_inner),
            now,
        )
    }
}

pub(crate) async fn discover(State(shared): State<Shared>) -> Result<Response, Problem> {
    let Some(observed) = &shared.observed else {
        let message = "this daemon receives no traces";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no-receiver", message)
            .hint("start it with --otlp-http or --otlp-grpc, and send it OTLP"));
    };
    match observed.report().await {
        Ok(text) => {
            let media = [(header::CONTENT_TYPE, "application/json")];
            Ok((media, text.to_string()).into_response())
        }
        Err(Refused::Busy(after)) => {
            let message = "too much is asked at once";
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", message).retry_after(after))
        }
        Err(Refused::Invalid(message)) => Err(Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "traces",
            message,
        )),
        Err(Refused::Ended) => {
            let message = "the server ends";
            Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "draining",
                message,
            ))
        }
    }
}
