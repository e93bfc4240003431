//! Quantities as a design writes them, exactly.

use std::time::Duration;

/// A duration in the largest unit that divides it: `7d`, `1500ms`.
pub(crate) fn duration_text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    const UNITS: [(u128, &str); 6] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ];
    let unit = UNITS
        .iter()
        .find(|(size, _)| nanos >= *size && nanos.is_multiple_of(*size));
    match unit {
        Some((size, unit)) => format!("{}{unit}", nanos / size),
        None => format!("{nanos}ns"),
    }
}

/// Reads an ISO 8601 duration without years and months: `P7D`, `PT0.25S`, `P2W`; or one as a design
/// writes it.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let Some(rest) = text.strip_prefix('P') else {
        return tidegate_base::parse_duration(text).ok();
    };
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut total = Duration::ZERO;
    for (text, units) in [
        (days, [('W', 604_800), ('D', 86_400), ('\0', 0)]),
        (time, [('H', 3_600), ('M', 60), ('S', 1)]),
    ] {
        let mut rest = text;
        while let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) {
            let (number, tail) = rest.split_at_checked(end)?;
            let mut letters = tail.chars();
            let letter = letters.next()?;
            let (_, seconds) = units.iter().find(|(unit, _)| *unit == letter)?;
            total = total.checked_add(scaled(number, *seconds)?)?;
            rest = letters.as_str();
        }
        if !rest.is_empty() {
            return None;
        }
    }
    Some(total)
}

/// `number` times so many seconds, exactly.
fn scaled(number: &str, seconds: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let digits = format!("{fraction:0<9}");
    let nanos: u64 = digits.get(..9)?.parse().ok()?;
    let nanos = u128::from(nanos) * u128::from(seconds);
    let whole = Duration::from_secs(whole.checked_mul(seconds)?);
    whole.checked_add(Duration::from_nanos(u64::try_from(nanos).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_durations_are_read_exactly() {
        for (iso, text) in [
            ("P7D", "7d"),
            ("PT0.25S", "250ms"),
            ("PT1H30M", "90m"),
            ("P1DT1H1M1.000000001S", "90061000000001ns"),
            ("P2W", "14d"),
            ("PT0S", "0ns"),
            ("30s", "30s"),
        ] {
            assert_eq!(duration_text(duration(iso).unwrap()), text, "{iso}");
        }
        for iso in ["P1Y", "PT", "P7", "soon", "PT1X", "P-1D"] {
            assert!(duration(iso).is_none_or(|d| d.is_zero()), "{iso}");
        }
    }
}
