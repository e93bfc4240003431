//! Effects in a database, had exactly once whatever happens around the handler.

use std::time::Duration;

use sqlx::{SqliteConnection, SqlitePool};
use tempfile::TempDir;
use tidegate::runtime::{LettersSelection, OperateError, SeekRequest, SeekTo};
use tidegate::sql::{Effects, SQLITE, SqliteOutbox, output_id};
use tidegate::{App, Context, Design, Outcome, Publication, Setup, Shared, StartError};
use tower::{BoxError, ServiceExt};

use crate::support::*;

pub(crate) const DESIGN: &str = "
tidegate: 1
system: books
events:
  OrderPlaced: {key: /order, owner: team-orders}
  PaymentTaken: {key: /order, owner: team-billing}
services:
  orders:
    owner: team-orders
    publishes: [OrderPlaced]
  billing:
    owner: team-billing
    publishes: [PaymentTaken]
    consumes:
      OrderPlaced:
        deliver: {concurrency: 8, timeout: 20s, transaction: sqlite}
        guarantee: exactly-once-effect
        retry: {backoff: constant, initial: 10ms, max: 1s, jitter: none, attempts: 3}
        dead-letter: {owner: team-billing, retention: 30d}
        emits: [PaymentTaken]
  shipping:
    owner: team-shipping
    consumes:
      PaymentTaken:
        dead-letter: {owner: team-shipping, retention: 30d}
";

/// The database of billing.
pub(crate) struct Books {
    pub(crate) pool: SqlitePool,
    url: String,
    _folder: TempDir,
}

impl Books {
    pub(crate) async fn open() -> Self {
        let books = Self::without_tables().await;
        books.run(SQLITE).await;
        books
    }

    async fn without_tables() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("books.db").display());
        let pool = SqlitePool::connect(&format!("{url}?mode=rwc"))
            .await
            .unwrap();
        let books = Self {
            pool,
            url,
            _folder: folder,
        };
        books
            .run("CREATE TABLE ledger (\"order\" TEXT, generation INTEGER)")
            .await;
        books
    }

    pub(crate) async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.pool).await.unwrap();
    }

    pub(crate) fn effects(&self) -> Effects<sqlx::Sqlite> {
        Effects::new(self.pool.clone())
    }

    pub(crate) fn outbox(&self) -> SqliteOutbox {
        SqliteOutbox::from_url(&self.url).unwrap()
    }

    /// What was booked, in order.
    pub(crate) async fn ledger(&self) -> Vec<String> {
        let sql = "SELECT \"order\" FROM ledger ORDER BY rowid";
        sqlx::query_scalar(sql).fetch_all(&self.pool).await.unwrap()
    }

    pub(crate) async fn notes(&self) -> i64 {
        let sql = "SELECT count(*) FROM tidegate_inbox";
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    pub(crate) async fn outbox_ids(&self) -> Vec<String> {
        let sql = "SELECT id FROM tidegate_outbox ORDER BY number";
        sqlx::query_scalar(sql).fetch_all(&self.pool).await.unwrap()
    }
}

/// Books an order and says so; what its name asks for goes wrong afterwards.
pub(crate) async fn book(
    order: OrderPlaced,
    tx: &mut SqliteConnection,
    context: Context,
) -> tidegate::Result<Outcome> {
    sqlx::query("INSERT INTO ledger VALUES (?1, ?2)")
        .bind(&order.order)
        .bind(i64::try_from(context.generation()).unwrap())
        .execute(&mut *tx)
        .await?;
    context.publish(Publication::from(&payment(&order)).key(&order.order));
    match (order.order.as_str(), context.attempt()) {
        ("poison", _) => Err(Outcome::park("it has no customer")),
        ("flaky", 1) => Err(Outcome::retry("locked")),
        ("panics", 1) => panic!("a handler of a test panics, as it should"),
        ("stateful", _) => Ok(Outcome::done().state(&1)),
        ("broken", 1) => {
            sqlx::query("INSERT INTO nowhere VALUES (1)")
                .execute(tx)
                .await?;
            Ok(Outcome::done())
        }
        _ => Ok(Outcome::done()),
    }
}

fn app(design: &str) -> Setup {
    App::in_memory(Design::inline(design)).collect_every(None)
}

fn allowed() -> String {
    let guarantee = "guarantee: exactly-once-effect";
    DESIGN.replace(guarantee, &format!("{guarantee}\n        replay: allowed"))
}

async fn place(app: &App, names: &[&str]) {
    for name in names {
        let event = Publication::from(&order(name)).id(*name);
        app.publish(event).await.unwrap();
    }
}

