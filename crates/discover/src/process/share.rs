//! Shares of sums over cases, with intervals.

use super::found::Estimate;

/// The normal quantile of two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// The ratio of the sums of `parts`, (part, whole) for each case, between 0.0 and `most`. Cases
/// are the units: what happens within one is not independent.
///
/// Source: W. G. Cochran, "Sampling Techniques", 3rd edition, section 6.4: the linearised variance
/// of a ratio estimate.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of cases are far below 2^52"
)]
pub(super) fn ratio(parts: &[(f64, f64)], most: f64) -> Estimate {
    let n = parts.len() as f64;
    let whole: f64 = parts.iter().map(|(_, whole)| whole).sum();
    if whole <= 0.0 {
        return Estimate {
            value: 0.0,
            low: 0.0,
            high: most,
        };
    }
    let part: f64 = parts.iter().map(|(part, _)| part).sum();
    let value = part / whole;
    if parts.len() < 2 {
        return Estimate {
            value,
            low: 0.0,
            high: most,
        };
    }
    let residuals = parts.iter().map(|(part, whole)| part - value * whole);
    let squares: f64 = residuals.map(|residual| residual * residual).sum();
    let error = (n / (n - 1.0) * squares).sqrt() / whole;
    Estimate {
        value,
        low: (value - Z * error).max(0.0),
        high: (value + Z * error).min(most),
    }
}

/// The mean of `values` with its interval: normal, from 30 values on a fair approximation.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of cases are far below 2^52"
)]
pub(super) fn mean(values: &[f64]) -> Estimate {
    let n = values.len() as f64;
    let value = values.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = values.iter().map(|one| (one - value) * (one - value)).sum();
    let error = if values.len() < 2 {
        f64::INFINITY
    } else {
        (squares / (n - 1.0) / n).sqrt()
    };
    Estimate {
        value,
        low: value - Z * error,
        high: value + Z * error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_base::Random;

    /// The interval holds the true ratio about as often as it says.
    #[test]
    fn intervals_cover() {
        let mut held = 0;
        for trial in 0..400_u64 {
            let random = Random::new(trial, "ratio", "cover");
            let parts: Vec<(f64, f64)> = (0..100_u64)
                .map(|case| {
                    let whole = random.exponential(2 * case);
                    (whole * random.uniform(2 * case + 1), whole)
                })
                .collect();
            let estimate = ratio(&parts, 1.0);
            held += usize::from(estimate.low <= 0.5 && 0.5 <= estimate.high);
        }
        assert!((360..=396).contains(&held), "{held} of 400");
    }
}
