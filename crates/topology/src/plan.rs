//! The way from what is there to what is wanted.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::desired::{Desired, Wanted};
use crate::resource::{Id, Kind, Settings, Topology, Value};
use crate::rules::{Step, goes_with, step};

/// What a change costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Something that is missing is made.
    Create,
    /// Something is changed in place; nothing is lost.
    Alter,
    /// Something may be lost: it is done only when it was confirmed by name.
    Destructive,
    /// It is not done here, but said.
    Manual,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It is made.
    Create,
    /// It is changed.
    Alter,
    /// It is deleted and made.
    Recreate,
    /// Nothing.
    Nothing,
}

/// A setting that is not as wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The setting.
    pub setting: String,
    /// What it is; absent where it is not set.
    pub from: Option<Value>,
    /// What it becomes.
    pub to: Value,
    /// Why.
    pub because: String,
}

/// A change of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which.
    #[serde(flatten)]
    pub id: Id,
    /// What it costs.
    pub class: Class,
    /// What is done.
    pub how: How,
    /// Why the resource is there, or what the change costs.
    pub reason: String,
    /// The name that has to be confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// Its settings that change.
    pub differences: Vec<Difference>,
    /// All of its settings afterwards.
    #[serde(skip)]
    pub becomes: Settings,
}

impl Change {
    /// Whether it is done, when these names were confirmed.
    #[must_use]
    pub fn is_allowed(&self, confirmed: &BTreeSet<String>) -> bool {
        let is_confirmed = |name: &String| confirmed.contains(name);
        self.how != How::Nothing && self.confirm.as_ref().is_none_or(is_confirmed)
    }
}

/// The changes, in the order in which they are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What is to be done.
    pub changes: Vec<Change>,
    /// What is there and no part of the design: it is left alone.
    pub unmanaged: Vec<Id>,
    /// What else is to be known, one sentence each.
    pub notes: Vec<String>,
}

impl Plan {
    /// What has to be done so that `actual` is as `desired`. Only settings that the design speaks of are looked at.
    #[must_use]
    pub fn new(desired: &Desired, actual: &Topology) -> Self {
        let wanted = desired.resources.iter();
        let mut changes: Vec<Change> = wanted
            .flat_map(|(id, wanted)| changes(id, wanted, actual.resources.get(id)))
            .collect();
        restore(desired, actual, &mut changes);
        changes.sort_by(|a, b| a.id.cmp(&b.id));
        let managed = |id: &&Id| !desired.resources.contains_key(*id);
        let unmanaged = actual.resources.keys().filter(managed);
        let notes = desired.notes.iter().chain(&actual.unread);
        Self {
            changes,
            unmanaged: unmanaged.cloned().collect(),
            notes: notes.cloned().collect(),
        }
    }

    /// Whether everything is as wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The names that a destructive change wants confirmed and that are not.
    #[must_use]
    pub fn unconfirmed(&self, confirmed: &BTreeSet<String>) -> BTreeSet<&str> {
        let names = self.changes.iter().filter_map(|c| c.confirm.as_deref());
        names.filter(|name| !confirmed.contains(*name)).collect()
    }
}

/// What a resource takes: at most one change that is done, and one that is not.
fn changes(id: &Id, wanted: &Wanted, found: Option<&Settings>) -> Vec<Change> {
    let Some(found) = found else {
        return vec![create(id, wanted, None)];
    };
    let mut done = Change {
        id: id.clone(),
        class: Class::Alter,
        how: How::Alter,
        reason: wanted.because.clone(),
        confirm: None,
        differences: Vec::new(),
        becomes: found.clone(),
    };
    let mut manual = Change {
        class: Class::Manual,
        how: How::Nothing,
        ..done.clone()
    };
    for (setting, want) in &wanted.settings {
        let from = found.get(setting);
        if want.rule.is_met(&want.value, from) {
            continue;
        }
        let to = want.rule.target(&want.value, from);
        let taken = step(id.kind, setting, (from, &to), wanted.keyed);
        let difference = Difference {
            setting: setting.clone(),
            from: from.cloned(),
            to,
            because: want.because.clone(),
        };
        match taken {
            Step::Alter => done.take(difference),
            Step::Manual(why) => {
                why.clone_into(&mut manual.reason);
                manual.differences.push(difference);
            }
            Step::Lossy(why) => {
                let how = done.how;
                destructive(&mut done, how, why);
                done.take(difference);
            }
            Step::Recreate(why) => {
                destructive(&mut done, How::Recreate, why);
                done.take(difference);
            }
        }
    }
    let changes = [done, manual].into_iter();
    changes.filter(|c| !c.differences.is_empty()).collect()
}

impl Change {
    fn take(&mut self, difference: Difference) {
        let (setting, to) = (difference.setting.clone(), difference.to.clone());
        self.becomes.insert(setting, to);
        self.differences.push(difference);
    }
}

fn destructive(change: &mut Change, how: How, why: &str) {
    change.class = Class::Destructive;
    change.how = how;
    why.clone_into(&mut change.reason);
    change.confirm = Some(change.id.name.clone());
}

fn create(id: &Id, wanted: &Wanted, confirm: Option<&str>) -> Change {
    let differences = wanted.settings.iter().map(|(setting, want)| Difference {
        setting: setting.clone(),
        from: None,
        to: want.value.clone(),
        because: want.because.clone(),
    });
    let settings = wanted.settings.iter();
    let becomes = settings.map(|(setting, want)| (setting.clone(), want.value.clone()));
    Change {
        id: id.clone(),
        class: match confirm {
            Some(_) => Class::Destructive,
            None => Class::Create,
        },
        how: How::Create,
        reason: wanted.because.clone(),
        confirm: confirm.map(str::to_owned),
        differences: differences.collect(),
        becomes: becomes.collect(),
    }
}

/// What goes with a resource that is made anew is made anew after it.
fn restore(desired: &Desired, actual: &Topology, changes: &mut Vec<Change>) {
    let anew: Vec<(Kind, String)> = changes
        .iter()
        .filter(|change| change.how == How::Recreate)
        .map(|change| (change.id.kind, change.id.name.clone()))
        .collect();
    for (id, wanted) in &desired.resources {
        let Some(settings) = actual.resources.get(id) else {
            continue;
        };
        let parent = anew
            .iter()
            .find(|(kind, name)| goes_with(id.kind, settings, (*kind, name)));
        if let Some((_, name)) = parent {
            changes.retain(|change| change.id != *id);
            changes.push(create(id, wanted, Some(name)));
        }
    }
}

impl Topology {
    /// What a broker has once the changes that are allowed are made: the model of what adapters do.
    pub fn apply(&mut self, plan: &Plan, confirmed: &BTreeSet<String>) {
        for change in &plan.changes {
            if !change.is_allowed(confirmed) {
                continue;
            }
            if change.how == How::Recreate {
                let deleted = (change.id.kind, change.id.name.as_str());
                self.resources
                    .retain(|id, settings| !goes_with(id.kind, settings, deleted));
            }
            self.resources
                .insert(change.id.clone(), change.becomes.clone());
        }
    }
}
