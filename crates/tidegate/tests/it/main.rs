//! The library as a service uses it: in one process, and with a daemon.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test: what is wrong here should stop it, with its place"
)]

mod batches;
mod connected;
#[cfg(feature = "sqlite")]
mod effects;
#[cfg(feature = "sqlite")]
mod effects_connected;
mod handlers;
mod killed;
mod layers;
mod lifetime;
mod requests;
mod starting;
mod states;
mod support;
