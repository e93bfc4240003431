//! Quantities as a design writes them: `250ms`, `2000/s`, `64KiB`, `20%`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not {expected}, such as {example}")]
pub struct UnitError {
    /// The text.
    pub text: String,
    /// What was expected.
    pub expected: &'static str,
    /// A valid text.
    pub example: &'static str,
}

/// Splits `12.5ms` into 12.5 and `ms`; `None` when the number is not finite or negative.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let value: f64 = number.parse().ok()?;
    value.is_finite().then_some((value, unit.trim()))
}

/// Reads a duration: a number and one of `ns us ms s m h d w`; parts may follow each other (`1h30m`).
///
/// # Errors
///
/// When the text is anything else, or longer than 100 years.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    const SECONDS_MAX: f64 = 100.0 * 365.0 * 86_400.0;
    let error = || UnitError {
        text: text.to_owned(),
        expected: "a duration",
        example: "`250ms`, `30s`, `5m`, `7d`",
    };
    let mut rest = text.trim();
    let mut seconds = 0.0;
    if rest.is_empty() {
        return Err(error());
    }
    while !rest.is_empty() {
        let (value, tail) = split(rest).ok_or_else(error)?;
        let end = tail
            .find(|c: char| c.is_ascii_digit() || c == ' ')
            .unwrap_or(tail.len());
        let (unit, after) = tail.split_at_checked(end).ok_or_else(error)?;
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            _ => return Err(error()),
        };
        seconds += value * scale;
        rest = after.trim_start();
    }
    if seconds > SECONDS_MAX {
        return Err(error());
    }
    // Whole nanoseconds: `0.1s` is 100ms, not 100.000000006ms.
    Ok(Duration::from_nanos(round(seconds * 1e9)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "callers pass a finite number that is not negative; the cast saturates"
)]
fn round(value: f64) -> u64 {
    value.round() as u64
}

/// A duration in the largest unit that keeps it short: `250ms`, `1.5s`, `7d`; at most two decimals.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let (value, unit) = match seconds {
        0.0 => return "0s".to_owned(),
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "us"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s if s < 60.0 => (s, "s"),
        s if s < 3_600.0 => (s / 60.0, "m"),
        s if s < 86_400.0 => (s / 3_600.0, "h"),
        s => (s / 86_400.0, "d"),
    };
    format!("{}{unit}", short(value))
}

/// At most two decimals, without zeros at the end.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Events a second; finite and not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(f64);

impl Rate {
    /// `value` events a second; `None` when negative or not finite.
    #[must_use]
    pub fn per_second(value: f64) -> Option<Self> {
        (value.is_finite() && value >= 0.0).then_some(Self(value))
    }

    /// Events a second.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Reads `2000/s`, `12/m`, `1.5k/s`, `3/h`, `100/d`.
    ///
    /// # Errors
    ///
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError {
            text: text.to_owned(),
            expected: "a rate",
            example: "`2000/s`, `1.5k/s`, `90/m`",
        };
        let (number, unit) = text.split_once('/').ok_or_else(error)?;
        let (value, suffix) = split(number).ok_or_else(error)?;
        let scale = match suffix {
            "" => 1.0,
            "k" => 1e3,
            "M" => 1e6,
            _ => return Err(error()),
        };
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(error()),
        };
        Self::per_second(value * scale / seconds).ok_or_else(error)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The unit in which two decimals say enough.
        let (value, unit) = match self.0 {
            r if r == 0.0 || r >= 0.1 => (r, "s"),
            r if r >= 0.1 / 60.0 => (r * 60.0, "m"),
            r if r >= 0.1 / 3_600.0 => (r * 3_600.0, "h"),
            r => (r * 86_400.0, "d"),
        };
        f.pad(&format!("{}/{unit}", short(value)))
    }
}

