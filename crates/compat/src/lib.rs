//! Whether events written with one schema can be read with another, with the event that cannot.
//!
//! The question is always of one writer and one reader. A [`Mode`] says which versions of a schema
//! stand on which side, a [`Profile`] by whose rules they are compared, and the [`Verdict`] holds
//! what was found: every *no* with an event that the writer allows and the reader refuses, run
//! through both before it is shown; every *not proved* with what stood in the way.

pub mod avro;
mod compare;
pub mod json;
mod mode;
mod profile;
pub mod protobuf;
mod sides;
mod verdict;

pub use compare::{CompareError, Compared, Format, Options, Version, compare};
pub use mode::{Direction, Mode};
pub use profile::Profile;
pub use sides::VersionError;
pub use verdict::{Answer, Finding, Reason, Verdict, Witness};
