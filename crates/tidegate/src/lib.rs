//! Services in Rust: publish and handle events.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tidegate::{App, Context, Event, OrElse, Outcome};
//!
//! #[derive(Serialize, Deserialize)]
//! struct OrderPlaced { order: String, cents: u64 }
//!
//! impl Event for OrderPlaced {
//!     const TYPE: &'static str = "OrderPlaced";
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct PaymentTaken { order: String }
//!
//! impl Event for PaymentTaken {
//!     const TYPE: &'static str = "PaymentTaken";
//! }
//!
//! async fn bill(order: OrderPlaced, context: Context) -> tidegate::Result<Outcome> {
//!     let card = find_card(&order.order).or_park()?;  // never: a dead letter
//!     charge(&card, order.cents, context.delivery_id()).await?;  // an error: again, later
//!     Ok(Outcome::done().publish(&PaymentTaken { order: order.order }))
//! }
//!
//! async fn ship(payment: PaymentTaken) {
//!     println!("a parcel for {}", payment.order);
//!     # SHIPPED.notify_one();
//! }
//! # static SHIPPED: tokio::sync::Notify = tokio::sync::Notify::const_new();
//! # fn find_card(order: &str) -> Result<String, &'static str> {
//! #     if order.is_empty() { Err("an order of nobody") } else { Ok("card".to_owned()) }
//! # }
//! # async fn charge(_card: &str, _cents: u64, _idempotency_key: &str) -> std::io::Result<()> { Ok(()) }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (design, data) = (folder.path().join("design.yaml"), folder.path().join("data"));
//! # std::fs::write(&design, "
//! # tidegate: 1
//! # system: shop
//! # events: {OrderPlaced: {key: /order}, PaymentTaken: {key: /order}}
//! # services:
//! #   orders: {publishes: [OrderPlaced]}
//! #   billing: {publishes: [PaymentTaken], consumes: {OrderPlaced: {}}}
//! #   shipping: {consumes: {PaymentTaken: {}}}
//! # ")?;
//! let app = App::open(design, data)
//!     .on("billing/OrderPlaced", bill)
//!     .on("shipping/PaymentTaken", ship)
//!     .start()
//!     .await?;
//!
//! app.publish(&OrderPlaced { order: "A-1".to_owned(), cents: 1250 }).await?;
//! # let ctrl_c = SHIPPED.notified();
//! app.run_until(ctrl_c).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Two homes
//!
//! | | events | for |
//! |---|---|---|
//! | [`App::open`] | in this process: the runtime and the log on disk | one program that is the whole system |
//! | [`App::connect`] | in a running daemon, over HTTP | services of a larger system |
//! | [`App::in_memory`] | in this process, nothing on disk | tests |
//!
//! Handlers are the same in all of them, and so is what they get: retries, breakers, order for each key, dead letters, as
//! the design says. `deliver.to` says nothing about a consumer that has a handler in an embedded app; a daemon has apps pull,
//! so there the consumer must have none.
//!
//! # Handlers
//!
//! A handler is an async function ([`Handler`]) of its payload, its [`Context`] and what handlers share ([`Shared`]), that
//! returns nothing, an [`Outcome`], or a result. `?` makes a retry of an error; [`OrElse`] says otherwise. What it publishes
//! ([`Outcome::publish`], [`Context::publish`]) and keeps for its key ([`Outcome::state`]) is stored in one atomic batch with
//! the record that the event is done: all of it, or nothing.
//!
//! It runs at least once for each event. To have its effect in a database exactly once, turn on the feature `postgres` or
//! `sqlite` and use `Setup::on_effect`: the handler is given the open transaction, in which its delivery is noted.
//!
//! [`Setup::on_batch`] handles many events together; [`App::request`] waits for the reply to an event;
//! [`Setup::layer`] and [`service`] put tower's layers around handlers.
//!
//! # Layers
//!
//! A handler is a `tower::Service<Delivery, Response = Outcome>`. A layer may answer in its place or fail, and a failure is an
//! outcome:
//!
//! | error | outcome |
//! |---|---|
//! | `tower::timeout::error::Elapsed`, anywhere in the chain of causes | a timeout: retried, and breakers count it |
//! | `tower::load_shed::error::Overloaded`, likewise | an overload: burns no attempt, and holds the consumer |
//! | any other | a retry |
//!
//! The design has its own timeout, concurrency, retries and breakers; layers are for what it does not say, such as a limit
//! over several consumers, and for tracing.

mod app;
mod batch;
mod batcher;
mod connected;
mod context;
mod design;
#[cfg(feature = "sql")]
mod effect;
mod embedded;
mod error;
mod handler;
mod outcome;
mod publication;
mod publish;
mod request;
mod router;
mod setup;

pub use app::{App, DrainReport};
pub use batch::{Batch, BatchEnd, BatchHandler, IntoBatchEnd, Item};
pub use context::{Context, Delivery, SharedValues};
pub use design::Design;
#[cfg(feature = "sql")]
pub use effect::{CollectError, EffectHandler, Relaying};
pub use error::{PublishError, RequestError, StartError};
pub use handler::{FromDelivery, Handler, HandlerService, Shared, service};
pub use outcome::{Done, IntoOutcome, OrElse, Outcome, Result};
pub use publication::{Event, Publication};
pub use router::BoxHandler;
pub use setup::Setup;
pub use tidegate_base::{ConsumerId, Envelope, Timestamp};
pub use tidegate_runtime as runtime;
pub use tidegate_runtime::{Accept, Accepted};
#[cfg(feature = "sql")]
pub use tidegate_sql as sql;
