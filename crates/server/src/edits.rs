//! `PUT /v1/dead-letters/{id}`: another payload in the place of a dead letter's.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_base::limit::EDITED_EVENT_BYTES_MAX;
use tidegate_runtime::{EditError, EditRefusal, EditRequest, Problem as Invalid, Runtime};

use crate::dead_letters::{etag, reason, refused_letters};
use crate::ingest::invalid;
use crate::problem::Problem;

/// Largest body of an edit, in bytes: the largest event, escaped, and what is around it.
pub(crate) const EDIT_BODY_BYTES_MAX: usize = 2 * EDITED_EVENT_BYTES_MAX + (16 << 10);
/// Longest name of who edits, in bytes.
const BY_BYTES_MAX: usize = 200;

/// What a dead letter is to become, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditBody {
    data: Option<Value>,
    data_base64: Option<String>,
    datacontenttype: Option<String>,
    event_id: Option<String>,
    reason: String,
    by: Option<String>,
}

pub(crate) async fn edit(
    State(runtime): State<Runtime>,
    Path((service, event, sequence)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Result<Json<EditBody>, JsonRejection>,
) -> Result<([(header::HeaderName, String); 1], Json<Value>), Problem> {
    let version = version(&headers)?;
    let Json(body) = body?;
    let id = format!("{service}/{event}/{sequence}");
    let by = body.by.filter(|by| !by.trim().is_empty());
    if by.as_ref().is_some_and(|by| by.len() > BY_BYTES_MAX) {
        let message = format!("`by` is longer than {BY_BYTES_MAX} bytes");
        return Err(Problem::new(StatusCode::BAD_REQUEST, "by", message));
    }
    let request = EditRequest {
        id: id.clone(),
        version,
        data: data(body.data, body.data_base64)?,
        data_content_type: body.datacontenttype,
        event_id: body.event_id,
        reason: reason(&body.reason)?,
        by,
    };
    let edited = runtime.edit(request).await.map_err(refused)?;
    let answer = json!({ "id": id, "version": edited.version, "event_id": edited.event_id });
    Ok(([(header::ETAG, etag(edited.version))], Json(answer)))
}

/// The version in `If-Match`: an edit of what nobody has looked at is a mistake.
fn version(headers: &HeaderMap) -> Result<u64, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        let message = "an edit needs the version that it is for, in `If-Match`";
        return Err(
            Problem::new(StatusCode::PRECONDITION_REQUIRED, "if-match", message)
                .hint("it is the `ETag` of GET /v1/dead-letters/{id}, and its `version`"),
        );
    };
    let text = value.to_str().unwrap_or_default().trim();
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text).parse().map_err(|_| {
        let message = format!("`If-Match` is `{text}`, which is no version");
        Problem::new(StatusCode::PRECONDITION_FAILED, "version", message)
            .hint("write it as `\"1\"`: the `ETag` of GET /v1/dead-letters/{id}")
    })
}

fn data(json: Option<Value>, base64: Option<String>) -> Result<Bytes, Problem> {
    let wrong = |message: &str| Problem::new(StatusCode::BAD_REQUEST, "data", message);
    match (json, base64) {
        (Some(json), None) => Ok(Bytes::from(json.to_string())),
        (None, Some(text)) => STANDARD
            .decode(text)
            .map(Bytes::from)
            .map_err(|_| wrong("`data_base64` is not base64")),
        (Some(_), Some(_)) => Err(wrong("`data` and `data_base64` are both present")),
        (None, None) => Err(wrong("`data` is absent, and so is `data_base64`")),
    }
}

fn refused(error: EditError) -> Problem {
    let message = error.to_string();
    let conflict = |code| Problem::new(StatusCode::CONFLICT, code, message.clone());
    match error {
        EditError::Letters(error) => refused_letters(error),
        EditError::Invalid(problem) => match &problem {
            // Its size is that of the event as a whole, which is smaller than that of a published one.
            Invalid::Envelope(_) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed", message)
            }
            _ => invalid(&message, &problem),
        },
        EditError::Key { .. } => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key-changed", message)
                .hint("publish it as an event of its own, and discard this letter")
        }
        EditError::Unreadable(_) => conflict("unreadable"),
        EditError::Refused(refusal) => match refusal {
            EditRefusal::Unknown => {
                Problem::new(StatusCode::NOT_FOUND, "unknown-dead-letter", message)
                    .hint("it may have been redriven or discarded; GET /v1/dead-letters lists those that wait")
            }
            EditRefusal::Changed(version) => {
                Problem::new(StatusCode::PRECONDITION_FAILED, "version", message)
                    .with("version", version)
                    .hint("look at it again, then edit what is there now")
            }
            EditRefusal::Large(_) => {
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "large", message)
            }
            EditRefusal::Often => conflict("often"),
            EditRefusal::Full(_) => conflict("full"),
            EditRefusal::Taken(_) => conflict("event-id"),
            EditRefusal::Finished => {
                conflict("finished").hint("discard the letter: there is nothing left to do")
            }
        },
    }
}
