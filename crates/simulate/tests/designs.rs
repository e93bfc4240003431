//! Whole designs, simulated and reported.

#![cfg(test)]

use std::time::Duration;

use tidegate_base::{Name, Rate, Ratio};
use tidegate_model::{Design, Source};
use tidegate_simulate::{
    Keys, Outage, Outcome, RecordedArrival, Scenario, ServiceTime, Simulated, Simulation,
    StabilityState, Verdict, Window, simulate,
};

const CHECKOUT: &str = "
tidegate: 1
system: checkout
events:
  OrderPlaced:
    key: /orderId
    targets: {rate: 200/s, peak: 500/s, p99: 250ms}
  InvoiceSent: {}
services:
  orders: {publishes: [OrderPlaced]}
  billing:
    publishes: [InvoiceSent]
    consumes:
      OrderPlaced:
        deliver: {to: 'http://localhost:9001/events', concurrency: 16, timeout: 5s, handler-time: 40ms}
        needs: [payments-api]
        objective: 30s
        dead-letter: {owner: team-billing}
  audit:
    consumes:
      OrderPlaced:
        deliver: {concurrency: 4, handler-time: 1ms}
        order: none
        dead-letter: {owner: team-audit}
  mail:
    consumes:
      InvoiceSent:
        deliver: {handler-time: 5ms}
        dead-letter: {owner: team-mail}
dependencies:
  payments-api: {breaker: {open: 20s}}
";

fn design(text: &str) -> Design {
    let file = Source {
        name: "design.yaml".into(),
        text: text.to_owned(),
    };
    let reading = tidegate_model::read(&[file], &|_| Err("no files here".to_owned()));
    reading
        .design
        .unwrap_or_else(|| panic!("{:#?}", reading.findings))
}

fn simulated<'a>(simulation: &'a Simulation, id: &str) -> &'a Simulated {
    let found = simulation
        .consumers
        .iter()
        .find(|c| c.consumer.to_string() == id)
        .unwrap();
    match &found.outcome {
        Outcome::Simulated(simulated) => simulated,
        Outcome::Skipped { reason } => panic!("{id}: {reason}"),
    }
}

fn outage(seconds: u64, length: u64) -> Outage {
    Outage {
        dependency: Some(Name::new("payments-api").unwrap()),
        window: Window {
            from: Duration::from_secs(seconds),
            length: Duration::from_secs(length),
        },
    }
}

fn calm() -> Scenario {
    Scenario {
        peaks: Vec::new(),
        duration: Duration::from_secs(300),
        ..Scenario::default()
    }
}

#[test]
fn the_report_says_what_is_stable_what_grows_and_what_is_unknown() {
    let scenario = Scenario {
        outages: vec![outage(400, 30)],
        failures: Ratio::new(0.01).unwrap(),
        ..Scenario::default()
    };
    let simulation = simulate(&design(CHECKOUT), &scenario);
    insta::assert_snapshot!("human", simulation.to_human());
    insta::assert_snapshot!("markdown", simulation.to_markdown());
}

