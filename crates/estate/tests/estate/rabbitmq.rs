//! RabbitMQ.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tidegate_estate::{EstateError, Method};
use tidegate_servers::{Kind, Server, own};
use tidegate_topology::files::rabbitmq_definitions;
use tidegate_topology::letters::{Dialect, read};

use crate::support::{Estate, eventually, now, ran};

#[test]
fn a_design_lives_on_rabbitmq() {
    let Some(own) = own(Kind::RabbitMq, "a_design_lives_on_rabbitmq").unwrap() else {
        return;
    };
    let server = &own.server;
    made_drifted_and_mended(server);
    what_costs_something_is_asked_for(server);
    definitions_are_imported(server);
    permissions_are_of_users_that_are_there(server);
    bad_settings_are_found(server);
    lag_and_letters_are_read(server);
    who_may_not_ask_is_told(server);
}

fn management(server: &Server) -> String {
    let management = server.also.iter().find(|(name, _)| name == "management");
    let (_, at) = management.unwrap();
    at.rsplit_once('@').unwrap().1.to_owned()
}

fn open(server: &Server, system: &str) -> Estate {
    let url = format!("{}?management={}", server.url, management(server));
    Estate::open(&url, system)
}

/// RabbitMQ's own tool.
fn admin(server: &Server, arguments: &[&str]) -> String {
    let at = management(server);
    let (host, port) = at.split_once(':').unwrap();
    let mut tool = Command::new("rabbitmqadmin");
    tool.args(["-H", host, "-P", port]).args(arguments);
    ran(&mut tool)
}

fn made_drifted_and_mended(server: &Server) {
    let estate = open(server, "made");
    estate.make();
    admin(server, &["delete", "queue", "name=billing.OrderPlaced"]);
    admin(
        server,
        &[
            "declare",
            "policy",
            "name=billing.OrderPlaced.dead-letters",
            "pattern=^billing\\.OrderPlaced\\.dead-letters$",
            "apply-to=queues",
            "priority=10",
            "definition={\"message-ttl\": 1000}",
        ],
    );
    assert_eq!(
        estate.told(),
        [
            "Alter policy `billing.OrderPlaced.dead-letters`",
            "Create queue `billing.OrderPlaced`",
            "Create binding `made -> billing.OrderPlaced by OrderPlaced`",
        ]
    );
    estate.apply(&[]);
    assert_eq!(estate.told(), [""; 0]);
    clean(server);
}

/// The next step starts with nothing: queues are called by consumers, not by systems.
fn clean(server: &Server) {
    for (kind, list) in [
        ("queue", "queues"),
        ("policy", "policies"),
        ("exchange", "exchanges"),
    ] {
        let listed = admin(server, &["-f", "raw_json", "list", list]);
        let listed: Value = serde_json::from_str(&listed).unwrap();
        for item in listed.as_array().unwrap() {
            let name = item["name"].as_str().unwrap();
            if !name.is_empty() && !name.starts_with("amq.") {
                admin(server, &["delete", kind, &format!("name={name}")]);
            }
        }
    }
}

fn what_costs_something_is_asked_for(server: &Server) {
    let estate = open(server, "cost");
    admin(
        server,
        &["declare", "queue", "name=stats.Viewed", "durable=true"],
    );
    admin(
        server,
        &["publish", "routing_key=stats.Viewed", "payload=precious"],
    );
    admin(
        server,
        &["declare", "queue", "name=foreign", "durable=true"],
    );
    estate.apply(&[]);
    assert_eq!(
        estate.told(),
        [
            "Destructive queue `stats.Viewed`",
            "Destructive binding `cost -> stats.Viewed by Viewed`"
        ]
    );
    let still = admin(
        server,
        &["get", "queue=stats.Viewed", "ackmode=ack_requeue_true"],
    );
    assert!(still.contains("precious"), "{still}");
    estate.apply(&["stats.Viewed"]);
    assert_eq!(estate.told(), [""; 0]);
    let plan = estate.plan();
    assert!(
        plan.unmanaged.iter().any(|id| id.name == "foreign"),
        "{plan:#?}"
    );
    clean(server);
}

