//! The running system: opens the log, composes broker, runtime, server and rehearsal, and drains them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidegate_base::{Clock, Envelope, format_duration};
use tidegate_broker::Broker;
use tidegate_broker_log::{LogBroker, OpenError, Options};
use tidegate_compat::Profile;
use tidegate_model::Design;
use tidegate_model::design::{Deliver, Guarantee};
use tidegate_runtime::{DrainReport, Registry, Runtime, Settings, TokioClock};
use tidegate_server::{Access, HttpCaller, Server, Token};
use tidegate_trace::recording::Recording;
use tidegate_traffic::{Emitted, Injection, Plan, Played, Scenario, Stage, StandIns, play};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::arguments::Serve;
use crate::design_files::{read_text, unreadable};
use crate::exit::{Exit, Failure, Kind};
use crate::place::Place;
use crate::receive::Receive;
use crate::registry_source::OthersRegistry;
use crate::terminal::say;

/// How long running attempts may take to finish once the system drains.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// How long running requests may take to finish once the server stops.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(2);
/// Width of the story's lines, beside its times.
const STORY_WIDTH: usize = 92;
/// Largest token file, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;

/// What to run.
pub(crate) struct Daemon {
    pub(crate) design: Design,
    pub(crate) access: Access,
    pub(crate) data: PathBuf,
    pub(crate) rehearsal: Option<Rehearsal>,
    /// Where traces are received.
    pub(crate) receive: Receive,
    /// By whose rules the schema registry compares schemas.
    pub(crate) registry_rules: Profile,
    /// What keeps events and state.
    pub(crate) broker: Place,
    /// In which records of a broker name their schemas.
    pub(crate) other_registry: Option<OthersRegistry>,
}

/// Traffic, stand-in services and a story.
pub(crate) struct Rehearsal {
    /// `None`: traffic at the target rates.
    pub(crate) recording: Option<Recording>,
    pub(crate) scenario: Scenario,
    pub(crate) speed: f64,
}

/// A rehearsal that goes on, as long as this lives.
pub(crate) struct Playing {
    _stand_ins: StandIns,
    played: Arc<Played>,
}

/// Who may talk to the server.
pub(crate) fn access(serve: &Serve) -> Result<Access, Failure> {
    access_at(serve.listen, serve)
}

/// Who may talk to something else that listens, with the same token.
pub(crate) fn access_at(listen: SocketAddr, serve: &Serve) -> Result<Access, Failure> {
    let token = match &serve.token_file {
        None => None,
        Some(file) => Some(token(file)?),
    };
    Access::new(listen, token).map_err(|error| {
        Failure::configuration(error.to_string())
            .hint("write a secret into a file and name it with --token-file FILE")
    })
}

/// The token in a file.
pub(crate) fn token(file: &Path) -> Result<Token, Failure> {
    let text = read_text(file, TOKEN_BYTES_MAX).map_err(|error| unreadable(file, &error))?;
    Token::new(&text)
        .map_err(|error| Failure::configuration(format!("`{}`: {error}", file.display())))
}

/// Runs until it is interrupted, then drains.
pub(crate) fn run(daemon: Daemon) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::caused(Kind::Configuration, &error))?;
    let exit = match daemon.broker {
        Place::Log => runtime.block_on(live(daemon)),
        #[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
        Place::Shards(ref engine) => {
            let engine = Arc::clone(engine);
            runtime.block_on(crate::shards::live(daemon, engine))
        }
    };
    // What still blocks, such as a read of a slow disk, is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    exit
}

