//! The whole process under load, killed at random moments: what consumers saw and what the publisher was
//! told must fit together in the end.
//!
//! `TIDEGATE_KILLS=300 cargo test --release -p tidegate-cli --test harness` kills it more often;
//! `TIDEGATE_SEED=n` makes the same choices again (the processes still race).
//!
//! `effects.rs` does the same to handlers with effects in databases: their process is killed as well, and what is in the
//! databases in the end is held against what was accepted (`ledger.rs`).

#[cfg(test)]
mod bookkeeper;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
#[cfg(test)]
mod brokers;
#[cfg(test)]
mod checker;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
#[cfg(test)]
mod checkout;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod effects;
#[cfg(test)]
mod history;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod publisher;
#[cfg(test)]
mod puller;
#[cfg(test)]
mod rounds;
#[cfg(test)]
#[path = "../../../sql/tests/databases/server.rs"]
#[expect(dead_code, reason = "shared with the tests of the databases")]
mod server;
#[cfg(test)]
mod service;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
#[cfg(test)]
mod sharing;
#[cfg(test)]
#[path = "../cli/support.rs"]
#[expect(dead_code, reason = "shared with the other tests of the binary")]
mod support;
#[cfg(feature = "kafka")]
#[cfg(test)]
mod transactions;
#[cfg(feature = "kafka")]
#[cfg(test)]
mod wire;
