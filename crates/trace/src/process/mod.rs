//! Process event logs as data: XES, OCEL 2.0 and CSV, told by content.
//!
//! [`read_log`] turns the bytes of one log into an [`EventLog`]. An OCEL 2.0 database is read by
//! whoever may open files, into [`OcelRows`]; [`OcelRows::into_log`] goes on from there.

mod builder;
mod columns;
mod csv_log;
mod error;
mod lifecycle;
mod log;
mod moment;
mod ocel;
mod ocel_json;
mod ocel_xml;
mod sniff;
mod xes;
mod xml;

pub use columns::Columns;
pub(crate) use columns::ROLES;
pub use error::LogError;
pub use log::{Case, EventLog, Instance, LogFormat, ObjectEvent, ObjectType, Objects, Recorded};
pub use moment::parse_moment;
pub use ocel::{EventRow, OcelRows};
pub use sniff::{START_BYTES, hint, sniff, sniff_start, unpacked};

/// Reads a process log: detects the format by the content and never by `name`, which is for
/// messages. Gzip and zstd are unpacked first.
///
/// # Errors
///
/// [`LogError`] when the bytes are of no known format, malformed (with the line), too many, or
/// lack a column that is needed.
pub fn read_log(name: &str, bytes: &[u8], columns: &Columns) -> Result<EventLog, LogError> {
    let bytes = unpacked(name, bytes)?;
    let text = sniff::without_mark(&bytes);
    match sniff(text, columns) {
        Some(LogFormat::Xes) => xes::read(name, text, columns),
        Some(LogFormat::OcelJson) => ocel_json::read(name, text, columns),
        Some(LogFormat::OcelXml) => ocel_xml::read(name, text, columns),
        Some(LogFormat::Csv) => csv_log::read(name, text, columns),
        Some(LogFormat::OcelSqlite) => Err(LogError::Database {
            name: name.to_owned(),
        }),
        None => Err(sniff::unknown(name, text)),
    }
}
