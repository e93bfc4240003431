//! What runs already: a schema registry, and RabbitMQ.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tidegate_base::Name;
use tidegate_model::{Severity, Source};

use crate::design_of;

/// A registry that answers as the documented API does, until it is dropped.
struct Registry {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // The last question is what lets it see that.
        drop(std::net::TcpStream::connect(
            self.url.trim_start_matches("http://"),
        ));
    }
}

fn registry(secret: Option<&'static str>) -> Registry {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, ends) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(AtomicBool::new(false)),
    );
    let (log, over) = (asked.clone(), ends.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if over.load(Ordering::SeqCst) {
                return;
            }
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut part = [0; 1024];
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
                    _ => break,
                }
            }
            let text = String::from_utf8_lossy(&request).into_owned();
            let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
            log.lock().unwrap().push(path.clone());
            let allowed = secret.is_none_or(|secret| text.contains(secret));
            let (status, body) = match found(&path) {
                _ if !allowed => (401, json!({"error_code": 401, "message": "Unauthorized"})),
                Some(body) => (200, body),
                None => (
                    404,
                    json!({"error_code": 40401, "message": "Subject not found."}),
                ),
            };
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/vnd.schemaregistry.v1+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _sent = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    Registry { url, asked, ends }
}

/// What the registry of the tests holds.
fn found(path: &str) -> Option<Value> {
    let order = json!({"type": "object", "required": ["id"], "properties": {"id": {"$ref": "id.json"}, "line": {"$ref": "id.json#/definitions/line"}}});
    let id = json!({"type": "string", "definitions": {"line": {"type": "integer"}}});
    let avro =
        json!({"type": "record", "name": "Payment", "fields": [{"name": "id", "type": "string"}]});
    let version = |number: u64, kind: Option<&str>, schema: String, references: Value| {
        let mut answer = json!({"subject": "x", "version": number, "id": 1, "schema": schema});
        if let Some(kind) = kind {
            answer["schemaType"] = kind.into();
            answer["references"] = references;
        }
        answer
    };
    Some(match path {
        "/subjects" => json!([
            "payments-value",
            "orders-value",
            "orders-key",
            ":.eu:parcels",
            "odd/one"
        ]),
        "/config" => json!({"compatibilityLevel": "FULL"}),
        "/config/orders-value" => json!({"compatibilityLevel": "BACKWARD_TRANSITIVE"}),
        "/subjects/orders-value/versions" => json!([1, 2, 5]),
        "/subjects/orders-value/versions/latest" => version(
            5,
            Some("JSON"),
            order.to_string(),
            json!([{"name": "id.json", "subject": "id", "version": 1}]),
        ),
        "/subjects/id/versions/1" => version(1, Some("JSON"), id.to_string(), json!([])),
        "/subjects/payments-value/versions" => json!([1]),
        // A schema whose type is not said is Avro.
        "/subjects/payments-value/versions/latest" => version(1, None, avro.to_string(), json!([])),
        "/subjects/orders-key/versions" => json!([1]),
        "/subjects/orders-key/versions/latest" => {
            version(1, None, "\"string\"".to_owned(), json!([]))
        }
        "/subjects/%3A.eu%3Aparcels/versions" => json!([1]),
        "/subjects/%3A.eu%3Aparcels/versions/latest" => version(
            1,
            Some("PROTOBUF"),
            "syntax = \"proto3\";\nmessage Parcel {}\n".to_owned(),
            json!([]),
        ),
        "/subjects/odd%2Fone/versions" => json!([1]),
        "/subjects/odd%2Fone/versions/latest" => version(
            1,
            Some("AVRO"),
            "{\"type\": \"record\"}".to_owned(),
            json!([{"name": "a", "subject": "id", "version": 1}]),
        ),
        _ => return None,
    })
}

