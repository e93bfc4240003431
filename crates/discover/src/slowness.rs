//! How slow calls become slow requests.

use std::time::Duration;

use crate::coupling::difference;
use crate::observe::Observation;
use crate::replay::WhatIf;
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
    let waits = what_if.by_request(seen.iter().map(|one| (one.request, one.waited)));
    let (endpoint, waits) = what_if.fullest(&waits)?;
    let (_, _, requests, first) = what_if.entries(endpoint);
    let mut lengths: Vec<Duration> = Vec::with_capacity(requests.len());
    let mut pairs: Vec<(Duration, Duration)> = Vec::with_capacity(waits.len());
    let mut waits = waits.iter().peekable();
    for (number, request) in (first..).zip(requests) {
        let length = what_if.length(*request);
        lengths.push(length);
        let wait = waits.next_if(|(request, _)| *request as usize == number);
        pairs.extend(wait.map(|(_, wait)| (*wait, length)));
    }
    let quantile = |mut values: Vec<Duration>| {
        // No number where its interval would have no end.
        ranks(values.len(), SLOW)?;
        let rank = rank(values.len(), SLOW) - 1;
        (rank < values.len()).then(|| *values.select_nth_unstable(rank).1)
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
