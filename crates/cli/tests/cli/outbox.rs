//! `tidegate outbox`: from a service's database to a running daemon.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Daemon, eventually, expect_exit, run, tidegate};

const DESIGN: &str = "tidegate: 1
system: shop
events:
  OrderPlaced:
    key: /order
    schema: order.json
    retention: 7d
services:
  orders: {publishes: [OrderPlaced]}
  billing: {consumes: {OrderPlaced: {}}}
";

/// A SQLite database with the tables of the command.
struct Service {
    folder: tempfile::TempDir,
}

impl Service {
    fn new() -> Option<Self> {
        let service = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let script = run(&["outbox", "sql", "--database", "sqlite"]);
        expect_exit(&script, 0);
        service.sql(std::str::from_utf8(&script.stdout).unwrap())?;
        std::fs::write(service.path("url"), service.url()).unwrap();
        Some(service)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn url(&self) -> String {
        format!("sqlite://{}\n", self.path("service.db"))
    }

    /// Runs SQL as another program does. `None`, with a word about it, where there is no such program.
    fn sql(&self, sql: &str) -> Option<String> {
        let mut command = Command::new("sqlite3");
        command.arg("-bail").arg(self.path("service.db"));
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut child) = pipes.stderr(Stdio::piped()).spawn() else {
            // Where everything is meant to be tested, nothing may be left out unseen.
            assert!(
                std::env::var_os("CI").is_none(),
                "there is no sqlite3 in CI"
            );
            println!("skipped: there is no sqlite3");
            return None;
        };
        let script = format!(".timeout 10000\n{sql};\n");
        child
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Some(String::from_utf8(output.stdout).unwrap())
    }

    fn insert(&self, id: &str, data: &str, key: &str) {
        let _nothing = self.sql(&format!(
            "INSERT INTO tidegate_outbox (id, source, type, key, data)
             VALUES ('{id}', '/orders', 'OrderPlaced', '{key}', '{data}')"
        ));
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = tidegate(&["outbox"]);
        command
            .args(arguments)
            .env("TIDEGATE_DATABASE_URL", self.url());
        command.output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--format", "json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

struct Relay(Child);

impl Relay {
    fn start(service: &Service, daemon: &Daemon) -> Self {
        let file = service.path("url");
        let mut child = tidegate(&[
            "outbox",
            "relay",
            "--url",
            &daemon.url,
            "--database-url-file",
            &file,
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "relay: publishing\n");
        std::thread::spawn(move || lines.lines().map_while(Result::ok).count());
        Self(child)
    }

    fn end(mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn rows_of_a_service_reach_the_daemon_and_refused_ones_are_decided_on() {
    let Some(service) = Service::new() else {
        return;
    };
    let design = service.path("shop.yaml");
    std::fs::write(&design, DESIGN).unwrap();
    let schema =
        r#"{"type":"object","required":["order"],"properties":{"order":{"type":"string"}}}"#;
    std::fs::write(service.path("order.json"), schema).unwrap();
    let data = service.path("data");
    let daemon = Daemon::start(&["run", &design, "--data", &data]);
    for (id, data, key) in [
        ("a1", r#"{"order":"a"}"#, "a"),
        ("a2", r#"{"order":7}"#, "a"),
        ("a3", r#"{"order":"a"}"#, "a"),
        ("b1", r#"{"order":"b"}"#, "b"),
        ("c1", "no JSON", "c"),
    ] {
        service.insert(id, data, key);
    }
    let relay = Relay::start(&service, &daemon);
    let status = eventually("all is decided", || {
        let status = service.json(&["status"]);
        (status["sent"] == 2 && status["refused"] == 2).then_some(status)
    });
    assert_eq!(
        (&status["held"], &status["relay"]),
        (&1.into(), &true.into())
    );
    expect_exit(&service.run(&["status"]), 1);
    let refused = service.json(&["list", "--state", "refused"]);
    let reason = |at: usize| refused["rows"][at]["reason"].as_str().unwrap().to_owned();
    assert!(
        reason(0).starts_with("schema: ") && reason(1).starts_with("not-json: "),
        "{refused}"
    );

    service.sql("UPDATE tidegate_outbox SET data = '{\"order\":\"a\"}' WHERE id = 'a2'");
    let retried = service.json(&["retry", "2", "1"]);
    assert_eq!(
        retried,
        serde_json::json!({"retried": [2], "unchanged": [1]})
    );
    expect_exit(&service.run(&["skip", "5", "1", "--reason", "a test"]), 5);
    eventually("all is sent", || {
        (service.json(&["status"])["sent"] == 4).then_some(())
    });
    expect_exit(&service.run(&["status"]), 0);
    expect_exit(&service.run(&["list", "--state", "held"]), 1);
    every_refused_row_is_retried(&service);

    // In the order of the key, and each once.
    let order =
        |id: &str| daemon.get(&format!("/v1/why?event={id}"))["deliveries"][0]["sequence"].as_u64();
    let sequences: Vec<_> = ["a1", "a2", "a3"].map(order).to_vec();
    assert!(
        sequences.is_sorted() && sequences[0].is_some(),
        "{sequences:?}"
    );
    relay.end();
    assert_eq!(service.json(&["status"])["relay"], false);
}

/// All at once, once what was wrong with them is mended; and none where none is refused.
fn every_refused_row_is_retried(service: &Service) {
    expect_exit(&service.run(&["retry", "--all"]), 1);
    expect_exit(&service.run(&["retry", "--all", "1"]), 2);
    expect_exit(&service.run(&["retry"]), 2);
    for id in ["d1", "d2", "d3"] {
        service.insert(id, r#"{"order":7}"#, id);
    }
    eventually("they are refused", || {
        (service.json(&["status"])["refused"] == 3).then_some(())
    });
    let mend = "UPDATE tidegate_outbox SET data = '{\"order\":\"d\"}' WHERE state = 'refused'";
    service.sql(mend);
    let retried = service.json(&["retry", "--all"]);
    assert_eq!(retried["retried"].as_array().unwrap().len(), 3, "{retried}");
    eventually("all is sent", || {
        (service.json(&["status"])["sent"] == 7).then_some(())
    });
}

#[test]
fn a_database_that_cannot_be_used_is_told_by_the_exit_code() {
    let with = |url: &str| {
        let mut command = tidegate(&["outbox", "status"]);
        command.env("TIDEGATE_DATABASE_URL", url).output().unwrap()
    };
    for (url, code) in [
        ("mysql://root:secret@localhost/x", 2),
        ("postgres://me:secret@127.0.0.1:1/x", 3),
        ("postgres://me:secret@127.0.0.1:port/x", 2),
        ("sqlite:///nowhere/at.all", 2),
    ] {
        let output = with(url);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{url}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
    let mut command = tidegate(&["outbox", "list"]);
    let output = command
        .env_remove("TIDEGATE_DATABASE_URL")
        .output()
        .unwrap();
    expect_exit(&output, 2);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--database-url-file"));
}
