//! Numbers of JSON, compared exactly: an integer beyond 2^53 is not its neighbour.

use std::cmp::Ordering;

use serde_json::Number;

/// The order of two numbers.
pub(crate) fn compare(a: &Number, b: &Number) -> Ordering {
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(a), None) => order_mixed(a, float(b)),
        (None, Some(b)) => order_mixed(b, float(a)).reverse(),
        (None, None) => float(a).total_cmp(&float(b)),
    }
}

fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

/// The number as an integer, if it is one that is sure to be exact.
pub(crate) fn whole(number: &Number) -> Option<i128> {
    if let Some(n) = number.as_i64() {
        return Some(i128::from(n));
    }
    if let Some(n) = number.as_u64() {
        return Some(i128::from(n));
    }
    let n = number.as_f64()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float without fraction below 2^100 is an integer of 128 bits"
    )]
    let exact = (n.fract() == 0.0 && n.abs() < 2_f64.powi(100)).then_some(n as i128);
    exact
}

/// The order of an integer of 64 bits and a float that is none of fewer than 100 bits.
fn order_mixed(a: i128, b: f64) -> Ordering {
    if b.abs() >= 2_f64.powi(100) {
        return if b > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        };
    }
    #[expect(clippy::cast_possible_truncation, reason = "floored and below 2^100")]
    let below = b.floor() as i128;
    // `b` has a fraction, so `a` is on one side of it.
    if a <= below {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

/// A number as digits and a power of ten: `0.25` is (25, -2).
fn decimal(number: &Number) -> Option<(i128, i32)> {
    if let Some(n) = whole(number) {
        return Some((n, 0));
    }
    let text = number.to_string();
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text.as_str(), 0),
    };
    let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
    let digits: i128 = format!("{before}{after}").parse().ok()?;
    let places = i32::try_from(after.len()).ok()?;
    Some((digits, exponent - places))
}

/// Whether every multiple of `a` is one of `b`. A `false` may be an *unknown*.
pub(crate) fn divides(b: &Number, a: &Number) -> bool {
    let (Some((a, a_ten)), Some((b, b_ten))) = (decimal(a), decimal(b)) else {
        return false;
    };
    let low = a_ten.min(b_ten);
    let scaled = |digits: i128, ten: i32| {
        let by = u32::try_from(ten - low).ok()?;
        digits.checked_mul(10_i128.checked_pow(by)?)
    };
    match (scaled(a, a_ten), scaled(b, b_ten)) {
        (Some(a), Some(b)) if b != 0 => a % b == 0,
        _ => false,
    }
}

/// From here on integers are read as floats: 2^63.
const INTEGERS_END: f64 = 9_223_372_036_854_775_808.0;

/// Whether it was rounded when it was read, or may have been: it is beyond 64 bits.
pub(crate) fn is_rounded(number: &Number) -> bool {
    let is_float = !number.is_i64() && !number.is_u64();
    is_float && number.as_f64().is_some_and(|n| n.abs() >= INTEGERS_END)
}

/// Whether two numbers differ, whatever was rounded when they were read.
pub(crate) fn are_apart(a: &Number, b: &Number) -> bool {
    let (a, b) = (float(a), float(b));
    (a - b).abs() > a.abs().max(b.abs()) * 1e-9
}

/// Numbers on both sides of one beyond 64 bits; none for a smaller one.
pub(crate) fn far(number: &Number) -> Vec<Number> {
    if !is_rounded(number) {
        return Vec::new();
    }
    let n = float(number);
    let near = [n * 2.0, n * 1.5, n * 1.01, n * 0.99, n / 2.0];
    near.into_iter().filter_map(Number::from_f64).collect()
}

/// The number of this integer; nothing beyond 64 bits.
pub(crate) fn of(n: i128) -> Option<Number> {
    match i64::try_from(n) {
        Ok(n) => Some(Number::from(n)),
        Err(_) => u64::try_from(n).ok().map(Number::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn order_is_exact() {
        let rising = [
            "-1e300",
            "-9223372036854775808",
            "-1.5",
            "-1",
            "0",
            "0.5",
            "1",
            "1.5",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551615",
            "1e200",
        ];
        for (i, a) in rising.iter().enumerate() {
            for (j, b) in rising.iter().enumerate() {
                assert_eq!(compare(&number(a), &number(b)), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare(&number("1.0"), &number("1")), Ordering::Equal);
    }

    #[test]
    fn multiples() {
        for (b, a, yes) in [
            ("2", "4", true),
            ("4", "2", false),
            ("0.1", "0.3", true),
            ("0.25", "1", true),
            ("0.2", "0.5", false),
            ("1", "0.5", false),
            ("1e-3", "2.5e-2", true),
        ] {
            assert_eq!(divides(&number(b), &number(a)), yes, "{b} {a}");
        }
    }
}