/// Runs the program; its exit code, what it printed, and what it said.
fn tidegate(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tidegate"))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn a_registry_becomes_a_design_that_the_check_accepts() {
    let registry = registry(None);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shop");
    let out = out.to_str().unwrap();
    let (code, _, said) = tidegate(&["import", "registry", &registry.url, "--out", out]);
    assert_eq!(code, 0, "{said}");
    let design = std::fs::read_to_string(format!("{out}/design.yaml")).unwrap();
    let expected = "tidegate: 1\nsystem: shop\nevents:\n  parcels:\n    compatibility: full\n    schema: \"schemas/parcels.proto#Parcel\"\n  odd-one:\n    compatibility: full\n  orders:\n    compatibility: backward-transitive\n    schema: schemas/orders.json\n  payments:\n    compatibility: full\n    schema: schemas/payments.avsc\n";
    assert_eq!(design, expected);
    let schema = std::fs::read_to_string(format!("{out}/schemas/orders.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["properties"]["id"]["$ref"], "#/definitions/id.json");
    for part in [
        "a key",
        "the context `eu`",
        "the versions before 5",
        "needs those of other subjects",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (code, report, _) = tidegate(&["check", out]);
    assert_eq!(code, 0, "{report}");
    assert!(
        registry
            .asked
            .lock()
            .unwrap()
            .contains(&"/subjects/id/versions/1".to_owned())
    );
}

#[test]
fn a_registry_that_refuses_or_is_none_is_said_to() {
    let guarded = registry(Some("authorization: Basic bWU6c2VjcmV0"));
    let (code, _, said) = tidegate(&["import", "registry", &guarded.url]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("--credentials-file"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    std::fs::write(&file, "me:secret\n").unwrap();
    let file = file.to_str().unwrap();
    let (code, design, said) = tidegate(&[
        "import",
        "registry",
        &guarded.url,
        "--credentials-file",
        file,
    ]);
    assert_eq!(code, 0, "{said}");
    assert!(design.contains("system: imported"), "{design}");
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (code, _, said) = tidegate(&["import", "registry", &format!("http://{closed}")]);
    assert_eq!(code, 3, "{said}");
    let (code, _, said) = tidegate(&[
        "import",
        "registry",
        &format!("{}/elsewhere", guarded.url),
        "--credentials-file",
        file,
    ]);
    // Every registry has subjects, be it none: there is no registry.
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("there is no schema registry at"), "{said}");
}

/// Orders go to billing with a dead-letter queue, to shipping with a queue in which messages wait,
/// and to an audit that reads everything.
const DEFINITIONS: &str = r##"{
  "rabbit_version": "4.0.2",
  "users": [{"name": "guest"}],
  "vhosts": [{"name": "/"}],
  "policies": [
    {"vhost": "/", "name": "dlx", "pattern": "^billing$", "apply-to": "queues", "priority": 5, "definition": {"dead-letter-exchange": "dead", "dead-letter-routing-key": "billing"}},
    {"vhost": "/", "name": "lower", "pattern": ".*", "apply-to": "all", "priority": 1, "definition": {"dead-letter-exchange": "nowhere"}},
    {"vhost": "other", "name": "elsewhere", "pattern": ".*", "apply-to": "all", "priority": 9, "definition": {"message-ttl": 5}}
  ],
  "exchanges": [
    {"name": "shop", "vhost": "/", "type": "topic"},
    {"name": "dead", "vhost": "/", "type": "direct"},
    {"name": "wait", "vhost": "/", "type": "fanout"},
    {"name": "news", "vhost": "/", "type": "fanout"}
  ],
  "queues": [
    {"name": "billing", "vhost": "/", "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 4}},
    {"name": "billing.dead", "vhost": "/", "arguments": {"x-message-ttl": 86400000}},
    {"name": "shipping", "vhost": "/", "arguments": {"x-dead-letter-exchange": "wait", "x-single-active-consumer": true}},
    {"name": "shipping.wait", "vhost": "/", "arguments": {"x-message-ttl": 30000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "shipping"}},
    {"name": "audit", "vhost": "/", "arguments": {"x-max-priority": 5, "x-message-ttl": 1000}},
    {"name": "tasks", "vhost": "/", "arguments": {}}
  ],
  "bindings": [
    {"source": "shop", "vhost": "/", "destination": "billing", "destination_type": "queue", "routing_key": "orders.placed", "arguments": {}},
    {"source": "shop", "vhost": "/", "destination": "shipping", "destination_type": "queue", "routing_key": "orders.paid", "arguments": {}},
    {"source": "shop", "vhost": "/", "destination": "audit", "destination_type": "queue", "routing_key": "orders.*", "arguments": {}},
    {"source": "news", "vhost": "/", "destination": "audit", "destination_type": "queue", "routing_key": "", "arguments": {}},
    {"source": "dead", "vhost": "/", "destination": "billing.dead", "destination_type": "queue", "routing_key": "billing", "arguments": {}},
    {"source": "wait", "vhost": "/", "destination": "shipping.wait", "destination_type": "queue", "routing_key": "", "arguments": {}},
    {"source": "shop", "vhost": "/", "destination": "news", "destination_type": "exchange", "routing_key": "#", "arguments": {}}
  ]
}"##;

#[test]
fn definitions_of_rabbitmq_become_events_consumers_and_dead_letters() {
    let source = Source {
        name: "definitions.json".into(),
        text: DEFINITIONS.to_owned(),
    };
    let imported = tidegate_asyncapi::rabbitmq::import(&source, &Name::new("shop").unwrap());
    let design = &imported.design;
    let events: Vec<&String> = design["events"].as_object().unwrap().keys().collect();
    assert_eq!(events, ["orders.placed", "orders.paid", "news", "tasks"]);
    let services: Vec<&String> = design["services"].as_object().unwrap().keys().collect();
    assert_eq!(services, ["billing", "shipping", "audit", "tasks"]);
    let consumes = |service: &str| &design["services"][service]["consumes"];
    let expected = json!({"retry": {"attempts": 5}, "dead-letter": {"retention": "1d"}});
    assert_eq!(consumes("billing")["orders.placed"], expected);
    let expected = json!({
        "order": "total", "deliver": {"concurrency": 1},
        "retry": {"backoff": "constant", "initial": "30s", "max": "30s", "mode": "non-blocking"},
    });
    assert_eq!(consumes("shipping")["orders.paid"], expected);
    let read: Vec<&String> = consumes("audit").as_object().unwrap().keys().collect();
    assert_eq!(read, ["orders.paid", "orders.placed", "news"]);
    let lost: Vec<&str> = imported
        .findings
        .iter()
        .map(|f| f.message.as_str())
        .collect();
    for part in [
        "`x-max-priority` of queue `audit`",
        "exchange `shop` sends on to exchange `news`",
        "messages of `audit` expire after 1s",
        "exchange `nowhere` leads to no queue",
        "`users`",
    ] {
        assert!(
            lost.iter().any(|text| text.contains(part)),
            "{part}: {lost:#?}"
        );
    }
    assert_eq!(design["messaging"]["broker"], "rabbitmq");
    let design = design_of(design, &imported.files);
    // Retries that let others overtake, in total order: the check says what the broker does not.
    let errors: Vec<_> = tidegate_check::check(&design)
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.code.0)
        .collect();
    assert_eq!(errors, ["E0303"]);
}

#[test]
fn what_is_no_export_of_definitions_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("a.json", "{}"), ("b.json", "{"), ("c.json", "[1]")] {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let (code, design, said) = tidegate(&["import", "rabbitmq", file.to_str().unwrap()]);
        assert_eq!((code, design.as_str()), (2, ""), "{name}: {said}");
    }
}

#[test]
fn validate_and_import_meet_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir(folder.path().join("common")).unwrap();
    std::fs::write(
        path("common/order.yaml"),
        "order: {type: object, properties: {id: {type: string}}}\n",
    )
    .unwrap();
    std::fs::write(path("orders.yaml"), "asyncapi: 3.0.0\ninfo: {title: orders, version: '1'}\nchannels:\n  placed: {address: placed, messages: {OrderPlaced: {payload: {$ref: './common/order.yaml#/order'}}}}\noperations:\n  place: {action: send, channel: {$ref: '#/channels/placed'}}\n").unwrap();
    std::fs::write(path("billing.yaml"), "asyncapi: 3.0.0\ninfo: {title: billing, version: '1'}\nchannels:\n  placed: {address: placed, messages: {OrderPlaced: {payload: {$ref: 'common/order.yaml#/order'}}}}\noperations:\n  bill: {action: receive, channel: {$ref: '#/channels/placed'}, x-retry: {maxAttempts: often}}\n").unwrap();
    let (orders, billing) = (path("orders.yaml"), path("billing.yaml"));
    let (code, report, said) = tidegate(&["asyncapi", "validate", &orders]);
    assert_eq!((code, said.as_str()), (0, ""), "{report}");
    let (code, report, _) = tidegate(&[
        "asyncapi",
        "validate",
        &orders,
        &billing,
        "--format",
        "sarif",
        "--fail-on",
        "warning",
    ]);
    assert_eq!(code, 1);
    let sarif: Value = serde_json::from_str(&report).unwrap();
    let rule = &sarif["runs"][0]["tool"]["driver"]["rules"][0];
    assert_eq!(rule["id"], "E0861");
    assert_eq!(
        rule["shortDescription"]["text"],
        "policy that is not understood"
    );
    let out = path("design");
    let (code, _, said) = tidegate(&["import", "asyncapi", &orders, &billing, "--out", &out]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("orders sends OrderPlaced to billing"),
        "{said}"
    );
    let (code, report, _) = tidegate(&["check", &out]);
    assert_eq!(code, 0, "{report}");
    let again = path("documents");
    let (code, _, said) = tidegate(&[
        "generate", "asyncapi", &out, "--out", &again, "--spec", "3.1",
    ]);
    assert_eq!(code, 0, "{said}");
    let (first, second) = (
        path("documents/orders.asyncapi.yaml"),
        path("documents/billing.asyncapi.yaml"),
    );
    let (code, report, _) = tidegate(&["asyncapi", "validate", &first, &second]);
    assert_eq!(code, 0, "{report}");
    let (_, before, _) = tidegate(&["import", "asyncapi", &first, &second]);
    assert_eq!(
        before,
        std::fs::read_to_string(path("design/design.yaml")).unwrap()
    );
    let (code, page, _) = tidegate(&["explain", "E0833"]);
    assert_eq!(code, 0);
    assert!(page.contains("messages that cannot be told apart"));
}
