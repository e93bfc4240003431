//! Exactly-once effects in the user's own database, and the events that leave it.
//!
//! [`Effects`] runs a handler in a transaction that also notes its delivery and stores the events that it emits:
//! all of it commits, or nothing. [`Relay`] publishes what such a transaction, or a service in any language, has
//! added to the table `tidegate_outbox`.
//!
//! The tables are plain SQL, [`POSTGRES`] and [`SQLITE`]; what they promise is in `docs/reference/outbox.md`.

#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
compile_error!("choose a database: the feature `postgres` or `sqlite`");

mod delivery;
mod effects;
mod outbox;
mod relay;
mod transient;

pub use delivery::Delivery;
pub use effects::{Applied, EffectError, EffectFailure, Effects, Engine};
#[cfg(feature = "postgres")]
pub use outbox::postgres::PostgresOutbox;
#[cfg(feature = "sqlite")]
pub use outbox::sqlite::SqliteOutbox;
pub use outbox::{Change, Filter, Kept, Listed, Outbox, OutboxError, Pending, RowState, Status};
pub use relay::{Note, Publish, Published, Relay, RelaySettings};
pub use tidegate_base::output_id;
pub use transient::is_transient;

/// The tables for PostgreSQL 13 or later, as a script that may be run again.
pub const POSTGRES: &str = include_str!("../sql/postgres.sql");

/// The tables for SQLite 3.35 or later, as a script that may be run again.
pub const SQLITE: &str = include_str!("../sql/sqlite.sql");
