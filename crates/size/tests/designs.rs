//! Whole designs, sized: numbers that theory gives, properties, and what does not suffice.

#![cfg(test)]

use std::time::Duration;

use proptest::prelude::*;
use tidegate_base::Ratio;
use tidegate_model::{Design, Source};
use tidegate_size::facts::{Broker, Capacity, Fact};
use tidegate_size::{Load, Options, Outcome, Question, Size, Trial, Verdict, Workers, size};
use tidegate_trace::recording;

const SHOP: &str = "
tidegate: 1
system: shop
events:
  OrderPlaced:
    key: /orderId
    retention: 7d
    targets: {rate: 1000/s, peak: 2000/s, p99: 250ms, size: 1KiB}
services:
  orders: {publishes: [OrderPlaced]}
  billing:
    consumes:
      OrderPlaced:
        deliver: {concurrency: 64, handler-time: 20ms}
        retry: {attempts: 4, budget: 20%}
  audit:
    consumes:
      OrderPlaced:
        order: none
        deliver: {concurrency: 16, handler-time: 2ms}
messaging: {broker: kafka}
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

fn fact(about: Capacity, amount: f64) -> Fact {
    Fact {
        about,
        amount,
        counts: "things".to_owned(),
        kind: "guideline".to_owned(),
        source: "a page".to_owned(),
        as_of: "2026-11-23".to_owned(),
        note: None,
        is_old: false,
    }
}

fn kafka() -> Broker {
    Broker {
        option: "kafka".to_owned(),
        name: "Apache Kafka".to_owned(),
        is_named: true,
        is_managed: false,
        facts: vec![
            fact(Capacity::BytesPerPartition, 1e7),
            fact(Capacity::BytesPerNode, 2e8),
            fact(Capacity::PartitionsPerNode, 4_000.0),
        ],
    }
}

fn quorum() -> Broker {
    Broker {
        option: "rabbitmq-quorum".to_owned(),
        name: "RabbitMQ quorum queue".to_owned(),
        facts: vec![
            fact(Capacity::MemoryPerMessage, 34.0),
            fact(Capacity::MemoryPerNode, 1_610_612_736.0),
            fact(Capacity::SyncTime, 0.0059),
            fact(Capacity::MessagesPerSync, 62.0),
            fact(Capacity::MessageTime, 4.7e-6),
            fact(Capacity::ReplicasMax, 5.0),
        ],
        ..kafka()
    }
}

/// Nothing is simulated: formulas alone decide.
fn by_formula(text: &str, options: &Options) -> Size {
    size(&design(text), None, &[kafka()], options, &|_| Vec::new())
}

fn workers<'a>(size: &'a Size, id: &str) -> &'a Workers {
    let consumer = size.consumers.iter().find(|c| c.consumer.to_string() == id);
    match &consumer.unwrap().outcome {
        Outcome::Sized(workers) => workers,
        Outcome::Unknown { reason } => panic!("{reason}"),
    }
}

fn near(value: f64, wanted: f64) {
    assert!(
        (value / wanted - 1.0).abs() < 1e-6,
        "{value} is not {wanted}"
    );
}

