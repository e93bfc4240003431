//! The actor, which alone owns the machine.
//!
//! It waits for whatever comes first, tells the machine, and carries out what the machine wants.
//! It never waits for a commit, a read or an attempt: those are futures in `work`, and their ends
//! are events.

mod attempt;
mod attempts;
mod commit;
mod drain;
mod edits;
mod hear;
mod home;
mod jobs;
mod letters;
mod operate;
mod pulls;
mod retention;
mod search;
mod seek;
mod select;
mod show;
mod why;

pub(crate) use commit::size;
pub(crate) use hear::Judged;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tidegate_base::{Clock, ConsumerId, Timestamp};
use tidegate_broker::Broker;
use tidegate_delivery::{Conclusion, Effect, Heard, Input, Machine};
use tidegate_model::Design;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::caller::Caller;
use crate::command::Command;
use crate::hand::AtHand;
use crate::meter::{ConsumerMeter, RateMeter};
use crate::publisher::Publisher;
use crate::seek::ReplayWatermark;
use crate::settings::Settings;
use crate::view::SystemView;
use attempt::Reach;
use attempts::Attempts;
use commit::Commits;
use hear::Event;
use letters::PendingRedrive;
use pulls::{Pulls, Settling};
use show::Portrait;

/// Most events that are heard before their effects are carried out: one commit serves them all.
const BURST_MAX: usize = 256;

/// What the actor is made of.
pub(crate) struct Parts {
    pub(crate) design: Design,
    pub(crate) machine: Machine,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) settings: Settings,
}

/// What taking over left to do.
pub(crate) struct Taken {
    pub(crate) checkpoint_bytes: u64,
    pub(crate) effects: Vec<Effect>,
}

pub(crate) struct Actor {
    parts: Parts,
    /// Where each consumer is reached, and for how long.
    targets: HashMap<ConsumerId, Target>,
    commands: mpsc::Receiver<Command>,
    views: watch::Sender<Arc<SystemView>>,
    work: FuturesUnordered<BoxFuture<'static, Event>>,
    effects: Vec<Effect>,
    wake_at: Option<Timestamp>,
    at_hand: AtHand,
    commits: Commits,
    attempts: Attempts,
    reach: Arc<Reach>,
    pulls: BTreeMap<ConsumerId, Pulls>,
    settling: BTreeMap<(ConsumerId, u64), Settling>,
    redrives: Vec<PendingRedrive>,
    operators: operate::Commands,
    /// Something was commanded: the view is renewed at once.
    show_soon: bool,
    drain: Option<drain::Drain>,
    /// A clean of the channels is under way.
    cleaning: bool,
    meters: HashMap<ConsumerId, ConsumerMeter>,
    /// What is counted of consumers that the design does not have: it is shown nowhere.
    nobody: ConsumerMeter,
    /// The clock as it was when the actor last looked: once for all that is heard together.
    present: Timestamp,
    arrivals: HashMap<tidegate_base::Name, RateMeter>,
    portrait: Portrait,
}

struct Target {
    /// `None`: it pulls.
    endpoint: Option<Arc<str>>,
    timeout: Duration,
}

impl Actor {
    pub(crate) fn new(
        parts: Parts,
        commands: mpsc::Receiver<Command>,
        taken: Taken,
    ) -> (Self, watch::Receiver<Arc<SystemView>>) {
        let targets = parts.design.consumers().map(|consumer| {
            let deliver = &consumer.consume.deliver;
            let endpoint = deliver.to.as_ref().map(|to| Arc::from(to.value.as_str()));
            (
                consumer.id(),
                Target {
                    endpoint,
                    timeout: deliver.timeout.value,
                },
            )
        });
        let meters = parts.design.consumers();
        let meters = meters.map(|consumer| (consumer.id(), ConsumerMeter::default()));
        let now = parts.clock.now();
        let portrait = Portrait::new(now);
        let placeholder = portrait.blank(&parts);
        let (views, seen) = watch::channel(Arc::new(placeholder));
        let mut actor = Self {
            targets: targets.collect(),
            commands,
            views,
            work: FuturesUnordered::new(),
            effects: taken.effects,
            wake_at: None,
            at_hand: AtHand::new(parts.design.consumers().count()),
            commits: Commits::new(taken.checkpoint_bytes),
            attempts: Attempts::new(),
            reach: Arc::new(Reach::of(&parts)),
            pulls: BTreeMap::new(),
            settling: BTreeMap::new(),
            redrives: Vec::new(),
            operators: operate::Commands::default(),
            show_soon: false,
            drain: None,
            cleaning: false,
            meters: meters.collect(),
            nobody: ConsumerMeter::default(),
            present: now,
            arrivals: HashMap::new(),
            portrait,
            parts,
        };
        for name in actor
            .parts
            .design
            .events
            .keys()
            .cloned()
            .collect::<Vec<_>>()
        {
            let mut tail = actor.parts.broker.tail(&name);
            let records = *tail.borrow_and_update();
            actor.grown(name, records, tail);
        }
        actor.keep();
        actor.show();
        (actor, seen)
    }

