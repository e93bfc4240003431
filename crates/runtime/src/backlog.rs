//! Back-pressure: an event whose slowest consumer is too far behind is refused to its producers.
//!
//! Publishing reads nothing but numbers that are there already: how far each consumer is, as the actor
//! last said, where the channel ends, and a ledger of how large events were.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_base::{ConsumerId, Name, Timestamp};
use tidegate_model::design::Backlog;

use crate::publish::{Behind, Measure};

/// Once refused, events are taken again when the backlog is down to nine tenths of its limit.
const RESUME_TENTHS: u64 = 9;
/// The longest time that a producer is told to wait: what drains may drain faster than it seems.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// Most places of a channel at which the ledger knows the sum of the sizes before.
const MARKS_MAX: usize = 1_024;

/// How far one consumer of a channel is, as the actor last said.
pub(crate) struct Progress {
    pub(crate) consumer: ConsumerId,
    pub(crate) settled: AtomicU64,
    /// When the oldest unfinished event was accepted, in nanoseconds; 0: there is none.
    oldest: AtomicU64,
    /// Deliveries finished a second, as the bits of a float.
    finished: AtomicU64,
}

impl Progress {
    pub(crate) fn new(consumer: ConsumerId) -> Self {
        Self {
            consumer,
            settled: AtomicU64::new(0),
            oldest: AtomicU64::new(0),
            finished: AtomicU64::new(0.0_f64.to_bits()),
        }
    }

    pub(crate) fn note(&self, settled: u64, oldest: Option<Timestamp>, finished: f64) {
        self.settled.store(settled, Ordering::Relaxed);
        let oldest = oldest.map_or(0, Timestamp::nanos);
        self.oldest.store(oldest, Ordering::Relaxed);
        self.finished.store(finished.to_bits(), Ordering::Relaxed);
    }
}

/// A consumer that is too far behind, and when it will not be any more.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) behind: Behind,
    pub(crate) retry_after: Duration,
    /// Since when its event has been refused.
    pub(crate) since: Timestamp,
}

/// The back-pressure of one event.
pub(crate) struct Pressure {
    event: Name,
    events: Option<u64>,
    bytes: Option<u64>,
    /// In nanoseconds.
    age: Option<u64>,
    refusing: AtomicBool,
    /// Since when, in nanoseconds.
    since: AtomicU64,
    /// Refused batches, by what was reached.
    refused: [AtomicU64; 3],
    ledger: Mutex<Ledger>,
}

impl Pressure {
    pub(crate) fn new(event: &Name, backlog: Option<&Backlog>) -> Self {
        let age = backlog.and_then(|backlog| backlog.age.as_ref());
        let bytes = backlog.and_then(|backlog| backlog.bytes.as_ref());
        let events = backlog.and_then(|backlog| backlog.events.as_ref());
        let nanos = |age: Duration| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        Self {
            event: event.clone(),
            events: events.map(|events| u64::from(events.value)),
            bytes: bytes.map(|bytes| bytes.value.0),
            age: age.map(|age| nanos(age.value)),
            refusing: AtomicBool::new(false),
            since: AtomicU64::new(0),
            refused: Default::default(),
            ledger: Mutex::default(),
        }
    }

    /// Which consumer is too far behind, if one is: the one that is furthest beyond a limit.
    pub(crate) fn check(
        &self,
        consumers: &[Progress],
        tail: u64,
        now: Timestamp,
    ) -> Option<Refusal> {
        if self.events.is_none() && self.bytes.is_none() && self.age.is_none() {
            return None;
        }
        let refusing = self.refusing.load(Ordering::Relaxed);
        let measured = consumers.iter().flat_map(|progress| {
            let measured = self.measure(progress, tail, now);
            measured.into_iter().map(move |behind| (progress, behind))
        });
        let beyond = measured.filter(|(_, behind)| is_beyond(behind, refusing));
        let worst = beyond.max_by(|(_, a), (_, b)| {
            let ratio = |behind: &Behind| behind.value as f64 / behind.most.max(1) as f64;
            ratio(a).total_cmp(&ratio(b))
        });
        self.refusing.store(worst.is_some(), Ordering::Relaxed);
        let (progress, behind) = worst?;
        if !refusing {
            self.since.store(now.nanos(), Ordering::Relaxed);
        }
        let retry_after = self.retry_after(progress, &behind, tail);
        Some(Refusal {
            behind,
            retry_after,
            since: Timestamp::from_nanos(self.since.load(Ordering::Relaxed)),
        })
    }

