//! Effects and relays against real databases: SQLite in files, and a PostgreSQL server that the test starts.

#[cfg(test)]
mod collect;
#[cfg(test)]
mod cut;
#[cfg(test)]
mod effects;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod order;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod server;
#[cfg(test)]
mod support;
