//! Adaptive limits against a server of known capacity: they find its knee, follow it, and never starve.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use tidegate_base::Timestamp;
use tidegate_delivery::{
    AdaptiveLimit, Command, ConsumerConfig, FlowConfig, Input, Load, Mode, Obstacle, Outcome,
    RetryClass,
};

use crate::rig::{Rig, START, Server, Spread, consumer, dependency, done, system};

fn adaptive(concurrency: u32) -> ConsumerConfig {
    ConsumerConfig {
        flow: FlowConfig {
            rate: None,
            adaptive: true,
        },
        ..consumer(0, concurrency)
    }
}

/// A consumer with a backlog without end, and the server that it calls.
fn behind(concurrency: u32, server: Server) -> (Rig, Rc<RefCell<Server>>) {
    let server = Rc::new(RefCell::new(server));
    let called = Rc::clone(&server);
    let handler = Box::new(move |_: &_, now| (called.borrow_mut().call(now), Outcome::Done));
    let mut rig = Rig::new(system(vec![adaptive(concurrency)], Vec::new()), handler);
    rig.publish(0, 100_000_000);
    (rig, server)
}

/// The limits at so many moments of a time.
fn limits(rig: &mut Rig, time: Duration) -> Vec<u32> {
    let mut limits = Vec::new();
    for _ in 0..200 {
        rig.pass(time / 200);
        limits.push(rig.status(0).limit);
    }
    limits.sort_unstable();
    limits
}

fn median(limits: &[u32]) -> f64 {
    f64::from(limits[limits.len() / 2])
}

#[test]
fn it_settles_near_the_knee_and_keeps_the_server_busy() {
    let (same, exponential, heavy) = (Spread::Same, Spread::Exponential, Spread::Heavy);
    for (workers, spread) in [
        (1, same),
        (4, same),
        (8, exponential),
        (8, heavy),
        (32, same),
        (32, exponential),
        (32, heavy),
    ] {
        let time = Duration::from_millis(20);
        let (mut rig, _) = behind(128, Server::new(workers, time, spread));
        rig.pass(time * 800);
        let before = rig.starts.len();
        let seen = limits(&mut rig, time * 1_200);
        let (median, workers) = (median(&seen), workers as f64);
        assert!(
            median >= 0.8 * workers && median <= 1.6 * workers + 4.0,
            "{workers} workers ({spread:?}), limit {median}, {seen:?}"
        );
        let share = (rig.starts.len() - before) as f64 / (1_200.0 * workers);
        assert!(
            share > 0.88,
            "{workers} workers ({spread:?}) are {share} busy"
        );
        // What it takes for the unloaded time is near it, and not the time in the queue.
        let no_load = rig.status(0).no_load.unwrap().as_secs_f64() / time.as_secs_f64();
        assert!((0.5..1.7).contains(&no_load), "{workers}: {no_load}");
    }
}

#[test]
fn without_a_knee_it_grows_to_the_concurrency() {
    let mut rig = Rig::new(
        system(vec![adaptive(64)], Vec::new()),
        done(Duration::from_millis(20)),
    );
    rig.publish(0, 10_000_000);
    assert_eq!(rig.status(0).limit, 1, "it starts small");
    rig.pass(Duration::from_secs(5));
    let seen = limits(&mut rig, Duration::from_secs(20));
    assert_eq!(median(&seen), 64.0, "{seen:?}");
}

#[test]
fn it_follows_a_server_that_shrinks_and_grows_again() {
    let time = Duration::from_millis(20);
    let (mut rig, server) = behind(128, Server::new(32, time, Spread::Exponential));
    rig.pass(time * 1_000);
    server.borrow_mut().resize(4);
    rig.pass(time * 1_000);
    let few = median(&limits(&mut rig, time * 1_000));
    assert!((3.0..=12.0).contains(&few), "4 workers, limit {few}");
    server.borrow_mut().resize(32);
    rig.pass(time * 2_000);
    let many = median(&limits(&mut rig, time * 1_000));
    assert!((26.0..=54.0).contains(&many), "32 workers, limit {many}");
}

/// All calls take ten times as long for a while, with as many workers: the knee is where it was.
#[test]
fn it_recovers_from_a_slow_phase_and_during_it() {
    let time = Duration::from_millis(20);
    let (mut rig, server) = behind(64, Server::new(16, time, Spread::Exponential));
    rig.pass(time * 1_000);
    server.borrow_mut().time = time * 10;
    rig.pass(time * 10 * 1_000);
    let slow = median(&limits(&mut rig, time * 10 * 200));
    assert!((12.0..=30.0).contains(&slow), "slow, limit {slow}");
    server.borrow_mut().time = time;
    rig.pass(time * 1_000);
    let fast = median(&limits(&mut rig, time * 1_000));
    assert!((12.0..=30.0).contains(&fast), "fast again, limit {fast}");
}

