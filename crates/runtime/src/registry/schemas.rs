//! Where the schemas that payloads name are found: in the system's own registry, or in that of others.

use serde_json::Value;
use tidegate_base::{Envelope, Name};
use tidegate_schema::EventSchema;

use super::Registry;
use super::framed::{Framed, problem};
use super::other::OtherRegistry;
use crate::publish::Problem;

/// A registry.
#[derive(Clone, Debug)]
pub(crate) enum Schemas {
    /// Of the system.
    Own(Registry),
    /// Of others.
    Other(OtherRegistry),
}

impl Schemas {
    /// Reads a payload that names its schema; `None` when its bytes are not meant to.
    pub(crate) fn read(
        &self,
        event: &Name,
        envelope: &Envelope,
        design: Option<&EventSchema>,
        older: &[EventSchema],
    ) -> Option<Result<Value, Problem>> {
        let framed = Framed::of(envelope, design)?;
        let is_meant = design.is_some() || framed == Framed::Beside;
        match self {
            Self::Own(registry) => (is_meant || registry.knows(event))
                .then(|| registry.read_framed(framed, event, envelope, design, older)),
            Self::Other(registry) => {
                let read = registry.read_framed(framed, envelope, design, older);
                let untold = || Err(problem("", &"the registry has not told that schema"));
                match read {
                    // Without a schema in the design only what can be read is meant to be.
                    Some(Ok(json)) => Some(Ok(json)),
                    read => is_meant.then(|| read.unwrap_or_else(untold)),
                }
            }
        }
    }
}
