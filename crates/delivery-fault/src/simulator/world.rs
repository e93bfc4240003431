//! The world around a machine: a channel, a disk, handlers, time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::{BreakerName, ConsumerId, Name, Ratio, Timestamp};
use tidegate_delivery::{
    Arrival, Backoff, ClassRules, Command, Conclusion, ConsumerConfig, DeliveryStatus,
    DependencyConfig, Effect, EventRef, FlowConfig, Followers, Input, Jitter, Machine, Mode,
    Needed, Order, Outcome, Release, Repetition, RetryMode, RetryPolicy, StateRecord, SystemConfig,
    Ticket,
};

use super::chance::Chance;
use super::disk::{Disk, Step};
use super::promises::Watch;
use super::{classes, flow, handler, schedule, seek, states};

/// An attempt out in the world. It may outlive the process that made it.
pub(super) struct Running {
    ticket: Ticket,
    pub(super) ends: Timestamp,
    outcome: Outcome,
}

pub(crate) struct World {
    pub(super) chance: Chance,
    pub(super) config: SystemConfig,
    pub(super) machine: Machine,
    pub(super) now: Timestamp,
    /// Every record that there ever was.
    pub(super) channel: Vec<Arrival>,
    /// Those that retention has removed, and the first sequence that it has not passed.
    removed: BTreeSet<u64>,
    pub(super) head: u64,
    /// A consumer that the design does not have yet.
    pub(super) newcomer: Option<ConsumerConfig>,
    /// A delivery that ends the process whenever it runs.
    killer: Option<(ConsumerId, u64)>,
    /// How many steps the process has left, when it does not have long.
    pub(super) left: Option<u64>,
    /// Its channel is read slowly, and its operator is busy.
    sluggish: bool,
    pub(super) disk: Disk,
    pub(super) fetches: VecDeque<(ConsumerId, u64, usize)>,
    pub(super) running: Vec<Running>,
    pub(super) wake_at: Option<Timestamp>,
    /// Commands of this process that are not yet carried out.
    pub(super) commands: BTreeMap<u64, Command>,
    pub(super) last_command: u64,
    pub(super) down: bool,
    pub(super) healed: bool,
    pub(super) watch: Watch,
    telling: bool,
    pub(super) story: Vec<String>,
}

fn consumer(chance: &mut Chance, number: u64) -> ConsumerConfig {
    let order = [Order::Key, Order::Key, Order::Total, Order::None][chance.below(4) as usize];
    let follow = [Followers::Wait, Followers::Wait, Followers::Continue];
    let repetition = [Repetition::Allowed, Repetition::Deduplicated];
    let jitter = [
        Jitter::None,
        Jitter::Full,
        Jitter::Equal,
        Jitter::Decorrelated,
    ];
    ConsumerConfig {
        id: format!("service-{number}/Event").parse().unwrap(),
        mode: if number == 2 { Mode::Pull } else { Mode::Push },
        needs: if number == 1 {
            Vec::new()
        } else {
            vec!["api".parse().unwrap()]
        },
        concurrency: 1 + chance.below(5) as u32,
        timeout: Duration::from_millis(400),
        order,
        retry: RetryPolicy {
            backoff: Backoff::Exponential,
            immediate: 0,
            initial: Duration::from_millis(20),
            max: Duration::from_millis(500),
            jitter: jitter[chance.below(4) as usize],
            attempts: 1 + chance.below(5) as u32,
            age: chance.in_thousand(200).then_some(Duration::from_secs(20)),
            budget: chance.in_thousand(500).then_some(Ratio::new(0.2).unwrap()),
            mode: match chance.in_thousand(150) {
                true => RetryMode::NonBlocking,
                false => RetryMode::Blocking,
            },
            classes: ClassRules::default(),
        },
        followers: follow[chance.below(3) as usize],
        repetition: repetition[chance.below(2) as usize],
        inbox: 100_000,
        kept: 50_000,
        window: 8 + chance.below(40) as usize,
        dead_letters: 3 + chance.below(30) as usize,
        dead_letter_budget: chance.in_thousand(500).then_some(Ratio::new(0.05).unwrap()),
        flow: FlowConfig::default(),
    }
}

