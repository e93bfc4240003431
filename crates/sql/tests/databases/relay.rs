//! A relay wakes at once, hands over, holds what is refused, and deletes what is over.

use std::time::Duration;

use sqlx::{Postgres, Sqlite};
use tidegate_base::Envelope;
use tidegate_sql::{
    Change, Effects, Filter, Kept, Listed, Note, Outbox, OutboxError, Published, RelaySettings,
    RowState,
};

use crate::support::{Case, Running, TestEngine, delivery, event, eventually, postgres, sqlite};

/// Nothing is found by polling.
fn deaf() -> RelaySettings {
    RelaySettings {
        poll: Duration::from_secs(3_600),
        clean_every: Duration::from_secs(3_600),
        standby: Duration::from_millis(50),
        pause_min: Duration::from_millis(5),
        ..RelaySettings::default()
    }
}

fn insert(id: &str, key: &str) -> String {
    format!(
        "INSERT INTO tidegate_outbox (id, source, type, key) VALUES ('{id}', '/s', 'T', '{key}')"
    )
}

async fn wakes<D: TestEngine>(case: &Case<D>) {
    let relay = case.relay(deaf());
    eventually("it leads", async || {
        relay.has_said(|note| *note == Note::Leading).then_some(())
    })
    .await;
    for n in 1..=5 {
        case.run(&insert(&n.to_string(), "k")).await;
        relay.until_sent(n).await;
    }
    relay.stop().await;
}

/// The whole event arrives, of a service and of an effect.
async fn whole<D: TestEngine>(case: &Case<D>) {
    let effects = Effects::new(case.pool.clone());
    let handler = async |_: &mut D::Connection| Ok::<_, sqlx::Error>(vec![event("k")]);
    effects.apply(&delivery(1, 1), handler).await.unwrap();
    case.run(
        "INSERT INTO tidegate_outbox (id, source, type, key, time, content_type, data, attributes)
         VALUES ('x', '/plain', 'T', NULL, '2026-01-02T03:04:05.678Z', 'text/plain', 'caf', '{\"tenant\": \"7\"}')",
    )
    .await;
    let relay = case.relay(deaf());
    relay.until_sent(2).await;
    let events = relay.seen.lock().unwrap().events.clone();
    let mut emitted = event("k");
    let first = delivery(1, 1);
    emitted.id = tidegate_sql::output_id(&first.consumer, &first.source, &first.id, 0);
    emitted.time = events[0].time.clone();
    emitted.data_content_type = Some("application/json".to_owned());
    assert!(emitted.time.is_some());
    assert_eq!(events[0], emitted);
    let value = events[1].to_value();
    let time = value["time"].as_str().unwrap();
    assert!(time.starts_with("2026-01-02T03:04:05.678"), "{time}");
    assert_eq!(events[1].data.as_deref(), Some(&b"caf"[..]));
    assert_eq!(
        (&value["tenant"], &value["datacontenttype"]),
        (&"7".into(), &"text/plain".into())
    );
    relay.stop().await;
}

async fn hands_over<D: TestEngine>(case: &Case<D>) {
    let first = case.relay(deaf());
    let leads = |relay: &Running| relay.has_said(|note| *note == Note::Leading);
    eventually("the first leads", async || leads(&first).then_some(())).await;
    let second = case.relay(deaf());
    let waits = async || second.has_said(|note| *note == Note::Waiting).then_some(());
    eventually("the second waits", waits).await;
    case.run(&insert("1", "k")).await;
    first.until_sent(1).await;
    assert!(!leads(&second));
    first.abort();
    case.run(&insert("2", "k")).await;
    second.until_sent(1).await;
    assert!(leads(&second) && second.ids().last().map(String::as_str) == Some("2"));
    second.stop().await;
}

