//! Reading captures: any number of them, in any format, one after the other, into one store.

use std::io::{self, Read};

use crate::assemble::{self, Assembled, Choice};
use crate::columns::Columns;
use crate::input::Input;
use crate::otlp_protobuf::{self, Framing};
use crate::sink::Sink;
use crate::store::{BUCKETS, Spill, Store};
use crate::tree::{Skipped, Trace, Traces};
use crate::{Format, ReadError, csv, documents, process};

/// Reads captures, and puts the spans of each trace together wherever they are.
///
/// Memory is bounded: a capture is read in pieces, a span is some fifty bytes until its trace is
/// asked for, and a [`Spill`] takes what is more than the limit. What comes out does not depend on
/// how the spans are spread over captures, or on their order.
#[derive(Default)]
pub struct Ingest {
    store: Store,
    columns: Option<Columns>,
    capture_bytes_max: Option<u64>,
    sources: Vec<Source>,
    progress: Option<Box<dyn FnMut(usize)>>,
}

/// One capture and what was found in it.
#[derive(Clone, Debug)]
pub struct Source {
    /// As the caller named it.
    pub name: String,
    /// What it was written in: what it begins with.
    pub format: Format,
    /// What else it holds, in the order of its content.
    pub other_formats: Vec<Format>,
    /// Spans that were taken, duplicates among them.
    pub spans: usize,
    /// What was left out while reading; what only shows in whole traces is not in it yet.
    pub skipped: Skipped,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest")
            .field("sources", &self.sources)
            .finish_non_exhaustive()
    }
}

impl Ingest {
    /// Nothing read yet, with the usual limit and nowhere to put more than that.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a place for the spans that are more than the limit.
    #[must_use]
    pub fn with_spill(mut self, spill: Box<dyn Spill>) -> Self {
        self.store.with_spill(spill);
        self
    }

    /// With another limit for the bytes of spans in memory.
    #[must_use]
    pub fn with_limit(mut self, bytes_max: usize) -> Self {
        self.store.with_limit(bytes_max);
        self
    }

    /// With a limit for the bytes of one capture, decompressed.
    #[must_use]
    pub fn with_capture_limit(mut self, bytes_max: usize) -> Self {
        self.capture_bytes_max = Some(u64::try_from(bytes_max).unwrap_or(u64::MAX));
        self
    }

    /// With the columns of captures that are tables.
    #[must_use]
    pub fn with_columns(mut self, columns: Columns) -> Self {
        self.columns = Some(columns);
        self
    }

    /// With what spans tell of payloads: the names and types of their fields, and no value.
    #[must_use]
    pub fn with_payloads(mut self) -> Self {
        self.store.with_payloads();
        self
    }

    /// With something to call while reading, with the spans read so far.
    #[must_use]
    pub fn with_progress(mut self, progress: Box<dyn FnMut(usize)>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Reads one capture: detects the format by the content and never by `name`, which is for
    /// messages. One without spans is no error: its [`Source`] says what it held.
    ///
    /// # Errors
    ///
    /// [`ReadError`] when the capture is empty, of no known format, or malformed (with the place),
    /// when it cannot be read, or when the limit is reached with nowhere to put more. After an error
    /// other than the first two, some of its spans may have been taken: then begin anew without it.
    pub fn read(&mut self, name: &str, reader: impl Read) -> Result<&Source, ReadError> {
        let before: usize = self.spans();
        let mut input = Input::open(name, reader)?;
        if let Some(bytes_max) = self.capture_bytes_max {
            input.allow(bytes_max);
        }
        let number = u64::try_from(self.sources.len()).unwrap_or(u64::MAX);
        let mut counted = self
            .progress
            .as_mut()
            .map(|progress| move |spans: usize| progress(before + spans));
        let counted = counted.as_mut().map(|call| call as &mut dyn FnMut(usize));
        let mut sink = Sink::new(&mut self.store, number, name, counted);
        let (format, other_formats) = read_content(&mut input, &mut sink, self.columns.as_ref())?;
        sink.breathe()?;
        let (spans, skipped) = (sink.spans, sink.skipped);
        self.sources.push(Source {
            name: name.to_owned(),
            format,
            other_formats,
            spans,
            skipped,
        });
        self.sources.last().ok_or(ReadError::Empty {
            name: name.to_owned(),
        })
    }

    /// The captures that were read.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Spans that were taken so far, duplicates among them.
    #[must_use]
    pub fn spans(&self) -> usize {
        self.sources.iter().map(|source| source.spans).sum()
    }

    /// Bytes of spans in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.store.bytes()
    }

    /// Whether any span is outside memory.
    #[must_use]
    pub fn has_spilled(&self) -> bool {
        self.store.has_spilled()
    }

