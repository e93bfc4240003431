//! What the XML formats share: attributes as texts, and places as lines.

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;

use super::LogError;

/// The line, from 1, of a byte.
pub(super) fn line(text: &[u8], offset: u64) -> u64 {
    let end = usize::try_from(offset)
        .unwrap_or(usize::MAX)
        .min(text.len());
    let before = text.get(..end).unwrap_or_default();
    let breaks = before.iter().filter(|byte| **byte == b'\n').count();
    u64::try_from(breaks).unwrap_or(u64::MAX).saturating_add(1)
}

/// What is wrong at a byte, with the next step.
pub(super) fn broken(name: &str, text: &[u8], offset: u64, error: &impl ToString) -> LogError {
    let hint = if usize::try_from(offset).is_ok_and(|offset| offset >= text.len()) {
        "the file is cut off: export it again"
    } else {
        "correct it there, or export it again"
    };
    let message = format!("not valid XML: {}", error.to_string());
    LogError::row(name, line(text, offset), message, hint)
}

/// The attribute of an element as text; `None` when it has none of that name.
///
/// # Errors
///
/// What is wrong with the element's attributes.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    let found = element
        .try_get_attribute(name)
        .map_err(|error| error.to_string())?;
    let value = found.map(|found| found.normalized_value(XmlVersion::Implicit1_0));
    let value = value.transpose().map_err(|error| error.to_string())?;
    Ok(value.map(|value| value.into_owned()))
}
