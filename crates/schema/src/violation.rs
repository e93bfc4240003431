//! Where a payload does not fit its schema.

use jsonschema::ValidationError;
use tidegate_base::limit::ERROR_TEXT_BYTES_MAX;

/// One thing in a payload that its schema does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The value, as a JSON pointer into the payload; empty for the payload itself.
    pub path: String,
    /// The keyword, as a JSON pointer into the schema.
    pub schema_path: String,
    /// What is wrong, without the payload's own values: those may be private.
    pub message: String,
}

impl Violation {
    pub(crate) fn of(error: &ValidationError<'_>) -> Self {
        Self {
            path: short(error.instance_path().as_str()),
            schema_path: short(error.schema_path().as_str()),
            message: short(&error.masked_with("the value").to_string()),
        }
    }
}

impl Violation {
    pub(crate) fn at(path: &str, message: &str) -> Self {
        Self {
            path: short(path),
            schema_path: String::new(),
            message: short(message),
        }
    }

    /// The payload cannot be judged within the stack of a thread.
    pub(crate) fn too_deep() -> Self {
        let message = "the value is nested too deep to be held against its schema";
        Self {
            path: String::new(),
            schema_path: String::new(),
            message: message.to_owned(),
        }
    }

    /// The payload does not fit, and finding out where would take too long.
    pub(crate) fn unexplained() -> Self {
        let message = "the value does not fit, and its schema branches too much to say where";
        Self {
            path: String::new(),
            schema_path: String::new(),
            message: message.to_owned(),
        }
    }
}

/// At most [`ERROR_TEXT_BYTES_MAX`] bytes: an `enum` of a thousand values makes a long message.
pub(crate) fn short(text: &str) -> String {
    if text.len() <= ERROR_TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let mark = "…";
    let end = text.floor_char_boundary(ERROR_TEXT_BYTES_MAX - mark.len());
    format!("{}{mark}", text.get(..end).unwrap_or_default())
}
