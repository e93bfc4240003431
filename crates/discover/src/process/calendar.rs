//! Working hours, learned from when work starts.
//!
//! A run of half hours of the week without a start is off duty when the starts seen elsewhere make
//! it too unlikely by chance: under a Poisson process of that rate, less than one in a thousand.

use std::time::Duration;

use tidegate_base::Timestamp;

use super::intervals::Stretch;

/// Half hours of a week.
const SLOTS: usize = 336;
const SLOT: Duration = Duration::from_secs(1_800);
const WEEK_SECONDS: i64 = 604_800;
/// From Monday before 1970 to the epoch, a Thursday.
const MONDAY_SECONDS: i64 = 3 * 86_400;
/// Starts that make a calendar.
const STARTS_MIN: usize = 100;
/// Weeks that do.
const SPAN_MIN: Duration = Duration::from_secs(14 * 86_400);
/// The logarithm of one in a thousand: so many starts are expected where none is by chance once
/// in a thousand.
const EXPECTED_MIN: f64 = 6.9;
/// Of the usual rate: fewer starts are overtime.
const RARE: f64 = 0.05;

/// When a resource works, by half hours of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    on: Vec<bool>,
    zone: i32,
}

impl Calendar {
    /// Learns from starts; `None` when they are too few or too close together to tell.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(super) fn learn(starts: &[Timestamp], zone: i32) -> Option<Self> {
        let first = starts.iter().min()?;
        let span = starts.iter().max()?.since(*first);
        if starts.len() < STARTS_MIN || span < SPAN_MIN {
            return None;
        }
        let mut counts = vec![0_usize; SLOTS];
        for start in starts {
            if let Some(count) = counts.get_mut(slot(*start, zone)) {
                *count += 1;
            }
        }
        let mut on = vec![true; SLOTS];
        // More of the week off means a higher rate in the rest, which may show shorter breaks.
        loop {
            let slots = on.iter().filter(|on| **on).count().max(1);
            let rate = starts.len() as f64 / slots as f64;
            let rare: Vec<bool> = counts
                .iter()
                .map(|count| (*count as f64) < rate * RARE || *count == 0)
                .collect();
            let next = off_runs(&rare, EXPECTED_MIN / rate);
            if next == on {
                return Some(Self { on, zone });
            }
            if next.iter().filter(|on| **on).count() >= slots {
                return Some(Self { on, zone });
            }
            on = next;
        }
    }

    /// Hours of the week on duty.
    #[cfg(test)]
    #[expect(clippy::cast_precision_loss, reason = "at most 336")]
    pub(super) fn hours(&self) -> f64 {
        self.on.iter().filter(|on| **on).count() as f64 / 2.0
    }

    /// The stretches between two times that are off duty.
    pub(super) fn off(&self, from: Timestamp, to: Timestamp) -> Vec<Stretch> {
        let mut off: Vec<Stretch> = Vec::new();
        if self.on.iter().all(|on| *on) {
            return off;
        }
        let mut at = from;
        while at < to {
            let slot = slot(at, self.zone);
            let end = slot_end(at, self.zone).min(to);
            if !self.on.get(slot).copied().unwrap_or(true) {
                match off.last_mut() {
                    Some(last) if last.1 == at => last.1 = end,
                    _ => off.push((at, end)),
                }
            }
            at = end;
        }
        off
    }
}

/// All on but the runs of `rare` slots, around the week, of at least `least` slots.
#[expect(clippy::cast_precision_loss, reason = "at most 336")]
fn off_runs(rare: &[bool], least: f64) -> Vec<bool> {
    let mut on = vec![true; rare.len()];
    // A week that begins in the middle of a run would cut it in two.
    let Some(origin) = rare.iter().position(|rare| !*rare) else {
        return on;
    };
    let mut run: Vec<usize> = Vec::new();
    for step in 1..=rare.len() {
        let slot = (origin + step) % rare.len();
        if rare.get(slot).copied().unwrap_or_default() {
            run.push(slot);
            continue;
        }
        if run.len() as f64 >= least {
            for slot in &run {
                if let Some(on) = on.get_mut(*slot) {
                    *on = false;
                }
            }
        }
        run.clear();
    }
    on
}

