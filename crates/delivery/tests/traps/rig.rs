//! A machine, its channel and its records, driven by hand.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::{ConsumerId, Ratio, Timestamp};
use tidegate_delivery::{
    Arrival, Backoff, ClassRules, Command, ConsumerConfig, DeliveryStatus, DependencyConfig,
    Effect, EventRef, FlowConfig, Followers, Input, Jitter, Machine, Mode, Order, Outcome,
    Repetition, RetryClass, RetryMode, RetryPolicy, StateRecord, SystemConfig, Ticket,
};

/// A machine whose records are kept at once, and its channel.
pub(crate) struct Rig {
    pub(crate) config: SystemConfig,
    pub(crate) machine: Machine,
    pub(crate) now: Timestamp,
    /// What was ever in the channel.
    pub(crate) channel: Vec<Arrival>,
    /// What retention has removed of it.
    pub(crate) removed: BTreeSet<u64>,
    pub(crate) disk: Vec<StateRecord>,
    /// Attempts that started and have not been answered, with their numbers.
    pub(crate) running: Vec<(Ticket, u32)>,
    /// Every start: sequence and attempt.
    pub(crate) starts: Vec<(u64, u32)>,
    /// Every start of a replay: sequence and generation.
    pub(crate) replayed: Vec<(u64, u64)>,
    pub(crate) rejected: usize,
    /// Commands that were carried out.
    pub(crate) obeyed: usize,
    /// From here on the channel cannot be read.
    pub(crate) damaged_from: Option<u64>,
    pub(crate) fetches: usize,
    /// Whether answers to commits wait for [`Rig::release_commits`].
    pub(crate) hold_commits: bool,
    held: Vec<u64>,
    /// The time of the last [`Effect::WakeAt`]: nobody ticks before or after.
    pub(crate) wake_at: Option<Timestamp>,
}

pub(crate) fn config() -> SystemConfig {
    SystemConfig {
        seed: 7,
        consumers: vec![ConsumerConfig {
            id: id(),
            mode: Mode::Push,
            needs: vec!["api".parse().unwrap()],
            concurrency: 4,
            timeout: Duration::from_secs(5),
            order: Order::Key,
            retry: RetryPolicy {
                backoff: Backoff::Constant,
                immediate: 0,
                initial: Duration::from_secs(1),
                max: Duration::from_secs(1),
                jitter: Jitter::None,
                attempts: 4,
                age: None,
                budget: None,
                mode: RetryMode::Blocking,
                classes: ClassRules::default(),
            },
            followers: Followers::Wait,
            repetition: Repetition::Deduplicated,
            window: 100,
            inbox: 100_000,
            kept: 50_000,
            dead_letters: 10,
            dead_letter_budget: None,
            flow: FlowConfig::default(),
        }],
        dependencies: vec![DependencyConfig {
            name: "api".parse().unwrap(),
            failure_rate: Ratio::new(0.5).unwrap(),
            minimum: 3,
            window: Duration::from_secs(60),
            open: Duration::from_secs(10),
            probes: 1,
            concurrency: None,
        }],
        in_flight: None,
    }
}

pub(crate) fn id() -> ConsumerId {
    "billing/Event".parse().unwrap()
}

pub(crate) fn fail(class: RetryClass) -> Outcome {
    Outcome::Retry {
        class,
        error: "no".to_owned(),
        after: None,
    }
}

pub(crate) fn permanent() -> Outcome {
    Outcome::Permanent {
        error: "malformed".to_owned(),
    }
}

fn arrival(key: &str, sequence: u64, accepted: Timestamp) -> Arrival {
    let event = EventRef {
        key: Some(Arc::from(key)),
        source: "/shop".to_owned(),
        id: sequence.to_string(),
        not_before: None,
    };
    Arrival {
        sequence,
        event: Arc::new(event),
        accepted,
    }
}

