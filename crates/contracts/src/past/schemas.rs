//! Schemas of events, by their compatibility.

use std::collections::BTreeMap;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use tidegate_base::Name;
use tidegate_compat::{self as compat, Answer, Direction, Format, Mode, Profile, Verdict, Version};
use tidegate_model::Design;
use tidegate_model::design::{Compatibility, Event, Schema, SchemaFormat};

use super::Options;
use super::changes::{Affected, Changes, Kind};
use super::codes::{
    FORMAT_CHANGED, SCHEMA_ADDED, SCHEMA_BREAKS, SCHEMA_NOT_PROVED, SCHEMA_REMOVED,
};
use super::side::Both;

/// Longest event that a message shows, in characters; the list has all of it.
const WITNESS_CHARS_MAX: usize = 200;
/// Most reasons that are listed of one schema.
const REASONS_MAX: usize = 100;

/// Which versions must read the events of which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ways {
    backward: bool,
    forward: bool,
    transitive: bool,
}

impl Ways {
    pub(super) const fn of(mode: Compatibility) -> Self {
        let (backward, forward, transitive) = match mode {
            Compatibility::None => (false, false, false),
            Compatibility::Backward => (true, false, false),
            Compatibility::BackwardTransitive => (true, false, true),
            Compatibility::Forward => (false, true, false),
            Compatibility::ForwardTransitive => (false, true, true),
            Compatibility::Full => (true, true, false),
            Compatibility::FullTransitive => (true, true, true),
        };
        Self {
            backward,
            forward,
            transitive,
        }
    }

    pub(super) const fn has_all_of(self, other: Self) -> bool {
        (self.backward || !other.backward)
            && (self.forward || !other.forward)
            && (self.transitive || !other.transitive)
    }

    /// What was promised until now, and what is from now on: a change that loosens the mode does
    /// not loosen it for itself.
    const fn and(self, other: Self) -> Self {
        Self {
            backward: self.backward || other.backward,
            forward: self.forward || other.forward,
            transitive: self.transitive || other.transitive,
        }
    }

    const fn mode(self) -> Mode {
        match (self.backward, self.forward, self.transitive) {
            (false, false, _) => Mode::None,
            (true, false, false) => Mode::Backward,
            (true, false, true) => Mode::BackwardTransitive,
            (false, true, false) => Mode::Forward,
            (false, true, true) => Mode::ForwardTransitive,
            (true, true, false) => Mode::Full,
            (true, true, true) => Mode::FullTransitive,
        }
    }
}

/// One event whose schema is another one.
struct Pair<'a> {
    name: &'a Name,
    new_event: &'a Event,
    ways: Ways,
    /// Versions of before, the newest first.
    olds: Vec<&'a Schema>,
    new: &'a Schema,
}

