//! What the registry promises, said as simply as it can be: lists, and a table of what reads what.

use std::collections::BTreeMap;

use tidegate_compat::Mode;
use tidegate_registry::{Access, Listed};
use tidegate_runtime::Registry;

pub(crate) const SUBJECTS: [&str; 3] = ["a-value", "b-value", "c/x y"];

/// The third asks for a field that no other has, the last is of another kind.
pub(crate) const SCHEMAS: [&str; 4] = [
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"b","type":"int","default":0}]}"#,
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"c","type":"string"}]}"#,
    r#""string""#,
];

/// Whether the first reads what the second wrote, worked out by hand.
const READS: [[bool; 4]; 4] = [
    [true, true, true, false],
    [true, true, true, false],
    [false, false, true, false],
    [false, false, false, true],
];

#[derive(Clone, Copy, PartialEq)]
struct Version {
    number: u32,
    schema: usize,
    deleted: bool,
}

#[derive(Default)]
pub(crate) struct Model {
    /// The number of each schema, while a version has it.
    ids: BTreeMap<usize, u32>,
    last: u32,
    versions: BTreeMap<usize, Vec<Version>>,
    levels: BTreeMap<Option<usize>, Mode>,
    accesses: BTreeMap<Option<usize>, Access>,
}

/// The live subjects with their versions and numbers: what the model and the registry are compared by.
pub(crate) type Seen = Vec<(String, Vec<(u32, u32, bool)>)>;

pub(crate) fn seen(registry: &Registry) -> Seen {
    let index = registry.index();
    let all = index.schemas("", Listed::All, false);
    let mut seen: BTreeMap<String, Vec<(u32, u32, bool)>> = BTreeMap::new();
    for one in all {
        let versions = seen.entry(one.subject).or_default();
        versions.push((one.version, one.id, one.is_deleted));
    }
    seen.into_iter().collect()
}

impl Model {
    pub(crate) fn seen(&self) -> Seen {
        let mut seen: Seen = Vec::new();
        for (subject, versions) in &self.versions {
            let versions = versions.iter();
            let versions: Vec<_> = versions
                .map(|one| (one.number, self.ids[&one.schema], one.deleted))
                .collect();
            if !versions.is_empty() {
                seen.push((SUBJECTS[*subject].to_owned(), versions));
            }
        }
        seen.sort();
        seen
    }

    fn access(&self, subject: Option<usize>) -> Access {
        let own = subject.and_then(|subject| self.accesses.get(&Some(subject)));
        let all = self.accesses.get(&None);
        own.or(all).copied().unwrap_or_default()
    }

    fn writable(&self, subject: Option<usize>) -> Result<(), u32> {
        if self.access(subject) == Access::ReadOnly {
            return Err(42205);
        }
        Ok(())
    }

    fn level(&self, subject: usize) -> Mode {
        let own = self.levels.get(&Some(subject));
        let all = self.levels.get(&None);
        own.or(all).copied().unwrap_or(Mode::Backward)
    }

    pub(crate) fn register(&mut self, subject: usize, schema: usize) -> Result<(u32, u32), u32> {
        self.writable(Some(subject))?;
        let versions = self.versions.entry(subject).or_default().clone();
        let live: Vec<Version> = versions
            .iter()
            .copied()
            .filter(|one| !one.deleted)
            .collect();
        if let Some(known) = live.iter().rev().find(|one| one.schema == schema) {
            return Ok((self.ids[&schema], known.number));
        }
        if self.access(Some(subject)) == Access::Import {
            return Err(42205);
        }
        let level = self.level(subject);
        let olds: Vec<usize> = live.iter().map(|one| one.schema).collect();
        let olds = match level {
            Mode::BackwardTransitive | Mode::ForwardTransitive | Mode::FullTransitive => &olds[..],
            Mode::None => &[],
            _ => &olds[olds.len().saturating_sub(1)..],
        };
        let backward = olds.iter().all(|old| READS[schema][*old]);
        let forward = olds.iter().all(|old| READS[*old][schema]);
        let fits = match level {
            Mode::None => true,
            Mode::Backward | Mode::BackwardTransitive => backward,
            Mode::Forward | Mode::ForwardTransitive => forward,
            Mode::Full | Mode::FullTransitive => backward && forward,
        };
        if !fits {
            return Err(40901);
        }
        let id = match self.ids.get(&schema) {
            Some(id) => *id,
            None => {
                self.last += 1;
                self.ids.insert(schema, self.last);
                self.last
            }
        };
        let number = versions.last().map_or(0, |last| last.number) + 1;
        self.versions.entry(subject).or_default().push(Version {
            number,
            schema,
            deleted: false,
        });
        Ok((id, number))
    }

