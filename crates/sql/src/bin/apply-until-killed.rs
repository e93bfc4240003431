//! Has the effects of numbered deliveries in the database given, and acknowledges each on standard output. It goes on
//! until it is killed: the crash test does that.
//!
//! Arguments: URL, the first delivery, the epoch.

#![expect(clippy::expect_used, reason = "it stops at the first error")]

use std::io::Write;
use std::time::Duration;

use tidegate_base::{Envelope, Random};
use tidegate_sql::{Applied, Delivery, EffectError, Effects};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, first, epoch] = arguments.as_slice() else {
        return;
    };
    let first: u64 = first.parse().expect("a number");
    let epoch: u64 = epoch.parse().expect("a number");
    if url.starts_with("postgres") {
        let effects = Effects::new(sqlx::PgPool::connect(url).await.expect("a database"));
        let run = async |delivery: &Delivery| {
            effects
                .apply(delivery, async |transaction| {
                    sqlx::query("INSERT INTO effect (delivery) VALUES ($1)")
                        .bind(i64::try_from(delivery.position).unwrap_or(0))
                        .execute(&mut *transaction)
                        .await?;
                    sqlx::query("UPDATE account SET balance = balance + 1")
                        .execute(&mut *transaction)
                        .await?;
                    Ok(emitted())
                })
                .await
        };
        go_on(first, epoch, run).await;
    } else {
        let options: sqlx::sqlite::SqliteConnectOptions = url.parse().expect("a URL");
        let options = options.busy_timeout(Duration::from_secs(20));
        let pool = sqlx::SqlitePool::connect_with(options).await;
        let effects = Effects::new(pool.expect("a database"));
        let run = async |delivery: &Delivery| {
            effects
                .apply(delivery, async |transaction| {
                    sqlx::query("INSERT INTO effect (delivery) VALUES (?1)")
                        .bind(i64::try_from(delivery.position).unwrap_or(0))
                        .execute(&mut *transaction)
                        .await?;
                    sqlx::query("UPDATE account SET balance = balance + 1")
                        .execute(&mut *transaction)
                        .await?;
                    Ok(emitted())
                })
                .await
        };
        go_on(first, epoch, run).await;
    }
}

async fn go_on(
    first: u64,
    epoch: u64,
    run: impl AsyncFn(&Delivery) -> Result<Applied, EffectError<sqlx::Error>>,
) {
    let random = Random::new(epoch, "kill", "pause");
    for number in first.. {
        let delivery = Delivery {
            consumer: "billing/OrderPlaced".parse().expect("a consumer"),
            source: "/kill".to_owned(),
            id: number.to_string(),
            generation: 0,
            position: number,
            epoch,
        };
        let answer = loop {
            match run(&delivery).await {
                Ok(Applied::Done { .. }) => break "done",
                Ok(Applied::Duplicate) => break "duplicate",
                Err(EffectError::Fenced { .. }) => {
                    say("fenced\n");
                    return;
                }
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        };
        // The window that the test is about: the effect is had, and the delivery is not acknowledged.
        tokio::time::sleep(Duration::from_millis(random.bits(number) % 5)).await;
        say(&format!("{number} {answer}\n"));
    }
}

fn emitted() -> Vec<Envelope> {
    let attributes = [("source", "/billing"), ("type", "Counted")];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    vec![Envelope::from_attributes(attributes, None)]
}

/// One write for one line: a line that the test reads was printed whole.
fn say(line: &str) {
    let mut out = std::io::stdout();
    out.write_all(line.as_bytes()).expect("the test reads");
    out.flush().expect("the test reads");
}
