//! Why a request is refused, by the numbers of the Confluent Schema Registry.

use thiserror::Error;

/// A refusal: its number, which begins with the HTTP status, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ApiError {
    /// Such as 40401; clients decide by it.
    pub code: u32,
    /// What is wrong.
    pub message: String,
}

impl ApiError {
    /// A refusal.
    #[must_use]
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// The status of HTTP.
    #[must_use]
    pub fn status(&self) -> u16 {
        let status = if self.code < 1_000 {
            self.code
        } else {
            self.code / 100
        };
        u16::try_from(status).unwrap_or(500)
    }

    pub(crate) fn subject(subject: &str) -> Self {
        Self::new(40401, format!("Subject '{subject}' not found."))
    }

    pub(crate) fn version(version: impl std::fmt::Display) -> Self {
        Self::new(40402, format!("Version {version} not found."))
    }

    /// No schema has this name or number.
    #[must_use]
    pub fn schema(id: impl std::fmt::Display) -> Self {
        Self::new(40403, format!("Schema {id} not found"))
    }

    pub(crate) fn schema_of_subject() -> Self {
        Self::new(40403, "Schema not found")
    }

    pub(crate) fn invalid_schema(message: impl Into<String>) -> Self {
        Self::new(42201, message)
    }

    pub(crate) fn not_permitted(message: impl Into<String>) -> Self {
        Self::new(42205, message)
    }

    /// The design says it, and nobody else does.
    pub(crate) fn governed(subject: &str, what: &str) -> Self {
        Self::not_permitted(format!(
            "{what} of subject '{subject}' is said by the design: change the design and start again"
        ))
    }

    pub(crate) fn full(what: &str, most: usize) -> Self {
        Self::new(
            42901,
            format!(
                "the registry has {most} {what} already, the most it keeps: delete some permanently"
            ),
        )
    }
}
