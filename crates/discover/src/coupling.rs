//! How failures of a call become failures of the request that it belongs to.
//!
//! Sources: R. G. Newcombe, "Interval estimation for the difference between independent
//! proportions", Statistics in Medicine 17 (1998), method 10; N. Mantel, W. Haenszel, JNCI 22
//! (1959), for the strata; B. Treynor et al., "The Calculus of Service Availability", ACM Queue
//! 15 (2017).

use std::time::Duration;

use crate::interval::number;
use crate::observe::Observation;
use crate::statistics::Proportion;

/// The stretch of time within which failures are compared, so that what made everything fail at once
/// does not count as a coupling.
const STRATUM: Duration = Duration::from_secs(60);

/// The coupling of one call path.
#[derive(Clone, Debug, PartialEq)]
pub struct Coupling {
    /// How often the call fails.
    pub failures: Proportion,
    /// Requests that failed, among those in which it failed, and among the others.
    pub with: Proportion,
    /// Among the others.
    pub without: Proportion,
    /// By how much more likely a request fails when the call does, within the same minute: from -1
    /// to 1, with its 95 % interval; `None` when it never failed, or always.
    pub excess: Option<(f64, f64, f64)>,
    /// Requests that would not fail any more if nobody waited for it, of a million.
    pub removed_per_million: Option<f64>,
    /// How many attempts a call takes on average; `None` when nothing tells.
    pub attempts: Option<f64>,
}

impl Coupling {
    pub(crate) fn of(seen: &[Observation], attempts: Option<f64>) -> Self {
        let mut failures = Proportion::default();
        let (mut with, mut without) = (Proportion::default(), Proportion::default());
        for observation in seen {
            failures.count(observation.failed.into());
            let side = if observation.failed {
                &mut with
            } else {
                &mut without
            };
            side.count(observation.request_failed.into());
        }
        let excess = excess(seen, with, without);
        Self {
            removed_per_million: excess.map(|(value, ..)| 1e6 * failures.share() * value.max(0.0)),
            failures,
            with,
            without,
            excess,
            attempts,
        }
    }
}

/// The difference of both shares, over strata of time, with Newcombe's interval around it.
fn excess(seen: &[Observation], with: Proportion, without: Proportion) -> Option<(f64, f64, f64)> {
    let (plain, low, high) = difference(with, without)?;
    // Where no minute has both, nothing can be compared within one.
    let value = within_strata(seen).unwrap_or(plain);
    let bounded = |value: f64| value.clamp(-1.0, 1.0);
    Some((
        bounded(value),
        bounded(low + value.min(plain) - plain),
        bounded(high + value.max(plain) - plain),
    ))
}

/// The difference of two shares, with Newcombe's interval; `None` when one of them is of none.
pub(crate) fn difference(with: Proportion, without: Proportion) -> Option<(f64, f64, f64)> {
    let ((low, high), (other_low, other_high)) = (with.interval()?, without.interval()?);
    let (share, other) = (with.share(), without.share());
    let below = ((share - low).powi(2) + (other_high - other).powi(2)).sqrt();
    let above = ((high - share).powi(2) + (other - other_low).powi(2)).sqrt();
    let plain = share - other;
    Some((plain, plain - below, plain + above))
}

/// The Mantel-Haenszel difference of risks.
fn within_strata(seen: &[Observation]) -> Option<f64> {
    let stratum = |observation: &Observation| observation.offset.as_secs() / STRATUM.as_secs();
    let (mut sum, mut weights) = (0.0, 0.0);
    // In order of time.
    for minute in seen.chunk_by(|a, b| stratum(a) == stratum(b)) {
        let count = |failed: bool, request_failed: Option<bool>| {
            let matching = minute.iter().filter(|observation| {
                observation.failed == failed
                    && request_failed.is_none_or(|wanted| observation.request_failed == wanted)
            });
            number(matching.count())
        };
        let (with, without) = (count(true, None), count(false, None));
        let all = with + without;
        if with > 0.0 && without > 0.0 {
            sum += (count(true, Some(true)) * without - count(false, Some(true)) * with) / all;
            weights += with * without / all;
        }
    }
    (weights > 0.0).then(|| sum / weights)
}