pub(super) fn compare(
    both: &Both<'_>,
    older: &[&Design],
    options: &Options<'_>,
    changes: &mut Changes,
) {
    let mut pairs = Vec::new();
    for (name, new) in &both.new.design.events {
        let Some(old) = both.old.design.events.get(name) else {
            continue;
        };
        let ways = Ways::of(old.compatibility).and(Ways::of(new.compatibility));
        match (&old.schema, &new.schema) {
            (None, None) => {}
            (Some(was), None) => removed(both, name, (was, new), ways, changes),
            (None, Some(is)) => added(both, name, (old, is), ways, changes),
            (Some(was), Some(is)) if was.format != is.format => {
                format_changed(both, name, (was, is), ways, changes);
            }
            (Some(was), Some(is)) => {
                let mut olds = vec![was];
                if ways.transitive {
                    olds.extend(older.iter().filter_map(|design| {
                        let schema = design.events.get(name)?.schema.as_ref()?;
                        (schema.format == is.format).then_some(schema)
                    }));
                }
                // What could not be read is a finding of the reader.
                olds.retain(|old| old.text.is_some());
                if olds.iter().any(|old| !is_same(old, is)) {
                    pairs.push(Pair {
                        name,
                        new_event: new,
                        ways,
                        olds,
                        new: is,
                    });
                }
            }
        }
    }
    let judged: Vec<(Pair<'_>, Result<Verdict, String>)> = pairs
        .into_par_iter()
        .map(|pair| {
            let verdict = judge(&pair, options);
            (pair, verdict)
        })
        .collect();
    for (pair, verdict) in &judged {
        say(both, pair, verdict, changes);
    }
}

/// Whether both are the same text, or one could not be read.
fn is_same(old: &Schema, new: &Schema) -> bool {
    let (Some(was), Some(is)) = (&old.text, &new.text) else {
        return true;
    };
    was == is && old.imports == new.imports && old.message() == new.message()
}

fn removed(
    both: &Both<'_>,
    name: &Name,
    (was, new): (&Schema, &Event),
    ways: Ways,
    changes: &mut Changes,
) {
    let kind = if ways.forward {
        Kind::Breaking
    } else {
        Kind::Risky
    };
    changes
        .add(
            SCHEMA_REMOVED,
            &new.place,
            format!("events.{name}.schema"),
            format!(
                "event `{name}` has no schema any more: whatever is published reaches its consumers"
            ),
        )
        .was_at(&was.place)
        .hint("keep the schema, and let it allow more if it must")
        .weighing(kind)
        .touches(both.old.who_consumes(name));
}

fn added(
    both: &Both<'_>,
    name: &Name,
    (old, is): (&Event, &Schema),
    ways: Ways,
    changes: &mut Changes,
) {
    let path = format!("events.{name}.schema");
    let message = format!("event `{name}` has a schema now, where anything was allowed");
    if ways == Ways::of(Compatibility::None) {
        changes
            .harmless(&is.place, path, message)
            .was_at(&old.place);
        return;
    }
    changes
        .add(SCHEMA_ADDED, &is.place, path, format!(
            "{message}: publishers of what does not fit are refused, and events of before may not fit"
        ))
        .was_at(&old.place)
        .hint("hold events of today against it first: `tidegate schema validate SCHEMA EVENTS`")
        .touches(both.old.who_publishes(name));
}

fn format_changed(
    both: &Both<'_>,
    name: &Name,
    (was, is): (&Schema, &Schema),
    ways: Ways,
    changes: &mut Changes,
) {
    let (old, new) = (format(was.format), format(is.format));
    let kind = if ways.mode() == Mode::None {
        Kind::Risky
    } else {
        Kind::Breaking
    };
    changes
        .add(
            FORMAT_CHANGED,
            &is.place,
            format!("events.{name}.schema"),
            format!(
                "schema of event `{name}` is {new}, was {old}: nobody reads what the other side of the change \
                 writes"
            ),
        )
        .was_at(&was.place)
        .values(Some(old.to_string()), Some(new.to_string()))
        .hint("declare another event with the new format, and publish both until every consumer has moved")
        .weighing(kind)
        .touches(both.old.who_consumes(name).chain(both.old.who_publishes(name)));
}

const fn format(format: SchemaFormat) -> Format {
    match format {
        SchemaFormat::JsonSchema => Format::Json,
        SchemaFormat::Avro => Format::Avro,
        SchemaFormat::Protobuf => Format::Protobuf,
    }
}

/// The verdict on the new schema, or why there is none.
fn judge(pair: &Pair<'_>, options: &Options<'_>) -> Result<Verdict, String> {
    let format = format(pair.new.format);
    let profile = if format.profiles().contains(&options.profile) {
        options.profile
    } else {
        Profile::Exact
    };
    // Comparisons take the oldest first.
    let olds: Vec<&Schema> = pair.olds.iter().rev().copied().collect();
    let mode = pair.ways.mode();
    if format == Format::Protobuf {
        return protobuf(&olds, pair.new, mode, profile);
    }
    let versions: Vec<Version> = olds.iter().map(|old| version("the past", old)).collect();
    let compared = compat::compare(
        format,
        &versions,
        &version("the new schema", pair.new),
        &compat::Options {
            mode,
            profile,
            open_content: options.open_content,
            policy: compat::json::Policy::default(),
            group: None,
            message: None,
            draft: compat::json::Draft::default(),
            keep_going: options.keep_going,
        },
    );
    compared
        .map(|compared| compared.verdict)
        .map_err(|error| error.to_string())
}

/// Each version with its own files: those that both import may have changed too.
fn protobuf(
    olds: &[&Schema],
    new: &Schema,
    mode: Mode,
    profile: Profile,
) -> Result<Verdict, String> {
    let sources: Vec<_> = olds.iter().map(|old| old.sources()).collect();
    let versions: Vec<_> = olds
        .iter()
        .zip(&sources)
        .map(|(old, files)| compat::protobuf::Version {
            files,
            root: old.message(),
        })
        .collect();
    let files = new.sources();
    let new = compat::protobuf::Version {
        files: &files,
        root: new.message(),
    };
    compat::protobuf::compare(&versions, &new, mode, profile).map_err(|error| error.to_string())
}

fn version(name: &str, schema: &Schema) -> Version {
    Version {
        name: schema.file.clone().unwrap_or_else(|| name.to_owned()),
        text: schema.text.clone().unwrap_or_default(),
        properties: serde_json::Map::new(),
        references: BTreeMap::new(),
    }
}

fn say(both: &Both<'_>, pair: &Pair<'_>, verdict: &Result<Verdict, String>, changes: &mut Changes) {
    let name = pair.name;
    let path = format!("events.{name}.schema");
    let was = pair
        .olds
        .first()
        .map_or(&pair.new_event.place, |old| &old.place);
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(why) => {
            changes
                .add(
                    SCHEMA_NOT_PROVED,
                    &pair.new.place,
                    path,
                    format!("schema of event `{name}` cannot be compared with what it was: {why}"),
                )
                .was_at(was)
                .hint("mend the schema that is named")
                .touches(both.old.who_consumes(name));
            return;
        }
    };
    let mut listed = Vec::new();
    for finding in &verdict.findings {
        let same = (finding.direction, finding.code, finding.path.as_str());
        if listed.contains(&same) || listed.len() >= REASONS_MAX {
            continue;
        }
        listed.push(same);
        say_one(both, pair, finding, changes);
    }
    if verdict.answer == Answer::Compatible && listed.is_empty() {
        let message = match pair.ways.mode() {
            Mode::None => {
                format!("schema of event `{name}` is another one; its compatibility is none")
            }
            mode => format!(
                "schema of event `{name}` is another one, and is compatible: {}",
                by(mode)
            ),
        };
        changes.harmless(&pair.new.place, path, message).was_at(was);
    }
}