/// The consumer without a dependency has a breaker of its own.
fn own_breaker(config: &mut SystemConfig) {
    let (consumers, dependencies) = (&mut config.consumers, &mut config.dependencies);
    let owner = consumers.iter_mut().find(|owner| owner.needs.is_empty());
    let shared = dependencies.first().cloned();
    if let (Some(owner), Some(shared)) = (owner, shared) {
        let name = BreakerName::from(owner.id.clone());
        owner.needs.push(name.clone());
        dependencies.push(DependencyConfig { name, ..shared });
    }
}

impl World {
    pub(crate) fn new(seed: u64, telling: bool) -> Self {
        let mut chance = Chance::new(seed);
        let mut config = SystemConfig {
            seed,
            consumers: (0..3).map(|number| consumer(&mut chance, number)).collect(),
            dependencies: vec![DependencyConfig {
                name: "api".parse().unwrap(),
                failure_rate: Ratio::new(0.5).unwrap(),
                minimum: 3,
                window: Duration::from_secs(2),
                open: Duration::from_millis(800),
                probes: 1 + chance.below(3) as u32,
                concurrency: None,
            }],
            in_flight: None,
        };
        if seed % 8 > 4 {
            own_breaker(&mut config);
        }
        flow::limit(&mut config, seed);
        classes::rules(&mut config, seed);
        let now = Timestamp::from_millis(1_000_000);
        let newcomer = consumer(&mut chance, 3);
        let victim = config.consumers[chance.below(3) as usize].id.clone();
        let killer = chance.in_thousand(500).then(|| (victim, chance.below(50)));
        let sluggish = chance.in_thousand(250);
        let mut world = Self {
            sluggish,
            machine: Machine::restore(config.clone(), now, []),
            watch: Watch::new(&config, now),
            chance,
            config,
            now,
            channel: Vec::new(),
            removed: BTreeSet::new(),
            head: 0,
            newcomer: Some(newcomer),
            killer,
            left: None,
            disk: Disk::default(),
            fetches: VecDeque::new(),
            running: Vec::new(),
            wake_at: None,
            commands: BTreeMap::new(),
            last_command: 0,
            down: false,
            healed: false,
            telling,
            story: Vec::new(),
        };
        world.boot();
        world
    }

    /// One thing happens; now and then every promise is looked at.
    pub(crate) fn tick(&mut self) {
        self.now = self.now + Duration::from_millis(self.chance.below(12));
        if self.chance.in_thousand(1) {
            // The machine slept, or was slow.
            self.now = self.now + Duration::from_millis(self.chance.below(60_000));
        }
        if self.wake_at.is_some_and(|at| at <= self.now) {
            self.wake_at = None;
            self.step(Input::Tick);
        }
        if self.chance.in_thousand(400) {
            self.disk.send();
        }
        match self.chance.below(100) {
            0..12 => self.publish(),
            12..50 => self.commit(),
            50..60 if self.sluggish && self.chance.in_thousand(800) => self.operate(),
            50..60 => self.fetch(),
            60..88 => self.end_attempt(),
            88..90 => self.want(),
            90..92 => self.redrive(),
            92 => self.operate(),
            93 => self.down = !self.down,
            94 => self.checkpoint(),
            95 if self.chance.in_thousand(300) => self.crash(),
            96 if self.chance.in_thousand(100) => self.drain_and_restart(),
            97 => self.clean(),
            98 => self.operate(),
            99 => self.hear_zombie(),
            _ => {}
        }
        self.shorten_life();
        if self.chance.in_thousand(100) {
            self.hold();
        }
    }

