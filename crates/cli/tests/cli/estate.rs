//! Brokers that run already, by the command line.

use std::process::Command;

use serde_json::Value;
use tidegate_servers::{Kind, Server, own};

use crate::support::{eventually, expect_exit, repository, run};

const DESIGN: &str = "
tidegate: 1
system: shop
events:
  OrderPlaced: {key: /orderId, retention: 7d}
services:
  orders: {publishes: [OrderPlaced]}
  billing:
    consumes:
      OrderPlaced: {dead-letter: {owner: team}}
";

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A design in a folder of its own.
fn design() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("design.yaml");
    std::fs::write(&file, DESIGN).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

#[test]
fn files_of_every_broker_are_written() {
    let checkout = repository("examples/checkout");
    let checkout = checkout.to_str().unwrap();
    let script = run(&["generate", "kafka-topics", checkout, "--replication", "1"]);
    expect_exit(&script, 0);
    let mut sh = Command::new("sh");
    // Only read: what it runs is tried with Kafka's own tools elsewhere.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("topics.sh");
    std::fs::write(&file, &script.stdout).unwrap();
    assert!(sh.arg("-n").arg(&file).status().unwrap().success());
    let strimzi = text(&run(&["generate", "strimzi", checkout, "--cluster", "prod"]).stdout);
    assert_eq!(strimzi.matches("kind: KafkaTopic").count(), 8);
    assert_eq!(strimzi.matches("kind: KafkaUser").count(), 6);
    assert!(strimzi.contains("strimzi.io/cluster: prod"));
    let definitions = json(&run(&[
        "generate",
        "rabbitmq-definitions",
        checkout,
        "--vhost",
        "v",
    ]));
    assert_eq!(definitions["vhosts"][0]["name"], "v");
    assert_eq!(definitions["queues"].as_array().unwrap().len(), 8);
    let nats = json(&run(&["generate", "nats", checkout]));
    assert_eq!(nats["streams"][0]["name"], "checkout");
    assert_eq!(nats["consumers"].as_array().unwrap().len(), 4);
    let out = folder.path().join("nats");
    expect_exit(
        &run(&["generate", "nats", checkout, "--out", out.to_str().unwrap()]),
        0,
    );
    assert!(out.join("checkout.stream.json").is_file());
}

#[test]
fn brokers_are_compared_by_what_a_design_asks_for() {
    let (_folder, design) = design();
    let compared = json(&run(&["broker", "compare", &design, "--format", "json"]));
    assert_eq!(compared["schema"], "tidegate/broker-compare/v1");
    let asked = |id: &str| {
        let promises = compared["promises"].as_array().unwrap();
        promises.iter().any(|promise| promise["id"] == id)
    };
    assert!(asked("dead-letters") && asked("order-of-key"));
    assert!(!asked("kafka-transaction") && !asked("compaction") && !asked("rate"));
    for format in ["human", "markdown"] {
        let told = run(&["broker", "compare", &design, "--format", format]);
        expect_exit(&told, 0);
        assert!(text(&told.stdout).contains("sync_interval"), "{format}");
    }
}

#[test]
fn what_is_no_broker_is_said() {
    let (_folder, design) = design();
    for (url, code) in [
        ("http://127.0.0.1:1", 2),
        ("amqp://me:secret@127.0.0.1/x", 2),
        ("amqp://127.0.0.1/x?management=127.0.0.1:1", 3),
        ("nats://127.0.0.1:1", 3),
    ] {
        let output = run(&["drift", &design, "--broker", url]);
        expect_exit(&output, code);
        assert!(output.stdout.is_empty(), "{url}");
    }
    expect_exit(&run(&["import"]), 2);
    expect_exit(&run(&["import", "--from", "kafka://"]), 2);
}

