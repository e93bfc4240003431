//! Messages a second of the recursion, against a classical list of events, on the same systems.
//!
//! Both simulate the same M/M/c, so their mean waits must agree; the recursion pays for quantiles and
//! the backlog as well, the list of events only for the mean.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a benchmark prints, may stop, and its numbers are small"
)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use tidegate_model::{Design, Source};
use tidegate_simulate::{Outcome, Scenario, ServiceTime, simulate};

const MESSAGES: u64 = 2_000_000;
const SERVICE_SECONDS: f64 = 0.01;

fn main() {
    println!("handlers      recursion    event list   ratio   mean wait: recursion, event list");
    for servers in [1_u32, 4, 32, 256] {
        let rate = 0.8 * f64::from(servers) / SERVICE_SECONDS;
        let seconds = MESSAGES as f64 / rate;
        let design = design(servers, rate);
        let scenario = Scenario {
            duration: Duration::from_secs_f64(seconds),
            warm_up: Duration::ZERO,
            peaks: Vec::new(),
            service: ServiceTime::Exponential,
            messages_max: u64::MAX,
            ..Scenario::default()
        };
        let (ours, wait, count) = best_of_three(|| recursion(&design, &scenario));
        let (theirs, their_wait, _) = best_of_three(|| event_list(servers, rate, count));
        println!(
            "{servers:>8}  {:>9.1} M/s  {:>9.1} M/s  {:>5.1}x   {:.4} ms, {:.4} ms",
            ours / 1e6,
            theirs / 1e6,
            ours / theirs,
            wait * 1e3,
            their_wait * 1e3
        );
    }
}

/// The fastest of three runs: messages a second, mean wait in seconds, messages.
fn best_of_three(run: impl Fn() -> (f64, u64)) -> (f64, f64, u64) {
    let mut best = (0.0, 0.0, 0);
    for _ in 0..3 {
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
        let start = Instant::now();
        let (wait, count) = run();
        let rate = count as f64 / start.elapsed().as_secs_f64();
        if rate > best.0 {
            best = (rate, wait, count);
        }
    }
    best
}

fn design(servers: u32, rate: f64) -> Design {
    let text = format!(
        "{{tidegate: 1, system: bench, events: {{A: {{targets: {{rate: {rate}/s}}}}}}, services: \
         {{p: {{publishes: [A]}}, c: {{consumes: {{A: {{order: none, deliver: {{concurrency: \
         {servers}, handler-time: 10ms}}}}}}}}}}}}"
    );
    let file = Source {
        name: "design.yaml".into(),
        text,
    };
    let reading = tidegate_model::read(&[file], &|_| Err(String::new()));
    reading
        .design
        .unwrap_or_else(|| panic!("{:#?}", reading.findings))
}

/// The whole simulation of a design: arrivals, work, queue, backlog, quantiles.
fn recursion(design: &Design, scenario: &Scenario) -> (f64, u64) {
    let simulation = simulate(design, scenario);
    let Some(Outcome::Simulated(one)) = simulation.consumers.first().map(|c| &c.outcome) else {
        panic!("not simulated");
    };
    let latency = one.latency.mean.map_or(0.0, |mean| mean.value);
    (latency - SERVICE_SECONDS, one.deliveries)
}

/// An event of the classical simulation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    Departure,
}

/// The same system by a heap of pending events and a queue of waiting messages.
fn event_list(servers: u32, rate: f64, count: u64) -> (f64, u64) {
    let mut random = 1_u64;
    let mut exponential = |mean: f64| {
        random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = mixed ^ (mixed >> 31);
        let uniform = ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        Duration::from_secs_f64(-uniform.ln() * mean).as_nanos() as u64
    };
    let mut events = BinaryHeap::from([Reverse((exponential(1.0 / rate), Event::Arrival))]);
    let mut waiting: VecDeque<u64> = VecDeque::new();
    let (mut busy, mut arrived, mut waited) = (0_u32, 0_u64, 0_u128);
    while let Some(Reverse((now, event))) = events.pop() {
        match event {
            Event::Arrival => {
                arrived += 1;
                if arrived < count {
                    events.push(Reverse((now + exponential(1.0 / rate), Event::Arrival)));
                }
                waiting.push_back(now);
            }
            Event::Departure => busy -= 1,
        }
        while busy < servers
            && let Some(since) = waiting.pop_front()
        {
            busy += 1;
            waited += u128::from(now - since);
            events.push(Reverse((
                now + exponential(SERVICE_SECONDS),
                Event::Departure,
            )));
        }
    }
    (waited as f64 / 1e9 / count as f64, count)
}
