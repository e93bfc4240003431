//! What a command does: the answer, and what is to be written down before it is given.

use tidegate_base::limit::{
    REGISTRY_BYTES_MAX, REGISTRY_SCHEMAS_MAX, REGISTRY_SETTINGS_MAX, REGISTRY_SUBJECT_BYTES_MAX,
    REGISTRY_VERSIONS_MAX,
};

use crate::body::Body;
use crate::candidate::{Prepared, prepare};
use crate::command::{Command, ConfigChange, Done, VersionWanted};
use crate::error::ApiError;
use crate::index::{Index, Listed};
use crate::judge::{Judgement, judge};
use crate::record::{Access, Config, Record, VersionState};

/// What a command comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The answer, to be given once the records are durable.
    pub done: Done,
    /// To be written together, then applied.
    pub records: Vec<Record>,
    /// What the change breaks that was made nevertheless.
    pub broken: Option<Judgement>,
}

/// Decides a command. Nothing changes until its records are applied. `keep_going` bounds the
/// comparison of schemas.
///
/// # Errors
///
/// [`ApiError`] when it is refused.
pub fn decide(
    index: &Index,
    command: Command,
    keep_going: &dyn Fn() -> bool,
) -> Result<Decided, ApiError> {
    match command {
        Command::Register {
            subject,
            body,
            normalize,
            id,
            version,
        } => {
            let deciding = Deciding { index, keep_going };
            deciding.register(&subject, body, normalize, (id, version))
        }
        Command::Govern { subject, body } => Deciding { index, keep_going }.govern(&subject, body),
        Command::DeleteSubject { subject, permanent } => delete_subject(index, &subject, permanent),
        Command::DeleteVersion {
            subject,
            version,
            permanent,
        } => delete_version(index, &subject, version, permanent),
        Command::SetConfig { subject, change } => set_config(index, subject, change),
        Command::DeleteConfig { subject } => delete_config(index, subject),
        Command::SetAccess {
            subject,
            access,
            force,
        } => set_access(index, subject, access, force),
        Command::DeleteAccess { subject } => delete_access(index, subject),
    }
}

fn done(done: Done, records: Vec<Record>) -> Decided {
    Decided {
        done,
        records,
        broken: None,
    }
}

/// A name that a subject can have.
pub(crate) fn check_subject(subject: &str) -> Result<(), ApiError> {
    let wrong = subject.is_empty() || subject.chars().any(char::is_control);
    let reserved = ["__GLOBAL", "__EMPTY"].contains(&subject);
    if wrong || reserved || subject.len() > REGISTRY_SUBJECT_BYTES_MAX {
        let shown: String = subject
            .chars()
            .filter(|c| !c.is_control())
            .take(100)
            .collect();
        return Err(ApiError::new(
            42208,
            format!(
                "The specified subject '{shown}' is not a valid subject: 1 to {REGISTRY_SUBJECT_BYTES_MAX} bytes \
                 without control characters"
            ),
        ));
    }
    if subject.starts_with(':') {
        let message = "contexts are not supported: name the subject without `:.context:`";
        return Err(ApiError::new(42208, message));
    }
    Ok(())
}

fn check_writable(index: &Index, subject: Option<&str>) -> Result<(), ApiError> {
    let access = match subject {
        Some(subject) => index.access_of(subject),
        None => index.access(None).unwrap_or_default(),
    };
    if access == Access::ReadOnly {
        let what = subject.unwrap_or("of all");
        return Err(ApiError::not_permitted(format!(
            "Subject {what} is in read-only mode"
        )));
    }
    Ok(())
}

struct Deciding<'a> {
    index: &'a Index,
    keep_going: &'a dyn Fn() -> bool,
}

