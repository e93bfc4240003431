//! Rules for single classes of failures, over HTTP: a daemon whose consumer answers with statuses, killed in between.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{Daemon, eventually, expect_exit, run};

const DESIGN: &str = r"tidegate: 1
system: ruled
events:
  OrderPlaced:
    summary: An order.
    owner: team
    key: /orderId
    schema: {type: object, required: [orderId], properties: {orderId: {type: string}}}
services:
  orders: {owner: team, publishes: [OrderPlaced]}
  billing:
    owner: team
    consumes:
      OrderPlaced:
        deliver: {to: 'http://127.0.0.1:PORT/events', timeout: 2s}
        retry:
          backoff: constant
          initial: 50ms
          jitter: none
          classes:
            permanent: {attempts: 4, initial: 1s}
            retryable: park
            overload: {attempts: 2}
        dead-letter: {owner: team, retention: 30d}
";

/// How often each order came, to a service that answers with the status that the order names until the third time.
#[derive(Clone, Default)]
struct Service {
    came: Arc<Mutex<HashMap<String, u32>>>,
}

impl Service {
    /// Returns the port at which it listens.
    fn start(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let service = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let service = service.clone();
                std::thread::spawn(move || while service.answer(&stream).is_some() {});
            }
        });
        port
    }

    /// Answers one request of a connection; `None` at its end.
    fn answer(&self, mut stream: &TcpStream) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "))?;
        let mut body = vec![0; length.parse().ok()?];
        stream.read_exact(&mut body).ok()?;
        let data: Value = serde_json::from_slice(&body).unwrap();
        let order = data["orderId"].as_str().unwrap().to_owned();
        let came = self.count(&order);
        let status = if came < 3 { order.as_str() } else { "204" };
        let more = if status == "429" {
            "retry-after: 0\r\n"
        } else {
            ""
        };
        let answer = format!("HTTP/1.1 {status} As Asked\r\n{more}content-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).ok()
    }

    fn count(&self, order: &str) -> u32 {
        let mut came = self.came.lock().unwrap();
        let count = came.entry(order.to_owned()).or_default();
        *count += 1;
        *count
    }

    fn came(&self, order: &str) -> u32 {
        self.came.lock().unwrap().get(order).copied().unwrap_or(0)
    }
}

/// What `tidegate why` tells of an event.
fn why(daemon: &Daemon, event: &str, format: &str) -> String {
    let output = run(&["why", event, "--format", format, "--url", &daemon.url]);
    expect_exit(&output, 0);
    String::from_utf8(output.stdout).unwrap()
}

/// The attempts of an event, each as its outcome with its rule.
fn outcomes(daemon: &Daemon, event: &str) -> Vec<String> {
    let told: Value = serde_json::from_str(&why(daemon, event, "json")).unwrap();
    let attempts = told["deliveries"][0]["attempts"].as_array().unwrap();
    let each = attempts.iter().map(|attempt| {
        let outcome = attempt["outcome"].as_str().unwrap();
        match attempt["rule"].as_str() {
            Some(rule) => format!("{outcome}: {rule}"),
            None => outcome.to_owned(),
        }
    });
    each.collect()
}

#[test]
fn each_status_goes_the_way_of_its_class_and_a_kill_forgets_no_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::default();
    let design = DESIGN.replace("PORT", &service.start().to_string());
    let path = folder.path().join("design.yaml");
    std::fs::write(&path, &design).unwrap();
    let data = folder.path().join("data");
    let (path, data) = (path.to_str().unwrap(), data.to_str().unwrap());
    let arguments = ["run", path, "--data", data];

    let daemon = Daemon::start(&arguments);
    for order in ["422", "500", "429"] {
        let (status, _) = daemon.publish(order, "OrderPlaced", json!({ "orderId": order }));
        assert_eq!(status, 202);
    }
    eventually("the first failure is kept", || {
        (service.came("422") == 1 && outcomes(&daemon, "422").len() == 1).then_some(())
    });
    daemon.kill();

    let daemon = Daemon::start(&arguments);
    daemon.until("all is over", |view| view["consumers"][0]["backlog"] == 0);
    let letters = daemon.get("/v1/dead-letters");
    let mut reasons: Vec<_> = letters["letters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|letter| (letter["event_id"].as_str(), letter["reason"].as_str()))
        .collect();
    reasons.sort_unstable();
    let expected = [("429", "exhausted"), ("500", "rule")];
    assert_eq!(
        reasons,
        expected.map(|(id, reason)| (Some(id), Some(reason)))
    );
    assert_eq!(
        outcomes(&daemon, "422"),
        ["permanent: 1 of 4", "permanent: 2 of 4", "done"]
    );
    let shown = why(&daemon, "422", "human");
    assert!(shown.contains("  permanent: 2 of 4  "), "{shown}");
    assert_eq!(outcomes(&daemon, "500"), ["retryable: park"]);
    assert_eq!(
        outcomes(&daemon, "429"),
        ["overload: 1 of 2", "overload: 2 of 2"]
    );
    let came = ["422", "500", "429"].map(|order| service.came(order));
    assert_eq!(came, [3, 1, 2]);
    let output = run(&[
        "dlq",
        "list",
        "--death",
        "rule",
        "--format",
        "json",
        "--url",
        &daemon.url,
    ]);
    expect_exit(&output, 0);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed["letters"][0]["event_id"], "500");
    assert_eq!(listed["letters"].as_array().unwrap().len(), 1);
}

#[test]
fn a_rule_that_would_park_faults_of_an_endpoint_stops_the_daemon_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("design.yaml");
    let design = DESIGN
        .replace("PORT", "9001")
        .replace("retryable: park", "endpoint-fault: park");
    std::fs::write(&path, design).unwrap();
    let data = folder.path().join("data");
    let output = run(&[
        "run",
        path.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ]);
    expect_exit(&output, 2);
    let said = String::from_utf8(output.stderr).unwrap();
    let said = said + &String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("E0323") && said.contains("22:13"), "{said}");
}
