//! Why a delivery is where it is. Asking changes nothing.

use tidegate_base::Timestamp;

use super::Consumer;
use super::admission::Obstacle;
use super::delivery::{Delivery, Phase};
use super::status::DeliveryStatus;
use crate::ended::{End, Provenance, SeekOrder};
use crate::record::{AttemptRecord, EventRef};
use crate::shared::Shared;

/// Where a delivery is, and what it waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation<'a> {
    /// Where it is.
    pub status: DeliveryStatus,
    /// It may have ended the process before, so it runs alone.
    pub suspect: bool,
    /// What keeps it from running, when it is the next of its lane.
    pub obstacle: Option<Obstacle>,
    /// The delivery of its lane that goes before it, and its event.
    pub behind: Option<(u64, &'a EventRef)>,
    /// When it may run again.
    pub until: Option<Timestamp>,
    /// Attempts with an outcome, oldest first; of a long history the middle is left out.
    pub history: &'a [AttemptRecord],
    /// How often it was redriven.
    pub redrives: u32,
    /// What is delivered in the place of its event, when it was edited.
    pub edited: Option<Provenance>,
    /// The replay that it is of, or was the last time; 0: of none.
    pub generation: u64,
    /// Why that was ordered, and when.
    pub replay: Option<&'a SeekOrder>,
    /// How it ended, when that is over and was not simply a success at the first attempt.
    pub end: Option<End>,
    /// Why an operator has passed over it, and when.
    pub skip: Option<&'a SeekOrder>,
}

impl Consumer {
    /// Why a delivery is where it is.
    pub(crate) fn explain(
        &self,
        sequence: u64,
        now: Timestamp,
        shared: &Shared,
    ) -> Explanation<'_> {
        let delivery = self.deliveries.get(&sequence);
        let behind = self.blocker(sequence).and_then(|before| {
            let event = &self.deliveries.get(&before)?.event;
            Some((before, event.as_ref()))
        });
        let is_next = [&self.fresh, &self.again, &self.suspects]
            .iter()
            .any(|set| set.contains(sequence));
        let until = match delivery.map(|delivery| &delivery.phase) {
            Some(Phase::Waiting { until }) => Some(*until),
            _ => None,
        };
        let status = self.delivery_status(sequence);
        let finished = status == DeliveryStatus::Finished;
        let ended = self.ended.of(sequence).filter(|_| finished);
        let skip = self.skips.order_of(sequence).filter(|_| finished);
        let generation = match (delivery, ended) {
            (Some(delivery), _) => delivery.generation,
            (None, Some(ended)) => ended.generation,
            (None, None) => self.replays.left.mark_of(sequence).unwrap_or_default(),
        };
        let progress = delivery.map(|delivery| &delivery.progress);
        let progress = progress.or(ended.map(|ended| &ended.progress));
        let end = ended.map(|ended| ended.end);
        Explanation {
            status,
            suspect: delivery.is_some_and(Delivery::is_suspect),
            obstacle: self.obstacle(now, shared).filter(|_| is_next),
            behind,
            until,
            redrives: progress.map_or(0, |progress| progress.redrives),
            edited: match delivery {
                Some(delivery) => delivery.provenance(),
                None => ended.and_then(|ended| ended.edited.clone()),
            },
            history: progress.map_or(&[], |progress| &progress.history),
            generation,
            replay: self.replays.orders.get(&generation),
            end: end.or(skip.map(|_| End::Skipped)),
            skip,
        }
    }

    /// Deliveries in memory of the event of that id, of any source or of one; and those that were edited and are over,
    /// as long as that is remembered.
    pub(crate) fn find<'a>(
        &'a self,
        id: &'a str,
        source: Option<&'a str>,
    ) -> impl Iterator<Item = u64> + 'a {
        let of_event = move |event: &EventRef| {
            event.id == id && source.is_none_or(|source| event.source == source)
        };
        let deliveries = self.deliveries.values();
        let was = move |delivery: &Delivery| {
            let mut notes = delivery.edit.iter().flat_map(|edit| &edit.notes);
            let is_of = source.is_none_or(|source| delivery.event.source == source);
            is_of && notes.any(|note| note.id == id)
        };
        let ended = self.ended.iter().filter_map(move |ended| {
            let edited = ended.edited.as_ref()?;
            let is_of = source.is_none_or(|source| edited.source == source);
            let known = edited.id == id || edited.notes.iter().any(|note| note.id == id);
            (is_of && known).then_some(ended.sequence)
        });
        deliveries
            .filter(move |delivery| of_event(&delivery.event) || was(delivery))
            .map(|delivery| delivery.sequence)
            .chain(ended)
    }
}
