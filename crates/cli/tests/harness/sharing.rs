//! Several processes share the shards of a system on a broker; one of them is killed under load.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_servers::{Kind, own};

use crate::brokers::address;
use crate::publisher::pause;
use crate::support::{Daemon, agent, eventually};

const EVENTS: u64 = 600;
const KEYS: u64 = 24;
/// Attempts of a shard at the same time: so many may be repeated when its owner is killed.
const CONCURRENCY: usize = 4;
const SHARDS: usize = 4;

/// What was handled, in the order in which it began: the key and the number.
type Seen = Arc<Mutex<Vec<(String, u64)>>>;

/// A service that handles everything at once.
fn serve(seen: &Seen) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::clone(seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || answer(stream, &seen));
        }
    });
    port
}

fn answer(stream: TcpStream, seen: &Seen) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let header = line.to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let data: Value = serde_json::from_slice(&body).ok()?;
        let key = data["orderId"].as_str()?.to_owned();
        seen.lock().unwrap().push((key, data["number"].as_u64()?));
        pause(Duration::from_millis(2));
        writer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()?;
    }
}

fn design(folder: &std::path::Path, port: u16) -> String {
    let text = format!(
        r"tidegate: 1
system: sharing
events:
  OrderPlaced:
    summary: An order.
    owner: team
    key: /orderId
services:
  orders: {{owner: team, publishes: [OrderPlaced]}}
  billing:
    owner: team
    consumes:
      OrderPlaced:
        deliver: {{to: 'http://127.0.0.1:{port}/events', concurrency: {CONCURRENCY}, timeout: 5s}}
        guarantee: deduplicated
        retry: {{initial: 5ms, max: 50ms, attempts: 20}}
        dead-letter: {{retention: 30d}}
"
    );
    let path = folder.join("design.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Publishes by whichever process is there; the same event again until it is accepted.
fn publish(daemons: &Mutex<Vec<String>>, number: u64) {
    let event = json!({
        "specversion": "1.0", "id": number.to_string(), "source": "/sharing", "type": "OrderPlaced",
        "data": {"orderId": format!("k{}", number % KEYS), "number": number},
    });
    for attempt in 0.. {
        let url = {
            let urls = daemons.lock().unwrap();
            urls[(usize::try_from(number).unwrap() + attempt) % urls.len()].clone()
        };
        let request = agent().post(format!("{url}/v1/events"));
        let request = request.header("content-type", "application/cloudevents+json");
        let sent = request.send(event.to_string());
        if sent.is_ok_and(|response| response.status().as_u16() == 202) {
            return;
        }
        assert!(attempt < 10_000, "event {number} is never accepted");
        pause(Duration::from_millis(5));
    }
}

#[cfg(feature = "kafka")]
#[test]
fn a_process_that_dies_leaves_its_lanes_to_the_others() {
    let test = "a_process_that_dies_leaves_its_lanes_to_the_others";
    one_of_two_dies(Kind::Kafka, "partitions", test);
}

#[cfg(feature = "nats")]
#[test]
fn a_process_that_dies_on_nats_leaves_its_lanes_to_the_others() {
    let test = "a_process_that_dies_on_nats_leaves_its_lanes_to_the_others";
    one_of_two_dies(Kind::Nats, "shards", test);
}

#[cfg(feature = "rabbitmq")]
#[test]
fn a_process_that_dies_on_rabbitmq_leaves_its_lanes_to_the_others() {
    let test = "a_process_that_dies_on_rabbitmq_leaves_its_lanes_to_the_others";
    one_of_two_dies(Kind::RabbitMq, "shards", test);
}

/// Two processes share the shards of a system, whose number is said by this word of the address.
fn one_of_two_dies(kind: Kind, word: &str, test: &str) {
    let Some(broker) = own(kind, test).unwrap() else {
        return;
    };
    let seen = Seen::default();
    let folder = tempfile::tempdir().unwrap();
    let design = design(folder.path(), serve(&seen));
    let address = format!("{}?{word}={SHARDS}", address(&broker.server));
    let arguments = ["run", &design, "--broker", &address];
    let one = Daemon::start(&arguments);
    let other = Daemon::start(&arguments);
    let urls = Mutex::new(vec![one.url.clone(), other.url.clone()]);
    std::thread::scope(|scope| {
        let urls = &urls;
        let publishing = scope.spawn(move || (0..EVENTS).for_each(|number| publish(urls, number)));
        eventually("a third is handled", || {
            (seen.lock().unwrap().len() as u64 > EVENTS / 3).then_some(())
        });
        *urls.lock().unwrap() = vec![other.url.clone()];
        one.kill();
        publishing.join().unwrap();
    });
    eventually("all is handled by who is left", || {
        let seen = seen.lock().unwrap();
        let numbers: BTreeSet<u64> = seen.iter().map(|(_, number)| *number).collect();
        (numbers.len() as u64 == EVENTS).then_some(())
    });
    assert!(other.interrupt().success(), "it drains and exits 0");
    let seen = seen.lock().unwrap();
    let repeated = seen.len() - usize::try_from(EVENTS).unwrap();
    assert!(
        repeated <= CONCURRENCY * SHARDS,
        "{repeated} were repeated, and no more than {} ran",
        CONCURRENCY * SHARDS
    );
    let mut firsts: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for (key, number) in seen.iter().filter(|(_, number)| known.insert(*number)) {
        firsts.entry(key).or_default().push(*number);
    }
    let unordered = firsts.iter().find(|(_, numbers)| !numbers.is_sorted());
    assert_eq!(unordered, None, "a key lost its order");
    println!("{repeated} of {EVENTS} were repeated");
}
