//! What one endpoint would save, with how sure that is.

use std::time::Duration;

use super::endpoint::Endpoint;
use super::{Hidden, Site};
use crate::interval::{self, Estimate, Paired, Ranked, mean_saved, nanos};

/// What the requests of one endpoint would save; nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Saving {
    /// The service that handles the requests.
    pub service: String,
    /// What they ask for.
    pub operation: String,
    /// Requests that were replayed.
    pub requests: usize,
    /// Those of them that the change makes a difference to.
    pub affected: usize,
    /// How many requests the endpoint had: those of incomplete traces, and what traces that were
    /// sampled stand for, among them.
    pub stands_for: f64,
    /// All requests of the endpoint, each second; `None` when less than a second was observed.
    pub rate: Option<f64>,
    /// What they take on average.
    pub before: f64,
    /// What is saved of it.
    pub mean: Estimate,
    /// What is saved of the median.
    pub p50: Estimate,
    /// What is saved of the 95th percentile.
    pub p95: Estimate,
    /// What is saved of the 99th percentile.
    pub p99: Estimate,
    /// What the mean would be if only orders that were seen to be waited for were real.
    pub optimistic: f64,
    /// How sure it is that each order that was taken for real is: of the least known call.
    pub confidence: f64,
    /// What is saved in all, in each of [`BLOCKS`] parts of the observed time.
    pub(crate) by_time: Vec<f64>,
}

/// In how many parts the observed time is cut to see how sure the ranking is.
pub(crate) const BLOCKS: u8 = 40;

/// The request takes as long as it did.
pub(super) const UNCHANGED: i64 = i64::MIN;

/// What requests take when something is changed.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    /// By the number of the request.
    pub(super) after: Vec<i64>,
    /// Whether any request of each endpoint was looked at.
    pub(super) endpoints: Vec<bool>,
    /// The calls of those traces of which another view says something else.
    pub(super) unsure: Vec<Site>,
}

/// What one endpoint would save.
pub(super) struct Predicted<'a> {
    pub(super) endpoint: &'a Endpoint,
    pairs: Vec<Paired>,
    blocks: usize,
    pub(super) saved: f64,
    optimistic: f64,
    /// How much more the interval holds to both sides.
    below: f64,
    above: f64,
}

impl<'a> Predicted<'a> {
    pub(super) fn new(
        endpoint: &'a Endpoint,
        pairs: Vec<Paired>,
        bounds: Option<[f64; 2]>,
        hidden: Hidden,
    ) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "seconds of a capture are few")]
        let seconds = endpoint.last.saturating_sub(endpoint.first) as f64 / 1e9;
        let saved = mean_saved(&pairs);
        let [least, optimistic] = bounds.unwrap_or([saved; 2]);
        Self {
            endpoint,
            blocks: interval::blocks(pairs.len(), seconds),
            pairs,
            saved,
            optimistic,
            below: (saved - least.min(optimistic)).max(0.0) + hidden.any * saved.abs(),
            above: (least.max(optimistic) - saved).max(0.0)
                + (hidden.any + hidden.calls) * saved.abs(),
        }
    }

    pub(super) fn mean(&self) -> Estimate {
        interval::mean(&self.pairs, self.blocks).widened(self.below, self.above)
    }

    pub(super) fn saving(&self, confidence: f64, (observed, length): (Duration, u64)) -> Saving {
        let (endpoint, pairs) = (self.endpoint, &self.pairs);
        let weight: f64 = pairs.iter().map(|pair| pair.weight).sum();
        let sum: f64 = pairs
            .iter()
            .map(|pair| nanos(pair.before) * pair.weight)
            .sum();
        let before = endpoint
            .before
            .get_or_init(|| Ranked::new(pairs, self.blocks, |pair| pair.before));
        let quantiles = interval::quantiles(pairs, before, self.blocks, [0.5, 0.95, 0.99]);
        let [p50, p95, p99] = quantiles.map(|quantile| quantile.widened(self.below, self.above));
        Saving {
            service: endpoint.service.clone(),
            operation: endpoint.operation.clone(),
            requests: pairs.len(),
            affected: pairs
                .iter()
                .filter(|pair| pair.before != pair.after)
                .count(),
            stands_for: endpoint.all,
            rate: crate::services::rate(endpoint.all, observed),
            before: if weight > 0.0 { sum / weight } else { 0.0 },
            mean: self.mean(),
            p50,
            p95,
            p99,
            optimistic: self.optimistic,
            confidence,
            by_time: self.by_time(length),
        }
    }

    /// By how long after the first request of its endpoint each one started: a clock that is wrong by the same
    /// for all of them changes nothing.
    fn by_time(&self, length: u64) -> Vec<f64> {
        let mut totals = vec![0.0; usize::from(BLOCKS)];
        for (request, pair) in self.endpoint.requests.iter().zip(&self.pairs) {
            let after = request.start.saturating_sub(self.endpoint.first);
            let part = u128::from(after) * u128::from(BLOCKS) / (u128::from(length) + 1);
            if let Ok(part) = usize::try_from(part)
                && let Some(total) = totals.get_mut(part)
            {
                *total += pair.saved() * pair.weight;
            }
        }
        totals
    }
}
