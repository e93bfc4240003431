//! The adapter on a real RabbitMQ that the tests start.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod members;
#[cfg(test)]
mod others;
#[cfg(test)]
mod support;
#[cfg(test)]
mod takeover;
