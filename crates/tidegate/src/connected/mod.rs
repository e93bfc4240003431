//! Events in a running daemon: published to it, and pulled from it, over HTTP.

mod client;
mod home;
mod pull;

pub(crate) use home::{Connection, start};