    fn measure(&self, progress: &Progress, tail: u64, now: Timestamp) -> Vec<Behind> {
        let settled = progress.settled.load(Ordering::Relaxed);
        let oldest = progress.oldest.load(Ordering::Relaxed);
        let behind = |measure, value, most: Option<u64>| {
            most.map(|most| Behind {
                event: self.event.clone(),
                consumer: progress.consumer.clone(),
                measure,
                value,
                most,
            })
        };
        let age = match oldest {
            0 => 0,
            oldest => now.nanos().saturating_sub(oldest),
        };
        let bytes = self.bytes.map(|_| self.ledger().bytes_from(settled, tail));
        [
            behind(Measure::Events, tail.saturating_sub(settled), self.events),
            behind(Measure::Bytes, bytes.unwrap_or(0), self.bytes),
            behind(Measure::Age, age, self.age),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// How long it takes to come down to where events are taken again, at the rate at which the consumer
    /// finishes now.
    fn retry_after(&self, progress: &Progress, behind: &Behind, tail: u64) -> Duration {
        let unfinished = tail.saturating_sub(progress.settled.load(Ordering::Relaxed));
        let excess = behind.value.saturating_sub(resume_at(behind.most));
        let share = excess as f64 / behind.value.max(1) as f64;
        let finished = f64::from_bits(progress.finished.load(Ordering::Relaxed));
        let seconds = unfinished as f64 * share / finished;
        Duration::try_from_secs_f64(seconds)
            .unwrap_or(RETRY_AFTER_MAX)
            .clamp(Duration::from_secs(1), RETRY_AFTER_MAX)
    }

    pub(crate) fn count(&self, measure: Measure) {
        let [events, bytes, age] = &self.refused;
        let counter = match measure {
            Measure::Events => events,
            Measure::Bytes => bytes,
            Measure::Age => age,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Batches refused since start, by what was reached: events, bytes, age.
    pub(crate) fn refused(&self) -> [u64; 3] {
        let [events, bytes, age] = &self.refused;
        [events, bytes, age].map(|counter| counter.load(Ordering::Relaxed))
    }

    /// Notes an event of so many bytes that was stored.
    pub(crate) fn stored(&self, sequence: u64, bytes: u64) {
        if self.bytes.is_some() {
            self.ledger().add(sequence, bytes);
        }
    }

    /// Notes events that were read: they may have been stored by a process before.
    pub(crate) fn read(&self, sequence: u64, bytes: u64) {
        if self.bytes.is_some() {
            self.ledger().see(sequence, bytes);
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_beyond(behind: &Behind, refusing: bool) -> bool {
    if refusing {
        behind.value > resume_at(behind.most)
    } else {
        behind.value >= behind.most
    }
}

fn resume_at(most: u64) -> u64 {
    let tenths = u128::from(most) * u128::from(RESUME_TENTHS) / 10;
    u64::try_from(tenths).unwrap_or(u64::MAX)
}

/// How many bytes the events of a channel have, about: the sum at some places, and a line between them.
#[derive(Debug, Default)]
struct Ledger {
    /// Sequences, and the bytes of this process's events before.
    marks: VecDeque<(u64, u64)>,
    /// Sequences from one mark to the next, at the least.
    stride: u64,
    /// Events of this process and their bytes.
    count: u64,
    bytes: u64,
    /// Events of processes before that were read, and their bytes.
    seen: u64,
    seen_bytes: u64,
}

impl Ledger {
    fn add(&mut self, sequence: u64, bytes: u64) {
        let due = match self.marks.back() {
            Some((last, _)) => sequence >= last.saturating_add(self.stride.max(1)),
            None => true,
        };
        if due {
            self.marks.push_back((sequence, self.bytes));
        }
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.marks.len() > MARKS_MAX {
            let mut keep = false;
            self.marks.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride = self.stride.max(1).saturating_mul(2);
        }
    }

    fn see(&mut self, sequence: u64, bytes: u64) {
        if self
            .marks
            .front()
            .is_none_or(|(first, _)| sequence < *first)
        {
            self.seen += 1;
            self.seen_bytes = self.seen_bytes.saturating_add(bytes);
        }
    }

    /// The bytes of the events from `sequence` to the end of the channel. Those of processes before count
    /// as the mean of those of them that were read, or else of those of this process.
    fn bytes_from(&self, sequence: u64, tail: u64) -> u64 {
        let mean = match (self.seen, self.count) {
            (0, 0) => 0.0,
            (0, count) => self.bytes as f64 / count as f64,
            (seen, _) => self.seen_bytes as f64 / seen as f64,
        };
        let Some((first, before_first)) = self.marks.front().copied() else {
            return whole(tail.saturating_sub(sequence) as f64 * mean);
        };
        if sequence <= first {
            let older = whole((first - sequence) as f64 * mean);
            return older.saturating_add(self.bytes - before_first);
        }
        let next = self.marks.partition_point(|(mark, _)| *mark <= sequence);
        let (from, from_bytes) = next
            .checked_sub(1)
            .and_then(|before| self.marks.get(before).copied())
            .unwrap_or((first, before_first));
        let end = (tail.max(from + 1), self.bytes);
        let (to, to_bytes) = self.marks.get(next).copied().unwrap_or(end);
        let share = (sequence - from) as f64 / (to - from).max(1) as f64;
        let before =
            from_bytes + whole(to_bytes.saturating_sub(from_bytes) as f64 * share.min(1.0));
        self.bytes.saturating_sub(before)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of bytes, not negative; the cast saturates"
)]
fn whole(bytes: f64) -> u64 {
    bytes.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(10_000_000);

    fn pressure(events: Option<u64>, bytes: Option<u64>, age: Option<Duration>) -> Pressure {
        Pressure {
            events,
            bytes,
            age: age.map(|age| u64::try_from(age.as_nanos()).unwrap()),
            ..Pressure::new(&"OrderPlaced".parse().unwrap(), None)
        }
    }

    fn consumer(name: &str, settled: u64, oldest: Option<Timestamp>, finished: f64) -> Progress {
        let progress = Progress::new(format!("{name}/OrderPlaced").parse().unwrap());
        progress.note(settled, oldest, finished);
        progress
    }

    #[test]
    fn it_refuses_at_the_limit_and_resumes_at_nine_tenths() {
        let pressure = pressure(Some(100), None, None);
        let consumers = [
            consumer("slow", 0, None, 0.0),
            consumer("fast", 99, None, 9.0),
        ];
        assert!(pressure.check(&consumers, 99, NOW).is_none());
        let refusal = pressure.check(&consumers, 100, NOW).unwrap();
        assert_eq!(refusal.behind.consumer.to_string(), "slow/OrderPlaced");
        assert_eq!((refusal.behind.value, refusal.behind.most), (100, 100));
        for settled in 1..10 {
            consumers[0].note(settled, None, 0.0);
            assert!(pressure.check(&consumers, 100, NOW).is_some(), "{settled}");
        }
        consumers[0].note(10, None, 0.0);
        assert!(pressure.check(&consumers, 100, NOW).is_none());
        assert!(
            pressure.check(&consumers, 109, NOW).is_none(),
            "up to the limit again"
        );
        assert!(pressure.check(&consumers, 110, NOW).is_some());
    }

    #[test]
    fn a_producer_is_told_to_come_back_when_it_is_likely_drained() {
        let after = |value, finished| {
            let pressure = pressure(Some(1_000), None, None);
            let consumers = [consumer("slow", 0, None, finished)];
            pressure.check(&consumers, value, NOW).unwrap().retry_after
        };
        assert_eq!(
            after(1_000, 10.0),
            Duration::from_secs(10),
            "100 at 10 a second"
        );
        assert_eq!(after(1_000, 1e9), Duration::from_secs(1));
        assert_eq!(after(1_000, 0.0), RETRY_AFTER_MAX, "nothing moves");
        assert_eq!(after(u64::MAX, 1e-9), RETRY_AFTER_MAX);
    }

    #[test]
    fn the_oldest_unfinished_event_counts_whatever_comes_later() {
        let pressure = pressure(None, None, Some(Duration::from_secs(100)));
        let at = |seconds| NOW - Duration::from_secs(seconds);
        let consumers = [consumer("slow", 5, Some(at(99)), 2.0)];
        assert!(pressure.check(&consumers, 10, NOW).is_none());
        let refusal = pressure
            .check(&consumers, 10, NOW + Duration::from_secs(1))
            .unwrap();
        assert_eq!(refusal.behind.measure, Measure::Age);
        consumers[0].note(6, Some(at(91)), 2.0);
        assert!(pressure.check(&consumers, 10, NOW).is_some());
        consumers[0].note(7, Some(at(90)), 2.0);
        assert!(pressure.check(&consumers, 10, NOW).is_none());
        consumers[0].note(10, None, 2.0);
        assert!(
            pressure
                .check(&consumers, 10, NOW + Duration::from_secs(9_999))
                .is_none()
        );
    }

    #[test]
    fn without_limits_nothing_is_refused() {
        let pressure = pressure(None, None, None);
        let consumers = [consumer("slow", 0, Some(Timestamp::EPOCH), 0.0)];
        assert!(pressure.check(&consumers, u64::MAX, NOW).is_none());
    }

    #[test]
    fn what_a_process_before_has_stored_counts_by_what_was_read_of_it() {
        let pressure = pressure(None, Some(10_000), None);
        let consumers = [consumer("slow", 0, None, 0.0)];
        assert!(
            pressure.check(&consumers, 200, NOW).is_none(),
            "nothing is known yet"
        );
        (0..10).for_each(|sequence| pressure.read(sequence, 100));
        let refusal = pressure.check(&consumers, 200, NOW).unwrap();
        assert_eq!(
            (refusal.behind.measure, refusal.behind.value),
            (Measure::Bytes, 20_000)
        );
        (200..300).for_each(|sequence| pressure.stored(sequence, 7));
        assert_eq!(
            pressure.check(&consumers, 300, NOW).unwrap().behind.value,
            20_700
        );
        consumers[0].note(250, None, 0.0);
        assert!(pressure.check(&consumers, 300, NOW).is_none());
    }

    proptest! {
        /// However many events there are and however their sizes change, the sum is off by no more than
        /// the events between two marks.
        #[test]
        fn the_ledger_is_near_the_truth_and_bounded(
            sizes in prop::collection::vec((1_usize..3_000, 0_u64..100_000), 1..8),
            first in 0_u64..1_000_000,
            at in any::<prop::sample::Index>(),
        ) {
            let mut ledger = Ledger::default();
            let events: Vec<u64> = sizes.iter().flat_map(|(count, size)| vec![*size; *count]).collect();
            for (sequence, size) in (first..).zip(&events) {
                ledger.add(sequence, *size);
            }
            prop_assert!(ledger.marks.len() <= MARKS_MAX);
            let place = at.index(events.len());
            let truth: u64 = events[place..].iter().sum();
            let tail = first + events.len() as u64;
            let said = ledger.bytes_from(first + place as u64, tail);
            let most = sizes.iter().map(|(_, size)| size).max().unwrap();
            let between = ledger.stride.max(1) * 2;
            prop_assert!(said.abs_diff(truth) <= between * most, "{said}, not {truth}");
        }
    }
}
