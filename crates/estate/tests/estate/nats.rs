//! NATS with JetStream.

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tidegate_base::Name;
use tidegate_estate::Method;
use tidegate_servers::{Kind, Server, own};
use tidegate_topology::{files, import};
use tokio::runtime::Runtime;

use crate::support::{Estate, eventually, is_accepted, now};

#[test]
fn a_design_lives_on_nats() {
    let Some(own) = own(Kind::Nats, "a_design_lives_on_nats").unwrap() else {
        return;
    };
    let server = &own.server;
    let client = Client::connect(server);
    made_drifted_and_mended(server, &client);
    what_costs_something_is_asked_for(server, &client);
    files_are_accepted(server, &client);
    bad_settings_are_found(server, &client);
    lag_is_known_in_messages_and_seconds(server, &client);
    what_runs_becomes_a_design(server);
}

/// A client that nobody here wrote the requests of: JetStream's interface as it is.
struct Client {
    runtime: Runtime,
    client: async_nats::Client,
}

impl Client {
    fn connect(server: &Server) -> Self {
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(async_nats::connect(&server.url)).unwrap();
        Self { runtime, client }
    }

    fn ask(&self, subject: &str, body: &Value) -> Value {
        let subject = format!("$JS.API.{subject}");
        let asked = self.client.request(subject, body.to_string().into());
        let answer = self.runtime.block_on(asked).unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert!(answer.get("error").is_none(), "{answer:#}");
        answer
    }

    fn publish(&self, subject: &'static str) {
        let sent = self.client.request(subject, "{}".into());
        self.runtime.block_on(sent).unwrap();
    }

    /// Changes a stream.
    fn set(&self, stream: &str, setting: &str, value: Value) {
        let info = self.ask(&format!("STREAM.INFO.{stream}"), &json!({}));
        let mut config = info["config"].clone();
        config[setting] = value;
        self.ask(&format!("STREAM.UPDATE.{stream}"), &config);
    }

    /// Changes a consumer.
    fn set_consumer(&self, stream: &str, name: &str, setting: &str, value: Value) {
        let info = self.ask(&format!("CONSUMER.INFO.{stream}.{name}"), &json!({}));
        let mut config = info["config"].clone();
        config[setting] = value;
        let body = json!({"stream_name": stream, "config": config});
        self.ask(&format!("CONSUMER.DURABLE.CREATE.{stream}.{name}"), &body);
    }
}

fn made_drifted_and_mended(server: &Server, client: &Client) {
    let estate = Estate::open(&server.url, "made");
    estate.make();
    client.set_consumer("made", "billing-OrderPlaced", "max_ack_pending", json!(9));
    client.set("made", "subjects", json!(["made.Viewed", "made.extra"]));
    client.set("made", "duplicate_window", json!(60_000_000_000_u64));
    client.set("made", "max_age", json!(60_000_000_000_u64));
    assert_eq!(
        estate.told(),
        [
            "Alter stream `made`",
            "Alter consumer `made/billing-OrderPlaced`"
        ]
    );
    estate.apply(&[]);
    assert_eq!(estate.told(), [""; 0]);
    let info = client.ask("STREAM.INFO.made", &json!({}));
    let subjects = info["config"]["subjects"].to_string();
    assert!(subjects.contains("made.extra"), "{subjects}");
}

fn what_costs_something_is_asked_for(server: &Server, client: &Client) {
    let estate = Estate::open(&server.url, "cost");
    client.ask(
        "STREAM.CREATE.cost",
        &json!({"name": "cost", "subjects": ["cost.>"], "storage": "memory"}),
    );
    client.publish("cost.Viewed");
    estate.apply(&[]);
    let told = estate.told();
    assert!(
        told.contains(&"Destructive stream `cost`".to_owned()),
        "{told:?}"
    );
    let info = client.ask("STREAM.INFO.cost", &json!({}));
    assert_eq!(info["state"]["messages"], 1, "it was not confirmed");
    estate.apply(&["cost"]);
    assert_eq!(estate.told(), [""; 0]);
    // A wider subject covers ours.
    let info = client.ask("STREAM.INFO.cost", &json!({}));
    assert_eq!(info["config"]["subjects"], json!(["cost.>"]));
    assert_eq!(info["config"]["storage"], "file");
    assert!(estate.plan().unmanaged.iter().any(|id| id.name == "made"));
}

fn files_are_accepted(server: &Server, client: &Client) {
    let estate = Estate::open(&server.url, "files");
    for (name, config) in files::nats(&estate.desired()) {
        match name.strip_suffix(".consumer.json") {
            None => client.ask("STREAM.CREATE.files", &config),
            Some(name) => {
                let own = name.strip_prefix("files.").unwrap();
                let body = json!({"stream_name": "files", "config": config});
                client.ask(&format!("CONSUMER.DURABLE.CREATE.files.{own}"), &body)
            }
        };
    }
    assert_eq!(estate.told(), [""; 0], "the files make what a plan wants");
}

