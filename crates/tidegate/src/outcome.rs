//! How a handler says what came of an event.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tidegate_base::limit::KEY_STATE_BYTES_MAX;
use tidegate_runtime::{KeyState, RetryClass};

use crate::publication::Publication;

/// What a handler returns with `?`: what is fine, or an [`Outcome`] that every error becomes.
pub type Result<T = (), E = Outcome> = std::result::Result<T, E>;

/// What came of an event in a handler.
///
/// ```
/// use std::time::Duration;
/// use tidegate::Outcome;
///
/// let done = Outcome::done();
/// let later = Outcome::retry("the ledger is locked").after(Duration::from_secs(5));
/// let never = Outcome::park("order A-1 has no customer");
/// let slower = Outcome::overloaded("the card network says 429").after(Duration::from_secs(30));
/// # assert!(matches!(done, Outcome::Done(_)));
/// # drop((later, never, slower));
/// ```
///
/// Every [`std::error::Error`] becomes a retry, so that `?` works in a handler; what is in its chain of sources is in
/// the reason. An error that means something else says so on the way: see [`OrElse`].
#[must_use = "an outcome says nothing unless the handler returns it"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, and these events are published in one atomic batch with the record of that.
    Done(Done),
    /// It failed in a way that may pass: the attempt counts, and the event comes again.
    #[non_exhaustive]
    Retry {
        /// What went wrong.
        reason: String,
        /// Whether something that the handler needs is away, which breakers count, or the handling failed.
        class: RetryClass,
        /// The shortest time before the next attempt.
        after: Option<Duration>,
    },
    /// It can never succeed: a dead letter, at once.
    #[non_exhaustive]
    Park {
        /// What is wrong with the event.
        reason: String,
    },
    /// There is too much to do: the attempt does not count, and the whole consumer is held.
    #[non_exhaustive]
    Overloaded {
        /// Who said so.
        reason: String,
        /// How long it is held at least.
        after: Option<Duration>,
    },
}

/// What goes with the end of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub(crate) outputs: Vec<Publication>,
    /// What is kept for the event's key; an error when it cannot be written.
    pub(crate) state: Option<std::result::Result<KeyState, String>>,
}

impl Outcome {
    /// The event is handled.
    pub fn done() -> Self {
        Self::Done(Done::default())
    }

    /// The handling failed and may succeed later.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::retry_as(RetryClass::Retryable, reason)
    }

    /// Something that the handler needs could not be reached. It is a retry that breakers count; in a batch no single
    /// event is looked for.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::retry_as(RetryClass::Unavailable, reason)
    }

    /// The event can never be handled.
    pub fn park(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Park { reason }
    }

    /// There is more to do than can be done now.
    pub fn overloaded(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let after = None;
        Self::Overloaded { reason, after }
    }

    pub(crate) fn retry_as(class: RetryClass, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let after = None;
        Self::Retry {
            reason,
            class,
            after,
        }
    }

    /// Not before this time has passed. It says nothing of what is done or parked.
    pub fn after(mut self, time: Duration) -> Self {
        match &mut self {
            Self::Retry { after, .. } | Self::Overloaded { after, .. } => *after = Some(time),
            Self::Done(_) | Self::Park { .. } => {}
        }
        self
    }

    /// Publishes an event in one atomic batch with the record that this one is done. Only what is done publishes.
    pub fn publish(mut self, event: impl Into<Publication>) -> Self {
        if let Self::Done(done) = &mut self {
            done.outputs.push(event.into());
        }
        self
    }

    /// Keeps a value for the event's key, in one atomic batch with the record that the event is done: the next event of
    /// the key finds it in [`Context::state`](crate::Context::state). One that is `null` in JSON, such as `None`, keeps
    /// nothing any more.
    ///
    /// At most 16 KiB a key and 1 MiB a consumer. A consumer that keeps no order has no keys, and no state.
    pub fn state(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        if let Self::Done(done) = &mut self {
            done.state = Some(match serde_json::to_value(value) {
                Ok(Value::Null) => Ok(KeyState::Gone),
                Ok(json) => kept(&json.to_string()),
                Err(error) => Err(format!("the state cannot be written as JSON: {error}")),
            });
        }
        self
    }
}

