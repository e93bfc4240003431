//! The built daemon, killed and interrupted: nothing that it acknowledged is ever lost.

use std::collections::HashSet;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::{self, Daemon, eventually, shared};
use serde_json::{Value, json};

/// A design with one pushed consumer, at `port`, and one that pulls.
fn design(folder: &Path, port: u16) -> String {
    let text = format!(
        r"tidegate: 1
system: survival
events:
  OrderPlaced:
    summary: An order.
    owner: team
    key: /orderId
    schema:
      type: object
      required: [orderId, total]
      properties: {{orderId: {{type: string}}, total: {{type: number, minimum: 0}}}}
services:
  orders: {{owner: team, publishes: [OrderPlaced]}}
  billing:
    owner: team
    consumes:
      OrderPlaced:
        deliver: {{to: 'http://127.0.0.1:{port}/events', concurrency: 8, timeout: 2s}}
        retry: {{initial: 10ms, max: 50ms, attempts: 3}}
        dead-letter: {{retention: 30d}}
  audit:
    owner: team
    consumes:
      OrderPlaced:
        deliver: {{concurrency: 1000, timeout: 10s}}
        dead-letter: {{retention: 30d}}
"
    );
    let path = folder.join("design.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A consumer's service: answers 422 for poison while it has its bug, and notes what it handled.
struct Handler {
    address: SocketAddr,
    handled: Arc<Mutex<Vec<String>>>,
    fixed: Arc<AtomicBool>,
}

impl Handler {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let handled = Arc::new(Mutex::new(Vec::new()));
        let fixed = Arc::new(AtomicBool::new(false));
        let (notes, bug) = (Arc::clone(&handled), Arc::clone(&fixed));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (notes, bug) = (Arc::clone(&notes), Arc::clone(&bug));
                std::thread::spawn(move || while answer(&stream, &notes, &bug).is_some() {});
            }
        });
        Self {
            address,
            handled,
            fixed,
        }
    }

    fn handled(&self) -> Vec<String> {
        self.handled.lock().unwrap().clone()
    }
}

/// Answers one request of a connection; `None` at its end.
fn answer(
    mut stream: &std::net::TcpStream,
    notes: &Mutex<Vec<String>>,
    fixed: &AtomicBool,
) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let header = |name: &str| {
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.map(str::to_owned).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    let data: Value = serde_json::from_slice(&body).unwrap();
    let poison = data["orderId"] == "poison" && !fixed.load(Ordering::Relaxed);
    let status = if poison {
        "422 Unprocessable Content"
    } else {
        "204 No Content"
    };
    if !poison {
        notes.lock().unwrap().push(header("ce-id"));
    }
    let response = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
    std::io::Write::write_all(&mut stream, response.as_bytes()).ok()
}

fn order(id: &str) -> Value {
    json!({ "orderId": id, "total": 12.5 })
}

/// Publishes from several threads until the daemon is gone; returns what was acknowledged.
fn publish_until_gone(daemon: &Daemon, round: u32, enough: u64) -> HashSet<String> {
    let acknowledged = Mutex::new(HashSet::new());
    let count = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for producer in 0..4 {
            let (url, acknowledged, count) = (daemon.url.clone(), &acknowledged, &count);
            scope.spawn(move || {
                let agent = support::agent();
                for number in 0.. {
                    let id = format!("{round}-{producer}-{number}");
                    let event = json!({
                        "specversion": "1.0", "id": id, "source": "/test", "type": "OrderPlaced",
                        "data": order(&format!("k{}", number % 7)),
                    });
                    let sent = agent
                        .post(format!("{url}/v1/events"))
                        .header("content-type", "application/cloudevents+json")
                        .send(event.to_string());
                    match sent {
                        Ok(response) if response.status() == 202 => {
                            acknowledged.lock().unwrap().insert(id);
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(response) => panic!("status {}", response.status()),
                        Err(_) => return,
                    }
                }
            });
        }
        eventually("enough is acknowledged", || {
            (count.load(Ordering::Relaxed) >= enough).then_some(())
        });
        daemon.kill_now();
    });
    acknowledged.into_inner().unwrap()
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9_during_load() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start();
    let design = design(folder.path(), handler.address.port());
    let data = folder.path().join("data");
    let arguments = ["run", &design, "--data", data.to_str().unwrap()];
    let mut acknowledged = HashSet::new();
    for round in 0..5 {
        let daemon = Daemon::start(&arguments);
        acknowledged.extend(publish_until_gone(
            &daemon,
            round,
            150 + u64::from(round) * 37,
        ));
    }
    let daemon = Daemon::start(&arguments);
    let stored = daemon.get("/v1/state")["events"][0]["accepted_total"]
        .as_u64()
        .unwrap();
    assert!(
        stored >= acknowledged.len() as u64,
        "{stored} of {} stored",
        acknowledged.len()
    );
    eventually("every acknowledged event is handled", || {
        let handled: HashSet<String> = handler.handled().into_iter().collect();
        acknowledged.is_subset(&handled).then_some(())
    });
    daemon.until("the pushed backlog is gone", |state| {
        let billing = state["consumers"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["service"] == "billing");
        billing.unwrap()["backlog"] == 0
    });
    assert!(daemon.interrupt().success());
}

