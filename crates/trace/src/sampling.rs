//! With what probability a trace was kept, as far as a capture tells.

use crate::attributes::{SAMPLER_PARAM, SAMPLER_TYPE, SAMPLING_PROBABILITY};
use crate::{Keys, Span, Trace};

impl Trace {
    /// With what probability it was kept, when the capture tells: above 0.0 and up to 1.0. Each of
    /// its requests stands for the reciprocal of it.
    ///
    /// Where spans of one trace disagree, the least counts: each sampler saw what the one before it
    /// had left.
    #[must_use]
    pub fn sampling_probability(&self) -> Option<f64> {
        const ANY: Keys<2> = Keys::of([SAMPLING_PROBABILITY, SAMPLER_PARAM]);
        if !self.has_any(&ANY) {
            return None;
        }
        self.spans().iter().filter_map(of_span).reduce(f64::min)
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

/// With what probability the trace was kept, as one of its spans tells.
fn of_span(span: &Span) -> Option<f64> {
    const NAME: Keys<1> = Keys::of([SAMPLING_PROBABILITY]);
    const TYPE: Keys<1> = Keys::of([SAMPLER_TYPE]);
    const PARAM: Keys<1> = Keys::of([SAMPLER_PARAM]);
    if let Some(probability) = span.first(&NAME).and_then(from_text) {
        return Some(probability);
    }
    let is_by_probability = span.first(&TYPE) == Some("probabilistic");
    from_text(span.first(&PARAM).filter(|_| is_by_probability)?)
}

/// A probability as text.
fn from_text(text: &str) -> Option<f64> {
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

    fn told(text: &str) -> Option<f64> {
        let traces = crate::read("made.json", text.as_bytes()).unwrap();
        traces.traces.first().unwrap().sampling_probability()
    }

    #[test]
    fn what_clients_of_jaeger_tell_is_read_in_every_format() {
        let otlp = |kind: &str, parameter: &str| {
            format!(
                r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"0af7651916cd43dd8448eb211c80319c",
                "spanId":"b7ad6b7169203331","startTimeUnixNano":"1800000000000000000",
                "endTimeUnixNano":"1800000001000000000","attributes":[
                {{"key":"sampler.type","value":{{"stringValue":"{kind}"}}}},
                {{"key":"sampler.param","value":{{"doubleValue":{parameter}}}}}]}}]}}]}}]}}"#
            )
        };
        assert_eq!(told(&otlp("probabilistic", "0.05")), Some(0.05));
        assert_eq!(told(&otlp("const", "1")), None);
        assert_eq!(told(&otlp("ratelimiting", "0.5")), None);
        let jaeger = r#"{"data":[{"traceID":"1","spans":[{"traceID":"1","spanID":"2","operationName":"a",
            "startTime":1800000000000000,"duration":10,"tags":[
            {"key":"sampler.type","type":"string","value":"probabilistic"},
            {"key":"sampler.param","type":"float64","value":0.001}]}],"processes":{}}]}"#;
        assert_eq!(told(jaeger), Some(0.001));
        let zipkin = r#"[{"traceId":"0000000000000001","id":"0000000000000002","name":"a",
            "timestamp":1800000000000000,"duration":10,
            "tags":{"sampler.type":"probabilistic","sampler.param":"0.25"}}]"#;
        assert_eq!(told(zipkin), Some(0.25));
    }

    #[test]
    fn only_a_probability_is_one() {
        assert_eq!(from_text("0.001"), Some(0.001));
        for none in ["0", "1.5", "-1", "NaN", "inf", "", "x"] {
            assert_eq!(from_text(none), None, "{none}");
        }
    }
}
