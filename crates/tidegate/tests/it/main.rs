//! The library as a service uses it: in one process, and with a daemon.

mod batches;
mod connected;
mod handlers;
mod layers;
mod lifetime;
mod requests;
mod starting;
mod states;
mod support;
