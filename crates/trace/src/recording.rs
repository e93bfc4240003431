//! Recorded traffic: when each event would have been published, and how its handling went.
//!
//! The text is JSON, one object a line. The first line is the header; a line with `event` opens a
//! stream; the lines after it are its arrivals, by offset:
//!
//! ```text
//! {"tidegate-recording":1,"origin":"checkout.otlp.json","duration_ns":59805328321}
//! {"event":"OrderConfirmationRequested","publisher":"checkout","consumer":"email"}
//! {"offset_ns":1200345,"handler_ns":530000,"key":"7c0f"}
//! {"offset_ns":9200345,"handler_ns":610000,"key":"a91b","failed":true,"bytes":412}
//! ```

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tidegate_base::Name;
use tidegate_base::limit::{KEY_BYTES_MAX, RECORDING_BYTES_MAX};

/// The version that is written, and the only one that is read.
pub const VERSION: u64 = 1;

/// The traffic of a set of events over one span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Where it was measured, for people.
    pub origin: String,
    /// How long it lasts; no arrival is later.
    pub duration: Duration,
    /// The traffic of each event.
    pub streams: IndexMap<Name, Stream>,
}

/// The traffic of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The service that publishes.
    pub publisher: Name,
    /// The service that handles.
    pub consumer: Name,
    /// What happened, by offset.
    pub arrivals: Vec<Arrival>,
}

/// One event: when it came and how its handling went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// From the start of the recording.
    pub offset: Duration,
    /// How long one attempt to handle it took.
    pub handler_time: Duration,
    /// How that attempt ended.
    pub outcome: Outcome,
    /// What orders it; arrivals with the same key belong together.
    pub key: String,
    /// The size of its payload, when known.
    pub payload_bytes: Option<u64>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went well.
    Succeeded,
    /// It failed.
    Failed,
}

