//! Why two schemas cannot be compared at all.

use thiserror::Error;
use tidegate_base::limit::COMPAT_NODES_MAX;

/// Why a text is no schema that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JsonError {
    /// It is not JSON.
    #[error("{name} is not JSON: {message}")]
    Text {
        /// The document.
        name: String,
        /// What is wrong, and where.
        message: String,
    },
    /// Its `$schema` names no draft that is known.
    #[error(
        "{name}: `$schema` names no draft that is known: write one of 04, 06, 07, 2019-09 or 2020-12"
    )]
    Draft {
        /// The document.
        name: String,
    },
    /// A reference leads nowhere: nothing is ever fetched.
    #[error(
        "{name}: the reference `{reference}` at `{pointer}` leads nowhere: give the document it names along"
    )]
    Reference {
        /// The document.
        name: String,
        /// Where the reference stands.
        pointer: String,
        /// The reference as written.
        reference: String,
    },
    /// With its references followed once, it is larger than [`COMPAT_NODES_MAX`] subschemas.
    #[error("{name} is larger than {COMPAT_NODES_MAX} subschemas, or nested too deep")]
    Large {
        /// The document.
        name: String,
    },
    /// It is not a valid schema.
    #[error("{name}: {message}")]
    Invalid {
        /// The document.
        name: String,
        /// What is wrong, and where.
        message: String,
    },
}
