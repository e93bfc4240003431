//! A new version of a schema against those before it, in any format.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use thiserror::Error;
use tidegate_schema::SchemaError;
use tidegate_schema::avro::inline;
use tidegate_schema::protobuf::Sources;

use crate::avro;
use crate::json::{self, Draft, JsonError, Named, OpenContent, Policy};
use crate::mode::{Direction, Mode};
use crate::profile::Profile;
use crate::protobuf;
use crate::sides::VersionError;
use crate::verdict::{Answer, Finding, Reason, Verdict};

/// What a schema is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON Schema.
    #[default]
    Json,
    /// Avro.
    Avro,
    /// Protocol Buffers.
    Protobuf,
}

impl Format {
    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Avro => "avro",
            Self::Protobuf => "protobuf",
        }
    }

    /// The profiles by which it can be compared.
    #[must_use]
    pub const fn profiles(self) -> &'static [Profile] {
        match self {
            Self::Json | Self::Avro => &[Profile::Exact, Profile::Confluent],
            Self::Protobuf => &[
                Profile::Exact,
                Profile::Confluent,
                Profile::BufWire,
                Profile::BufWireJson,
            ],
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One version of a schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// What people call it: the name of its file.
    pub name: String,
    /// The schema.
    pub text: String,
    /// What is said about it: the properties of its metadata.
    pub properties: serde_json::Map<String, Value>,
    /// What this version refers to, by name: JSON Schemas, the files that a `.proto` imports, or Avro schemas whose
    /// types it uses.
    pub references: BTreeMap<String, String>,
}

impl Version {
    /// Reads a file. It holds the schema, or the answer of a registry with the schema as text in it.
    /// Its properties are those of `metadata.properties`, in the answer or in the schema itself.
    #[must_use]
    pub fn read(name: &str, file: &str) -> Self {
        let document: Option<Value> = serde_json::from_str(file).ok();
        let properties = document
            .as_ref()
            .and_then(|document| document.pointer("/metadata/properties"))
            .and_then(Value::as_object);
        let inner = document.as_ref().filter(|document| is_answer(document));
        let inner = inner.and_then(|document| document.get("schema")?.as_str());
        Self {
            name: name.to_owned(),
            text: inner.unwrap_or(file).to_owned(),
            properties: properties.cloned().unwrap_or_default(),
            references: BTreeMap::new(),
        }
    }
}

/// Whether a document is what a registry answers for a version.
fn is_answer(document: &Value) -> bool {
    let fields = [
        "subject",
        "version",
        "id",
        "schemaType",
        "metadata",
        "references",
    ];
    document.get("schema").is_some_and(Value::is_string)
        && fields.iter().any(|field| document.get(field).is_some())
}

/// How to compare.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Which versions must read the events of which.
    pub mode: Mode,
    /// By whose rules.
    pub profile: Profile,
    /// What is taken of names that a writer does not declare; JSON Schema in profile exact alone.
    pub open_content: OpenContent,
    /// How strict the registry is; JSON Schema in profile confluent alone.
    pub policy: Policy,
    /// The property by which versions are grouped: only those with the same value are compared.
    pub group: Option<&'a str>,
    /// The message of an event; without it every message is compared. Protobuf alone.
    pub message: Option<&'a str>,
    /// The draft of a JSON Schema that names none.
    pub draft: Draft,
    /// Asked now and then whether to work on.
    pub keep_going: &'a dyn Fn() -> bool,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("mode", &self.mode)
            .field("profile", &self.profile)
            .field("open_content", &self.open_content)
            .field("policy", &self.policy)
            .field("group", &self.group)
            .field("draft", &self.draft)
            .finish_non_exhaustive()
    }
}

/// A verdict, and the old versions that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The verdict.
    pub verdict: Verdict,
    /// The old versions that were compared, counted from 0 in the order given; the newest first.
    pub against: Vec<usize>,
}

