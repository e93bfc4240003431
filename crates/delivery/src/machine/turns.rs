//! Whose turn it is: every consumer that may have something to do starts what it can, one attempt at a
//! time, so that what they share is shared fairly.

use tidegate_base::Timestamp;

use super::{Machine, Who};
use crate::consumer::{Admission, EndedBy};
use crate::outcome::{Outcome, RetryClass};

impl Machine {
    /// Lets consumers start and fetch until none has anything more to do.
    pub(super) fn give_turns(&mut self, now: Timestamp) {
        loop {
            while let Some(index) = self.shared.dirty.pop_first() {
                self.bring_up_to_date(now, index);
                self.shared.shares.leave(index);
                if let Some(consumer) = self.consumers.get(index) {
                    self.ready.insert(index, consumer.turn());
                }
            }
            self.shared.shares.call_up(&mut self.ready);
            let Some((index, _)) = self.ready.pop_first() else {
                self.run_jobs(now);
                if self.shared.dirty.is_empty() {
                    return;
                }
                continue;
            };
            let Some(consumer) = self.consumers.get_mut(index) else {
                continue;
            };
            if consumer.admit_one(now, &mut self.shared) == Admission::Started {
                self.ready.insert(index, consumer.turn());
                continue;
            }
            consumer.fetch(&mut self.shared);
            let wake = consumer.wake_at(now);
            self.set_wake(Who::Consumer(index), wake);
        }
    }

    /// Does what is due: leases that end, retries.
    fn bring_up_to_date(&mut self, now: Timestamp, index: usize) {
        let Some(consumer) = self.consumers.get_mut(index) else {
            return;
        };
        let shared = &mut self.shared;
        while let Some(ticket) = consumer.ended_lease(now, shared.epoch) {
            let error = "the lease ended without an outcome".to_owned();
            let outcome = Outcome::Retry {
                class: RetryClass::Timeout,
                error,
                after: None,
            };
            consumer.ended(now, ticket, outcome, EndedBy::Lease, shared);
        }
        consumer.tick(now);
        consumer.forget_done();
    }
}
