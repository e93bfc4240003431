//! A system on shards of an engine, shared with other processes: each shard that is this process's lives
//! here as a system of its own, with an address of its own, until another process gets it.

mod engine;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::{Clock, Name};
use tidegate_broker::{Broker, Shard, Sharing};
use tidegate_model::Design;
use tidegate_runtime::{DrainReport, Runtime, Settings, TokioClock};
use tidegate_server::{Access, HttpCaller, Observed, Server};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub(crate) use self::engine::Engine;
use self::engine::System;
use crate::daemon::{
    self, DRAIN_LIMIT, Daemon, Playing, Prepared, STOP_LIMIT, begin, farewell, interrupted,
    prepare, warn_of_gaps,
};
use crate::exit::{Exit, Failure, Kind};
use crate::registry_source::{Known, OthersRegistry};
use crate::terminal::say;

/// How often it is looked whether a shard has been taken away.
const LOOK: Duration = Duration::from_millis(200);
/// Before a shard that could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// What every shard of this process is started with.
struct House {
    design: Design,
    /// What the engine is called.
    engine: &'static str,
    system: Box<dyn System>,
    access: Access,
    clock: Arc<dyn Clock>,
    observed: Option<Observed>,
    schemas: Known,
    seed: u64,
    ended: watch::Receiver<bool>,
    /// The rehearsal, which the first shard begins.
    prepared: std::sync::Mutex<Option<Prepared>>,
}

/// How the life of a shard in this process has ended.
struct Ended {
    shard: u32,
    result: Result<(DrainReport, Option<Playing>), Failure>,
}

/// What the registry of others says before a system starts, if there is one.
async fn known(
    others: Option<OthersRegistry>,
    design: &Design,
    engine: &Arc<dyn Engine>,
    clock: &Arc<dyn Clock>,
) -> Result<Known, Failure> {
    let Some(others) = others else {
        return Ok(Known::default());
    };
    let subject = |event: &Name| format!("{}-value", engine.topic(event));
    others.known(design, subject, clock).await
}

/// Runs until it is interrupted, then drains.
pub(crate) async fn live(daemon: Daemon, engine: Arc<dyn Engine>) -> Result<Exit, Failure> {
    let Daemon {
        mut design,
        access,
        data: _,
        rehearsal,
        receive,
        broker: _,
        other_registry,
        // Each shard has a log of its own, and there is no one registry for them yet.
        registry_rules: _,
    } = daemon;
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let seed = clock.now().nanos();
    // Before anything is to be drained: whoever interrupts it ends the process.
    let schemas = known(other_registry, &design, &engine, &clock).await?;
    let interrupted = interrupted()?;
    let prepared = match &rehearsal {
        Some(rehearsal) => Some(prepare(rehearsal, &mut design, &clock, seed).await?),
        None => None,
    };
    let channels = design
        .events
        .iter()
        .map(|(name, event)| (name.clone(), event.event_type.clone()))
        .collect();
    let system = engine
        .connect(design.system.value.clone(), channels)
        .await?;
    let members = system.join().await?;
    warn_of_gaps(&design, engine.word());
    say(&format!(
        "{}: {} events, {} services, {} consumers on {} at {}; waiting for shards",
        design.system.value,
        design.events.len(),
        design.services.len(),
        design.consumers().count(),
        engine.name(),
        engine.place()
    ));
    let observed = receive.observed(&clock);
    let receivers = receive.start(observed.clone()).await?;
    let (ending, ended) = watch::channel(false);
    let house = Arc::new(House {
        design,
        engine: engine.name(),
        system,
        access,
        clock,
        observed,
        schemas,
        seed,
        ended,
        prepared: std::sync::Mutex::new(prepared),
    });
    let mut shards = Shards {
        house,
        assigned: members.assigned(),
        members,
        stops: BTreeMap::new(),
        lives: JoinSet::new(),
    };
    shards.keep(daemon::wait(interrupted)).await;
    say("draining: running deliveries finish, nothing new is taken (again to exit at once)");
    ending.send_replace(true);
    let exit = shards.end().await;
    receivers.stop(STOP_LIMIT).await;
    Ok(exit)
}

/// The shards of this process.
struct Shards {
    house: Arc<House>,
    members: Box<dyn Sharing>,
    assigned: watch::Receiver<BTreeSet<u32>>,
    /// Ends a shard when it is dropped or told.
    stops: BTreeMap<u32, watch::Sender<bool>>,
    lives: JoinSet<Ended>,
}

