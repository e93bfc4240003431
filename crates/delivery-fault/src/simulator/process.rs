//! Ends and beginnings of the process.

use std::time::Duration;

use tidegate_delivery::{Input, Machine, Outcome};

use super::knowledge;
use super::world::{World, channel};

impl World {
    pub(super) fn boot(&mut self) {
        self.step(Input::TakeOver);
        self.step(Input::Trimmed {
            channel: channel(),
            head: self.head,
        });
        self.step(Input::Grown {
            channel: channel(),
            tail: self.channel.len() as u64,
        });
    }

    /// A process that does not have long ends.
    pub(super) fn shorten_life(&mut self) {
        self.left = match self.left {
            Some(0) => return self.crash(),
            Some(steps) => Some(steps - 1),
            None => return,
        };
    }

    /// The process ends. Of what was under way a part is kept without anyone having heard; with
    /// the machine's power goes what was only written.
    pub(super) fn crash(&mut self) {
        self.disk.cut_off(&mut self.chance);
        let power = self.chance.in_thousand(350);
        if power {
            self.disk.lose_power(&mut self.chance);
            self.watch.lost_power();
        }
        self.tell(|| format!("the process ends; power lost: {power}"));
        self.restart(false);
    }

    pub(super) fn drain_and_restart(&mut self) {
        self.step(Input::Drain);
        while !self.machine.is_quiet() {
            self.now = self.now + Duration::from_millis(1);
            self.commit_all();
            for ticket in self.machine.running() {
                let outcome = Outcome::Cancelled;
                self.step(Input::Ended { ticket, outcome });
            }
            if self.watch.broken.is_set() {
                return;
            }
        }
        self.restart(true);
    }

    pub(super) fn commit_all(&mut self) {
        self.disk.send();
        while !self.disk.is_idle() {
            self.commit();
            self.disk.send();
        }
    }

    /// Another process begins; the one before has ended in order, with all that it knew kept, or not.
    fn restart(&mut self, drained: bool) {
        self.commands.clear();
        self.fetches.clear();
        self.wake_at = None;
        // Now and then a process ends soon after its start.
        self.left = self.chance.in_thousand(200).then(|| self.chance.below(8));
        if self.chance.in_thousand(300)
            && let Some(newcomer) = self.newcomer.take()
        {
            self.watch.joined(&newcomer, self.head);
            self.config.consumers.push(newcomer);
        }
        let ended = self.now;
        self.jump();
        let records: Vec<_> = self.disk.records().cloned().collect();
        let known = knowledge::of(records.iter());
        let mut alone = knowledge::left_alone(records.iter(), self.now);
        if drained && self.now >= ended {
            alone.extend(std::mem::take(&mut self.watch.process.left_alone));
        }
        self.machine = Machine::restore(self.config.clone(), self.now, records);
        self.watch.restarted(&self.machine, known, self.now);
        self.watch.process.left_alone = alone;
        self.boot();
    }

    /// While a process runs its clock only goes forward; between two it may be set.
    fn jump(&mut self) {
        let far = Duration::from_millis(match self.chance.below(20) {
            0 | 1 => self.chance.below(36_000_000),
            2..5 => self.chance.below(30_000),
            _ => return,
        });
        self.now = if self.chance.in_thousand(500) {
            let nanos = u64::try_from(far.as_nanos()).unwrap();
            tidegate_base::Timestamp::from_nanos(self.now.nanos().saturating_sub(nanos))
        } else {
            self.now + far
        };
        for running in &mut self.running {
            // An answer takes its time, whatever the clock says.
            running.ends = running.ends.min(self.now + Duration::from_secs(1));
        }
    }
}
