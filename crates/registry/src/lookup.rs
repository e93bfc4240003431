//! Whether a schema is registered under a subject already.

use crate::body::Body;
use crate::candidate::{Prepared, prepare};
use crate::error::ApiError;
use crate::index::{Index, Listed, Versioned};

impl Index {
    /// The newest version of a subject that is this schema.
    ///
    /// # Errors
    ///
    /// 40401 when there is no such subject, 40403 when no version is this schema, 42201 when it is
    /// none.
    pub fn lookup(
        &self,
        subject: &str,
        body: Body,
        normalize: bool,
        listed: Listed,
    ) -> Result<Versioned, ApiError> {
        if self.entries(subject, listed).next().is_none() {
            return Err(ApiError::subject(subject));
        }
        let normalize = normalize || self.config_of(subject).normalize.unwrap_or_default();
        let prepared = prepare(self, body, normalize, Listed::All)?;
        self.find(subject, &prepared, listed)
            .ok_or_else(ApiError::schema_of_subject)
    }

    /// As [`Index::lookup`], of a schema that is read already.
    pub(crate) fn find(
        &self,
        subject: &str,
        prepared: &Prepared,
        listed: Listed,
    ) -> Option<Versioned> {
        let known = self.known(prepared);
        known.iter().find_map(|id| {
            let mut entries = self.entries(subject, listed).rev();
            let (version, entry) = entries.find(|(_, entry)| entry.id == *id)?;
            self.whole(subject, version, entry)
        })
    }
}
