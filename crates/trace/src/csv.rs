//! Tables with one span a row. The columns are named by the caller, or told by their headers.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::io::{self, Read};

use tidegate_base::Timestamp;
use tidegate_base::limit::TRACE_UNIT_BYTES_MAX;

use crate::alibaba;
use crate::attributes::cut;
use crate::columns::{Columns, FIELDS, Field, Unit, bare};
use crate::identifier::Id;
use crate::input::Input;
use crate::otlp_json;
use crate::raw::RawSpan;
use crate::rows;
use crate::sink::Sink;
use crate::{Format, ReadError, SpanKind, Status};

/// Rows between two breaths.
const ROWS: u64 = 10_000;

/// Takes every row. `None` when the caller named no columns and the headers are not those of spans.
///
/// # Errors
///
/// When columns that are needed are missing, or a row is wrong.
pub(crate) fn read(
    input: &mut Input<'_>,
    sink: &mut Sink<'_>,
    columns: Option<&Columns>,
) -> Result<Option<Format>, ReadError> {
    let Some(delimiter) = delimiter(input)? else {
        return Ok(None);
    };
    let name = input.name().to_owned();
    let (failed, row_bytes) = (Failed::default(), Cell::new(0));
    let rest = Rest {
        input,
        failed: &failed,
        row_bytes: &row_bytes,
    };
    let mut reader = rows::reader(delimiter, rest);
    let headers = match reader.headers() {
        Ok(headers) => headers.clone(),
        Err(error) => return Err(failed.or(&name, &error)),
    };
    let is_alibaba = columns.map_or_else(
        || alibaba::has_headers(&headers),
        |columns| columns.is_alibaba,
    );
    let table = if is_alibaba {
        alibaba::Table::of(&headers).map(Table::Alibaba)
    } else {
        Layout::of(&headers, columns).map(Table::Spans)
    };
    let mut table = match table {
        Ok(table) => table,
        Err(_) if columns.is_none() => return Ok(None),
        Err(message) => return Err(ReadError::Columns { name, message }),
    };
    let mut row = csv::StringRecord::new();
    let mut count = 0_u64;
    loop {
        row_bytes.set(0);
        match reader.read_record(&mut row) {
            Ok(true) if rows::is_blank(row.as_byte_record()) => continue,
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(failed.or(&name, &error)),
        }
        let added = match &mut table {
            Table::Alibaba(table) => table.add(&row, sink),
            Table::Spans(layout) => layout.add(&row, sink),
        };
        added.map_err(|message| ReadError::Row {
            name: name.clone(),
            line: rows::line(&reader, row.as_byte_record()),
            message,
        })?;
        count += 1;
        if count.is_multiple_of(ROWS) {
            sink.breathe()?;
        }
    }
    Ok(Some(if is_alibaba {
        Format::AlibabaCsv
    } else {
        Format::Csv
    }))
}

enum Table {
    Alibaba(alibaba::Table),
    Spans(Layout),
}

/// The separator of the first line: the most frequent of comma, semicolon and tab.
fn delimiter(input: &mut Input<'_>) -> Result<Option<u8>, ReadError> {
    const LINE_MAX: usize = 64 << 10;
    while !input.data().contains(&b'\n') && input.data().len() < LINE_MAX && input.fill()? {}
    let first = input.data().split(|byte| *byte == b'\n').next();
    let count = |wanted: u8| {
        let bytes = first.unwrap_or_default().iter();
        bytes.filter(|byte| **byte == wanted).count()
    };
    let best = [b',', b';', b'\t'].into_iter().max_by_key(|b| count(*b));
    Ok(best.filter(|best| count(*best) > 0))
}

/// What went wrong below the reader of rows, which only carries `io::Error`.
#[derive(Default)]
struct Failed(RefCell<Option<ReadError>>);

impl Failed {
    fn or(&self, name: &str, error: &csv::Error) -> ReadError {
        self.0.take().unwrap_or_else(|| ReadError::Row {
            name: name.to_owned(),
            line: error.position().map_or(0, csv::Position::line),
            message: error.to_string(),
        })
    }
}

