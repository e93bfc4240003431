//! Dead letters: lists, details, redrives.

use std::collections::{BTreeSet, HashMap};

use futures_util::future::FutureExt;
use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{AttemptRecord, DeadLetter, Discard, Input, Machine, normalise};
use tokio::sync::oneshot;

use super::Actor;
use super::attempt::read_event;
use super::hear::Event;
use super::select::{LettersReply, group_of, letter_id, read_id};
use crate::dead_letter::{
    DeadLetterFilter, DeadLetterPage, LettersError, LettersReport, LettersSelection,
};
use crate::view::{AttemptView, DeadLetterDetail, DeadLetterGroup, DeadLetterView, DiscardView};

/// A redrive that waits until all its letters are durably back.
#[derive(Debug)]
pub(super) struct PendingRedrive {
    waits_for: BTreeSet<(ConsumerId, u64)>,
    report: LettersReport,
    reply: LettersReply,
}

impl PendingRedrive {
    /// Tells the asker that the system has stopped before all of it was durable.
    pub(super) fn refuse(self) {
        let _left = self.reply.send(Err(LettersError::Stopped));
    }
}

impl Actor {
    pub(super) fn dead_letters(&self, filter: &DeadLetterFilter) -> DeadLetterPage {
        let mut page = DeadLetterPage::default();
        let mut groups: HashMap<String, DeadLetterGroup> = HashMap::new();
        let order: Vec<ConsumerId> = self.parts.design.consumers().map(|c| c.id()).collect();
        let place = |id: &ConsumerId| order.iter().position(|other| other == id);
        // By its place: the letter may have been sent back since the page before.
        let after = filter.after.as_deref().map(|id| {
            let letter = read_id(id);
            letter.and_then(|(consumer, sequence)| Some((place(&consumer)?, sequence)))
        });
        for (number, id) in order.iter().enumerate() {
            if filter.consumer.as_ref().is_some_and(|wanted| wanted != id) {
                continue;
            }
            for (letter, discard) in self.letters(id, filter.discarded) {
                let group = group_of(id, &letter);
                if filter.group.as_ref().is_some_and(|wanted| *wanted != group) {
                    continue;
                }
                page.total += 1;
                count(&mut groups, id, &letter, &group);
                let follows = match after {
                    None => true,
                    // What names no letter is followed by none.
                    Some(after) => after.is_some_and(|after| (number, letter.sequence) > after),
                };
                if follows && page.letters.len() < filter.limit {
                    page.letters
                        .push(self.letter_view(id, &letter, group, discard));
                }
            }
        }
        page.groups = groups.into_values().collect();
        page.groups
            .sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.group.cmp(&b.group)));
        page
    }

    /// The letters of a consumer that wait, or those that were given up.
    fn letters<'a>(
        &'a self,
        id: &'a ConsumerId,
        discarded: bool,
    ) -> impl Iterator<Item = (DeadLetter<'a>, Option<&'a Discard>)> {
        let machine = &self.parts.machine;
        let waiting = machine.dead_letters(id).map(|letter| (letter, None));
        let given_up = machine.discarded_letters(id);
        let given_up = given_up.map(|(letter, discard)| (letter, Some(discard)));
        let waiting = waiting.filter(move |_| !discarded);
        waiting.chain(given_up.filter(move |_| discarded))
    }

    fn letter_view(
        &self,
        consumer: &ConsumerId,
        letter: &DeadLetter<'_>,
        group: String,
        discard: Option<&Discard>,
    ) -> DeadLetterView {
        let followers = self.parts.machine.followers(consumer, letter.sequence);
        let last = letter.progress.history.last();
        DeadLetterView {
            id: letter_id(consumer, letter.sequence),
            consumer: consumer.clone(),
            event_id: letter.event.id.clone(),
            source: letter.event.source.clone(),
            key: letter.event.key.as_deref().map(str::to_owned),
            reason: letter.death.reason.word(),
            error: letter.death.error.clone(),
            group,
            attempts: last.map_or(0, |last| last.attempt),
            redrives: letter.progress.redrives,
            followers: u64::try_from(followers).unwrap_or(u64::MAX),
            accepted_ms: letter.accepted.millis(),
            dead_ms: letter.death.at.millis(),
            discarded: discard.map(|discard| DiscardView {
                reason: discard.reason.clone(),
                at_ms: discard.at.millis(),
            }),
        }
    }

    pub(super) fn dead_letter(
        &mut self,
        id: &str,
        reply: oneshot::Sender<Option<DeadLetterDetail>>,
    ) {
        let found = read_id(id).and_then(|(consumer, sequence)| {
            let waiting = self.parts.machine.dead_letter(&consumer, sequence);
            let (letter, discard) = match waiting {
                Some(letter) => (letter, None),
                None => self
                    .letters(&consumer, true)
                    .find(|(letter, _)| letter.sequence == sequence)?,
            };
            let group = group_of(&consumer, &letter);
            let view = self.letter_view(&consumer, &letter, group, discard);
            let history = letter.progress.history.iter().map(attempt_view).collect();
            Some((consumer, sequence, view, history))
        });
        let Some((consumer, sequence, letter, history)) = found else {
            let _left = reply.send(None);
            return;
        };
        let broker = self.parts.broker.clone();
        let work = async move {
            let event = match read_event(&*broker, &consumer.event, sequence).await {
                Ok(Some(envelope)) => envelope.to_value(),
                Ok(None) => serde_json::json!({ "unreadable": "retention has removed it" }),
                // The letter is still there to be seen, with the reason in the event's place.
                Err(reason) => serde_json::json!({ "unreadable": reason }),
            };
            let detail = Box::new(DeadLetterDetail {
                letter,
                event,
                history,
            });
            Event::Detailed { detail, reply }
        };
        self.work.push(work.boxed());
    }

    pub(super) fn redrive(&mut self, selection: LettersSelection, reply: LettersReply) {
        let may = |machine: &Machine, consumer: &ConsumerId, sequence| {
            let may = machine.may_redrive(consumer, sequence);
            may.map_err(|refusal| refusal.to_string())
        };
        let Some((sorted, reply)) = self.sorted(selection, may, reply) else {
            return;
        };
        let mut waits_for = BTreeSet::new();
        for (consumer, sequences) in sorted.accepted {
            let letters = sequences.iter().map(|letter| (consumer.clone(), *letter));
            waits_for.extend(letters);
            self.step(Input::Redrive {
                consumer,
                sequences,
            });
        }
        self.redrives.push(PendingRedrive {
            waits_for,
            report: sorted.report,
            reply,
        });
        self.answer_redrives();
    }

    /// A letter is durably back.
    pub(super) fn redriven(&mut self, consumer: &ConsumerId, sequence: u64) {
        let letter = (consumer.clone(), sequence);
        for pending in &mut self.redrives {
            pending.waits_for.remove(&letter);
        }
        self.answer_redrives();
    }

    fn answer_redrives(&mut self) {
        let (ready, waiting) = std::mem::take(&mut self.redrives)
            .into_iter()
            .partition(|pending: &PendingRedrive| pending.waits_for.is_empty());
        self.redrives = waiting;
        for pending in ready {
            let _left = pending.reply.send(Ok(pending.report));
        }
    }
}

fn count(
    groups: &mut HashMap<String, DeadLetterGroup>,
    consumer: &ConsumerId,
    letter: &DeadLetter<'_>,
    group: &str,
) {
    let at = letter.death.at.millis();
    let entry = groups
        .entry(group.to_owned())
        .or_insert_with(|| DeadLetterGroup {
            group: group.to_owned(),
            consumer: consumer.clone(),
            reason: letter.death.reason.word(),
            error: normalise(&letter.death.error),
            count: 0,
            first_ms: at,
            last_ms: at,
        });
    entry.count += 1;
    entry.first_ms = entry.first_ms.min(at);
    entry.last_ms = entry.last_ms.max(at);
}

pub(super) fn attempt_view(record: &AttemptRecord) -> AttemptView {
    let took = |ended: Timestamp| ended.since(record.started).as_secs_f64() * 1_000.0;
    AttemptView {
        attempt: record.attempt,
        started_ms: record.started.millis(),
        duration_ms: record.ended.map(took),
        outcome: record.outcome.word(),
        error: (!record.error.is_empty()).then(|| record.error.clone()),
    }
}
