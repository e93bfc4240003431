//! JSON written as YAML that people like to read.
//!
//! Source: YAML 1.2.2. Block style; strings are plain where every YAML reader takes them for the
//! same string, and double-quoted otherwise (JSON's escapes are a subset of YAML's).

use serde_json::{Map, Value};

/// `value` as a YAML document, with a line break at its end.
#[must_use]
pub fn to_yaml(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0, Position::Line);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Where a value begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// At the start of a line, or behind `- `.
    Line,
    /// Behind `key:`.
    Key,
}

fn write(text: &mut String, value: &Value, depth: usize, position: Position) {
    match value {
        Value::Object(object) if !object.is_empty() => write_object(text, object, depth, position),
        Value::Array(items) if !items.is_empty() => write_array(text, items, depth, position),
        scalar => {
            if position == Position::Key {
                text.push(' ');
            }
            match scalar {
                Value::String(string) => text.push_str(&string_text(string)),
                other => text.push_str(&other.to_string()),
            }
            text.push('\n');
        }
    }
}

fn write_object(text: &mut String, object: &Map<String, Value>, depth: usize, position: Position) {
    if position == Position::Key {
        text.push('\n');
    }
    for (place, (key, value)) in object.iter().enumerate() {
        if place > 0 || position == Position::Key {
            indent(text, depth);
        }
        text.push_str(&string_text(key));
        text.push(':');
        write(text, value, depth + 1, Position::Key);
    }
}

fn write_array(text: &mut String, items: &[Value], depth: usize, position: Position) {
    if position == Position::Key {
        text.push('\n');
    }
    for (place, item) in items.iter().enumerate() {
        if place > 0 || position == Position::Key {
            indent(text, depth);
        }
        text.push_str("- ");
        write(text, item, depth + 1, Position::Line);
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn string_text(string: &str) -> String {
    if is_plain(string) {
        string.to_owned()
    } else {
        quoted(string)
    }
}

/// Whether `string` without quotes is this string to every reader, of YAML 1.1 and 1.2.
fn is_plain(string: &str) -> bool {
    const WORDS: [&str; 11] = [
        "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf",
    ];
    let starts_well = string.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let inner_well = string
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || " ./_-+()$;=".contains(c));
    let lower = string.to_ascii_lowercase();
    starts_well && inner_well && !string.ends_with(' ') && !WORDS.contains(&lower.as_str())
}

/// `string` in double quotes; what YAML does not allow in print is escaped.
fn quoted(string: &str) -> String {
    let mut text = String::from('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if is_printable(c) => text.push(c),
            c if u32::from(c) > 0xffff => text.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => text.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    text.push('"');
    text
}

/// Whether `c` stands for itself within double quotes on one line.
fn is_printable(c: char) -> bool {
    let separates_lines = matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    let outside = matches!(c, '\u{fffe}' | '\u{ffff}');
    !(c.is_control() || separates_lines || outside)
}
