//! The report for who pays for the change: one page, in their words.

use crate::process::ProcessDiscovery;

/// The page of a process.
pub(crate) fn of_process(_discovery: &ProcessDiscovery) -> String {
    String::new()
}
