//! The embedded log behind the broker contract.