    /// Runs until the last handle is gone, or `over` comes.
    async fn run(mut self, over: impl Future<Output = ()>) {
        let mut over = std::pin::pin!(over);
        let mut renewal = tokio::time::interval(self.parts.settings.view_interval);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let period = self.parts.settings.clean_interval;
        let mut cleaning = tokio::time::interval_at(Instant::now() + period, period);
        cleaning.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.carry_out();
        loop {
            let due = tokio::select! {
                // First: then nothing asks for the time any more.
                biased;
                () = &mut over => return,
                due = self.due(&mut renewal, &mut cleaning) => due,
            };
            self.look_at_clock();
            match due {
                Due::End => return,
                Due::Command(command) => self.obey(command),
                Due::Events(events) => self.hear_burst(events),
                Due::Wake => self.wake(),
                Due::View => self.show(),
                Due::Clean => self.clean(),
            }
            self.carry_out();
            if std::mem::take(&mut self.show_soon) {
                self.show();
            }
        }
    }

    /// Waits for whatever comes first.
    async fn due(&mut self, renewal: &mut Interval, cleaning: &mut Interval) -> Due {
        let wait = self.next_wake();
        tokio::select! {
            command = self.commands.recv() => command.map_or(Due::End, Due::Command),
            Some(event) = self.work.next() => Due::Events(vec![event]),
            events = self.attempts.next() => Due::Events(events),
            () = sleep(wait) => Due::Wake,
            _ = renewal.tick() => Due::View,
            _ = cleaning.tick() => Due::Clean,
        }
    }

    fn now(&self) -> Timestamp {
        self.present
    }

    fn look_at_clock(&mut self) {
        self.present = self.parts.clock.now();
    }

    /// Tells the machine what happened; what it wants done about it is asked in [`Actor::carry_out`].
    fn tell(&mut self, input: Input) -> Heard {
        let now = self.now();
        self.parts.machine.hear(now, input)
    }

    /// The time that was waited for has come.
    fn wake(&mut self) {
        let now = self.now();
        self.wake_at = self.wake_at.filter(|at| *at > now);
        self.tell(Input::Tick);
    }

    /// How long nothing is due; `None`: nothing is.
    fn next_wake(&self) -> Option<Duration> {
        let pulls = self.pulls.values().filter_map(Pulls::next_end);
        let drain = self.drain.as_ref().map(|drain| drain.ends_at);
        let first = pulls.chain(self.wake_at).chain(drain).min()?;
        // The timer counts whole milliseconds: waking before the time would be waking for nothing.
        Some(first.since(self.now()) + Duration::from_millis(1))
    }

    fn hear_burst(&mut self, first: Vec<Event>) {
        let mut next = Some(first);
        let mut heard = 0;
        while let Some(events) = next {
            self.look_at_clock();
            heard += events.len();
            for event in events {
                self.hear(event);
            }
            next = (heard < BURST_MAX).then(|| self.next_events()).flatten();
        }
    }

    /// What has happened meanwhile.
    fn next_events(&mut self) -> Option<Vec<Event>> {
        match self.work.next().now_or_never() {
            Some(Some(event)) => Some(vec![event]),
            Some(None) | None => self.attempts.try_next(),
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Pull {
                consumer,
                max,
                wait,
                reply,
            } => self.pull(consumer, max, wait, reply),
            Command::Settle {
                lease,
                answer,
                reply,
            } => self.settle(&lease, answer, reply),
            Command::DeadLetters { filter, reply } => self.list(filter, reply),
            Command::DeadLetter { id, reply } => self.dead_letter(&id, reply),
            Command::Redrive { selection, reply } => self.redrive(selection, reply),
            Command::Discard {
                selection,
                reason,
                reply,
            } => self.discard(selection, &reason, reply),
            Command::Restore { ids, reply } => self.restore(ids, reply),
            Command::Operate { command, reply } => self.operate(command, reply),
            Command::Seek { request, reply } => self.seek(request, reply),
            Command::ReplayWatermark { consumer, reply } => {
                let known = self.targets.contains_key(&consumer);
                let machine = &self.parts.machine;
                let watermark = known.then(|| ReplayWatermark {
                    below: machine.replay_watermark(&consumer),
                    generation: machine.last_generation(&consumer),
                });
                let _left = reply.send(watermark);
            }
            Command::Why { id, source, reply } => self.why(id, source, reply),
            Command::Rehearse { ids, reply } => self.rehearse(ids, reply),
            Command::NameLetters { selection, reply } => self.name_letters(selection, reply),
            Command::StartJob { request, reply } => self.start_job(request, reply),
            Command::TurnJob { job, turn, reply } => self.turn_job(job, turn, reply),
            Command::Jobs { reply } => {
                let _left = reply.send(self.jobs());
            }
            Command::Job { job, reply } => {
                let _left = reply.send(self.job_detail(job));
            }
            Command::Edit { request, reply } => self.edit(request, reply),
            Command::Drain { limit, reply } => self.start_drain(limit, reply),
        }
    }

