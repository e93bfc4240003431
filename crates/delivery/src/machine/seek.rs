//! Replay and skip, asked for and looked at.

use tidegate_base::{ConsumerId, Timestamp};

use super::Machine;
use crate::consumer::{SeekPlan, SeekRefusal};
use crate::ended::SeekOrder;
use crate::input::Command;

impl Machine {
    pub(super) fn seek(&mut self, now: Timestamp, command: Command) {
        match command {
            Command::Replay {
                consumer,
                from,
                until,
                reason,
            } => self.with(&consumer, |consumer, shared| {
                let order = SeekOrder { reason, at: now };
                consumer.replay((from, until), order, shared);
            }),
            Command::Skip {
                consumer,
                until,
                reason,
            } => self.with(&consumer, |consumer, shared| {
                let order = SeekOrder { reason, at: now };
                consumer.skip(until, order, shared);
            }),
            _ => {}
        }
    }

    /// What [`Command::Replay`] would do now.
    ///
    /// # Errors
    ///
    /// [`SeekRefusal`] when it would do nothing, because a limit is reached.
    pub fn replay_plan(
        &self,
        id: &ConsumerId,
        from: u64,
        until: Option<u64>,
    ) -> Result<SeekPlan, SeekRefusal> {
        let consumer = self.consumer(id).ok_or(SeekRefusal::Unknown)?;
        consumer.replay_plan(from, until)
    }

    /// What [`Command::Skip`] would do now.
    ///
    /// # Errors
    ///
    /// [`SeekRefusal`] when it would do nothing, because a limit is reached.
    pub fn skip_plan(&self, id: &ConsumerId, until: u64) -> Result<SeekPlan, SeekRefusal> {
        let consumer = self.consumer(id).ok_or(SeekRefusal::Unknown)?;
        consumer.skip_plan(until)
    }

    /// The lowest sequence that a consumer may still be sent by any way: from its channel, by a replay,
    /// or as a letter, redriven or taken back. 0 for a consumer that the machine does not know.
    ///
    /// Only what a new replay brings can lie below it, and that has a generation of its own.
    #[must_use]
    pub fn replay_watermark(&self, id: &ConsumerId) -> u64 {
        self.consumer(id)
            .map_or(0, crate::consumer::Consumer::replay_watermark)
    }

    /// The number of a consumer's last replay, which the next one is above; 0: there was none.
    #[must_use]
    pub fn last_generation(&self, id: &ConsumerId) -> u64 {
        self.consumer(id)
            .map_or(0, crate::consumer::Consumer::last_generation)
    }
}
