//! The daemon and the process with the handlers are killed at random moments, or put to sleep and woken beside their
//! successors. In the end every accepted event has changed each database once.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{PgPool, SqlitePool};
use tidegate_base::Random;

use crate::bookkeeper::{BILLING, Orders, STOCK, begin};
use crate::history::{Happening, counts};
use crate::ledger::{Booked, Books, check_books, check_emitted};
use crate::publisher::{Address, Flags, Over, publish};
use crate::rounds::{KILLS, kill, rest, setting, wait_for};
use crate::server;
use crate::service::World;
use crate::support::{Daemon, eventually, run};

/// Accepted events between two kills, at most.
const ACCEPTED: u64 = 120;

const TABLES: &str = "
    CREATE TABLE account (key TEXT PRIMARY KEY, sum BIGINT NOT NULL);";
const SQLITE_LEDGER: &str = "
    CREATE TABLE ledger (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, key TEXT, sequence BIGINT)";
const POSTGRES_LEDGER: &str = "
    CREATE TABLE ledger (number bigserial PRIMARY KEY, id text, key text, sequence bigint)";

fn design(folder: &Path, with_postgres: bool) -> String {
    let consumer = |service: &str, transaction: &str| {
        format!(
            r"  {service}:
    owner: team
    publishes: [Entered]
    consumes:
      OrderPlaced:
        deliver: {{concurrency: 16, timeout: 2s, transaction: {transaction}}}
        guarantee: exactly-once-effect
        retry: {{initial: 5ms, max: 50ms, attempts: 8}}
        dead-letter: {{retention: 30d}}
        emits: [Entered]
"
        )
    };
    let stock = if with_postgres {
        consumer("stock", "postgres")
    } else {
        String::new()
    };
    let event = |name: &str| {
        format!(
            r"  {name}:
    summary: Something.
    owner: team
    key: /orderId
    schema: {{type: object, required: [orderId], properties: {{orderId: {{type: string}}}}}}
"
        )
    };
    let text = format!(
        "tidegate: 1\nsystem: books\nevents:\n{}{}services:\n  orders: {{owner: team, publishes: [OrderPlaced]}}\n{}{stock}",
        event("OrderPlaced"),
        event("Entered"),
        consumer("billing", "sqlite"),
    );
    let path = folder.join("design.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The processes with the handlers: one at work, and those that sleep.
struct Bookkeepers<'a> {
    orders: &'a Orders,
    at_work: Child,
    asleep: Vec<Child>,
    awake: Vec<Child>,
}

impl<'a> Bookkeepers<'a> {
    fn begin(orders: &'a Orders) -> Self {
        let at_work = begin(orders);
        Self {
            orders,
            at_work,
            asleep: Vec::new(),
            awake: Vec::new(),
        }
    }

    /// The one at work dies, and another one takes its place.
    fn replace(&mut self) {
        let before = std::mem::replace(&mut self.at_work, begin(self.orders));
        end(before);
    }

    /// The one at work stops in the middle of what it does, and another one takes its place.
    fn put_to_sleep(&mut self) {
        let before = std::mem::replace(&mut self.at_work, begin(self.orders));
        signal(&before, Signal::STOP);
        self.asleep.push(before);
    }

    /// Those that slept go on with what they did; those that had been woken die.
    fn turn(&mut self) {
        self.awake.drain(..).for_each(end);
        for sleeper in self.asleep.drain(..) {
            signal(&sleeper, Signal::CONT);
            self.awake.push(sleeper);
        }
    }
}

impl Drop for Bookkeepers<'_> {
    fn drop(&mut self) {
        for child in self.asleep.iter_mut().chain(&mut self.awake) {
            drop(child.kill());
            drop(child.wait());
        }
        drop(self.at_work.kill());
        drop(self.at_work.wait());
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Rounds of load and kills; returns the last daemon, with everything done.
fn rounds(world: &World, orders: &Orders, start: &dyn Fn(u64) -> Daemon, address: &Address) {
    let kills = setting("TIDEGATE_KILLS").unwrap_or(KILLS);
    let random = Random::new(orders.seed, "effects", "kills");
    let flags = Flags::default();
    let mut did: BTreeMap<&str, u64> = BTreeMap::new();
    std::thread::scope(|scope| {
        let over = Over(&flags);
        let flags = &flags;
        let publishers =
            [0, 1].map(|publisher| scope.spawn(move || publish(world, address, publisher, flags)));
        let mut daemon = start(0);
        let mut keepers = Bookkeepers::begin(orders);
        for round in 1..=kills {
            let accepted = random.bits(2 * round) % ACCEPTED;
            wait_for(world, usize::try_from(accepted).unwrap());
            keepers.turn();
            let deed = match random.bits(2 * round + 1) % 8 {
                0..2 => "the handlers die",
                2..5 => "the daemon dies",
                5 => "both die",
                _ => "the handlers sleep",
            };
            *did.entry(deed).or_default() += 1;
            if matches!(deed, "the daemon dies" | "both die") {
                kill(world, address, daemon);
                daemon = start(round);
            }
            match deed {
                "the handlers sleep" => keepers.put_to_sleep(),
                "the handlers die" | "both die" => keepers.replace(),
                _ => {}
            }
            // So that keys go on.
            redrive(&daemon);
        }
        flags.no_load.store(true, Ordering::Relaxed);
        for publisher in publishers {
            publisher.join().unwrap();
        }
        keepers.turn();
        mend(orders, &daemon);
        // With all rows sent and all notes collected, nothing is left to do.
        eventually("rows are sent and notes collected", || {
            let books = books(orders);
            let left = |books: &Books| books.notes + books.unsent;
            books.iter().all(|books| left(books) == 0).then_some(())
        });
        drop(keepers);
        drop(over);
        assert!(daemon.interrupt().success(), "it drains and exits 0");
    });
    println!("{did:#?}");
}

/// Handlers only succeed from now on, and what they had given up comes back.
fn mend(orders: &Orders, daemon: &Daemon) {
    std::fs::write(&orders.mended, "").unwrap();
    let mut before = Vec::new();
    // Patience is with what stands still, not with what is long.
    loop {
        redrive(daemon);
        let left = eventually("something is done, or nothing is left", || {
            let left = left(daemon);
            (left != before || left.iter().all(|number| *number == 0)).then_some(left)
        });
        if left.iter().all(|number| *number == 0) {
            break;
        }
        before = left;
    }
    assert!(rest(daemon).is_empty());
}

fn redrive(daemon: &Daemon) {
    for consumer in [BILLING, STOCK] {
        let body = json!({ "consumer": consumer }).to_string();
        daemon.post("/v1/dead-letters/redrive", "application/json", &body);
    }
}

/// What consumers have left to do.
fn left(daemon: &Daemon) -> Vec<u64> {
    let state = daemon.get("/v1/state");
    let consumers = state["consumers"].as_array().unwrap().iter();
    let number = |consumer: &Value, name: &str| consumer[name].as_u64().unwrap();
    let left = consumers.map(|consumer| {
        let names = ["backlog", "dead_letters", "followers"];
        names.iter().map(|name| number(consumer, name)).sum()
    });
    left.collect()
}

/// What the databases hold.
fn books(orders: &Orders) -> Vec<Books> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut all = vec![of_sqlite(&orders.sqlite).await];
        if let Some(url) = &orders.postgres {
            all.push(of_postgres(url).await);
        }
        all
    })
}

