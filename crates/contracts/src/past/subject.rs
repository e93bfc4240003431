//! One element that is in both designs, and the comparison of its fields that are quantities.

use std::cmp::Ordering;
use std::fmt::Display;
use std::time::Duration;

use tidegate_base::format_duration;
use tidegate_model::design::Located;
use tidegate_model::{CodeInfo, Place};

use super::changes::{Affected, Changes};

/// An element that is in both designs.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    /// As in [`tidegate_model::Finding::path`].
    pub(super) path: String,
    /// What people call it: `event `OrderPlaced``.
    pub(super) label: String,
    /// Where it was, and where it is.
    pub(super) places: (&'a Place, &'a Place),
    /// Whom its changes touch.
    pub(super) affected: Vec<Affected>,
}

/// What a change of a quantity is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Judged {
    /// It breaks nothing.
    Harmless,
    /// It has a code; with why, and the next step.
    As(CodeInfo, &'static str, &'static str),
}

/// How a quantity is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// When it is lower than it was.
    pub(super) lower: Judged,
    /// When it is higher.
    pub(super) higher: Judged,
    /// Whether absence is more than any value, as of a limit, or less, as of a promise.
    pub(super) absent: Ordering,
}

/// A value as a design writes it.
pub(super) trait Shown {
    /// The text.
    fn shown(&self) -> String;
}

impl Shown for Duration {
    fn shown(&self) -> String {
        format_duration(*self)
    }
}

macro_rules! shown_as_displayed {
    ($($type:ty),+) => {
        $(impl Shown for $type {
            fn shown(&self) -> String {
                self.to_string()
            }
        })+
    };
}

shown_as_displayed!(
    u32,
    String,
    tidegate_base::Bytes,
    tidegate_base::Rate,
    tidegate_base::Ratio
);

impl Subject<'_> {
    /// The path of a field.
    pub(super) fn path_of(&self, field: &str) -> String {
        format!("{}.{field}", self.path)
    }

    /// Compares a quantity.
    pub(super) fn quantity<T: PartialOrd + Shown>(
        &self,
        changes: &mut Changes,
        field: &str,
        (old, new): (Option<&Located<T>>, Option<&Located<T>>),
        scale: Scale,
    ) {
        let moved = match (old, new) {
            (Some(old), Some(new)) => new.value.partial_cmp(&old.value).unwrap_or(Ordering::Equal),
            (None, None) => Ordering::Equal,
            (Some(_), None) => scale.absent,
            (None, Some(_)) => scale.absent.reverse(),
        };
        let judged = match moved {
            Ordering::Equal => return,
            Ordering::Less => scale.lower,
            Ordering::Greater => scale.higher,
        };
        self.moved(changes, field, (old, new), judged);
    }

    /// Says that a field has another value.
    pub(super) fn moved<T: Shown>(
        &self,
        changes: &mut Changes,
        field: &str,
        (old, new): (Option<&Located<T>>, Option<&Located<T>>),
        judged: Judged,
    ) {
        let text = |value: Option<&Located<T>>| value.map(|value| value.value.shown());
        let values = (text(old), text(new));
        let places = (
            old.map_or(self.places.0, |old| &old.place),
            new.map_or(self.places.1, |new| &new.place),
        );
        self.says(changes, field, places, values, judged);
    }

    /// Says that a field of words has another one; nothing when it has the same.
    pub(super) fn word<T: PartialEq + Display>(
        &self,
        changes: &mut Changes,
        field: &str,
        (old, new): (&T, &T),
        judged: Judged,
    ) {
        if old != new {
            let values = (Some(old.to_string()), Some(new.to_string()));
            self.says(changes, field, self.places, values, judged);
        }
    }

    /// As [`Subject::word`], of a word whose place is known.
    pub(super) fn located<T: PartialEq + Display>(
        &self,
        changes: &mut Changes,
        field: &str,
        (old, new): (&Located<T>, &Located<T>),
        judged: Judged,
    ) {
        if old.value != new.value {
            let values = (Some(old.value.to_string()), Some(new.value.to_string()));
            self.says(changes, field, (&old.place, &new.place), values, judged);
        }
    }

    /// Says that a text is another one; nothing when it is the same.
    pub(super) fn text(
        &self,
        changes: &mut Changes,
        field: &str,
        old: Option<&String>,
        new: Option<&String>,
    ) {
        if old != new {
            let message = match new {
                Some(_) => format!("`{field}` of {} is another text", self.label),
                None => format!("`{field}` of {} was removed", self.label),
            };
            let draft = changes.harmless(self.places.1, self.path_of(field), message);
            draft
                .was_at(self.places.0)
                .values(old.cloned(), new.cloned());
        }
    }

    /// Says who answers for it now.
    pub(super) fn owner(
        &self,
        changes: &mut Changes,
        old: Option<&Located<String>>,
        new: Option<&Located<String>>,
    ) {
        if old.map(|old| &old.value) != new.map(|new| &new.value) {
            self.moved(changes, "owner", (old, new), Judged::Harmless);
        }
    }

    fn says(
        &self,
        changes: &mut Changes,
        field: &str,
        (old_place, new_place): (&Place, &Place),
        (old, new): (Option<String>, Option<String>),
        judged: Judged,
    ) {
        let moved = match (&old, &new) {
            (Some(old), Some(new)) => format!("is {new}, was {old}"),
            (None, Some(new)) => format!("is {new}, was absent"),
            (Some(old), None) => format!("was removed, was {old}"),
            (None, None) => "changed".to_owned(),
        };
        let path = self.path_of(field);
        let message = format!("`{field}` of {} {moved}", self.label);
        match judged {
            Judged::Harmless => changes.harmless(new_place, path, message),
            Judged::As(info, why, hint) => changes
                .add(info, new_place, path, format!("{message}: {why}"))
                .hint(hint)
                .touches(self.affected.iter().cloned()),
        }
        .was_at(old_place)
        .values(old, new);
    }
}

/// A quantity of which less is worse; absence is more than any value.
pub(super) const fn limit(info: CodeInfo, why: &'static str, hint: &'static str) -> Scale {
    Scale {
        lower: Judged::As(info, why, hint),
        higher: Judged::Harmless,
        absent: Ordering::Greater,
    }
}

/// A quantity of which neither is worse.
pub(super) const FREE: Scale = Scale {
    lower: Judged::Harmless,
    higher: Judged::Harmless,
    absent: Ordering::Greater,
};
