//! Handlers that are given the open transaction.

use futures_util::future::{BoxFuture, FutureExt};
use tidegate_sql::Engine;

use crate::context::{Delivery, SharedValues};
use crate::handler::FromDelivery;
use crate::outcome::{IntoOutcome, Outcome};

/// What has an effect in a database: an async function of the payload, the open transaction, and up to two more arguments
/// that are [`FromDelivery`], that returns something [`IntoOutcome`].
///
/// The transaction is a `&mut sqlx::PgConnection` or `&mut sqlx::SqliteConnection`; its COMMIT and ROLLBACK are left to the
/// caller. An `async fn` is a handler, and so is an `async` closure whose arguments have their types written out, as long
/// as its future borrows nothing from the closure.
#[diagnostic::on_unimplemented(
    message = "this is no handler with an effect in a database",
    label = "not an async function of payload, `&mut PgConnection` or `&mut SqliteConnection`, `Context` or `Shared<…>` whose future is `Send`",
    note = "an async closure must have the types of its arguments written out, and borrow nothing that it captures: take what handlers share as `Shared<…>`",
    note = "it returns `()`, an `Outcome`, or a `Result` of one of them whose error is a `std::error::Error` or an `Outcome`"
)]
pub trait EffectHandler<D: Engine, Arguments>: Clone + Send + Sync + 'static {
    /// Changes the database in an open transaction.
    fn handle<'t>(
        &self,
        delivery: &Delivery,
        transaction: &'t mut D::Connection,
    ) -> BoxFuture<'t, Outcome>;

    /// Whether the app has what the arguments need.
    ///
    /// # Errors
    ///
    /// What is missing, and what to do.
    fn check(shared: &SharedValues) -> Result<(), String>;
}

/// A trait for each number of arguments names the future of one borrow of the transaction, which a bound on `Fn` cannot.
macro_rules! handlers {
    ($call:ident: $($more:ident),*) => {
        #[doc(hidden)]
        pub trait $call<'t, C: 't, P, $($more),*>: Fn(P, &'t mut C, $($more),*) -> Self::Running {
            type Running: Future<Output = Self::Answer> + Send + 't;
            type Answer: IntoOutcome;
        }

        impl<'t, C, P, $($more,)* Run, Running> $call<'t, C, P, $($more),*> for Run
        where
            C: 't,
            Run: Fn(P, &'t mut C, $($more),*) -> Running,
            Running: Future<Output: IntoOutcome> + Send + 't,
        {
            type Running = Running;
            type Answer = Running::Output;
        }

        impl<D, P, $($more,)* Run> EffectHandler<D, (P, $($more,)*)> for Run
        where
            D: Engine,
            P: FromDelivery + 'static,
            $($more: FromDelivery + 'static,)*
            Run: for<'t> $call<'t, D::Connection, P, $($more),*> + Clone + Send + Sync + 'static,
        {
            #[expect(non_snake_case, reason = "the arguments have the names of their types")]
            fn handle<'t>(
                &self,
                delivery: &Delivery,
                transaction: &'t mut D::Connection,
            ) -> BoxFuture<'t, Outcome> {
                let P = match P::from_delivery(delivery) {
                    Ok(payload) => payload,
                    Err(outcome) => return std::future::ready(outcome).boxed(),
                };
                $(let $more = match $more::from_delivery(delivery) {
                    Ok(argument) => argument,
                    Err(outcome) => return std::future::ready(outcome).boxed(),
                };)*
                let running = self(P, transaction, $($more),*);
                running.map(IntoOutcome::into_outcome).boxed()
            }

            fn check(shared: &SharedValues) -> Result<(), String> {
                P::check(shared)?;
                $($more::check(shared)?;)*
                Ok(())
            }
        }
    };
}

handlers!(Call2:);
handlers!(Call3: A);
handlers!(Call4: A, B);
