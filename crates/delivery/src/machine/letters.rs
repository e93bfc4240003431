//! Dead letters of the machine: which there are, and what may be done with them.

use std::sync::Arc;

use tidegate_base::ConsumerId;

use super::Machine;
use crate::consumer::{Consumer, DeadLetter, EditRefusal, RedriveRefusal, RestoreRefusal};
use crate::record::{Discard, Edit};

impl Machine {
    /// The dead letters of a consumer, oldest event first.
    pub fn dead_letters(&self, id: &ConsumerId) -> impl Iterator<Item = DeadLetter<'_>> + use<'_> {
        self.consumer(id)
            .into_iter()
            .flat_map(Consumer::dead_letters)
    }

    /// The discarded letters of a consumer that can be taken back, oldest event first.
    pub fn discarded_letters(
        &self,
        id: &ConsumerId,
    ) -> impl Iterator<Item = (DeadLetter<'_>, &Discard)> + use<'_> {
        self.consumer(id)
            .into_iter()
            .flat_map(Consumer::discarded_letters)
    }

    /// Whether a discarded letter can be taken back.
    ///
    /// # Errors
    ///
    /// [`RestoreRefusal`] when there is none, or no room for another dead letter.
    pub fn may_restore(&self, id: &ConsumerId, sequence: u64) -> Result<(), RestoreRefusal> {
        self.consumer(id)
            .ok_or(RestoreRefusal::Unknown)?
            .may_restore(sequence)
    }

    /// One dead letter.
    #[must_use]
    pub fn dead_letter(&self, id: &ConsumerId, sequence: u64) -> Option<DeadLetter<'_>> {
        self.consumer(id)?.dead_letter(sequence)
    }

    /// How many later deliveries of the same key wait behind a dead letter.
    #[must_use]
    pub fn followers(&self, id: &ConsumerId, sequence: u64) -> usize {
        self.consumer(id)
            .map_or(0, |consumer| consumer.followers_of(sequence))
    }

    /// Whether a dead letter can be redriven.
    ///
    /// # Errors
    ///
    /// [`RedriveRefusal`] when there is no such dead letter, or it was redriven too often.
    pub fn may_redrive(&self, id: &ConsumerId, sequence: u64) -> Result<(), RedriveRefusal> {
        self.consumer(id)
            .ok_or(RedriveRefusal::Unknown)?
            .may_redrive(sequence)
    }

    /// The event that a delivery has in the place of its own, if an operator has edited it.
    #[must_use]
    pub fn edit_of(&self, id: &ConsumerId, sequence: u64) -> Option<&Arc<Edit>> {
        self.consumer(id)?.edit_of(sequence)
    }

    /// Whether a dead letter that is at `version` can get `edit` in the place of its event.
    ///
    /// # Errors
    ///
    /// [`EditRefusal`]: it is not there or has changed, the event is not told from another one, or a
    /// limit is reached.
    pub fn may_edit(
        &self,
        id: &ConsumerId,
        sequence: u64,
        version: u64,
        edit: &Edit,
    ) -> Result<(), EditRefusal> {
        let consumer = self.consumer(id).ok_or(EditRefusal::Unknown)?;
        let all: usize = self.consumers.iter().map(Consumer::edited_bytes).sum();
        let others = all.saturating_sub(consumer.edited_bytes());
        consumer.may_edit(sequence, version, edit, others)
    }

    pub(super) fn edit(&mut self, id: &ConsumerId, sequence: u64, version: u64, edit: Arc<Edit>) {
        if self.may_edit(id, sequence, version, &edit).is_ok() {
            self.with(id, |consumer, shared| consumer.edit(sequence, edit, shared));
        }
    }
}
