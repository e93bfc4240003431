//! How fast and how much at once a consumer starts: its rate, its adaptive limit, its share of what it
//! shares with others.

use std::time::Duration;

use tidegate_base::Timestamp;

use super::admission::Obstacle;
use crate::adaptive::{AdaptiveLimit, Load};
use crate::config::{ConsumerConfig, Mode};
use crate::mutant::{self, Mutant};
use crate::outcome::{Outcome, RetryClass};
use crate::rate::RateLimit;
use crate::share::{Shares, Turn};

/// What limits the starts of a consumer, beside its `concurrency`.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    rate: Option<RateLimit>,
    adaptive: Option<AdaptiveLimit>,
    /// The consumer.
    index: usize,
    /// What it shares with others, in order.
    places: Vec<usize>,
    /// The number of its last start.
    turn: u64,
}

impl Flow {
    pub(super) fn new(config: &ConsumerConfig, index: usize, places: Vec<usize>) -> Self {
        let rate = config.flow.rate;
        // How long a puller takes to come back says nothing of how busy it is.
        let adapts = config.flow.adaptive && config.mode == Mode::Push;
        Self {
            rate: rate.and_then(|rate| RateLimit::new(rate.rate, rate.burst)),
            adaptive: adapts.then(|| AdaptiveLimit::new(config.concurrency)),
            index,
            places,
            turn: 0,
        }
    }

    /// A process begins: what the one before has started is not known.
    pub(super) fn begin(&mut self, now: Timestamp) {
        if let Some(rate) = &mut self.rate {
            rate.empty(now);
        }
    }

    /// Most attempts at the same time, of at most `concurrency`.
    pub(super) fn limit(&self, concurrency: u32) -> u32 {
        let adaptive = self.adaptive.as_ref().map(AdaptiveLimit::limit);
        adaptive.map_or(concurrency, |limit| limit.min(concurrency))
    }

    pub(super) fn no_load(&self) -> Option<Duration> {
        self.adaptive.as_ref().and_then(AdaptiveLimit::no_load)
    }

    /// When the rate lets the next one start; `None`: now.
    pub(super) fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        let next = self.rate.as_ref().map(|rate| rate.next(now));
        next.filter(|next| *next > now && !mutant::is(Mutant::RateNotAsked))
    }

    /// What is shared and has no place left.
    pub(super) fn full(&self, shares: &Shares) -> Option<usize> {
        shares.full(self.index, &self.places)
    }

    /// As an obstacle.
    pub(super) fn shared_obstacle(&self, shares: &Shares) -> Option<Obstacle> {
        self.full(shares).map(|place| shares.obstacle(place))
    }

    /// It waits for a place.
    pub(super) fn wait(&self, place: usize, turn: Turn, shares: &mut Shares) {
        shares.wait(self.index, place, &self.places, turn);
    }

    /// It waits for none.
    pub(super) fn give_up(&self, shares: &mut Shares) {
        shares.give_up(self.index, &self.places);
    }

    /// Counts a start, after which so many are in flight.
    pub(super) fn started(&mut self, now: Timestamp, in_flight: u32, shares: &mut Shares) {
        self.turn = shares.take(self.index, &self.places);
        if let Some(rate) = &mut self.rate {
            rate.take(now);
        }
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.started(in_flight);
        }
    }

    /// Takes back a start that was not sent.
    pub(super) fn withdrawn(&mut self, shares: &mut Shares) {
        if !mutant::is(Mutant::WithdrawalKeepsPlace) {
            shares.give_back(&self.places);
        }
        if let Some(rate) = &mut self.rate
            && !mutant::is(Mutant::WithdrawalKeepsToken)
        {
            rate.give_back();
        }
    }

    /// Counts the end of an attempt that was sent at `sent`.
    pub(super) fn ended(
        &mut self,
        sent: Timestamp,
        now: Timestamp,
        outcome: &Outcome,
        shares: &mut Shares,
    ) {
        shares.give_back(&self.places);
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.ended(sent, now, load(outcome));
        }
    }

    pub(super) fn turn(&self, in_flight: u32) -> Turn {
        (in_flight, self.turn)
    }
}

/// What an outcome says about the load of a handler. One that could not be reached, or refused at once,
/// says nothing of how long it takes.
fn load(outcome: &Outcome) -> Load {
    match outcome {
        Outcome::Done
        | Outcome::DoneWith(_)
        | Outcome::Retry {
            class: RetryClass::Retryable,
            ..
        } => Load::Handled,
        Outcome::Retry {
            class: RetryClass::Timeout,
            ..
        }
        | Outcome::Overload { .. } => Load::Dropped,
        Outcome::Retry {
            class: RetryClass::Unavailable,
            ..
        }
        | Outcome::Permanent { .. }
        | Outcome::Refused { .. }
        | Outcome::EndpointFault { .. }
        | Outcome::Cancelled => Load::Unknown,
    }
}
