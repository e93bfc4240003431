//! Which letters an order is for: by name, or by what they have in common.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_base::ConsumerId;
use tidegate_delivery::{DeadLetter, Machine, fingerprint};
use tokio::sync::oneshot;

use super::Actor;
use crate::dead_letter::{LettersError, LettersReport, LettersSelection};
use crate::view::Mode;

/// Why an order passes over what names no letter.
pub(super) const UNKNOWN: &str = "there is no such dead letter";

/// Who waits for an order about letters.
pub(super) type LettersReply = oneshot::Sender<Result<LettersReport, LettersError>>;

/// A letter's name, and what it names if it can be a letter.
pub(super) type Selected = (String, Option<(ConsumerId, u64)>);

/// The letters of a selection: those that may go on, and the report for when they have.
pub(super) struct Sorted {
    pub(super) report: LettersReport,
    pub(super) accepted: BTreeMap<ConsumerId, Vec<u64>>,
}

impl Actor {
    /// The letters of a selection, sorted by what `may` says of each. When nothing may be done with
    /// any, `reply` hears why and the order is over.
    pub(super) fn sorted(
        &self,
        selection: LettersSelection,
        may: impl Fn(&Machine, &ConsumerId, u64) -> Result<(), String>,
        reply: LettersReply,
    ) -> Option<(Sorted, LettersReply)> {
        match self.select(selection) {
            Ok(selected) => {
                let machine = &self.parts.machine;
                let may = |consumer: &ConsumerId, sequence| may(machine, consumer, sequence);
                Some((sort(selected, may), reply))
            }
            Err(error) => {
                let _left = reply.send(Err(error));
                None
            }
        }
    }

    /// Whether the system takes orders about letters.
    pub(super) fn takes_orders(&self) -> Result<(), LettersError> {
        match self.parts.publisher.mode() {
            Mode::Running => Ok(()),
            Mode::Draining => Err(LettersError::Draining),
            Mode::Stopped => Err(LettersError::Stopped),
        }
    }

    /// The letters of a selection: their names, and what they are if they can be one. What payloads must
    /// have is not looked at: for that they have to be read.
    pub(super) fn select(
        &self,
        selection: LettersSelection,
    ) -> Result<Vec<Selected>, LettersError> {
        self.takes_orders()?;
        let filter = match selection {
            LettersSelection::Ids(ids) => {
                let unique: BTreeSet<String> = ids.into_iter().collect();
                let named = unique.into_iter().map(|id| (id.clone(), read_id(&id)));
                return Ok(named.collect());
            }
            LettersSelection::Matching(filter) => filter,
        };
        if let Some(consumer) = &filter.consumer
            && !self.targets.contains_key(consumer)
        {
            let consumer = consumer.clone();
            return Err(LettersError::UnknownConsumer { consumer });
        }
        let mut selected = Vec::new();
        for consumer in self.parts.design.consumers().map(|consumer| consumer.id()) {
            if !filter.may_be_of(&consumer) {
                continue;
            }
            let letters = self.parts.machine.dead_letters(&consumer);
            let wanted = letters.filter(|letter| filter.fits(letter, &group_of(&consumer, letter)));
            selected.extend(wanted.map(|letter| {
                let letter = (consumer.clone(), letter.sequence);
                (letter_id(&letter.0, letter.1), Some(letter))
            }));
        }
        Ok(selected)
    }
}

pub(super) fn sort(
    selected: Vec<Selected>,
    may: impl Fn(&ConsumerId, u64) -> Result<(), String>,
) -> Sorted {
    let mut report = LettersReport::default();
    let mut accepted: BTreeMap<ConsumerId, Vec<u64>> = BTreeMap::new();
    for (id, letter) in selected {
        let Some((consumer, sequence)) = letter else {
            report.refused.push((id, UNKNOWN.to_owned()));
            continue;
        };
        match may(&consumer, sequence) {
            Ok(()) => {
                report.done.push(id);
                accepted.entry(consumer).or_default().push(sequence);
            }
            Err(refusal) => report.refused.push((id, refusal)),
        }
    }
    Sorted { report, accepted }
}

pub(super) fn letter_id(consumer: &ConsumerId, sequence: u64) -> String {
    format!("{consumer}/{sequence}")
}

pub(super) fn read_id(id: &str) -> Option<(ConsumerId, u64)> {
    let (consumer, sequence) = id.rsplit_once('/')?;
    Some((consumer.parse().ok()?, sequence.parse().ok()?))
}

/// What letters with the same cause share.
pub(super) fn group_of(consumer: &ConsumerId, letter: &DeadLetter<'_>) -> String {
    fingerprint(consumer, letter.death.reason.word(), &letter.death.error)
}
