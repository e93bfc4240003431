//! The embedded log: one append path for all channels, durable before it acknowledges.
