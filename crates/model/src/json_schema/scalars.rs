//! The definitions of the scalars that many fields share.

use serde_json::{Map, Value, json};
use tidegate_base::limit::NAME_BYTES_MAX;

/// A number without sign or exponent.
const NUMBER: &str = r"([0-9]+\.?[0-9]*|\.[0-9]+)";

/// Every shared definition, by its name in `$defs`.
pub(super) fn definitions() -> Map<String, Value> {
    texts()
        .into_iter()
        .chain(quantities())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn texts() -> [(&'static str, Value); 5] {
    [
        ("text", json!({"type": "string", "pattern": r"\S"})),
        (
            "line",
            json!({
                "type": "string",
                "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*\S[^\u0000-\u001f\u007f-\u009f]*$",
            }),
        ),
        (
            "name",
            json!({
                "type": "string",
                "description": "A letter or digit, then letters, digits, `.`, `_`, `-`.",
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$",
                "maxLength": NAME_BYTES_MAX,
            }),
        ),
        (
            "pointer",
            json!({
                "type": "string",
                "description": "A JSON pointer into the payload (RFC 6901).",
                "pattern": "^(/([^/~]|~[01])*)+$",
                "examples": ["/orderId", "/customer/id"],
            }),
        ),
        (
            "field-path",
            json!({
                "type": "string",
                "description": "The name of a top-level field, or a JSON pointer into the payload.",
                "pattern": r"^([^/][\s\S]*|(/([^/~]|~[01])*)+)$",
                "examples": ["orderId", "/customer/id"],
            }),
        ),
    ]
}

fn quantities() -> [(&'static str, Value); 4] {
    [
        (
            "duration",
            json!({
                "type": "string",
                "description":
                    "A number and one of `ns us ms s m h d w`; parts may follow each other.",
                "pattern": format!(r"^({NUMBER}\s*(ns|us|µs|ms|s|min|m|h|d|w)\s*)+$"),
                "examples": ["250ms", "30s", "1h30m", "7d"],
            }),
        ),
        (
            "rate",
            json!({
                "type": "string",
                "description": "Events in a second, minute, hour or day.",
                "pattern": format!(r"^{NUMBER}\s*[kM]?\s*/\s*(s|m|min|h|d)$"),
                "examples": ["2000/s", "1.5k/s", "90/m"],
            }),
        ),
        (
            "bytes",
            json!({
                "description": "A number of bytes.",
                "anyOf": [
                    {"type": "number", "minimum": 0},
                    {
                        "type": "string",
                        "pattern": format!(r"^{NUMBER}\s*(B|[kKMGT]B|[KMGT]iB)?$"),
                    },
                ],
                "examples": ["300B", "64KiB", "1MB"],
            }),
        ),
        (
            "share",
            json!({
                "description": "A share of a whole, up to 100%.",
                "anyOf": [
                    {"type": "number", "minimum": 0, "maximum": 1},
                    {"type": "string", "pattern": format!(r"^{NUMBER}\s*%?$")},
                ],
                "examples": ["20%", 0.2],
            }),
        ),
    ]
}
