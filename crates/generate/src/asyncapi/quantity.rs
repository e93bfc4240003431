//! Quantities as AsyncAPI documents write them.

use std::time::Duration;

/// An ISO 8601 duration: `P7D`, `PT0.25S`, `PT1H30M`.
///
/// Source: ISO 8601-1:2019, 5.5.2.
pub(super) fn iso(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let mut text = String::from("P");
    if days > 0 {
        text.push_str(&format!("{days}D"));
    }
    let mut time = String::new();
    for (value, unit) in [(hours, 'H'), (minutes, 'M')] {
        if value > 0 {
            time.push_str(&format!("{value}{unit}"));
        }
    }
    match duration.subsec_nanos() {
        0 if rest > 0 => time.push_str(&format!("{rest}S")),
        0 => {}
        nanos => {
            let fraction = format!("{nanos:09}");
            time.push_str(&format!("{rest}.{}S", fraction.trim_end_matches('0')));
        }
    }
    match (days, time.is_empty()) {
        (0, true) => "PT0S".to_owned(),
        (_, true) => text,
        (_, false) => format!("{text}T{time}"),
    }
}

/// Milliseconds; at most what 64 bits hold.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_iso_8601() {
        for (nanos, text) in [
            (0, "PT0S"),
            (250_000_000, "PT0.25S"),
            (30_000_000_000, "PT30S"),
            (5_400_000_000_000, "PT1H30M"),
            (604_800_000_000_000, "P7D"),
            (90_061_000_000_001, "P1DT1H1M1.000000001S"),
        ] {
            assert_eq!(iso(Duration::from_nanos(nanos)), text);
        }
    }
}