impl Rig {
    /// A system with one event for each key, in order.
    pub(crate) fn new(config: SystemConfig, keys: &[&str]) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let channel = keys.iter().zip(0..);
        let channel = channel.map(|(key, sequence)| arrival(key, sequence, now));
        Self::on(config, channel.collect())
    }

    /// A system with this channel.
    pub(crate) fn on(config: SystemConfig, channel: Vec<Arrival>) -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let mut rig = Self {
            machine: Machine::restore(config.clone(), now, []),
            config,
            now,
            channel,
            removed: BTreeSet::new(),
            disk: Vec::new(),
            running: Vec::new(),
            starts: Vec::new(),
            replayed: Vec::new(),
            rejected: 0,
            obeyed: 0,
            damaged_from: None,
            fetches: 0,
            hold_commits: false,
            held: Vec::new(),
            wake_at: None,
        };
        rig.boot();
        rig
    }

    pub(crate) fn boot(&mut self) {
        self.step(Input::TakeOver);
        let tail = self.channel.len() as u64;
        let head = (0..tail).find(|sequence| !self.removed.contains(sequence));
        self.step(Input::Trimmed {
            channel: "Event".parse().unwrap(),
            head: head.unwrap_or(tail),
        });
        self.step(Input::Grown {
            channel: "Event".parse().unwrap(),
            tail,
        });
    }

    /// The process ends without a word; another one takes over what was kept.
    pub(crate) fn crash(&mut self) {
        self.running.clear();
        self.wake_at = None;
        self.machine = Machine::restore(self.config.clone(), self.now, self.disk.clone());
        self.boot();
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.step(Input::Command { token: 7, command });
    }

    pub(crate) fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut effects = Vec::new();
            self.machine.step(self.now, input, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Persist { token, records, .. } => {
                        self.disk.extend(records.iter().cloned());
                        if self.hold_commits {
                            self.held.push(token);
                        } else {
                            inputs.push(Input::Committed { token });
                        }
                    }
                    Effect::Fetch {
                        consumer,
                        from,
                        limit,
                    } => {
                        self.fetches += 1;
                        assert!(self.fetches < 1_000, "it reads without end");
                        if self.damaged_from.is_some_and(|damaged| from >= damaged) {
                            let reason = "a checksum differs".to_owned();
                            inputs.push(Input::ChannelFault { consumer, reason });
                            continue;
                        }
                        let records: Vec<Arrival> = self
                            .channel
                            .iter()
                            .skip(from as usize)
                            .filter(|record| !self.removed.contains(&record.sequence))
                            .take(limit)
                            .filter(|record| {
                                self.damaged_from
                                    .is_none_or(|damaged| record.sequence < damaged)
                            })
                            .cloned()
                            .collect();
                        // Without any left, all up to the tail were removed.
                        let tail = self.channel.len() as u64;
                        let next = records.last().map_or(tail, |last| last.sequence + 1);
                        inputs.push(Input::Arrived {
                            consumer,
                            records,
                            next,
                        });
                    }
                    Effect::Start {
                        ticket,
                        attempt,
                        generation,
                        ..
                    } => {
                        if generation > 0 {
                            self.replayed.push((ticket.sequence, generation));
                        }
                        self.starts.push((ticket.sequence, attempt));
                        self.running.push((ticket, attempt));
                    }
                    Effect::Rejected(_) => self.rejected += 1,
                    Effect::WakeAt(at) => self.wake_at = Some(at),
                    Effect::Concluded { .. } => {}
                    Effect::Obeyed { .. } => self.obeyed += 1,
                }
            }
        }
    }

    pub(crate) fn end(&mut self, sequence: u64, outcome: Outcome) {
        let place = self
            .running
            .iter()
            .position(|(ticket, _)| ticket.sequence == sequence);
        let (ticket, _) = self.running.remove(place.expect("it runs"));
        self.step(Input::Ended { ticket, outcome });
    }

    /// Answers whatever runs, for so many seconds.
    pub(crate) fn answer_for(&mut self, seconds: u64, mut outcome: impl FnMut(u64) -> Outcome) {
        for _ in 0..seconds * 2 {
            self.pass(Duration::from_millis(500));
            for (ticket, _) in std::mem::take(&mut self.running) {
                let outcome = outcome(ticket.sequence);
                self.step(Input::Ended { ticket, outcome });
            }
        }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.step(Input::Tick);
    }

    /// The commits that were held are done.
    pub(crate) fn release_commits(&mut self) {
        for token in std::mem::take(&mut self.held) {
            self.step(Input::Committed { token });
        }
    }

    /// The first commit that was held is done.
    pub(crate) fn release_commit(&mut self) {
        let token = self.held.remove(0);
        self.step(Input::Committed { token });
    }

    /// Pullers want so many deliveries.
    pub(crate) fn want(&mut self, deliveries: u32) {
        let consumer = id();
        self.step(Input::Wanted {
            consumer,
            deliveries,
        });
    }

    /// One more event in the channel.
    pub(crate) fn append(&mut self, key: &str) {
        let sequence = self.channel.len() as u64;
        self.channel.push(arrival(key, sequence, self.now));
        self.step(Input::Grown {
            channel: "Event".parse().unwrap(),
            tail: sequence + 1,
        });
    }

    /// Passes to the time that the machine asked to be woken at.
    pub(crate) fn wake(&mut self) {
        self.now = self
            .now
            .max(self.wake_at.take().expect("it waits for a time"));
        self.step(Input::Tick);
    }

    pub(crate) fn running(&self) -> Vec<u64> {
        let mut running: Vec<u64> = self
            .running
            .iter()
            .map(|(ticket, _)| ticket.sequence)
            .collect();
        running.sort_unstable();
        running
    }

    pub(crate) fn is(&self, sequence: u64, status: DeliveryStatus) -> bool {
        self.machine.delivery(&id(), sequence) == Some(status)
    }

    pub(crate) fn breaker(&self) -> &'static str {
        self.machine
            .breaker(&self.config.dependencies[0].name, self.now)
            .unwrap()
            .state
    }
}
