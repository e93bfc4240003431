//! With what probability a trace was kept, as far as a capture tells.

use crate::attributes::SAMPLING_PROBABILITY;
use crate::{Keys, Trace};

impl Trace {
    /// With what probability it was kept, when the capture tells: above 0.0 and up to 1.0. Each of
    /// its requests stands for the reciprocal of it.
    ///
    /// Where spans of one trace disagree, the least counts: each sampler saw what the one before it
    /// had left.
    #[must_use]
    pub fn sampling_probability(&self) -> Option<f64> {
        const NAME: Keys<1> = Keys::of([SAMPLING_PROBABILITY]);
        if !self.has_any(&NAME) {
            return None;
        }
        self.spans()
            .iter()
            .filter_map(|span| from_text(span.first(&NAME)?))
            .reduce(f64::min)
    }

    /// How many requests it stands for; 1.0 when the capture does not tell.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.sampling_probability().map_or(1.0, f64::recip)
    }
}

/// The probability in a `tracestate` of OpenTelemetry's consistent sampling: `ot=th:c` keeps the
/// quarter of traces whose random number is at least `0xc0…`; the older `ot=p:2` keeps one in four.
pub(crate) fn from_tracestate(text: &str) -> Option<f64> {
    let entry = text
        .split(',')
        .find_map(|member| member.trim().strip_prefix("ot="))?;
    let value = |name: &str| {
        let mut fields = entry.split(';');
        fields.find_map(|field| field.strip_prefix(name)?.strip_prefix(':'))
    };
    if let Some(threshold) = value("th") {
        return from_threshold(threshold);
    }
    let exponent: i32 = value("p")?.parse().ok()?;
    // 63 means that the trace was not sampled by probability.
    (0..63).contains(&exponent).then(|| 0.5_f64.powi(exponent))
}

/// Up to 14 hexadecimal digits, zeros left out at the end: the share of traces that was rejected.
fn from_threshold(digits: &str) -> Option<f64> {
    if digits.is_empty() || digits.len() > 14 {
        return None;
    }
    let mut rejected = 0.0;
    let mut place = 1.0;
    for digit in digits.chars() {
        place /= 16.0;
        rejected += f64::from(digit.to_digit(16)?) * place;
    }
    valid(1.0 - rejected)
}

/// The probability of Jaeger's tags `sampler.type` and `sampler.param`.
pub(crate) fn from_jaeger(kind: Option<&str>, parameter: Option<&str>) -> Option<f64> {
    if kind != Some("probabilistic") {
        return None;
    }
    from_text(parameter?)
}

/// A probability as text.
pub(crate) fn from_text(text: &str) -> Option<f64> {
    text.trim().parse().ok().and_then(valid)
}

fn valid(probability: f64) -> Option<f64> {
    (probability > 0.0 && probability <= 1.0).then_some(probability)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_the_share_that_is_rejected() {
        let of = |text: &str| from_tracestate(text);
        assert_eq!(of("ot=th:0"), Some(1.0));
        assert_eq!(of("vendor=x, ot=rv:abc;th:c,b=c"), Some(0.25));
        assert_eq!(
            of("ot=th:fd70a4"),
            Some(f64::from(0x0002_8f5c) / f64::from(1 << 24))
        );
        assert_eq!(of("ot=p:3;r:62"), Some(0.125));
        for none in [
            "",
            "ot=p:63",
            "ot=p:-1",
            "ot=th:",
            "ot=th:xyz",
            "ot=r:3",
            "th:8",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn only_a_probability_is_one() {
        assert_eq!(
            from_jaeger(Some("probabilistic"), Some("0.001")),
            Some(0.001)
        );
        assert_eq!(from_jaeger(Some("const"), Some("1")), None);
        for none in ["0", "1.5", "-1", "NaN", "inf", "", "x"] {
            assert_eq!(from_text(none), None, "{none}");
        }
    }
}