#[test]
fn the_numbers_of_a_design_are_those_of_the_formulas() {
    let options = Options {
        network: Some(125e6),
        disk: Some(50e6),
        ..Options::default()
    };
    let size = by_formula(SHOP, &options);
    let channel = &size.channels[0];
    near(channel.ingest_at_peak.as_ref().unwrap().value, 2_048_000.0);
    near(
        channel.kept.as_ref().unwrap().value,
        1_024_000.0 * 604_800.0,
    );
    // 2,000/s × 20 ms / 70 % = 57.1; the workers of billing read a partition each.
    let billing = workers(&size, "billing/OrderPlaced");
    near(billing.needed.terms[0].value, 2_000.0 * 0.02 / 0.7);
    assert!(billing.needed.count >= 58, "{:?}", billing.needed);
    assert_eq!(channel.partitions.count, billing.needed.count);
    assert_eq!(channel.partitions.binds, "workers");
    // Half the peak: 1,000/s × 20 ms over the workers, and T ρ / (1 − ρ).
    let load = 20.0 / billing.needed.count as f64;
    let catch_up = billing.catch_up.usual.as_ref().unwrap().value;
    near(catch_up, 60.0 * load / (1.0 - load));
    near(billing.catch_up.backlog.value, 60_000.0);
    near(billing.in_flight.value, 40.0);
    // A budget of 20 % holds a storm of retries, four attempts do not.
    near(billing.attempts_if_all_fail, 1.2);
    near(
        workers(&size, "audit/OrderPlaced").attempts_if_all_fail,
        f64::from(
            design(SHOP).services["audit"].consumes["OrderPlaced"]
                .retry
                .attempts
                .value,
        ),
    );
    let kafka = &size.brokers[0];
    near(
        kafka.disk.as_ref().unwrap().value,
        1_024_000.0 * 604_800.0 * 3.0 / 0.6,
    );
    // One broker may be lost: what three take in is spread over two.
    near(
        kafka.network_in.as_ref().unwrap().value,
        2_048_000.0 * 3.0 / 2.0,
    );
    // Two consumers read, two copies are sent to other brokers.
    near(
        kafka.network_out.as_ref().unwrap().value,
        2_048_000.0 * 4.0 / 2.0,
    );
    assert_eq!(kafka.needed.as_ref().unwrap().count, 3);
    assert_eq!(size.verdict, Verdict::Sufficient, "{:#?}", size.changes);
}

#[test]
fn what_binds_a_cluster_is_named() {
    let fast = SHOP.replace(
        "rate: 1000/s, peak: 2000/s",
        "rate: 100000/s, peak: 200000/s",
    );
    let options = Options {
        network: Some(125e6),
        ..Options::default()
    };
    let size = by_formula(&fast, &options);
    let needed = size.brokers[0].needed.as_ref().unwrap();
    // 204.8 MB/s × (2 + 3 − 1) / (125 MB/s × 70 %) = 9.4, and one more.
    assert_eq!((needed.count, needed.binds), (11, "network"));
    assert!(size.brokers[0].unknown.iter().any(|u| u.contains("--disk")));
    assert_eq!(size.verdict, Verdict::Insufficient);
    let change = &size.changes[0];
    assert_eq!(
        change.path,
        "services.billing.consumes.OrderPlaced.deliver.concurrency"
    );
    assert_eq!(
        (&*change.place.file, change.place.line),
        ("design.yaml", 14)
    );
}

#[test]
fn a_quorum_queue_is_bound_by_the_fsync_of_its_disk() {
    let sized = |sync: Option<Duration>| {
        let options = Options {
            sync_time: sync,
            ..Options::default()
        };
        let text = SHOP.replace("broker: kafka", "broker: rabbitmq");
        size(&design(&text), None, &[quorum()], &options, &|_| Vec::new())
    };
    // 4,000 deliveries/s × 3 over 9,990/s × 70 %: two, and one more.
    let slow = sized(None);
    let needed = slow.brokers[0].needed.as_ref().unwrap();
    assert_eq!((needed.count, needed.binds), (3, "replicas"));
    let fsync = needed
        .terms
        .iter()
        .find(|term| term.name == "fsync")
        .unwrap();
    assert_eq!(fsync.value, 3.0);
    let slower = sized(Some(Duration::from_millis(30)));
    let needed = slower.brokers[0].needed.as_ref().unwrap();
    assert_eq!((needed.count, needed.binds), (10, "fsync"));
    // It keeps what waits, not what retention says.
    near(
        slow.brokers[0].disk.as_ref().unwrap().value,
        1_024_000.0 * 60.0 * 2.0 * 3.0 / 0.6,
    );
    let memory = slow.brokers[0].memory_each.as_ref().unwrap().value;
    near(memory, 1_610_612_736.0 + 120_000.0 * 34.0);
}

