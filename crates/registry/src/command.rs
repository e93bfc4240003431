//! What can be asked to change.

use std::collections::BTreeMap;

use tidegate_compat::{Mode, Profile};

use crate::body::Body;
use crate::error::ApiError;
use crate::record::{Access, Config};

/// By what the registry decides, beside what is registered.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// By whose rules schemas are compared.
    pub profile: Profile,
    /// The subjects of the design's events, with the levels that it says.
    pub governed: BTreeMap<String, Mode>,
    /// The schemas that the design has now, of each of its subjects.
    pub in_force: BTreeMap<String, u32>,
}

/// A version as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionWanted {
    /// The newest one.
    Latest,
    /// This one.
    Number(u32),
}

impl VersionWanted {
    /// Reads `latest`, `-1` or a number from 1.
    ///
    /// # Errors
    ///
    /// 42202 when it is none of them.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        if text == "latest" || text == "-1" {
            return Ok(Self::Latest);
        }
        let number = text.parse().ok().filter(|n| (1..=i32::MAX).contains(n));
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.map(Self::Number).ok_or_else(|| {
            ApiError::new(
                42202,
                format!(
                    "The specified version '{text}' is not a valid version id. Allowed values are between \
                     [1, 2^31-1] and the string \"latest\""
                ),
            )
        })
    }
}

/// What a request says about how schemas may change; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigChange {
    /// The level.
    pub compatibility: Option<Mode>,
    /// Whether schemas are brought into one form.
    pub normalize: Option<bool>,
    /// The property by which versions are grouped; empty for none.
    pub compatibility_group: Option<String>,
}

/// What is asked to change.
#[derive(Clone, Debug)]
pub enum Command {
    /// Another version of a subject.
    Register {
        /// The subject.
        subject: String,
        /// The schema.
        body: Body,
        /// Whether it is brought into one form before.
        normalize: bool,
        /// The number that it shall have; while importing.
        id: Option<u32>,
        /// The version that it shall be; while importing.
        version: Option<u32>,
    },
    /// What the design says a subject is: not refused for what was there before.
    Govern {
        /// The subject.
        subject: String,
        /// The schema.
        body: Body,
    },
    /// Hides all versions of a subject, or removes hidden ones for good.
    DeleteSubject {
        /// The subject.
        subject: String,
        /// For good.
        permanent: bool,
    },
    /// The same of one version.
    DeleteVersion {
        /// The subject.
        subject: String,
        /// The version.
        version: VersionWanted,
        /// For good.
        permanent: bool,
    },
    /// Says how schemas may change.
    SetConfig {
        /// The subject; none for all.
        subject: Option<String>,
        /// What is said.
        change: ConfigChange,
    },
    /// Takes that back.
    DeleteConfig {
        /// The subject; none for all.
        subject: Option<String>,
    },
    /// Says what may be done.
    SetAccess {
        /// The subject; none for all.
        subject: Option<String>,
        /// What is said.
        access: Access,
        /// Also to import where there is something already.
        force: bool,
    },
    /// Takes that back.
    DeleteAccess {
        /// The subject; none for all.
        subject: Option<String>,
    },
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The schema has this number, and is this version of the subject.
    Registered {
        /// The number of the schema.
        id: u32,
        /// The version.
        version: u32,
    },
    /// These versions are deleted.
    Versions(Vec<u32>),
    /// What is said now, or was until now.
    Config(Config),
    /// What is said now, or was until now.
    Access(Access),
}