impl Shards {
    /// Starts what becomes this process's and ends what does so no longer, until `end`.
    async fn keep(&mut self, end: impl Future<Output = ()>) {
        let mut end = std::pin::pin!(end);
        loop {
            let wanted = self.assigned.borrow_and_update().clone();
            for (shard, stop) in &self.stops {
                if !wanted.contains(shard) {
                    stop.send_replace(true);
                }
            }
            for shard in wanted {
                if !self.stops.contains_key(&shard) && self.members.hold(shard) {
                    self.start(shard);
                }
            }
            tokio::select! {
                changed = self.assigned.changed() => if changed.is_err() { return },
                Some(ended) = self.lives.join_next() => match ended {
                    Ok(ended) => { self.ended(ended); }
                    Err(error) => tracing::error!("the task of a shard was ended: {error}"),
                },
                () = &mut end => return,
            }
        }
    }

    fn start(&mut self, shard: u32) {
        let (stop, stopped) = watch::channel(false);
        self.stops.insert(shard, stop);
        let house = Arc::clone(&self.house);
        self.lives.spawn(async move {
            let result = serve(&house, shard, stopped).await;
            if result.is_err() {
                sleep(AGAIN).await;
            }
            Ended { shard, result }
        });
    }

    /// Notes that a shard has ended here. Returns whether all of it was done as it should be.
    fn ended(&mut self, ended: Ended) -> bool {
        self.stops.remove(&ended.shard);
        self.members.release(ended.shard);
        match ended.result {
            Ok((report, playing)) => {
                say(&format!("shard {} is another's or at rest", ended.shard));
                farewell(&report, playing.as_ref());
                true
            }
            Err(failure) => {
                tracing::warn!("shard {}: {}", ended.shard, failure.message());
                false
            }
        }
    }

    /// Drains every shard, and leaves the others to go on with them.
    async fn end(mut self) -> Exit {
        for stop in self.stops.values() {
            stop.send_replace(true);
        }
        let mut exit = Exit::Yes;
        while let Some(ended) = self.lives.join_next().await {
            let whole = match ended {
                Ok(ended) => self.ended(ended),
                Err(_) => false,
            };
            if !whole {
                exit = Exit::Partly;
            }
        }
        self.members.leave().await;
        exit
    }
}

/// One shard, from taking it over until it is to stop or somebody else has it.
async fn serve(
    house: &House,
    shard: u32,
    mut stop: watch::Receiver<bool>,
) -> Result<(DrainReport, Option<Playing>), Failure> {
    let broker = house.system.open(shard).await?;
    let shared: Arc<dyn Broker> = Arc::clone(&broker) as _;
    let caller = Arc::new(HttpCaller::new(Arc::clone(&house.clock)));
    let settings = Settings {
        seed: house.seed.wrapping_add(u64::from(shard)),
        other_registry: house.schemas.registry.clone(),
        wire_ids: house.schemas.ids.clone(),
        ..Settings::default()
    };
    let clock = Arc::clone(&house.clock);
    let runtime = Runtime::start(&house.design, shared, caller, clock, settings)
        .await
        .map_err(|error| Failure::caused(Kind::Configuration, &error))?;
    let ports = u16::try_from(shard).unwrap_or(u16::MAX);
    let access = house.access.clone().ports_higher(ports);
    let server = Server::start_observing(runtime.clone(), access, house.observed.clone())
        .await
        .map_err(|error| Failure::caused(Kind::Unreachable, &error))?;
    say(&format!(
        "shard {shard}, console: http://{}/   (Ctrl-C drains and ends)",
        server.address()
    ));
    let prepared = house
        .prepared
        .lock()
        .ok()
        .and_then(|mut prepared| prepared.take());
    let playing = prepared.map(|prepared| {
        begin(
            prepared,
            &house.design,
            &runtime,
            &house.clock,
            &house.ended,
        )
    });
    let reason = until_over(&*broker, &mut stop).await;
    if let Some(reason) = &reason {
        tracing::warn!("shard {shard} ends here: {reason}");
    }
    let limit = match reason {
        // What runs can be recorded no more.
        Some(_) => Duration::ZERO,
        None => DRAIN_LIMIT,
    };
    let drained = timeout(limit + STOP_LIMIT, runtime.drain(limit)).await;
    server.stop(STOP_LIMIT).await;
    drop(runtime);
    let closed = timeout(STOP_LIMIT, broker.close()).await;
    if closed.is_err() {
        tracing::warn!(
            "shard {shard}: {} does not answer; what is not written runs again",
            house.engine
        );
    }
    let nothing = DrainReport {
        finished: 0,
        cancelled: 0,
        backlog: 0,
        took: Duration::ZERO,
    };
    Ok((drained.unwrap_or(nothing), playing))
}

/// Waits until the shard is to stop, or nothing can be written to it any more: then why.
async fn until_over(broker: &dyn Shard, stop: &mut watch::Receiver<bool>) -> Option<String> {
    let taken = async {
        loop {
            if let Some(reason) = broker.stopped() {
                return reason;
            }
            sleep(LOOK).await;
        }
    };
    tokio::select! {
        reason = taken => Some(reason),
        // An error means that nobody can tell it any more, which is a stop as well.
        _told = stop.wait_for(|stop| *stop) => None,
    }
}