/// Why nothing was compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompareError {
    /// A text is no JSON Schema that can be compared.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A text is no Avro or Protobuf schema.
    #[error("{name}: {error}")]
    Schema {
        /// The version.
        name: String,
        /// What is wrong with it.
        error: SchemaError,
    },
    /// The format has no such profile.
    #[error("there is no profile {profile} for {format}")]
    Profile {
        /// The format.
        format: Format,
        /// The profile.
        profile: Profile,
    },
    /// The new version has not the property by which versions are grouped.
    #[error("{name} has no property `{property}` in its metadata to group versions by")]
    Group {
        /// The version.
        name: String,
        /// The property.
        property: String,
    },
}

/// Compares a new version with those before it, the oldest first.
///
/// # Errors
///
/// [`CompareError`] when a text is no schema, or there are no such rules.
pub fn compare(
    format: Format,
    old: &[Version],
    new: &Version,
    options: &Options<'_>,
) -> Result<Compared, CompareError> {
    if !format.profiles().contains(&options.profile) {
        return Err(CompareError::Profile {
            format,
            profile: options.profile,
        });
    }
    let against = chosen(old, new, options)?;
    let mut findings = match format {
        Format::Json => json_findings(old, new, &against, options)?,
        Format::Avro | Format::Protobuf => encoded_findings(format, old, new, &against, options)?,
    };
    if options.profile != Profile::Exact {
        shown_by_events(&mut findings, format, (old, new), (&against, options))?;
    }
    findings.sort_by_key(order);
    Ok(Compared {
        verdict: Verdict::of(findings),
        against,
    })
}

