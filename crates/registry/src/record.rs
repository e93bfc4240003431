//! What is written down: each record says all there is to say of one thing, so that of two with the
//! same key the later one is enough.

use serde::{Deserialize, Serialize};
use tidegate_compat::Mode;

use crate::body::Body;

/// One line of the registry's memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// A schema and its number.
    Schema {
        /// The number; never given again.
        id: u32,
        /// What the schema is recognised by.
        identity: String,
        /// The schema; none once it is deleted for good.
        body: Option<Body>,
    },
    /// A version of a subject.
    Version {
        /// The subject.
        subject: String,
        /// The number of the version.
        version: u32,
        /// The schema.
        id: u32,
        /// Whether it is there.
        state: VersionState,
    },
    /// How schemas may change; of everything when no subject is named.
    Config {
        /// The subject.
        subject: Option<String>,
        /// What is said; none when nothing is any more.
        config: Option<Config>,
    },
    /// What may be done; with everything when no subject is named.
    Access {
        /// The subject.
        subject: Option<String>,
        /// What is said; none when nothing is any more.
        access: Option<Access>,
    },
}

impl Record {
    /// What a later record with the same key takes the place of.
    #[must_use]
    pub fn key(&self) -> String {
        let of = |subject: &Option<String>| subject.clone().unwrap_or_default();
        match self {
            Self::Schema { id, .. } => format!("schema/{id}"),
            Self::Version {
                subject, version, ..
            } => format!("version/{version}/{subject}"),
            Self::Config { subject, .. } => format!("config/{}", of(subject)),
            Self::Access { subject, .. } => format!("access/{}", of(subject)),
        }
    }
}

/// Whether a version is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionState {
    /// It is.
    Live,
    /// It is hidden, and its number is taken.
    Deleted,
    /// It is not, for good.
    Gone,
}

/// How the schemas of a subject may change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The level.
    #[serde(default, with = "level", skip_serializing_if = "Option::is_none")]
    pub compatibility: Option<Mode>,
    /// Whether schemas are brought into one form before they are compared and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize: Option<bool>,
    /// The property of the metadata by which versions are grouped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatibility_group: Option<String>,
}

/// What may be done with a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Access {
    /// Everything but choosing numbers.
    #[default]
    ReadWrite,
    /// Reading.
    ReadOnly,
    /// Registering with given numbers, without a check of compatibility.
    Import,
}

impl Access {
    /// The name in requests and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadWrite => "READWRITE",
            Self::ReadOnly => "READONLY",
            Self::Import => "IMPORT",
        }
    }

    /// The mode of this name, in any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::ReadWrite, Self::ReadOnly, Self::Import];
        all.into_iter()
            .find(|one| one.name().eq_ignore_ascii_case(name))
    }
}

/// A level by its name.
mod level {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use tidegate_compat::Mode;

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        level: &Option<Mode>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match level {
            Some(level) => serializer.serialize_some(level.name()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Mode>, D::Error> {
        let name: Option<String> = Option::deserialize(deserializer)?;
        let read = |name: String| name.parse().map_err(|_| D::Error::custom("no such level"));
        name.map(read).transpose()
    }
}
