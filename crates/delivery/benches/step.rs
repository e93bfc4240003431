//! How many deliveries the machine decides a second, beside the least that any such loop does: a
//! queue and a map, measured in the same run so that the ratio travels between machines.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark: it measures time, prints, and stops at what is wrong"
)]

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{
    Arrival, Backoff, ClassRules, ConsumerConfig, Effect, EventRef, FlowConfig, Followers, Input,
    Jitter, Machine, Mode, Order, Outcome, Repetition, RetryMode, RetryPolicy, SystemConfig,
};

const DELIVERIES: u64 = 200_000;
const KEYS: u64 = 1_000;

fn config(id: &ConsumerId) -> SystemConfig {
    SystemConfig {
        seed: 1,
        consumers: vec![ConsumerConfig {
            id: id.clone(),
            mode: Mode::Push,
            needs: Vec::new(),
            concurrency: 64,
            timeout: Duration::from_secs(5),
            order: Order::Key,
            retry: RetryPolicy {
                backoff: Backoff::Exponential,
                immediate: 0,
                initial: Duration::from_millis(100),
                max: Duration::from_secs(30),
                jitter: Jitter::Full,
                attempts: 8,
                age: None,
                budget: None,
                mode: RetryMode::Blocking,
                classes: ClassRules::default(),
            },
            followers: Followers::Wait,
            repetition: Repetition::Allowed,
            window: 4_096,
            inbox: 1_000_000,
            kept: 50_000,
            dead_letters: 10_000,
            dead_letter_budget: None,
            flow: FlowConfig::default(),
        }],
        dependencies: Vec::new(),
        in_flight: None,
    }
}

fn arrival(sequence: u64, keys: &[Arc<str>]) -> Arrival {
    let key = keys.get((sequence % KEYS) as usize).cloned();
    let event = EventRef {
        key,
        source: "/shop".to_owned(),
        id: sequence.to_string(),
        not_before: None,
    };
    Arrival {
        sequence,
        event: Arc::new(event),
        accepted: Timestamp::from_millis(1),
    }
}

/// Every delivery from the channel to done. Returns how many steps that took.
fn machine(keys: &[Arc<str>]) -> u64 {
    let id: ConsumerId = "billing/Event".parse().expect("a consumer");
    let now = Timestamp::from_millis(1_000);
    let mut machine = Machine::restore(config(&id), now, []);
    let channel = id.event.clone();
    let mut inputs = VecDeque::from([
        Input::TakeOver,
        Input::Grown {
            channel,
            tail: DELIVERIES,
        },
    ]);
    let (mut steps, mut effects) = (0, Vec::new());
    while let Some(input) = inputs.pop_front() {
        steps += 1;
        machine.step(now, input, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Persist { token, records, .. } => {
                    black_box(records);
                    inputs.push_back(Input::Committed { token });
                }
                Effect::Start { ticket, .. } => {
                    inputs.push_back(Input::Ended {
                        ticket,
                        outcome: Outcome::Done,
                    });
                }
                Effect::Fetch {
                    consumer,
                    from,
                    limit,
                } => {
                    let next = DELIVERIES.min(from + limit as u64);
                    let records = (from..next)
                        .map(|sequence| arrival(sequence, keys))
                        .collect();
                    inputs.push_back(Input::Arrived {
                        consumer,
                        records,
                        next,
                    });
                }
                Effect::WakeAt(_)
                | Effect::Concluded { .. }
                | Effect::Rejected(_)
                | Effect::Obeyed { .. } => {}
            }
        }
    }
    let status = machine.status(&id, now).expect("a consumer");
    assert_eq!(status.watermark, DELIVERIES, "every delivery is done");
    steps
}

/// The same deliveries through a queue and a map by key, nothing else.
fn baseline(keys: &[Arc<str>]) -> usize {
    let mut queue = VecDeque::new();
    let mut lanes: HashMap<Arc<str>, u64> = HashMap::new();
    for sequence in 0..DELIVERIES {
        queue.push_back(arrival(sequence, keys));
        if let Some(arrival) = queue.pop_front()
            && let Some(key) = arrival.event.key.clone()
        {
            *lanes.entry(key).or_default() += 1;
        }
    }
    black_box(lanes).len()
}

fn main() {
    let keys: Vec<Arc<str>> = (0..KEYS)
        .map(|key| Arc::from(format!("key-{key}")))
        .collect();
    let started = Instant::now();
    black_box(baseline(&keys));
    let base = started.elapsed();
    let started = Instant::now();
    let steps = machine(&keys);
    let time = started.elapsed();
    let per_second = |count: u64, time: Duration| count as f64 / time.as_secs_f64();
    println!(
        "deliveries {:.0}/s  steps {:.0}/s  baseline {:.0}/s  ratio {:.1}",
        per_second(DELIVERIES, time),
        per_second(steps, time),
        per_second(DELIVERIES, base),
        time.as_secs_f64() / base.as_secs_f64(),
    );
}
