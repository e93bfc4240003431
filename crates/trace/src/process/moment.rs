//! Points in time as logs write them.

use tidegate_base::Timestamp;

/// Reads a point in time, and the offset from UTC in which it is written, in seconds, where it
/// has one: without one it is taken as UTC.
///
/// ISO 8601 with `T` or a blank; year first, or day first after `.` and `-` (`24.12.2025`); with
/// `/` day or month first only where one of them is above 12, as the rest would be a guess; or
/// whole seconds, milliseconds, microseconds or nanoseconds since 1970, told by their length.
#[must_use]
pub fn parse_moment(text: &str) -> Option<(Timestamp, Option<i32>)> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return epoch(text).map(|time| (time, None));
    }
    let mut reader = Reader { rest: text };
    let days = date(&mut reader)?;
    let nanos = if reader.rest.is_empty() {
        0
    } else {
        if !reader.one_of("Tt :") {
            return None;
        }
        time_of_day(&mut reader)?
    };
    let offset = zone(&mut reader)?;
    let local = i128::from(days) * 86_400_000_000_000 + i128::from(nanos);
    let utc = local - i128::from(offset.unwrap_or(0)) * 1_000_000_000;
    Some((Timestamp::from_nanos(u64::try_from(utc).ok()?), offset))
}

fn epoch(digits: &str) -> Option<Timestamp> {
    let value: u64 = digits.parse().ok()?;
    let factor = match digits.len() {
        9 | 10 => 1_000_000_000,
        12 | 13 => 1_000_000,
        15 | 16 => 1_000,
        18 | 19 => 1,
        _ => return None,
    };
    value.checked_mul(factor).map(Timestamp::from_nanos)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// Takes one letter when it is one of `letters`.
    fn one_of(&mut self, letters: &str) -> bool {
        let Some(first) = self.rest.chars().next().filter(|c| letters.contains(*c)) else {
            return false;
        };
        self.rest = self.rest.get(first.len_utf8()..).unwrap_or_default();
        true
    }

    /// Takes from `least` to `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<(i64, usize)> {
        let digits = self
            .rest
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        if digits < least {
            return None;
        }
        let (number, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        Some((number.parse().ok()?, digits))
    }
}

/// Days since 1970.
fn date(reader: &mut Reader<'_>) -> Option<i64> {
    let (first, digits) = reader.number(1, 4)?;
    let mark = reader.rest.chars().next()?;
    if !reader.one_of("-/.") {
        return None;
    }
    let (second, _) = reader.number(1, 2)?;
    if !reader.one_of(&mark.to_string()) {
        return None;
    }
    let (third, last) = reader.number(1, 4)?;
    let (year, month, day) = match (digits, last) {
        (4, 1 | 2) => (first, second, third),
        (1 | 2, 4) if mark != '/' || first > 12 => (third, second, first),
        (1 | 2, 4) if second > 12 => (third, first, second),
        _ => return None,
    };
    let fits = (1..=12).contains(&month) && day >= 1 && day <= days_of(year, month);
    fits.then(|| days_from_civil(year, month, day))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar: years of 400 have 146 097 days, and
/// a year that starts in March has its leap day last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Nanoseconds since midnight.
fn time_of_day(reader: &mut Reader<'_>) -> Option<i64> {
    let (hour, _) = reader.number(1, 2)?;
    if !reader.one_of(":.") {
        return None;
    }
    let (minute, _) = reader.number(2, 2)?;
    let mut nanos = 0;
    let mut second = 0;
    if reader.one_of(":") {
        second = reader.number(2, 2)?.0;
        if reader.one_of(".,") {
            let (fraction, digits) = reader.number(1, 9)?;
            nanos = fraction * 10_i64.pow(9 - u32::try_from(digits).ok()?);
            // Finer than a nanosecond is not kept.
            while reader.one_of("0123456789") {}
        }
    }
    // A leap second is the last of its minute here.
    let second = second.min(if second == 60 { 59 } else { 60 });
    (hour < 24 && minute < 60 && second < 60)
        .then_some(((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanos)
}

/// The offset in seconds; the inner `None` when there is none.
#[expect(
    clippy::option_option,
    reason = "not a zone, and no zone, are two answers"
)]
fn zone(reader: &mut Reader<'_>) -> Option<Option<i32>> {
    reader.rest = reader.rest.trim_start();
    if reader.rest.is_empty() {
        return Some(None);
    }
    if matches!(reader.rest, "Z" | "z" | "UTC" | "GMT") {
        return Some(Some(0));
    }
    let sign = if reader.one_of("+") {
        1
    } else if reader.one_of("-\u{2212}") {
        -1
    } else {
        return None;
    };
    let (hours, _) = reader.number(2, 2)?;
    reader.one_of(":");
    let minutes = if reader.rest.is_empty() {
        0
    } else {
        reader.number(2, 2)?.0
    };
    let whole = reader.rest.is_empty() && hours <= 18 && minutes < 60;
    let seconds = i32::try_from((hours * 60 + minutes) * 60).ok()?;
    whole.then_some(Some(sign * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        match parse_moment(text) {
            Some((time, offset)) => format!("{time} {offset:?}"),
            None => "no".to_owned(),
        }
    }

    #[test]
    fn usual_forms_are_read() {
        for text in [
            "2023-07-03 15:02:39.393900+03:00",
            "2023-07-03T12:02:39.3939Z",
            "2023-07-03T12:02:39,3939+0000",
            "2023/07/03 12:02:39.3939 UTC",
            "03.07.2023 12:02:39.3939",
            "03-07-2023 12:02:39.393900123456",
            "1688385759393",
        ] {
            assert!(
                shown(text).starts_with("2023-07-03T12:02:39.393Z"),
                "{text}: {}",
                shown(text)
            );
        }
        assert_eq!(
            shown("2023-07-03 15:02:39+03"),
            "2023-07-03T12:02:39Z Some(10800)"
        );
        assert_eq!(shown("30-12-2010:11.02"), "2010-12-30T11:02:00Z None");
        assert_eq!(shown("2000-02-29"), "2000-02-29T00:00:00Z None");
        assert_eq!(shown("1688385759"), "2023-07-03T12:02:39Z None");
        assert_eq!(shown("12/31/2020 1:05"), "2020-12-31T01:05:00Z None");
        assert_eq!(shown("31/12/2020 01:05"), "2020-12-31T01:05:00Z None");
    }

    #[test]
    fn guesses_and_nonsense_are_not() {
        for text in [
            "",
            "yesterday",
            "04/05/2020 10:00",
            "2021-02-29",
            "2023-13-01",
            "2023-07-03 24:00",
            "2023-07-03 10:61",
            "1969-12-31",
            "2023-07-03 10:00 CEST",
            "2023-07-03 10:00+99:00",
            "12",
            "2023-07/03",
            "2023-07-03T",
            "2023-07-03 10:00+01:00x",
        ] {
            assert_eq!(shown(text), "no", "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(millis in 0_u64..7_000_000_000_000) {
            let time = Timestamp::from_millis(millis);
            prop_assert_eq!(parse_moment(&time.to_string()), Some((time, Some(0))));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let offset = parse_moment(&text).and_then(|(_, offset)| offset);
            prop_assert!(offset.is_none_or(|offset| offset.abs() < 19 * 3_600));
        }

        #[test]
        fn almost_times_do_not_panic(text in "[0-9:/. TZ+-]{0,32}") {
            let offset = parse_moment(&text).and_then(|(_, offset)| offset);
            prop_assert!(offset.is_none_or(|offset| offset.abs() < 19 * 3_600));
        }
    }
}