/// Gives what the rules of others refuse the event that shows it, where there is one.
///
/// Rules of registries and of Buf are about schemas: some refuse what breaks no event, which then has none.
fn shown_by_events(
    findings: &mut Vec<Finding>,
    format: Format,
    (old, new): (&[Version], &Version),
    (against, options): (&[usize], &Options<'_>),
) -> Result<(), CompareError> {
    let is_bare = |one: &Finding| one.answer == Answer::Incompatible && one.witness.is_none();
    if !findings.iter().any(is_bare) {
        return Ok(());
    }
    let exact = Options {
        profile: Profile::Exact,
        open_content: OpenContent::Exact,
        ..*options
    };
    let mut shown = match format {
        Format::Json => json_findings(old, new, against, &exact)?,
        Format::Avro | Format::Protobuf => encoded_findings(format, old, new, against, &exact)?,
    };
    shown.retain(|one| one.witness.is_some());
    let same_side = |a: &Finding, b: &Finding| (a.against, a.direction) == (b.against, b.direction);
    // The same place says more than the same kind of change.
    type Alike = fn(&Finding, &Finding) -> bool;
    let alike: [Alike; 3] = [
        |a, b| a.path == b.path && a.code == b.code,
        |a, b| a.path == b.path,
        |a, b| a.code == b.code,
    ];
    for alike in alike {
        for finding in findings.iter_mut().filter(|one| is_bare(one)) {
            let same = shown
                .iter()
                .position(|one| same_side(finding, one) && alike(finding, one));
            if let Some(at) = same {
                finding.witness = shown.swap_remove(at).witness;
            }
        }
    }
    // What breaks elsewhere is told as what it is, once for each side that has no event yet.
    for one in shown {
        let needs = findings
            .iter()
            .any(|other| same_side(other, &one) && is_bare(other));
        let has = findings
            .iter()
            .any(|other| same_side(other, &one) && other.witness.is_some());
        if needs && !has {
            findings.push(one);
        }
    }
    Ok(())
}

/// By old version, then direction, then what was shown, then path.
fn order(finding: &Finding) -> (usize, bool, bool, String) {
    let is_open = finding.answer != Answer::Incompatible;
    let is_forward = finding.direction == Direction::Forward;
    (finding.against, is_forward, is_open, finding.path.clone())
}

/// The old versions that the mode and the group ask for, the newest first.
fn chosen(
    old: &[Version],
    new: &Version,
    options: &Options<'_>,
) -> Result<Vec<usize>, CompareError> {
    let same_group = |version: &Version| match options.group {
        None => true,
        Some(group) => version.properties.get(group) == new.properties.get(group),
    };
    if let Some(group) = options.group
        && !new.properties.contains_key(group)
    {
        return Err(CompareError::Group {
            name: new.name.clone(),
            property: group.to_owned(),
        });
    }
    let all = old.iter().enumerate().rev();
    let all = all.filter(|(_, version)| same_group(version));
    let most = match options.mode {
        Mode::None => 0,
        mode if mode.is_transitive() => usize::MAX,
        _ => 1,
    };
    Ok(all.map(|(index, _)| index).take(most).collect())
}

/// What is found between JSON Schemas.
fn json_findings(
    old: &[Version],
    new: &Version,
    against: &[usize],
    options: &Options<'_>,
) -> Result<Vec<Finding>, CompareError> {
    let mut findings = Vec::new();
    for index in against {
        let Some(version) = old.get(*index) else {
            continue;
        };
        for direction in options.mode.directions() {
            let (writer, reader) = match direction {
                Direction::Backward => (version, new),
                Direction::Forward => (new, version),
            };
            let reasons = json_reasons(writer, reader, options)?;
            let of_pair = reasons
                .into_iter()
                .map(|one| one.between(*direction, *index));
            findings.extend(of_pair);
        }
    }
    Ok(findings)
}

/// The reasons why the reader does not read all that the writer writes.
fn json_reasons(
    writer: &Version,
    reader: &Version,
    options: &Options<'_>,
) -> Result<Vec<Reason>, CompareError> {
    let read = |version: &Version| {
        let named = Named {
            name: &version.name,
            text: &version.text,
        };
        let references = version.references.iter();
        let references = references.map(|(name, text)| Named { name, text });
        json::Schema::read(named, &references.collect::<Vec<_>>(), options.draft)
    };
    let (writer, reader) = (read(writer)?, read(reader)?);
    Ok(match options.profile {
        Profile::Confluent => {
            json::compare_as_confluent(&writer, &reader, options.policy, options.keep_going)
        }
        _ => json::compare(&writer, &reader, options.open_content, options.keep_going),
    })
}

/// What is found between schemas of an encoding of its own.
fn encoded_findings(
    format: Format,
    old: &[Version],
    new: &Version,
    against: &[usize],
    options: &Options<'_>,
) -> Result<Vec<Finding>, CompareError> {
    // They are chosen already, the newest first; there the oldest comes first.
    let oldest_first: Vec<usize> = against.iter().rev().copied().collect();
    let chosen: Vec<&Version> = oldest_first.iter().filter_map(|at| old.get(*at)).collect();
    let (mode, profile) = (options.mode, options.profile);
    let compared = if format == Format::Avro {
        let texts: Vec<String> = chosen
            .iter()
            .map(|one| whole(one))
            .collect::<Result<_, _>>()?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        avro::compare_while(&texts, &whole(new)?, (mode, profile), options.keep_going)
    } else {
        let sources: Vec<Sources> = chosen.iter().map(|one| files(one)).collect();
        let version = |files| protobuf::Version {
            files,
            root: options.message,
        };
        let olds: Vec<_> = sources.iter().map(version).collect();
        let new = files(new);
        protobuf::compare_while(&olds, &version(&new), (mode, profile), options.keep_going)
    };
    let verdict = compared.map_err(|VersionError { version, error }| {
        let at_fault = version.map_or(Some(new), |at| chosen.get(at).copied());
        CompareError::Schema {
            name: at_fault.map_or_else(String::new, |version| version.name.clone()),
            error,
        }
    })?;
    let in_its_place = |finding: Finding| Finding {
        against: oldest_first.get(finding.against).copied().unwrap_or(0),
        ..finding
    };
    Ok(verdict.findings.into_iter().map(in_its_place).collect())
}

/// An Avro schema with the types that it takes from others in it.
fn whole(version: &Version) -> Result<String, CompareError> {
    let others: Vec<&str> = version.references.values().map(String::as_str).collect();
    inline(&version.text, &others).map_err(|error| CompareError::Schema {
        name: version.name.clone(),
        error,
    })
}

/// The file of a version, and those that it may import.
fn files(version: &Version) -> Sources {
    let mut files = version.references.clone();
    files.insert(version.name.clone(), version.text.clone());
    files
}
