//! A machine of many consumers, each with a channel of its own, on a clock of the test.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::{ConsumerId, Name, Rate, Ratio, Timestamp};
use tidegate_delivery::{
    Arrival, Backoff, ClassRules, ConsumerConfig, ConsumerStatus, DependencyConfig, Effect,
    EventRef, FlowConfig, Followers, Input, Jitter, Machine, Mode, Order, Outcome, RateConfig,
    Repetition, RetryMode, RetryPolicy, StateRecord, SystemConfig, Ticket,
};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_000_000);

/// Says for each start how long it takes and how it ends.
pub(crate) type Handler = Box<dyn FnMut(&Ticket, Timestamp) -> (Duration, Outcome)>;

pub(crate) struct Rig {
    pub(crate) config: SystemConfig,
    pub(crate) machine: Machine,
    pub(crate) now: Timestamp,
    pub(crate) handler: Handler,
    tails: BTreeMap<Name, u64>,
    disk: Vec<StateRecord>,
    running: BTreeMap<(Timestamp, u64), (Ticket, Outcome)>,
    /// Every start: when, who, the delivery, the attempt.
    pub(crate) starts: Vec<(Timestamp, ConsumerId, u64, u32)>,
    wake_at: Option<Timestamp>,
    /// Whether answers to commits wait for [`Rig::release_commits`].
    pub(crate) hold_commits: bool,
    held: Vec<u64>,
    /// Steps of the machine so far.
    pub(crate) steps: u64,
}

/// A consumer of its own event.
pub(crate) fn consumer(number: usize, concurrency: u32) -> ConsumerConfig {
    ConsumerConfig {
        id: id(number),
        mode: Mode::Push,
        needs: Vec::new(),
        concurrency,
        timeout: Duration::from_secs(30),
        order: Order::None,
        retry: RetryPolicy {
            backoff: Backoff::Constant,
            immediate: 0,
            initial: Duration::from_millis(50),
            max: Duration::from_millis(50),
            jitter: Jitter::None,
            attempts: 1_000,
            age: None,
            budget: None,
            mode: RetryMode::Blocking,
            classes: ClassRules::default(),
        },
        followers: Followers::Continue,
        repetition: Repetition::Allowed,
        window: 256,
        dead_letters: 100,
        dead_letter_budget: None,
        inbox: 100_000,
        kept: 50_000,
        flow: FlowConfig::default(),
    }
}

/// A dependency whose breaker does not open by itself in a test.
pub(crate) fn dependency(name: &str, concurrency: Option<u32>) -> DependencyConfig {
    DependencyConfig {
        name: name.parse().unwrap(),
        failure_rate: Ratio::new(1.0).unwrap(),
        minimum: 1_000_000,
        window: Duration::from_secs(60),
        open: Duration::from_secs(10),
        probes: 1,
        concurrency,
    }
}

pub(crate) fn system(
    consumers: Vec<ConsumerConfig>,
    dependencies: Vec<DependencyConfig>,
) -> SystemConfig {
    SystemConfig {
        seed: 7,
        consumers,
        dependencies,
        in_flight: None,
    }
}

pub(crate) fn id(number: usize) -> ConsumerId {
    format!("service-{number}/Event-{number}").parse().unwrap()
}

pub(crate) fn rate(per_second: f64, burst: u32) -> Option<RateConfig> {
    let rate = Rate::per_second(per_second).unwrap();
    Some(RateConfig { rate, burst })
}

impl Rig {
    pub(crate) fn new(config: SystemConfig, handler: Handler) -> Self {
        let mut rig = Self {
            machine: Machine::restore(config.clone(), START, []),
            config,
            now: START,
            handler,
            tails: BTreeMap::new(),
            disk: Vec::new(),
            running: BTreeMap::new(),
            starts: Vec::new(),
            wake_at: None,
            hold_commits: false,
            held: Vec::new(),
            steps: 0,
        };
        rig.step(Input::TakeOver);
        rig
    }

    /// So many more events for a consumer.
    pub(crate) fn publish(&mut self, number: usize, events: u64) {
        let channel = id(number).event;
        let tail = self.tails.entry(channel.clone()).or_default();
        *tail += events;
        let tail = *tail;
        self.step(Input::Grown { channel, tail });
    }

    /// The process ends without a word; another one takes over what was kept.
    pub(crate) fn crash(&mut self) {
        self.running.clear();
        self.held.clear();
        self.wake_at = None;
        self.machine = Machine::restore(self.config.clone(), self.now, self.disk.clone());
        self.step(Input::TakeOver);
        for (channel, tail) in self.tails.clone() {
            self.step(Input::Grown { channel, tail });
        }
    }