#[test]
fn the_json_is_stable_and_complete() {
    let scenario = Scenario {
        duration: Duration::from_secs(60),
        ..calm()
    };
    let mut json = simulate(&design(CHECKOUT), &scenario).to_json();
    for consumer in json["consumers"].as_array_mut().unwrap() {
        if let Some(highest) = consumer.pointer_mut("/backlog/highest") {
            *highest = serde_json::json!("…");
        }
    }
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn a_breaker_holds_until_its_first_probe_after_the_outage() {
    let scenario = Scenario {
        outages: vec![outage(100, 30)],
        ..calm()
    };
    let simulation = simulate(&design(CHECKOUT), &scenario);
    let billing = simulated(&simulation, "billing/OrderPlaced");
    let [recovery] = &billing.recoveries[..] else {
        panic!("{:?}", billing.recoveries)
    };
    // Pauses of 20 s cover 30 s with two.
    assert_eq!(recovery.held_seconds, 40.0);
    assert!(
        (recovery.predicted_seconds.unwrap() - 40.0).abs() < 1e-9,
        "load 0.5"
    );
    let after = recovery.recovered_after_seconds.unwrap();
    assert!((after / 40.0 - 1.0).abs() < 0.15, "{after}");
    // 200 a second for 40 s.
    assert!((recovery.backlog_max as f64 / 8_000.0 - 1.0).abs() < 0.05);
    assert!(
        simulated(&simulation, "audit/OrderPlaced")
            .recoveries
            .is_empty()
    );
    assert!(billing.behind_max_seconds > 39.0);
    assert_eq!(billing.verdict, Verdict::Missed, "40 s behind, 30 s wanted");
}

#[test]
fn consumers_of_one_event_see_the_same_arrivals() {
    let simulation = simulate(&design(CHECKOUT), &calm());
    let billing = simulated(&simulation, "billing/OrderPlaced");
    let audit = simulated(&simulation, "audit/OrderPlaced");
    assert_eq!(billing.deliveries, audit.deliveries);
    assert!(
        (billing.utilisation - 0.5).abs() < 0.02,
        "{}",
        billing.utilisation
    );
    assert!(
        (audit.utilisation - 0.05).abs() < 0.005,
        "{}",
        audit.utilisation
    );
}

#[test]
fn a_hot_key_binds_before_the_handlers_do() {
    let scenario = Scenario {
        keys: Keys::Zipf {
            count: 1_000,
            exponent: 1.2,
        },
        duration: Duration::from_secs(120),
        ..calm()
    };
    let simulation = simulate(&design(CHECKOUT), &scenario);
    let billing = simulated(&simulation, "billing/OrderPlaced");
    assert_eq!(billing.stability.state, StabilityState::Unstable);
    assert!(
        billing.stability.limit.contains("key"),
        "{}",
        billing.stability.limit
    );
    assert!(
        billing.backlog.at_end > 1_000,
        "it grows: {}",
        billing.backlog.at_end
    );
    let audit = simulated(&simulation, "audit/OrderPlaced");
    assert_eq!(audit.stability.state, StabilityState::Stable, "order: none");
}

#[test]
fn more_load_never_makes_anything_better() {
    let mut last = 0.0;
    for rate in [100, 200, 300, 390] {
        let text = CHECKOUT.replace("rate: 200/s", &format!("rate: {rate}/s"));
        let simulation = simulate(&design(&text), &calm());
        let mean = simulated(&simulation, "billing/OrderPlaced")
            .latency
            .mean
            .unwrap()
            .value;
        assert!(mean > last, "{rate}/s: {mean} after {last}");
        last = mean;
    }
}

#[test]
fn recorded_arrivals_and_handler_times_take_the_place_of_declared_ones() {
    let mut scenario = Scenario {
        service: ServiceTime::Constant,
        ..calm()
    };
    let event = Name::new("InvoiceSent").unwrap();
    let arrival = |i: u64| RecordedArrival {
        offset: Duration::from_millis(i * 100),
        key: format!("order-{}", i % 7),
    };
    let offsets = (0..1_000).map(arrival).collect();
    scenario.recorded_arrivals.insert(event, offsets);
    let id = "mail/InvoiceSent".parse().unwrap();
    let times = vec![Duration::from_millis(20), Duration::from_millis(40)];
    scenario.recorded_handler_times.insert(id, times);
    let simulation = simulate(&design(CHECKOUT), &scenario);
    let mail = simulated(&simulation, "mail/InvoiceSent");
    assert_eq!(mail.deliveries, 1_000);
    assert!((mail.rate - 10.0).abs() < 0.1);
    assert!((mail.handler_seconds - 0.03).abs() < 1e-9);
    let latency = &mail.latency;
    assert!(
        latency.p50.unwrap() >= 0.02 && latency.max.unwrap() < 0.041,
        "{latency:?}"
    );
}

#[test]
fn recorded_times_say_how_far_attempts_are_from_the_declared_mean() {
    let id: tidegate_base::ConsumerId = "mail/InvoiceSent".parse().unwrap();
    let run = |times: Vec<u64>| {
        let mut scenario = Scenario {
            rate: Rate::per_second(10.0),
            ..calm()
        };
        let times = times.into_iter().map(Duration::from_millis).collect();
        scenario.recorded_spread.insert(id.clone(), times);
        let simulation = simulate(&design(CHECKOUT), &scenario);
        let mail = simulated(&simulation, "mail/InvoiceSent");
        assert!((mail.handler_seconds - 0.005).abs() < 1e-9, "{mail:?}");
        (mail.latency.max.unwrap(), mail.notes.join(" "))
    };
    // The design says 5 ms on average: of ten attempts nine take 1 ms, and one 41.
    let mut times = vec![10; 9];
    times.push(410);
    let (longest, notes) = run(times);
    assert!(longest >= 0.041, "{longest}");
    assert!(
        notes.contains("5ms on average") && notes.contains("as the 10 recorded times do"),
        "{notes}"
    );
    let (longest, _) = run(vec![7]);
    assert!(longest < 0.041, "{longest}");
    // Without any time they say nothing.
    let (_, notes) = run(vec![0]);
    assert!(!notes.contains("recorded"), "{notes}");
}

#[test]
fn too_few_deliveries_give_no_p99() {
    let text = CHECKOUT.replace("rate: 200/s, peak: 500/s", "rate: 1/s");
    let simulation = simulate(&design(&text), &calm());
    let billing = simulated(&simulation, "billing/OrderPlaced");
    assert!(billing.latency.count < 368 && billing.latency.p99.is_none());
    assert_eq!(billing.targets[0].verdict, Verdict::Unknown);
}

#[test]
fn a_run_that_is_too_long_is_cut_and_says_so() {
    let scenario = Scenario {
        messages_max: 10_000,
        ..calm()
    };
    let simulation = simulate(&design(CHECKOUT), &scenario);
    let billing = simulated(&simulation, "billing/OrderPlaced");
    assert!(
        (9_500..10_500).contains(&billing.deliveries),
        "{}",
        billing.deliveries
    );
    assert!(
        billing.notes[0].contains("only the first 50s of 5m"),
        "{:?}",
        billing.notes
    );
}

#[test]
fn the_same_seed_gives_the_same_json_and_another_one_does_not() {
    let scenario = Scenario {
        duration: Duration::from_secs(30),
        ..calm()
    };
    let design = design(CHECKOUT);
    let first = simulate(&design, &scenario).to_json();
    assert_eq!(first, simulate(&design, &scenario).to_json());
    let other = Scenario {
        seed: 2,
        ..scenario
    };
    assert_ne!(first, simulate(&design, &other).to_json());
}

#[test]
fn the_example_with_its_recording_runs() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/checkout");
    let read = |file: &str| std::fs::read_to_string(format!("{folder}/{file}"));
    let (Ok(text), Ok(recording)) = (read("design.yaml"), read("recording.jsonl")) else {
        println!("skipped: no examples/checkout");
        return;
    };
    let recording =
        tidegate_trace::recording::read("recording.jsonl", recording.as_bytes()).unwrap();
    let simulation = simulate(
        &design(&text),
        &Scenario::default().with_recording(&recording),
    );
    for (event, stream) in &recording.streams {
        let id = format!("{}/{event}", stream.consumer);
        let one = simulated(&simulation, &id);
        assert_eq!(one.deliveries, stream.arrivals.len() as u64, "{id}");
        assert!(one.stability.load > 0.0 && one.latency.count > 0, "{id}");
    }
    println!("{}", simulation.to_human());
}

