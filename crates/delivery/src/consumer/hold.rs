//! How long a consumer is left alone because its handler asked for it, or its endpoint was wrong.

use std::time::Duration;

use tidegate_base::Timestamp;
use tidegate_base::limit::RETRY_AFTER_SECONDS_MAX;

use super::Consumer;
use super::settlement::bounded;
use crate::mutant::{self, Mutant};
use crate::outbox::Then;
use crate::record::{Hold, StateRecord};
use crate::shared::Shared;

impl Consumer {
    /// The handler has too much to do. A restart does not forget it.
    pub(super) fn overloaded(
        &mut self,
        now: Timestamp,
        error: String,
        after: Option<Duration>,
        shared: &mut Shared,
    ) {
        self.overloads = self.overloads.saturating_add(1);
        let draws = self.draws_of_consumer(shared);
        let wait = self.config.retry.delay(self.overloads, draws);
        let after = after.filter(|_| !mutant::is(Mutant::OverloadNotHeld));
        self.hold_for(now, wait.max(after.unwrap_or_default()));
        self.hold_reason = bounded(error);
        if !mutant::is(Mutant::HoldForgotten) {
            // In order with what an operator has decided in the same step.
            shared.out.durable(self.hold_record(), Then::Nothing);
        }
    }

    /// How long to leave a consumer alone, at most as long as a handler may ask.
    pub(super) fn hold_for(&mut self, now: Timestamp, time: Duration) {
        let most = Duration::from_secs(RETRY_AFTER_SECONDS_MAX);
        self.hold_since = now;
        self.hold_until = self.hold_until.max(now + time.min(most));
    }

    /// An operator does not want to wait until then.
    pub(super) fn lift_hold(&mut self, shared: &mut Shared) {
        self.overloads = 0;
        // One that is over would come back when the clock goes back.
        if self.hold_until == Timestamp::EPOCH {
            return;
        }
        self.hold_until = Timestamp::EPOCH;
        let (consumer, hold) = (self.config.id.clone(), None);
        let record = StateRecord::Hold { consumer, hold };
        shared.out.durable(record, Then::Nothing);
    }

    pub(super) fn hold_record(&self) -> StateRecord {
        StateRecord::Hold {
            consumer: self.config.id.clone(),
            hold: Some(Hold {
                since: self.hold_since,
                until: self.hold_until,
                reason: self.hold_reason.clone(),
                overloads: self.overloads,
            }),
        }
    }

    /// Takes up what was kept.
    pub(super) fn restore_hold(&mut self, hold: Option<Hold>, now: Timestamp) {
        let Some(hold) = hold.filter(|hold| hold.until > now) else {
            return;
        };
        self.overloads = hold.overloads;
        self.hold_reason = hold.reason;
        self.hold_since = hold.since.min(now);
        // A clock that went back must not hold it for longer than was asked for.
        self.hold_until = hold.until.min(now + hold.until.since(hold.since));
    }
}