impl Deciding<'_> {
    fn register(
        &self,
        subject: &str,
        body: Body,
        normalize: bool,
        (id, version): (Option<u32>, Option<u32>),
    ) -> Result<Decided, ApiError> {
        let index = self.index;
        check_subject(subject)?;
        check_writable(index, Some(subject))?;
        let config = index.config_of(subject);
        let normalize = normalize || config.normalize.unwrap_or_default();
        let prepared = prepare(index, body, normalize, Listed::Live)?;
        if let Some(known) = index.find(subject, &prepared, Listed::Live)
            && id.is_none_or(|id| id == known.id)
            && version.is_none_or(|version| version == known.version)
        {
            let (id, version) = (known.id, known.version);
            return Ok(done(Done::Registered { id, version }, Vec::new()));
        }
        let is_import = index.access_of(subject) == Access::Import;
        let is_governed = index.rules.governed.contains_key(subject);
        if is_governed && is_import {
            return Err(ApiError::governed(subject, "the schema"));
        }
        if !is_import && id.or(version).is_some() {
            let message = format!("Subject {subject} is not in import mode");
            return Err(ApiError::not_permitted(message));
        }
        if is_import && id.is_none() {
            let message = format!("Subject {subject} is in import mode: give an `id`");
            return Err(ApiError::not_permitted(message));
        }
        if !is_import {
            let judgement = judge(index, subject, &prepared, false, self.keep_going)?;
            if !judgement.is_compatible() {
                return Err(self.incompatible(subject, &prepared, judgement));
            }
        }
        self.add(subject, prepared, (id, version))
    }

    /// What is refused is explained by events too.
    fn incompatible(&self, subject: &str, prepared: &Prepared, found: Judgement) -> ApiError {
        let whole = judge(self.index, subject, prepared, true, self.keep_going).unwrap_or(found);
        let details = whole.sentences().join(" | ");
        let level = self.index.config_of(subject).compatibility;
        let level = level.map_or("BACKWARD", tidegate_compat::Mode::name);
        ApiError::new(
            40901,
            format!(
                "Schema being registered is incompatible with an earlier schema for subject \"{subject}\", \
                 whose compatibility is {level}, details: [{details}]"
            ),
        )
    }

    /// The design's schema is in force whatever was there; what it breaks is said.
    fn govern(&self, subject: &str, body: Body) -> Result<Decided, ApiError> {
        check_subject(subject)?;
        let prepared = prepare(self.index, body, false, Listed::All)?;
        if let Some(known) = self.index.find(subject, &prepared, Listed::Live) {
            let (id, version) = (known.id, known.version);
            return Ok(done(Done::Registered { id, version }, Vec::new()));
        }
        let judgement = judge(self.index, subject, &prepared, true, self.keep_going)?;
        let mut decided = self.add(subject, prepared, (None, None))?;
        decided.broken = (!judgement.is_compatible()).then_some(judgement);
        Ok(decided)
    }

    /// Another version, with the numbers that come next unless they are given.
    fn add(
        &self,
        subject: &str,
        prepared: Prepared,
        (id, version): (Option<u32>, Option<u32>),
    ) -> Result<Decided, ApiError> {
        let index = self.index;
        let all = index.known(&prepared);
        let Prepared { body, identity, .. } = prepared;
        let known = id.filter(|id| all.contains(id)).or(all.first().copied());
        let last = index.entries(subject, Listed::All).next_back();
        let version = version.unwrap_or(last.map_or(0, |(version, _)| version) + 1);
        let mut records = Vec::new();
        let id = match (known, id) {
            (Some(known), None) => known,
            (Some(known), Some(id)) if known == id => known,
            (Some(known), Some(id)) => {
                let message =
                    format!("Schema already registered with id {known} instead of input id {id}");
                return Err(ApiError::new(42207, message));
            }
            (None, id) => {
                let id = id.unwrap_or(index.last_id + 1);
                if index.schemas.contains_key(&id) {
                    let message = format!("Overwrite new schema with id {id} is not permitted.");
                    return Err(ApiError::not_permitted(message));
                }
                if !(1..=i32::MAX.unsigned_abs()).contains(&id) {
                    return Err(ApiError::not_permitted(
                        "an id is a number from 1 to 2^31-1",
                    ));
                }
                check_room(index, &body)?;
                records.push(Record::Schema {
                    id,
                    identity,
                    body: Some(body),
                });
                id
            }
        };
        let taken = index
            .subjects
            .get(subject)
            .and_then(|all| all.get(&version));
        if taken.is_some_and(|taken| taken.id != id || !taken.is_deleted) {
            let message = format!("version {version} of subject {subject} is there already");
            return Err(ApiError::not_permitted(message));
        }
        if index.versions >= REGISTRY_VERSIONS_MAX {
            return Err(ApiError::full("versions", REGISTRY_VERSIONS_MAX));
        }
        records.push(Record::Version {
            subject: subject.to_owned(),
            version,
            id,
            state: VersionState::Live,
        });
        Ok(done(Done::Registered { id, version }, records))
    }
}