fn bad_settings_are_found(server: &Server, client: &Client) {
    let estate = Estate::open(&server.url, "doctor");
    assert_eq!(estate.codes(), ["E1101"].into(), "nothing is there yet");
    estate.make();
    // One copy, and not synced at each acknowledgement: a new server is like that.
    let usual = ["E1102", "E1119"];
    assert_eq!(estate.codes(), usual.into());
    let week = 604_800_000_000_000_u64;
    for (setting, bad, good, code) in [
        ("max_age", json!(60_000_000_000_u64), json!(week), "E1105"),
        ("max_msgs", json!(10), json!(-1), "E1115"),
        (
            "duplicate_window",
            json!(1_000_000_000),
            json!(120_000_000_000_u64),
            "E1121",
        ),
    ] {
        if setting == "max_age" {
            client.set("doctor", "duplicate_window", json!(1_000_000_000));
            client.set("doctor", "max_age", bad);
            assert!(estate.codes().contains(code), "{:?}", estate.codes());
            client.set("doctor", "max_age", good);
            client.set("doctor", "duplicate_window", json!(120_000_000_000_u64));
            continue;
        }
        client.set("doctor", setting, bad);
        assert_eq!(estate.codes(), ["E1102", "E1119", code].into(), "{setting}");
        client.set("doctor", setting, good);
    }
    for (setting, bad, good, codes) in [
        (
            "ack_wait",
            json!(1_000_000_000),
            json!(15_000_000_000_u64),
            vec!["E1116"],
        ),
        ("max_deliver", json!(3), json!(-1), vec!["E1112", "E1113"]),
        ("max_ack_pending", json!(50), json!(1), vec!["E1118"]),
    ] {
        let name = "billing-OrderPlaced";
        client.set_consumer("doctor", name, setting, bad);
        let wanted = usual.into_iter().chain(codes).collect();
        assert_eq!(estate.codes(), wanted, "{setting}");
        client.set_consumer("doctor", name, setting, good);
    }
    assert_eq!(estate.codes(), usual.into());
    client.ask("STREAM.DELETE.doctor", &json!({}));
    let memory = json!({
        "name": "doctor", "subjects": ["doctor.OrderPlaced", "doctor.Viewed"], "storage": "memory",
        "retention": "workqueue", "max_age": week,
    });
    client.ask("STREAM.CREATE.doctor", &memory);
    let body = |policy: &str| {
        json!({"stream_name": "doctor", "config": {
            "durable_name": "billing-OrderPlaced", "ack_policy": policy, "deliver_policy": "all",
            "filter_subject": "doctor.OrderPlaced", "ack_wait": 15_000_000_000_u64, "max_ack_pending": 1,
        }})
    };
    client.ask(
        "CONSUMER.DURABLE.CREATE.doctor.billing-OrderPlaced",
        &body("explicit"),
    );
    let codes = estate.codes();
    for code in ["E1101", "E1107", "E1111"] {
        assert!(codes.contains(code), "{code}: {codes:?}");
    }
}

fn lag_is_known_in_messages_and_seconds(server: &Server, client: &Client) {
    let estate = Estate::open(&server.url, "lag");
    estate.make();
    for subject in [
        "lag.OrderPlaced",
        "lag.Viewed",
        "lag.OrderPlaced",
        "lag.OrderPlaced",
    ] {
        client.publish(subject);
    }
    let reader = Some("lag/billing-OrderPlaced");
    let lag = &estate.broker.lag(reader, now()).unwrap()[0];
    assert_eq!(
        (lag.messages, lag.method),
        (3, Method::MessageAfterAckFloor)
    );
    // As old as the first message says, at a moment that is chosen.
    let first = client.ask("STREAM.MSG.GET.lag", &json!({"seq": 1}));
    let first = first["message"]["time"].as_str().unwrap();
    let first = tidegate_base::Timestamp::parse_rfc3339(first).unwrap();
    let later = first + std::time::Duration::from_secs(90);
    let lag = &estate.broker.lag(reader, later).unwrap()[0];
    assert_eq!(lag.seconds, Some(90.0));
    // One is handled: then the next of its subject is the oldest, not that of another.
    let next = "$JS.API.CONSUMER.MSG.NEXT.lag.billing-OrderPlaced";
    // It comes with its own subject, not with that of the request: a subscription hears it.
    let reply = client.runtime.block_on(async {
        let inbox = client.client.new_inbox();
        let mut heard = client.client.subscribe(inbox.clone()).await.unwrap();
        let asked = client.client.publish_with_reply(next, inbox, "".into());
        asked.await.unwrap();
        heard.next().await.unwrap().reply.unwrap()
    });
    client.runtime.block_on(async {
        client.client.publish(reply, "+ACK".into()).await.unwrap();
        client.client.flush().await.unwrap();
    });
    eventually("two are left", || {
        let lag = &estate.broker.lag(reader, later).unwrap()[0];
        (lag.messages == 2 && lag.seconds < Some(90.0)).then_some(())
    });
    let idle = estate.broker.lag(Some("stats-Viewed"), now()).unwrap();
    assert_eq!(
        idle.iter()
            .find(|lag| lag.source == "lag")
            .unwrap()
            .messages,
        1
    );
    let letters = estate.broker.letters("lag", 3).unwrap();
    assert_eq!(letters.len(), 3);
    assert_eq!(letters[1].key.as_deref(), Some("lag.Viewed"));
    assert_eq!(letters[2].position, "3");
}

fn what_runs_becomes_a_design(server: &Server) {
    let estate = Estate::open(&server.url, "lag");
    let topology = estate.broker.topology().unwrap();
    let imported = import::nats(&topology, &Name::new("found").unwrap());
    let consumes = &imported.design["services"]["stats-Viewed"]["consumes"];
    assert!(
        consumes.get("lag.Viewed").is_some(),
        "{:#}",
        imported.design
    );
    is_accepted(&imported.design);
}
