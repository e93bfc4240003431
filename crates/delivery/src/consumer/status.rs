//! What a consumer shows. Asking changes nothing.

use std::collections::BTreeMap;

use tidegate_base::Timestamp;

use super::Consumer;
use super::admission::Obstacle;
use super::delivery::{Delivery, Phase};
use super::seek::Replaying;
use crate::input::Ticket;
use crate::record::{AttemptOutcome, Halt, Pause};
use crate::shared::Shared;

/// A consumer at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerStatus {
    /// Deliveries not finished: neither done nor dead letters nor waiting behind one.
    pub backlog: u64,
    /// When the oldest of them was accepted, or its replay ordered; `None` when it is still in the channel, or there is none.
    pub oldest: Option<Timestamp>,
    /// Attempts that run or are about to.
    pub in_flight: u32,
    /// Most attempts at the same time now: its concurrency, or less when that adapts.
    pub limit: u32,
    /// The mean time of an unloaded handler, as far as an adaptive limit has measured it.
    pub no_load: Option<std::time::Duration>,
    /// Deliveries that wait for a retry.
    pub waiting_retry: u64,
    /// Deliveries of events for later that are not due yet.
    pub scheduled: u64,
    /// Deliveries that are the next of their lanes and ready.
    pub runnable: u64,
    /// Deliveries that wait for one of the same key before them.
    pub behind_key: u64,
    /// Deliveries that wait behind a dead letter of their key.
    pub followers: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Deliveries that are given up and wait for room or budget to become dead letters.
    pub condemned: u64,
    /// When the first of them became one.
    pub oldest_death: Option<Timestamp>,
    /// What keeps the runnable ones from running.
    pub obstacle: Option<Obstacle>,
    /// In the handler's words, why it is held after an overload or an endpoint fault.
    pub hold_reason: String,
    /// Endpoint faults in a row: why it is held, when there are any.
    pub endpoint_faults: u32,
    /// Why it stands still.
    pub halt: Option<Halt>,
    /// Why an operator has paused it.
    pub paused: Option<Pause>,
    /// Discarded letters that can be taken back.
    pub discarded: u64,
    /// When a halted consumer's endpoint is tried next.
    pub probe_at: Timestamp,
    /// The delivery that failed most often and is retried.
    pub failing: Option<Failing>,
    /// Sequences that its channel need not deliver again.
    pub settled: u64,
    /// The lowest sequence that is not settled.
    pub watermark: u64,
    /// The lowest sequence that the channel is still to bring: the watermark, or what a replay under way
    /// has reached.
    pub position: u64,
    /// The replays that are under way.
    pub replaying: Option<Replaying>,
}

/// A delivery that is retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The delivery.
    pub sequence: u64,
    /// Failed attempts.
    pub failures: u32,
    /// When it runs again; `None` when it could run now.
    pub until: Option<Timestamp>,
    /// The last error.
    pub error: String,
}

/// Where a delivery is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// It has not been read from its channel.
    InChannel,
    /// It may run, or waits for one before it.
    Ready,
    /// It waits for a retry.
    Waiting,
    /// Its start is being recorded, or it runs.
    Running,
    /// What became of it is being recorded, or waits for room.
    Settling,
    /// It is a dead letter.
    Dead,
    /// It was a dead letter and is given up.
    Discarded,
    /// It is finished.
    Finished,
}

impl Consumer {
    pub(crate) fn status(&self, now: Timestamp, shared: &Shared) -> ConsumerStatus {
        let mut count = Count::default();
        for delivery in self.deliveries.values() {
            count.add(self, delivery);
        }
        let in_channel = self.left_in_channel();
        let runnable = u64::try_from(self.runnable()).unwrap_or(u64::MAX);
        ConsumerStatus {
            backlog: in_channel + count.live,
            oldest: count.oldest,
            in_flight: self.in_flight(),
            limit: self.flow.limit(self.config.concurrency),
            no_load: self.flow.no_load(),
            waiting_retry: count.waiting,
            scheduled: count.scheduled,
            runnable,
            behind_key: count.ready.saturating_sub(runnable),
            followers: count.followers,
            dead_letters: count.dead,
            condemned: u64::try_from(self.condemned.len()).unwrap_or(u64::MAX),
            oldest_death: count.oldest_death,
            obstacle: self.obstacle(now, shared),
            hold_reason: self.hold_reason.clone(),
            endpoint_faults: self.faults,
            halt: self.halt.clone(),
            paused: self.paused.clone(),
            discarded: u64::try_from(self.discarded.len()).unwrap_or(u64::MAX),
            probe_at: self.probe_at,
            failing: count.failing,
            settled: self.cursor.settled(),
            watermark: self.cursor.below(),
            position: self.inbox_mark(),
            replaying: self.replaying(),
        }
    }

