//! Events for later: they start in time, and hold up nobody until then.
//!
//! S1 what has not run starts at its time or later · S2 what may run is not held up by what is for later of
//! its lane · S3 what is for much later is in the state, so that the watermark and the window go on without
//! it · S4 what has run waits for no longer than for a retry · S5 the one is not taken for the other.
//!
//! That what is due goes before what is newer in its lane is I3, that it runs in the end is I1.

use std::time::Duration;

use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{
    Arrival, ConsumerConfig, ConsumerStatus, DeliveryStatus, Followers, Machine, RetryMode,
};

use super::chance::Chance;
use super::disk::{Disk, Step};
use super::promises::{Place, Watch, in_lane};

/// What is for later than this must not stay in the window.
const FAR: Duration = Duration::from_secs(10);

/// The time that is set for an event, if one is: over already, near, far, or very far.
pub(super) fn time(chance: &mut Chance, now: Timestamp) -> Option<Timestamp> {
    if !chance.in_thousand(150) {
        return None;
    }
    let millis = match chance.below(10) {
        0 => return Some(now - Duration::from_millis(chance.below(1_000))),
        1..6 => chance.below(2_000),
        6..9 => 8_000 + chance.below(20_000),
        _ => chance.below(36_000_000),
    };
    Some(now + Duration::from_millis(millis))
}

impl Watch {
    /// S1: nothing starts before the time that was set for it, as the clocks of its processes went.
    pub(super) fn starts_in_time(&self, channel: &[Arrival], place: &Place, now: Timestamp) {
        let time = channel[place.1 as usize].event.not_before;
        let in_time = time.is_none_or(|time| time <= now) || self.process.ran.contains(place);
        self.broken.unless(in_time, || {
            format!("S1: {place:?} starts at {now}, and is for {time:?}")
        });
    }

    /// Whether a delivery has not run, and is not to run yet.
    pub(super) fn is_for_later(
        &self,
        channel: &[Arrival],
        consumer: &ConsumerId,
        sequence: u64,
    ) -> bool {
        let time = channel[sequence as usize].event.not_before;
        let ran = &self.process.ran;
        time.is_some_and(|time| time > self.process.now)
            && !ran.contains(&(consumer.clone(), sequence))
    }

    /// What holds at every moment.
    pub(super) fn schedule_holds(
        &self,
        machine: &Machine,
        channel: &[Arrival],
        disk: &Disk,
        (config, status): (&ConsumerConfig, &ConsumerStatus),
    ) {
        let id = &config.id;
        let numbers = 0..channel.len() as u64;
        let may_run = numbers.clone().filter(|number| {
            machine.delivery(id, *number) == Some(DeliveryStatus::Ready)
                && self.may_run(machine, channel, config, *number)
        });
        let may_run: Vec<u64> = may_run.collect();
        self.broken
            .unless(status.runnable >= may_run.len() as u64, || {
                let runnable = status.runnable;
                format!("S2: {may_run:?} of {id} may run, and {runnable} are runnable")
            });
        let (mut later, mut retried) = (0, 0);
        for number in numbers {
            if machine.delivery(id, number) != Some(DeliveryStatus::Waiting) {
                continue;
            }
            if self.is_for_later(channel, id, number) {
                later += 1;
                self.leaves_window(machine, channel, disk, (config, number));
            } else {
                retried += 1;
                self.waits_for_retry_at_most(machine, config, number);
            }
        }
        // What waits behind a dead letter is neither.
        let counts = status.scheduled <= later && status.waiting_retry <= retried;
        self.broken.unless(counts, || {
            format!("S5: of {id} {later} are for later and {retried} are retried: {status:?}")
        });
    }

    /// Whether a delivery that is ready must be the next of its lane.
    fn may_run(
        &self,
        machine: &Machine,
        channel: &[Arrival],
        config: &ConsumerConfig,
        number: u64,
    ) -> bool {
        let event = &channel[number as usize].event;
        let has_twin = |other: &Arrival| other.sequence != number && other.event == *event;
        let gives_way = |other: u64| match machine.delivery(&config.id, other) {
            Some(DeliveryStatus::Finished | DeliveryStatus::Discarded) => true,
            Some(DeliveryStatus::Ready | DeliveryStatus::InChannel) => other > number,
            Some(DeliveryStatus::Waiting) => {
                other > number || self.is_for_later(channel, &config.id, other)
            }
            Some(DeliveryStatus::Dead) => other > number || config.followers == Followers::Continue,
            _ => false,
        };
        let mut others =
            (0..channel.len() as u64).filter(|other| in_lane(config, channel, *other, number));
        !channel.iter().any(has_twin) && others.all(gives_way)
    }

    /// S3.
    fn leaves_window(
        &self,
        machine: &Machine,
        channel: &[Arrival],
        disk: &Disk,
        (config, number): (&ConsumerConfig, u64),
    ) {
        let id = &config.id;
        let time = channel[number as usize].event.not_before;
        let is_far = time.is_some_and(|time| time > self.process.now + FAR);
        let is_bounded = config.kept < channel.len();
        if !is_far || is_bounded || config.retry.mode == RetryMode::NonBlocking {
            return;
        }
        // What the channel would bring again must not come after it.
        let in_state = |before: u64| {
            let over = [
                DeliveryStatus::Finished,
                DeliveryStatus::Discarded,
                DeliveryStatus::Dead,
            ];
            let status = machine.delivery(id, before);
            let is_over = status.is_some_and(|status| over.contains(&status));
            // The machine has not heard yet that a letter is kept.
            let is_settling = status == Some(DeliveryStatus::Settling);
            !self.seeks.is_replay(id, before)
                && (is_over || (disk.keeps(id, before) && !is_settling))
        };
        let mut before = (0..number).filter(|before| in_lane(config, channel, *before, number));
        let is_kept = disk.keeps(id, number) || disk.is_under_way(id, number, Step::Letter);
        let stays = !is_kept && before.all(in_state);
        self.broken.unless(!stays, || {
            format!("S3: {number} of {id} is for {time:?} and stays in the window")
        });
    }

    /// S4.
    fn waits_for_retry_at_most(&self, machine: &Machine, config: &ConsumerConfig, number: u64) {
        let now = self.process.now;
        let until = machine.explain(&config.id, number, now);
        let until = until.and_then(|explained| explained.until);
        let most = now + config.retry.longest_wait();
        self.broken
            .unless(until.is_none_or(|until| until <= most), || {
                let id = &config.id;
                format!("S4: {number} of {id} has run, and waits until {until:?}")
            });
    }
}
