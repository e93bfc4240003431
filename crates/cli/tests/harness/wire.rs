//! The wire format of schema registries on Kafka: what Python's serialisers write is delivered as the design has it, and
//! what is published here is read by its deserialisers. The registry is another daemon, which is killed too.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tidegate_servers::{Kind, own};

use crate::support::{Daemon, eventually};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const REGISTRY: &str = "tidegate: 1\nsystem: registry\nevents: {}\nservices: {}\n";
const DESIGN: &str = r"tidegate: 1
system: shop
events:
  OrderPlaced: {schema: order.avsc, key: /id}
  InvoiceSent: {schema: 'invoice.proto#shop.Invoice', key: /orderId}
  NoteWritten: {schema: note.json}
services:
  shop: {publishes: [OrderPlaced, InvoiceSent, NoteWritten]}
  reader:
    consumes:
      OrderPlaced: {dead-letter: {retention: 30d, owner: team}}
      InvoiceSent: {}
      NoteWritten: {}
";
const FILES: [(&str, &str); 5] = [
    ("registry.yaml", REGISTRY),
    ("design.yaml", DESIGN),
    (
        "order.avsc",
        r#"{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"id","type":"string"}]}"#,
    ),
    (
        "invoice.proto",
        "syntax = \"proto3\";\npackage shop;\nmessage Unused {}\nmessage Invoice {\n  string order_id = 1;\n  int64 cents = 2;\n}\n",
    ),
    (
        "note.json",
        r#"{"$schema":"http://json-schema.org/draft-07/schema#","title":"Note","type":"object","required":["text"],"properties":{"text":{"type":"string"}}}"#,
    ),
];

fn python(test: &str) -> Option<PathBuf> {
    let folder = std::env::vars().find(|(name, _)| name == "TIDEGATE_REGISTRY_CLIENTS");
    let python = folder.map(|(_, folder)| Path::new(&folder).join("venv/bin/python"));
    let python = python.filter(|python| python.exists());
    if python.is_none() {
        println!(
            "skipped: {test}: TIDEGATE_REGISTRY_CLIENTS names no environment with confluent-kafka"
        );
    }
    python
}

/// What Python's client says.
struct Client {
    python: PathBuf,
    servers: String,
    registry: String,
}

impl Client {
    fn says(&self, what: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/harness/wire.py");
        let (what, more) = what.split_first().unwrap();
        let mut command = Command::new(&self.python);
        command
            .arg(script)
            .args([what, &*self.servers, &*self.registry, TOKEN]);
        let output = command.args(more).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// The data of the next event of a consumer, which is done then.
fn next(daemon: &Daemon, event: &str) -> Value {
    let pull = format!("/v1/consumers/reader/{event}/pull");
    let pulled = eventually("an event comes", || {
        let (status, pulled) = daemon.post(&pull, "application/json", r#"{"wait": "5s"}"#);
        assert_eq!(status, 200, "{pulled}");
        pulled["deliveries"].get(0).cloned()
    });
    let lease = format!("/v1/leases/{}", pulled["lease"].as_str().unwrap());
    let (status, said) = daemon.post(&lease, "application/json", r#"{"outcome": "done"}"#);
    assert_eq!(status, 204, "{said}");
    let event = &pulled["event"];
    assert_eq!(event["datacontenttype"], "application/json", "{event}");
    event["data"].clone()
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in FILES {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        std::fs::write(folder.path().join("credentials"), format!("me:{TOKEN}\n")).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn registry(&self, address: &str) -> Daemon {
        let (design, data) = (self.path("registry.yaml"), self.path("data"));
        let token = self.path("token");
        Daemon::start_on(
            address,
            &["run", &design, "--data", &data, "--token-file", &token],
        )
    }
}

#[test]
fn the_wire_format_of_registries_goes_there_and_back() {
    let test = "the_wire_format_of_registries_goes_there_and_back";
    let Some(python) = python(test) else { return };
    let Some(own) = own(Kind::Kafka, test).unwrap() else {
        return;
    };
    let files = Files::new();
    let registry = files.registry("127.0.0.1:0");
    let address = registry.url.replace("http://", "");
    let url = format!("{}/registry", registry.url);
    let client = Client {
        python,
        servers: own.server.url.replace("kafka://", ""),
        registry: url.clone(),
    };
    let (design, credentials) = (files.path("design.yaml"), files.path("credentials"));
    let mut arguments = vec!["run", &design, "--broker", &own.server.url];
    arguments.extend([
        "--registry-url",
        &url,
        "--registry-credentials-file",
        &credentials,
    ]);
    arguments.extend(["--wire-format", "register"]);
    let daemon = Daemon::start(&arguments);

    // What others write, of which one cannot be read.
    let later = client.says(&["write"]);
    assert_eq!(next(&daemon, "OrderPlaced"), json!({"id": "prefix"}));
    assert_eq!(next(&daemon, "OrderPlaced"), json!({"id": "header"}));
    let invoice = json!({"orderId": "a", "cents": "250"});
    assert_eq!(next(&daemon, "InvoiceSent"), invoice);
    assert_eq!(next(&daemon, "NoteWritten"), json!({"text": "hi"}));
    let letters = daemon.get("/v1/dead-letters?consumer=reader/OrderPlaced");
    assert_eq!(letters["total"], 1, "{letters}");
    let said = letters["letters"][0]["error"].as_str().unwrap();
    assert!(said.contains("`999999`"), "{said}");

    // What others read.
    let events = [
        ("OrderPlaced", json!({"id": "ours"})),
        ("InvoiceSent", invoice),
        ("NoteWritten", json!({"text": "ours"})),
    ];
    for (event, data) in &events {
        let (status, said) = daemon.publish(event, event, data.clone());
        assert_eq!(status, 202, "{said}");
        assert_eq!(next(&daemon, event), *data);
    }
    let read: Value = serde_json::from_str(&client.says(&["read"])).unwrap();
    assert_eq!(
        read,
        Value::Object(
            events
                .map(|(event, data)| (event.to_owned(), data))
                .into_iter()
                .collect()
        )
    );

    // A registry that is away.
    registry.kill();
    client.says(&["send", &later]);
    daemon.until("it is said that the registry is away", |state| {
        let mut attention = state["attention"].as_array().unwrap().iter();
        attention.any(|one| one["kind"] == "registry")
    });
    let _registry = files.registry(&address);
    assert_eq!(next(&daemon, "OrderPlaced"), json!({"id": "later"}));
    assert!(daemon.interrupt().success(), "it drains and exits 0");
}
