//! The whole system in this process: handlers in code take the place of endpoints.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_base::{Clock, ConsumerId};
use tidegate_broker::{Broker, MemoryBroker};
use tidegate_broker_log::{LogBroker, Options};
use tidegate_model::design::{ConsumerRef, Guarantee, Located, Transaction};
use tidegate_model::{Design, closest};
use tidegate_runtime::{Answer, Attempt, Caller, Outcome as Ended, Runtime, Settings, TokioClock};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::app::{App, Home, Inner};
use crate::context::Facts;
use crate::error::StartError;
use crate::router::Router;
use crate::setup::{HomeSetup, Route, Setup};

/// Where a consumer is reached that is handled here: no URL, so that nobody takes it for one.
const IN_PROCESS: &str = "inproc:handler";

pub(crate) async fn start(mut setup: Setup) -> Result<App, StartError> {
    let HomeSetup::Embedded { design, data } = &setup.home else {
        // A setup is started by the module of its home.
        return Err(StartError::Address(
            "the setup is of another home".to_owned(),
        ));
    };
    let data = data.clone();
    let mut design = design.read()?;
    setup.problems.extend(unkept(&design, data.is_some()));
    fit(&mut setup, &mut design)?;
    let (broker, log) = open(data.as_deref()).await?;
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let (ended, ending) = watch::channel(false);
    let router = Arc::new(Router {
        handlers: setup.handlers(),
        shared: Arc::new(std::mem::take(&mut setup.shared)),
        app: OnceLock::new(),
        ended: ending,
    });
    let caller = Arc::new(InProcess {
        router: Arc::clone(&router),
        pusher: setup.pusher.take(),
    });
    let settings = setup.settings.take().unwrap_or_else(|| Settings {
        seed: clock.now().nanos(),
        ..Settings::default()
    });
    let runtime = Runtime::start(&design, broker, caller, Arc::clone(&clock), settings)
        .await
        .map_err(StartError::Runtime)?;
    let inner = Arc::new(Inner {
        home: Home::Embedded { runtime, log },
        clock,
        source: setup
            .source
            .unwrap_or_else(|| format!("/{}", design.system.value)),
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
    Ok(App::of(inner))
}

/// Opens the log. Its last segment is read, on a thread that may wait.
async fn open(data: Option<&Path>) -> Result<(Arc<dyn Broker>, Option<LogBroker>), StartError> {
    let Some(data) = data else {
        return Ok((Arc::new(MemoryBroker::new()), None));
    };
    let path = data.to_path_buf();
    let opened = tokio::task::spawn_blocking(move || LogBroker::open(&path, Options::default()));
    let (broker, recovery) = match opened.await {
        Ok(opened) => opened.map_err(|source| StartError::Log {
            path: data.to_path_buf(),
            source,
        })?,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    if let Some(cut) = &recovery.cut {
        tracing::warn!(
            "log: cut {} bytes at {}:{} ({}), kept in {}",
            cut.bytes,
            cut.segment,
            cut.byte,
            cut.reason,
            cut.kept
        );
    }
    for damage in &recovery.damages {
        tracing::error!(
            "log: {} bytes of {} are damaged from byte {} on: {}; `tidegate log verify {}` tells what is lost",
            damage.bytes,
            damage.segment,
            damage.byte,
            damage.reason,
            data.display()
        );
    }
    Ok((Arc::new(broker.clone()), Some(broker)))
}

/// Holds the handlers against the design, and has the runtime deliver to them.
fn fit(setup: &mut Setup, design: &mut Design) -> Result<(), StartError> {
    let mut problems = std::mem::take(&mut setup.problems);
    let known: Vec<String> = design.consumers().map(|c| c.id().to_string()).collect();
    for consumer in setup.routes.keys().chain(&setup.elsewhere) {
        let name = consumer.to_string();
        if !known.contains(&name) {
            let near = closest(&name, known.iter().map(String::as_str));
            problems.push(unknown(&name, near));
        }
    }
    for consumer in design.consumers() {
        let id = consumer.id();
        let place = &consumer.consume.place;
        if let Some(route) = setup.routes.get(&id) {
            if setup.elsewhere.contains(&id) {
                problems.push(format!(
                    "{place}: `{id}` has a handler and is said to be elsewhere"
                ));
            }
            let concurrency = consumer.consume.deliver.concurrency.value;
            if let Some(max) = &route.batch {
                max.lower_to(usize::try_from(concurrency).unwrap_or(usize::MAX));
            }
            problems.extend(misplaced(route, &consumer).map(|why| format!("{place}: {why}")));
        } else if !setup.elsewhere.contains(&id) {
            problems.push(format!("{place}: {}", unhandled(&id)));
        } else if consumer.consume.deliver.to.is_some() && setup.pusher.is_none() {
            problems.push(format!(
                "{place}: `{id}` is elsewhere, and this app pushes nothing: give it `.push_through(…)`, or remove `deliver.to`"
            ));
        }
    }
    if !problems.is_empty() {
        return Err(StartError::Handlers { problems });
    }
    for id in setup.routes.keys() {
        let service = design.services.get_mut(&id.service);
        if let Some(consume) = service.and_then(|service| service.consumes.get_mut(&id.event)) {
            consume.deliver.to = Some(Located {
                value: IN_PROCESS.to_owned(),
                place: consume.place.clone(),
            });
        }
    }
    Ok(())
}

/// Consumers that ask for what only Kafka keeps. In memory, where nothing is kept, they are tried out.
fn unkept(design: &Design, is_kept: bool) -> Vec<String> {
    let mut problems = Vec::new();
    for consumer in design.consumers() {
        let guarantee = &consumer.consume.guarantee;
        if guarantee.value != Guarantee::KafkaTransaction {
            continue;
        }
        let problem = format!(
            "{}: `{}` asks for {}, and this app has a log of its own: connect it to a daemon on Kafka (`App::connect`), or write `guarantee: deduplicated`",
            guarantee.place,
            consumer.id(),
            guarantee.value
        );
        match is_kept {
            true => problems.push(problem),
            false => tracing::warn!("{problem}"),
        }
    }
    problems
}

/// Whether a handler has its effect elsewhere than the design says.
fn misplaced(route: &Route, consumer: &ConsumerRef<'_>) -> Option<String> {
    let id = consumer.id();
    let asked = consumer.consume.deliver.transaction.as_ref()?.value;
    let wanted = match asked {
        Transaction::Postgres => "PostgreSQL",
        Transaction::Sqlite => "SQLite",
        Transaction::Log | Transaction::Kafka => return None,
    };
    match route.database {
        Some(database) if database == wanted => None,
        Some(database) => Some(format!(
            "`{id}` has its effect in {database}, and the design says `transaction: {asked}`"
        )),
        None => {
            // The handler may keep an inbox of its own.
            tracing::warn!(
                "`{id}` is to have its effect in {wanted}, and is handled without `on_effect`: it gets what its handler sees to"
            );
            None
        }
    }
}

pub(crate) fn unknown(consumer: &str, near: Option<&str>) -> String {
    let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    format!("`{consumer}` is no consumer of the design{hint}")
}

pub(crate) fn unhandled(consumer: &ConsumerId) -> String {
    format!(
        "`{consumer}` has no handler: add `.on(\"{consumer}\", …)`, or `.elsewhere(\"{consumer}\")` when another program has it"
    )
}

/// Calls handlers in this process, and everything else through what the app was given for that.
struct InProcess {
    router: Arc<Router>,
    pusher: Option<Arc<dyn Caller>>,
}

impl Caller for InProcess {
    fn call(&self, attempt: Attempt) -> BoxFuture<'static, Answer> {
        if !self.router.handles(&attempt.consumer) {
            return match &self.pusher {
                Some(pusher) => pusher.call(attempt),
                None => {
                    let error = format!("`{}` is not handled here", attempt.consumer);
                    std::future::ready(Ended::EndpointFault { error }.into()).boxed()
                }
            };
        }
        let router = Arc::clone(&self.router);
        let facts = Facts {
            consumer: attempt.consumer,
            envelope: attempt.envelope,
            delivery_id: attempt.delivery_id,
            sequence: attempt.sequence,
            generation: attempt.generation,
            attempt: attempt.attempt,
            epoch: attempt.epoch,
            deadline: Instant::now() + attempt.timeout,
            state: attempt.state,
            app: router.app(),
        };
        async move { router.handle(facts).await }.boxed()
    }
}