fn definitions_are_imported(server: &Server) {
    let estate = open(server, "imported");
    let definitions = rabbitmq_definitions(&estate.desired(), "/");
    let file = server.folder.join("definitions.json");
    std::fs::write(&file, definitions.to_string()).unwrap();
    let mut tool = server.rabbitmq_tool("rabbitmqctl").unwrap();
    ran(tool.arg("import_definitions").arg(&file));
    assert_eq!(estate.told(), [""; 0], "an import makes what a plan wants");
    clean(server);
}

fn permissions_are_of_users_that_are_there(server: &Server) {
    let estate = open(server, "users");
    admin(
        server,
        &["declare", "user", "name=billing", "password=x", "tags="],
    );
    let users = estate.broker.topology().unwrap().facts["users"].to_string();
    assert_eq!(users, "billing,guest");
    let mut desired = tidegate_topology::desired(
        &estate.design,
        tidegate_topology::Engine::RabbitMq,
        &estate.options,
    );
    desired.only_users(&["billing".to_owned()]);
    let plan = || tidegate_topology::Plan::new(&desired, &estate.broker.topology().unwrap());
    for applied in estate.broker.apply(&plan(), &[].into()) {
        assert!(applied.error.is_none(), "{applied:?}");
    }
    assert!(plan().is_empty(), "{:#?}", plan());
    let listed = admin(server, &["list", "permissions"]);
    assert!(listed.contains(r"^(billing\.OrderPlaced)$"), "{listed}");
    clean(server);
}

fn policy(server: &Server, definition: &Value) {
    admin(
        server,
        &[
            "declare",
            "policy",
            "name=bad",
            "pattern=^billing\\.OrderPlaced$",
            "apply-to=queues",
            "priority=99",
            &format!("definition={definition}"),
        ],
    );
}

fn bad_settings_are_found(server: &Server) {
    let estate = open(server, "doctor");
    assert_eq!(estate.codes(), ["E1101"].into(), "nothing is there yet");
    estate.make();
    // Its management interface tells of a policy some seconds later.
    eventually("one server has one copy, and nothing else is wrong", || {
        (estate.codes() == ["E1102"].into()).then_some(())
    });
    let letters = json!({
        "dead-letter-exchange": "doctor.dead-letters", "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish", "delivery-limit": 7,
    });
    for (setting, value, code) in [
        ("delivery-limit", json!(2), "E1112"),
        ("dead-letter-exchange", json!("nowhere"), "E1113"),
        ("dead-letter-strategy", json!("at-most-once"), "E1114"),
        ("message-ttl", json!(1_000), "E1117"),
    ] {
        let mut definition = letters.clone();
        definition[setting] = value;
        policy(server, &definition);
        eventually(&format!("{code} for {definition}"), || {
            (estate.codes() == ["E1102", code].into()).then_some(())
        });
    }
    policy(server, &json!({"max-length": 10}));
    eventually("a full queue drops", || {
        (estate.codes() == ["E1102", "E1113", "E1115"].into()).then_some(())
    });
    clean(server);
    // Those of a queue itself.
    estate.apply(&[]);
    for name in ["billing.OrderPlaced", "stats.Viewed"] {
        admin(server, &["delete", "queue", &format!("name={name}")]);
    }
    admin(
        server,
        &[
            "declare",
            "queue",
            "name=billing.OrderPlaced",
            "durable=false",
        ],
    );
    // Not bound, one copy, not durable, no letters (a policy for quorum queues is none for it), no order.
    let wanted = ["E1101", "E1102", "E1111", "E1113", "E1118"];
    eventually("every fault of a classic queue is found", || {
        (estate.codes() == wanted.into()).then_some(())
    });
    clean(server);
}

