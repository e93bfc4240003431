//! Whether a schema may be the next version of a subject.

use serde_json::Value;
use tidegate_compat::json::{self, OpenContent, Policy};
use tidegate_compat::{Answer, Direction, Finding, Mode, Profile, avro, protobuf};

use crate::body::Body;
use crate::candidate::{Parsed, Prepared, parse};
use crate::command::VersionWanted;
use crate::error::ApiError;
use crate::index::{Index, Listed};
use crate::record::Config;

/// Most sentences of one judgement.
const MESSAGES_MAX: usize = 20;
/// Longest event that is shown, in bytes.
const EVENT_BYTES_MAX: usize = 1_000;

/// What was found, by the registry's rules and by what readers do.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The answer by the rules that the registry goes by.
    pub answer: Answer,
    /// Why, in sentences; of a no the event that breaks.
    pub messages: Vec<String>,
    /// What holds of events, where the rules are those of another registry.
    pub exact: Option<(Answer, Vec<String>)>,
}

impl Judgement {
    /// Whether the schema may be registered: what is not proved may not.
    #[must_use]
    pub fn is_compatible(&self) -> bool {
        self.answer == Answer::Compatible
    }

    /// Every sentence, those about events at the end.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let mut all = self.messages.clone();
        if let Some((answer, messages)) = &self.exact {
            let word = match answer {
                Answer::Compatible => "every event can be read",
                Answer::Incompatible => "an event breaks",
                Answer::NotProved => "neither was proved",
            };
            all.push(format!(
                "exact verdict, beyond the rules of the registry: {word}"
            ));
            all.extend(messages.iter().map(|message| format!("exact: {message}")));
        }
        all
    }
}

/// Judges a schema as the next version of `subject`, by what is said for that subject.
/// `with_exact` asks what holds of events as well.
///
/// # Errors
///
/// 42201 when a version cannot be compared.
pub fn judge(
    index: &Index,
    subject: &str,
    new: &Prepared,
    with_exact: bool,
    keep_going: &dyn Fn() -> bool,
) -> Result<Judgement, ApiError> {
    let config = index.config_of(subject);
    let mode = config.compatibility.unwrap_or(Mode::Backward);
    let mut olds: Vec<(u32, Body)> = Vec::new();
    let entries = index.entries(subject, Listed::Live).rev();
    for (version, entry) in entries {
        let body = index.by_id(entry.id)?;
        if same_group(&config, &body, &new.body) {
            olds.push((version, (*body).clone()));
        }
    }
    let most = match mode {
        Mode::None => 0,
        mode if mode.is_transitive() => usize::MAX,
        _ => 1,
    };
    olds.truncate(most);
    among(index, new, &olds, mode, with_exact, keep_going)
}

/// Judges a schema against one version of `subject`, by the level of that subject.
///
/// # Errors
///
/// 40401 or 40402 when there is none; as [`judge`].
pub fn judge_wanted(
    index: &Index,
    subject: &str,
    wanted: VersionWanted,
    new: &Prepared,
    keep_going: &dyn Fn() -> bool,
) -> Result<Judgement, ApiError> {
    let old = index.version(subject, wanted, Listed::Live)?;
    let mode = index.config_of(subject).compatibility;
    let olds = [(old.version, (*old.body).clone())];
    let mode = mode.unwrap_or(Mode::Backward);
    let olds = if mode == Mode::None { &[] } else { &olds[..] };
    among(index, new, olds, mode, true, keep_going)
}

fn same_group(config: &Config, old: &Body, new: &Body) -> bool {
    let group = config.compatibility_group.as_deref();
    group.is_none_or(|group| old.property(group) == new.property(group))
}

fn among(
    index: &Index,
    new: &Prepared,
    olds: &[(u32, Body)],
    mode: Mode,
    with_exact: bool,
    keep_going: &dyn Fn() -> bool,
) -> Result<Judgement, ApiError> {
    let profile = index.rules.profile;
    let (answer, mut told) = by(index, new, olds, mode, profile, keep_going)?;
    let exact = if with_exact && profile != Profile::Exact && !olds.is_empty() {
        let (answer, more) = by(index, new, olds, mode, Profile::Exact, keep_going)?;
        Some((answer, texts(unsaid(&mut told, more))))
    } else {
        None
    };
    Ok(Judgement {
        answer,
        messages: texts(told),
        exact,
    })
}

