//! Editing a dead letter: another payload in the place of its own.

use bytes::Bytes;
use thiserror::Error;
use tidegate_base::Envelope;
use tidegate_delivery::{Edit, EditNote, EditRefusal, Identity};

use crate::dead_letter::LettersError;
use crate::publish::Problem;

/// The attribute that names the event in whose place an edited one is.
const CAUSATION: &str = "causationid";

/// What a dead letter is to become.
#[derive(Clone, Debug)]
pub struct EditRequest {
    /// The letter: `service/event/sequence`.
    pub id: String,
    /// The version that was looked at: when the letter has another one by now, nothing is done.
    pub version: u64,
    /// The new payload.
    pub data: Bytes,
    /// Its media type; `None`: that of the event.
    pub data_content_type: Option<String>,
    /// The `id` of the edited event; `None`: one that follows from the letter and the number of its edits.
    pub event_id: Option<String>,
    /// Why, in the operator's words.
    pub reason: String,
    /// Who.
    pub by: Option<String>,
}

/// What a dead letter has become, durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The `id` of the edited event.
    pub event_id: String,
    /// The version of the letter now.
    pub version: u64,
}

/// Why a dead letter was not edited; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// The system does not take orders about letters.
    #[error(transparent)]
    Letters(#[from] LettersError),
    /// The letter is not there, has changed, or a limit is reached.
    #[error(transparent)]
    Refused(#[from] EditRefusal),
    /// The edited event is not what the design says.
    #[error("the edited event: {0}")]
    Invalid(#[from] Problem),
    /// It has another key, so it would belong into another lane.
    #[error("the key is {is} and was {was}: an edited letter keeps its place, so its key stays")]
    Key {
        /// The key of the letter.
        was: String,
        /// That of the edited event.
        is: String,
    },
    /// The event of the letter cannot be read.
    #[error("the event cannot be read: {0}")]
    Unreadable(String),
}

/// What a letter is at the moment it is edited.
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) key: Option<String>,
    pub(crate) notes: Vec<EditNote>,
}

/// The event that takes the place of `event`; everything but its payload and its id stays.
pub(crate) fn edited(event: &Envelope, letter: &Letter, request: &EditRequest) -> Envelope {
    let number = letter.notes.len() + 1;
    let original = letter.notes.first().map_or(&event.id, |note| &note.id);
    // Of the consumer's letter, not only of the event: another consumer may edit it otherwise.
    let follows = || Identity::of(&letter.id, &format!("{original}\0{number}"));
    let id = request.event_id.clone();
    let mut new = Envelope {
        id: id.unwrap_or_else(|| format!("edit-{}", follows())),
        data: Some(request.data.clone()),
        ..event.clone()
    };
    if request.data_content_type.is_some() {
        new.data_content_type.clone_from(&request.data_content_type);
    }
    let extensions = &mut new.extensions;
    extensions.insert(CAUSATION.to_owned(), event.id.clone());
    new
}

/// The edit that the state keeps.
pub(crate) fn record(new: &Envelope, mut notes: Vec<EditNote>, note: EditNote) -> Edit {
    notes.push(note);
    Edit {
        id: new.id.clone(),
        event: new.to_value().to_string().into(),
        notes,
    }
}

/// A key as a message says it.
pub(crate) fn said(key: Option<&str>) -> String {
    key.map_or_else(|| "none".to_owned(), |key| format!("`{key}`"))
}