macro_rules! read_books {
    ($consumer:expr, $pool:expr) => {{
        let pool = $pool;
        let ledger: Vec<(String, String, i64)> =
            sqlx::query_as("SELECT id, key, sequence FROM ledger ORDER BY number")
                .fetch_all(&pool)
                .await
                .unwrap();
        let sums: Vec<(String, i64)> = sqlx::query_as("SELECT key, sum FROM account")
            .fetch_all(&pool)
            .await
            .unwrap();
        let count = async |sql: &'static str| -> i64 {
            sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
        };
        let notes = count("SELECT count(*) FROM tidegate_inbox").await;
        let unsent = count("SELECT count(*) FROM tidegate_outbox WHERE state <> 'sent'").await;
        let ledger = ledger.into_iter().map(|(id, key, sequence)| Booked {
            id,
            key,
            sequence: u64::try_from(sequence).unwrap(),
        });
        Books {
            consumer: $consumer,
            ledger: ledger.collect(),
            sums: sums.into_iter().collect(),
            notes,
            unsent,
        }
    }};
}

async fn of_sqlite(url: &str) -> Books {
    read_books!(BILLING, SqlitePool::connect(url).await.unwrap())
}

async fn of_postgres(url: &str) -> Books {
    read_books!(STOCK, PgPool::connect(url).await.unwrap())
}

