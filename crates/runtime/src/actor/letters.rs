//! Dead letters: lists, details, redrives.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::future::FutureExt;
use tidegate_base::limit::SEARCH_LETTERS_MAX;
use tidegate_base::{ConsumerId, Timestamp};
use tidegate_delivery::{
    AppliedRule, AttemptRecord, DeadLetter, Discard, EditNote, Input, Machine, normalise,
};
use tokio::sync::oneshot;

use super::Actor;
use super::attempt::read_event;
use super::hear::Event;
use super::search::Candidate;
use super::select::{LettersReply, group_of, letter_id, read_id};
use crate::dead_letter::{
    DeadLetterFilter, DeadLetterPage, LettersError, LettersReport, LettersSelection,
};
use crate::view::{
    AttemptView, DeadLetterDetail, DeadLetterGroup, DeadLetterView, DiscardView, EditView,
};

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
        self.each(filter, |letter| {
            page.total += 1;
            letter.count(&mut groups);
            if letter.follows && page.letters.len() < filter.limit {
                page.letters.push(self.letter_view(letter));
            } else if letter.follows && page.next.is_none() {
                page.next = page.letters.last().map(|last| last.id.clone());
            }
            ControlFlow::Continue(())
        });
        page.groups = sorted_groups(groups);
        page
    }

    /// The letters whose events are to be looked into, and whether these are all that are left.
    pub(super) fn candidates(&self, filter: &DeadLetterFilter) -> (Vec<Candidate>, bool) {
        let (mut candidates, mut is_all) = (Vec::new(), true);
        self.each(filter, |letter| {
            if letter.follows && candidates.len() >= SEARCH_LETTERS_MAX {
                is_all = false;
                return ControlFlow::Break(());
            }
            if letter.follows {
                candidates.push(self.look_into(letter));
            }
            ControlFlow::Continue(())
        });
        (candidates, is_all)
    }

    /// A letter that waits, to be looked into.
    pub(super) fn candidate(&self, consumer: &ConsumerId, sequence: u64) -> Option<Candidate> {
        let letter = self.parts.machine.dead_letter(consumer, sequence)?;
        Some(self.look_into(&Listed::new(consumer, letter, None)))
    }

    fn look_into(&self, letter: &Listed<'_>) -> Candidate {
        let edit = letter.letter.edit;
        Candidate {
            view: self.letter_view(letter),
            sequence: letter.letter.sequence,
            edited: edit.map(|edit| Arc::clone(&edit.event)),
        }
    }

    /// Every letter that a filter holds for, but for its payload, by consumer in the order of the design,
    /// oldest event first.
    fn each(
        &self,
        filter: &DeadLetterFilter,
        mut take: impl FnMut(&Listed<'_>) -> ControlFlow<()>,
    ) {
        let order: Vec<ConsumerId> = self.parts.design.consumers().map(|c| c.id()).collect();
        let place = |id: &ConsumerId| order.iter().position(|other| other == id);
        // By its place: the letter may have been sent back since the page before.
        let after = filter.after.as_deref().map(|id| {
            let letter = read_id(id);
            letter.and_then(|(consumer, sequence)| Some((place(&consumer)?, sequence)))
        });
        let which = &filter.which;
        for (number, id) in order
            .iter()
            .enumerate()
            .filter(|(_, id)| which.may_be_of(id))
        {
            for (letter, discard) in self.letters(id, which.discarded) {
                let mut listed = Listed::new(id, letter, discard);
                // What names no letter is followed by none.
                let place = (number, letter.sequence);
                listed.follows = after.is_none_or(|after| after.is_some_and(|after| place > after));
                if which.fits(&letter, &listed.group) && take(&listed).is_break() {
                    return;
                }
            }
        }
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

    fn letter_view(&self, listed: &Listed<'_>) -> DeadLetterView {
        let Listed {
            consumer, letter, ..
        } = listed;
        let followers = self.parts.machine.followers(consumer, letter.sequence);
        let last = letter.progress.history.last();
        let edits = letter.edit.map_or(0, |edit| edit.notes.len());
        DeadLetterView {
            id: letter_id(consumer, letter.sequence),
            consumer: (*consumer).clone(),
            event_id: letter.event.id.clone(),
            source: letter.event.source.clone(),
            key: letter.event.key.as_deref().map(str::to_owned),
            reason: letter.death.reason.word(),
            error: letter.death.error.clone(),
            group: listed.group.clone(),
            attempts: last.map_or(0, |last| last.attempt),
            redrives: letter.progress.redrives,
            edits: u64::try_from(edits).unwrap_or(u64::MAX),
            version: letter.version,
            followers: u64::try_from(followers).unwrap_or(u64::MAX),
            accepted_ms: letter.accepted.millis(),
            dead_ms: letter.death.at.millis(),
            discarded: listed.discard.map(|discard| DiscardView {
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
            let view = self.letter_view(&Listed::new(&consumer, letter, discard));
            let history = letter.progress.history.iter().map(attempt_view).collect();
            let edit = letter.edit.cloned();
            Some((consumer, sequence, view, history, edit))
        });
        let Some((consumer, sequence, letter, history, edit)) = found else {
            let _left = reply.send(None);
            return;
        };
        let broker = self.parts.broker.clone();
        let publisher = Arc::clone(&self.parts.publisher);
        let work = async move {
            let stored = match read_event(&*broker, &consumer.event, sequence).await {
                Ok(Some(envelope)) => publisher.catalog.shown(envelope).await.to_value(),
                Ok(None) => serde_json::json!({ "unreadable": "retention has removed it" }),
                // The letter is still there to be seen, with the reason in the event's place.
                Err(reason) => serde_json::json!({ "unreadable": reason }),
            };
            let notes = edit.iter().flat_map(|edit| &edit.notes);
            let edited = notes.map(edit_view).collect();
            let (event, original) = match edit {
                None => (stored, None),
                Some(edit) => {
                    let event = serde_json::from_str(&edit.event);
                    (event.unwrap_or_default(), Some(stored))
                }
            };
            let detail = Box::new(DeadLetterDetail {
                letter,
                event,
                original,
                edited,
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
            self.tell(Input::Redrive {
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

/// A letter on its way into a list.
struct Listed<'a> {
    consumer: &'a ConsumerId,
    letter: DeadLetter<'a>,
    discard: Option<&'a Discard>,
    group: String,
    /// Whether it is behind the page before.
    follows: bool,
}

impl<'a> Listed<'a> {
    fn new(consumer: &'a ConsumerId, letter: DeadLetter<'a>, discard: Option<&'a Discard>) -> Self {
        Self {
            group: group_of(consumer, &letter),
            follows: true,
            consumer,
            letter,
            discard,
        }
    }

    fn count(&self, groups: &mut HashMap<String, DeadLetterGroup>) {
        let death = self.letter.death;
        let cause = (self.consumer, death.reason.word(), death.error.as_str());
        count(groups, &self.group, cause, death.at.millis());
    }
}

/// Counts a letter among those with its cause.
pub(super) fn count(
    groups: &mut HashMap<String, DeadLetterGroup>,
    group: &str,
    (consumer, reason, error): (&ConsumerId, &'static str, &str),
    at: u64,
) {
    let entry = groups
        .entry(group.to_owned())
        .or_insert_with(|| DeadLetterGroup {
            group: group.to_owned(),
            consumer: consumer.clone(),
            reason,
            error: normalise(error),
            count: 0,
            first_ms: at,
            last_ms: at,
        });
    entry.count += 1;
    entry.first_ms = entry.first_ms.min(at);
    entry.last_ms = entry.last_ms.max(at);
}

/// Most frequent first.
pub(super) fn sorted_groups(groups: HashMap<String, DeadLetterGroup>) -> Vec<DeadLetterGroup> {
    let mut groups: Vec<DeadLetterGroup> = groups.into_values().collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.group.cmp(&b.group)));
    groups
}

pub(super) fn edit_view(note: &EditNote) -> EditView {
    EditView {
        replaced: note.id.clone(),
        reason: note.reason.clone(),
        by: note.by.clone(),
        at_ms: note.at.millis(),
    }
}

fn rule_text(rule: AppliedRule) -> String {
    match rule {
        AppliedRule::Park => "park".to_owned(),
        AppliedRule::Retry => "retry".to_owned(),
        AppliedRule::Own { failures, attempts } => format!("{failures} of {attempts}"),
    }
}

pub(super) fn attempt_view(record: &AttemptRecord) -> AttemptView {
    let took = |ended: Timestamp| ended.since(record.started).as_secs_f64() * 1_000.0;
    AttemptView {
        attempt: record.attempt,
        started_ms: record.started.millis(),
        duration_ms: record.ended.map(took),
        outcome: record.outcome.word(),
        error: (!record.error.is_empty()).then(|| record.error.clone()),
        rule: record.rule.map(rule_text),
    }
}