fn by(mode: Mode) -> String {
    mode.name().to_lowercase().replace('_', "-")
}

fn say_one(both: &Both<'_>, pair: &Pair<'_>, finding: &compat::Finding, changes: &mut Changes) {
    let name = pair.name;
    let (path, at) = match finding.path.as_str() {
        "" => (format!("events.{name}.schema"), String::new()),
        path => (
            format!("events.{name}.schema#{path}"),
            format!(" at `{path}`"),
        ),
    };
    let reason = finding.reason.trim_end_matches('.');
    let mode = match finding.direction {
        Direction::Backward => "backward",
        Direction::Forward => "forward",
    };
    let place = &pair.new.place;
    let draft = match finding.answer {
        Answer::Compatible => {
            let message = format!("schema of event `{name}`{at}: {reason}");
            changes.harmless(place, path, message)
        }
        Answer::Incompatible => {
            let who = who_fails(pair, finding);
            let message =
                format!("schema of event `{name}` is not {mode} compatible{at}: {reason}; {who}");
            changes
                .add(SCHEMA_BREAKS, place, path, message)
                .hint(fix(finding))
        }
        Answer::NotProved => {
            let message =
                format!("schema of event `{name}` is not proved {mode} compatible{at}: {reason}");
            changes
                .add(SCHEMA_NOT_PROVED, place, path, message)
                .hint(fix(finding))
        }
    };
    let publishers: Vec<Affected> = match finding.direction {
        // A publisher of before is refused by a schema that does not take its events.
        Direction::Backward => both.old.who_publishes(name).collect(),
        Direction::Forward => Vec::new(),
    };
    let was = pair
        .olds
        .first()
        .map_or(&pair.new_event.place, |old| &old.place);
    let witness = finding.witness.as_ref();
    draft
        .was_at(was)
        .witness(witness.map(|witness| witness.event.clone()))
        .touches(both.old.who_consumes(name).chain(publishers));
}

fn fix(finding: &compat::Finding) -> &str {
    let fix = finding.fix.as_deref();
    fix.unwrap_or("declare another event with the new schema, and publish both for a while")
}

/// Who fails on which events, such as this one.
fn who_fails(pair: &Pair<'_>, finding: &compat::Finding) -> String {
    let who = match finding.direction {
        Direction::Backward => "readers of the new schema may fail on events of before",
        Direction::Forward => "readers of the old schema may fail on new events",
    };
    // The past design's own version is the last one that was compared.
    let age = match finding.against.saturating_add(1) {
        newest if newest >= pair.olds.len() => "",
        _ => " (of an older version)",
    };
    let shown = finding.witness.as_ref().map(|witness| {
        let text = witness.event.to_string();
        let short: String = text.chars().take(WITNESS_CHARS_MAX).collect();
        let cut = if short.len() < text.len() { "…" } else { "" };
        format!(", such as {short}{cut}")
    });
    format!("{who}{age}{}", shown.unwrap_or_default())
}
