//! The end of a history: everything is mended, and everything must be done.

use std::time::Duration;

use tidegate_delivery::{DeliveryStatus, Input};

use super::world::World;

/// Rounds after which what is not done never will be.
const ROUNDS: u32 = 20_000;
/// The same in time, after the last event for later is due: longer than any retry or lease may wait.
const PATIENCE: Duration = Duration::from_hours(4);

impl World {
    /// Everything is mended: all is done, once dead letters are redriven.
    pub(super) fn settle(&mut self) {
        self.healed = true;
        self.down = false;
        self.left = None;
        let last = self.channel.iter().filter_map(|a| a.event.not_before).max();
        let end = last.map_or(self.now, |last| last.max(self.now)) + PATIENCE;
        for round in 0..ROUNDS {
            self.now = self.now + Duration::from_millis(20);
            if self.is_idle()
                && let Some(at) = self.wake_at
            {
                self.now = self.now.max(at);
            }
            self.step(Input::Tick);
            self.commit_all();
            self.fetch();
            self.end_attempt();
            let puller = self.config.consumers[2].id.clone();
            self.step(Input::Wanted {
                consumer: puller,
                deliveries: 5,
            });
            if round % 200 == 0 {
                self.undo_commands();
            }
            if round % 50 == 0 {
                self.redrive_all();
                self.hold();
            }
            if self.watch.broken.is_set() {
                return;
            }
            if round % 10 == 0 && self.is_done() {
                self.hold();
                return self.watch.counts_are_right(&self.machine);
            }
            if self.now > end {
                break;
            }
        }
        let ids = self.ids();
        let status = ids.iter().map(|id| self.machine.status(id, self.now));
        let stuck = status.collect::<Vec<_>>();
        self.watch
            .broken
            .unless(false, || format!("something is never done: {stuck:#?}"));
    }

    fn redrive_all(&mut self) {
        for consumer in self.ids() {
            let letters = self.machine.dead_letters(&consumer);
            let sequences: Vec<u64> = letters.map(|letter| letter.sequence).collect();
            self.watch.redriven(&consumer, &sequences);
            if !sequences.is_empty() {
                self.step(Input::Redrive {
                    consumer,
                    sequences,
                });
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.disk.is_idle()
            && self.fetches.is_empty()
            && self.running.is_empty()
            && self.machine.in_flight() == 0
    }

    fn is_done(&self) -> bool {
        self.jobs_have_ended()
            && self.ids().iter().all(|id| {
                (0..self.channel.len() as u64)
                    .all(|s| self.machine.delivery(id, s) == Some(DeliveryStatus::Finished))
            })
    }
}
