//! The reader's codes: what can be wrong with a design before any rule looks at its meaning.

use serde::Serialize;

use crate::finding::{Code, Severity};

/// A code with what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CodeInfo {
    /// The code.
    pub code: Code,
    /// How much its findings weigh.
    pub severity: Severity,
    /// The title of its page, in a few words.
    pub title: &'static str,
}

const fn error(code: &'static str, title: &'static str) -> CodeInfo {
    CodeInfo {
        code: Code(code),
        severity: Severity::Error,
        title,
    }
}

pub(crate) const SYNTAX: CodeInfo = error("E0101", "not YAML");
pub(crate) const UNKNOWN_FIELD: CodeInfo = error("E0102", "unknown field");
pub(crate) const MISSING_FIELD: CodeInfo = error("E0103", "missing field");
pub(crate) const WRONG_TYPE: CodeInfo = error("E0104", "wrong type");
pub(crate) const BAD_QUANTITY: CodeInfo = error("E0105", "not a quantity");
pub(crate) const NOT_ALLOWED: CodeInfo = error("E0106", "not an allowed value");
pub(crate) const BAD_NAME: CodeInfo = error("E0107", "not a name");
pub(crate) const DUPLICATE: CodeInfo = error("E0108", "duplicate");
pub(crate) const VERSION: CodeInfo = error("E0109", "unsupported version");
pub(crate) const REFUSED_YAML: CodeInfo = error("E0110", "YAML that a design cannot have");
pub(crate) const SCHEMA_FILE: CodeInfo = error("E0111", "unusable schema file");
pub(crate) const BAD_URL: CodeInfo = error("E0112", "not a URL to deliver to");
pub(crate) const OUT_OF_RANGE: CodeInfo = error("E0113", "value out of range");
pub(crate) const BAD_POINTER: CodeInfo = error("E0114", "not a JSON pointer");
pub(crate) const AMBIGUOUS: CodeInfo = CodeInfo {
    code: Code("E0115"),
    severity: Severity::Warning,
    title: "value that YAML readers take differently",
};
pub(crate) const MORE_FINDINGS: CodeInfo = error("E0116", "more findings than are listed");
pub(crate) const SCHEMA_MAPPING: CodeInfo = error("E0117", "schema file written as a mapping");

/// Every code of the reader, in order.
pub const CODES: &[CodeInfo] = &[
    SYNTAX,
    UNKNOWN_FIELD,
    MISSING_FIELD,
    WRONG_TYPE,
    BAD_QUANTITY,
    NOT_ALLOWED,
    BAD_NAME,
    DUPLICATE,
    VERSION,
    REFUSED_YAML,
    SCHEMA_FILE,
    BAD_URL,
    OUT_OF_RANGE,
    BAD_POINTER,
    AMBIGUOUS,
    MORE_FINDINGS,
    SCHEMA_MAPPING,
];