#[test]
fn an_unknown_number_is_said_and_not_invented() {
    let text = SHOP
        .replace(", size: 1KiB", "")
        .replace(", handler-time: 2ms", "");
    let size = by_formula(&text, &Options::default());
    assert_eq!(size.verdict, Verdict::Unknown);
    assert!(size.channels[0].ingest.is_none() && size.channels[0].kept.is_none());
    let human = size.to_human();
    for part in [
        "`OrderPlaced` declares no size",
        "`audit/OrderPlaced` declares no `handler-time`",
        "give `--network`",
    ] {
        assert!(human.contains(part), "{part}: {human}");
    }
    let silent = SHOP.replace("rate: 1000/s, peak: 2000/s, ", "");
    let size = by_formula(&silent, &Options::default());
    assert!(size.to_human().contains("declares no rate"));
}

/// A simulation in which one worker too few is too slow, and 60 are enough.
fn simulated(question: &Question) -> Vec<Trial> {
    vec![Trial {
        load: Load::Peak,
        workers: question.workers,
        deliveries: 50_000,
        utilisation: 0.6,
        mean_seconds: Some(0.03),
        p99_seconds: Some(if question.workers < 70 { 0.3 } else { 0.2 }),
        plus_minus_seconds: Some(0.01),
    }]
}

#[test]
fn the_simulation_has_the_last_word() {
    let size = size(
        &design(SHOP),
        None,
        &[kafka()],
        &Options::default(),
        &simulated,
    );
    let billing = workers(&size, "billing/OrderPlaced");
    assert_eq!((billing.needed.count, billing.needed.binds), (70, "p99"));
    let p99 = billing.p99.as_ref().unwrap();
    assert_eq!(p99.simulated_seconds, Some(0.2));
    assert_eq!(
        (p99.one_fewer_seconds, p99.declared_seconds),
        (Some(0.3), Some(0.3))
    );
    assert!(p99.formula_seconds.is_some());
    near(billing.in_flight.value, 60.0);
    assert_eq!(size.channels[0].partitions.count, 70);
    assert_eq!(size.verdict, Verdict::Insufficient);
    // Audit needs its p99 as well: both changes have their place.
    let places: Vec<u32> = size
        .changes
        .iter()
        .map(|change| change.place.line)
        .collect();
    assert_eq!(places, [14, 20]);
}

#[test]
fn a_target_out_of_reach_is_no_matter_of_workers() {
    let slow = |question: &Question| {
        let mut trials = simulated(question);
        trials[0].p99_seconds = Some(0.4);
        trials
    };
    let size = size(&design(SHOP), None, &[kafka()], &Options::default(), &slow);
    let billing = workers(&size, "billing/OrderPlaced");
    assert!(
        billing
            .out_of_reach
            .as_ref()
            .unwrap()
            .contains("250ms is out of reach")
    );
    assert_eq!(billing.needed.binds, "load");
    assert_eq!(size.changes[0].path, "events.OrderPlaced.targets.p99");
}

fn recorded(lines: impl Iterator<Item = (u64, u64, String)>, seconds: u64) -> recording::Recording {
    let mut text = format!(
        "{{\"tidegate-recording\":1,\"origin\":\"x\",\"duration_ns\":{}}}\n\
         {{\"event\":\"OrderPlaced\",\"publisher\":\"orders\",\"consumer\":\"billing\"}}\n",
        seconds * 1_000_000_000
    );
    for (offset, handler, key) in lines {
        text.push_str(&format!(
            "{{\"offset_ns\":{offset},\"handler_ns\":{handler},\"key\":\"{key}\"}}\n"
        ));
    }
    recording::read("x", text.as_bytes()).unwrap()
}

