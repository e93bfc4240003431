//! What holds for every queue, whatever its parameters.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// Any small queue, stable or not.
fn queues() -> impl Strategy<Value = Queue> {
    let order = prop_oneof![Just(Order::None), Just(Order::Key), Just(Order::Total)];
    let service = prop_oneof![
        Just(ServiceTime::Constant),
        Just(ServiceTime::Exponential),
        (0.1..4.0).prop_map(|scv| ServiceTime::LogNormal { scv }),
    ];
    let keys = prop_oneof![
        (1_u32..40).prop_map(|count| Keys::Uniform { count }),
        (1_u32..200, 0.1..1.5).prop_map(|(count, exponent)| Keys::Zipf { count, exponent }),
    ];
    let hold = proptest::option::of((0_u64..8, 1_u64..5));
    (order, service, keys, 1_u32..9, 0.1..1.6, hold, any::<u64>()).prop_map(
        |(order, service, keys, servers, load, hold, seed)| {
            let second = 1_000_000_000;
            let holds = hold.map(|(from, length)| Hold {
                from_ns: from * second,
                to_ns: (from + length) * second,
            });
            Queue {
                order,
                service,
                keys,
                holds: holds.into_iter().collect(),
                seconds: 10,
                seed,
                ..Queue::m_m_c(servers, load)
            }
        },
    )
}

/// The number of handlers that a queue really has.
fn handlers(queue: &Queue) -> i64 {
    if queue.order == Order::Total {
        1
    } else {
        i64::from(queue.servers)
    }
}