/// Why a text is not a recording.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordingError {
    /// It is larger than [`RECORDING_BYTES_MAX`].
    #[error(
        "{name}: {bytes} bytes are more than the {RECORDING_BYTES_MAX} that are read; record a shorter time"
    )]
    Large {
        /// The recording.
        name: String,
        /// Its size.
        bytes: usize,
    },
    /// The first line is not a header.
    #[error(
        "{name}:1: not a recording: the first line is not {{\"tidegate-recording\":1,…}}; write one with `tidegate discover TRACES --draft DIR`"
    )]
    Header {
        /// The recording.
        name: String,
    },
    /// The version is another one.
    #[error(
        "{name}:1: recording version {version} is not {VERSION}; write the recording again with this program"
    )]
    Version {
        /// The recording.
        name: String,
        /// Its version.
        version: u64,
    },
    /// A line is wrong.
    #[error("{name}:{line}: {message}")]
    Line {
        /// The recording.
        name: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    #[serde(rename = "tidegate-recording")]
    version: u64,
    origin: std::borrow::Cow<'a, str>,
    duration_ns: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamLine {
    event: Name,
    publisher: Name,
    consumer: Name,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ArrivalLine<'a> {
    offset_ns: u64,
    handler_ns: u64,
    key: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

/// Reads a recording; `name` is for messages.
///
/// # Errors
///
/// [`RecordingError`] with the first line that is wrong: not JSON of the format, arrivals out of
/// order or after the end, an arrival before any stream, or the same event twice.
pub fn read(name: &str, bytes: &[u8]) -> Result<Recording, RecordingError> {
    if bytes.len() > RECORDING_BYTES_MAX {
        return Err(RecordingError::Large {
            name: name.to_owned(),
            bytes: bytes.len(),
        });
    }
    let mut lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let first = lines.next().map(|(_, line)| line).unwrap_or_default();
    let mut recording = header(name, first)?;
    for (index, line) in lines {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        add_line(&mut recording, line).map_err(|message| RecordingError::Line {
            name: name.to_owned(),
            line: index + 1,
            message,
        })?;
    }
    Ok(recording)
}

fn header(name: &str, line: &[u8]) -> Result<Recording, RecordingError> {
    let not_one = || RecordingError::Header {
        name: name.to_owned(),
    };
    let value: serde_json::Value = serde_json::from_slice(line).map_err(|_| not_one())?;
    let version = value
        .get("tidegate-recording")
        .and_then(serde_json::Value::as_u64);
    let version = version.ok_or_else(not_one)?;
    if version != VERSION {
        return Err(RecordingError::Version {
            name: name.to_owned(),
            version,
        });
    }
    let header: Header<'_> =
        serde_json::from_slice(line).map_err(|error| RecordingError::Line {
            name: name.to_owned(),
            line: 1,
            message: describe(&error),
        })?;
    Ok(Recording {
        origin: header.origin.into_owned(),
        duration: Duration::from_nanos(header.duration_ns),
        streams: IndexMap::new(),
    })
}

fn add_line(recording: &mut Recording, line: &[u8]) -> Result<(), String> {
    // As written; a line by hand may have its fields in another order.
    if line.starts_with(b"{\"event\"") {
        let stream = serde_json::from_slice(line).map_err(|error| describe(&error))?;
        return open_stream(recording, stream);
    }
    match serde_json::from_slice(line) {
        Ok(arrival) => add_arrival(recording, arrival),
        Err(error) => match serde_json::from_slice(line) {
            Ok(stream) => open_stream(recording, stream),
            Err(_) => Err(describe(&error)),
        },
    }
}

fn open_stream(recording: &mut Recording, line: StreamLine) -> Result<(), String> {
    let StreamLine {
        event,
        publisher,
        consumer,
    } = line;
    if recording.streams.contains_key(&event) {
        return Err(format!(
            "event `{event}` is recorded twice; join its arrivals"
        ));
    }
    recording.streams.insert(
        event,
        Stream {
            publisher,
            consumer,
            arrivals: Vec::new(),
        },
    );
    Ok(())
}

fn add_arrival(recording: &mut Recording, arrival: ArrivalLine<'_>) -> Result<(), String> {
    let offset = Duration::from_nanos(arrival.offset_ns);
    if offset > recording.duration {
        return Err("the arrival is later than the recording's duration".to_owned());
    }
    if arrival.key.len() > KEY_BYTES_MAX {
        return Err(format!("the key is longer than {KEY_BYTES_MAX} bytes"));
    }
    let Some((_, stream)) = recording.streams.last_mut() else {
        return Err("an arrival stands before any line with `event`".to_owned());
    };
    if stream
        .arrivals
        .last()
        .is_some_and(|last| last.offset > offset)
    {
        return Err("the arrival is earlier than the one before; sort them by offset".to_owned());
    }
    stream.arrivals.push(Arrival {
        offset,
        handler_time: Duration::from_nanos(arrival.handler_ns),
        outcome: if arrival.failed {
            Outcome::Failed
        } else {
            Outcome::Succeeded
        },
        key: arrival.key.into_owned(),
        payload_bytes: arrival.bytes,
    });
    Ok(())
}

/// The message without serde's place, which counts lines within the line.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or_default();
    format!("column {}: {message}", error.column())
}

/// The recording as text; [`read`] gives it back unchanged.
#[must_use]
pub fn write(recording: &Recording) -> String {
    let mut text = String::new();
    let header = Header {
        version: VERSION,
        origin: recording.origin.as_str().into(),
        duration_ns: nanos(recording.duration),
    };
    push(&mut text, &header);
    for (event, stream) in &recording.streams {
        let line = StreamLine {
            event: event.clone(),
            publisher: stream.publisher.clone(),
            consumer: stream.consumer.clone(),
        };
        push(&mut text, &line);
        for arrival in &stream.arrivals {
            let line = ArrivalLine {
                offset_ns: nanos(arrival.offset),
                handler_ns: nanos(arrival.handler_time),
                key: arrival.key.as_str().into(),
                failed: arrival.outcome == Outcome::Failed,
                bytes: arrival.payload_bytes,
            };
            push(&mut text, &line);
        }
    }
    text
}

fn push(text: &mut String, line: &impl Serialize) {
    // Structs of texts and numbers always serialize; nothing is written if one did not.
    if let Ok(json) = serde_json::to_string(line) {
        text.push_str(&json);
        text.push('\n');
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