#[test]
fn a_hot_key_is_split_or_its_order_dropped() {
    // Every fifth event has one key: 2,000/s × 20 % × 20 ms keep a worker busy eight times over.
    let lines = (0..1_000_u64).map(|n| {
        let key = if n % 5 == 0 {
            "hot".to_owned()
        } else {
            format!("k{n}")
        };
        (n * 10_000_000, 20_000_000, key)
    });
    let recording = recorded(lines, 10);
    let sized = size(
        &design(SHOP),
        Some(&recording),
        &[kafka()],
        &Options::default(),
        &|_| Vec::new(),
    );
    let billing = workers(&sized, "billing/OrderPlaced");
    near(
        billing.key_load.as_ref().unwrap().value,
        0.2 * 2_000.0 * 0.02,
    );
    assert!(billing.catch_up.usual.is_none(), "the key never catches up");
    let change = &sized.changes[0];
    assert_eq!(change.path, "services.billing.consumes.OrderPlaced.order");
    assert!(
        change.sentence.contains("split the key, or drop the order"),
        "{}",
        change.sentence
    );
    assert_eq!(sized.channels[0].useful_partitions, Some(5));
    let unknown = &sized.channels[0].partitions.unknown;
    assert!(
        unknown
            .iter()
            .any(|u| u.contains("no number of partitions")),
        "{unknown:?}"
    );
    // Without an order the key does not matter.
    let text = SHOP.replace(
        "        deliver: {concurrency: 64",
        "        order: none\n        deliver: {concurrency: 64",
    );
    let free = size(
        &design(&text),
        Some(&recording),
        &[kafka()],
        &Options::default(),
        &|_| Vec::new(),
    );
    assert_eq!(free.verdict, Verdict::Sufficient, "{:?}", free.changes);
}

#[test]
fn a_recording_gives_peak_spread_failures_and_sizes() {
    // 100 in each second, but 3,000 in the fifth; times that vary by their mean.
    let lines = (0..30_u64).flat_map(|second| {
        let count = if second == 5 { 3_000 } else { 100 };
        (0..count).map(move |n| {
            let handler = if n % 2 == 0 { 1_000_000 } else { 39_000_000 };
            (
                second * 1_000_000_000 + n * 300_000,
                handler,
                format!("{second}-{n}"),
            )
        })
    });
    let recording = recorded(lines, 30);
    let sized = size(
        &design(SHOP),
        Some(&recording),
        &[],
        &Options::default(),
        &|_| Vec::new(),
    );
    let billing = workers(&sized, "billing/OrderPlaced");
    assert_eq!(billing.peak.value, 3_000.0);
    assert!(matches!(
        billing.peak.source,
        tidegate_size::Source::Recording { .. }
    ));
    assert!((billing.handler_scv.value - 0.9025).abs() < 0.01);
    near(billing.handler_time.value, 0.02);
    let dispersion = sized.channels[0].dispersion.as_ref().unwrap().value;
    assert!(dispersion > 1_000.0, "{dispersion}");
    // No key came five times.
    assert!(sized.channels[0].hottest_key.is_none() && billing.key_load.is_none());
    // Another consumer of the event handles it in its own time.
    assert_eq!(workers(&sized, "audit/OrderPlaced").handler_scv.value, 1.0);
}

#[test]
fn places_rates_and_retentions_that_are_too_small_are_named() {
    let text = SHOP
        .replace("retention: 7d", "retention: 1m")
        .replace(
            "handler-time: 20ms}",
            "handler-time: 20ms, rate: 1500/s}\n        needs: [payments]",
        )
        .replace(
            "messaging:",
            "dependencies:\n  payments: {concurrency: 30}\nmessaging:",
        );
    let size = by_formula(
        &text,
        &Options {
            partitions: Some(8),
            ..Options::default()
        },
    );
    let paths: Vec<&str> = size
        .changes
        .iter()
        .map(|change| change.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "services.billing.consumes.OrderPlaced.deliver.rate",
            "events.OrderPlaced.retention",
            "events.OrderPlaced.retention",
            "dependencies.payments.concurrency",
            "events.OrderPlaced",
        ]
    );
    let total = SHOP
        .replace("handler-time: 20ms", "handler-time: 0.1ms")
        .replace("        retry:", "        order: total\n        retry:");
    let size = by_formula(&total, &Options::default());
    assert_eq!(
        (
            size.channels[0].partitions.count,
            size.channels[0].partitions.binds
        ),
        (1, "total order")
    );
    assert_eq!(workers(&size, "billing/OrderPlaced").needed.count, 1);
    assert_eq!(size.verdict, Verdict::Sufficient, "{:?}", size.changes);
    let slow = total.replace("0.1ms", "1ms");
    let size = by_formula(&slow, &Options::default());
    assert!(
        size.changes[0].sentence.contains("one delivery at a time"),
        "{:?}",
        size.changes
    );
}

