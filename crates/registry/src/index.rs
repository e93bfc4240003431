//! What is registered, and what can be asked about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tidegate_compat::Mode;

use crate::body::Body;
use crate::candidate::{Prepared, identity_now};
use crate::command::{Rules, VersionWanted};
use crate::error::ApiError;
use crate::record::{Access, Config, Record, VersionState};

/// A schema in the index.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) identity: String,
    /// What it is recognised by now, where it was written down with another one.
    identity_now: Option<String>,
    pub(crate) body: Arc<Body>,
}

impl Stored {
    fn identities(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.identity).chain(&self.identity_now)
    }
}

/// A version in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: u32,
    pub(crate) is_deleted: bool,
}

/// A version of a subject with its schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned {
    /// The subject.
    pub subject: String,
    /// The number of the version.
    pub version: u32,
    /// The number of the schema.
    pub id: u32,
    /// What the schema is called in every registry.
    pub guid: String,
    /// Whether it is hidden.
    pub is_deleted: bool,
    /// The schema.
    pub body: Arc<Body>,
}

/// Which versions are meant by a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listed {
    /// Those that are there.
    #[default]
    Live,
    /// Hidden ones too.
    All,
    /// Hidden ones alone.
    Deleted,
}

impl Listed {
    /// What the parameters `deleted` and `deletedOnly` ask for.
    #[must_use]
    pub const fn of(deleted: bool, deleted_only: bool) -> Self {
        match (deleted, deleted_only) {
            (_, true) => Self::Deleted,
            (true, false) => Self::All,
            (false, false) => Self::Live,
        }
    }

    const fn takes(self, is_deleted: bool) -> bool {
        match self {
            Self::Live => !is_deleted,
            Self::All => true,
            Self::Deleted => is_deleted,
        }
    }
}

/// What is registered. Only [`Index::apply`] changes it.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// By what is decided, beside what is registered.
    pub rules: Rules,
    pub(crate) schemas: BTreeMap<u32, Stored>,
    /// Schemas that were written down before may be one by what they are recognised by now.
    by_identity: HashMap<String, BTreeSet<u32>>,
    by_guid: HashMap<String, u32>,
    pub(crate) subjects: BTreeMap<String, BTreeMap<u32, Entry>>,
    /// By subject; of everything without one.
    pub(crate) configs: BTreeMap<Option<String>, Config>,
    pub(crate) accesses: BTreeMap<Option<String>, Access>,
    /// The highest number that was ever given.
    pub(crate) last_id: u32,
    pub(crate) bytes: usize,
    pub(crate) versions: usize,
}

impl Index {
    /// Takes in what was written down.
    pub fn apply(&mut self, record: Record) {
        match record {
            Record::Schema { id, identity, body } => self.apply_schema(id, identity, body),
            Record::Version {
                subject,
                version,
                id,
                state,
            } => {
                let versions = self.subjects.entry(subject.clone()).or_default();
                let is_deleted = state == VersionState::Deleted;
                let before = if state == VersionState::Gone {
                    versions.remove(&version).map_or(0, |_| 1)
                } else {
                    self.versions += 1;
                    let before = versions.insert(version, Entry { id, is_deleted });
                    before.map_or(0, |_| 1)
                };
                self.versions = self.versions.saturating_sub(before);
                if versions.is_empty() {
                    self.subjects.remove(&subject);
                }
            }
            Record::Config { subject, config } => {
                match config {
                    Some(config) => self.configs.insert(subject, config),
                    None => self.configs.remove(&subject),
                };
            }
            Record::Access { subject, access } => {
                match access {
                    Some(access) => self.accesses.insert(subject, access),
                    None => self.accesses.remove(&subject),
                };
            }
        }
    }

    fn apply_schema(&mut self, id: u32, identity: String, body: Option<Body>) {
        self.last_id = self.last_id.max(id);
        if let Some(before) = self.schemas.remove(&id) {
            self.bytes = self.bytes.saturating_sub(before.body.bytes());
            self.by_guid.remove(&guid(&before.identity));
            for identity in before.identities() {
                if let Some(ids) = self.by_identity.get_mut(identity) {
                    ids.remove(&id);
                    if ids.is_empty() {
                        self.by_identity.remove(identity);
                    }
                }
            }
        }
        if let Some(body) = body {
            self.bytes = self.bytes.saturating_add(body.bytes());
            self.by_guid.insert(guid(&identity), id);
            let now = identity_now(&body).filter(|now| *now != identity);
            let stored = Stored {
                identity,
                identity_now: now,
                body: Arc::new(body),
            };
            for identity in stored.identities() {
                let ids = self.by_identity.entry(identity.clone()).or_default();
                ids.insert(id);
            }
            self.schemas.insert(id, stored);
        }
    }

