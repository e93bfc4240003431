//! Deliveries driven by I/O: publish, push, pull, retry, hold, dead-letter, drain.

pub mod view;