    fn publish(&mut self) {
        let sequence = self.channel.len() as u64;
        if sequence > 200 {
            return;
        }
        // Now and then an event is in the channel twice.
        let twin = self.chance.in_thousand(80) && sequence > 0;
        let event = if twin {
            Arc::clone(&self.channel[self.chance.below(sequence) as usize].event)
        } else {
            let key = self.chance.below(6);
            let key = (key > 0).then(|| Arc::from(format!("key-{key}")));
            Arc::new(EventRef {
                key,
                source: "/shop".to_owned(),
                id: sequence.to_string(),
                not_before: schedule::time(&mut self.chance, self.now),
            })
        };
        self.channel.push(Arrival {
            sequence,
            event,
            accepted: self.now,
        });
        self.step(Input::Grown {
            channel: channel(),
            tail: sequence + 1,
        });
    }

    pub(super) fn commit(&mut self) {
        if let Some(token) = self.disk.keep(&mut self.chance) {
            self.step(Input::Committed { token });
        }
    }

    pub(super) fn fetch(&mut self) {
        if let Some((consumer, from, limit)) = self.fetches.pop_front() {
            let some = 1 + self.chance.below(limit as u64) as usize;
            let tail = self.channel.len() as u64;
            let left = (from..tail).filter(|sequence| !self.removed.contains(sequence));
            let records: Vec<Arrival> = left
                .take(some)
                .map(|sequence| self.channel[sequence as usize].clone())
                .collect();
            // Without any left, all up to the tail were removed.
            let next = records.last().map_or(tail, |last| last.sequence + 1);
            self.step(Input::Arrived {
                consumer,
                records,
                next,
            });
        }
    }

    /// Retention removes what nobody needs: the oldest, or here and there one that has a successor.
    fn clean(&mut self) {
        let tail = self.channel.len() as u64;
        let Needed { from, pinned } = self.machine.needed(&channel());
        let free = from.unwrap_or(tail);
        let oldest = self.chance.in_thousand(700);
        let end = self.chance.below(free + 1);
        for sequence in (0..end).filter(|sequence| !pinned.contains(sequence)) {
            if oldest || self.chance.in_thousand(300) {
                self.removed.insert(sequence);
            }
        }
        let passed = |sequence: &u64| {
            self.removed.contains(sequence) || (*sequence < end && pinned.contains(sequence))
        };
        self.head = (self.head..tail).find(|s| !passed(s)).unwrap_or(tail);
        self.watch.cleaned(&self.removed);
    }

    pub(super) fn end_attempt(&mut self) {
        if let Some(ended) = self.take_ended() {
            self.step(ended);
        }
    }

    /// The end of the attempt that ends first, if it has come.
    fn take_ended(&mut self) -> Option<Input> {
        self.running.sort_by_key(|running| running.ends);
        let due = |running: &&Running| running.ends <= self.now;
        self.running.first().filter(due)?;
        let Running {
            ticket, outcome, ..
        } = self.running.remove(0);
        Some(Input::Ended { ticket, outcome })
    }

    /// An answer comes late, to an attempt of an earlier process that has the place of one that runs.
    fn hear_zombie(&mut self) {
        let running = self.machine.running();
        let which = self.chance.below(running.len().max(1) as u64) as usize;
        if let Some(mut ticket) = running.into_iter().nth(which).filter(|t| t.epoch > 1) {
            ticket.epoch -= 1 + self.chance.below(ticket.epoch - 1);
            let outcome = Outcome::Done;
            self.step(Input::Ended { ticket, outcome });
        }
    }

    fn want(&mut self) {
        let consumer = self.config.consumers[2].id.clone();
        let deliveries = self.chance.below(6) as u32;
        self.step(Input::Wanted {
            consumer,
            deliveries,
        });
    }

    fn redrive(&mut self) {
        let consumer = self.config.consumers
            [self.chance.below(self.config.consumers.len() as u64) as usize]
            .id
            .clone();
        let all: Vec<u64> = self
            .machine
            .dead_letters(&consumer)
            .map(|letter| letter.sequence)
            .collect();
        let some: Vec<u64> = all
            .into_iter()
            .filter(|_| self.chance.in_thousand(300))
            .collect();
        self.watch.redriven(&consumer, &some);
        self.step(Input::Redrive {
            consumer,
            sequences: some,
        });
    }

