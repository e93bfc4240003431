//! An app and a daemon: a runtime behind a real server, in this process.

use std::net::SocketAddr;
use std::time::Duration;

use tidegate::{App, Batch, Context, Outcome, Publication, PublishError, Setup, StartError};
use tidegate_server::{Access, Server, Token};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A daemon of the shop whose consumers are all pulled.
struct Daemon {
    app: App,
    server: Server,
}

impl Daemon {
    async fn start() -> Self {
        Self::with(None, "127.0.0.1:0".parse().unwrap()).await
    }

    async fn with(token: Option<Token>, address: SocketAddr) -> Self {
        let app = with_only(App::in_memory(shop()), &[])
            .start()
            .await
            .unwrap();
        let runtime = app.runtime().unwrap().clone();
        let access = Access::new(address, token).unwrap();
        let server = Server::start(runtime, access).await.unwrap();
        Self { app, server }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    fn app(&self) -> Setup {
        with_only(App::connect(self.url()), &[])
    }

    /// An app with a handler of [`BILLING`].
    fn billing(&self) -> Setup {
        with_only(App::connect(self.url()), &[BILLING])
    }
}

#[tokio::test]
async fn events_flow_through_the_daemon_with_outputs_and_states() {
    let daemon = Daemon::start().await;
    let (sums, shipped) = (Notes::<(String, u64)>::new(), Notes::new());
    let parcels = shipped.clone();
    let billing = daemon
        .billing()
        .share(sums.clone())
        .on(
            BILLING,
            async |order: OrderPlaced, context: Context, notes| {
                let paid = payment(&order);
                let outcome = crate::states::sum(order, context, notes).await?;
                Ok::<_, Outcome>(outcome.publish(&paid))
            },
        )
        .start()
        .await
        .unwrap();
    let shipping = with_only(App::connect(daemon.url()), &[SHIPPING])
        .on(SHIPPING, move |payment: PaymentTaken, context: Context| {
            let envelope = context.envelope();
            parcels.add((
                payment.order,
                envelope.source.clone(),
                context.delivery_id().to_owned(),
            ));
            std::future::ready(())
        })
        .start()
        .await
        .unwrap();
    let shop = daemon.app().source("/web").start().await.unwrap();
    for name in ["a", "a", "a", "a"] {
        shop.publish(&order(name)).await.unwrap();
    }
    shipped.wait_for(4).await;
    let sums: Vec<u64> = sums.all().into_iter().map(|(_, cents)| cents).collect();
    assert_eq!(sums, [100, 200, 300, 100]);
    let (name, source, delivery) = shipped.all()[0].clone();
    assert_eq!((name.as_str(), source.as_str()), ("a", "/billing"));
    assert_eq!(delivery, "shipping/PaymentTaken/0");
    until(|| done(&daemon.app, BILLING) == 4 && done(&daemon.app, SHIPPING) == 4).await;
    for app in [billing, shipping, shop] {
        app.drain(Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn outcomes_mean_over_http_what_they_mean_in_process() {
    let daemon = Daemon::start().await;
    let runs: Notes<(String, u32, bool)> = Notes::new();
    let noted = runs.clone();
    let app = daemon
        .billing()
        .on(BILLING, move |order: OrderPlaced, context: Context| {
            let fenced = context.epoch() > 0 && context.remaining() > Duration::from_secs(1);
            let earlier = noted
                .all()
                .iter()
                .filter(|(name, ..)| *name == order.order)
                .count();
            noted.add((order.order.clone(), context.attempt(), fenced));
            let outcome = match (order.order.as_str(), earlier) {
                ("poison", _) => Outcome::park("it has no customer"),
                ("flaky", 0) => Outcome::retry("locked").after(Duration::from_millis(10)),
                ("busy", 0) => Outcome::overloaded("429").after(Duration::from_millis(10)),
                ("panics", _) => panic!("a handler of a test panics, as it should"),
                ("foreign", _) => Outcome::done().publish(&order),
                ("huge", _) => {
                    let payment = PaymentTaken {
                        order: "x".repeat(900_000),
                    };
                    (0..12).fold(Outcome::done(), |done, _| done.publish(&payment))
                }
                _ => Outcome::done(),
            };
            std::future::ready(outcome)
        })
        .start()
        .await
        .unwrap();
    let names = [
        "poison", "flaky", "busy", "panics", "foreign", "huge", "fine",
    ];
    for name in names {
        app.publish(&order(name)).await.unwrap();
    }
    let odd = serde_json::json!({"order": "odd"});
    app.publish(Publication::new("OrderPlaced", &odd))
        .await
        .unwrap();
    let letters = letters_of(&daemon.app, 5).await;
    until(|| done(&daemon.app, BILLING) == 3).await;
    let of = |name: &str| {
        let letter = letters
            .iter()
            .find(|letter| letter.key.as_deref() == Some(name));
        letter
            .unwrap_or_else(|| panic!("{name}: {letters:?}"))
            .error
            .clone()
    };
    assert_eq!(of("poison"), "it has no customer");
    assert!(of("panics").contains("as it should"), "{}", of("panics"));
    assert!(of("foreign").contains("does not emit"), "{}", of("foreign"));
    assert!(of("huge").contains("is refused"), "{}", of("huge"));
    assert!(of("odd").contains("missing field `cents`"), "{}", of("odd"));
    let attempts = |name: &str| -> Vec<u32> {
        let runs = runs.all();
        let of_name = runs.into_iter().filter(|(noted, ..)| noted == name);
        of_name.map(|(_, attempt, _)| attempt).collect()
    };
    assert_eq!(attempts("flaky"), [1, 2]);
    assert_eq!(attempts("busy"), [1, 1]);
    assert_eq!(attempts("panics"), [1, 2, 3]);
    assert!(runs.all().iter().all(|(.., fenced)| *fenced), "{runs:?}");
}

#[tokio::test]
async fn what_is_away_is_told_to_the_breaker_of_the_daemon() {
    let daemon = Daemon::start().await;
    let app = daemon
        .billing()
        .on(BILLING, async |order: OrderPlaced| {
            drop(order);
            Outcome::unavailable("no route to the bank")
        })
        .start()
        .await
        .unwrap();
    for name in ["a", "b", "c", "d"] {
        app.publish(&order(name)).await.unwrap();
    }
    let runtime = daemon.app.runtime().unwrap();
    until(|| runtime.view().dependencies[0].state != "closed").await;
}

#[tokio::test]
async fn batches_and_requests_work_with_a_daemon() {
    let daemon = Daemon::start().await;
    let runs: Notes<usize> = Notes::new();
    let noted = runs.clone();
    let app = with_only(App::connect(daemon.url()), &[BILLING, QUOTING, QUOTES])
        .replies::<QuoteGiven>(QUOTES)
        .on(QUOTING, crate::requests::quote)
        .on_batch(
            BILLING,
            100,
            Duration::from_millis(100),
            move |orders: Batch<OrderPlaced>| {
                noted.add(orders.len());
                let odd = orders.iter().any(|item| item.data.order == "3");
                std::future::ready(if odd {
                    Err(Outcome::park("odd"))
                } else {
                    Ok(())
                })
            },
        )
        .start()
        .await
        .unwrap();
    let orders: Vec<OrderPlaced> = (0..8).map(|number| order(&number.to_string())).collect();
    app.publish_all(&orders).await.unwrap();
    let letters = letters_of(&daemon.app, 1).await;
    assert_eq!(letters[0].key.as_deref(), Some("3"));
    until(|| done(&daemon.app, BILLING) == 7).await;
    assert!(runs.all().iter().any(|size| *size > 1), "{runs:?}");
    let asked = QuoteAsked {
        item: "pen".to_owned(),
    };
    let reply = app
        .request::<QuoteGiven>(&asked, Duration::from_secs(30))
        .await
        .unwrap();
    assert_eq!(reply.item, "pen");
}

#[tokio::test]
async fn a_drain_finishes_what_runs_and_gives_the_rest_back() {
    let daemon = Daemon::start().await;
    let started: Notes<(String, u32)> = Notes::new();
    let (noted, again) = (started.clone(), started.clone());
    let app = daemon
        .billing()
        .on(BILLING, move |order: OrderPlaced, context: Context| {
            noted.add((order.order.clone(), context.attempt()));
            async move {
                match order.order.as_str() {
                    "hangs" => std::future::pending::<()>().await,
                    _ => tokio::time::sleep(Duration::from_millis(200)).await,
                }
            }
        })
        .start()
        .await
        .unwrap();
    app.publish_all([&order("quick"), &order("hangs")])
        .await
        .unwrap();
    started.wait_for(2).await;
    let report = app.drain(Duration::from_secs(4)).await;
    assert_eq!((report.finished, report.cancelled), (1, 1), "{report:?}");
    // The lease is back long before it ends, and the attempt did not count.
    let app = daemon
        .billing()
        .on(BILLING, move |order: OrderPlaced, context: Context| {
            again.add((order.order, context.attempt()));
            std::future::ready(())
        })
        .start()
        .await
        .unwrap();
    until(|| done(&daemon.app, BILLING) == 2).await;
    assert_eq!(started.all()[2], ("hangs".to_owned(), 1));
    drop(app);
}

#[tokio::test]
async fn an_app_that_is_dropped_gives_its_leases_back() {
    let daemon = Daemon::start().await;
    let attempts: Notes<u32> = Notes::new();
    let noted = attempts.clone();
    let hanging = daemon
        .billing()
        .on(BILLING, move |order: OrderPlaced, context: Context| {
            noted.add(context.attempt());
            drop(order);
            std::future::pending::<()>()
        })
        .start()
        .await
        .unwrap();
    hanging.publish(&order("a")).await.unwrap();
    attempts.wait_for(1).await;
    drop(hanging);
    let noted = attempts.clone();
    let app = daemon
        .billing()
        .on(BILLING, move |order: OrderPlaced, context: Context| {
            noted.add(context.attempt());
            drop(order);
            std::future::ready(())
        })
        .start()
        .await
        .unwrap();
    until(|| done(&daemon.app, BILLING) == 1).await;
    assert_eq!(attempts.all(), [1, 1], "the attempt did not count");
    drop(app);
}

#[tokio::test]
async fn an_app_outlives_its_daemon_and_publishes_when_it_is_back() {
    let daemon = Daemon::start().await;
    let address = daemon.server.address();
    let handled = Notes::new();
    let noted = handled.clone();
    let app = daemon
        .billing()
        .on(BILLING, move |order: OrderPlaced| {
            noted.add(order.order);
            std::future::ready(())
        })
        .start()
        .await
        .unwrap();
    app.publish(&order("before")).await.unwrap();
    handled.wait_for(1).await;
    let Daemon { app: old, server } = daemon;
    old.drain(Duration::from_secs(1)).await;
    server.stop(Duration::from_secs(5)).await;
    let error = app.try_publish(&order("meanwhile")).await.unwrap_err();
    assert!(matches!(error, PublishError::Unanswered { .. }), "{error}");
    let waiting = tokio::spawn({
        let app = app.clone();
        async move { app.publish(&order("after")).await }
    });
    let daemon = Daemon::with(None, address).await;
    waiting.await.unwrap().unwrap();
    handled.wait_for(2).await;
    assert_eq!(handled.all(), ["before", "after"]);
    until(|| done(&daemon.app, BILLING) == 1).await;
}

#[tokio::test]
async fn a_daemon_with_a_token_wants_it() {
    let token = Token::new(TOKEN).unwrap();
    let daemon = Daemon::with(Some(token), "127.0.0.1:0".parse().unwrap()).await;
    let error = daemon.app().start().await.unwrap_err().to_string();
    assert!(error.contains("`.token_file(…)`"), "{error}");
    let wrong = daemon.app().token("no").start().await;
    assert!(matches!(wrong, Err(StartError::Daemon { .. })), "{wrong:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let app = daemon.app().token_file(&file).start().await.unwrap();
    app.publish(&order("a")).await.unwrap();
}

#[tokio::test]
async fn misfits_with_a_daemon_are_told_at_the_start() {
    let daemon = Daemon::start().await;
    let setup = App::connect(daemon.url())
        .on("billing/OrderPlacd", async |order: OrderPlaced| drop(order))
        .start();
    let error = setup.await.unwrap_err().to_string();
    for expected in [
        "did you mean `billing/OrderPlaced`?",
        "`billing/OrderPlaced` has no handler",
        "`billing/QuoteAsked` has no handler",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    assert!(
        !error.contains("shipping"),
        "another service has another program: {error}"
    );
    for (url, expected) in [
        ("http://127.0.0.1:1", "start it with `tidegate run DESIGN`"),
        ("tcp://127.0.0.1:1", "is no URL of a daemon"),
        ("http://a:b@127.0.0.1", "a secret does not belong"),
    ] {
        let error = App::connect(url).start().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn what_a_daemon_refuses_is_not_tried_again() {
    let daemon = Daemon::start().await;
    let app = daemon.app().start().await.unwrap();
    let error = app
        .publish(Publication::new("OrderPlacd", &1))
        .await
        .unwrap_err();
    assert!(matches!(error, PublishError::Refused { .. }), "{error}");
    assert!(
        error.to_string().contains("did you mean `OrderPlaced`?"),
        "{error}"
    );
    let event = Publication::from(&order("A")).id("A");
    let first = app.publish(event.clone()).await.unwrap();
    let again = app.publish(event).await.unwrap();
    assert_eq!(first.sequence, again.sequence);
    assert_eq!(again.duplicate, tidegate::Accept::Duplicate);
}

/// Reads one request: its first line and its body.
async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some((head.lines().next()?.to_owned(), body.as_bytes().to_vec()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

#[tokio::test]
async fn an_event_keeps_its_id_when_the_answer_was_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ids: Notes<String> = Notes::new();
    let noted = ids.clone();
    // A daemon whose first answer to an event is lost.
    let stub = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let Some((first, body)) = request(&mut stream).await else {
                continue;
            };
            let answer = if first.starts_with("get ") {
                serde_json::json!({"system": "shop", "consumers": []})
            } else {
                let events: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let id = events[0]["id"].as_str().unwrap().to_owned();
                if noted.add(id.clone()) == 0 {
                    continue;
                }
                let stored = serde_json::json!({"id": id, "event": "OrderPlaced", "sequence": 7, "duplicate": true});
                serde_json::json!({ "accepted": [stored] })
            };
            let answer = answer.to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all((head + &answer).as_bytes()).await.unwrap();
        }
    });
    let app = App::connect(format!("http://{address}"))
        .start()
        .await
        .unwrap();
    let accepted = app.publish(&order("a")).await.unwrap();
    let ids = ids.all();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    assert_eq!((accepted.id, accepted.sequence), (ids[0].clone(), 7));
    stub.abort();
}