#[test]
fn timeouts_shrink_it_to_one_and_it_goes_on_from_there() {
    let (mut limit, mut now) = (AdaptiveLimit::new(64), START);
    let mut round = |limit: &mut AdaptiveLimit, load| {
        let running = limit.limit();
        (1..=running).for_each(|count| limit.started(count));
        let sent = now;
        now = now + Duration::from_millis(10);
        (0..running).for_each(|_| limit.ended(sent, now, load));
    };
    (0..200).for_each(|_| round(&mut limit, Load::Handled));
    assert_eq!(limit.limit(), 64);
    for _ in 0..200 {
        round(&mut limit, Load::Dropped);
        assert!(limit.limit() >= 1);
    }
    assert_eq!(limit.limit(), 1);
    (0..400).for_each(|_| round(&mut limit, Load::Handled));
    assert!(limit.limit() >= 15, "{}", limit.limit());
}

#[test]
fn one_event_that_always_times_out_does_not_shrink_it_for_all() {
    let slow = Duration::from_secs(1);
    let handler = Box::new(move |ticket: &tidegate_delivery::Ticket, _| {
        if ticket.sequence == 5 {
            let outcome = Outcome::Retry {
                class: RetryClass::Timeout,
                error: "no answer".to_owned(),
                after: None,
            };
            return (slow, outcome);
        }
        (Duration::from_millis(20), Outcome::Done)
    });
    let mut rig = Rig::new(system(vec![adaptive(32)], Vec::new()), handler);
    rig.publish(0, 1_000_000);
    rig.pass(Duration::from_secs(10));
    let seen = limits(&mut rig, Duration::from_secs(20));
    assert_eq!(median(&seen), 32.0, "{seen:?}");
}

#[test]
fn it_does_not_grow_while_it_is_not_used() {
    let mut rig = Rig::new(
        system(vec![adaptive(64)], Vec::new()),
        done(Duration::from_millis(20)),
    );
    for _ in 0..5_000 {
        rig.publish(0, 2);
        rig.pass(Duration::from_millis(30));
    }
    let limit = rig.status(0).limit;
    assert!(
        (2..=5).contains(&limit),
        "two at a time, and a limit of {limit}"
    );
}

/// The lower of the two holds: the ramp of a breaker that has just closed, or the limit.
#[test]
fn a_breaker_that_ramps_up_holds_it_below_its_limit() {
    let mut config = adaptive(64);
    config.needs = vec!["api".parse().unwrap()];
    let config = system(vec![config], vec![dependency("api", None)]);
    let mut rig = Rig::new(config, done(Duration::from_millis(20)));
    rig.publish(0, 1_000_000);
    rig.pass(Duration::from_secs(10));
    let before = rig.status(0).limit;
    assert_eq!(before, 64);
    let breaker: tidegate_base::BreakerName = "api".parse().unwrap();
    for command in [
        Command::OpenBreaker {
            breaker: breaker.clone(),
            reason: "a test".to_owned(),
        },
        Command::ResetBreaker { breaker },
    ] {
        rig.step(Input::Command { token: 1, command });
        rig.pass(Duration::from_millis(100));
        let status = rig.status(0);
        let name = "api".parse().unwrap();
        let breaker = rig.machine.breaker(&name, rig.now).unwrap();
        if let Some(ramp) = breaker.ramp_limit {
            assert!(status.in_flight <= ramp.min(status.limit));
            assert_eq!(status.obstacle, Some(Obstacle::Breaker(name)));
        }
        assert_eq!(
            status.limit, before,
            "what does not use the limit does not move it"
        );
    }
    rig.pass(Duration::from_secs(2));
    assert!(rig.status(0).in_flight >= 16, "the ramp is over");
}

/// A puller's pauses say nothing of its load.
#[test]
fn a_pulled_consumer_keeps_its_concurrency() {
    let mut config = adaptive(64);
    config.mode = Mode::Pull;
    let rig = Rig::new(
        system(vec![config], Vec::new()),
        done(Duration::from_millis(1)),
    );
    assert_eq!(rig.status(0).limit, 64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn it_is_from_one_to_the_most_whatever_comes(
        most in 0_u32..2_000,
        ends in prop::collection::vec((0_u64..3, 0_u64..10_000_000_000, 0_u64..10_000_000_000, 0_u32..2_000), 1..2_000),
    ) {
        let mut limit = AdaptiveLimit::new(most);
        for (load, sent, ended, in_flight) in ends {
            let load = [Load::Handled, Load::Dropped, Load::Unknown][load as usize];
            limit.started(in_flight);
            limit.ended(Timestamp::from_nanos(sent), Timestamp::from_nanos(ended), load);
            prop_assert!((1..=most.max(1)).contains(&limit.limit()), "{}", limit.limit());
        }
    }

    #[test]
    fn the_machine_never_runs_more_than_the_limit_allows(
        workers in 1_usize..40,
        concurrency in 1_u32..64,
        millis in 1_u64..50,
    ) {
        let time = Duration::from_millis(millis);
        let (mut rig, _) = behind(concurrency, Server::new(workers, time, Spread::Exponential));
        let mut before = u32::MAX;
        for _ in 0..1_000 {
            let end = rig.now + Duration::from_secs(60);
            prop_assert!(rig.happen(end), "it stands still");
            let status = rig.status(0);
            // What ran when the limit shrank goes on; nothing new starts above it.
            prop_assert!(status.in_flight <= status.limit.max(before.saturating_sub(1)).max(1));
            prop_assert!(status.in_flight >= 1, "it starves");
            before = status.in_flight;
        }
    }
}
