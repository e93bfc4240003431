//! The whole way over HTTP: events come in batches of a hundred, each is validated, stored, pushed to a consumer
//! over connections that are kept, and its end recorded. Beside it, in the same run, the ceiling: the same requests
//! by the same clients to the same kind of server, whose handlers do nothing.
//!
//! `cargo bench -p tidegate-server --bench http`

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark: it measures time, prints, and stops at what is wrong"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tidegate_base::{Clock, Envelope, Timestamp};
use tidegate_broker_log::LogBroker;
use tidegate_log::Options;
use tidegate_model::{Design, Source, read};
use tidegate_runtime::{Attempt, Caller, Runtime, Settings, TokioClock};
use tidegate_server::{Access, HttpCaller, Server};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCHES: usize = 200;
const BATCH: usize = 100;
const PRODUCERS: usize = 8;
/// Pushes at the same time.
const CONCURRENCY: usize = 64;
const ROUNDS: usize = 3;

fn design(consumer: SocketAddr) -> Design {
    let text = format!(
        r#"
tidegate: 1
system: shop
events:
  OrderPlaced:
    key: /orderId
    schema: {{type: object, required: [orderId, total], properties: {{orderId: {{type: string}}, total: {{type: number}}}}}}
services:
  orders: {{publishes: [OrderPlaced]}}
  billing:
    consumes:
      OrderPlaced:
        deliver: {{to: "http://{consumer}/", concurrency: {CONCURRENCY}, timeout: 30s}}
        guarantee: deduplicated
"#
    );
    let source = Source {
        name: Arc::from("design.yaml"),
        text,
    };
    let reading = read(&[source], &|_| Err("no files".to_owned()));
    reading.design.expect("the design is readable")
}

fn event(number: usize) -> serde_json::Value {
    serde_json::json!({
        "specversion": "1.0", "id": number.to_string(), "source": "/shop", "type": "OrderPlaced",
        "datacontenttype": "application/json",
        "data": {"orderId": format!("order-{}", number % 10_000), "total": 12.5, "note": "x".repeat(200)},
    })
}

/// The bodies of all batches.
fn bodies() -> Vec<Bytes> {
    let body = |batch: usize| {
        let events: Vec<_> = (batch * BATCH..(batch + 1) * BATCH).map(event).collect();
        Bytes::from(serde_json::to_vec(&events).expect("JSON"))
    };
    (0..BATCHES).map(body).collect()
}

/// A server whose handlers do nothing: a consumer of the whole way, and both ends of the ceiling.
async fn empty() -> SocketAddr {
    let nothing = |_body: Bytes| async { StatusCode::NO_CONTENT };
    let app = Router::new()
        .route("/", post(nothing))
        .route("/v1/events", post(nothing));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

type HttpClient = Client<HttpConnector, Full<Bytes>>;

async fn publish(client: HttpClient, to: SocketAddr, bodies: Vec<Bytes>) {
    for body in bodies {
        let request = Request::post(format!("http://{to}/v1/events"))
            .header(header::CONTENT_TYPE, "application/cloudevents-batch+json")
            .body(Full::new(body))
            .expect("a request");
        let response = client.request(request).await.expect("an answer");
        assert!(response.status().is_success(), "{}", response.status());
        let _read = response.into_body().collect().await.expect("a body");
    }
}

/// Starts the producers, each with its share of the batches.
fn produce(to: SocketAddr) -> Vec<tokio::task::JoinHandle<()>> {
    let client: HttpClient = Client::builder(TokioExecutor::new()).build_http();
    let bodies = bodies();
    let shares = bodies.chunks(BATCHES / PRODUCERS);
    let start = |share: &[Bytes]| tokio::spawn(publish(client.clone(), to, share.to_vec()));
    shares.map(start).collect()
}

/// How long the same requests take when nothing is done.
async fn ceiling() -> Duration {
    let address = empty().await;
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(Timestamp::from_millis(1)));
    let caller = Arc::new(HttpCaller::new(clock));
    let envelope = Envelope::from_value(event(1)).expect("an event");
    let attempt = Attempt {
        consumer: "billing/OrderPlaced".parse().expect("a name"),
        endpoint: Arc::from(format!("http://{address}/")),
        envelope: Arc::new(envelope),
        delivery_id: "billing/OrderPlaced/1".to_owned(),
        attempt: 1,
        sequence: 1,
        generation: 0,
        state: None,
        epoch: 1,
        deadline: Timestamp::from_millis(60_000),
        timeout: Duration::from_secs(30),
    };
    let start = Instant::now();
    let producers = produce(address);
    let pushers: Vec<_> = (0..CONCURRENCY)
        .map(|_| {
            let (caller, attempt) = (Arc::clone(&caller), attempt.clone());
            tokio::spawn(async move {
                for _ in 0..BATCHES * BATCH / CONCURRENCY {
                    let answer = caller.call(attempt.clone()).await;
                    assert!(answer.outcome.is_done(), "{:?}", answer.outcome);
                }
            })
        })
        .collect();
    for task in producers.into_iter().chain(pushers) {
        task.await.expect("no panic");
    }
    start.elapsed()
}

/// How long the whole way takes, until every end is recorded.
async fn whole() -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let (broker, _) = LogBroker::open(folder.path(), Options::default()).expect("a log");
    let now = Timestamp::from_millis(1_700_000_000_000);
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(now));
    let caller = Arc::new(HttpCaller::new(Arc::clone(&clock)));
    let design = design(empty().await);
    let settings = Settings {
        // The end is seen when the view is renewed.
        view_interval: Duration::from_millis(20),
        ..Settings::default()
    };
    let runtime = Runtime::start(&design, Arc::new(broker), caller, clock, settings);
    let runtime = runtime.await.expect("it starts");
    let loopback = "127.0.0.1:0".parse().expect("an address");
    let access = Access::new(loopback, None).expect("loopback needs no token");
    let server = Server::start(runtime.clone(), access).await;
    let server = server.expect("it listens");
    let start = Instant::now();
    for producer in produce(server.address()) {
        producer.await.expect("no panic");
    }
    let all = (BATCHES * BATCH) as u64;
    let done = |view: &tidegate_runtime::view::SystemView| {
        view.consumers
            .iter()
            .map(|c| c.succeeded_total)
            .sum::<u64>()
    };
    let mut views = runtime.watch();
    while done(&views.borrow_and_update()) < all {
        views.changed().await.expect("it runs");
    }
    let took = start.elapsed();
    server.stop(Duration::from_secs(1)).await;
    took
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let events = BATCHES * BATCH;
    println!(
        "{events} events in batches of {BATCH} from {PRODUCERS} producers, pushed {CONCURRENCY} at a time"
    );
    println!("   ceiling    whole way    ratio");
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let ceiling = runtime.block_on(ceiling());
        let whole = runtime.block_on(whole());
        let rate = |time: Duration| events as f64 / time.as_secs_f64();
        let ratio = rate(whole) / rate(ceiling);
        println!(
            "{:>8.0}/s  {:>9.0}/s  {ratio:>7.3}",
            rate(ceiling),
            rate(whole)
        );
        ratios.push(ratio);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios.get(ROUNDS / 2).copied().unwrap_or_default();
    println!("median {median:.3}");
}
