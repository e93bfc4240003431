//! Changes while they are written.

use serde::Serialize;
use serde_json::Value;
use tidegate_model::{CodeInfo, Finding, Place, Severity};

use super::codes::HARMLESS;

/// Most changes that are listed; the last one says how many more there are.
const LISTED_MAX: usize = 20_000;
/// Most names of whom a change breaks, in its message; the list has them all.
const NAMED_MAX: usize = 5;
/// Most names in the list.
const AFFECTED_MAX: usize = 1_000;

/// How bad a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A promise of the past design to somebody else is no longer kept.
    Breaking,
    /// It breaks or not, depending on what no design says.
    Risky,
    /// It breaks nothing.
    Harmless,
}

impl Kind {
    /// The severity of its findings.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::Breaking => Severity::Error,
            Self::Risky => Severity::Warning,
            Self::Harmless => Severity::Note,
        }
    }

    /// The kind that a code usually is.
    pub(super) const fn of(info: &CodeInfo) -> Self {
        match info.severity {
            Severity::Error => Self::Breaking,
            Severity::Warning => Self::Risky,
            Severity::Note => Self::Harmless,
        }
    }
}

/// In which role somebody is touched by a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It consumes: `billing/OrderPlaced`.
    Consumer,
    /// It publishes: `orders`.
    Publisher,
}

/// Somebody whom a change touches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Affected {
    /// The role.
    pub role: Role,
    /// The consumer or the service.
    pub name: String,
    /// Who answers for the service.
    pub owner: Option<String>,
}

/// One difference between a design and what it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// How bad it is.
    pub kind: Kind,
    /// What is said about it; the place is in the new design, or in the past one when the element
    /// is there no longer.
    pub finding: Finding,
    /// A place in the new design in any case: the closest that is left.
    pub anchor: Place,
    /// What it was, as a design writes it.
    pub old: Option<String>,
    /// What it is, as a design writes it.
    pub new: Option<String>,
    /// Whom it touches.
    pub affected: Vec<Affected>,
    /// An event that breaks, of schemas.
    pub witness: Option<Value>,
    /// Why it is accepted nevertheless, and until when.
    pub accepted: Option<(String, String)>,
}

impl Change {
    /// The finding with its place in the new design: formats that show changes at the lines of the
    /// new design know no other file.
    #[must_use]
    pub fn anchored(&self) -> Finding {
        let mut finding = self.finding.clone();
        if finding.place != self.anchor {
            let past = std::mem::replace(&mut finding.place, self.anchor.clone());
            finding.related.insert(0, (past, "it was here".to_owned()));
        }
        finding
    }
}

/// The changes so far.
#[derive(Debug, Default)]
pub(super) struct Changes {
    list: Vec<Change>,
    beyond: usize,
    /// Takes what is not listed.
    unlisted: Vec<Change>,
}

impl Changes {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a change of the element at `path`, at a place in the new design.
    pub(super) fn add(
        &mut self,
        info: CodeInfo,
        place: &Place,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Draft<'_> {
        let change = Change {
            kind: Kind::of(&info),
            finding: Finding {
                code: info.code,
                severity: info.severity,
                place: place.clone(),
                path: path.into(),
                message: message.into(),
                hint: None,
                related: Vec::new(),
            },
            anchor: place.clone(),
            old: None,
            new: None,
            affected: Vec::new(),
            witness: None,
            accepted: None,
        };
        let list = if self.list.len() < LISTED_MAX {
            &mut self.list
        } else {
            self.beyond += 1;
            self.unlisted.clear();
            &mut self.unlisted
        };
        Draft {
            change: list.push_mut(change),
        }
    }

    /// Adds a change that breaks nothing.
    pub(super) fn harmless(
        &mut self,
        place: &Place,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Draft<'_> {
        self.add(HARMLESS, place, path, message)
    }

    /// All changes: breaking ones first, then by place, path and code.
    pub(super) fn finish(mut self) -> Vec<Change> {
        for change in &mut self.list {
            say_whom(change);
        }
        self.list.sort_by(|a, b| order(a).cmp(&order(b)));
        if let (true, Some(last)) = (self.beyond > 0, self.list.last_mut()) {
            let more = format!(" (and {} more changes that are not listed)", self.beyond);
            last.finding.message.push_str(&more);
        }
        self.list
    }
}

fn order(change: &Change) -> (Kind, &Place, &str, &str, &str) {
    let Finding {
        code,
        path,
        message,
        ..
    } = &change.finding;
    (change.kind, &change.anchor, path, code.0, message)
}

/// Whom it touches belongs to what is said: every format shows the message.
fn say_whom(change: &mut Change) {
    change.affected.sort();
    change.affected.dedup();
    if change.kind == Kind::Harmless || change.affected.is_empty() {
        return;
    }
    let verb = match change.kind {
        Kind::Breaking => "breaks",
        Kind::Risky | Kind::Harmless => "touches",
    };
    let named = change.affected.iter().take(NAMED_MAX);
    let names: Vec<String> = named
        .map(|one| match &one.owner {
            Some(owner) => format!("`{}` ({owner})", one.name),
            None => format!("`{}`", one.name),
        })
        .collect();
    let more = change.affected.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let whom = format!("; {verb} {}{more}", names.join(", "));
    change.finding.message.push_str(&whom);
}

/// The change just added, to be completed.
pub(super) struct Draft<'a> {
    change: &'a mut Change,
}

impl Draft<'_> {
    /// The next step.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        self.change.finding.hint = Some(hint.into());
        self
    }

    /// It was there, in the past design; the element is in both.
    pub(super) fn was_at(self, place: &Place) -> Self {
        let related = (place.clone(), "it was so here".to_owned());
        self.change.finding.related.push(related);
        self
    }

    /// The element is in the past design alone, there.
    pub(super) fn only_at(self, place: &Place) -> Self {
        self.change.finding.place = place.clone();
        self
    }

    /// Both values, as a design writes them.
    pub(super) fn values(self, old: Option<String>, new: Option<String>) -> Self {
        self.change.old = old;
        self.change.new = new;
        self
    }

    /// Whom it touches.
    pub(super) fn touches(self, affected: impl IntoIterator<Item = Affected>) -> Self {
        self.change
            .affected
            .extend(affected.into_iter().take(AFFECTED_MAX));
        self
    }

    /// Weighs other than the code's changes usually do.
    pub(super) fn weighing(self, kind: Kind) -> Self {
        self.change.kind = kind;
        self.change.finding.severity = kind.severity();
        self
    }

    /// An event that breaks.
    pub(super) fn witness(self, event: Option<Value>) -> Self {
        self.change.witness = event;
        self
    }
}
