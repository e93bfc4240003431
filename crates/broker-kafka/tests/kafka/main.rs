//! The adapter on a real Kafka that the tests start.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod members;
#[cfg(test)]
mod others;
#[cfg(test)]
mod python;
#[cfg(test)]
mod support;
#[cfg(test)]
mod transactions;
