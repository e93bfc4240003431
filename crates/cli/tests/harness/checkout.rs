//! The example runs as it is on the embedded log and on each broker: nothing but `--broker` differs.

#![cfg(test)]

use serde_json::Value;
use tidegate_servers::{Kind, own};

use crate::brokers::address;
use crate::support::{Daemon, repository};

const CONSUMERS: usize = 4;
/// Events that every one of them handles.
const HANDLED: u64 = 20;

#[test]
fn the_checkout_runs_on_the_embedded_log() {
    let data = tempfile::tempdir().unwrap();
    runs(&["--data", data.path().to_str().unwrap()]);
}

#[cfg(feature = "kafka")]
#[test]
fn the_checkout_runs_on_kafka() {
    runs_on(Kind::Kafka, "the_checkout_runs_on_kafka");
}

#[cfg(feature = "nats")]
#[test]
fn the_checkout_runs_on_nats() {
    runs_on(Kind::Nats, "the_checkout_runs_on_nats");
}

#[cfg(feature = "rabbitmq")]
#[test]
fn the_checkout_runs_on_rabbitmq() {
    runs_on(Kind::RabbitMq, "the_checkout_runs_on_rabbitmq");
}

fn runs_on(kind: Kind, test: &str) {
    let Some(own) = own(kind, test).unwrap() else {
        return;
    };
    runs(&["--broker", &address(&own.server)]);
}

fn runs(place: &[&str]) {
    let design = repository("examples/checkout");
    let design = design.to_str().unwrap();
    let arguments = ["run", design, "--traffic", "recorded", "--speed", "4"];
    let daemon = Daemon::start(&[&arguments[..], place].concat());
    daemon.until("every consumer of the example handles events", |state| {
        let consumers = state["consumers"].as_array().unwrap();
        let handled = |consumer: &Value| consumer["succeeded_total"].as_u64();
        let mut all = consumers.iter();
        consumers.len() == CONSUMERS && all.all(|consumer| handled(consumer) >= Some(HANDLED))
    });
    assert!(daemon.interrupt().success(), "it drains and exits 0");
}
