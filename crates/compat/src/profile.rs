//! By whose rules two schemas are compared.

use std::fmt;

/// A set of rules. Only [`Profile::Exact`] is about events alone; the others agree with a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// What a reader that validates does with every event that a writer may write.
    #[default]
    Exact,
    /// What the Confluent Schema Registry answers.
    Confluent,
    /// What `buf breaking` finds in its category `WIRE`: Protobuf alone.
    BufWire,
    /// What `buf breaking` finds in its category `WIRE_JSON`: Protobuf alone.
    BufWireJson,
}

impl Profile {
    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Confluent => "confluent",
            Self::BufWire => "buf-wire",
            Self::BufWireJson => "buf-wire-json",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