/// Everything that may run has run.
async fn rest(app: &App, done_of: u64) {
    until(|| done(app, BILLING) >= done_of).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_done_is_rolled_back_and_means_what_it_means_elsewhere() {
    let books = Books::open().await;
    let app = app(DESIGN)
        .on_effect(BILLING, &books.effects(), book)
        .elsewhere(SHIPPING)
        .start()
        .await
        .unwrap();
    place(&app, &["poison", "flaky", "panics", "stateful", "broken"]).await;
    place(&app, &["fine", "odd"]).await;
    rest(&app, 5).await;
    let letters = letters_of(&app, 2).await;
    let mut reasons: Vec<_> = letters.iter().map(|letter| letter.error.as_str()).collect();
    reasons.sort_unstable();
    assert!(
        reasons[0].starts_with("a handler with its effect in a database keeps no state"),
        "{reasons:?}"
    );
    assert_eq!(reasons[1], "it has no customer");
    let mut ledger = books.ledger().await;
    ledger.sort_unstable();
    assert_eq!(ledger, ["broken", "fine", "flaky", "odd", "panics"]);
    assert_eq!(books.notes().await, 5);
    assert_eq!(books.outbox_ids().await.len(), 5);
}

/// A layer that loses what the handler has committed: the first run of each event ends as if it had failed.
fn losing(setup: Setup, lost: fn() -> Outcome, runs: Notes<String>) -> Setup {
    setup.layer(tower::layer::layer_fn(
        move |inner: tidegate::BoxHandler| {
            let runs = runs.clone();
            tower::service_fn(move |delivery: tidegate::Delivery| {
                let (inner, runs) = (inner.clone(), runs.clone());
                async move {
                    let id = delivery.context().id().to_owned();
                    let is_first = !runs.all().contains(&id);
                    runs.add(id);
                    let outcome = inner.oneshot(delivery).await?;
                    Ok::<_, BoxError>(if is_first { lost() } else { outcome })
                }
            })
        },
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_whose_end_is_lost_is_not_had_again() {
    let (books, runs) = (Books::open().await, Notes::new());
    let shipped = Notes::new();
    let parcels = shipped.clone();
    let setup = app(DESIGN).on_effect(BILLING, &books.effects(), book).on(
        SHIPPING,
        move |payment: PaymentTaken, context: Context| {
            let envelope = context.envelope().clone();
            parcels.add((payment.order, envelope.id.clone(), envelope.source.clone()));
            std::future::ready(())
        },
    );
    let app = losing(setup, || Outcome::retry("lost"), runs.clone())
        .start()
        .await
        .unwrap();
    let relay = app.relay(books.outbox());
    place(&app, &["a", "b", "c"]).await;
    until(|| done(&app, BILLING) == 3 && done(&app, SHIPPING) == 3).await;
    let mut ledger = books.ledger().await;
    ledger.sort_unstable();
    assert_eq!(ledger, ["a", "b", "c"]);
    let mut shipped = shipped.all();
    // The layer has shipping run twice, too.
    shipped.sort_unstable();
    shipped.dedup();
    let expected = ["a", "b", "c"].map(|id| {
        let output = output_id(&BILLING.parse().unwrap(), "/books", id, 0);
        (id.to_owned(), output, "/billing".to_owned())
    });
    assert_eq!(shipped, expected);
    let accepted = app.runtime().unwrap().view().events.clone();
    let payments = accepted.iter().find(|e| e.name.as_str() == "PaymentTaken");
    assert_eq!(payments.unwrap().accepted_total, 3);
    relay.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_stays_as_long_as_its_delivery_may_come_again() {
    let (books, runs) = (Books::open().await, Notes::new());
    let setup = app(DESIGN)
        .on_effect(BILLING, &books.effects(), book)
        .elsewhere(SHIPPING);
    // The effect is had, and the delivery becomes a dead letter all the same.
    let app = losing(setup, || Outcome::park("lost"), runs.clone())
        .start()
        .await
        .unwrap();
    place(&app, &["a", "b"]).await;
    let letters = letters_of(&app, 2).await;
    let runtime = app.runtime().unwrap();
    // One is given up, and may be taken back.
    let selection = |id: &str| LettersSelection::Ids(vec![id.to_owned()]);
    let id = |place: usize| letters[place].id.to_string();
    runtime
        .discard(selection(&id(0)), "a test".to_owned())
        .await
        .unwrap();
    assert_eq!(app.collect_inboxes().await.unwrap(), 0);
    assert_eq!(books.notes().await, 2);
    runtime.redrive(selection(&id(1))).await.unwrap();
    rest(&app, 1).await;
    let restored = runtime.restore(vec![id(0)]).await;
    assert_eq!(restored.unwrap().done.len(), 1);
    runtime.redrive(selection(&id(0))).await.unwrap();
    rest(&app, 2).await;
    assert_eq!(books.ledger().await.len(), 2, "both were duplicates");
    assert_eq!(app.collect_inboxes().await.unwrap(), 2);
    assert_eq!(books.notes().await, 0);
}

fn from_the_start() -> SeekRequest {
    SeekRequest {
        consumer: BILLING.parse().unwrap(),
        to: SeekTo::Earliest,
        until: None,
        reason: "a fix".to_owned(),
        dry_run: false,
        confirmed: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_has_the_effect_again_only_where_the_design_allows_it() {
    let books = Books::open().await;
    let facts: Notes<(u64, u64)> = Notes::new();
    let start = async |design: &str| {
        let handler = async |order: OrderPlaced,
                             tx: &mut SqliteConnection,
                             context: Context,
                             Shared(facts): Shared<Notes<(u64, u64)>>| {
            facts.add((context.sequence(), context.generation()));
            book(order, tx, context).await
        };
        app(design)
            .share(facts.clone())
            .on_effect(BILLING, &books.effects(), handler)
            .elsewhere(SHIPPING)
            .start()
            .await
            .unwrap()
    };
    let refusing = start(DESIGN).await;
    place(&refusing, &["x"]).await;
    rest(&refusing, 1).await;
    let refused = refusing.runtime().unwrap().seek(from_the_start()).await;
    assert!(matches!(refused, Err(OperateError::ReplayRefused { .. })));
    refusing.drain(Duration::from_secs(5)).await;
    books
        .run("DELETE FROM ledger; DELETE FROM tidegate_inbox; DELETE FROM tidegate_owner; DELETE FROM tidegate_outbox")
        .await;

    let app = start(&allowed()).await;
    place(&app, &["a", "b"]).await;
    rest(&app, 2).await;
    let ids = books.outbox_ids().await;
    assert_eq!(app.collect_inboxes().await.unwrap(), 2);
    app.runtime().unwrap().seek(from_the_start()).await.unwrap();
    rest(&app, 4).await;
    let mut ledger = books.ledger().await;
    ledger.sort_unstable();
    assert_eq!(ledger, ["a", "a", "b", "b"]);
    assert_eq!(books.outbox_ids().await, ids, "ids know no generation");
    let mut facts = facts.all();
    facts.sort_unstable();
    assert_eq!(facts, [(0, 0), (0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(app.collect_inboxes().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_tables_holds_the_consumer_and_burns_no_attempt() {
    let books = Books::without_tables().await;
    let app = app(DESIGN)
        .on_effect(BILLING, &books.effects(), book)
        .elsewhere(SHIPPING)
        .start()
        .await
        .unwrap();
    place(&app, &["a", "b", "c", "d"]).await;
    let held = || {
        let view = app.runtime().unwrap().view();
        let consumer = view.consumers.iter().find(|c| c.id.to_string() == BILLING);
        consumer.is_some_and(|consumer| consumer.reason.contains("no such table"))
    };
    until(held).await;
    books.run(SQLITE).await;
    rest(&app, 4).await;
    assert_eq!(books.ledger().await.len(), 4);
    assert!(letters(&app).await.is_empty());
}

#[tokio::test]
async fn an_effect_in_another_database_than_the_design_says_is_told_at_the_start() {
    let books = Books::open().await;
    let design = DESIGN.replace("transaction: sqlite", "transaction: postgres");
    let started = app(&design)
        .on_effect(BILLING, &books.effects(), book)
        .elsewhere(SHIPPING)
        .start()
        .await;
    let Err(StartError::Handlers { problems }) = started else {
        panic!("{started:?}");
    };
    let expected = "`billing/OrderPlaced` has its effect in SQLite, and the design says `transaction: postgres`";
    assert!(
        problems.len() == 1 && problems[0].contains(expected),
        "{problems:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn inboxes_are_collected_now_and_then() {
    let books = Books::open().await;
    let app = app(DESIGN)
        .collect_every(Some(Duration::from_millis(20)))
        .on_effect(BILLING, &books.effects(), book)
        .elsewhere(SHIPPING)
        .start()
        .await
        .unwrap();
    place(&app, &["a", "b"]).await;
    rest(&app, 2).await;
    let patience = Duration::from_secs(60);
    let empty = async {
        while books.notes().await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(patience, empty).await.unwrap();
}