    /// Hands over every trace with the number of the first capture that has a span of it, in an
    /// order that depends on their identifiers alone. Only the traces of one bucket of many are
    /// spread out at a time. May be called again. Returns what was left out of each capture.
    ///
    /// # Errors
    ///
    /// When what is outside memory cannot be read back.
    pub fn for_each(&mut self, take: impl FnMut(usize, Trace)) -> Result<Vec<Skipped>, ReadError> {
        self.hand_over(take, Choice::default(), false)
    }

    /// Every capture with its traces, a trace with the first capture that has a span of it.
    ///
    /// # Errors
    ///
    /// When what is outside memory cannot be read back.
    pub fn into_captures(self) -> Result<Vec<(String, Traces)>, ReadError> {
        self.into_chosen(usize::MAX, usize::MAX)
    }

    /// The same with about so many spans and traces at most: of more, whole traces are chosen by their
    /// identifiers alone, each with the same chance. How many were left out is in the captures.
    ///
    /// # Errors
    ///
    /// When what is outside memory cannot be read back.
    pub fn into_chosen(
        mut self,
        spans_max: usize,
        traces_max: usize,
    ) -> Result<Vec<(String, Traces)>, ReadError> {
        let wanted = self.spans_of(traces_max)?.min(spans_max);
        let choice = Choice::of(wanted, self.spans());
        let mut traces: Vec<Vec<Trace>> = self.sources.iter().map(|_| Vec::new()).collect();
        let skipped = self.hand_over(
            |source, trace| {
                if let Some(traces) = traces.get_mut(source) {
                    traces.push(trace);
                }
            },
            choice,
            true,
        )?;
        let captures = self.sources.into_iter().zip(traces).zip(skipped);
        Ok(captures
            .map(|((source, mut traces), skipped)| {
                traces.sort_by(|a, b| (a.start(), a.id()).cmp(&(b.start(), b.id())));
                let traces = Traces {
                    format: source.format,
                    other_formats: source.other_formats,
                    traces,
                    skipped,
                };
                (source.name, traces)
            })
            .collect())
    }

    /// All traces of all captures, as if they were one; the format is that of the first.
    ///
    /// # Errors
    ///
    /// When what is outside memory cannot be read back.
    pub fn into_traces(self) -> Result<Traces, ReadError> {
        let mut all = Traces {
            format: Format::OtlpProtobuf,
            other_formats: Vec::new(),
            traces: Vec::new(),
            skipped: Skipped::default(),
        };
        for (index, (_, capture)) in self.into_captures()?.into_iter().enumerate() {
            if index == 0 {
                all.format = capture.format;
            }
            for format in std::iter::once(capture.format).chain(capture.other_formats) {
                if format != all.format && !all.other_formats.contains(&format) {
                    all.other_formats.push(format);
                }
            }
            all.traces.extend(capture.traces);
            all.skipped.add(capture.skipped);
        }
        all.traces
            .sort_by(|a, b| (a.start(), a.id()).cmp(&(b.start(), b.id())));
        Ok(all)
    }

    /// About how many spans so many traces have; no limit where there are no more traces. Told by the first buckets
    /// with an eighth of all spans.
    fn spans_of(&mut self, traces: usize) -> Result<usize, ReadError> {
        let all = self.spans();
        if all <= traces {
            return Ok(usize::MAX);
        }
        let (mut found, mut looked_at) = (0_usize, 0_usize);
        for index in 0..BUCKETS {
            let bucket = self.store.bucket(index).map_err(|error| spill(&error))?;
            let mut identifiers: Vec<&[u8]> = bucket.records().map(|record| record.trace).collect();
            looked_at += identifiers.len();
            identifiers.sort_unstable();
            identifiers.dedup();
            found += identifiers.len();
            if looked_at >= all / 8 {
                break;
            }
        }
        // Of `found` traces for `looked_at` spans.
        let spans = traces as u128 * looked_at as u128 / found.max(1) as u128;
        let spans = usize::try_from(spans).unwrap_or(usize::MAX);
        Ok(if spans >= all { usize::MAX } else { spans })
    }