#[test]
fn an_event_that_breaks_its_schema_is_refused_and_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start();
    let design = design(folder.path(), handler.address.port());
    let data = folder.path().join("data");
    let daemon = Daemon::start(&["run", &design, "--data", data.to_str().unwrap()]);
    let (status, body) = daemon.publish("1", "OrderPlaced", json!({"orderId": "a", "total": -1}));
    assert_eq!(status, 422, "{body}");
    assert_eq!(body["error"]["violations"][0]["path"], "/total");
    let (status, body) = daemon.publish("1", "OrderPlacd", order("a"));
    assert_eq!(
        (status, body["error"]["code"].as_str()),
        (422, Some("unknown-type"))
    );
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("OrderPlaced"),
        "{body}"
    );
    // One bad event of a batch refuses the batch.
    let event = |id: &str, data| json!({"specversion": "1.0", "id": id, "source": "/t", "type": "OrderPlaced", "data": data});
    let batch = json!([event("2", order("a")), event("3", json!({}))]).to_string();
    let (status, body) = daemon.post("/v1/events", "application/cloudevents-batch+json", &batch);
    assert_eq!((status, body["error"]["index"].as_u64()), (422, Some(1)));
    let (status, _) = daemon.post("/v1/events", "application/json", "{}");
    assert_eq!(status, 400);
    let (status, _) = daemon.post("/v1/events", "application/cloudevents+json", "{");
    assert_eq!(status, 400);
    assert_eq!(daemon.get("/v1/state")["events"][0]["accepted_total"], 0);
    // The same id again is accepted once.
    assert_eq!(
        daemon.publish("4", "OrderPlaced", order("a")).1["accepted"][0]["duplicate"],
        false
    );
    assert_eq!(
        daemon.publish("4", "OrderPlaced", order("a")).1["accepted"][0]["duplicate"],
        true
    );
    eventually("it is handled", || {
        (handler.handled() == ["4"]).then_some(())
    });
    eventually("the metrics count it", || {
        let metrics = daemon.text("/metrics");
        metrics
            .contains("tidegate_events_accepted_total{event=\"OrderPlaced\"} 1")
            .then_some(())
    });
    assert_eq!(daemon.text("/healthz"), "ok\n");
    assert!(daemon.text("/").contains("<html"), "the console is served");
}

#[test]
fn a_poison_event_is_a_dead_letter_until_it_is_redriven() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start();
    let design = design(folder.path(), handler.address.port());
    let data = folder.path().join("data");
    let arguments = ["run", &design, "--data", data.to_str().unwrap()];
    let daemon = Daemon::start(&arguments);
    assert_eq!(daemon.publish("p", "OrderPlaced", order("poison")).0, 202);
    assert_eq!(
        daemon.publish("after", "OrderPlaced", order("poison")).0,
        202
    );
    assert_eq!(daemon.publish("other", "OrderPlaced", order("fine")).0, 202);
    let list = eventually("a dead letter", || {
        Some(daemon.get("/v1/dead-letters")).filter(|list| list["total"] == 1)
    });
    let letter = &list["letters"][0];
    assert_eq!(letter["reason"], "permanent");
    let id = letter["id"].as_str().unwrap().to_owned();
    let detail = daemon.get(&format!("/v1/dead-letters/{id}"));
    assert_eq!(detail["event"]["data"]["orderId"], "poison");
    assert_eq!(detail["history"][0]["outcome"], "permanent");
    // Its key waits behind it, other keys do not.
    eventually("the other key is handled", || {
        (handler.handled() == ["other"]).then_some(())
    });
    // It survives a kill, and the fix lets it through in order.
    daemon.kill();
    let daemon = Daemon::start(&arguments);
    assert_eq!(daemon.get("/v1/dead-letters")["total"], 1);
    handler.fixed.store(true, Ordering::Relaxed);
    let (status, report) = daemon.post(
        "/v1/dead-letters/redrive",
        "application/json",
        &json!({"ids": [id]}).to_string(),
    );
    assert_eq!(
        (status, report["redriven"].as_u64()),
        (200, Some(1)),
        "{report}"
    );
    // The kill may come before it is recorded that the other one is done: then it is handled again.
    eventually("both are handled in order", || {
        let mut handled = handler.handled();
        let mut known = HashSet::new();
        handled.retain(|id| known.insert(id.clone()));
        (handled == ["other", "p", "after"]).then_some(())
    });
    assert_eq!(daemon.get("/v1/dead-letters")["total"], 0);
}

