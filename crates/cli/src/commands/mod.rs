//! One file a command: arguments in, an answer out.

pub(crate) mod asyncapi;
pub(crate) mod bench;
pub(crate) mod breaker;
pub(crate) mod check;
pub(crate) mod consumer;
mod consumer_seek;
pub(crate) mod demo;
pub(crate) mod discover;
mod discover_process;
pub(crate) mod dlq;
mod dlq_edit;
mod dlq_jobs;
mod dlq_orders;
mod dlq_report;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod log;
mod log_report;
pub(crate) mod outbox;
mod outbox_relay;
pub(crate) mod run;
pub(crate) mod select;
pub(crate) mod simulate;
pub(crate) mod why;