fn publish(server: &Server, exchange: &str, key: &str, properties: &Value) {
    admin(
        server,
        &[
            "publish",
            &format!("exchange={exchange}"),
            &format!("routing_key={key}"),
            &format!("properties={properties}"),
            "payload={\"n\": 1}",
        ],
    );
}

fn lag_and_letters_are_read(server: &Server) {
    let estate = open(server, "lag");
    estate.make();
    for _ in 0..5 {
        publish(server, "lag", "OrderPlaced", &json!({"delivery_mode": 2}));
    }
    let queue = Some("billing.OrderPlaced");
    let lag = eventually("five messages are counted", || {
        let lags = estate.broker.lag(queue, now()).unwrap();
        lags.into_iter().find(|lag| lag.messages == 5)
    });
    assert!(
        matches!(lag.method, Method::ArrivalRate | Method::Unknown),
        "{lag:?}"
    );
    assert_eq!(lag.seconds.is_some(), lag.method == Method::ArrivalRate);
    let idle = &estate.broker.lag(Some("stats.Viewed"), now()).unwrap()[0];
    assert_eq!(
        (idle.messages, idle.seconds, idle.method),
        (0, Some(0.0), Method::CaughtUp)
    );

    // A classic queue tells the time of its head.
    admin(
        server,
        &["declare", "queue", "name=classic", "durable=true"],
    );
    let an_hour = now().millis() / 1_000 - 3_600;
    publish(
        server,
        "amq.default",
        "classic",
        &json!({"timestamp": an_hour, "delivery_mode": 2}),
    );
    let lag = eventually("the head is known", || {
        let lags = estate.broker.lag(Some("classic"), now()).unwrap();
        lags.into_iter()
            .find(|lag| lag.method == Method::HeadMessageTimestamp)
    });
    let seconds = lag.seconds.unwrap();
    assert!((3_600.0..3_700.0).contains(&seconds), "{seconds}");

    letters_are_read(server, &estate);
    let definitions = estate.broker.definitions().unwrap();
    assert!(
        definitions["queues"].as_array().unwrap().len() >= 4,
        "{definitions:#}"
    );
    clean(server);
}

fn letters_are_read(server: &Server, estate: &Estate) {
    // What is rejected goes to the dead letters, with its reason. (The tool cannot ask a queue that has a single active
    // consumer, as that of the design has.)
    let dead = json!({"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "letters"});
    for (name, arguments) in [("letters", json!({})), ("work", dead)] {
        let (name, arguments) = (format!("name={name}"), format!("arguments={arguments}"));
        admin(
            server,
            &["declare", "queue", &name, "durable=true", &arguments],
        );
    }
    for _ in 0..2 {
        publish(server, "amq.default", "work", &json!({"delivery_mode": 2}));
    }
    let reject = "ackmode=reject_requeue_false";
    admin(server, &["get", "queue=work", reject, "count=2"]);
    let letters = "letters";
    let raw = eventually("two letters", || {
        Some(estate.broker.letters(letters, 10).unwrap()).filter(|raw| raw.len() == 2)
    });
    let letter = read(&raw[0]);
    assert_eq!(letter.dialect, Dialect::RabbitMq);
    assert_eq!(letter.reason.as_deref(), Some("rejected"));
    assert_eq!(letter.from.as_deref(), Some("work"));
    assert_eq!(letter.key.as_deref(), Some("work"));
    // Where looking would count as a delivery, nobody looks.
    let error = estate
        .broker
        .letters("billing.OrderPlaced", 1)
        .unwrap_err()
        .to_string();
    assert!(error.contains("counts deliveries"), "{error}");
}

fn who_may_not_ask_is_told(server: &Server) {
    let url = format!("{}?management={}", server.url, management(server));
    let mut address = tidegate_estate::Address::parse(&url).unwrap();
    address
        .add_settings("username=guest\npassword=wrong", Path::new("."))
        .unwrap();
    let broker = tidegate_estate::Broker::open(&address).unwrap();
    let error = broker.topology().unwrap_err();
    assert!(matches!(error, EstateError::NotAllowed { .. }), "{error}");
}
