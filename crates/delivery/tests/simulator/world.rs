//! The world around a machine: a channel, a disk, handlers, time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::{ConsumerId, Name, Ratio, Timestamp};
use tidegate_delivery::{
    Arrival, Backoff, Class, Command, Conclusion, ConsumerConfig, DeliveryStatus, DependencyConfig,
    Effect, EventRef, Followers, Input, Jitter, Machine, Mode, Needed, Order, Outcome, Repetition,
    RetryMode, RetryPolicy, StateRecord, SystemConfig, Ticket,
};

use crate::chance::Chance;
use crate::handler;
use crate::invariants::Watch;

/// A record on disk, and whether a power failure spares it.
struct Kept {
    record: StateRecord,
    class: Class,
}

/// Records on their way to the disk.
struct Persist {
    token: u64,
    /// Whether they take the place of everything before.
    replaces: bool,
    class: Class,
    records: Vec<StateRecord>,
}

/// An attempt out in the world. It may outlive the process that made it.
struct Running {
    ticket: Ticket,
    ends: Timestamp,
    outcome: Outcome,
}

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) config: SystemConfig,
    pub(crate) machine: Machine,
    pub(crate) now: Timestamp,
    /// Every record that there ever was.
    pub(crate) channel: Vec<Arrival>,
    /// Those that retention has removed, and the first sequence that it has not passed.
    removed: BTreeSet<u64>,
    head: u64,
    /// A consumer that the design does not have yet.
    newcomer: Option<ConsumerConfig>,
    disk: Vec<Kept>,
    commits: VecDeque<Persist>,
    fetches: VecDeque<(ConsumerId, u64, usize)>,
    running: Vec<Running>,
    wake_at: Option<Timestamp>,
    /// Commands of this process that are not yet carried out.
    pub(crate) commands: BTreeMap<u64, Command>,
    pub(crate) last_command: u64,
    pub(crate) down: bool,
    pub(crate) healed: bool,
    pub(crate) watch: Watch,
    noting: bool,
    digest: u64,
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
            initial: Duration::from_millis(20),
            max: Duration::from_millis(500),
            jitter: jitter[chance.below(4) as usize],
            attempts: 1 + chance.below(5) as u32,
            age: chance.in_thousand(200).then_some(Duration::from_secs(20)),
            budget: chance.in_thousand(500).then_some(Ratio::new(0.2).unwrap()),
            mode: RetryMode::Blocking,
        },
        followers: follow[chance.below(3) as usize],
        repetition: repetition[chance.below(2) as usize],
        window: 8 + chance.below(40) as usize,
        dead_letters: 3 + chance.below(30) as usize,
        dead_letter_budget: chance.in_thousand(500).then_some(Ratio::new(0.05).unwrap()),
    }
}

impl World {
    pub(crate) fn new(seed: u64, noting: bool) -> Self {
        let mut chance = Chance::new(seed);
        let config = SystemConfig {
            seed,
            consumers: (0..3).map(|number| consumer(&mut chance, number)).collect(),
            dependencies: vec![DependencyConfig {
                name: "api".parse().unwrap(),
                failure_rate: Ratio::new(0.5).unwrap(),
                minimum: 3,
                window: Duration::from_secs(2),
                open: Duration::from_millis(800),
                probes: 1 + chance.below(3) as u32,
            }],
        };
        let now = Timestamp::from_millis(1_000_000);
        let newcomer = consumer(&mut chance, 3);
        let mut world = Self {
            machine: Machine::restore(config.clone(), now, []),
            watch: Watch::new(&config),
            chance,
            config,
            now,
            channel: Vec::new(),
            removed: BTreeSet::new(),
            head: 0,
            newcomer: Some(newcomer),
            disk: Vec::new(),
            commits: VecDeque::new(),
            fetches: VecDeque::new(),
            running: Vec::new(),
            wake_at: None,
            commands: BTreeMap::new(),
            last_command: 0,
            down: false,
            healed: false,
            noting,
            digest: 0,
        };
        world.boot();
        world
    }

    fn boot(&mut self) {
        self.step(Input::TakeOver);
        self.step(Input::Trimmed {
            channel: channel(),
            head: self.head,
        });
        self.step(Input::Grown {
            channel: channel(),
            tail: self.channel.len() as u64,
        });
    }