/// A number of bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Reads `300`, `300B`, `64KiB`, `1MiB`, `2GiB`, `1TiB`, `64KB`, `1MB`, `2GB`, `1TB`.
    ///
    /// # Errors
    ///
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError {
            text: text.to_owned(),
            expected: "a size in bytes",
            example: "`300B`, `64KiB`, `1MB`",
        };
        let (value, unit) = split(text).ok_or_else(error)?;
        let scale = match unit {
            "" | "B" => 1.0,
            "KB" | "kB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "TB" => 1e12,
            "KiB" => 1024.0,
            "MiB" => 1_048_576.0,
            "GiB" => 1_073_741_824.0,
            "TiB" => 1_099_511_627_776.0,
            _ => return Err(error()),
        };
        Ok(Self(round(value * scale)))
    }
}

impl fmt::Display for Bytes {
    #[expect(clippy::cast_precision_loss, reason = "three digits are printed")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0 as f64;
        let text = match self.0 {
            0..1_024 => format!("{}B", self.0),
            1_024..1_048_576 => format!("{}KiB", short(value / 1_024.0)),
            1_048_576..1_073_741_824 => format!("{}MiB", short(value / 1_048_576.0)),
            _ => format!("{}GiB", short(value / 1_073_741_824.0)),
        };
        f.pad(&text)
    }
}

/// A share of a whole: 0.0 to 1.0. Written `20%` or `0.2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ratio(f64);

impl Ratio {
    /// 50%.
    pub const HALF: Self = Self(0.5);

    /// A ratio of `value`; `None` outside 0.0..=1.0.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// 0.0 to 1.0.
    #[must_use]
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Reads `20%` or `0.2`.
    ///
    /// # Errors
    ///
    /// When the text is anything else, or outside 0 % to 100 %.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError {
            text: text.to_owned(),
            expected: "a share between 0% and 100%",
            example: "`20%` or `0.2`",
        };
        let (value, unit) = split(text).ok_or_else(error)?;
        let value = match unit {
            "" => value,
            "%" => value / 100.0,
            _ => return Err(error()),
        };
        Self::new(value).ok_or_else(error)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}%", short(self.0 * 100.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(parse_duration("0.1s"), Ok(Duration::from_millis(100)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_hours(168)));
        for wrong in ["", "5", "s", "-1s", "5 parsecs", "1e9d", "200000d", "NaNs"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(format_duration(Duration::from_millis(1_500)), "1.5s");
        assert_eq!(format_duration(Duration::from_hours(168)), "7d");
    }

    #[test]
    fn rates_bytes_ratios() {
        assert_eq!(Rate::parse("2000/s").unwrap().value(), 2_000.0);
        assert_eq!(Rate::parse("90/m").unwrap().to_string(), "1.5/s");
        assert_eq!(Rate::parse("3/h").unwrap().to_string(), "3/h");
        assert_eq!(Rate::parse("2/d").unwrap().to_string(), "2/d");
        assert_eq!(Rate::parse("0/s").unwrap().to_string(), "0/s");
        assert!(Rate::parse("2000").is_err());
        assert_eq!(Bytes::parse("64KiB"), Ok(Bytes(65_536)));
        assert_eq!(Bytes(1_536).to_string(), "1.5KiB");
        assert_eq!(Ratio::parse("20%").unwrap().value(), 0.2);
        assert_eq!(
            Ratio::parse("20").unwrap_err().to_string(),
            "`20` is not a share between 0% and 100%, such as `20%` or `0.2`"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,12}") {
            drop((parse_duration(&text), Rate::parse(&text), Bytes::parse(&text), Ratio::parse(&text)));
        }

        #[test]
        fn a_printed_duration_is_read_back_within_one_percent(ms in 1_u64..10_000_000_000) {
            let duration = Duration::from_millis(ms);
            let back = parse_duration(&format_duration(duration)).unwrap();
            prop_assert!((back.as_secs_f64() / duration.as_secs_f64() - 1.0).abs() < 0.01);
        }
    }
}
