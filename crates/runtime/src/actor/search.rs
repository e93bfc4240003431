//! Looking into the events of dead letters: on a task of its own, so much at a time.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_base::limit::SEARCH_BYTES_MAX;
use tidegate_base::{ConsumerId, Envelope};
use tidegate_broker::Broker;
use tokio::sync::oneshot;

use super::Actor;
use super::attempt::read_event;
use super::letters::{count, sorted_groups};
use super::select::{Selected, read_id, sort};
use crate::dead_letter::{
    DeadLetterFilter, DeadLetterPage, LettersError, LettersReport, LettersSelection,
};
use crate::letter_filter::Condition;
use crate::publish::Problem;
use crate::publisher::Publisher;
use crate::redrive::{InvalidLetter, Rehearsal};
use crate::view::{DeadLetterGroup, DeadLetterView};

/// A letter whose event is to be looked into.
pub(super) struct Candidate {
    pub(super) view: DeadLetterView,
    pub(super) sequence: u64,
    /// The event in the place of that of the channel.
    pub(super) edited: Option<Arc<str>>,
}

impl Candidate {
    fn count(&self, groups: &mut HashMap<String, DeadLetterGroup>) {
        let view = &self.view;
        let cause = (&view.consumer, view.reason, view.error.as_str());
        count(groups, &view.group, cause, view.dead_ms);
    }

    /// The event that would be delivered, `None` when it was removed, or why it cannot be read.
    async fn event(
        &self,
        broker: &dyn Broker,
        publisher: &Publisher,
    ) -> Result<Option<Envelope>, String> {
        let (consumer, edited) = (&self.view.consumer, self.edited.clone());
        let event = present_event(broker, consumer, self.sequence, edited).await?;
        Ok(match event {
            Some(event) => Some(publisher.catalog.shown(event).await),
            None => None,
        })
    }
}

/// The event that a delivery is of: the edited one, or that of the channel.
pub(super) async fn present_event(
    broker: &dyn Broker,
    consumer: &ConsumerId,
    sequence: u64,
    edited: Option<Arc<str>>,
) -> Result<Option<Envelope>, String> {
    match edited {
        Some(text) => serde_json::from_str(&text)
            .map_err(|error| error.to_string())
            .and_then(|value| Envelope::read_stored(value).map_err(|error| error.to_string()))
            .map(Some)
            .map_err(|error| format!("the edited event: {error}")),
        None => read_event(broker, &consumer.event, sequence).await,
    }
}

impl Actor {
    /// A page of dead letters.
    pub(super) fn list(&self, filter: DeadLetterFilter, reply: oneshot::Sender<DeadLetterPage>) {
        if filter.which.payload.is_empty() {
            // An asker that has left needs no answer; so with every reply.
            let _left = reply.send(self.dead_letters(&filter));
            return;
        }
        let (candidates, is_all) = self.candidates(&filter);
        let broker = Arc::clone(&self.parts.broker);
        let publisher = Arc::clone(&self.parts.publisher);
        tokio::spawn(async move {
            let page = search(&*broker, &publisher, candidates, is_all, &filter).await;
            let _left = reply.send(page);
        });
    }

    /// What would become of these letters if they were sent back.
    pub(super) fn rehearse(
        &self,
        ids: Vec<String>,
        reply: oneshot::Sender<Result<Rehearsal, LettersError>>,
    ) {
        if let Err(error) = self.takes_orders() {
            let _left = reply.send(Err(error));
            return;
        }
        let machine = &self.parts.machine;
        let selected: Vec<Selected> = ids
            .into_iter()
            .map(|id| (id.clone(), read_id(&id)))
            .collect();
        let sorted = sort(selected, |consumer, sequence| {
            let may = machine.may_redrive(consumer, sequence);
            may.map_err(|refusal| refusal.to_string())
        });
        let letters = sorted.accepted.iter().flat_map(|(consumer, sequences)| {
            sequences
                .iter()
                .filter_map(|sequence| self.candidate(consumer, *sequence))
        });
        let candidates: Vec<Candidate> = letters.collect();
        let (broker, publisher) = (
            Arc::clone(&self.parts.broker),
            Arc::clone(&self.parts.publisher),
        );
        tokio::spawn(async move {
            let rehearsal = rehearse(&*broker, &publisher, candidates, sorted.report).await;
            let _left = reply.send(Ok(rehearsal));
        });
    }

    /// Tells who waits the names of the letters of a selection: those that there are now.
    pub(super) fn name_letters(
        &self,
        selection: LettersSelection,
        reply: oneshot::Sender<Result<Vec<String>, LettersError>>,
    ) {
        let selected = self.select(selection);
        let names = selected.map(|all| all.into_iter().map(|(id, _)| id).collect());
        let _left = reply.send(names);
    }
}

/// Looks through candidates until the page or what one request may read is full.
async fn search(
    broker: &dyn Broker,
    publisher: &Publisher,
    candidates: Vec<Candidate>,
    is_all: bool,
    filter: &DeadLetterFilter,
) -> DeadLetterPage {
    let mut page = DeadLetterPage::default();
    let mut groups = HashMap::new();
    let (mut bytes, mut last) = (0, None);
    let mut candidates = candidates.into_iter();
    for candidate in candidates.by_ref() {
        let event = candidate.event(broker, publisher).await.ok().flatten();
        let data = event.as_ref().and_then(|event| event.data.as_ref());
        bytes += data.map_or(0, bytes::Bytes::len);
        last = Some(candidate.view.id.clone());
        if event.is_some_and(|event| holds(&filter.which.payload, &event)) {
            candidate.count(&mut groups);
            page.total += 1;
            page.letters.push(candidate.view);
        }
        if page.letters.len() >= filter.limit || bytes >= SEARCH_BYTES_MAX {
            break;
        }
        // Looking into many small ones must leave room for others as well.
        tokio::task::yield_now().await;
    }
    page.groups = sorted_groups(groups);
    page.next = last.filter(|_| !is_all || candidates.len() > 0);
    page
}

/// What is not JSON has nothing that could be looked for.
fn holds(conditions: &[Condition], event: &Envelope) -> bool {
    let payload = event.is_json().then(|| event.data_json()).flatten();
    payload.is_some_and(|payload| conditions.iter().all(|one| one.holds(&payload)))
}

async fn rehearse(
    broker: &dyn Broker,
    publisher: &Publisher,
    candidates: Vec<Candidate>,
    report: LettersReport,
) -> Rehearsal {
    let mut rehearsal = Rehearsal {
        ids: report.done,
        refused: report.refused,
        ..Rehearsal::default()
    };
    let mut groups = HashMap::new();
    for candidate in candidates {
        candidate.count(&mut groups);
        let id = candidate.view.id.clone();
        match candidate.event(broker, publisher).await {
            Ok(Some(event)) => rehearsal
                .invalid
                .extend(judge(publisher, &candidate, &event)),
            Ok(None) => {
                let reason = "retention has removed its event".to_owned();
                rehearsal.unreadable.push((id, reason));
            }
            Err(reason) => rehearsal.unreadable.push((id, reason)),
        }
        tokio::task::yield_now().await;
    }
    rehearsal.groups = sorted_groups(groups);
    rehearsal
}

fn judge(publisher: &Publisher, candidate: &Candidate, event: &Envelope) -> Option<InvalidLetter> {
    let problem = publisher.inspect(event).err()?;
    let violations = match &problem {
        Problem::Schema { violations } => violations.clone(),
        _ => Vec::new(),
    };
    Some(InvalidLetter {
        id: candidate.view.id.clone(),
        problem: problem.to_string(),
        violations,
    })
}