    /// The numbers of the schemas that are this one: first the one that was told apart from the
    /// others when it was written down.
    pub(crate) fn known(&self, prepared: &Prepared) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::new();
        for identity in [&prepared.former_identity, &prepared.identity] {
            let ids = self.by_identity.get(identity).into_iter().flatten();
            for id in ids {
                if !found.contains(id) {
                    found.push(*id);
                }
            }
        }
        found
    }

    /// The names of subjects that begin so.
    #[must_use]
    pub fn subjects(&self, listed: Listed, prefix: &str) -> Vec<String> {
        let all = self.subjects.iter();
        let all = all.filter(|(name, versions)| {
            let has = |is_deleted| versions.values().any(|one| one.is_deleted == is_deleted);
            let fits = match listed {
                Listed::Live => has(false),
                Listed::All => true,
                Listed::Deleted => !has(false),
            };
            fits && name.starts_with(prefix)
        });
        all.map(|(name, _)| name.clone()).collect()
    }

    /// The versions of a subject.
    ///
    /// # Errors
    ///
    /// 40401 when there is none.
    pub fn versions(&self, subject: &str, listed: Listed) -> Result<Vec<u32>, ApiError> {
        let found: Vec<u32> = self.entries(subject, listed).map(|(n, _)| n).collect();
        let is_known = match listed {
            Listed::Live => !found.is_empty(),
            Listed::All | Listed::Deleted => self.subjects.contains_key(subject),
        };
        if is_known {
            Ok(found)
        } else {
            Err(ApiError::subject(subject))
        }
    }

    pub(crate) fn entries(
        &self,
        subject: &str,
        listed: Listed,
    ) -> impl DoubleEndedIterator<Item = (u32, Entry)> {
        let versions = self.subjects.get(subject).into_iter().flatten();
        let versions = versions.map(|(version, entry)| (*version, *entry));
        versions.filter(move |(_, entry)| listed.takes(entry.is_deleted))
    }

    /// A version of a subject.
    ///
    /// # Errors
    ///
    /// 40401 or 40402 when there is none.
    pub fn version(
        &self,
        subject: &str,
        wanted: VersionWanted,
        listed: Listed,
    ) -> Result<Versioned, ApiError> {
        let found = match wanted {
            VersionWanted::Latest => self.entries(subject, listed).next_back(),
            VersionWanted::Number(number) => {
                let mut all = self.entries(subject, listed);
                all.find(|(version, _)| *version == number)
            }
        };
        if let Some(found) = found.and_then(|(number, entry)| self.whole(subject, number, entry)) {
            return Ok(found);
        }
        if self.entries(subject, listed).next().is_none() {
            return Err(ApiError::subject(subject));
        }
        Err(match wanted {
            VersionWanted::Latest => ApiError::version(-1),
            VersionWanted::Number(number) => ApiError::version(number),
        })
    }

    pub(crate) fn whole(&self, subject: &str, version: u32, entry: Entry) -> Option<Versioned> {
        let stored = self.schemas.get(&entry.id)?;
        Some(Versioned {
            subject: subject.to_owned(),
            version,
            id: entry.id,
            guid: guid(&stored.identity),
            is_deleted: entry.is_deleted,
            body: Arc::clone(&stored.body),
        })
    }

    /// Every version of every subject that begins so; the newest of each alone, if that is asked.
    #[must_use]
    pub fn schemas(&self, prefix: &str, listed: Listed, latest_only: bool) -> Vec<Versioned> {
        let mut found = Vec::new();
        for name in self.subjects(Listed::All, prefix) {
            let all = self.entries(&name, listed);
            let most = if latest_only { 1 } else { usize::MAX };
            let mut chosen: Vec<_> = all.rev().take(most).collect();
            chosen.reverse();
            let whole = chosen.into_iter();
            found.extend(whole.filter_map(|(number, entry)| self.whole(&name, number, entry)));
        }
        found
    }

    /// A schema by its number.
    ///
    /// # Errors
    ///
    /// 40403 when there is none.
    pub fn by_id(&self, id: u32) -> Result<Arc<Body>, ApiError> {
        let stored = self.schemas.get(&id).ok_or_else(|| ApiError::schema(id))?;
        Ok(Arc::clone(&stored.body))
    }

    /// What a schema is called in every registry.
    #[must_use]
    pub fn guid_of(&self, id: u32) -> Option<String> {
        self.schemas.get(&id).map(|stored| guid(&stored.identity))
    }

    /// The number of the schema that is called so in every registry.
    ///
    /// # Errors
    ///
    /// 40403 when there is none.
    pub fn by_guid(&self, guid: &str) -> Result<u32, ApiError> {
        let found = self.by_guid.get(&guid.to_ascii_lowercase());
        found.copied().ok_or_else(|| ApiError::schema(guid))
    }

    /// The highest number that was ever given.
    #[must_use]
    pub const fn last_id(&self) -> u32 {
        self.last_id
    }

    /// The subjects that have a schema, and as which version.
    ///
    /// # Errors
    ///
    /// 40403 when there is no such schema.
    pub fn uses(&self, id: u32, listed: Listed) -> Result<Vec<(String, u32)>, ApiError> {
        self.by_id(id)?;
        let mut found = Vec::new();
        for subject in self.subjects.keys() {
            let entries = self.entries(subject, listed);
            let entries = entries.filter(|(_, entry)| entry.id == id);
            found.extend(entries.map(|(version, _)| (subject.clone(), version)));
        }
        Ok(found)
    }

    /// Whether a schema is, or was until it was hidden, a version of a subject.
    #[must_use]
    pub fn has(&self, subject: &str, id: u32) -> bool {
        let mut all = self.entries(subject, Listed::All);
        all.any(|(_, entry)| entry.id == id)
    }

    /// The numbers of the schemas that use a version of a subject.
    #[must_use]
    pub fn referenced_by(&self, subject: &str, version: u32, listed: Listed) -> Vec<u32> {
        let used = self.used_versions(subject, listed).remove(&version);
        used.unwrap_or_default().into_iter().collect()
    }

    /// The versions of a subject that are used, with the schemas that do.
    pub(crate) fn used_versions(
        &self,
        subject: &str,
        listed: Listed,
    ) -> BTreeMap<u32, BTreeSet<u32>> {
        let mut used: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for entry in self.subjects.values().flat_map(BTreeMap::values) {
            let body = self.schemas.get(&entry.id).map(|stored| &stored.body);
            let references = body.map(|body| body.references.as_slice());
            let references = references.unwrap_or_default().iter();
            for one in references.filter(|one| one.subject == subject) {
                if listed.takes(entry.is_deleted) {
                    used.entry(one.version).or_default().insert(entry.id);
                }
            }
        }
        used
    }

    /// The schemas of all versions but these of one subject.
    pub(crate) fn ids_beside(&self, subject: &str, versions: &[u32]) -> BTreeSet<u32> {
        let without: BTreeSet<u32> = versions.iter().copied().collect();
        let mut ids = BTreeSet::new();
        for (name, entries) in &self.subjects {
            let entries = entries.iter();
            let entries =
                entries.filter(|(version, _)| name != subject || !without.contains(version));
            ids.extend(entries.map(|(_, entry)| entry.id));
        }
        ids
    }

    /// What is said for a subject, or for all; of a subject of the design, what the design says.
    #[must_use]
    pub fn config(&self, subject: Option<&str>) -> Option<Config> {
        if let Some(level) = subject.and_then(|subject| self.rules.governed.get(subject)) {
            return Some(Config {
                compatibility: Some(*level),
                ..Config::default()
            });
        }
        let said = self.configs.get(&subject.map(str::to_owned)).cloned();
        said.or_else(|| {
            subject.is_none().then(|| Config {
                compatibility: Some(Mode::Backward),
                ..Config::default()
            })
        })
    }

    /// What holds for a subject: what is said for it, and where nothing is, what is said for all.
    #[must_use]
    pub fn config_of(&self, subject: &str) -> Config {
        let all = self.config(None).unwrap_or_default();
        let own = self.config(Some(subject)).unwrap_or_default();
        let level = own.compatibility.or(all.compatibility);
        Config {
            compatibility: Some(level.unwrap_or(Mode::Backward)),
            normalize: own.normalize.or(all.normalize),
            compatibility_group: own.compatibility_group.or(all.compatibility_group),
        }
    }

    /// What may be done with a subject, where it is said for it; with everything without one.
    #[must_use]
    pub fn access(&self, subject: Option<&str>) -> Option<Access> {
        let said = self.accesses.get(&subject.map(str::to_owned)).copied();
        said.or_else(|| subject.is_none().then(Access::default))
    }

    /// What may be done with a subject.
    #[must_use]
    pub fn access_of(&self, subject: &str) -> Access {
        let own = self.access(Some(subject));
        own.or_else(|| self.access(None)).unwrap_or_default()
    }
}

/// The first half of what a schema is recognised by, as a GUID is written.
pub(crate) fn guid(identity: &str) -> String {
    let part = |from: usize, to: usize| identity.get(from..to).unwrap_or_default();
    let parts = [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ];
    parts.join("-")
}