/// The rest of an input as a reader; a row without end, as after a quote that is never closed, is too
/// large a piece as any other.
struct Rest<'i, 'r, 'f> {
    input: &'i mut Input<'r>,
    failed: &'f Failed,
    /// Bytes that were read for the row.
    row_bytes: &'f Cell<usize>,
}

impl Rest<'_, '_, '_> {
    fn more(&mut self) -> Result<(), ReadError> {
        if self.row_bytes.get() > TRACE_UNIT_BYTES_MAX {
            return Err(ReadError::Large {
                name: self.input.name().to_owned(),
                offset: self.input.offset(),
            });
        }
        self.input.ensure(1).map(|_| ())
    }
}

impl Read for Rest<'_, '_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Err(error) = self.more() {
            let message = error.to_string();
            self.failed.0.replace(Some(error));
            return Err(io::Error::other(message));
        }
        let count = self.input.data().len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), self.input.data().get(..count)) {
            to.copy_from_slice(from);
        }
        self.input.take(count);
        self.row_bytes.set(self.row_bytes.get() + count);
        Ok(count)
    }
}

/// Where the fields of a span are in a row.
struct Layout {
    places: Vec<(Field, usize, Option<Unit>)>,
    /// The unit of start times without one, found in the first row.
    guessed: Option<Unit>,
}

impl Layout {
    fn of(headers: &csv::StringRecord, columns: Option<&Columns>) -> Result<Self, String> {
        let mut places = Vec::new();
        for (field, column) in columns.map(|columns| &columns.named).into_iter().flatten() {
            let wanted = column.header.as_str();
            let found = headers.iter().position(|header| header.trim() == wanted);
            let place = found
                .ok_or_else(|| format!("there is no column `{wanted}`; {}", there_are(headers)))?;
            places.push((*field, place, column.unit));
        }
        for (field, _, usual) in FIELDS {
            if places.iter().any(|(there, _, _)| *there == field) {
                continue;
            }
            let place = usual
                .iter()
                .find_map(|name| headers.iter().position(|header| bare(header) == *name));
            if let Some(place) = place {
                let header = bare(headers.get(place).unwrap_or_default());
                let unit = header.ends_with("nano").then_some(Unit::Nanos);
                places.push((field, place, unit));
            }
        }
        let layout = Self {
            places,
            guessed: None,
        };
        layout.is_enough(headers).map(|()| layout)
    }

    fn is_enough(&self, headers: &csv::StringRecord) -> Result<(), String> {
        let needed: [(&str, &[Field]); 5] = [
            ("trace", &[Field::Trace]),
            ("span", &[Field::Span]),
            ("start", &[Field::Start]),
            ("duration", &[Field::Duration, Field::End]),
            ("service", &[Field::Service, Field::Operation]),
        ];
        for (name, fields) in needed {
            if !fields.iter().any(|field| self.place(*field).is_some()) {
                let what = there_are(headers);
                return Err(format!(
                    "which column is the {name}? {what}; name it with `--columns {name}=HEADER`"
                ));
            }
        }
        Ok(())
    }

    fn place(&self, field: Field) -> Option<(usize, Option<Unit>)> {
        let found = self.places.iter().find(|(there, _, _)| *there == field);
        found.map(|(_, place, unit)| (*place, *unit))
    }