    /// One thing happens; now and then every invariant is held.
    pub(crate) fn tick(&mut self) {
        self.now = self.now + Duration::from_millis(self.chance.below(12));
        if self.wake_at.is_some_and(|at| at <= self.now) {
            self.wake_at = None;
            self.step(Input::Tick);
        }
        match self.chance.below(100) {
            0..12 => self.publish(),
            12..50 => self.commit(),
            50..60 => self.fetch(),
            60..88 => self.end_attempt(),
            88..91 => self.want(),
            91..93 => self.redrive(),
            93 => self.down = !self.down,
            94 => self.checkpoint(),
            95 if self.chance.in_thousand(300) => self.crash(),
            96 if self.chance.in_thousand(100) => self.drain_and_restart(),
            97 => self.clean(),
            98 => self.operate(),
            _ => {}
        }
        if self.chance.in_thousand(300) {
            self.watch.hold(&self.machine, &self.channel, self.now);
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

    fn commit(&mut self) {
        if let Some(persist) = self.commits.pop_front() {
            let token = persist.token;
            self.keep(persist);
            self.step(Input::Committed { token });
        }
    }

    fn keep(&mut self, persist: Persist) {
        if persist.replaces {
            self.disk.clear();
        }
        for record in persist.records {
            // What is kept is what comes back from its encoding.
            let record = StateRecord::decode(&record.encode()).unwrap();
            let class = persist.class;
            self.disk.push(Kept { record, class });
        }
    }

    fn fetch(&mut self) {
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

    fn end_attempt(&mut self) {
        self.running.sort_by_key(|running| running.ends);
        if self
            .running
            .first()
            .is_some_and(|running| running.ends <= self.now)
        {
            let Running {
                ticket, outcome, ..
            } = self.running.remove(0);
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
        let records = self.machine.checkpoint();
        self.commits.push_back(Persist {
            token: 0,
            replaces: true,
            class: Class::Durable,
            records,
        });
    }

    /// The process ends. Of what was under way a part is kept without anyone having heard; with
    /// the machine's power goes what was only written after the last durable record.
    fn crash(&mut self) {
        let unheard = self.chance.below(self.commits.len() as u64 + 1);
        for _ in 0..unheard {
            if let Some(persist) = self.commits.pop_front() {
                self.keep(persist);
            }
        }
        if self.chance.in_thousand(500) {
            let durable = self
                .disk
                .iter()
                .rposition(|kept| kept.class == Class::Durable);
            let durable = durable.map_or(0, |last| last + 1);
            let spared = self.chance.below((self.disk.len() - durable) as u64 + 1) as usize;
            self.disk.truncate(durable + spared);
        }
        self.restart();
    }

    fn drain_and_restart(&mut self) {
        self.step(Input::Drain);
        while !self.machine.is_quiet() {
            self.now = self.now + Duration::from_millis(1);
            while !self.commits.is_empty() {
                self.commit();
            }
            for ticket in self.machine.running() {
                let outcome = Outcome::Cancelled;
                self.step(Input::Ended { ticket, outcome });
            }
        }
        self.restart();
    }

    fn restart(&mut self) {
        self.commands.clear();
        self.commits.clear();
        self.fetches.clear();
        self.wake_at = None;
        if self.chance.in_thousand(300)
            && let Some(newcomer) = self.newcomer.take()
        {
            self.watch.joined(&newcomer, self.head);
            self.config.consumers.push(newcomer);
        }
        let records = self.disk.iter().map(|kept| kept.record.clone());
        self.machine = Machine::restore(self.config.clone(), self.now, records);
        self.watch.restarted();
        self.boot();
    }

    pub(crate) fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        let ended = match &input {
            Input::Ended { ticket, .. } => Some(ticket.clone()),
            _ => None,
        };
        let ran = ended
            .as_ref()
            .is_some_and(|ticket| self.machine.running().contains(ticket));
        self.machine.step(self.now, input, &mut effects);
        self.watch.booted_at(self.now);
        if let Some(ticket) = ended {
            self.watch.ended(&self.machine, &ticket, ran, &effects);
        }
        let sent = self.sent_by_jobs(&effects);
        for effect in effects {
            self.note(&effect);
            self.carry_out(effect);
        }
        for (consumer, sequence) in sent {
            self.watch.redriven(&consumer, &[sequence]);
        }
    }

    fn note(&mut self, effect: &Effect) {
        if !self.noting {
            return;
        }
        for byte in format!("{effect:?}").bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Persist {
                token,
                class,
                records,
            } => {
                for record in &records {
                    // A suspect that is withdrawn before it was sent is noted as one again, and does not run.
                    if let StateRecord::Started {
                        consumer, sequence, ..
                    } = record
                        && self.machine.delivery(consumer, *sequence)
                            == Some(DeliveryStatus::Running)
                    {
                        self.watch
                            .admitted(&self.machine, &self.channel, consumer, *sequence);
                    }
                }
                self.commits.push_back(Persist {
                    token,
                    replaces: false,
                    class,
                    records,
                });
            }
            Effect::Start {
                ticket, attempt, ..
            } => self.start(ticket, attempt),
            Effect::Fetch {
                consumer,
                from,
                limit,
            } => {
                self.fetches.push_back((consumer, from, limit));
            }
            Effect::WakeAt(at) => self.wake_at = Some(at),
            Effect::Concluded {
                consumer,
                sequence,
                conclusion,
                ..
            } => {
                self.watch.concluded(&consumer, sequence, conclusion);
            }
            Effect::Rejected(_) => {}
            Effect::Obeyed { token } => {
                let command = self.commands.remove(&token).unwrap();
                self.watch.obeyed(token, &command);
            }
        }
    }

    fn start(&mut self, ticket: Ticket, attempt: u32) {
        self.watch
            .started(&self.machine, &self.channel, &ticket, attempt, self.now);
        let answer = handler::answer(&mut self.chance, ticket.sequence, self.down, self.healed);
        let time = Duration::from_millis(self.chance.below(60));
        if self.chance.in_thousand(60) {
            // A second answer, or one that comes when nobody waits for it any more.
            let ends = self.now + time + Duration::from_millis(self.chance.below(900));
            let outcome = Outcome::Permanent {
                error: "late".to_owned(),
            };
            self.running.push(Running {
                ticket: ticket.clone(),
                ends,
                outcome,
            });
        }
        if let Some(outcome) = answer {
            if outcome == Outcome::Done {
                self.watch.handled(&ticket);
            }
            self.running.push(Running {
                ticket,
                ends: self.now + time,
                outcome,
            });
        } else if self.config.consumers[2].id != ticket.consumer {
            // A push is ended by the runtime at its deadline; a lease by the machine.
            let outcome = Outcome::Retry {
                class: tidegate_delivery::RetryClass::Timeout,
                error: "no answer".to_owned(),
                after: None,
            };
            let ends = self.now + Duration::from_millis(400);
            self.running.push(Running {
                ticket,
                ends,
                outcome,
            });
        }
    }

    /// Everything is mended: all is done, once dead letters are redriven.
    pub(crate) fn settle(&mut self) {
        self.healed = true;
        self.down = false;
        for round in 0..40_000 {
            self.now = self.now + Duration::from_millis(20);
            self.step(Input::Tick);
            while !self.commits.is_empty() {
                self.commit();
            }
            self.fetch();
            self.end_attempt();
            let puller = self.config.consumers[2].id.clone();
            self.step(Input::Wanted {
                consumer: puller,
                deliveries: 5,
            });
            if round % 200 == 0 {
                self.undo_commands();
            }
            if round % 50 == 0 {
                for consumer in self.ids() {
                    let letters = self.machine.dead_letters(&consumer);
                    let sequences: Vec<u64> = letters.map(|letter| letter.sequence).collect();
                    self.watch.redriven(&consumer, &sequences);
                    if !sequences.is_empty() {
                        self.step(Input::Redrive {
                            consumer,
                            sequences,
                        });
                    }
                }
            }
            if round % 50 == 0 {
                self.watch.hold(&self.machine, &self.channel, self.now);
            }
            if round % 10 == 0 && self.is_done() {
                return;
            }
        }
        let stuck: Vec<_> = self
            .ids()
            .iter()
            .map(|id| self.machine.status(id, self.now).unwrap())
            .collect();
        panic!("something is never done: {stuck:#?}");
    }

    pub(crate) fn ids(&self) -> Vec<ConsumerId> {
        self.config
            .consumers
            .iter()
            .map(|consumer| consumer.id.clone())
            .collect()
    }

    fn is_done(&self) -> bool {
        self.jobs_have_ended()
            && self.ids().iter().all(|id| {
                (0..self.channel.len() as u64)
                    .all(|s| self.machine.delivery(id, s) == Some(DeliveryStatus::Finished))
            })
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }
}

pub(crate) fn channel() -> Name {
    "Event".parse().unwrap()
}

/// Sequences by consumer.
pub(crate) type Sequences = BTreeMap<ConsumerId, BTreeSet<u64>>;

/// Whether a conclusion ends a delivery.
pub(crate) fn is_end(conclusion: Conclusion) -> bool {
    matches!(conclusion, Conclusion::Succeeded | Conclusion::Duplicate)
}
