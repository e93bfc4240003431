//! The adapter on a real RabbitMQ that the tests start.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod support;
