//! The requests of one endpoint.

use std::cell::OnceCell;

use super::Site;
use super::predicted::{Changes, UNCHANGED};
use crate::interval::{Paired, Ranked};

/// A request of a trace that is complete enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) site: Site,
    /// Its number among all requests of all endpoints.
    pub(super) number: u32,
    pub(super) start: u64,
    pub(super) length: i64,
    pub(super) weight: f64,
}

/// The requests of one endpoint, by time.
#[derive(Debug, Default)]
pub(super) struct Endpoint {
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) requests: Vec<Request>,
    /// The number of its first request, of all requests of all endpoints.
    pub(super) first_number: usize,
    /// What its requests take, by length.
    pub(super) before: OnceCell<Ranked>,
    /// All requests, in the order of the traces.
    pub(super) entries: Vec<Site>,
    /// The places of `requests` by length.
    pub(super) by_length: Vec<u32>,
    /// What all stand for, those of incomplete traces as well.
    pub(super) all: f64,
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Endpoint {
    pub(super) fn sort(&mut self) {
        self.requests
            .sort_unstable_by_key(|request| (request.start, request.site));
        let count = u32::try_from(self.requests.len()).unwrap_or(u32::MAX);
        self.by_length = (0..count).collect();
        self.by_length.sort_unstable_by_key(|place| {
            let request = self.requests.get(*place as usize);
            request.map(|request| (request.length, request.site))
        });
    }

    /// The numbers of its requests.
    pub(super) fn numbers(&self) -> std::ops::Range<usize> {
        self.first_number..self.first_number + self.entries.len()
    }

    pub(super) fn pairs(&self, changes: &Changes) -> Vec<Paired> {
        let pairs = self.requests.iter().map(|request| {
            let after = changes.after.get(request.number as usize).copied();
            Paired {
                before: request.length,
                after: after
                    .filter(|after| *after != UNCHANGED)
                    .unwrap_or(request.length),
                weight: request.weight,
            }
        });
        pairs.collect()
    }
}