    fn hand_over(
        &mut self,
        mut take: impl FnMut(usize, Trace),
        choice: Choice,
        and_forget: bool,
    ) -> Result<Vec<Skipped>, ReadError> {
        let mut skipped: Vec<Skipped> = self
            .sources
            .iter()
            .map(|source| source.skipped.clone())
            .collect();
        for index in 0..BUCKETS {
            let bucket = self.store.bucket(index).map_err(|error| spill(&error))?;
            assemble::each(&bucket, choice, |one| {
                let source = usize::try_from(one.source).unwrap_or(usize::MAX);
                let Some(skipped) = skipped.get_mut(source) else {
                    return;
                };
                skipped.duplicates += one.duplicates;
                match one.trace {
                    Assembled::Whole(trace) => take(source, trace),
                    Assembled::Cyclic { id, spans } => {
                        skipped.cyclic_traces.push(id);
                        skipped.cyclic_spans += spans;
                    }
                    Assembled::NotChosen { spans } => {
                        skipped.traces_not_chosen += 1;
                        skipped.spans_not_chosen += spans;
                    }
                }
            });
            drop(bucket);
            if and_forget {
                self.store.forget(index);
            }
        }
        for skipped in &mut skipped {
            skipped.cyclic_traces.sort();
        }
        Ok(skipped)
    }
}

fn spill(error: &io::Error) -> ReadError {
    ReadError::Spill {
        name: "the captures".to_owned(),
        message: error.to_string(),
    }
}

/// Reads a capture that is in memory; `name` is for messages.
///
/// # Errors
///
/// As [`Ingest::read`], and when there is no span that can be used.
pub fn read(name: &str, bytes: &[u8]) -> Result<Traces, ReadError> {
    let mut ingest = Ingest::new();
    ingest.read(name, bytes)?;
    let mut captures = ingest.into_captures()?;
    let Some((_, traces)) = captures.pop() else {
        return Err(ReadError::Empty {
            name: name.to_owned(),
        });
    };
    if traces.traces.is_empty() {
        return Err(no_spans(name, traces.format, &traces.skipped));
    }
    Ok(traces)
}

/// That a capture has no span that can be used, and what it has instead.
#[must_use]
pub fn no_spans(name: &str, format: Format, skipped: &Skipped) -> ReadError {
    let found = [
        (skipped.metrics, "documents of metrics"),
        (skipped.logs, "documents of logs"),
        (skipped.without_trace_id, "spans without a trace id"),
        (skipped.without_span_id, "spans without an id"),
        (skipped.without_time, "spans without a start time"),
        (
            skipped.cyclic_traces.len(),
            "traces in which a span is its own ancestor",
        ),
    ];
    let found: Vec<String> = found
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{what}: {count}"))
        .collect();
    ReadError::NoSpans {
        name: name.to_owned(),
        format,
        reason: if found.is_empty() {
            "it is empty".to_owned()
        } else {
            found.join(", ")
        },
    }
}

/// Detects the format of the content and takes its spans. Returns the format that it begins with, and
/// the others.
fn read_content(
    input: &mut Input<'_>,
    sink: &mut Sink<'_>,
    columns: Option<&Columns>,
) -> Result<(Format, Vec<Format>), ReadError> {
    if input.ensure(3)? && input.data().starts_with(b"\xef\xbb\xbf") {
        input.take(3);
    }
    // JSON is never protobuf: its first bytes, taken for a length, lead to no span.
    if let Some(framing) = Framing::of(input)? {
        framing.read(input, sink)?;
        return Ok((Format::OtlpProtobuf, Vec::new()));
    }
    let first = first_byte(input)?;
    let Some(first) = first else {
        return Err(ReadError::Empty {
            name: input.name().to_owned(),
        });
    };
    let unknown = unknown(input);
    match first {
        b'{' | b'[' => documents::read(input, sink)?.ok_or(unknown),
        _ if input.data().starts_with(b"\n") && !is_text(input) => Err(otlp_protobuf::broken(
            input,
            0,
            "the first message is not whole, or not of traces",
        )),
        _ if is_text(input) => {
            let format = csv::read(input, sink, columns)?.ok_or(unknown)?;
            Ok((format, Vec::new()))
        }
        _ => Err(unknown),
    }
}

/// The first byte that is not white space; nothing is taken.
fn first_byte(input: &mut Input<'_>) -> Result<Option<u8>, ReadError> {
    loop {
        let mut bytes = input.data().iter();
        if let Some(byte) = bytes.find(|byte| !byte.is_ascii_whitespace()) {
            return Ok(Some(*byte));
        }
        if !input.fill()? {
            return Ok(None);
        }
    }
}

fn is_text(input: &Input<'_>) -> bool {
    let shown = input.data().get(..512).unwrap_or(input.data());
    let control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    !shown.iter().any(control)
}

fn unknown(input: &Input<'_>) -> ReadError {
    const SHOWN: usize = 24;
    let bytes = input.data();
    let start = String::from_utf8_lossy(bytes.get(..SHOWN).unwrap_or(bytes));
    ReadError::Unknown {
        name: input.name().to_owned(),
        start: format!("{start:?}"),
        hint: process::hint(bytes)
            .unwrap_or_else(|| "export the traces in one of these formats".to_owned()),
    }
}