fn kept(text: &str) -> std::result::Result<KeyState, String> {
    let bytes = text.len();
    if bytes > KEY_STATE_BYTES_MAX {
        return Err(format!(
            "the state has {bytes} bytes; the most is {KEY_STATE_BYTES_MAX}: keep what is larger in a database"
        ));
    }
    Ok(KeyState::Is(text.into()))
}

/// The text of an error with all its causes.
fn text(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        // Many errors repeat their cause in their own words.
        if !text.contains(&words) {
            // Writing to a text cannot fail.
            let _infallible = write!(text, ": {words}");
        }
        cause = next.source();
    }
    text
}

impl<E: Error + 'static> From<E> for Outcome {
    fn from(error: E) -> Self {
        Self::retry(text(&error))
    }
}

/// Says of a failed result what it means, where `?` alone means a retry.
///
/// ```
/// use std::time::Duration;
/// use tidegate::{OrElse, Outcome};
///
/// fn charge(card: &str) -> tidegate::Result<u64> {
///     let number: u64 = card.parse().or_park()?;
///     Ok(number)
/// }
/// assert!(matches!(charge("no number"), Err(Outcome::Park { .. })));
///
/// let refused: Result<(), &str> = Err("429");
/// let outcome = refused.or_overloaded(Duration::from_secs(9)).unwrap_err();
/// assert!(matches!(outcome, Outcome::Overloaded { after: Some(_), .. }));
/// ```
///
/// The errors may be any that turn into a boxed error: those of the standard library, texts, and `anyhow`'s.
pub trait OrElse<T> {
    /// The handling may succeed later, as with `?`, for errors that `?` does not take.
    ///
    /// # Errors
    ///
    /// [`Outcome::retry`] for an error.
    fn or_retry(self) -> Result<T>;
    /// Something that the handler needs is away: breakers count it.
    ///
    /// # Errors
    ///
    /// [`Outcome::unavailable`] for an error.
    fn or_unavailable(self) -> Result<T>;
    /// The event can never be handled.
    ///
    /// # Errors
    ///
    /// [`Outcome::park`] for an error.
    fn or_park(self) -> Result<T>;
    /// There is too much to do: the consumer is held for so long at least.
    ///
    /// # Errors
    ///
    /// [`Outcome::overloaded`] for an error.
    fn or_overloaded(self, after: Duration) -> Result<T>;
}

impl<T, E> OrElse<T> for std::result::Result<T, E>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    fn or_retry(self) -> Result<T> {
        self.map_err(|error| Outcome::retry(text(&*error.into())))
    }

    fn or_unavailable(self) -> Result<T> {
        self.map_err(|error| Outcome::unavailable(text(&*error.into())))
    }

    fn or_park(self) -> Result<T> {
        self.map_err(|error| Outcome::park(text(&*error.into())))
    }

    fn or_overloaded(self, after: Duration) -> Result<T> {
        self.map_err(|error| Outcome::overloaded(text(&*error.into())).after(after))
    }
}

/// What a handler may return: nothing, an [`Outcome`], or a result of one of them whose error becomes an outcome.
#[diagnostic::on_unimplemented(
    message = "`{Self}` says nothing of what came of an event",
    note = "a handler returns `()`, an `Outcome`, or a `Result` of one of them"
)]
pub trait IntoOutcome {
    /// The outcome that is meant.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::done()
    }
}

impl<T: IntoOutcome, E: Into<Outcome>> IntoOutcome for std::result::Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(fine) => fine.into_outcome(),
            Err(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the ledger is away")]
    struct Away(#[source] std::num::ParseIntError);

    #[test]
    fn an_error_is_a_retry_with_its_causes() {
        let cause = "x".parse::<u8>().unwrap_err();
        let outcome = Result::<(), Away>::Err(Away(cause)).into_outcome();
        let expected = Outcome::retry("the ledger is away: invalid digit found in string");
        assert_eq!(outcome, expected);
    }

    #[test]
    fn only_what_can_wait_waits_and_only_what_is_done_publishes() {
        let time = Duration::from_secs(1);
        assert_eq!(Outcome::park("x").after(time), Outcome::park("x"));
        let output = || Publication::new("T", &1);
        assert_eq!(Outcome::retry("x").publish(output()), Outcome::retry("x"));
        assert_ne!(Outcome::done().publish(output()), Outcome::done());
    }
}