    /// The lowest sequence that the channel may still have to bring.
    pub(crate) fn watermark(&self) -> u64 {
        self.inbox_mark()
    }

    /// Deliveries before `sequence` that are not finished.
    pub(crate) fn live_before(&self, sequence: u64) -> impl Iterator<Item = u64> + use<'_> {
        self.deliveries.range(..sequence).map(|(live, _)| live)
    }

    /// Every attempt that runs.
    pub(crate) fn running(&self, epoch: u64) -> impl Iterator<Item = Ticket> {
        self.deliveries
            .values()
            .filter_map(move |delivery| match &delivery.phase {
                Phase::Running(run) => {
                    let (consumer, sequence) = (self.config.id.clone(), delivery.sequence);
                    Some(Ticket {
                        consumer,
                        sequence,
                        epoch,
                        run: run.run,
                    })
                }
                _ => None,
            })
    }

    /// Where a delivery is.
    pub(crate) fn delivery_status(&self, sequence: u64) -> DeliveryStatus {
        match self
            .deliveries
            .get(&sequence)
            .map(|delivery| &delivery.phase)
        {
            Some(Phase::Ready) => DeliveryStatus::Ready,
            Some(Phase::Waiting { .. }) => DeliveryStatus::Waiting,
            Some(Phase::Starting(_) | Phase::Running(_)) => DeliveryStatus::Running,
            Some(Phase::Settling | Phase::Deciding(_) | Phase::Condemned(_)) => {
                DeliveryStatus::Settling
            }
            Some(Phase::Dead(_)) => DeliveryStatus::Dead,
            Some(Phase::Discarded(..)) => DeliveryStatus::Discarded,
            None if self.is_settled(sequence) => DeliveryStatus::Finished,
            None => DeliveryStatus::InChannel,
        }
    }
}

#[derive(Default)]
struct Count<'a> {
    live: u64,
    ready: u64,
    waiting: u64,
    scheduled: u64,
    followers: u64,
    dead: u64,
    oldest_death: Option<Timestamp>,
    oldest: Option<Timestamp>,
    failing: Option<Failing>,
    /// For each lane, whether its oldest delivery is a dead letter.
    lanes: BTreeMap<&'a str, bool>,
}

impl<'a> Count<'a> {
    fn add(&mut self, consumer: &Consumer, delivery: &'a Delivery) {
        if let Phase::Dead(death) = &delivery.phase {
            self.dead += 1;
            self.oldest_death = Some(self.oldest_death.map_or(death.at, |o| o.min(death.at)));
            return;
        }
        if matches!(delivery.phase, Phase::Discarded(..)) {
            return;
        }
        let behind = match &delivery.event.key {
            Some(key) if consumer.dead > 0 && !delivery.is_scheduled() => *self
                .lanes
                .entry(key)
                .or_insert_with(|| consumer.is_behind_dead_letter(delivery.sequence)),
            _ => consumer.dead > 0 && consumer.is_behind_dead_letter(delivery.sequence),
        };
        if behind {
            self.followers += 1;
            return;
        }
        self.live += 1;
        self.oldest = Some(
            self.oldest
                .map_or(delivery.since, |o| o.min(delivery.since)),
        );
        let until = match &delivery.phase {
            Phase::Waiting { until } => Some(*until),
            _ => None,
        };
        let is_scheduled = delivery.is_scheduled();
        self.scheduled += u64::from(is_scheduled);
        self.waiting += u64::from(until.is_some() && !is_scheduled);
        self.ready += u64::from(delivery.is_ready());
        let worst = self.failing.as_ref().map_or(0, |failing| failing.failures);
        if delivery.progress.failures > worst {
            let mut attempts = delivery.progress.history.iter().rev();
            let last = attempts.find(|attempt| attempt.outcome != AttemptOutcome::Succeeded);
            self.failing = Some(Failing {
                sequence: delivery.sequence,
                failures: delivery.progress.failures,
                until,
                error: last.map(|last| last.error.clone()).unwrap_or_default(),
            });
        }
    }
}
