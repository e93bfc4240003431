//! How slow calls become slow requests.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::coupling::difference;
use crate::observe::Observation;
use crate::replay::{Site, WhatIf};
use crate::statistics::{Proportion, rank, ranks};

/// From which quantile on a call is slow, and a request where no limit is given.
const SLOW: f64 = 0.95;

/// How much more often requests take too long when a call is slow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowness {
    /// Requests that take longer take too long: what was asked for, or their 95th percentile.
    pub limit: Duration,
    /// The call is slow when it takes longer in one request: its 95th percentile.
    pub slow: Duration,
    /// Requests that take too long, among those in which it is slow, and among those in which it is
    /// not.
    pub with: Proportion,
    /// Among those in which it is not.
    pub without: Proportion,
    /// The difference of both shares, with its 95 % interval.
    pub excess: (f64, f64, f64),
}

/// Of the endpoint that most of the occurrences belong to; `None` where there are too few.
pub(crate) fn of(
    what_if: &WhatIf<'_>,
    seen: &[Observation],
    limit: Option<Duration>,
) -> Option<Slowness> {
    let mut waits: HashMap<Site, Duration, RandomState> = HashMap::default();
    for observation in seen {
        if let Some(request) = what_if.request_of(observation.site) {
            *waits.entry(request).or_default() += observation.waited;
        }
    }
    let mut counts: HashMap<usize, usize, RandomState> = HashMap::default();
    for endpoint in waits.keys().filter_map(|site| what_if.endpoint_of(*site)) {
        *counts.entry(endpoint).or_default() += 1;
    }
    let most = counts
        .into_iter()
        .max_by_key(|(endpoint, count)| (*count, std::cmp::Reverse(*endpoint)));
    let (endpoint, _) = most?;
    let (_, _, requests) = what_if.entries(endpoint);
    let mut lengths: Vec<Duration> = Vec::new();
    let mut pairs: Vec<(Duration, Duration)> = Vec::new();
    for request in requests {
        let length = what_if.length(*request);
        lengths.push(length);
        pairs.extend(waits.get(request).map(|wait| (*wait, length)));
    }
    let quantile = |mut values: Vec<Duration>| {
        values.sort_unstable();
        // No number where its interval would have no end.
        ranks(values.len(), SLOW)?;
        values.get(rank(values.len(), SLOW) - 1).copied()
    };
    let slow = quantile(pairs.iter().map(|(wait, _)| *wait).collect())?;
    let limit = limit.or_else(|| quantile(lengths))?;
    let (mut with, mut without) = (Proportion::default(), Proportion::default());
    for (wait, length) in pairs {
        let side = if wait > slow { &mut with } else { &mut without };
        side.count((length > limit).into());
    }
    Some(Slowness {
        limit,
        slow,
        with,
        without,
        excess: difference(with, without)?,
    })
}