/// The life of a design on a broker, in the words of the command line.
#[expect(clippy::too_many_lines, reason = "one life, from its beginning on")]
fn lives(url: &str, change: &dyn Fn()) {
    let (folder, design) = design();
    let drift = || run(&["drift", &design, "--broker", url, "--format", "json"]);
    expect_exit(&drift(), 1);
    let planned = run(&["apply", &design, "--broker", url]);
    expect_exit(&planned, 0);
    assert!(
        text(&planned.stdout).contains("+ make"),
        "{}",
        text(&planned.stdout)
    );
    expect_exit(&drift(), 1);
    expect_exit(&run(&["apply", &design, "--broker", url, "--apply"]), 0);
    let none = drift();
    assert_eq!(none.status.code(), Some(0), "{}", text(&none.stdout));
    let again = run(&[
        "apply", &design, "--broker", url, "--apply", "--format", "json",
    ]);
    expect_exit(&again, 0);
    assert_eq!(json(&again)["applied"], Value::Array(Vec::new()));
    change();
    let drifted = eventually("the change is seen", || {
        let output = drift();
        (output.status.code() == Some(1)).then(|| json(&output))
    });
    let changes = drifted["changes"].as_array().unwrap();
    let name = changes[0]["confirm"]
        .as_str()
        .unwrap_or_else(|| panic!("{drifted:#}"));
    let refused = run(&["apply", &design, "--broker", url, "--apply"]);
    expect_exit(&refused, 5);
    assert!(text(&refused.stderr).contains(&format!("--confirm {name}")));
    expect_exit(
        &run(&[
            "apply",
            &design,
            "--broker",
            url,
            "--apply",
            "--confirm",
            "another",
        ]),
        2,
    );
    expect_exit(&drift(), 1);
    expect_exit(
        &run(&[
            "apply",
            &design,
            "--broker",
            url,
            "--apply",
            "--confirm",
            name,
        ]),
        0,
    );
    // RabbitMQ's management interface tells what is new of a queue some moments later.
    eventually("nothing differs any more", || {
        let output = drift();
        let is_same = output.status.code() == Some(0);
        assert!(is_same || output.status.code() == Some(1));
        is_same.then_some(())
    });

    // One server has one copy of everything: a warning.
    eventually("nothing else is wrong", || {
        let output = run(&["doctor", &design, "--broker", url]);
        (output.status.code() == Some(0)).then_some(())
    });
    let strict = [
        "doctor",
        &design,
        "--broker",
        url,
        "--fail-on",
        "warning",
        "--format",
        "json",
    ];
    let strict = run(&strict);
    expect_exit(&strict, 1);
    let found = json(&strict);
    assert_eq!(found["promises"][0]["consumer"], "billing/OrderPlaced");
    let codes = found["findings"].as_array().unwrap().iter();
    assert!(
        codes
            .map(|finding| &finding["code"])
            .any(|code| code == "E1102"),
        "{found:#}"
    );

    let lag = run(&["lag", "--broker", url, "--format", "json"]);
    expect_exit(&lag, 0);
    assert_eq!(json(&lag)["schema"], "tidegate/lag/v1");
    expect_exit(&run(&["lag", "nobody", "--broker", url]), 1);

    let out = folder.path().join("imported");
    let out = out.to_str().unwrap();
    let imported = run(&["import", "--from", url, "--system", "found", "--out", out]);
    expect_exit(&imported, 0);
    assert!(
        text(&imported.stderr).contains("schemas"),
        "{}",
        text(&imported.stderr)
    );
    expect_exit(&run(&["check", out]), 0);
}

fn management(server: &Server) -> &str {
    let also = server.also.iter().find(|(name, _)| name == "management");
    also.unwrap().1.rsplit_once('@').unwrap().1
}

#[cfg(feature = "kafka")]
#[test]
fn a_design_is_brought_onto_kafka() {
    let Some(own) = own(Kind::Kafka, "a_design_is_brought_onto_kafka").unwrap() else {
        return;
    };
    let server = &own.server;
    lives(&server.url, &|| {
        let mut tool = server.kafka_tool("kafka.admin.ConfigCommand").unwrap();
        let bootstrap = server.url.strip_prefix("kafka://").unwrap();
        tool.args([
            "--bootstrap-server",
            bootstrap,
            "--alter",
            "--entity-type",
            "topics",
        ])
        .args([
            "--entity-name",
            "OrderPlaced",
            "--add-config",
            "retention.ms=-1",
        ]);
        assert!(tool.output().unwrap().status.success());
    });
}

#[test]
fn a_design_is_brought_onto_rabbitmq() {
    let Some(own) = own(Kind::RabbitMq, "a_design_is_brought_onto_rabbitmq").unwrap() else {
        return;
    };
    let server = &own.server;
    let url = format!("{}?management={}", server.url, management(server));
    lives(&url, &|| {
        let (host, port) = management(server).split_once(':').unwrap();
        for arguments in [
            &["delete", "queue", "name=billing.OrderPlaced"][..],
            &[
                "declare",
                "queue",
                "name=billing.OrderPlaced",
                "durable=true",
            ],
        ] {
            let mut tool = Command::new("rabbitmqadmin");
            tool.args(["-H", host, "-P", port]).args(arguments);
            assert!(tool.output().unwrap().status.success());
        }
    });
}