/// A relay whose daemon refuses `bad` and `worse`; row 7 is no event at all.
async fn refusing<D: TestEngine>(case: &Case<D>) -> Running {
    let rows = [
        ("1", "a"),
        ("bad", "a"),
        ("3", "a"),
        ("4", "b"),
        ("worse", "c"),
        ("6", "c"),
    ];
    for (id, key) in rows {
        case.run(&insert(id, key)).await;
    }
    case.run(
        "INSERT INTO tidegate_outbox (id, source, type, key, attributes)
         VALUES ('no-event', '/s', 'T', 'd', '{\"Wrong\": \"x\"}')",
    )
    .await;
    case.run(&insert("8", "d")).await;
    Running::start(D::outbox(&case.url), deaf(), |batch| {
        let is_bad = |event: &Envelope| ["bad", "worse"].contains(&event.id.as_str());
        let reason = "schema: /total\0".to_owned();
        match batch.iter().position(is_bad) {
            Some(index) => Published::Refused {
                index: Some(index),
                reason,
            },
            None => Published::Accepted,
        }
    })
}

/// One refused row holds its key, until an operator has decided.
async fn refuses<D: TestEngine>(case: &Case<D>) {
    let relay = refusing(case).await;
    relay.until_sent(2).await;
    let mut outbox = D::outbox(&case.url);
    let status = eventually("all is decided", async || {
        let status = outbox.status().await.unwrap();
        (status.refused == 3 && status.sent == 2).then_some(status)
    })
    .await;
    assert_eq!((status.new, status.held, status.skipped), (0, 3, 0));
    assert_eq!(relay.ids(), ["1", "4"]);
    assert!(
        status.relay && status.warnings.is_empty(),
        "{:?}",
        status.warnings
    );
    let filter = Filter {
        state: Some(RowState::Refused),
        after: 0,
        limit: 100,
    };
    let refused = outbox.list(&filter).await.unwrap();
    let told = |row: &Listed| (row.id.clone(), row.reason.clone().unwrap());
    let told: Vec<_> = refused.iter().map(told).collect();
    let wrong = "attribute name `Wrong` is not lower-case letters and digits";
    let expected = [
        ("bad", "schema: /total "),
        ("worse", "schema: /total "),
        ("no-event", wrong),
    ];
    assert_eq!(
        told,
        expected.map(|(id, reason)| (id.to_owned(), reason.to_owned()))
    );
    relay.stop().await;
}

/// What is not refused cannot be skipped; what is, goes, and what waited behind it comes.
async fn skips<D: TestEngine>(case: &Case<D>) {
    let relay = refusing(case).await;
    let mut outbox = D::outbox(&case.url);
    eventually("all is decided", async || {
        let status = outbox.status().await.unwrap();
        (status.refused == 3 && status.sent == 2).then_some(())
    })
    .await;
    let skip = Change::Skip {
        reason: "a test order".to_owned(),
    };
    let all: Vec<i64> = (1..=8).collect();
    assert_eq!(outbox.change(&all, &skip).await.unwrap().len(), 3);
    relay.until_sent(5).await;
    assert_eq!(relay.ids(), ["1", "4", "3", "6", "8"]);
    let filter = Filter {
        state: Some(RowState::Skipped),
        after: 0,
        limit: 100,
    };
    let skipped = outbox.list(&filter).await.unwrap();
    let reason = "a test order (refused: schema: /total )";
    assert_eq!(
        (skipped.len(), skipped[0].reason.as_deref()),
        (3, Some(reason))
    );
    relay.stop().await;
}