/// (time, change) of a count, sorted; ends come before starts of the same moment.
fn changes(served: &[Served], start: impl Fn(&Served) -> u64) -> Vec<(u64, i64)> {
    let mut changes: Vec<(u64, i64)> = served
        .iter()
        .flat_map(|one| [(start(one), 1), (one.finished_ns, -1)])
        .collect();
    changes.sort_unstable();
    changes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn everything_that_arrives_is_served_once_and_never_early(queue in queues()) {
        let served = queue.served();
        let profile = Profile::new(queue.rate, queue.rate, &[], Duration::from_secs(queue.seconds));
        let stream = Random::new(queue.seed, "arrival", "queue");
        let mut arrived: Vec<u64> = Arrivals::new(&profile, Spacing::Poisson, stream).collect();
        let mut out: Vec<u64> = served.iter().map(|one| one.arrived_ns).collect();
        out.sort_unstable();
        arrived.sort_unstable();
        prop_assert_eq!(out, arrived);
        for one in &served {
            prop_assert!(one.started_ns >= one.arrived_ns);
            prop_assert_eq!(one.finished_ns, one.started_ns + one.work.elapsed_ns);
            for hold in &queue.holds {
                prop_assert!(!(hold.from_ns..hold.to_ns).contains(&one.started_ns));
            }
        }
    }

    #[test]
    fn never_more_run_at_the_same_time_than_there_are_handlers(queue in queues()) {
        let mut running = 0;
        for (_, change) in changes(&queue.served(), |one| one.started_ns) {
            running += change;
            prop_assert!(running <= handlers(&queue));
        }
    }

    #[test]
    fn a_key_keeps_its_order_and_runs_one_at_a_time(queue in queues()) {
        let queue = Queue { order: Order::Key, ..queue };
        let sampler = queue.station().keys;
        let mut served = queue.served();
        // Arrival times are in order of index, so sorting by them numbers the deliveries.
        served.sort_by_key(|one| one.arrived_ns);
        let distinct = served.windows(2).all(|pair| pair[0].arrived_ns < pair[1].arrived_ns);
        prop_assume!(distinct);
        let mut last: HashMap<usize, u64> = HashMap::new();
        for (index, one) in served.iter().enumerate() {
            let key = sampler.key(index as u64);
            let before = last.insert(key, one.finished_ns).unwrap_or(0);
            prop_assert!(one.started_ns >= before, "key {key} at {}", one.started_ns);
        }
    }

    /// Work conservation: while a delivery waits, every handler is busy, its key is, or all are held.
    #[test]
    fn nothing_waits_while_a_handler_is_free(queue in queues()) {
        let queue = Queue { order: Order::None, ..queue };
        let served = queue.served();
        let busy = changes(&served, |one| one.started_ns);
        let mut running = 0;
        for pair in busy.windows(2) {
            running += pair[0].1;
            let middle = pair[0].0 + (pair[1].0 - pair[0].0) / 2;
            let inside = pair[0].0 < middle && middle < pair[1].0;
            let held = queue.holds.iter().any(|h| (h.from_ns..h.to_ns).contains(&middle));
            if inside && !held && running < handlers(&queue) {
                let waits = served.iter().any(|one| {
                    one.arrived_ns <= middle && middle < one.started_ns
                });
                prop_assert!(!waits, "at {middle} {running} run");
            }
        }
    }

    /// Little's law, exactly: the integral of the number present is the sum of the times present.
    #[test]
    fn the_backlog_integrates_to_the_time_that_deliveries_spend(queue in queues()) {
        let served = queue.served();
        let spent: u128 =
            served.iter().map(|one| u128::from(one.finished_ns - one.arrived_ns)).sum();
        let (mut present, mut before, mut area) = (0_i64, 0_u64, 0_u128);
        for (time, change) in changes(&served, |one| one.arrived_ns) {
            area += u128::from(time - before) * present.unsigned_abs() as u128;
            present += change;
            before = time;
        }
        prop_assert_eq!(present, 0);
        prop_assert_eq!(area, spent);
    }

    /// Common random numbers: one handler more never makes any delivery start later.
    #[test]
    fn a_handler_more_never_delays_a_start(queue in queues()) {
        let queue = Queue { order: Order::None, ..queue };
        let more = Queue { servers: queue.servers + 1, ..queue.clone() };
        for (few, many) in queue.served().iter().zip(more.served()) {
            prop_assert_eq!(few.arrived_ns, many.arrived_ns);
            prop_assert!(many.started_ns <= few.started_ns);
        }
    }

    /// Common random numbers: faster handlers never make any delivery finish later.
    #[test]
    fn faster_handlers_never_delay_a_finish(queue in queues()) {
        let faster = Queue { service_seconds: queue.service_seconds * 0.8, ..queue.clone() };
        let by_arrival = |queue: &Queue| {
            let mut served = queue.served();
            served.sort_by_key(|one| one.arrived_ns);
            served
        };
        // With keys, who is first in line for a handler changes with speed (Graham's anomaly).
        prop_assume!(queue.order != Order::Key);
        for (slow, fast) in by_arrival(&queue).iter().zip(by_arrival(&faster)) {
            prop_assert!(fast.finished_ns <= slow.finished_ns);
        }
    }
}

/// Little's law for the reported figures: mean backlog = rate × mean latency.
#[test]
fn the_reported_backlog_is_rate_times_latency() {
    let queue = Queue {
        seconds: 400,
        ..Queue::m_m_c(4, 0.8)
    };
    let end_ns = queue.seconds * 1_000_000_000;
    let mut timeline = crate::backlog::Timeline::new(0, end_ns);
    let served = queue.served();
    served.iter().for_each(|one| timeline.add(one));
    let within = |one: &Served| one.finished_ns.min(end_ns) - one.arrived_ns;
    let latency = served
        .iter()
        .map(|one| within(one) as f64 / 1e9)
        .sum::<f64>()
        / served.len() as f64;
    let rate = served.len() as f64 / queue.seconds as f64;
    let mean = timeline.report().mean;
    assert!(
        (mean / (rate * latency) - 1.0).abs() < 1e-9,
        "{mean} {}",
        rate * latency
    );
}

#[test]
fn a_seed_gives_the_same_run_and_another_seed_another_one() {
    let queue = Queue {
        seconds: 20,
        ..Queue::m_m_c(4, 0.9)
    };
    assert_eq!(queue.served(), queue.served());
    assert_ne!(
        queue.served(),
        Queue {
            seed: 12,
            ..queue.clone()
        }
        .served()
    );
}
