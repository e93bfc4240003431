//! Logs as text in columns: a header, then one event or activity instance a row.

use std::borrow::Cow;

use tidegate_base::limit::ATTRIBUTE_BYTES_MAX;

use super::builder::{Builder, Written};
use super::columns::Role;
use super::{Columns, EventLog, LogError, LogFormat};
use crate::rows::{self, Ended};

/// Most columns of a log.
const COLUMNS_MAX: usize = 1_000;
/// Most columns that a message lists.
const LISTED_MAX: usize = 20;

/// Where each role is in a row.
struct Places {
    case: usize,
    activity: usize,
    end: usize,
    start: Option<usize>,
    resource: Option<usize>,
    enabled: Option<usize>,
    lifecycle: Option<usize>,
    instance: Option<usize>,
}

/// Whether the text is a log: it has the columns. When `columns` names the case, text in columns is
/// one even if that column is absent, so that who reads it says so; unless columns of spans are named
/// as well, or nobody named the file.
pub(super) fn fits(text: &[u8], columns: &Columns) -> bool {
    let has_doubt = columns.of_spans || columns.of_a_found_file;
    let Some(header) = header_of(text) else {
        let is_text = !text.iter().any(|byte| *byte < b'\t');
        return columns.case.is_some() && !has_doubt && is_text;
    };
    if let Some(case) = &columns.case {
        return !has_doubt || header.contains(case);
    }
    if columns.of_spans {
        return false;
    }
    let has = |role| {
        columns
            .find(role, &header)
            .is_ok_and(|found| found.is_some())
    };
    has(Role::Case) && has(Role::Activity) && (has(Role::End) || has(Role::Start))
}

/// The first row, when it looks like one of text in columns.
pub(super) fn header_of(text: &[u8]) -> Option<Vec<String>> {
    let line = text.split(|byte| *byte == b'\n').next()?;
    let is_text = !line.iter().any(|byte| *byte < b'\t') && std::str::from_utf8(line).is_ok();
    if line.len() > ATTRIBUTE_BYTES_MAX * 4 || !is_text {
        return None;
    }
    let mut reader = reader(line);
    let header = reader.byte_headers().ok()?;
    let header: Vec<String> = header
        .iter()
        .map(|field| words(field).into_owned())
        .collect();
    (header.len() > 1 && header.len() <= COLUMNS_MAX).then_some(header)
}

/// Columns as a message lists them.
pub(super) fn listed(header: &[String]) -> String {
    let shown: Vec<String> = header
        .iter()
        .take(LISTED_MAX)
        .map(|column| {
            let column: String = column.chars().take(60).collect();
            format!("`{column}`")
        })
        .collect();
    let more = header.len().saturating_sub(LISTED_MAX);
    if more > 0 {
        format!("{} and {more} more", shown.join(", "))
    } else {
        shown.join(", ")
    }
}

/// A reader with the delimiter that the first line has most often outside quotes.
fn reader(text: &[u8]) -> csv::Reader<Ended<&[u8]>> {
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for byte in text.iter().take_while(|byte| **byte != b'\n') {
        if *byte == b'"' {
            quoted = !quoted;
        } else if !quoted && let Some((_, count)) = counts.iter_mut().find(|(mark, _)| mark == byte)
        {
            *count += 1;
        }
    }
    // Of equals the first: a comma.
    let delimiter = counts
        .iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(mark, _)| *mark);
    rows::reader(delimiter, text)
}

fn words(field: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(field) {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

pub(super) fn read(name: &str, text: &[u8], columns: &Columns) -> Result<EventLog, LogError> {
    let mut reader = reader(text);
    let header: Vec<String> = match reader.byte_headers() {
        Ok(header) => header
            .iter()
            .map(|field| words(field).into_owned())
            .collect(),
        Err(error) => return Err(broken(name, &error)),
    };
    let places = places(name, &header, columns)?;
    let mut builder = Builder::new(name, LogFormat::Csv);
    let mut row = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut row) {
            Ok(true) if rows::is_blank(&row) => continue,
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(broken(name, &error)),
        }
        let line = rows::line(&reader, &row);
        if row.len() != header.len() {
            return Err(LogError::row(
                name,
                line,
                format!("{} fields where the header has {}", row.len(), header.len()),
                "put quotes around fields that hold the delimiter, or complete the row",
            ));
        }
        add(&mut builder, name, line, &row, &places)?;
    }
    builder.finish(None)
}

fn add(
    builder: &mut Builder<'_>,
    name: &str,
    line: u64,
    row: &csv::ByteRecord,
    places: &Places,
) -> Result<(), LogError> {
    let needed = [Some(places.case), Some(places.activity), Some(places.end)];
    let wanted = [
        places.start,
        places.resource,
        places.enabled,
        places.lifecycle,
        places.instance,
    ];
    for place in needed.iter().chain(&wanted).flatten() {
        if row
            .get(*place)
            .is_some_and(|field| field.len() > ATTRIBUTE_BYTES_MAX)
        {
            let message = format!("a field has more than {ATTRIBUTE_BYTES_MAX} bytes");
            return Err(LogError::row(
                name,
                line,
                message,
                "close its quotes, or shorten it",
            ));
        }
    }
    let field = |place: usize| words(row.get(place).unwrap_or_default());
    let maybe = |place: Option<usize>| place.map(field);
    let (case, activity, end) = (
        field(places.case),
        field(places.activity),
        field(places.end),
    );
    let [start, resource, enabled, lifecycle, instance] = wanted.map(maybe);
    builder.add(&Written {
        line,
        case: &case,
        activity: &activity,
        end: Some(&end),
        start: start.as_deref(),
        resource: resource.as_deref(),
        enabled: enabled.as_deref(),
        lifecycle: lifecycle.as_deref(),
        instance: instance.as_deref(),
    })
}

fn places(name: &str, header: &[String], columns: &Columns) -> Result<Places, LogError> {
    let find = |role: Role| {
        columns
            .find(role, header)
            .map_err(|column| LogError::Named {
                name: name.to_owned(),
                role: role.word(),
                column,
                found: listed(header),
            })
    };
    let must = |role: Role| {
        find(role)?.ok_or_else(|| LogError::Column {
            name: name.to_owned(),
            role: role.word(),
            found: listed(header),
        })
    };
    let (case, activity) = (must(Role::Case)?, must(Role::Activity)?);
    let start = find(Role::Start)?;
    let end = match find(Role::End)? {
        Some(end) => end,
        // One time alone is when it was done, whatever it is called.
        None if columns.start.is_none() => start.map_or_else(|| must(Role::End), Ok)?,
        None => must(Role::End)?,
    };
    Ok(Places {
        case,
        activity,
        end,
        start: start.filter(|start| *start != end),
        resource: find(Role::Resource)?,
        enabled: find(Role::Enabled)?,
        lifecycle: find(Role::Lifecycle)?,
        instance: header
            .iter()
            .position(|column| column == "concept:instance"),
    })
}

fn broken(name: &str, error: &csv::Error) -> LogError {
    let line = error.position().map_or(0, csv::Position::line);
    LogError::row(
        name,
        line,
        error.to_string(),
        "export the log again as CSV in UTF-8",
    )
}