/// A row is mended and tried again: it goes before what has waited behind it.
async fn retries<D: TestEngine>(case: &Case<D>) {
    for (id, key) in [("1", "a"), ("2", "a"), ("3", "b")] {
        case.run(&insert(id, key)).await;
    }
    let relay = Running::start(D::outbox(&case.url), deaf(), |batch| {
        let at = batch
            .iter()
            .position(|event| event.id == "1" && event.event_type == "T");
        at.map_or(Published::Accepted, |index| Published::Refused {
            index: Some(index),
            reason: "no".to_owned(),
        })
    });
    relay.until_sent(1).await;
    let mut outbox = D::outbox(&case.url);
    case.run("UPDATE tidegate_outbox SET type = 'U' WHERE id = '1'")
        .await;
    assert_eq!(
        outbox.change(&[1, 2, 99], &Change::Retry).await.unwrap(),
        [1]
    );
    relay.until_sent(3).await;
    assert_eq!(relay.ids(), ["3", "1", "2"]);
    relay.stop().await;
}

/// Rows that are over go in small transactions; a few stay to be looked at.
async fn cleans<D: TestEngine>(case: &Case<D>) {
    case.run(
        "INSERT INTO tidegate_outbox (id, source, type, state, changed_at)
         WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 2999)
         SELECT n, '/s', 'T', CASE WHEN n < 100 THEN 'refused' ELSE 'sent' END, '2026-01-02T03:04:05.678Z' FROM n"
            .replace("SELECT n,", "SELECT CAST(n AS text),")
            .as_str(),
    )
    .await;
    case.run(&insert("new", "k")).await;
    let kept = Kept {
        age: Duration::from_secs(60),
        rows: 10,
    };
    let relay = case.relay(RelaySettings { kept, ..deaf() });
    let left = "SELECT count(*) FROM tidegate_outbox";
    eventually("old rows are gone", async || {
        (case.number(left).await == 101).then_some(())
    })
    .await;
    relay.until_sent(1).await;
    relay.stop().await;

    // However young, no more than so many.
    case.run("UPDATE tidegate_outbox SET state = 'sent' WHERE state = 'refused'")
        .await;
    let rows: String = (0..9)
        .map(|n| insert(&format!("young-{n}"), "k") + ";")
        .collect();
    case.run(&rows).await;
    let kept = Kept {
        age: Duration::from_secs(1 << 32),
        rows: 3,
    };
    let relay = case.relay(RelaySettings {
        kept,
        clean_every: Duration::from_millis(20),
        batch_events: 1,
        ..deaf()
    });
    relay.until_sent(9).await;
    case.run(&insert("wake", "k")).await;
    relay.until_sent(10).await;
    // The oldest of those that are kept may be as old as others.
    eventually("few are left", async || {
        (case.number(left).await <= 5).then_some(())
    })
    .await;
    relay.stop().await;
}

/// A row as large as it likes is read no further than its size.
async fn large<D: TestEngine>(case: &Case<D>) {
    let text = "x".repeat(3 << 20);
    for id in ["a", "b"] {
        case.run(&format!(
            "INSERT INTO tidegate_outbox (id, source, type, data) VALUES ('{id}', '/s', 'T', '{text}')"
        ))
        .await;
    }
    for id in ["c", "d", "e"] {
        let text = "x".repeat(900_000);
        case.run(&format!(
            "INSERT INTO tidegate_outbox (id, source, type, data) VALUES ('{id}', '/s', 'T', '{text}')"
        ))
        .await;
    }
    let mut outbox = D::outbox(&case.url);
    assert!(matches!(
        outbox.pending(10, 1 << 20).await,
        Err(OutboxError::NotClaimed)
    ));
    assert!(outbox.claim().await.unwrap());
    let rows = outbox.pending(10, 1 << 20).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].event.as_ref().unwrap_err().contains("larger"));
    outbox.mark_refused(1, "large").await.unwrap();
    outbox.mark_refused(2, "large").await.unwrap();
    let rows = outbox.pending(10, 2_000_000).await.unwrap();
    let ids: Vec<_> = rows
        .iter()
        .map(|row| row.event.as_ref().unwrap().id.as_str())
        .collect();
    assert_eq!(ids, ["c", "d"]);
    outbox.close().await;
}