async fn live(daemon: Daemon) -> Result<Exit, Failure> {
    let Daemon {
        mut design,
        access,
        data,
        rehearsal,
        receive,
        registry_rules,
        broker: _,
        other_registry: _,
    } = daemon;
    let interrupted = interrupted()?;
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
    let broker = open(&data)?;
    let seed = clock.now().nanos();
    let (ending, ended) = watch::channel(false);
    let stage = match &rehearsal {
        Some(rehearsal) => Some(prepare(rehearsal, &mut design, &clock, seed).await?),
        None => None,
    };
    let caller = Arc::new(HttpCaller::new(Arc::clone(&clock)));
    let shared: Arc<dyn Broker> = Arc::new(broker.clone());
    let registry = Registry::open(
        &design,
        Arc::clone(&shared),
        Arc::clone(&clock),
        registry_rules,
    );
    let registry = registry
        .await
        .map_err(|error| Failure::caused(Kind::Configuration, &error))?;
    let settings = Settings {
        seed,
        registry: Some(registry),
        ..Settings::default()
    };
    let runtime = Runtime::start(&design, shared, caller, Arc::clone(&clock), settings)
        .await
        .map_err(|error| Failure::caused(Kind::Configuration, &error))?;
    let observed = receive.observed(&clock);
    let server = Server::start_observing(runtime.clone(), access, observed.clone())
        .await
        .map_err(|error| {
            Failure::caused(Kind::Unreachable, &error)
                .hint("choose another address with --listen; is it running already?")
        })?;
    warn_of_gaps(&design, "embedded");
    greet(&design, &server, &data);
    let receivers = receive.start(observed).await?;
    let playing = stage.map(|prepared| begin(prepared, &design, &runtime, &clock, &ended));
    wait(interrupted).await;
    say("draining: running deliveries finish, nothing new is taken (again to exit at once)");
    ending.send_replace(true);
    let report = runtime.drain(DRAIN_LIMIT).await;
    receivers.stop(STOP_LIMIT).await;
    server.stop(STOP_LIMIT).await;
    let failed = broker.stopped();
    broker.close().await;
    farewell(&report, playing.as_ref());
    match failed {
        None => Ok(Exit::Yes),
        Some(reason) => {
            say(&format!("the log stopped by itself: {reason}"));
            Ok(Exit::Partly)
        }
    }
}

/// Why the log was not opened, and what to do.
fn not_opened(error: &OpenError, data: &Path) -> Failure {
    let kind = match error {
        OpenError::Locked { .. } => Kind::NotAllowed,
        _ => Kind::Configuration,
    };
    let failure = Failure::caused(kind, error);
    match error.is_full() {
        true => failure.hint(format!(
            "make room on the disk of {} and start again: nothing that was acknowledged is lost by this; or name \
             another folder with --data",
            data.display()
        )),
        false => failure,
    }
}

fn open(data: &Path) -> Result<LogBroker, Failure> {
    let opened = LogBroker::open(data, Options::default());
    let (broker, recovery) = opened.map_err(|error| not_opened(&error, data))?;
    if recovery.position > 0 {
        say(&format!(
            "log: {} records in {} segments at {}",
            recovery.position,
            recovery.segments,
            data.display()
        ));
    }
    if let Some(cut) = &recovery.cut {
        say(&format!(
            "log: cut {} bytes at {}:{} ({}), kept in {}. A crash leaves such a tail of events that were never \
             acknowledged; if the disk or the file was altered instead, acknowledged ones may be in it",
            cut.bytes, cut.segment, cut.byte, cut.reason, cut.kept
        ));
    }
    for damage in &recovery.damages {
        say(&format!(
            "log: {} bytes of {} are damaged from byte {} on: {}. What is whole is read; consumers that meet the \
             damage halt. `tidegate log verify {}` tells what is lost",
            damage.bytes,
            damage.segment,
            damage.byte,
            damage.reason,
            data.display()
        ));
    }
    Ok(broker)
}

/// What is ready before the runtime starts.
pub(crate) struct Prepared {
    stand_ins: StandIns,
    plan: Arc<Plan>,
    stage: Stage,
}

