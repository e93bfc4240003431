//! Which column of a table means what, and in which unit its times are.

use std::str::FromStr;

use crate::process;

/// The columns of a table with one span a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    pub(crate) named: Vec<(Field, Column)>,
    pub(crate) is_alibaba: bool,
}

/// What a column says of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Trace,
    Span,
    Parent,
    Service,
    Operation,
    Start,
    End,
    Duration,
    Status,
    Kind,
    Host,
}

/// A column's header and the unit of its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) header: String,
    pub(crate) unit: Option<Unit>,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    pub(crate) fn nanos(self) -> u64 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
            Self::Nanos => 1,
        }
    }
}

/// Every field, its name in a mapping, and the headers that it usually has, in lower case without
/// anything but letters and digits.
pub(crate) const FIELDS: [(Field, &str, &[&str]); 11] = [
    (Field::Trace, "trace", &["traceid", "trace"]),
    (Field::Span, "span", &["spanid", "span", "id"]),
    (
        Field::Parent,
        "parent",
        &["parentspanid", "parentid", "parentspan", "parent"],
    ),
    (
        Field::Service,
        "service",
        &["servicename", "service", "cmdbid", "process", "podname"],
    ),
    (
        Field::Operation,
        "operation",
        &["operationname", "operation", "spanname", "name"],
    ),
    (
        Field::Start,
        "start",
        &[
            "startunixnano",
            "starttimeunixnano",
            "starttime",
            "timestamp",
            "start",
        ],
    ),
    (
        Field::End,
        "end",
        &["endunixnano", "endtimeunixnano", "endtime", "end"],
    ),
    (
        Field::Duration,
        "duration",
        &["durationnano", "duration", "elapsed", "latency"],
    ),
    (
        Field::Status,
        "status",
        &["statuscode", "status", "error", "iserror"],
    ),
    (Field::Kind, "kind", &["spankind", "kind"]),
    (
        Field::Host,
        "host",
        &["hostname", "host", "instance", "pod"],
    ),
];

/// The one word for the tables of Alibaba's traces.
pub(crate) const ALIBABA: &str = "alibaba";

/// What a mapping may say.
const USAGE: &str = "write `trace=HEADER,span=HEADER,start=HEADER:UNIT,duration=HEADER:UNIT`; the fields are trace, span, parent, service, operation, start, end, duration, status, kind and host, the units s, ms, us and ns; or write `alibaba`";

impl FromStr for Columns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == ALIBABA {
            return Ok(Self {
                named: Vec::new(),
                is_alibaba: true,
            });
        }
        let mut named: Vec<(Field, Column)> = Vec::new();
        for entry in text.split(',') {
            let (field, column) = entry
                .split_once('=')
                .ok_or_else(|| format!("`{entry}` names no column: {USAGE}"))?;
            let known = FIELDS.iter().find(|(_, name, _)| *name == field.trim());
            // The same text may be for process logs too.
            if known.is_none() && process::ROLES.contains(&field.trim()) {
                continue;
            }
            let (field, _, _) = known.ok_or_else(|| format!("`{field}` is no field: {USAGE}"))?;
            if named.iter().any(|(there, _)| there == field) {
                return Err(format!("`{entry}` names its field again: {USAGE}"));
            }
            named.push((*field, column.trim().parse()?));
        }
        Ok(Self {
            named,
            is_alibaba: false,
        })
    }
}

impl FromStr for Column {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (header, unit) = match text.rsplit_once(':') {
            Some((header, unit)) => (header, Some(unit)),
            None => (text, None),
        };
        let unit = match unit {
            None => None,
            Some("s") => Some(Unit::Seconds),
            Some("ms") => Some(Unit::Millis),
            Some("us" | "µs") => Some(Unit::Micros),
            Some("ns") => Some(Unit::Nanos),
            // A header may have a colon of its own.
            Some(_) => {
                return Ok(Self {
                    header: text.to_owned(),
                    unit: None,
                });
            }
        };
        if header.is_empty() {
            return Err(format!("`{text}` names no column: {USAGE}"));
        }
        Ok(Self {
            header: header.to_owned(),
            unit,
        })
    }
}

/// A header in lower case without anything but letters and digits: `Trace-ID` is `traceid`.
pub(crate) fn bare(header: &str) -> String {
    let letters = header.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}