/// The `id`s of what the log holds in the channel of emitted events.
fn emitted(data: &str) -> Vec<String> {
    let output = run(&["log", "dump", data, "--format", "json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let records = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let records = records.filter(|record: &Value| record["channel"] == "Entered");
    let id = |record: Value| {
        let headers = record["headers"].as_array().unwrap();
        let id = headers.iter().find(|header| header[0] == "id");
        id.unwrap()[1].as_str().unwrap().to_owned()
    };
    records.map(id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_effect_is_had_once_when_daemon_and_handlers_are_killed_under_load() {
    let seed = setting("TIDEGATE_SEED").unwrap_or(u64::from(std::process::id()));
    println!("TIDEGATE_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let orders = orders(folder.path(), seed).await;
    let ended = tokio::task::spawn_blocking(move || {
        let world = World::new(seed);
        let design = design(folder.path(), orders.postgres.is_some());
        let data = folder.path().join("data").to_str().unwrap().to_owned();
        let arguments = ["run", &design, "--data", &data];
        let address: Address = Arc::new(Mutex::new(None));
        let host = orders.daemon.trim_start_matches("http://");
        let start = |life: u64| {
            let daemon = Daemon::start_on(host, &arguments);
            *address.lock().unwrap() = Some((daemon.url.clone(), life));
            daemon
        };
        rounds(&world, &orders, &start, &address);
        let history = world.history.all();
        println!("{:#?}", counts(&history));
        let accepted = history.iter().filter_map(|happening| match happening {
            Happening::Accepted { id, sequence } => Some((id.clone(), *sequence)),
            _ => None,
        });
        let accepted: BTreeMap<String, u64> = accepted.collect();
        let all = books(&orders);
        let consumers: Vec<&'static str> = all.iter().map(|books| books.consumer).collect();
        let mut wrong: Vec<String> = all
            .iter()
            .flat_map(|books| check_books(&accepted, books))
            .collect();
        wrong.extend(check_emitted(&accepted, &consumers, &emitted(&data)));
        assert!(
            wrong.is_empty(),
            "TIDEGATE_SEED={seed}:\n{}",
            wrong.join("\n")
        );
    });
    ended.await.unwrap();
}

/// Databases with their tables, and an address that the daemon keeps through its lives.
async fn orders(folder: &Path, seed: u64) -> Orders {
    let file = folder.join("billing.db");
    let sqlite = format!("sqlite://{}", file.display());
    let pool = SqlitePool::connect(&format!("{sqlite}?mode=rwc"))
        .await
        .unwrap();
    for script in [tidegate_sql::SQLITE, TABLES, SQLITE_LEDGER] {
        sqlx::raw_sql(script).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let postgres = server::database("effects").await;
    if let Some(url) = &postgres {
        let pool = PgPool::connect(url).await.unwrap();
        for script in [tidegate_sql::POSTGRES, TABLES, POSTGRES_LEDGER] {
            sqlx::raw_sql(script).execute(&pool).await.unwrap();
        }
        pool.close().await;
    }
    Orders {
        daemon: format!("http://127.0.0.1:{}", port(seed)),
        sqlite,
        postgres,
        mended: folder.join("mended"),
        seed,
    }
}

/// A port that nobody gets by chance while the daemon is dead.
pub(crate) fn port(seed: u64) -> u16 {
    let random = Random::new(seed, "effects", "port");
    let ports = (0..).map(|n| 20_000 + u16::try_from(random.bits(n) % 10_000).unwrap());
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.into_iter().find(is_free).unwrap()
}
