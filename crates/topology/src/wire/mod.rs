//! Resources as the interfaces of RabbitMQ and NATS have them: JSON, read and written.

pub mod nats;
pub mod rabbitmq;