#[test]
fn a_consumer_may_pull() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::start();
    let design = design(folder.path(), handler.address.port());
    let data = folder.path().join("data");
    let daemon = Daemon::start(&["run", &design, "--data", data.to_str().unwrap()]);
    for id in ["1", "2"] {
        assert_eq!(daemon.publish(id, "OrderPlaced", order(id)).0, 202);
    }
    let pull = "/v1/consumers/audit/OrderPlaced/pull";
    // Without `wait`, it gets what is there.
    let (status, first) = daemon.post(pull, "application/json", r#"{"max": 1}"#);
    assert_eq!(status, 200, "{first}");
    let mut leases: Vec<String> = Vec::new();
    let collect = |body: &Value| -> Vec<String> {
        body["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["lease"].as_str().unwrap().to_owned())
            .collect()
    };
    leases.extend(collect(&first));
    assert_eq!(leases.len(), 1, "{first}");
    while leases.len() < 2 {
        let (_, more) = daemon.post(pull, "application/json", r#"{"max": 10, "wait": "5s"}"#);
        leases.extend(collect(&more));
    }
    for lease in &leases {
        let (status, body) = daemon.post(
            &format!("/v1/leases/{lease}"),
            "application/json",
            r#"{"outcome": "done"}"#,
        );
        assert_eq!(status, 204, "{body}");
    }
    let (status, _) = daemon.post(
        &format!("/v1/leases/{}", leases[0]),
        "application/json",
        r#"{"outcome": "done"}"#,
    );
    assert_eq!(status, 409, "a lease is settled once");
    let (status, _) = daemon.post(
        "/v1/consumers/billing/OrderPlaced/pull",
        "application/json",
        "{}",
    );
    assert_eq!(status, 409, "a pushed consumer cannot be pulled from");
    let (status, _) = daemon.post(
        "/v1/consumers/nobody/OrderPlaced/pull",
        "application/json",
        "{}",
    );
    assert_eq!(status, 404);
    daemon.until("nothing is left", |_| {
        daemon.consumer("audit/OrderPlaced")["backlog"] == 0
    });
}

#[test]
fn a_second_daemon_on_the_same_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let design = design(folder.path(), 9);
    let data = folder.path().join("data");
    let arguments = ["run", &design, "--data", data.to_str().unwrap()];
    let _first = Daemon::start(&arguments);
    let second = support::tidegate(&arguments)
        .args(["--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    support::expect_exit(&second, 4);
}

#[test]
fn a_draft_runs_with_its_recorded_traffic() {
    let Some(traces) = shared("traces/traceweaver/hotel_load150.jaeger.json") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let draft = folder.path().join("hotel");
    let draft = draft.to_str().unwrap();
    support::expect_exit(
        &support::run(&["discover", traces.to_str().unwrap(), "--draft", draft]),
        0,
    );
    let data = folder.path().join("data");
    let daemon = Daemon::start(&[
        "run",
        draft,
        "--traffic",
        "recorded",
        "--data",
        data.to_str().unwrap(),
    ]);
    let state = daemon.until("recorded events are handled", |state| {
        let consumers = state["consumers"].as_array().unwrap();
        !consumers.is_empty()
            && consumers
                .iter()
                .any(|c| c["succeeded_total"].as_u64() > Some(20))
    });
    let services: Vec<&str> = state["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    for service in ["frontend", "search"] {
        assert!(services.contains(&service), "{services:?}");
    }
    assert!(daemon.interrupt().success());
}

#[test]
fn the_demo_flows_and_drains() {
    let daemon = Daemon::start(&["demo"]);
    daemon.until("every consumer handles events", |state| {
        let consumers = state["consumers"].as_array().unwrap();
        consumers
            .iter()
            .all(|consumer| consumer["succeeded_total"].as_u64() > Some(5))
    });
    // The poison event of the story.
    eventually("a dead letter", || {
        (daemon.get("/v1/dead-letters")["total"] == 1).then_some(())
    });
    // The dependency that fails.
    daemon.until("the breaker is open", |state| {
        state["dependencies"][0]["state"] == "open"
    });
    let billing = daemon.consumer("billing/OrderPlaced");
    assert_eq!(
        billing["dead_letters"], 1,
        "an open breaker makes no dead letters"
    );
    assert!(daemon.interrupt().success(), "the demo drains and exits 0");
}