/// A sentence, and what it is about.
struct Told {
    /// The version, who reads whose events, and the place; nothing of what concerns the whole.
    about: Option<(u32, Direction, String)>,
    has_event: bool,
    text: String,
}

impl Told {
    fn whole(text: String) -> Self {
        Self {
            about: None,
            has_event: false,
            text,
        }
    }

    fn is_of(&self, other: &Self) -> bool {
        match (&self.about, &other.about) {
            (None, None) => self.text == other.text,
            (one, other) => one == other,
        }
    }
}

fn texts(told: Vec<Told>) -> Vec<String> {
    told.into_iter().map(|one| one.text).collect()
}

/// What is exact and not said yet. Of one place the sentence stays that has the event.
fn unsaid(said: &mut [Told], exact: Vec<Told>) -> Vec<Told> {
    let mut left = Vec::new();
    for one in exact {
        match said.iter_mut().find(|said| said.is_of(&one)) {
            None => left.push(one),
            Some(said) if one.has_event && !said.has_event => *said = one,
            Some(_) => {}
        }
    }
    left
}

fn by(
    index: &Index,
    new: &Prepared,
    olds: &[(u32, Body)],
    mode: Mode,
    profile: Profile,
    keep_going: &dyn Fn() -> bool,
) -> Result<(Answer, Vec<Told>), ApiError> {
    let mut answer = Answer::Compatible;
    let mut messages = Vec::new();
    for (version, body) in olds {
        if body.schema_type != new.body.schema_type {
            answer = Answer::Incompatible;
            messages.push(Told::whole(format!(
                "version {version} is of type {}, and this one of type {}: a subject keeps its type",
                body.schema_type, new.body.schema_type
            )));
            continue;
        }
        if !keep_going() {
            answer = if answer == Answer::Compatible {
                Answer::NotProved
            } else {
                answer
            };
            messages.push(Told::whole(format!(
                "not proved: version {version} was not reached in time"
            )));
            break;
        }
        let old = parse(index, body)?;
        for finding in findings(&old, &new.parsed, mode, profile, keep_going)? {
            match finding.answer {
                Answer::Compatible => continue,
                Answer::Incompatible => answer = Answer::Incompatible,
                Answer::NotProved if answer == Answer::Compatible => answer = Answer::NotProved,
                Answer::NotProved => {}
            }
            if messages.len() < MESSAGES_MAX {
                messages.push(Told {
                    text: sentence(*version, &finding),
                    has_event: finding.witness.is_some(),
                    about: Some((*version, finding.direction, finding.path)),
                });
            }
        }
    }
    Ok((answer, messages))
}

fn findings(
    old: &Parsed,
    new: &Parsed,
    mode: Mode,
    profile: Profile,
    keep_going: &dyn Fn() -> bool,
) -> Result<Vec<Finding>, ApiError> {
    let mode = single(mode);
    let refused = |error: &dyn std::fmt::Display| {
        ApiError::invalid_schema(format!("Invalid schema: {error}"))
    };
    match (old, new) {
        (Parsed::Avro(old), Parsed::Avro(new)) => {
            let compared = avro::compare(&[old.text()], new.text(), mode, profile);
            Ok(compared.map_err(|error| refused(&error))?.findings)
        }
        (Parsed::Json(old), Parsed::Json(new)) => {
            let mut found = Vec::new();
            for direction in mode.directions() {
                let (writer, reader) = match direction {
                    Direction::Backward => (old, new),
                    Direction::Forward => (new, old),
                };
                let reasons = if profile == Profile::Confluent {
                    json::compare_as_confluent(writer, reader, Policy::Strict, keep_going)
                } else {
                    json::compare(writer, reader, OpenContent::Exact, keep_going)
                };
                let reasons = reasons.into_iter();
                found.extend(reasons.map(|reason| reason.between(*direction, 0)));
            }
            Ok(found)
        }
        (Parsed::Protobuf { sources: old, .. }, Parsed::Protobuf { sources: new, .. }) => {
            let version = |files| protobuf::Version { files, root: None };
            let compared = protobuf::compare(&[version(old)], &version(new), mode, profile);
            Ok(compared.map_err(|error| refused(&error))?.findings)
        }
        _ => Ok(Vec::new()),
    }
}

