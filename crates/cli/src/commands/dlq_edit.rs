//! `tidegate dlq edit`: another payload in the place of a dead letter's.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_base::limit::EDITED_EVENT_BYTES_MAX;

use crate::arguments::letters::DlqEdit;
use crate::arguments::operate::AnswerFormat;
use crate::client::{Answer, Client};
use crate::commands::dlq_orders;
use crate::commands::dlq_report::Detail;
use crate::commands::select::pretty;
use crate::commands::{dlq, dlq_report};
use crate::exit::{Exit, Failure, Kind};
use crate::terminal::{self, shown};

/// The editors that are asked for, the first that is named first.
const EDITORS: [&str; 2] = ["VISUAL", "EDITOR"];

/// What a dead letter has become.
#[derive(Debug, Deserialize)]
struct Edited {
    version: u64,
    event_id: String,
}

/// A new payload, and where it is kept should the daemon refuse it.
struct Payload {
    bytes: Vec<u8>,
    written: Option<PathBuf>,
}

pub(crate) fn run(arguments: &DlqEdit) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.order.asked)?;
    let id = &arguments.id;
    let detail = dlq::waiting(&client, id)?.ok_or_else(|| {
        Failure::new(Kind::No, format!("there is no dead letter `{id}`"))
            .hint("a discarded one can be restored; `tidegate dlq list` lists those that wait")
    })?;
    let Some(version) = detail.read.letter.version else {
        return Err(
            Failure::configuration("the daemon does not know this request")
                .hint("it may be older than this program"),
        );
    };
    let Some(payload) = payload(arguments, &detail.read)? else {
        terminal::say("nothing was changed");
        return Ok(Exit::No);
    };
    let body = body(arguments, &payload.bytes);
    let edited: Answer<Edited> = match client.put(&dlq::path(id), version, &body) {
        Ok(edited) => edited,
        Err(failure) => {
            if let Some(file) = payload.written {
                terminal::say(&format!("what was written is kept: {}", file.display()));
            }
            return Err(failure);
        }
    };
    if let Some(file) = &payload.written {
        // A copy that stays behind harms nobody.
        let _removed = std::fs::remove_file(file).is_ok();
    }
    let Edited { version, event_id } = &edited.read;
    let said = format!(
        "{id} is edited: event {}, version {version}",
        shown(event_id)
    );
    if !arguments.redrive {
        terminal::print(&match arguments.order.format {
            AnswerFormat::Json => pretty(&edited.json),
            AnswerFormat::Human => said,
        })?;
        return Ok(Exit::Yes);
    }
    terminal::say(&said);
    let body = json!({ "ids": [id.to_string()] });
    let outcome: Answer<dlq_report::Outcome> =
        client.post("/v1/dead-letters/redrive", Some(&body))?;
    dlq_orders::report(&outcome, "redriven", arguments.order.format)
}

fn body(arguments: &DlqEdit, payload: &[u8]) -> Value {
    let mut body = json!({ "reason": arguments.reason });
    let Some(fields) = body.as_object_mut() else {
        return body;
    };
    // What is JSON is sent byte for byte as well: numbers keep their digits.
    fields.insert("data_base64".to_owned(), STANDARD.encode(payload).into());
    if let Some(by) = &arguments.by {
        fields.insert("by".to_owned(), by.as_str().into());
    }
    if let Some(event_id) = &arguments.event_id {
        fields.insert("event_id".to_owned(), event_id.as_str().into());
    }
    body
}

/// The new payload; `None`: it is the old one.
fn payload(arguments: &DlqEdit, detail: &Detail) -> Result<Option<Payload>, Failure> {
    let kept = |bytes| {
        let written = None;
        Some(Payload { bytes, written })
    };
    match (&arguments.data, &arguments.patch) {
        (Some(file), _) => read(file).map(kept),
        (None, Some(file)) => {
            let data = data(detail)?;
            let changed = patched(data.clone(), &read(file)?)?;
            Ok((changed != data)
                .then(|| kept(pretty(&changed).into_bytes()))
                .flatten())
        }
        (None, None) => in_editor(arguments, &data(detail)?),
    }
}

