//! What can be said of a batch without a broker: its size, and whether it keeps the limits.

use bytes::Bytes;
use tidegate_base::limit::{
    ATTRIBUTE_BYTES_MAX, BATCH_BYTES_MAX, BATCH_RECORDS_MAX, KEY_BYTES_MAX, RECORD_HEADERS_MAX,
};

use crate::{Append, Batch, CommitError, Record, StateChange};

impl Append {
    /// Bytes of the key, the headers and the payload.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let key = self.key.as_ref().map_or(0, String::len);
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        key + headers + self.payload.len()
    }

    /// The record that it becomes at `sequence`.
    #[must_use]
    pub fn into_record(self, sequence: u64) -> Record {
        let Self {
            channel: _,
            key,
            time,
            headers,
            payload,
        } = self;
        Record {
            sequence,
            key,
            time,
            headers,
            payload,
        }
    }

    fn validate(&self) -> Result<(), CommitError> {
        let channel = &self.channel;
        let key = self.key.as_ref().map_or(0, String::len);
        let invalid = |reason| Err(CommitError::Invalid { reason });
        if key > KEY_BYTES_MAX {
            return invalid(format!(
                "a key for channel `{channel}` is {key} bytes; the most is {KEY_BYTES_MAX}"
            ));
        }
        if self.headers.len() > RECORD_HEADERS_MAX {
            let headers = self.headers.len();
            return invalid(format!(
                "a record for channel `{channel}` has {headers} headers; the most is {RECORD_HEADERS_MAX}"
            ));
        }
        if let Some((name, _)) = self
            .headers
            .iter()
            .find(|(name, _)| name.len() > ATTRIBUTE_BYTES_MAX)
        {
            let bytes = name.len();
            return invalid(format!(
                "a header name for channel `{channel}` is {bytes} bytes; the most is {ATTRIBUTE_BYTES_MAX}"
            ));
        }
        Ok(())
    }
}

impl StateChange {
    /// Changes nothing.
    pub const NONE: Self = Self::Append(Vec::new());

    /// The records that it adds.
    #[must_use]
    pub fn records(&self) -> &[Bytes] {
        match self {
            Self::Append(records)
            | Self::Replace(records)
            | Self::Begin(records)
            | Self::Finish(records) => records,
        }
    }
}

impl Batch {
    /// Bytes of all its records, those of the state included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let appends: usize = self.appends.iter().map(Append::bytes).sum();
        let state: usize = self.state.records().iter().map(Bytes::len).sum();
        appends + state
    }

    /// Whether it keeps the limits that hold for every broker.
    ///
    /// # Errors
    ///
    /// [`CommitError::Invalid`] at the first limit that it breaks.
    pub fn validate(&self) -> Result<(), CommitError> {
        let records = self
            .appends
            .len()
            .saturating_add(self.state.records().len());
        if records > BATCH_RECORDS_MAX {
            let reason =
                format!("the batch has {records} records; the most is {BATCH_RECORDS_MAX}");
            return Err(CommitError::Invalid { reason });
        }
        let bytes = self.bytes();
        if bytes > BATCH_BYTES_MAX {
            let reason = format!("the batch is {bytes} bytes; the most is {BATCH_BYTES_MAX}");
            return Err(CommitError::Invalid { reason });
        }
        self.appends.iter().try_for_each(Append::validate)
    }
}
