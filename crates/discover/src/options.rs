//! How discovery is done, where there is a choice.

use std::time::Duration;

use crate::replay::order::Order;
use crate::supposition::Supposition;

/// How long a caller is busy storing an event, until measured otherwise: a quorum that flushes to
/// disk takes one to three milliseconds.
const PUBLISH: Duration = Duration::from_millis(2);

/// How discovery is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether the words of operations count as evidence for a change. Words that ask for an answer
    /// always count against it.
    pub vocabulary: bool,
    /// From what the order of calls is taken.
    pub order: Order,
    /// How long the caller of a call that becomes an event is busy publishing it.
    pub publish: Duration,
    /// From when on requests take too long; their 95th percentile where it is not told.
    pub limit: Option<Duration>,
    /// How many workers an endpoint has; as many as are busy four fifths of the time where it is not
    /// told.
    pub workers: Option<u32>,
    /// What is asked beside.
    pub suppositions: Vec<Supposition>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            vocabulary: true,
            order: Order::default(),
            publish: PUBLISH,
            limit: None,
            workers: None,
            suppositions: Vec::new(),
        }
    }
}

impl Options {
    pub(crate) fn publish_time(&self) -> i64 {
        i64::try_from(self.publish.as_nanos()).unwrap_or(i64::MAX)
    }
}
