//! Whether a value stands in the design or is a default.
//!
//! A default has the place of the element that it belongs to. Rules that weigh a value against a
//! wish of the author use this: nobody should be warned about a wish that they did not write.

use tidegate_model::Place;
use tidegate_model::design::Located;

/// Whether `value` is written, given the places of the elements around it.
pub(crate) fn is_written<T>(value: &Located<T>, around: &[&Place]) -> bool {
    !around.contains(&&value.place)
}