    /// The state is replaced by a checkpoint, in its place in the order of commits.
    fn checkpoint(&mut self) {
        self.disk.send();
        let records = self.machine.checkpoint();
        self.disk.send_checkpoint(records);
    }

    pub(super) fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        // Now and then several things have happened before the machine is asked what to do.
        while inputs.len() < 4 && self.chance.in_thousand(200) {
            match self.take_ended() {
                Some(ended) => inputs.push(ended),
                None => break,
            }
        }
        self.watch.passes(self.now);
        let mut ended = Vec::new();
        for input in inputs {
            self.tell(|| format!("{input:?}"));
            let Input::Ended { ticket, outcome } = &input else {
                self.machine.hear(self.now, input);
                continue;
            };
            let (ticket, outcome) = (ticket.clone(), outcome.clone());
            let ran = self.machine.running().contains(&ticket);
            let heard = self.machine.hear(self.now, input);
            let open = self
                .watch
                .is_open(&self.machine, &ticket.consumer, self.now);
            self.watch.ended(&self.machine, &ticket, ran, heard);
            if ran {
                ended.push((ticket, outcome, open));
            }
        }
        let mut effects = Vec::new();
        self.machine.decide(self.now, &mut effects);
        for (ticket, outcome, open) in ended {
            self.watch
                .settled(&ticket, &outcome, open, &effects, self.now);
            let arrival = &self.channel[ticket.sequence as usize];
            let place = (ticket.consumer, ticket.sequence);
            self.watch.has_counted(&place, arrival, &outcome);
        }
        // What is withdrawn gives its token back before anything starts.
        for effect in &effects {
            if let Effect::Concluded {
                consumer,
                conclusion: Conclusion::Released(Release::Withdrawn),
                ..
            } = effect
            {
                self.watch.process.rates.withdrawn(consumer);
            }
        }
        for effect in effects {
            self.tell(|| format!("    {effect:?}"));
            self.carry_out(effect);
        }
        self.watch
            .sent_by_jobs(&self.machine, &self.channel, self.now);
    }

    pub(super) fn hold(&mut self) {
        self.watch
            .hold(&self.machine, &self.channel, &self.disk, self.now);
    }

    pub(super) fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.telling {
            let millis = self.now.nanos() / 1_000_000;
            self.story.push(format!("{millis} {}", what()));
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Persist {
                token,
                class,
                records,
            } => {
                self.admitted(&records);
                self.disk.collect(token, class, &records);
            }
            Effect::Start {
                ticket,
                attempt,
                generation,
                state,
                ..
            } => self.start(ticket, (attempt, generation), state.as_deref()),
            Effect::Fetch {
                consumer,
                from,
                limit,
            } => {
                self.watch
                    .broken
                    .unless(!self.disk.is_seek_under_way(&consumer), || {
                        format!("R2: {consumer} reads on before it is durably sent back or on")
                    });
                self.fetches.push_back((consumer, from, limit));
            }
            Effect::WakeAt(at) => self.wake_at = Some(at),
            Effect::Concluded {
                consumer,
                sequence,
                conclusion,
                ..
            } => {
                let step = match conclusion {
                    Conclusion::Skipped => Step::Skip,
                    Conclusion::DeadLettered(_) | Conclusion::Restored => Step::Death,
                    _ if is_end(conclusion) => Step::End,
                    _ => Step::Letter,
                };
                let under_way = self.disk.is_under_way(&consumer, sequence, step);
                self.watch
                    .concluded(&consumer, sequence, conclusion, under_way);
            }
            Effect::Rejected(_) => {}
            Effect::Obeyed { token } => {
                let Some(command) = self.commands.remove(&token) else {
                    return;
                };
                let under_way = self.disk.is_command_under_way(&command);
                self.watch.obeyed(token, &command, under_way);
            }
        }
    }

    /// Looks at what the machine has admitted and given up in this step.
    fn admitted(&mut self, records: &[StateRecord]) {
        let mut seen = BTreeSet::new();
        for record in records {
            match record {
                // A suspect that is withdrawn before it was sent is noted as one again, and does not run.
                StateRecord::Started {
                    consumer, sequence, ..
                } if self.machine.delivery(consumer, *sequence)
                    == Some(DeliveryStatus::Running)
                    && seen.insert((consumer, *sequence)) =>
                {
                    self.watch.admitted(
                        &self.machine,
                        &self.channel,
                        (consumer, *sequence),
                        self.now,
                    );
                }
                StateRecord::Kept { consumer, delivery }
                    if delivery.death.is_some() && delivery.discard.is_none() =>
                {
                    self.watch.given_up(consumer, delivery.sequence);
                }
                _ => {}
            }
        }
    }

    fn start(&mut self, ticket: Ticket, (attempt, generation): (u32, u64), state: Option<&str>) {
        let wrong = flow::wrong(&self.machine, &self.config);
        self.watch
            .broken
            .unless(wrong.is_none(), || wrong.unwrap_or_default());
        let under_way = self
            .disk
            .is_under_way(&ticket.consumer, ticket.sequence, Step::Start);
        self.watch.sent(&ticket, under_way);
        let event = seek::known(&self.machine, &self.channel, &ticket, generation);
        self.watch.started(
            &self.machine,
            &self.channel,
            &ticket,
            (attempt, &event),
            self.now,
        );
        self.watch.of_generation(&self.disk, &ticket, event);
        let place = (ticket.consumer.clone(), ticket.sequence);
        let arrival = &self.channel[ticket.sequence as usize];
        self.watch.is_given(&place, arrival, state);
        if !self.healed && self.killer.as_ref() == Some(&place) {
            self.left = Some(0);
            self.watch.kills(&place);
            return;
        }
        let answer = handler::answer(&mut self.chance, ticket.sequence, self.down, self.healed);
        let time = Duration::from_millis(self.chance.below(60));
        if self.chance.in_thousand(60) {
            // A second answer, or one that comes when nobody waits for it any more.
            let ends = self.now + time + Duration::from_millis(self.chance.below(900));
            let error = "late".to_owned();
            self.runs(&ticket, ends, Outcome::Permanent { error });
        }
        if let Some(outcome) = answer {
            let outcome = match outcome {
                Outcome::Done => {
                    self.watch.handled(&ticket);
                    let config = self.watch.consumer(&ticket.consumer);
                    let arrival = &self.channel[ticket.sequence as usize];
                    states::counted(config, arrival, state)
                }
                outcome => outcome,
            };
            self.runs(&ticket, self.now + time, outcome);
        } else if self.config.consumers[2].id != ticket.consumer {
            // A push is ended by the runtime at its deadline; a lease by the machine.
            let outcome = Outcome::Retry {
                class: tidegate_delivery::RetryClass::Timeout,
                error: "no answer".to_owned(),
                after: None,
            };
            self.runs(&ticket, self.now + Duration::from_millis(400), outcome);
        }
    }

    fn runs(&mut self, ticket: &Ticket, ends: Timestamp, outcome: Outcome) {
        let ticket = ticket.clone();
        self.running.push(Running {
            ticket,
            ends,
            outcome,
        });
    }

    pub(super) fn ids(&self) -> Vec<ConsumerId> {
        let consumers = self.config.consumers.iter();
        consumers.map(|consumer| consumer.id.clone()).collect()
    }
}

pub(super) fn channel() -> Name {
    "Event".parse().unwrap()
}

/// Sequences by consumer.
pub(super) type Sequences = BTreeMap<ConsumerId, BTreeSet<u64>>;

/// Whether a conclusion ends a delivery.
pub(super) fn is_end(conclusion: Conclusion) -> bool {
    matches!(conclusion, Conclusion::Succeeded | Conclusion::Duplicate)
}