fn check_room(index: &Index, body: &Body) -> Result<(), ApiError> {
    if index.schemas.len() >= REGISTRY_SCHEMAS_MAX {
        return Err(ApiError::full("schemas", REGISTRY_SCHEMAS_MAX));
    }
    if index.bytes.saturating_add(body.bytes()) > REGISTRY_BYTES_MAX {
        return Err(ApiError::full("bytes of schemas", REGISTRY_BYTES_MAX));
    }
    Ok(())
}

/// Versions that others use stay: hidden ones use them too when they would be gone for good.
fn check_unused(
    index: &Index,
    subject: &str,
    versions: &[u32],
    gone: bool,
) -> Result<(), ApiError> {
    let listed = if gone { Listed::All } else { Listed::Live };
    let used = index.used_versions(subject, listed);
    let found = versions
        .iter()
        .find_map(|version| used.get_key_value(version));
    let Some((version, by)) = found else {
        return Ok(());
    };
    Err(ApiError::new(
        42206,
        format!(
            "One or more references exist to the schema {{subject={subject},version={version}}}: the schemas with \
             the ids {by:?} use it"
        ),
    ))
}

fn check_not_in_force(index: &Index, subject: &str, id: u32) -> Result<(), ApiError> {
    if index.rules.in_force.get(subject) == Some(&id) {
        return Err(ApiError::governed(subject, "the schema in force"));
    }
    Ok(())
}

fn delete_subject(index: &Index, subject: &str, permanent: bool) -> Result<Decided, ApiError> {
    check_writable(index, Some(subject))?;
    let all: Vec<_> = index.entries(subject, Listed::All).collect();
    if all.is_empty() {
        return Err(ApiError::subject(subject));
    }
    let is_live = all.iter().any(|(_, entry)| !entry.is_deleted);
    if permanent && is_live {
        let message =
            format!("Subject '{subject}' was not deleted first before being permanently deleted");
        return Err(ApiError::new(40405, message));
    }
    if !permanent && !is_live {
        let message = format!(
            "Subject '{subject}' was soft deleted.Set permanent=true to delete permanently"
        );
        return Err(ApiError::new(40404, message));
    }
    let chosen: Vec<_> = all
        .into_iter()
        .filter(|(_, entry)| permanent || !entry.is_deleted)
        .collect();
    for (_, entry) in &chosen {
        check_not_in_force(index, subject, entry.id)?;
    }
    let versions: Vec<u32> = chosen.iter().map(|(version, _)| *version).collect();
    check_unused(index, subject, &versions, permanent)?;
    let mut records = remove(index, subject, &versions, permanent);
    records.extend(forget_settings(index, subject));
    Ok(done(Done::Versions(versions), records))
}

fn delete_version(
    index: &Index,
    subject: &str,
    wanted: VersionWanted,
    permanent: bool,
) -> Result<Decided, ApiError> {
    check_writable(index, Some(subject))?;
    let listed = match wanted {
        VersionWanted::Latest if !permanent => Listed::Live,
        _ => Listed::All,
    };
    let found = index.version(subject, wanted, listed)?;
    let version = found.version;
    if permanent && !found.is_deleted {
        let message = format!(
            "Subject '{subject}' Version {version} was not deleted first before being permanently deleted"
        );
        return Err(ApiError::new(40407, message));
    }
    if !permanent && found.is_deleted {
        let message = format!(
            "Subject '{subject}' Version {version} was soft deleted.Set permanent=true to delete permanently"
        );
        return Err(ApiError::new(40406, message));
    }
    if !permanent {
        check_not_in_force(index, subject, found.id)?;
    }
    check_unused(index, subject, &[version], permanent)?;
    let mut records = remove(index, subject, &[version], permanent);
    let others = index.entries(subject, Listed::Live);
    if others.filter(|(other, _)| *other != version).count() == 0 {
        records.extend(forget_settings(index, subject));
    }
    Ok(done(Done::Versions(vec![version]), records))
}