/// The JSON payload of a dead letter's event.
fn data(detail: &Detail) -> Result<Value, Failure> {
    detail.event.get("data").cloned().ok_or_else(|| {
        Failure::new(
            Kind::No,
            "the event has no JSON payload that could be changed",
        )
        .hint("give the whole payload with --data FILE")
    })
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        let message = format!("cannot read {}: {error}", file.display());
        Failure::configuration(message)
    };
    let limit = EDITED_EVENT_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin()
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    } else {
        let open = std::fs::File::open(file).map_err(failed)?;
        open.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    }
    match bytes.len() > EDITED_EVENT_BYTES_MAX {
        true => Err(Failure::configuration(format!(
            "{} has more than {EDITED_EVENT_BYTES_MAX} bytes, which is the most",
            file.display()
        ))),
        false => Ok(bytes),
    }
}

/// The payload after a patch: a list of operations, or an object to be merged.
fn patched(mut data: Value, patch: &[u8]) -> Result<Value, Failure> {
    let wrong = |reason: String| Failure::configuration(format!("the patch: {reason}"));
    let patch: Value = serde_json::from_slice(patch).map_err(|error| wrong(error.to_string()))?;
    match patch {
        Value::Array(_) => {
            let patch: json_patch::Patch =
                serde_json::from_value(patch).map_err(|error| wrong(error.to_string()))?;
            json_patch::patch(&mut data, &patch).map_err(|error| wrong(error.to_string()))?;
        }
        Value::Object(_) => json_patch::merge(&mut data, &patch),
        _ => return Err(wrong("it is neither an object nor an array".to_owned())),
    }
    Ok(data)
}

/// Opens the payload in an editor. What was written there is kept until the daemon has taken it.
fn in_editor(arguments: &DlqEdit, data: &Value) -> Result<Option<Payload>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::configuration(format!("cannot open the payload in an editor: {error}"))
    };
    let name = arguments.id.to_string().replace('/', "-");
    let mut file = tempfile::Builder::new()
        .prefix(&format!("tidegate-{name}-"))
        .suffix(".json")
        .tempfile()
        .map_err(failed)?;
    let before = format!("{}\n", pretty(data));
    file.write_all(before.as_bytes()).map_err(failed)?;
    let (_, path) = file.keep().map_err(|error| failed(error.error))?;
    let after = edited(&path);
    let unchanged = after.as_ref().is_ok_and(|after| {
        let same = serde_json::from_slice::<Value>(after).is_ok_and(|after| after == *data);
        same || after.is_empty()
    });
    match after {
        Ok(bytes) if !unchanged => Ok(Some(Payload {
            bytes,
            written: Some(path),
        })),
        after => {
            let _removed = std::fs::remove_file(&path).is_ok();
            after.map(|_| None)
        }
    }
}

/// Runs the editor on a file, and reads the file again.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment names the editor"
)]
fn edited(path: &Path) -> Result<Vec<u8>, Failure> {
    let named = EDITORS.iter().find_map(|name| std::env::var(name).ok());
    let editor = named.filter(|editor| !editor.trim().is_empty());
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    // The variable holds a command with its arguments, as a shell reads it.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program).args(words).arg(path).status();
    match status {
        Ok(status) if status.success() => read(path),
        Ok(status) => Err(Failure::configuration(format!(
            "the editor `{editor}` ended with {status}"
        ))
        .hint("nothing was changed")),
        Err(error) => Err(Failure::configuration(format!(
            "the editor `{editor}` does not start: {error}"
        ))
        .hint("name another one in EDITOR, or use --data FILE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_merged_or_applied() {
        let data = || json!({ "currency": null, "total": 1, "lines": [1, 2] });
        let merged = patched(data(), br#"{"currency": "SEK", "total": null}"#).unwrap();
        assert_eq!(merged, json!({ "currency": "SEK", "lines": [1, 2] }));
        let operations = br#"[{"op": "test", "path": "/total", "value": 1},
                             {"op": "replace", "path": "/lines/0", "value": 7}]"#;
        assert_eq!(patched(data(), operations).unwrap()["lines"], json!([7, 2]));
        let absent = br#"[{"op": "replace", "path": "/absent", "value": 1}]"#;
        assert!(patched(data(), absent).is_err());
        assert!(patched(data(), b"7").is_err() && patched(data(), b"{").is_err());
    }
}