/// The same directions, for one old version.
const fn single(mode: Mode) -> Mode {
    match mode {
        Mode::BackwardTransitive => Mode::Backward,
        Mode::ForwardTransitive => Mode::Forward,
        Mode::FullTransitive => Mode::Full,
        mode => mode,
    }
}

fn sentence(version: u32, finding: &Finding) -> String {
    let who = match finding.direction {
        Direction::Backward => "the new schema cannot read what version {} wrote",
        Direction::Forward => "version {} cannot read what the new schema writes",
    };
    let who = who.replace("{}", &version.to_string());
    let word = match finding.answer {
        Answer::NotProved => "not proved: whether ",
        _ => "",
    };
    let place = if finding.path.is_empty() {
        String::new()
    } else {
        format!(" at {}", finding.path)
    };
    let mut sentence = format!("{word}{who}: {}{place} ({})", finding.reason, finding.code);
    if let Some(witness) = &finding.witness {
        sentence.push_str(&format!("; the event {} breaks", shown(&witness.event)));
        // What is said already is not said again.
        let error = witness.error.strip_prefix(&finding.reason);
        let error = error.map_or(&*witness.error, |rest| rest.trim_start_matches([';', ' ']));
        if !error.is_empty() {
            sentence.push_str(&format!(": {error}"));
        }
    }
    if let Some(fix) = &finding.fix {
        sentence.push_str(&format!("; {fix}"));
    }
    sentence
}

fn shown(event: &Value) -> String {
    let text = event.to_string();
    if text.len() <= EVENT_BYTES_MAX {
        return text;
    }
    let end = text.floor_char_boundary(EVENT_BYTES_MAX);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use tidegate_compat::Profile;

    use crate::body::{Body, SchemaType};
    use crate::command::Command;
    use crate::decide::decide;
    use crate::index::Index;

    /// The message of a refusal of the second schema.
    fn refused(schema_type: SchemaType, first: &str, second: &str) -> String {
        let mut index = Index::default();
        index.rules.profile = Profile::Confluent;
        let command = |schema: &str| Command::Register {
            subject: "s".to_owned(),
            body: Body {
                schema_type,
                schema: schema.to_owned(),
                ..Body::default()
            },
            normalize: false,
            id: None,
            version: None,
        };
        let decided = decide(&index, command(first), &|| true).unwrap();
        for record in decided.records {
            index.apply(record);
        }
        let error = decide(&index, command(second), &|| true).unwrap_err();
        assert_eq!(error.code, 40901);
        error.message
    }

    #[test]
    fn a_refusal_says_its_reason_once() {
        let avro = |fields: &str| format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
        let (a, due) = (
            r#"{"name":"a","type":"long"}"#,
            r#"{"name":"due","type":"long"}"#,
        );
        let message = refused(SchemaType::Avro, &avro(a), &avro(&format!("{a},{due}")));
        assert_eq!(
            message.matches("cannot read what version 1 wrote").count(),
            1,
            "{message}"
        );
        assert!(
            message.contains(r#"{"a":"#) && message.contains("an event breaks"),
            "{message}"
        );
        assert_eq!(
            message.matches("has no default for it").count(),
            1,
            "{message}"
        );

        let json = |kind: &str| {
            format!(
                r#"{{"type":"object","additionalProperties":false,"properties":{{"a":{{"type":"{kind}"}}}}}}"#
            )
        };
        let message = refused(SchemaType::Json, &json("string"), &json("integer"));
        assert_eq!(
            message.matches("cannot read what version 1 wrote").count(),
            1,
            "{message}"
        );
        assert!(message.contains("the event"), "{message}");

        let proto = |kind: &str| format!("syntax = \"proto3\"; message M {{ {kind} a = 1; }}");
        let message = refused(SchemaType::Protobuf, &proto("string"), &proto("int64"));
        assert_eq!(
            message.matches("cannot read what version 1 wrote").count(),
            1,
            "{message}"
        );
    }
}
