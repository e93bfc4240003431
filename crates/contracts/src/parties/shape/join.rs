//! What is known of a value of which two things are known, and of one of which one of two is.

use tidegate_schema::Types;

use super::build::{Builder, Origin};
use super::{Field, Id, Node, Others, UNKNOWN};

/// What is known of values that fit both.
pub(super) fn both(builder: &mut Builder<'_>, one: &Node, other: &Node) -> Node {
    let mut node = one.clone();
    node.types = one.types.and(other.types);
    node.values = match (&one.values, &other.values) {
        (Some(values), Some(others)) => {
            let shared = values.iter().filter(|value| others.contains(value));
            Some(shared.cloned().collect())
        }
        (Some(values), None) | (None, Some(values)) => Some(values.clone()),
        (None, None) => None,
    };
    if let Some(values) = &mut node.values {
        values.retain(|value| Types::of_value(value).meets(node.types));
    }
    for (name, field) in &other.fields {
        let joined = match one.fields.get(name) {
            Some(own) => Field {
                node: pair(builder, Origin::Both, own.node, field.node),
                is_required: own.is_required || field.is_required,
            },
            None => *field,
        };
        node.fields.insert(name.clone(), joined);
    }
    node.others = match (one.others, other.others) {
        (Others::Untold, _) | (_, Others::Untold) => Others::Untold,
        (Others::Like(one), Others::Like(other)) => {
            Others::Like(pair(builder, Origin::Both, one, other))
        }
        // The names that the one side declares are not told from the rest on the other.
        (Others::Like(_), Others::Undeclared) | (Others::Undeclared, Others::Like(_)) => {
            Others::Untold
        }
        (Others::Undeclared, Others::Undeclared) => Others::Undeclared,
    };
    node.items = match (one.items, other.items) {
        (Some(one), Some(other)) => Some(pair(builder, Origin::Both, one, other)),
        (one, other) => one.or(other),
    };
    node.default = one.default.clone().or_else(|| other.default.clone());
    node
}

/// What is known of values that fit one of the two.
pub(super) fn either(builder: &mut Builder<'_>, one: &Node, other: &Node) -> Node {
    let mut node = one.clone();
    node.types = one.types.or(other.types);
    node.values = match (&one.values, &other.values) {
        (Some(values), Some(others)) => {
            let more = others.iter().filter(|value| !values.contains(value));
            Some(values.iter().chain(more).cloned().collect())
        }
        _ => None,
    };
    // What can be no object says nothing of fields.
    let is_object = |node: &Node| !node.types.and(Types::OBJECT).is_none();
    let (is_one, is_other) = (is_object(one), is_object(other));
    node.fields.clear();
    for (name, own) in one.fields.iter().chain(&other.fields) {
        let joined = match (one.fields.get(name), other.fields.get(name)) {
            (Some(one), Some(other)) => Field {
                node: pair(builder, Origin::Either, one.node, other.node),
                is_required: one.is_required && other.is_required,
            },
            (Some(_), None) => alone(own, is_other),
            _ => alone(own, is_one),
        };
        node.fields.insert(name.clone(), joined);
    }
    node.others = match (one.others, other.others) {
        (Others::Undeclared, Others::Undeclared) => Others::Undeclared,
        (Others::Like(one), Others::Like(other)) => {
            Others::Like(pair(builder, Origin::Either, one, other))
        }
        _ => Others::Untold,
    };
    let is_array = |node: &Node| !node.types.and(Types::ARRAY).is_none();
    node.items = match (one.items, other.items) {
        (Some(one), Some(other)) => Some(pair(builder, Origin::Either, one, other)),
        (items @ Some(_), None) if !is_array(other) => items,
        (None, items @ Some(_)) if !is_array(one) => items,
        _ => None,
    };
    node.default = None;
    node
}

/// A field that one of two alternatives declares. What the other allows there is not known, unless it
/// allows no object.
fn alone(field: &Field, other_may_be_object: bool) -> Field {
    match other_may_be_object {
        true => Field {
            node: UNKNOWN,
            is_required: false,
        },
        false => *field,
    }
}

fn pair(builder: &mut Builder<'_>, origin: fn(Id, Id) -> Origin, one: Id, other: Id) -> Id {
    let origin = origin(one, other);
    match (origin, one == UNKNOWN, other == UNKNOWN) {
        _ if one == other => one,
        // Nothing is known of the one: of both, the other is all that is known; of either, nothing.
        (Origin::Both(..), true, _) => other,
        (Origin::Both(..), _, true) => one,
        (_, true, _) | (_, _, true) => UNKNOWN,
        _ => builder.intern(origin, None),
    }
}