/// Starts the stand-ins and points the design's consumers at them.
pub(crate) async fn prepare(
    rehearsal: &Rehearsal,
    design: &mut Design,
    clock: &Arc<dyn Clock>,
    seed: u64,
) -> Result<Prepared, Failure> {
    let configuration = |error: &dyn std::error::Error| Failure::caused(Kind::Configuration, error);
    let plan = match &rehearsal.recording {
        Some(recording) => Plan::recorded(design, recording, rehearsal.speed, seed),
        None => Plan::synthetic(design, rehearsal.speed, Emitted::ByHandlers, seed),
    };
    let plan = Arc::new(plan.map_err(|error| configuration(&error))?);
    let stage = Stage::begin(rehearsal.scenario.clone(), seed);
    let recording = rehearsal.recording.as_ref();
    let stand_ins = StandIns::start(design, recording, stage.clone(), Arc::clone(clock), seed)
        .await
        .map_err(|error| configuration(&error))?;
    *design = stand_ins.take_over(design.clone());
    Ok(Prepared {
        stand_ins,
        plan,
        stage,
    })
}

/// Lets traffic flow and the story be told.
pub(crate) fn begin(
    prepared: Prepared,
    design: &Design,
    runtime: &Runtime,
    clock: &Arc<dyn Clock>,
    ended: &watch::Receiver<bool>,
) -> Playing {
    let Prepared {
        mut stand_ins,
        plan,
        stage,
    } = prepared;
    stand_ins.attach(runtime, design, ended);
    say(&format!(
        "traffic: {:.1} events/s of {} kinds; stand-in services handle them\n",
        plan.rate(),
        plan.streams.len()
    ));
    let played = Arc::new(Played::default());
    let (clock, counts) = (Arc::clone(clock), Arc::clone(&played));
    tokio::spawn(tell(
        stage,
        design.clone(),
        runtime.clone(),
        Arc::clone(&clock),
    ));
    tokio::spawn(play(plan, runtime.clone(), clock, counts, ended.clone()));
    Playing {
        _stand_ins: stand_ins,
        played,
    }
}

/// Tells the story scene by scene, and slips in what it slips in.
async fn tell(stage: Stage, design: Design, runtime: Runtime, clock: Arc<dyn Clock>) {
    for (number, scene) in stage.scenario().scenes.iter().enumerate() {
        tokio::time::sleep_until(stage.at(scene.at)).await;
        if let Some(injection) = &scene.inject {
            let event = injected(injection, &design, number, clock.as_ref());
            if let Err(error) = runtime.publish(vec![event]).await {
                tracing::warn!("the story could not publish its event: {error}");
            }
        }
        if let Some(words) = &scene.say {
            let seconds = scene.at.as_secs();
            let words = wrapped(words, STORY_WIDTH).join(
                "
       ",
            );
            say(&format!(
                "{:02}:{:02}  {words}
",
                seconds / 60,
                seconds % 60
            ));
        }
    }
}

