//! NATS JetStream behind the broker contract.
