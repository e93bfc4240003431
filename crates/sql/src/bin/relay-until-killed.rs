//! Publishes from the outbox of the database given into a file, a line an event. It goes on until it is killed: the
//! crash test does that.
//!
//! Arguments: URL, file.

#![expect(clippy::expect_used, reason = "it stops at the first error")]

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use tidegate_base::Envelope;
use tidegate_sql::{Outbox, PostgresOutbox, Published, Relay, RelaySettings, SqliteOutbox};
use tokio::sync::watch;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, file] = arguments.as_slice() else {
        return;
    };
    if url.starts_with("postgres") {
        let outbox = PostgresOutbox::new(url.parse().expect("a URL"));
        go_on(outbox, file).await;
    } else {
        let outbox = SqliteOutbox::new(url.parse().expect("a URL"));
        go_on(outbox, file).await;
    }
}

async fn go_on(outbox: impl Outbox, file: &str) {
    let settings = RelaySettings {
        batch_events: 7,
        standby: Duration::from_millis(20),
        ..RelaySettings::default()
    };
    let publish = |batch: Vec<Envelope>| {
        let file = file.to_owned();
        async move {
            let lines: String = batch
                .iter()
                .map(|event| format!("{}\n", event.id))
                .collect();
            let mut file = File::options()
                .append(true)
                .create(true)
                .open(file)
                .expect("a file");
            // One write for a batch, as the daemon takes all of it or nothing.
            file.write_all(lines.as_bytes()).expect("a write");
            tokio::time::sleep(Duration::from_millis(2)).await;
            Published::Accepted
        }
    };
    let (_sender, stop) = watch::channel(false);
    let ended = Relay::new(outbox, settings)
        .run(&publish, stop, |_| {})
        .await;
    ended.expect("a database");
}
