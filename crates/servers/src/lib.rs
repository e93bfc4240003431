//! Real brokers for tests: installed, started on loopback ports of their own with data that is thrown away,
//! killed as a power cut would, started again on what they have kept, and stopped by their process ids.
//!
//! Nothing is touched that was not started here: a process is ended only if its start time is the one
//! that was noted.

mod answer;
mod fault;
mod install;
mod kafka;
mod nats;
mod patience;
mod process;
mod proxy;
mod rabbitmq;
mod server;
mod state;
mod test;

pub use fault::Fault;
pub use install::install;
pub use proxy::Proxy;
pub use server::{Kind, Server};
pub use state::{State, folder, read_state, remove_state, write_state};
pub use test::{Own, own, running, setting, skipped};
