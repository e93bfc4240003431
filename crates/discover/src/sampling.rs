//! What traces stand for: those that a sampler dropped, and those that were too many to look at.

use tidegate_trace::{Trace, Traces};

use crate::interval::number;

/// How the traces were chosen from all requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampling {
    /// Traces that were read; those that are looked at, and those that were left out.
    pub traces_read: usize,
    /// Their spans, those that were reported twice among them.
    pub spans_read: usize,
    /// Traces that tell with what probability a sampler kept them.
    pub with_probability: usize,
    /// How many requests the traces stand for: rates, peaks and savings a day are of these.
    pub stands_for: f64,
    /// Whether some traces stand for more than others: then quantiles and shares of calls are of what
    /// was kept, and savings of what it stands for.
    pub is_uneven: bool,
}

/// How the traces were chosen, and for how many requests each one stands.
pub(crate) fn of(captures: &[(String, Traces)], traces: &[&Trace]) -> (Sampling, Vec<f64>) {
    let skipped = || captures.iter().map(|(_, capture)| &capture.skipped);
    let left_out: usize = skipped().map(|skipped| skipped.traces_not_chosen).sum();
    let spans_left_out: usize = skipped().map(|skipped| skipped.spans_not_chosen).sum();
    let spans: usize = traces.iter().map(|trace| trace.spans().len()).sum();
    // Each trace was chosen with the same chance.
    let scale = number(traces.len() + left_out) / number(traces.len().max(1));
    let probabilities: Vec<Option<f64>> = traces
        .iter()
        .map(|trace| trace.sampling_probability())
        .collect();
    let weights: Vec<f64> = probabilities
        .iter()
        .map(|probability| scale * probability.map_or(1.0, f64::recip))
        .collect();
    let first = weights.first().copied().unwrap_or(1.0);
    let sampling = Sampling {
        traces_read: traces.len() + left_out,
        spans_read: spans + spans_left_out,
        with_probability: probabilities.iter().flatten().count(),
        // The sum of none is -0.0.
        stands_for: weights.iter().sum::<f64>() + 0.0,
        is_uneven: weights
            .iter()
            .any(|weight| (weight - first).abs() > first * 1e-9),
    };
    (sampling, weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_traces_stand_for_no_requests() {
        let (sampling, _) = of(&[], &[]);
        assert_eq!(sampling.stands_for.to_string(), "0");
    }
}
