//! Each server: started, killed as a power cut would, started again where it was, and stopped.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use tidegate_servers::{Kind, own};

fn is_killed_and_comes_back(kind: Kind, test: &str) {
    let Some(mut own) = own(kind, test).unwrap() else {
        return;
    };
    let server = &mut own.server;
    server.ask().unwrap();
    let (url, folder) = (server.url.clone(), server.folder.clone());
    server.kill().unwrap();
    assert!(!server.is_alive());
    server.ask().unwrap_err();
    server.start_again().unwrap();
    server.ask().unwrap();
    assert_eq!(server.url, url);
    server.stop().unwrap();
    assert!(!server.is_alive());
    drop(own);
    assert!(
        !folder.exists(),
        "its data is still in {}",
        folder.display()
    );
}

#[test]
fn kafka_is_killed_and_comes_back() {
    is_killed_and_comes_back(Kind::Kafka, "kafka_is_killed_and_comes_back");
}

#[test]
fn rabbitmq_is_killed_and_comes_back() {
    is_killed_and_comes_back(Kind::RabbitMq, "rabbitmq_is_killed_and_comes_back");
}

#[test]
fn nats_is_killed_and_comes_back() {
    is_killed_and_comes_back(Kind::Nats, "nats_is_killed_and_comes_back");
}
