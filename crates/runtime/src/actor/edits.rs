//! Edits of dead letters: the event is read and judged on a task of its own, then the letter is
//! changed if it is still the one that was looked at.

use std::sync::Arc;

use futures_util::future::FutureExt;
use tidegate_base::{ConsumerId, Timestamp};
use tidegate_broker::Broker;
use tidegate_delivery::{Command, Edit, EditNote, EditRefusal};
use tokio::sync::oneshot;

use super::Actor;
use super::hear::Event;
use super::operate::Answer;
use super::search::present_event;
use super::select::read_id;
use crate::edit::{EditError, EditRequest, Edited, Letter, edited, record, said};
use crate::publisher::Publisher;

/// Who waits for an edit.
pub(super) type EditedReply = oneshot::Sender<Result<Edited, EditError>>;

/// An edit that was judged.
pub(super) struct JudgedEdit {
    consumer: ConsumerId,
    sequence: u64,
    version: u64,
    edit: Result<Edit, EditError>,
    reply: EditedReply,
}

/// The event to be edited, and where it is.
struct Draft {
    consumer: ConsumerId,
    sequence: u64,
    letter: Letter,
    present: Option<Arc<str>>,
    now: Timestamp,
}

impl Actor {
    pub(super) fn edit(&mut self, request: EditRequest, reply: EditedReply) {
        let draft = match self.draft(&request) {
            Ok(draft) => draft,
            Err(error) => {
                let _left = reply.send(Err(error));
                return;
            }
        };
        let (broker, publisher) = (
            Arc::clone(&self.parts.broker),
            Arc::clone(&self.parts.publisher),
        );
        let judged = tokio::spawn(async move {
            let edit = judge(&*broker, &publisher, &draft, &request).await;
            Event::EditJudged(Box::new(JudgedEdit {
                consumer: draft.consumer,
                sequence: draft.sequence,
                version: request.version,
                edit,
                reply,
            }))
        });
        let judged = judged.map(|ended| ended.unwrap_or(Event::CalledOff));
        self.work.push(judged.boxed());
    }

    fn draft(&self, request: &EditRequest) -> Result<Draft, EditError> {
        self.takes_orders()?;
        let unknown = EditRefusal::Unknown;
        let (consumer, sequence) = read_id(&request.id).ok_or(unknown.clone())?;
        let letter = self.parts.machine.dead_letter(&consumer, sequence);
        let letter = letter.ok_or(unknown)?;
        if letter.version != request.version {
            return Err(EditRefusal::Changed(letter.version).into());
        }
        Ok(Draft {
            sequence,
            letter: Letter {
                id: request.id.clone(),
                key: letter.event.key.as_deref().map(str::to_owned),
                notes: letter.edit.map_or_else(Vec::new, |edit| edit.notes.clone()),
            },
            present: letter.edit.map(|edit| Arc::clone(&edit.event)),
            now: self.now(),
            consumer,
        })
    }

    /// An edit was judged: it is carried out if nothing has come before it.
    pub(super) fn edit_judged(&mut self, judged: JudgedEdit) {
        let JudgedEdit {
            consumer,
            sequence,
            version,
            edit,
            reply,
        } = judged;
        let machine = &self.parts.machine;
        let edit = self.takes_orders().map_err(EditError::from).and(edit);
        let edit = edit.and_then(|edit| {
            machine.may_edit(&consumer, sequence, version, &edit)?;
            Ok(edit)
        });
        match edit {
            Ok(edit) => {
                let done = Edited {
                    event_id: edit.id.clone(),
                    version: version + 1,
                };
                let command = Command::Edit {
                    consumer,
                    sequence,
                    version,
                    edit: Arc::new(edit),
                };
                self.command(command, Answer::Edited(done, reply));
            }
            Err(error) => {
                let _left = reply.send(Err(error));
            }
        }
    }
}

async fn judge(
    broker: &dyn Broker,
    publisher: &Publisher,
    draft: &Draft,
    request: &EditRequest,
) -> Result<Edit, EditError> {
    let Draft {
        consumer, sequence, ..
    } = draft;
    let event = present_event(broker, consumer, *sequence, draft.present.clone()).await;
    let event = event.map_err(EditError::Unreadable)?.ok_or_else(|| {
        let reason = "retention has removed it";
        EditError::Unreadable(reason.to_owned())
    })?;
    let event = publisher.catalog.shown(event).await;
    let new = edited(&event, &draft.letter, request);
    let key = publisher.inspect(&new)?;
    if key != draft.letter.key {
        return Err(EditError::Key {
            was: said(draft.letter.key.as_deref()),
            is: said(key.as_deref()),
        });
    }
    let note = EditNote {
        id: event.id,
        reason: request.reason.clone(),
        by: request.by.clone(),
        at: draft.now,
    };
    Ok(record(&new, draft.letter.notes.clone(), note))
}
