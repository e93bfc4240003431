//! Topology as code: what a design needs on a broker, what is there, and the way from one to the other.
//!
//! Pure. [`desired`] says what a design needs, as resources with settings; whoever asks a broker gives what is there as
//! a [`Topology`]; [`Plan::new`] is the difference, each change with its reason and with what it costs. [`doctor`] says
//! what the settings of a broker really promise to each consumer. [`compare`] is what each kind of broker can do at all.
//! [`letters`] reads the dead letters of other frameworks, and [`import`] makes a design of what runs.

pub mod codes;
pub mod compare;
pub mod desired;
pub mod doctor;
pub mod files;
pub mod import;
pub mod letters;
mod plan;
mod resource;
mod rules;
pub mod wire;

pub use codes::CODES;
pub use desired::{Acl, Desired, Options, Pattern, Use, Want, Wanted, desired};
pub use plan::{Change, Class, Difference, How, Plan};
pub use resource::{Engine, Id, Kind, Settings, Topology, Value};
pub use rules::Rule;
