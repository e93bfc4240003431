//! Where readers put the spans of one capture.

use crate::ReadError;
use crate::raw::{RawSpan, TIME_MAX};
use crate::store::Store;
use crate::tree::Skipped;

/// The store, and what is counted for one capture.
pub(crate) struct Sink<'s> {
    store: &'s mut Store,
    source: u64,
    name: &'s str,
    pub(crate) skipped: Skipped,
    /// Spans that were taken, duplicates among them.
    pub(crate) spans: usize,
    progress: Option<&'s mut dyn FnMut(usize)>,
}

impl<'s> Sink<'s> {
    pub(crate) fn new(
        store: &'s mut Store,
        source: u64,
        name: &'s str,
        progress: Option<&'s mut dyn FnMut(usize)>,
    ) -> Self {
        Self {
            store,
            source,
            name,
            skipped: Skipped::default(),
            spans: 0,
            progress,
        }
    }

    /// Whether anybody asks what spans tell of payloads.
    pub(crate) fn asks_for_payloads(&self) -> bool {
        self.store.asks_for_payloads()
    }

    /// Adds one span.
    pub(crate) fn add(&mut self, span: &mut RawSpan<'_>) {
        if span.start > TIME_MAX {
            self.skipped.without_time += 1;
            return;
        }
        // What is kept of payloads is made here alone: a capture that gives it itself could say anything.
        span.attributes.retain(|(key, _)| !key.is_of_payload());
        if !span.payload.is_empty() {
            self.store.keep_payload(span);
        }
        span.settle_attributes();
        self.skipped.without_end += usize::from(span.is_endless);
        self.spans += 1;
        self.store.add(span, self.source);
    }

    /// Between two units: makes room where it is needed, and says how far it is.
    pub(crate) fn breathe(&mut self) -> Result<(), ReadError> {
        if let Some(progress) = &mut self.progress {
            progress(self.spans);
        }
        match self.store.make_room() {
            Ok(true) => Ok(()),
            Ok(false) => Err(ReadError::Full {
                name: self.name.to_owned(),
            }),
            Err(error) => Err(ReadError::Spill {
                name: self.name.to_owned(),
                message: error.to_string(),
            }),
        }
    }
}
