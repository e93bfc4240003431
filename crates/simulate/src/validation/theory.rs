//! Mean waits and recoveries against formulas.

use super::*;

/// The simulated mean wait agrees with the formula: within its own 99.9 % interval, and that
/// interval is narrow enough to notice an error.
fn assert_wait(name: &str, queue: &Queue, expected: f64) {
    let (mean, interval) = queue.mean_wait();
    println!("{name}: simulated {mean:.6} ± {interval:.6}, theory {expected:.6}");
    assert!(
        (mean - expected).abs() <= interval,
        "{name}: {mean} ± {interval}, theory {expected}"
    );
    assert!(
        interval < 0.12 * expected + 1e-12,
        "{name}: the interval {interval} says nothing"
    );
}

#[test]
fn m_m_1_and_m_m_c_wait_as_erlang_says() {
    for (servers, load, seconds) in [
        (1, 0.5, 4_000),
        (1, 0.8, 6_000),
        (2, 0.7, 2_000),
        (8, 0.8, 1_000),
        (32, 0.9, 800),
    ] {
        let queue = Queue {
            seconds,
            ..Queue::m_m_c(servers, load)
        };
        let expected = erlang_c_wait(servers, queue.rate, queue.service_seconds);
        assert_wait(&format!("M/M/{servers} at {load}"), &queue, expected);
    }
    // The formula itself: M/M/1 waits load / (1 − load) service times.
    assert!((erlang_c_wait(1, 50.0, 0.01) - 0.01).abs() < 1e-12);
}

#[test]
fn m_g_1_waits_as_pollaczek_and_khinchine_say() {
    for (service, scv) in [
        (ServiceTime::Constant, 0.0),
        (ServiceTime::LogNormal { scv: 0.25 }, 0.25),
        (ServiceTime::LogNormal { scv: 2.0 }, 2.0),
    ] {
        let queue = Queue {
            service,
            ..Queue::m_m_c(1, 0.7)
        };
        let expected = 0.7 / 0.3 * 0.01 * (1.0 + scv) / 2.0;
        assert_wait(&format!("M/G/1, scv {scv}"), &queue, expected);
    }
}

#[test]
fn d_d_1_never_waits() {
    let even = Queue {
        spacing: Spacing::Even,
        service: ServiceTime::Constant,
        seconds: 100,
        ..Queue::m_m_c(1, 0.99)
    };
    assert!(
        even.served()
            .iter()
            .all(|one| one.started_ns == one.arrived_ns)
    );
    // At twice what it can do, the last of n waits as long as half of them take.
    let overloaded = Queue {
        rate: 200.0,
        ..even
    };
    let served = overloaded.served();
    let last = served.last().unwrap();
    let wait = (last.started_ns - last.arrived_ns) as f64 / 1e9;
    let expected = (served.len() - 1) as f64 * (0.01 - 0.005);
    assert!((wait - expected).abs() < 1e-6, "{wait} {expected}");
}

#[test]
fn one_key_is_one_server_and_many_keys_are_no_bound() {
    let keyed = |servers, count| Queue {
        servers,
        order: Order::Key,
        keys: Keys::Uniform { count },
        rate: 70.0,
        ..Queue::m_m_c(1, 0.7)
    };
    // Eight handlers do not help one key: M/M/1.
    assert_wait(
        "one key, 8 handlers",
        &keyed(8, 1),
        erlang_c_wait(1, 70.0, 0.01),
    );
    // A million keys almost never meet: M/M/c.
    let many = Queue {
        rate: 560.0,
        ..keyed(8, 1_000_000)
    };
    assert_wait(
        "a million keys, 8 handlers",
        &many,
        erlang_c_wait(8, 560.0, 0.01),
    );
    // Two keys on enough handlers are two independent M/M/1.
    let two = Queue {
        rate: 140.0,
        ..keyed(8, 2)
    };
    assert_wait("two keys, 8 handlers", &two, erlang_c_wait(1, 70.0, 0.01));
}

#[test]
fn total_order_is_one_server() {
    let queue = Queue {
        order: Order::Total,
        servers: 8,
        rate: 70.0,
        ..Queue::m_m_c(1, 0.7)
    };
    assert_wait(
        "total order, 8 handlers",
        &queue,
        erlang_c_wait(1, 70.0, 0.01),
    );
}

/// A held queue is back after outage × load / (1 − load), on average.
#[test]
fn catching_up_takes_as_long_as_the_formula_says() {
    const OUTAGE: f64 = 60.0;
    const SECOND: u64 = 1_000_000_000;
    for (load, seeds, tolerance) in [(0.5, 20, 0.06), (0.8, 20, 0.06), (0.9, 40, 0.08)] {
        let from_ns = 300 * SECOND;
        let to_ns = from_ns + 60 * SECOND;
        let after = |seed: u64| {
            let holds = vec![Hold { from_ns, to_ns }];
            let seconds = 2_000;
            let queue = Queue {
                holds,
                seconds,
                seed,
                ..Queue::m_m_c(1, load)
            };
            let mut timeline = crate::backlog::Timeline::new(0, seconds * SECOND);
            let station = queue.station();
            let length = Duration::from_secs(seconds);
            let profile = Profile::new(queue.rate, queue.rate, &[], length);
            let stream = Random::new(seed, "arrival", "queue");
            let arrivals = Arrivals::new(&profile, Spacing::Poisson, stream);
            station.run(arrivals, |one| timeline.add(&one));
            let usual = load / (1.0 - load);
            (timeline.falls_to(usual, to_ns).unwrap() - to_ns) as f64 / 1e9
        };
        let mean = (1..=seeds).map(after).sum::<f64>() / seeds as f64;
        let expected = OUTAGE * load / (1.0 - load);
        println!("catch-up at {load}: simulated {mean:.1} s, formula {expected:.1} s");
        assert!(
            (mean / expected - 1.0).abs() < tolerance,
            "{load}: {mean}, formula {expected}"
        );
    }
}

/// The verdict flips where theory says: work with retries reaches what the handlers can do.
#[test]
fn retries_tip_a_queue_over_where_amplification_says() {
    let backlog_after = |load: f64, failure: f64| {
        let queue = Queue {
            failure,
            seconds: 1_000,
            ..Queue::m_m_c(4, load)
        };
        let mut station = queue.station();
        let duty = Duty::drawn(Duration::from_millis(10), ServiceTime::Exponential);
        station.worker = Worker::new(duty, failure, RetryPlan::constant(3), 5, "queue");
        let demand = crate::stability::Demand::new(&station, queue.rate, queue.rate);
        let stability = crate::stability::stability(&station, &demand);
        let length = Duration::from_secs(queue.seconds);
        let profile = Profile::new(queue.rate, queue.rate, &[], length);
        let arrivals = Arrivals::new(
            &profile,
            Spacing::Poisson,
            Random::new(5, "arrival", "queue"),
        );
        let mut last = 0;
        station.run(arrivals, |one| {
            last = last.max(one.started_ns - one.arrived_ns)
        });
        (stability.load, last as f64 / 1e9)
    };
    // Half of all attempts fail, three attempts: 1 + 1/2 + 1/4 = 1.75 attempts a delivery.
    let (below, wait_below) = backlog_after(0.98 / 1.75, 0.5);
    let (above, wait_above) = backlog_after(1.05 / 1.75, 0.5);
    assert!((below - 0.98).abs() < 1e-9 && (above - 1.05).abs() < 1e-9);
    // Overloaded by 5 % for 1,000 s the last one waits some 48 s; below, some seconds.
    assert!(
        wait_below < 15.0 && wait_above > 30.0,
        "{wait_below} {wait_above}"
    );
}
