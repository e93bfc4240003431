//! Edited letters: a dead letter gets another event in the place of its own, and keeps its place.

use std::sync::Arc;

use thiserror::Error;
use tidegate_base::limit::{EDITED_EVENT_BYTES_MAX, EDITED_EVENTS_BYTES_MAX, EDITS_MAX};

use super::Consumer;
use super::delivery::{Delivery, Phase};
use crate::mutant::{self, Mutant};
use crate::outbox::Then;
use crate::record::{Death, Edit, EventRef, StateRecord};
use crate::shared::Shared;

/// Why a dead letter cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditRefusal {
    /// There is no such dead letter.
    #[error("there is no such dead letter")]
    Unknown,
    /// It has changed since it was looked at.
    #[error("it has changed: it is at version {0} now")]
    Changed(u64),
    /// It was edited too often.
    #[error("it was edited {EDITS_MAX} times, which is the most")]
    Often,
    /// The edited event is too large.
    #[error("the edited event has {0} bytes; the most is {EDITED_EVENT_BYTES_MAX}")]
    Large(usize),
    /// All edited events together are too large.
    #[error(
        "edited events have {0} bytes in all; the most is {EDITED_EVENTS_BYTES_MAX}, so redrive or \
         discard some first"
    )]
    Full(usize),
    /// Another event of this consumer has the identity that the edited one would have.
    #[error("another event of the same source has the id `{0}`")]
    Taken(String),
    /// Its event was finished under another sequence: the edited one would be delivered beside it.
    #[error("its event was published twice, and the other one is finished")]
    Finished,
}

impl Consumer {
    /// Whether a dead letter can get `edit` in the place of its event; `others` is how many bytes
    /// edited events have elsewhere.
    ///
    /// # Errors
    ///
    /// [`EditRefusal`].
    pub(crate) fn may_edit(
        &self,
        sequence: u64,
        version: u64,
        edit: &Edit,
        others: usize,
    ) -> Result<(), EditRefusal> {
        let delivery = self.deliveries.get(&sequence).filter(|d| d.is_dead());
        let delivery = delivery.ok_or(EditRefusal::Unknown)?;
        if delivery.version() != version && !mutant::is(Mutant::EditVersionNotAsked) {
            return Err(EditRefusal::Changed(delivery.version()));
        }
        if edit.notes.len() > EDITS_MAX {
            return Err(EditRefusal::Often);
        }
        let bytes = edit.event.len();
        if bytes > EDITED_EVENT_BYTES_MAX {
            return Err(EditRefusal::Large(bytes));
        }
        let here = self.edited_bytes() - delivery.edited_bytes();
        if others + here + bytes > EDITED_EVENTS_BYTES_MAX {
            return Err(EditRefusal::Full(others + here + bytes));
        }
        self.is_another(delivery, edit)
    }

    /// Whether the edited event is told from every other one, its own former ones included.
    fn is_another(&self, delivery: &Delivery, edit: &Edit) -> Result<(), EditRefusal> {
        let source = &delivery.event.source;
        let is_former = edit.notes.iter().any(|note| note.id == edit.id);
        let is_other = self.deliveries.values().any(|other| {
            other.sequence != delivery.sequence
                && other.event.source == *source
                && other.event.id == edit.id
        });
        // In a replay the id is also taken by what was finished before it: the handler knows it.
        let event = EventRef {
            key: None,
            source: source.clone(),
            id: edit.id.clone(),
            not_before: None,
        };
        let mut identities = [0, delivery.generation]
            .into_iter()
            .filter_map(|generation| self.identity_in(&event, generation));
        let is_done = identities.any(|identity| self.done.contains(identity));
        if is_former || is_other || is_done {
            return Err(EditRefusal::Taken(edit.id.clone()));
        }
        let is_finished = delivery.identities().any(|one| self.done.contains(one));
        (!is_finished).then_some(()).ok_or(EditRefusal::Finished)
    }

    /// Puts another event in the place of a dead letter's. It stays a dead letter.
    pub(crate) fn edit(&mut self, sequence: u64, edit: Arc<Edit>, shared: &mut Shared) {
        let Some(mut delivery) = self.deliveries.get(&sequence).cloned() else {
            return;
        };
        let Phase::Dead(death) = delivery.phase.clone() else {
            return;
        };
        self.discount_live(&delivery);
        let event = EventRef {
            key: delivery.event.key.clone(),
            source: delivery.event.source.clone(),
            id: edit.id.clone(),
            not_before: delivery.event.not_before,
        };
        delivery.identity = self.identity_in(&event, delivery.generation);
        delivery.event = Arc::new(event);
        delivery.edit = Some(edit);
        delivery.phase = Phase::Deciding(death.clone());
        let consumer = self.config.id.clone();
        let record = StateRecord::Kept {
            consumer,
            delivery: delivery.kept(Some(death.clone())),
        };
        self.count_live(&delivery);
        self.deliveries.insert(sequence, delivery);
        let then = Then::Edited(self.index, sequence, Box::new(death));
        shared.out.keep(Mutant::EditNotDurable, record, then);
    }

    /// A letter is durably edited: it is a dead letter again.
    pub(crate) fn edited(&mut self, sequence: u64, death: Death, shared: &mut Shared) {
        if let Some(delivery) = self.deliveries.get_mut(&sequence) {
            delivery.phase = Phase::Dead(death);
        }
        if self.config.followers == crate::config::Followers::Wait {
            self.keep_followers(sequence, shared);
        }
    }

    /// The event that a delivery has in the place of its own.
    pub(crate) fn edit_of(&self, sequence: u64) -> Option<&Arc<Edit>> {
        self.deliveries.get(&sequence)?.edit.as_ref()
    }

    /// How many bytes the edited events have.
    pub(crate) fn edited_bytes(&self) -> usize {
        self.deliveries.values().map(Delivery::edited_bytes).sum()
    }
}