/// The records that hide versions, or remove them with the schemas that nobody has any more.
fn remove(index: &Index, subject: &str, versions: &[u32], permanent: bool) -> Vec<Record> {
    let mut records = Vec::new();
    let mut ids = Vec::new();
    for (version, entry) in index.entries(subject, Listed::All) {
        if versions.contains(&version) {
            let state = if permanent {
                VersionState::Gone
            } else {
                VersionState::Deleted
            };
            ids.push(entry.id);
            records.push(Record::Version {
                subject: subject.to_owned(),
                version,
                id: entry.id,
                state,
            });
        }
    }
    if !permanent {
        return records;
    }
    let others = index.ids_beside(subject, versions);
    ids.sort_unstable();
    ids.dedup();
    for id in ids.into_iter().filter(|id| !others.contains(id)) {
        if let Some(stored) = index.schemas.get(&id) {
            records.push(Record::Schema {
                id,
                identity: stored.identity.clone(),
                body: None,
            });
        }
    }
    records
}

/// A subject without versions has nothing said for it.
fn forget_settings(index: &Index, subject: &str) -> Vec<Record> {
    let subject = Some(subject.to_owned());
    let mut records = Vec::new();
    if index.configs.contains_key(&subject) {
        records.push(Record::Config {
            subject: subject.clone(),
            config: None,
        });
    }
    if index.accesses.contains_key(&subject) {
        let access = None;
        records.push(Record::Access { subject, access });
    }
    records
}

/// What is said for a subject of the design is the design's.
fn check_setting(index: &Index, subject: Option<&str>, what: &str) -> Result<(), ApiError> {
    let Some(subject) = subject else {
        return Ok(());
    };
    check_subject(subject)?;
    if index.rules.governed.contains_key(subject) {
        return Err(ApiError::governed(subject, what));
    }
    Ok(())
}

fn set_config(
    index: &Index,
    subject: Option<String>,
    change: ConfigChange,
) -> Result<Decided, ApiError> {
    check_setting(index, subject.as_deref(), "the compatibility")?;
    check_writable(index, subject.as_deref())?;
    let before = index.configs.get(&subject).cloned().unwrap_or_default();
    let group = match change.compatibility_group {
        Some(group) => Some(group).filter(|group| !group.is_empty()),
        None => before.compatibility_group,
    };
    let config = Config {
        compatibility: change.compatibility.or(before.compatibility),
        normalize: change.normalize.or(before.normalize),
        compatibility_group: group,
    };
    if !index.configs.contains_key(&subject) && index.configs.len() >= REGISTRY_SETTINGS_MAX {
        return Err(ApiError::full("configurations", REGISTRY_SETTINGS_MAX));
    }
    let record = Record::Config {
        subject,
        config: Some(config.clone()),
    };
    Ok(done(Done::Config(config), vec![record]))
}

fn delete_config(index: &Index, subject: Option<String>) -> Result<Decided, ApiError> {
    check_setting(index, subject.as_deref(), "the compatibility")?;
    check_writable(index, subject.as_deref())?;
    let before = index.config(subject.as_deref());
    let before = before.ok_or_else(|| ApiError::subject(subject.as_deref().unwrap_or_default()))?;
    let record = Record::Config {
        subject,
        config: None,
    };
    Ok(done(Done::Config(before), vec![record]))
}

fn set_access(
    index: &Index,
    subject: Option<String>,
    access: Access,
    force: bool,
) -> Result<Decided, ApiError> {
    check_setting(index, subject.as_deref(), "the mode")?;
    let has_some = match &subject {
        Some(subject) => index.entries(subject, Listed::Live).next().is_some(),
        None => !index.subjects(Listed::Live, "").is_empty(),
    };
    let before = index.access(subject.as_deref());
    if access == Access::Import && has_some && !force && before != Some(Access::Import) {
        let message = "Cannot import since found existing subjects";
        return Err(ApiError::not_permitted(message));
    }
    if !index.accesses.contains_key(&subject) && index.accesses.len() >= REGISTRY_SETTINGS_MAX {
        return Err(ApiError::full("modes", REGISTRY_SETTINGS_MAX));
    }
    let record = Record::Access {
        subject,
        access: Some(access),
    };
    Ok(done(Done::Access(access), vec![record]))
}

fn delete_access(index: &Index, subject: Option<String>) -> Result<Decided, ApiError> {
    check_setting(index, subject.as_deref(), "the mode")?;
    let before = index.access(subject.as_deref());
    let before = before.ok_or_else(|| ApiError::subject(subject.as_deref().unwrap_or_default()))?;
    let record = Record::Access {
        subject,
        access: None,
    };
    Ok(done(Done::Access(before), vec![record]))
}