    pub(crate) fn step(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.steps += 1;
            let mut effects = Vec::new();
            self.machine.step(self.now, input, &mut effects);
            for effect in effects {
                inputs.extend(self.carry_out(effect));
            }
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Persist { token, records, .. } => {
                self.disk.extend(records.iter().cloned());
                if self.hold_commits {
                    self.held.push(token);
                    return None;
                }
                Some(Input::Committed { token })
            }
            Effect::Fetch {
                consumer,
                from,
                limit,
            } => {
                let tail = self.tails.get(&consumer.event).copied().unwrap_or(0);
                let next = tail.min(from + limit as u64);
                Some(Input::Arrived {
                    consumer,
                    records: (from..next).map(|s| arrival(s, self.now)).collect(),
                    next,
                })
            }
            Effect::Start {
                ticket, attempt, ..
            } => {
                let (consumer, sequence) = (ticket.consumer.clone(), ticket.sequence);
                self.starts.push((self.now, consumer, sequence, attempt));
                let (time, outcome) = (self.handler)(&ticket, self.now);
                let place = (self.now + time, self.starts.len() as u64);
                self.running.insert(place, (ticket, outcome));
                None
            }
            Effect::WakeAt(at) => {
                self.wake_at = Some(at);
                None
            }
            Effect::Concluded { .. } | Effect::Rejected(_) | Effect::Obeyed { .. } => None,
        }
    }

    /// The commits that were held are done.
    pub(crate) fn release_commits(&mut self) {
        self.hold_commits = false;
        for token in std::mem::take(&mut self.held) {
            self.step(Input::Committed { token });
        }
    }

    /// Lets time pass, from one thing that happens to the next.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.happen(end) {}
        self.now = end;
    }

    /// The next thing that happens until `end`.
    pub(crate) fn happen(&mut self, end: Timestamp) -> bool {
        let ends = self.running.first_key_value().map(|((at, _), _)| *at);
        let wakes = self.wake_at;
        let Some(next) = ends.into_iter().chain(wakes).min().filter(|at| *at <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        if wakes == Some(next) {
            self.wake_at = None;
            self.step(Input::Tick);
        } else if let Some((_, (ticket, outcome))) = self.running.pop_first() {
            self.step(Input::Ended { ticket, outcome });
        }
        true
    }

    pub(crate) fn status(&self, number: usize) -> ConsumerStatus {
        self.machine.status(&id(number), self.now).unwrap()
    }

    /// How often each consumer has started.
    pub(crate) fn starts_of(&self, number: usize) -> usize {
        let id = id(number);
        self.starts.iter().filter(|(_, by, ..)| *by == id).count()
    }
}

fn arrival(sequence: u64, accepted: Timestamp) -> Arrival {
    let event = EventRef {
        key: None,
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

/// How the times of a server are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    Same,
    Exponential,
    /// Log-normal with a long tail: the standard deviation is 1.8 times the mean.
    Heavy,
}

/// A service with so many workers and one queue before them.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// When each worker is free.
    free: Vec<Timestamp>,
    chance: u64,
    pub(crate) time: Duration,
    spread: Spread,
}

impl Server {
    pub(crate) fn new(workers: usize, time: Duration, spread: Spread) -> Self {
        Self {
            free: vec![START; workers],
            chance: 88_172_645_463_325_252,
            time,
            spread,
        }
    }

    pub(crate) fn resize(&mut self, workers: usize) {
        self.free.sort_unstable();
        self.free.resize(workers, START);
    }

    /// Takes in a call. Returns how long it takes, with its time in the queue.
    pub(crate) fn call(&mut self, now: Timestamp) -> Duration {
        let factor = match self.spread {
            Spread::Same => 1.0,
            Spread::Exponential => -self.uniform().ln(),
            Spread::Heavy => {
                let normal = (-2.0 * self.uniform().ln()).sqrt()
                    * (std::f64::consts::TAU * self.uniform()).cos();
                (1.2 * normal - 0.72).exp()
            }
        };
        let time = self.time.mul_f64(factor);
        let worker = self.free.iter_mut().min().unwrap();
        *worker = now.max(*worker) + time;
        worker.since(now)
    }

    /// From just above 0 to 1.
    fn uniform(&mut self) -> f64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        ((self.chance >> 11) as f64 + 1.0) / (1_u64 << 53) as f64
    }
}

pub(crate) fn done(time: Duration) -> Handler {
    Box::new(move |_, _| (time, Outcome::Done))
}
