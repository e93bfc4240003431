//! Effects and relays against real databases: SQLite in files, and a PostgreSQL server that the test starts.

mod collect;
mod cut;
mod effects;
mod kill;
mod order;
mod relay;
mod server;
mod support;
