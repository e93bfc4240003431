//! `tidegate size` as a user has it: exit codes, JSON, and proposals that a simulation holds.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tidegate_base::Rate;
use tidegate_model::{Design, Source};
use tidegate_simulate::{Outcome, Scenario, Simulated, simulate};
use tidegate_trace::recording::{self, Recording};

use crate::support::{expect_exit, repository, run, shared};

/// Two workers are busy for half their time, and too few for the p99.
const TIGHT: &str = "
tidegate: 1
system: tight
events:
  Asked:
    key: /id
    retention: 1d
    targets: {rate: 40/s, peak: 100/s, p99: 110ms, size: 2KiB}
services:
  front: {publishes: [Asked]}
  back:
    consumes:
      Asked:
        deliver: {concurrency: 2, handler-time: 20ms}
        dead-letter: {owner: team-back}
messaging: {broker: kafka}
";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The JSON of `size`, with the exit code.
fn sized(arguments: &[&str]) -> (Value, Option<i32>) {
    let output = run(&[&["size", "--format", "json"], arguments].concat());
    let json = serde_json::from_slice(&output.stdout);
    let json = json.unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    (json, output.status.code())
}

fn read(folder: &Path) -> Design {
    let file = Source {
        name: "design.yaml".into(),
        text: fs::read_to_string(folder.join("design.yaml")).unwrap(),
    };
    let schema = |path: &tidegate_model::SchemaPath| {
        fs::read_to_string(folder.join(path.path())).map_err(|error| error.to_string())
    };
    tidegate_model::read(&[file], &schema).design.unwrap()
}

/// The consumer `id` alone at its peak for ever, with so many workers; other random numbers than those
/// of `size`.
fn at_peak(
    design: &Design,
    recording: Option<&Recording>,
    (id, workers): (&str, u32),
    peak: f64,
) -> Simulated {
    let mut design = design.clone();
    for (service, other) in &mut design.services {
        other
            .consumes
            .retain(|event, _| format!("{service}/{event}") == id);
        for (event, consume) in &mut other.consumes {
            consume.deliver.concurrency.value = workers;
            let targets = &mut design.events.get_mut(event).unwrap().targets;
            targets.rate = Rate::per_second(peak);
            targets.peak = targets.rate;
        }
    }
    let duration = Duration::from_secs_f64(60_000.0 / peak);
    let scenario = Scenario {
        seed: 7,
        duration,
        warm_up: duration / 20,
        peaks: Vec::new(),
        ..Scenario::default()
    };
    let scenario = match recording {
        Some(recording) => scenario.with_spread_of(recording),
        None => scenario,
    };
    let found = simulate(&design, &scenario).consumers.remove(0).outcome;
    match found {
        Outcome::Simulated(simulated) => *simulated,
        Outcome::Skipped { reason } => panic!("{reason}"),
    }
}

/// Every proposal meets its target, and one worker fewer does not, or is busier than it may be.
fn held(folder: &Path, size: &Value) -> usize {
    let design = read(folder);
    let file = folder.join("recording.jsonl");
    let recording = fs::read(file).ok();
    let recording = recording.map(|bytes| recording::read("recording", &bytes).unwrap());
    let mut count = 0;
    for consumer in size["consumers"].as_array().unwrap() {
        if consumer["outcome"] != "sized" || !consumer["out_of_reach"].is_null() {
            continue;
        }
        let id = consumer["consumer"].as_str().unwrap();
        let needed = u32::try_from(consumer["needed"]["count"].as_u64().unwrap()).unwrap();
        let peak = consumer["peak"]["value"].as_f64().unwrap();
        let Some(target) = consumer["p99"]["wanted"]["value"].as_f64() else {
            continue;
        };
        // Few recorded times are not drawn from: neither here.
        let is_measured = consumer["handler_scv"]["from"] == "recording";
        let recording = recording.as_ref().filter(|_| is_measured);
        let p99 = |workers: u32| {
            let simulated = at_peak(&design, recording, (id, workers), peak);
            simulated.latency.p99.unwrap()
        };
        let found = p99(needed);
        assert!(
            found.value <= target,
            "{id}: {} s with {needed} workers, {target} s wanted",
            found.value
        );
        if needed > 1 {
            let load =
                peak * consumer["handler_time"]["value"].as_f64().unwrap() / f64::from(needed - 1);
            let fewer = p99(needed - 1);
            let slow = fewer.value + fewer.plus_minus.unwrap_or(0.0) > target;
            assert!(slow || load > 0.7, "{id}: {} would do", needed - 1);
        }
        count += 1;
    }
    count
}

#[test]
fn the_proposals_for_the_example_are_held() {
    let folder = repository("examples/checkout");
    let (size, code) = sized(&[folder.to_str().unwrap()]);
    assert_eq!(
        (code, &size["verdict"]),
        (Some(0), &Value::from("sufficient"))
    );
    assert_eq!(held(&folder, &size), 4);
    // Every number has a formula, and every input a source.
    let peak = &size["channels"][0]["ingest_at_peak"];
    assert_eq!(peak["value"], 61_440.0);
    assert_eq!(peak["formula"], "peak × size");
    let input = &peak["inputs"][0];
    assert_eq!(
        (&input["from"], &input["path"]),
        (
            &Value::from("design"),
            &Value::from("events.OrderPlaced.targets.peak"),
        )
    );
    assert!(input["place"]["line"].is_u64(), "{input}");
    let embedded = &size["brokers"][0];
    assert_eq!(
        (&embedded["option"], &embedded["counts"]),
        (&Value::from("embedded"), &Value::from("machine"),)
    );
}

