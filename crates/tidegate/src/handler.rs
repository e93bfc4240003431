//! Handlers: async functions whose arguments say what they want to know.

use std::any::type_name;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;
use std::task::{self, Poll};

use futures_util::future::{BoxFuture, FutureExt};
use serde::de::DeserializeOwned;
use tidegate_base::Envelope;
use tower::Service;

use crate::context::{Context, Delivery, SharedValues};
use crate::outcome::{IntoOutcome, Outcome};

/// An argument of a handler.
///
/// Any type that `serde` can read is the payload; [`Context`] is what is known of the delivery; [`Shared`] is a value that
/// all handlers share. In any order.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler",
    note = "a payload derives `serde::Deserialize`; `Context` and `Shared<…>` are arguments as well"
)]
pub trait FromDelivery: Sized {
    /// The argument, or what becomes of an event that has none.
    ///
    /// # Errors
    ///
    /// The outcome of the delivery: the handler does not run.
    fn from_delivery(delivery: &Delivery) -> Result<Self, Outcome>;

    /// Whether the app has what the argument needs; asked once, at start.
    ///
    /// # Errors
    ///
    /// What is missing, and what to do.
    fn check(_shared: &SharedValues) -> Result<(), String> {
        Ok(())
    }
}

impl<T: DeserializeOwned> FromDelivery for T {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Outcome> {
        payload(delivery.context().envelope()).map_err(Outcome::park)
    }
}

impl FromDelivery for Context {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Outcome> {
        Ok(delivery.context().clone())
    }
}

/// A value that all handlers of an app share: a pool of connections, a client.
///
/// ```
/// use std::sync::Arc;
/// use tidegate::{App, Design, Shared};
///
/// struct Ledger;
///
/// async fn book(order: serde_json::Value, Shared(ledger): Shared<Arc<Ledger>>) {
///     # drop((order, ledger));
/// }
///
/// # let design = Design::inline("tidegate: 1\nsystem: shop\nevents: {OrderPlaced: {}}\nservices: {shop: {publishes: [OrderPlaced]}, books: {consumes: {OrderPlaced: {}}}}");
/// App::in_memory(design).share(Arc::new(Ledger)).on("books/OrderPlaced", book);
/// ```
///
/// A handler that wants one that [`Setup::share`](crate::Setup::share) was not given is an error at start.
#[derive(Clone, Copy, Debug)]
pub struct Shared<S>(pub S);

impl<S: Clone + Send + Sync + 'static> FromDelivery for Shared<S> {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Outcome> {
        // It was checked at the start.
        let value = delivery.shared.get::<S>().cloned().map(Self);
        value.ok_or_else(|| Outcome::retry(not_shared::<S>()))
    }

    fn check(shared: &SharedValues) -> Result<(), String> {
        let value = shared.get::<S>().map(|_| ());
        value.ok_or_else(not_shared::<S>)
    }
}

fn not_shared<S>() -> String {
    let name = type_name::<S>();
    format!("the handler wants `Shared<{name}>`: give it to the app with `.share(…)`")
}

/// The payload as `T`, or where it is something else.
pub(crate) fn payload<T: DeserializeOwned>(envelope: &Envelope) -> Result<T, String> {
    let name = short_name::<T>();
    if !envelope.is_json() {
        let media = envelope.data_content_type.as_deref().unwrap_or_default();
        return Err(format!(
            "the payload is `{media}` and no JSON: take `Context` and read `envelope().data`"
        ));
    }
    let data = envelope.data.as_deref().unwrap_or(b"null");
    let mut reader = serde_json::Deserializer::from_slice(data);
    let read: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let place = match path.as_str() {
            "." => "the root",
            path => path,
        };
        format!("the payload is no `{name}`: at {place}: {}", error.inner())
    })?;
    let end = reader.end().map(|()| read);
    end.map_err(|error| format!("the payload is no `{name}`: {error}"))
}

/// The name of a type without the modules that it is in.
fn short_name<T>() -> &'static str {
    let name = type_name::<T>();
    let head = name.split('<').next().unwrap_or(name);
    let start = head.rfind("::").map_or(0, |at| at + 2);
    name.get(start..).unwrap_or(name)
}

/// What handles events: an async function of one to four arguments, each [`FromDelivery`], that returns something
/// [`IntoOutcome`].
///
/// A plain `async fn` is one, and so is a closure that returns an `async` block. An `async` closure is one as long as its
/// future borrows nothing from the closure: what handlers share comes as [`Shared`].
#[diagnostic::on_unimplemented(
    message = "this is no handler",
    label = "not an async function of payload, `Context` or `Shared<…>` whose future is `Send`",
    note = "an async closure must borrow nothing that it captures: take what handlers share as `Shared<…>`, or clone it in a closure that returns an `async move` block",
    note = "a handler returns `()`, an `Outcome`, or a `Result` of one of them whose error is a `std::error::Error` or an `Outcome`"
)]
pub trait Handler<Arguments>: Clone + Send + Sync + 'static {
    /// Handles one event.
    fn handle(&self, delivery: Delivery) -> BoxFuture<'static, Outcome>;

    /// Whether the app has what the arguments need.
    ///
    /// # Errors
    ///
    /// What is missing, and what to do.
    fn check(shared: &SharedValues) -> Result<(), String>;
}