    /// Forgets schemas that no version has, and what is said for subjects without live versions.
    fn tidy(&mut self, subject: usize) {
        self.versions.retain(|_, versions| !versions.is_empty());
        let used = |schema: usize| {
            let mut all = self.versions.values().flatten();
            all.any(|one| one.schema == schema)
        };
        let gone: Vec<usize> = self.ids.keys().copied().filter(|one| !used(*one)).collect();
        for schema in gone {
            self.ids.remove(&schema);
        }
        let versions = self.versions.get(&subject).into_iter().flatten();
        if versions.filter(|one| !one.deleted).count() == 0 {
            self.levels.remove(&Some(subject));
            self.accesses.remove(&Some(subject));
        }
    }

    pub(crate) fn delete_subject(
        &mut self,
        subject: usize,
        permanent: bool,
    ) -> Result<Vec<u32>, u32> {
        self.writable(Some(subject))?;
        let versions = self.versions.get(&subject).cloned().unwrap_or_default();
        if versions.is_empty() {
            return Err(40401);
        }
        let live = versions.iter().any(|one| !one.deleted);
        let deleted = match (permanent, live) {
            (true, true) => return Err(40405),
            (false, false) => return Err(40404),
            (true, false) => {
                self.versions.remove(&subject);
                versions.iter().map(|one| one.number).collect()
            }
            (false, true) => {
                let all = self.versions.entry(subject).or_default();
                all.iter_mut().for_each(|one| one.deleted = true);
                let chosen = versions.iter().filter(|one| !one.deleted);
                chosen.map(|one| one.number).collect()
            }
        };
        self.tidy(subject);
        Ok(deleted)
    }

    pub(crate) fn delete_version(
        &mut self,
        subject: usize,
        version: Option<u32>,
        permanent: bool,
    ) -> Result<u32, u32> {
        self.writable(Some(subject))?;
        let versions = self.versions.get(&subject).cloned().unwrap_or_default();
        let live = versions.iter().rev().find(|one| !one.deleted);
        let found = match version {
            None if permanent => versions.last(),
            None => live,
            Some(number) => versions.iter().find(|one| one.number == number),
        };
        let is_empty = match version {
            None if !permanent => live.is_none(),
            _ => versions.is_empty(),
        };
        let Some(found) = found.copied() else {
            return Err(if is_empty { 40401 } else { 40402 });
        };
        match (permanent, found.deleted) {
            (true, false) => return Err(40407),
            (false, true) => return Err(40406),
            (true, true) => {
                let all = self.versions.entry(subject).or_default();
                all.retain(|one| *one != found);
            }
            (false, false) => {
                let all = self.versions.entry(subject).or_default();
                let one = all.iter_mut().find(|one| **one == found).unwrap();
                one.deleted = true;
            }
        }
        self.tidy(subject);
        Ok(found.number)
    }

    pub(crate) fn set_config(&mut self, subject: Option<usize>, mode: Mode) -> Result<(), u32> {
        self.writable(subject)?;
        self.levels.insert(subject, mode);
        Ok(())
    }

    pub(crate) fn delete_config(&mut self, subject: Option<usize>) -> Result<Mode, u32> {
        self.writable(subject)?;
        match (self.levels.remove(&subject), subject) {
            (Some(level), _) => Ok(level),
            (None, None) => Ok(Mode::Backward),
            (None, Some(_)) => Err(40401),
        }
    }

    pub(crate) fn set_access(&mut self, subject: Option<usize>, access: Access) -> Result<(), u32> {
        let live = |versions: &Vec<Version>| versions.iter().any(|one| !one.deleted);
        let has_some = match subject {
            Some(subject) => self.versions.get(&subject).is_some_and(live),
            None => self.versions.values().any(live),
        };
        let before = self.accesses.get(&subject);
        if access == Access::Import && has_some && before != Some(&Access::Import) {
            return Err(42205);
        }
        self.accesses.insert(subject, access);
        Ok(())
    }

    pub(crate) fn delete_access(&mut self, subject: Option<usize>) -> Result<Access, u32> {
        match (self.accesses.remove(&subject), subject) {
            (Some(access), _) => Ok(access),
            (None, None) => Ok(Access::default()),
            (None, Some(_)) => Err(40401),
        }
    }
}