#[test]
fn what_is_never_handled_meets_no_target() {
    let scenario = Scenario {
        failures: Ratio::new(1.0).unwrap(),
        ..calm()
    };
    let simulation = simulate(&design(CHECKOUT), &scenario);
    let audit = simulated(&simulation, "audit/OrderPlaced");
    assert_eq!(audit.dead_letters, audit.deliveries);
    assert_eq!(audit.verdict, Verdict::Missed);
    assert_eq!(simulation.verdict, Verdict::Missed);
    let nothing = Scenario {
        duration: Duration::from_nanos(1),
        ..calm()
    };
    let simulation = simulate(&design(CHECKOUT), &nothing);
    let audit = simulated(&simulation, "audit/OrderPlaced");
    assert_eq!((audit.deliveries, audit.verdict), (0, Verdict::Unknown));
}

#[test]
fn a_rate_binds_as_handlers_do_and_an_adaptive_limit_is_said_to_be_none() {
    let with = |deliver: &str| {
        let text = CHECKOUT.replace("concurrency: 4, handler-time: 1ms", deliver);
        let simulation = simulate(&design(&text), &calm());
        let audit = simulated(&simulation, "audit/OrderPlaced");
        (audit.stability.clone(), audit.notes.clone())
    };
    let (free, notes) = with("concurrency: 4, handler-time: 1ms");
    assert_eq!(free.state, StabilityState::Stable);
    assert!(notes.is_empty(), "{notes:?}");
    // 200 a second come.
    let (slow, _) = with("concurrency: 4, handler-time: 1ms, rate: 100/s");
    assert_eq!(slow.state, StabilityState::Unstable);
    assert_eq!(slow.limit, "its rate of 100/s");
    assert!((slow.load - 2.0).abs() < 1e-9, "{}", slow.load);
    let (fast, _) = with("concurrency: 4, handler-time: 1ms, rate: 5000/s");
    assert_eq!(fast.limit, free.limit);
    let (_, notes) = with("concurrency: 4, handler-time: 1ms, limit: adaptive");
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("the adaptive limit counts as its `concurrency` of 4")),
        "{notes:?}"
    );
}