    /// Carries out what the machine wants, until it wants nothing more.
    fn carry_out(&mut self) {
        self.expire_pulls();
        self.carry_out_decided();
        // Answering may put deliveries back.
        self.answer_pulls();
        self.carry_out_decided();
        self.send_commits();
        self.drain_on();
        if self.carry_out_decided() {
            self.send_commits();
        }
        self.attempts.send_off();
    }

    /// Carries out what the machine decides. Returns whether there was anything.
    fn carry_out_decided(&mut self) -> bool {
        let mut any = false;
        loop {
            self.look_at_clock();
            let now = self.now();
            self.parts.machine.decide(now, &mut self.effects);
            if self.effects.is_empty() {
                return any;
            }
            any = true;
            let mut effects = std::mem::take(&mut self.effects);
            for effect in effects.drain(..) {
                self.carry_out_one(effect);
            }
            // Its memory serves the next decision.
            self.effects = effects;
        }
    }

    fn carry_out_one(&mut self, effect: Effect) {
        match effect {
            Effect::Persist {
                token,
                class,
                records,
            } => self.commits.add(token, class, &records),
            Effect::Start {
                ticket,
                attempt,
                generation,
                deadline,
                state,
            } => self.start(ticket, attempt, generation, deadline, state),
            Effect::Fetch {
                consumer,
                from,
                limit,
            } => self.fetch(consumer, from, limit),
            Effect::WakeAt(at) => self.wake_at = Some(at),
            Effect::Concluded {
                consumer,
                sequence,
                accepted,
                conclusion,
            } => {
                self.concluded(consumer, sequence, accepted, conclusion);
            }
            Effect::Obeyed { token } => self.obeyed(token),
            Effect::Rejected(ticket) => {
                tracing::debug!(consumer = %ticket.consumer, ticket.sequence, "stale outcome rejected");
            }
        }
    }

    fn concluded(
        &mut self,
        consumer: ConsumerId,
        sequence: u64,
        accepted: Timestamp,
        conclusion: Conclusion,
    ) {
        let now = self.now();
        // It may have ended without a start.
        if conclusion != Conclusion::Succeeded {
            self.at_hand.take(&consumer, sequence);
        }
        let meter = self.meter(&consumer);
        match conclusion {
            Conclusion::Succeeded => {
                meter.succeeded_total += 1;
                meter.finished.add(now, 1);
                meter.transit.add(now, now.since(accepted));
            }
            Conclusion::Duplicate | Conclusion::Skipped => meter.finished.add(now, 1),
            Conclusion::Failed { .. } => {
                meter.failed_total += 1;
                meter.failures.add(now, 1);
            }
            Conclusion::DeadLettered(_) => {
                meter.failed_total += 1;
                meter.failures.add(now, 1);
                meter.dead_lettered_total += 1;
            }
            Conclusion::Redriven => self.redriven(&consumer, sequence),
            Conclusion::Released(_) | Conclusion::Discarded | Conclusion::Restored => {}
        }
        if self.settling.is_empty() {
            return;
        }
        if let Some(settling) = self.settling.remove(&(consumer.clone(), sequence)) {
            self.answer_settling(&consumer, sequence, settling, conclusion);
        }
    }

    fn meter(&mut self, consumer: &ConsumerId) -> &mut ConsumerMeter {
        match self.meters.get_mut(consumer) {
            Some(meter) => meter,
            None => &mut self.nobody,
        }
    }
}

/// What the actor is woken by.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one, and it is taken apart at once"
)]
enum Due {
    /// Nobody can send commands any more.
    End,
    Command(Command),
    Events(Vec<Event>),
    Wake,
    View,
    Clean,
}

async fn sleep(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
