//! `tidegate outbox relay`: from the outbox of a database to a daemon.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tidegate_base::limit::RETRY_AFTER_SECONDS_MAX;
use tidegate_base::{Clock, Envelope, format_duration};
use tidegate_runtime::TokioClock;
use tidegate_sql::{Kept, Note, Outbox, OutboxError, Published, Relay, RelaySettings};
use tokio::sync::watch;

use crate::arguments::outbox::OutboxRelay;
use crate::client::{Client, Handed};
use crate::commands::outbox::{Opened, failed, open, with};
use crate::daemon;
use crate::exit::{Exit, Failure, Kind};
use crate::terminal::{say, shown};

pub(crate) fn run(arguments: &OutboxRelay) -> Result<Exit, Failure> {
    let client = Arc::new(Client::new(&arguments.asked)?);
    let opened = open(&arguments.database)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::caused(Kind::Configuration, &error))?;
    let settings = RelaySettings {
        batch_events: usize::from(arguments.batch),
        poll: arguments.poll,
        kept: Kept {
            age: arguments.keep,
            rows: arguments.keep_rows,
        },
        seed: TokioClock::new().now().nanos(),
        ..RelaySettings::default()
    };
    let ended = with!(opened, outbox => runtime.block_on(relay(*outbox, settings, client)));
    // What still blocks, such as a request without an answer, is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

async fn relay(
    outbox: impl Outbox,
    settings: RelaySettings,
    client: Arc<Client>,
) -> Result<Exit, Failure> {
    let interrupted = daemon::interrupted()?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        daemon::wait(interrupted).await;
        say("relay: ending; what is under way is finished (again to exit at once)");
        stop.send_replace(true);
    });
    let published = AtomicU64::new(0);
    let publish = |batch| handed_over(Arc::clone(&client), batch);
    let ended: Result<(), OutboxError> = Relay::new(outbox, settings)
        .run(&publish, stopped, |note| tell(&note, &published))
        .await;
    say(&format!(
        "relay: {} events published",
        published.load(Ordering::Relaxed)
    ));
    ended.map_err(|error| failed(&error))?;
    Ok(Exit::Yes)
}

fn tell(note: &Note, published: &AtomicU64) {
    match note {
        Note::Waiting => say("relay: another one publishes; this one waits to take over"),
        Note::Leading => say("relay: publishing"),
        Note::Sent { rows } => {
            published.fetch_add(u64::try_from(*rows).unwrap_or(0), Ordering::Relaxed);
        }
        Note::Refused {
            number,
            key,
            reason,
        } => {
            let holds = key.as_ref().map(|key| format!(", and holds key {key}"));
            say(&shown(&format!(
                "relay: row {number} is refused{}: {reason}",
                holds.unwrap_or_default()
            )));
        }
        Note::Later { reason, delay } => say(&shown(&format!(
            "relay: not taken, again in {}: {reason}",
            format_duration(*delay)
        ))),
        Note::Disconnected { reason, delay } => say(&shown(&format!(
            "relay: {reason}; again in {}",
            format_duration(*delay)
        ))),
    }
}

/// Hands a batch to the daemon, on a thread that may block.
async fn handed_over(client: Arc<Client>, batch: Vec<Envelope>) -> Published {
    let events = batch.len();
    let body = Value::Array(batch.iter().map(Envelope::to_value).collect()).to_string();
    let handing = tokio::task::spawn_blocking(move || {
        client.hand_over("/v1/events", "application/cloudevents-batch+json", body)
    });
    match handing.await {
        Ok(Ok(handed)) => meaning(&handed, events),
        Ok(Err(failure)) => later(None, failure.message().to_owned()),
        Err(error) => later(None, error.to_string()),
    }
}

fn later(after: Option<Duration>, reason: String) -> Published {
    Published::Later { after, reason }
}

/// What an answer means. Only a daemon's own words refuse an event: whoever else answers, such as a proxy, says nothing
/// about it.
fn meaning(handed: &Handed, events: usize) -> Published {
    let after = handed.retry_after;
    let after = after.map(|after| after.min(Duration::from_secs(RETRY_AFTER_SECONDS_MAX)));
    let accepted = || handed.json.as_ref()?.get("accepted")?.as_array();
    if handed.status == 202 && accepted().is_some_and(|accepted| accepted.len() == events) {
        return Published::Accepted;
    }
    let error = handed.json.as_ref().and_then(|json| json.get("error"));
    let text = |name| error.and_then(|error| error.get(name)?.as_str());
    let (Some(code), Some(message)) = (text("code"), text("message")) else {
        let status = handed.status;
        return later(after, format!("status {status}, and not of a daemon"));
    };
    let index = error.and_then(|error| error.get("index")?.as_u64());
    let index = index.and_then(|index| usize::try_from(index).ok());
    let reason = format!("{code}: {message}");
    match (handed.status, code) {
        (422, _) | (400 | 413, "malformed") => Published::Refused { index, reason },
        // Too many events, or too many bytes, for one request.
        (400, "batch-size") | (413, _) => Published::Refused {
            index: None,
            reason,
        },
        _ => later(after, reason),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, json: Value) -> Published {
        let handed = Handed {
            status,
            json: Some(json),
            retry_after: Some(Duration::from_secs(86_400)),
        };
        meaning(&handed, 2)
    }

    fn error(status: u16, code: &str) -> Published {
        answer(
            status,
            json!({"error": {"code": code, "message": "m", "index": 1}}),
        )
    }

    #[test]
    fn only_a_daemon_takes_or_refuses() {
        assert_eq!(
            answer(202, json!({"accepted": [{}, {}]})),
            Published::Accepted
        );
        let refused = |index| Published::Refused {
            index,
            reason: String::new(),
        };
        let kind = |published| match published {
            Published::Refused { index, .. } => refused(index),
            other => other,
        };
        for (status, code) in [
            (422, "schema"),
            (422, "unknown-type"),
            (400, "malformed"),
            (413, "malformed"),
        ] {
            assert_eq!(kind(error(status, code)), refused(Some(1)), "{status}");
        }
        for (status, code) in [(413, "body"), (400, "batch-size")] {
            assert_eq!(kind(error(status, code)), refused(None), "{status}");
        }
        let strangers = [
            answer(202, json!({"accepted": [{}]})),
            answer(200, json!({})),
            answer(422, json!("no")),
            answer(404, json!({"error": "not found"})),
            error(404, "not-found"),
            error(415, "media-type"),
            error(401, "unauthorized"),
            error(429, "full"),
            error(503, "draining"),
        ];
        for published in strangers {
            let Published::Later { after, .. } = &published else {
                panic!("{published:?}");
            };
            assert_eq!(*after, Some(Duration::from_secs(RETRY_AFTER_SECONDS_MAX)));
        }
    }
}