/// Cut connections come back by themselves, the one that listens and the one that has the lock.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_cut_come_back() {
    let Some(case) = postgres("relay_cut").await else {
        return;
    };
    let relay = case.relay(RelaySettings {
        poll: Duration::from_millis(200),
        ..deaf()
    });
    for n in 1..=10 {
        case.run(&insert(&n.to_string(), "k")).await;
        relay.until_sent(n).await;
        let cut = "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = 'tidegate-relay' AND datname = current_database()) AS cut";
        eventually("somebody is connected", async || {
            (case.number(cut).await >= 1).then_some(())
        })
        .await;
    }
    let ids = relay.ids();
    let wanted: Vec<String> = (1..=10).map(|n: u32| n.to_string()).collect();
    assert_eq!(ids.iter().filter(|id| !wanted.contains(id)).count(), 0);
    relay.stop().await;
}

/// What was notified while nobody listened is found when somebody listens again.
#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_was_cut_misses_nothing() {
    let Some(case) = postgres("listener_cut").await else {
        return;
    };
    let relay = case.relay(deaf());
    for n in 1..=10 {
        case.run(&insert(&n.to_string(), "k")).await;
        relay.until_sent(n).await;
        let cut = "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE query ILIKE 'LISTEN%' AND datname = current_database()) AS cut";
        eventually("somebody listens", async || {
            (case.number(cut).await == 1).then_some(())
        })
        .await;
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_tables_or_without_access_is_said_at_the_start() {
    let Some(case) = postgres("no_tables").await else {
        return;
    };
    case.run("DROP TABLE tidegate_outbox").await;
    let mut outbox = Postgres::outbox(&case.url);
    assert!(matches!(
        outbox.claim().await,
        Err(OutboxError::NoTables(_))
    ));
    let mut outbox = Sqlite::outbox("sqlite:///nowhere/at.all");
    assert!(outbox.claim().await.is_err());
    let case = sqlite().await;
    case.run("DROP TABLE tidegate_outbox").await;
    let mut outbox = Sqlite::outbox(&case.url);
    assert!(matches!(
        outbox.claim().await,
        Err(OutboxError::NoTables(_))
    ));
    let mut outbox = Postgres::outbox("postgres://postgres@127.0.0.1:1/x");
    assert!(matches!(
        outbox.claim().await,
        Err(OutboxError::Unreachable(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_not_as_made_are_warned_of() {
    let Some(case) = postgres("warned").await else {
        return;
    };
    case.run(&insert("1", "k")).await;
    case.run(
        "ALTER TABLE tidegate_outbox DISABLE TRIGGER tidegate_outbox_place;
         ALTER TABLE tidegate_outbox DISABLE TRIGGER tidegate_outbox_wake;
         ALTER SEQUENCE tidegate_outbox_position CACHE 10;
         UPDATE tidegate_outbox SET position = 5000",
    )
    .await;
    let mut outbox = Postgres::outbox(&case.url);
    let warnings = outbox.status().await.unwrap().warnings;
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    // Without a position it is published all the same, last.
    case.run(&insert("2", "k")).await;
    let relay = case.relay(RelaySettings::default());
    relay.until_sent(2).await;
    assert_eq!(relay.ids(), ["1", "2"]);
    relay.stop().await;
}

macro_rules! on_both {
    ($($name:ident: $test:ident;)*) => {
        $(mod $name {
            use super::*;
            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                let Some(case) = postgres(concat!("relay_", stringify!($test))).await else { return };
                $test::<Postgres>(&case).await;
            }
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                $test::<Sqlite>(&sqlite().await).await;
            }
        })*
    };
}

on_both! {
    a_commit_wakes_the_relay_without_polling: wakes;
    an_event_arrives_whole: whole;
    a_second_relay_takes_over: hands_over;
    a_refused_row_holds_its_key: refuses;
    a_skipped_row_lets_its_key_go_on: skips;
    a_retried_row_keeps_its_place: retries;
    rows_that_are_over_are_deleted: cleans;
    large_rows_do_not_fill_the_memory: large;
}