#[test]
fn what_does_not_suffice_is_named_with_its_place_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("design.yaml");
    fs::write(&path, TIGHT).unwrap();
    let path = path.to_str().unwrap();
    let (size, code) = sized(&[path]);
    assert_eq!(code, Some(1));
    let workers = &size["consumers"][0];
    // The load asks for three: the wait decides.
    assert_eq!(workers["needed"]["binds"], "p99", "{workers}");
    let needed = workers["needed"]["count"].as_u64().unwrap();
    assert!(needed > 3, "{needed}");
    assert!(workers["p99"]["one_fewer_seconds"].as_f64().unwrap() > 0.1);
    assert_eq!(held(folder.path(), &size), 1);
    let change = &size["changes"][0];
    assert_eq!(
        change["path"],
        "services.back.consumes.Asked.deliver.concurrency"
    );
    assert_eq!(
        (&change["place"]["line"], &change["place"]["column"]),
        (&Value::from(14), &Value::from(32),)
    );
    let human = run(&["size", path]);
    expect_exit(&human, 1);
    let human = text(&human.stdout);
    assert!(
        human.contains(&format!("`back/Asked` has 2 workers and needs {needed}")),
        "{human}"
    );
    assert!(human.contains("Apache Kafka (named)"), "{human}");
    // As many as were proposed suffice.
    fs::write(
        path,
        TIGHT.replace("concurrency: 2", &format!("concurrency: {needed}")),
    )
    .unwrap();
    assert_eq!(sized(&[path]).1, Some(0));
    // And too few partitions do not.
    let (size, code) = sized(&[path, "--partitions", "2"]);
    assert_eq!(
        (code, &size["changes"][0]["path"]),
        (Some(1), &Value::from("events.Asked"))
    );
}

#[test]
fn brokers_hold_with_one_lost_and_facts_have_dates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("design.yaml");
    let busy = TIGHT
        .replace("rate: 40/s, peak: 100/s", "rate: 40000/s, peak: 100000/s")
        .replace("handler-time: 20ms", "handler-time: 100us");
    fs::write(&path, busy).unwrap();
    let path = path.to_str().unwrap();
    let (size, _) = sized(&[path, "--network", "250MB/s", "--disk", "200MB"]);
    let needed = &size["brokers"][0]["needed"];
    // 204.8 MB/s × 3 / (200 MB/s × 70 %) = 4.4: five, and one more.
    assert_eq!(
        (&needed["count"], &needed["binds"]),
        (&Value::from(6), &Value::from("disk writes"))
    );
    let terms = needed["terms"].as_array().unwrap();
    let ingest = terms.iter().find(|term| term["name"] == "ingest").unwrap();
    let fact = ingest["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|i| i["from"] == "fact")
        .unwrap();
    assert_eq!(
        (&fact["kind"], &fact["as_of"]),
        (&Value::from("vendor-benchmark"), &Value::from("2020"),)
    );
    let human = text(&run(&["size", path]).stdout);
    assert!(
        human.contains("look again") && human.contains("give `--disk`"),
        "{human}"
    );
    // Both kinds of RabbitMQ are sized.
    let rabbit = fs::read_to_string(path)
        .unwrap()
        .replace("broker: kafka", "broker: rabbitmq");
    fs::write(path, rabbit).unwrap();
    let (size, _) = sized(&[path, "--fsync", "1ms"]);
    let options: Vec<&Value> = size["brokers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| &b["option"])
        .collect();
    assert_eq!(options, ["rabbitmq-quorum", "rabbitmq-stream"]);
}

#[test]
fn what_cannot_be_read_is_exit_code_2() {
    let example = repository("examples/checkout");
    let example = example.to_str().unwrap();
    let cases: [&[&str]; 6] = [
        &["size"],
        &["size", "/nowhere/design.yaml"],
        &["size", example, "--utilisation", "100%"],
        &["size", example, "--network", "0"],
        &["size", example, "--failures", "100%"],
        &["size", example, "--recording", "/nowhere/recording.jsonl"],
    ];
    for arguments in cases {
        let output = run(arguments);
        expect_exit(&output, 2);
        assert!(output.stdout.is_empty(), "{arguments:?} prints data");
    }
}

#[test]
fn the_proposals_for_drafts_of_real_traces_are_held() {
    let captures = [
        (
            "traces/online_boutique",
            "nezha_online_boutique_normal.otlp.json",
        ),
        ("traces/traceweaver", "hotel_load150.jaeger.json"),
    ];
    for (folder, file) in captures {
        let Some(folder) = shared(folder) else { return };
        let draft = tempfile::tempdir().unwrap();
        let draft = draft.path().join("draft");
        let capture = folder.join(file);
        let made = [
            "discover",
            capture.to_str().unwrap(),
            "--draft",
            draft.to_str().unwrap(),
        ];
        expect_exit(&run(&made), 0);
        let (size, code) = sized(&[draft.to_str().unwrap()]);
        assert!(code == Some(0) || code == Some(1), "{code:?}");
        assert!(held(&draft, &size) >= 1, "{size}");
    }
}