/// Seconds since a Monday midnight in `zone`.
fn seconds(time: Timestamp, zone: i32) -> i64 {
    let seconds = i64::try_from(time.nanos() / 1_000_000_000).unwrap_or(i64::MAX / 2);
    seconds + i64::from(zone) + MONDAY_SECONDS
}

fn slot(time: Timestamp, zone: i32) -> usize {
    let of_week = seconds(time, zone).rem_euclid(WEEK_SECONDS);
    usize::try_from(of_week / 1_800).unwrap_or_default() % SLOTS
}

fn slot_end(time: Timestamp, zone: i32) -> Timestamp {
    let into = seconds(time, zone).rem_euclid(1_800);
    let whole = Timestamp::from_nanos(time.nanos() / 1_000_000_000 * 1_000_000_000);
    let left = SLOT.saturating_sub(Duration::from_secs(u64::try_from(into).unwrap_or(0)));
    whole + left
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;
    /// 2025-03-03, a Monday.
    const MONDAY: u64 = 1_740_960_000;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn starts(days: std::ops::Range<u64>, hours: &[u64]) -> Vec<Timestamp> {
        (0..4_u64)
            .flat_map(|week| days.clone().map(move |day| MONDAY + (week * 7 + day) * DAY))
            .flat_map(|day| hours.iter().map(move |hour| at(day + hour * 3_600)))
            .chain((0..4_u64).flat_map(|week| {
                days.clone().flat_map(move |day| {
                    hours
                        .iter()
                        .map(move |hour| at(MONDAY + (week * 7 + day) * DAY + hour * 3_600 + 1_800))
                })
            }))
            .collect()
    }

    #[test]
    fn nights_weekends_and_a_lunch_break_are_found() {
        let hours = [9, 10, 11, 13, 14, 15, 16];
        let calendar = Calendar::learn(&starts(0..5, &hours), 0).unwrap();
        assert_eq!(calendar.hours(), 35.0);
        let monday = calendar.off(at(MONDAY), at(MONDAY + DAY));
        let expected = [(0, 9), (12, 13), (17, 24)];
        let expected: Vec<Stretch> = expected
            .iter()
            .map(|(from, to)| (at(MONDAY + from * 3_600), at(MONDAY + to * 3_600)))
            .collect();
        assert_eq!(monday, expected);
        let saturday = (at(MONDAY + 5 * DAY), at(MONDAY + 6 * DAY));
        assert_eq!(calendar.off(saturday.0, saturday.1), [saturday]);
    }

    #[test]
    fn hours_are_those_of_the_zone() {
        let utc = Calendar::learn(&starts(0..5, &[9, 10, 11, 12]), 0).unwrap();
        let east = Calendar::learn(&starts(0..5, &[9, 10, 11, 12]), 3_600 * 5).unwrap();
        assert_eq!(
            utc.off(at(MONDAY), at(MONDAY + DAY)),
            east.off(at(MONDAY), at(MONDAY + DAY))
        );
    }

    #[test]
    fn round_the_clock_is_no_calendar_and_few_starts_tell_nothing() {
        let all: Vec<Timestamp> = (0..700_u64).map(|n| at(MONDAY + n * 5_003)).collect();
        let calendar = Calendar::learn(&all, 0).unwrap();
        assert_eq!(calendar.hours(), 168.0);
        assert_eq!(calendar.off(at(MONDAY), at(MONDAY + 7 * DAY)), []);
        assert_eq!(Calendar::learn(&all[..99], 0), None);
        assert_eq!(Calendar::learn(&all[..200], 0), None);
    }
}
