//! A design simulated before it exists: backlog and latency for each consumer.
