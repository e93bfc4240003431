//! The path of an element in a design: `services.billing.consumes.OrderPlaced.needs[0]`.

use std::borrow::Cow;
use std::fmt;

use crate::findings::excerpt;

/// A path, as a chain of steps on the stack: it costs nothing until it is printed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'p> {
    /// The design itself; prints as nothing.
    Root,
    /// An entry of what the path leads to.
    Field(&'p Path<'p>, &'p str),
    /// An item of what the path leads to, counted from 0.
    Item(&'p Path<'p>, usize),
}

impl<'p> Path<'p> {
    pub(crate) fn field(&'p self, name: &'p str) -> Self {
        Self::Field(self, name)
    }

    pub(crate) fn item(&'p self, index: usize) -> Self {
        Self::Item(self, index)
    }

    /// The last name on the path, as a message may repeat it; empty for the design itself.
    pub(crate) fn name(&self) -> Cow<'p, str> {
        match self {
            Self::Root => Cow::Borrowed(""),
            Self::Field(_, name) => excerpt(name),
            Self::Item(parent, _) => parent.name(),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(&excerpt(name)),
            Self::Field(parent, name) => write!(f, "{parent}.{}", excerpt(name)),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}