/// The words in lines of at most `width` characters, but for words that are longer.
fn wrapped(words: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn injected(injection: &Injection, design: &Design, number: usize, clock: &dyn Clock) -> Envelope {
    let event_type = design
        .events
        .get(&injection.event)
        .map(|event| event.event_type.clone());
    Envelope {
        id: format!("story-{number}-{:x}", clock.now().millis()),
        source: "/story".to_owned(),
        event_type: event_type.unwrap_or_else(|| injection.event.to_string()),
        subject: None,
        time: Some(clock.now().to_string()),
        data_content_type: Some("application/json".to_owned()),
        data_schema: None,
        extensions: Default::default(),
        data: Some(injection.data.to_string().into()),
    }
}

/// What the design asks for and this daemon does not do: said before anybody relies on it.
pub(crate) fn warn_of_gaps(design: &Design, place: &str) {
    let broker = design
        .messaging
        .broker
        .as_ref()
        .map(|broker| broker.value.as_str());
    if let Some(broker) = broker.filter(|broker| *broker != place) {
        tracing::warn!("the design names `{broker}`; this runs on {place}");
    }
    for consumer in design.consumers() {
        let guarantee = consumer.consume.guarantee.value;
        if is_gap(guarantee, &consumer.consume.deliver) {
            tracing::warn!(
                "`{}` asks for {guarantee}; over HTTP it gets {}",
                consumer.id(),
                Guarantee::Deduplicated
            );
        }
    }
}

/// Whether a daemon gives less. A handler that pulls with the library has its effect in a transaction of its own database.
fn is_gap(guarantee: Guarantee, deliver: &Deliver) -> bool {
    match guarantee {
        Guarantee::AtLeastOnce | Guarantee::Deduplicated => false,
        Guarantee::ExactlyOnceEffect => deliver.to.is_some() || deliver.transaction.is_none(),
        // Where nothing keeps it the design is refused.
        Guarantee::KafkaTransaction => false,
    }
}

fn greet(design: &Design, server: &Server, data: &Path) {
    let consumers = design.consumers().count();
    say(&format!(
        "{}: {} events, {} services, {consumers} consumers on the embedded log in {}",
        design.system.value,
        design.events.len(),
        design.services.len(),
        data.display()
    ));
    say(&format!(
        "console: http://{}/   (Ctrl-C drains and ends)",
        server.address()
    ));
}

pub(crate) fn farewell(report: &DrainReport, playing: Option<&Playing>) {
    if let Some(playing) = playing {
        let count = |value: &std::sync::atomic::AtomicU64| value.load(Ordering::Relaxed);
        say(&format!(
            "traffic: {} events accepted, {} pushed back, {} refused",
            count(&playing.played.accepted),
            count(&playing.played.pushed_back),
            count(&playing.played.refused)
        ));
    }
    say(&format!(
        "drained in {}: {} deliveries finished, {} called off, {} wait in the log for the next start",
        format_duration(report.took),
        report.finished,
        report.cancelled,
        report.backlog
    ));
}

/// The signals that end the program politely.
pub(crate) struct Interrupted {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

pub(crate) fn interrupted() -> Result<Interrupted, Failure> {
    let listen = |kind| signal(kind).map_err(|error| Failure::caused(Kind::Configuration, &error));
    Ok(Interrupted {
        interrupt: listen(SignalKind::interrupt())?,
        terminate: listen(SignalKind::terminate())?,
    })
}

/// Returns at the first signal; the second one ends the program at once.
pub(crate) async fn wait(mut interrupted: Interrupted) {
    tokio::select! {
        _first = interrupted.interrupt.recv() => {}
        _first = interrupted.terminate.recv() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _second = interrupted.interrupt.recv() => {}
            _second = interrupted.terminate.recv() => {}
        }
        #[expect(
            clippy::exit,
            reason = "asked for twice: everything acknowledged is durable"
        )]
        process::exit(130);
    });
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use tidegate_model::{Source, read};

    use super::*;

    #[test]
    fn exactly_once_effects_are_had_by_handlers_that_pull_in_a_transaction() {
        for (deliver, expected) in [
            ("{transaction: sqlite}", false),
            ("{transaction: postgres}", false),
            ("{}", true),
            ("{to: 'http://127.0.0.1:9/', transaction: sqlite}", true),
        ] {
            let text = format!(
                "tidegate: 1\nsystem: s\nevents: {{E: {{}}}}\nservices: {{a: {{publishes: [E]}}, b: {{consumes: {{E: \
                 {{deliver: {deliver}, guarantee: exactly-once-effect}}}}}}}}"
            );
            let name = Arc::from("design");
            let reading = read(&[Source { name, text }], &|_| Err(String::new()));
            let design = reading.design.unwrap();
            let consume = design.consumers().next().unwrap().consume;
            let gap = is_gap(consume.guarantee.value, &consume.deliver);
            assert_eq!(gap, expected, "{deliver}");
        }
    }

    #[test]
    fn a_full_disk_at_the_start_is_told_with_what_to_do() {
        let refused = |kind: io::ErrorKind| OpenError::Io {
            action: "write",
            file: "lock".to_owned(),
            source: kind.into(),
        };
        let said = |kind| format!("{:?}", not_opened(&refused(kind), Path::new("orders")));
        let full = said(io::ErrorKind::StorageFull);
        assert!(full.contains("make room on the disk of orders"), "{full}");
        assert!(!said(io::ErrorKind::PermissionDenied).contains("make room"));
    }
}
