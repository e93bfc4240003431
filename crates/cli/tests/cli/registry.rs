//! The schema registry of the built daemon: killed at any moment it has what it answered, and its own
//! import reads it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{self, Daemon, agent, expect_exit};

const MEDIA: &str = "application/vnd.schemaregistry.v1+json";

fn design(folder: &Path) -> String {
    let text = r"tidegate: 1
system: shop
events:
  OrderPlaced:
    summary: An order.
    owner: team
    compatibility: full
    schema:
      type: object
      required: [orderId]
      properties: {orderId: {type: string}, total: {type: number}}
services:
  orders: {owner: team, publishes: [OrderPlaced]}
  audit:
    owner: team
    consumes: {OrderPlaced: {dead-letter: {retention: 30d}}}
";
    let path = folder.join("design.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn start(folder: &Path) -> Daemon {
    let data = folder.join("data");
    Daemon::start(&["run", &design(folder), "--data", data.to_str().unwrap()])
}

fn schema(number: usize) -> Value {
    let record = json!({"type": "record", "name": format!("R{number}"), "fields": []});
    json!({"schema": record.to_string()})
}

/// What is answered to a schema; nothing when the daemon is gone.
fn send(url: &str, path: &str, body: &Value) -> Option<Value> {
    let request = agent().post(format!("{url}/registry{path}"));
    let sent = request.header("content-type", MEDIA).send(body.to_string());
    let mut response = sent.ok()?;
    let answer: Value = response.body_mut().read_json().ok()?;
    assert_eq!(response.status().as_u16(), 200, "{answer}");
    Some(answer)
}

/// Registers from several threads until the daemon is gone, which is so after `enough` answers.
fn until_killed(
    daemon: &Daemon,
    round: usize,
    enough: usize,
    answered: &Mutex<BTreeMap<usize, (Value, Value)>>,
) {
    let count = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (count, url) = (&count, &daemon.url);
            scope.spawn(move || {
                for step in 0.. {
                    let number = round * 10_000 + step * 4 + thread;
                    let path = format!("/subjects/s{}/versions", number % 7);
                    let Some(answer) = send(url, &path, &schema(number)) else {
                        break;
                    };
                    let place = (answer["id"].clone(), answer["version"].clone());
                    answered.lock().unwrap().insert(number, place);
                    if count.fetch_add(1, Ordering::Relaxed) + 1 == enough {
                        daemon.kill_now();
                    }
                }
            });
        }
    });
}

#[test]
fn what_the_registry_has_answered_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let answered = Mutex::new(BTreeMap::new());
    let mut daemon = start(folder.path());
    let none = json!({"compatibility": "NONE"});
    let (status, _, _) = daemon.put("/registry/config", None, &none);
    assert_eq!(status, 200);
    for (round, enough) in [1, 23, 60, 7].into_iter().enumerate() {
        until_killed(&daemon, round, enough, &answered);
        drop(daemon);
        daemon = start(folder.path());
        let known = answered.lock().unwrap().clone();
        assert!(known.len() >= enough, "{}", known.len());
        let mut ids: BTreeMap<u64, usize> = BTreeMap::new();
        for (number, (id, version)) in known {
            let path = format!("/subjects/s{}", number % 7);
            let found = send(&daemon.url, &path, &schema(number)).unwrap();
            assert_eq!(
                (&found["id"], &found["version"]),
                (&id, &version),
                "{number}"
            );
            let before = ids.insert(id.as_u64().unwrap(), number);
            assert_eq!(before, None, "two schemas with the number {id}");
        }
        assert_eq!(
            daemon.get("/registry/config"),
            json!({"compatibilityLevel": "NONE"})
        );
    }
    let subjects = daemon.get("/registry/subjects");
    assert!(
        subjects
            .as_array()
            .unwrap()
            .contains(&json!("OrderPlaced-value")),
        "{subjects}"
    );
}

#[test]
fn the_daemons_own_registry_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let payment = json!({"schema": json!({"type": "record", "name": "Payment", "fields": [
        {"name": "cents", "type": "long"}]}).to_string()});
    send(
        &daemon.url,
        "/subjects/PaymentTaken-value/versions",
        &payment,
    )
    .unwrap();
    let out = folder.path().join("imported");
    let registry = format!("{}/registry", daemon.url);
    let output = support::run(&[
        "import",
        "registry",
        &registry,
        "--out",
        out.to_str().unwrap(),
    ]);
    expect_exit(&output, 0);
    let files = support::files_below(&out);
    let text: String = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    for word in [
        "OrderPlaced",
        "compatibility: full",
        "orderId",
        "PaymentTaken",
        "cents",
    ] {
        assert!(text.contains(word), "{word} in {files:?}");
    }
    let design = files
        .iter()
        .find(|file| file.extension().is_some_and(|e| e == "yaml"));
    let checked = support::run(&[
        "check",
        design.unwrap().to_str().unwrap(),
        "--format",
        "json",
    ]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!text.contains("\"severity\":\"error\""), "{text}");
}
