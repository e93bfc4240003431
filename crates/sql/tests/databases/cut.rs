//! The connection is lost during COMMIT: nobody knows, until the delivery is run again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::Postgres;
use tidegate_sql::{Applied, EffectError, Effects};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{TestEngine, delivery, event, postgres};

const EFFECT: &str = "INSERT INTO effect VALUES (1)";

/// Passes everything on; once, it lets a COMMIT through to the server and cuts its answer off.
async fn proxy(server: String, cuts: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(pass(client, server, Arc::clone(&cuts)));
        }
    });
    port
}

async fn pass(mut client: TcpStream, mut server: TcpStream, cuts: Arc<AtomicBool>) {
    let (mut asked, mut answered) = ([0; 8_192], [0; 8_192]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                let text = &asked[..count];
                let is_commit = text.windows(6).any(|part| part == b"COMMIT");
                server.write_all(text).await.unwrap();
                if is_commit && cuts.swap(false, Ordering::SeqCst) {
                    // The server has done it once it answers; the client never hears of it.
                    assert!(server.read(&mut answered).await.unwrap() > 0);
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return };
                if client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_unknown_and_then_a_duplicate() {
    let Some(case) = postgres("answer_lost").await else {
        return;
    };
    let cuts = Arc::new(AtomicBool::new(false));
    let address = case.url.split(['@', '/']).nth(3).unwrap().to_owned();
    let port = proxy(address.clone(), Arc::clone(&cuts)).await;
    let url = case.url.replace(&address, &format!("127.0.0.1:{port}"));
    let effects = Effects::new(sqlx::PgPool::connect(&url).await.unwrap());
    let handler = async |transaction: &mut sqlx::PgConnection| {
        Postgres::run(transaction, EFFECT)
            .await
            .map(|()| vec![event("a")])
    };
    // The epoch is known from here on.
    effects.apply(&delivery(1, 1), handler).await.unwrap();
    cuts.store(true, Ordering::SeqCst);
    let lost = effects.apply(&delivery(2, 1), handler).await.unwrap_err();
    assert!(matches!(lost, EffectError::Unknown(_)), "{lost:?}");
    assert!(lost.is_retryable());
    assert_eq!(
        effects.apply(&delivery(2, 1), handler).await.unwrap(),
        Applied::Duplicate
    );
    assert_eq!(case.number("SELECT count(*) FROM effect").await, 2);
    assert_eq!(case.number("SELECT count(*) FROM tidegate_outbox").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_ended_in_its_commit_is_unknown_and_then_done() {
    let Some(case) = postgres("session_ended").await else {
        return;
    };
    case.run(
        "CREATE TABLE fuse (n int); INSERT INTO fuse VALUES (1);
         CREATE FUNCTION blow() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_terminate_backend(pg_backend_pid()) FROM fuse;
             RETURN NULL;
         END $$;
         CREATE CONSTRAINT TRIGGER blow AFTER INSERT ON effect DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION blow();",
    )
    .await;
    let effects = Effects::new(case.pool.clone());
    let handler = async |transaction: &mut sqlx::PgConnection| {
        Postgres::run(transaction, EFFECT)
            .await
            .map(|()| Vec::new())
    };
    let lost = effects.apply(&delivery(1, 1), handler).await.unwrap_err();
    assert!(matches!(lost, EffectError::Unknown(_)), "{lost:?}");
    assert_eq!(case.number("SELECT count(*) FROM effect").await, 0);
    case.run("DELETE FROM fuse").await;
    let applied = effects.apply(&delivery(1, 1), handler).await.unwrap();
    assert!(matches!(applied, Applied::Done { .. }));
    assert_eq!(case.number("SELECT count(*) FROM effect").await, 1);
}

/// A constraint that is checked at COMMIT says for certain that nothing was committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_refused_is_not_unknown() {
    let Some(case) = postgres("commit_refused").await else {
        return;
    };
    case.run(
        "CREATE TABLE parent (id bigint PRIMARY KEY);
         ALTER TABLE effect ADD FOREIGN KEY (delivery) REFERENCES parent DEFERRABLE INITIALLY DEFERRED",
    )
    .await;
    let effects = Effects::new(case.pool.clone());
    let refused = effects
        .apply(&delivery(1, 1), async |transaction| {
            Postgres::run(transaction, EFFECT)
                .await
                .map(|()| Vec::new())
        })
        .await
        .unwrap_err();
    assert!(matches!(refused, EffectError::Database(_)), "{refused:?}");
    assert!(!refused.is_retryable());
    assert_eq!(case.number("SELECT count(*) FROM tidegate_inbox").await, 0);
}