#[test]
fn the_reports_read_well() {
    let size = size(
        &design(SHOP),
        None,
        &[kafka(), quorum()],
        &Options::default(),
        &simulated,
    );
    insta::assert_snapshot!("human", size.to_human());
    insta::assert_snapshot!("markdown", size.to_markdown());
    insta::assert_snapshot!(
        "json",
        serde_json::to_string_pretty(&size.to_json()).unwrap()
    );
}

/// A design of one event and one consumer in order.
fn one(rate: f64, handler_us: u64, p99_us: u64, bytes: u64) -> String {
    format!(
        "{{tidegate: 1, system: any, \
          events: {{A: {{key: /id, targets: {{rate: {rate}/s, size: {bytes}B, p99: {p99_us}us}}}}}}, \
          services: {{p: {{publishes: [A]}}, c: {{consumes: {{A: {{deliver: {{handler-time: {handler_us}us}}}}}}}}}}}}"
    )
}

/// Every number that grows with the load.
fn numbers(size: &Size) -> Vec<f64> {
    let workers = workers(size, "c/A");
    let broker = &size.brokers[0];
    vec![
        workers.needed.count as f64,
        size.channels[0].partitions.count as f64,
        broker.needed.as_ref().unwrap().count as f64,
        broker.disk.as_ref().unwrap().value,
        broker.network_in.as_ref().unwrap().value
            * (broker.needed.as_ref().unwrap().count - 1) as f64,
        workers.in_flight.value,
        workers.catch_up.backlog.value,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn more_load_never_needs_less(
        rate in 1.0_f64..50_000.0, more in 1.0_f64..3.0,
        handler in 100_u64..200_000, bytes in 1_u64..100_000, slack in 2_u64..50,
    ) {
        let options = Options { network: Some(1e9), ..Options::default() };
        let p99 = handler * slack;
        let less = numbers(&by_formula(&one(rate, handler, p99, bytes), &options));
        let loaded = numbers(&by_formula(&one(rate * more, handler, p99, bytes), &options));
        for (less, loaded) in less.iter().zip(&loaded) {
            prop_assert!(loaded >= less, "{less} became {loaded}");
        }
        let busier = Options { utilisation: Ratio::new(0.5).unwrap(), ..options };
        let spare = numbers(&by_formula(&one(rate, handler, p99, bytes), &busier));
        prop_assert!(spare[0] >= less[0] && spare[2] >= less[2]);
    }

    #[test]
    fn the_unit_of_time_does_not_matter(
        rate in 1.0_f64..10_000.0, handler in 1_000_u64..100_000, slack in 2_u64..50,
    ) {
        let options = Options::default();
        let p99 = handler * slack;
        let fast = by_formula(&one(rate, handler, p99, 1), &options);
        // Ten times slower, with the outage ten times longer.
        let slow = Options { outage: options.outage * 10, ..options.clone() };
        let slow = by_formula(&one(rate / 10.0, handler * 10, p99 * 10, 1), &slow);
        let (fast, slow) = (workers(&fast, "c/A"), workers(&slow, "c/A"));
        prop_assert_eq!(fast.needed.count, slow.needed.count);
        prop_assert!((fast.load_at_peak.value / slow.load_at_peak.value - 1.0).abs() < 1e-9);
        let of = |workers: &Workers| workers.catch_up.usual.as_ref().unwrap().value;
        prop_assert!((of(fast) * 10.0 / of(slow) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn twice_the_copies_are_twice_the_disk(rate in 1.0_f64..10_000.0, replicas in 1_u32..6) {
        let text = one(rate, 1_000, 50_000, 512);
        let disk = |replicas| {
            let options = Options { replicas, ..Options::default() };
            by_formula(&text, &options).brokers[0].disk.as_ref().unwrap().value
        };
        prop_assert!((disk(replicas * 2) / disk(replicas) - 2.0).abs() < 1e-9);
    }
}