macro_rules! handlers {
    ($($argument:ident),*) => {
        impl<Run, Running, $($argument),*> Handler<($($argument,)*)> for Run
        where
            Run: Fn($($argument),*) -> Running + Clone + Send + Sync + 'static,
            Running: Future<Output: IntoOutcome> + Send + 'static,
            $($argument: FromDelivery,)*
        {
            #[expect(non_snake_case, reason = "the arguments have the names of their types")]
            fn handle(&self, delivery: Delivery) -> BoxFuture<'static, Outcome> {
                $(let $argument = match $argument::from_delivery(&delivery) {
                    Ok(argument) => argument,
                    Err(outcome) => return std::future::ready(outcome).boxed(),
                };)*
                let running = self($($argument),*);
                running.map(IntoOutcome::into_outcome).boxed()
            }

            fn check(shared: &SharedValues) -> Result<(), String> {
                $($argument::check(shared)?;)*
                Ok(())
            }
        }
    };
}

handlers!(A);
handlers!(A, B);
handlers!(A, B, C);
handlers!(A, B, C, D);

/// A handler as a tower service, for layers of its own: see [`service`].
pub struct HandlerService<H, Arguments> {
    handler: H,
    arguments: PhantomData<fn(Arguments)>,
}

/// The tower service that a handler is, to put layers around it.
///
/// ```
/// use std::time::Duration;
/// use tidegate::{App, Design};
/// use tower::ServiceBuilder;
///
/// async fn charge(order: serde_json::Value) { drop(order) }
///
/// # let design = Design::inline("tidegate: 1\nsystem: shop\nevents: {OrderPlaced: {}}\nservices: {shop: {publishes: [OrderPlaced]}, billing: {consumes: {OrderPlaced: {}}}}");
/// let charge = ServiceBuilder::new()
///     .concurrency_limit(4)
///     .timeout(Duration::from_secs(2))
///     .service(tidegate::service(charge));
/// App::in_memory(design).on_service("billing/OrderPlaced", charge);
/// ```
pub const fn service<H: Handler<Arguments>, Arguments>(handler: H) -> HandlerService<H, Arguments> {
    HandlerService {
        handler,
        arguments: PhantomData,
    }
}

impl<H: Clone, Arguments> Clone for HandlerService<H, Arguments> {
    fn clone(&self) -> Self {
        Self {
            handler: self.handler.clone(),
            arguments: PhantomData,
        }
    }
}

impl<H, Arguments> fmt::Debug for HandlerService<H, Arguments> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerService({})", type_name::<H>())
    }
}

impl<H: Handler<Arguments>, Arguments> Service<Delivery> for HandlerService<H, Arguments> {
    type Response = Outcome;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Outcome, Infallible>>;

    fn poll_ready(&mut self, _context: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        // A layer may run it more than once: what a run before wanted to publish is gone.
        let delivery = delivery.again();
        let context = delivery.context().clone();
        let handling = self.handler.handle(delivery);
        handling
            .map(move |outcome| Ok(context.with_outputs(outcome)))
            .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Order {
        #[expect(dead_code, reason = "it is read by serde alone")]
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    struct Line {
        #[expect(dead_code, reason = "it is read by serde alone")]
        quantity: u32,
    }

    fn read(data: &str) -> Result<Order, String> {
        let data = bytes::Bytes::copy_from_slice(data.as_bytes());
        payload(&Envelope::from_attributes([], Some(data)))
    }

    #[test]
    fn a_payload_of_another_shape_is_told_with_its_path() {
        let error = read(r#"{"lines":[{"quantity":1},{"quantity":"two"}]}"#).unwrap_err();
        assert!(
            error.starts_with("the payload is no `Order`: at lines[1].quantity: invalid type: "),
            "{error}"
        );
        let error = read("7").unwrap_err();
        assert!(
            error.starts_with("the payload is no `Order`: at the root: "),
            "{error}"
        );
        assert!(read(r#"{"lines":[]} x"#).is_err());
        assert!(read(r#"{"lines":[]}"#).is_ok());
    }

    #[test]
    fn the_name_of_a_type_is_told_without_its_modules() {
        assert_eq!(
            short_name::<Vec<Order>>(),
            "Vec<tidegate::handler::tests::Order>"
        );
        assert_eq!(short_name::<Order>(), "Order");
        assert_eq!(short_name::<u8>(), "u8");
    }
}
