//! The broker on a journal in memory that fails as engines do.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod regressions;
#[cfg(test)]
mod simulator;