    fn cell<'r>(&self, row: &'r csv::StringRecord, field: Field) -> Option<&'r str> {
        let (place, _) = self.place(field)?;
        row.get(place)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    fn add(&mut self, row: &csv::StringRecord, sink: &mut Sink<'_>) -> Result<(), String> {
        let Some(trace) = self.cell(row, Field::Trace).and_then(Id::from_text) else {
            sink.skipped.without_trace_id += 1;
            return Ok(());
        };
        let Some(id) = self.cell(row, Field::Span).and_then(Id::from_text) else {
            sink.skipped.without_span_id += 1;
            return Ok(());
        };
        let Some(start) = self.time(row, Field::Start)? else {
            sink.skipped.without_time += 1;
            return Ok(());
        };
        let (end, is_endless) = match self.time(row, Field::Duration)? {
            Some(duration) => (start.saturating_add(duration), false),
            None => match self.time(row, Field::End)? {
                Some(end) => (end, false),
                None => (start, true),
            },
        };
        let mut span = RawSpan::new(trace, id, start, end);
        span.is_endless |= is_endless;
        span.parent = self.cell(row, Field::Parent).and_then(parent);
        if let Some(service) = self.cell(row, Field::Service) {
            span.service = Cow::Borrowed(service);
        }
        span.host = self.cell(row, Field::Host).map(Cow::Borrowed);
        span.operation = Cow::Borrowed(cut(self.cell(row, Field::Operation).unwrap_or_default()));
        span.kind = kind(self.cell(row, Field::Kind));
        if let Some(text) = self.cell(row, Field::Status) {
            status(text, &mut span);
        }
        sink.add(&mut span);
        Ok(())
    }

    /// Nanoseconds.
    fn time(&mut self, row: &csv::StringRecord, field: Field) -> Result<Option<u64>, String> {
        let Some(text) = self.cell(row, field) else {
            return Ok(None);
        };
        if field != Field::Duration && text.contains('T') {
            return date(text).map(Some);
        }
        // A duration without a unit is in that of the start.
        let named = |field| self.place(field).and_then(|(_, unit)| unit);
        let unit = match named(field).or(named(Field::Start)).or(self.guessed) {
            Some(unit) => unit,
            None => *self.guessed.insert(guess(text)),
        };
        let nanos = decimal(text, unit)
            .ok_or_else(|| format!("`{text}` is no time that is not negative"))?;
        Ok(Some(nanos))
    }
}

fn there_are(headers: &csv::StringRecord) -> String {
    let names: Vec<&str> = headers.iter().map(str::trim).take(40).collect();
    format!("the columns are {}", names.join(", "))
}

/// `null`, `nan` and `none` are what tables are written with where there is nothing.
fn parent(text: &str) -> Option<Id<'_>> {
    let nothing = ["null", "nan", "none", "-1"];
    if nothing.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return None;
    }
    Id::from_text(text)
}

/// The unit in which a start time is one of our days: 13 digits are milliseconds.
fn guess(text: &str) -> Unit {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    match digits {
        0..12 => Unit::Seconds,
        12..15 => Unit::Millis,
        15..18 => Unit::Micros,
        _ => Unit::Nanos,
    }
}

/// Nanoseconds since the epoch of an RFC 3339 date.
fn date(text: &str) -> Result<u64, String> {
    Timestamp::parse_rfc3339(text)
        .map(Timestamp::nanos)
        .ok_or_else(|| format!("`{text}` is no date as in RFC 3339: 2026-01-31T23:59:59Z"))
}

/// Nanoseconds of a decimal number, exactly; digits below a nanosecond are cut off.
pub(crate) fn decimal(text: &str, unit: Unit) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(part) {
        return None;
    }
    let nanos = whole.parse::<u64>().ok()?.checked_mul(unit.nanos())?;
    let mut place = unit.nanos();
    let mut below = 0;
    for digit in part.bytes() {
        place /= 10;
        below += u64::from(digit - b'0') * place;
    }
    nanos.checked_add(below)
}

fn kind(text: Option<&str>) -> SpanKind {
    let lower = text.unwrap_or_default().to_ascii_lowercase();
    match lower.as_str() {
        "internal" => SpanKind::Internal,
        "server" => SpanKind::Server,
        "client" => SpanKind::Client,
        "producer" => SpanKind::Producer,
        "consumer" => SpanKind::Consumer,
        _ => otlp_json::kind(text),
    }
}

/// A word, a flag, OTLP's number, or the status code of an HTTP answer.
fn status<'a>(text: &'a str, span: &mut RawSpan<'a>) {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "error" | "status_code_error" | "true" | "2" | "failed" | "fail" => {
            span.status = Status::Error;
        }
        "ok" | "status_code_ok" | "1" | "success" => span.status = Status::Ok,
        _ if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            span.attribute("http.response.status_code", || Some(Cow::Borrowed(text)));
        }
        _ => {}
    }
}
