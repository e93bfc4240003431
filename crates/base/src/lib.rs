//! Words that every floor shares: names, time, units, limits and the event envelope.
//!
//! Pure: no I/O, no clock, no async. A type moves down to here when its third user appears.

mod attribute;
mod clock;
mod envelope;
pub mod limit;
mod name;
mod output_id;
mod random;
mod settings;
mod units;

pub use clock::{Clock, Timestamp};
pub use envelope::{Envelope, EnvelopeError};
pub use name::{BreakerName, ConsumerId, Name, NameError};
pub use output_id::output_id;
pub use random::Random;
pub use settings::{Setting, settings};
pub use units::{Bytes, Rate, Ratio, UnitError, format_duration, parse_duration};
