//! What it costs that others wait: ten thousand keys in backoff and a million deliveries in the channels,
//! beside the same million with no key in backoff, in the same run, in processor time. The cost of a delivery must not grow with
//! the number that waits; the memory is that of the windows, whatever stands in the channels.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark: it measures time, prints, and stops at what is wrong"
)]

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{
    Arrival, Backoff, ClassRules, ConsumerConfig, Effect, EventRef, FlowConfig, Followers, Input,
    Jitter, Machine, Mode, Order, Outcome, Repetition, RetryClass, RetryMode, RetryPolicy,
    SystemConfig,
};

const CONSUMERS: u64 = 10;
/// Of each consumer.
const WAITING: u64 = 1_000;
/// Of each consumer.
const PENDING: u64 = 100_000;
const KEYS: u64 = 1_000;
const ROUNDS: usize = 5;
/// How much more a delivery may cost beside those that wait.
const LIMIT: f64 = 1.5;

fn consumer(number: u64) -> ConsumerConfig {
    ConsumerConfig {
        id: format!("service-{number}/Event").parse().expect("a name"),
        mode: Mode::Push,
        needs: Vec::new(),
        concurrency: 64,
        timeout: Duration::from_secs(5),
        order: Order::Key,
        retry: RetryPolicy {
            backoff: Backoff::Constant,
            immediate: 0,
            initial: Duration::from_secs(3_600),
            max: Duration::from_secs(3_600),
            jitter: Jitter::Full,
            attempts: 8,
            age: None,
            budget: None,
            mode: RetryMode::Blocking,
            classes: ClassRules::default(),
        },
        followers: Followers::Wait,
        repetition: Repetition::Allowed,
        inbox: 1_000_000,
        kept: 50_000,
        window: 4_096,
        dead_letters: 10_000,
        dead_letter_budget: None,
        flow: FlowConfig::default(),
    }
}

/// The first ones have keys of their own, and fail.
fn arrival(sequence: u64, failing: u64) -> Arrival {
    let key = match sequence < failing {
        true => format!("waits-{sequence}"),
        false => format!("key-{}", sequence % KEYS),
    };
    let event = EventRef {
        key: Some(Arc::from(key)),
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

/// Runs until only what fails is left. Returns how long the rest took, and how much memory the process has then.
fn run(failing: u64) -> (Duration, usize) {
    let now = Timestamp::from_millis(1_000);
    let config = SystemConfig {
        seed: 1,
        consumers: (0..CONSUMERS).map(consumer).collect(),
        dependencies: Vec::new(),
        in_flight: None,
    };
    let mut machine = Machine::restore(config, now, []);
    let channel: tidegate_base::Name = "Event".parse().expect("a name");
    let tail = failing + PENDING;
    let mut inputs = VecDeque::from([Input::TakeOver, Input::Grown { channel, tail }]);
    let mut effects = Vec::new();
    let mut done = 0;
    let mut started = computed();
    while let Some(input) = inputs.pop_front() {
        machine.step(now, input, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Persist { token, records, .. } => {
                    black_box(records);
                    inputs.push_back(Input::Committed { token });
                }
                Effect::Start { ticket, .. } if ticket.sequence < failing => {
                    let outcome = Outcome::Retry {
                        class: RetryClass::Retryable,
                        error: "no".to_owned(),
                        after: None,
                    };
                    inputs.push_back(Input::Ended { ticket, outcome });
                }
                Effect::Start { ticket, .. } => {
                    done += 1;
                    if done == CONSUMERS * PENDING / 10 {
                        // All that fail have failed.
                        started = computed();
                    }
                    let outcome = Outcome::Done;
                    inputs.push_back(Input::Ended { ticket, outcome });
                }
                Effect::Fetch {
                    consumer,
                    from,
                    limit,
                } => inputs.push_back(fetched(consumer, from, limit, failing)),
                Effect::WakeAt(_)
                | Effect::Concluded { .. }
                | Effect::Rejected(_)
                | Effect::Obeyed { .. } => {}
            }
        }
    }
    let took = computed().saturating_sub(started);
    assert_eq!(done, CONSUMERS * PENDING, "all but what fails is done");
    let memory = memory();
    drop(machine);
    (took, memory)
}

fn fetched(consumer: ConsumerId, from: u64, limit: usize, failing: u64) -> Input {
    let next = (failing + PENDING).min(from + limit as u64);
    let records = (from..next)
        .map(|sequence| arrival(sequence, failing))
        .collect();
    Input::Arrived {
        consumer,
        records,
        next,
    }
}

/// What the process has computed so far. Others on the machine do not count, as they would on a clock.
fn computed() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit(") ").next().unwrap_or_default();
    // In user mode and in the kernel, in hundredths of a second: fields 14 and 15 of proc(5).
    let ticks = after_name
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// Resident, in bytes; 0 where the system does not tell.
fn memory() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.map_or(0, |pages: usize| pages * 4_096)
}

fn main() {
    let measured = CONSUMERS * PENDING / 10 * 9;
    println!(
        "{} deliveries of {CONSUMERS} consumers, with 0 and with {} keys in backoff",
        CONSUMERS * PENDING,
        CONSUMERS * WAITING
    );
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let (alone, memory_alone) = run(0);
        let (beside, memory_beside) = run(WAITING);
        let per = |time: Duration| time.as_secs_f64() * 1e6 / measured as f64;
        let ratio = beside.as_secs_f64() / alone.as_secs_f64();
        println!(
            "{:.2} µs, {:.0} MB   {:.2} µs, {:.0} MB   ratio {ratio:.2}",
            per(alone),
            memory_alone as f64 / 1e6,
            per(beside),
            memory_beside as f64 / 1e6,
        );
        ratios.push(ratio);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios.get(ROUNDS / 2).copied().unwrap_or_default();
    println!("median {median:.2}, the limit is {LIMIT}");
    assert!(median < LIMIT, "the cost grows with what waits");
}
