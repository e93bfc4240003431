//! Whether every event of a version keeps a clause: yes with a proof, no with an event, or neither.

use serde_json::{Map, Value};
use tidegate_compat::json::{self, Draft, Named, OpenContent, Schema as Comparable};
use tidegate_compat::{Answer, Format, Mode, Options, Profile, Reason, Version, compare};
use tidegate_model::design::{Requirement, Schema, SchemaFormat};

use super::demand::{self, Clause};
use super::promise::Promise;
use super::rule::{Expression, Judgement, schema as rule_schema};

/// What came of holding a clause against a version.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Every event keeps it.
    Met,
    /// This one does not.
    Unmet(Broken),
    /// Neither was shown, for this reason.
    NotProved(String),
}

/// An event that a producer may send and that does not keep a clause; both were asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// The event.
    pub event: Value,
    /// Where it does not keep the clause: a JSON pointer.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

/// Holds a clause of a consumer against a version. `read` gives the version that it was built to read.
pub(crate) fn judge<'a>(
    promise: &Promise<'a>,
    clause: &Clause<'_>,
    read: &dyn Fn(&str) -> Option<&'a Schema>,
) -> Verdict {
    match clause {
        Clause::Field(requirement) => field(promise, requirement),
        Clause::Rule(of) => rule(promise, &of.expression.value),
        Clause::Whole(version) => match read(version) {
            Some(schema) => whole(promise, schema, version),
            None => unproved(&format!("version {version} has no schema to read by")),
        },
    }
}

fn unproved(reason: &str) -> Verdict {
    Verdict::NotProved(reason.to_owned())
}

/// Of a rule that cannot be read, which is a finding of its own.
pub(crate) const UNREADABLE: &str = "the rule cannot be read";

const NO_SCHEMA: &str = "the event has no schema in this version";

fn field(promise: &Promise<'_>, requirement: &Requirement) -> Verdict {
    let Some(shape) = promise.shape() else {
        return unproved(NO_SCHEMA);
    };
    if demand::is_plainly_met(requirement, shape) {
        return Verdict::Met;
    }
    if demand::is_far(requirement) {
        return unproved("an item so far into a list is not looked at");
    }
    let reader = demand::schema(requirement, shape);
    against(promise, &reader, &|_| None)
}

/// Holds a schema that an event has to fit against a version. `also` judges an event besides.
fn against(
    promise: &Promise<'_>,
    reader: &Value,
    also: &dyn Fn(&Value) -> Option<(String, String)>,
) -> Verdict {
    let named = Named {
        name: "consumer",
        text: &reader.to_string(),
    };
    let (Some(writer), Ok(reader)) = (
        promise.writer(),
        Comparable::read(named, &[], Draft::Twenty),
    ) else {
        return unproved("the schema has something in it that cannot be compared");
    };
    let reasons = json::compare(writer, &reader, OpenContent::Exact, &|| true);
    if reasons.is_empty() {
        return Verdict::Met;
    }
    let refuses = |event: &Value| {
        let violation = reader.validate(event).into_iter().next();
        violation.or_else(|| also(event))
    };
    shown(promise, &reasons, &refuses)
}

/// An event out of the reasons for a no, once everybody has been asked about it.
fn shown(
    promise: &Promise<'_>,
    reasons: &[Reason],
    refuses: &dyn Fn(&Value) -> Option<(String, String)>,
) -> Verdict {
    let witnesses = reasons.iter().filter_map(|reason| reason.witness.as_ref());
    let found = witnesses.map(|witness| mended(promise, &witness.event));
    let samples = promise.samples().iter().cloned();
    for event in found.chain(samples) {
        if let Some((path, reason)) = refuses(&event).filter(|_| promise.may_send(&event)) {
            return Verdict::Unmet(Broken {
                event,
                path,
                reason,
            });
        }
    }
    let first = reasons.first().map_or("", |reason| reason.reason.as_str());
    Verdict::NotProved(format!("neither a proof nor an event was found: {first}"))
}

/// Times that were made by their pattern are put right: not all that look like times are some.
fn mended(promise: &Promise<'_>, event: &Value) -> Value {
    let is_protobuf = |payload: &super::payload::Payload| payload.format == SchemaFormat::Protobuf;
    if !promise.payload().is_some_and(is_protobuf) {
        return event.clone();
    }
    let mut event = event.clone();
    let mut waiting = vec![&mut event];
    while let Some(value) = waiting.pop() {
        match value {
            Value::String(text) if text.starts_with("0000-00-00T") => {
                *text = "2026-01-01T00:00:00Z".to_owned();
            }
            Value::Array(items) => waiting.extend(items),
            Value::Object(fields) => waiting.extend(fields.values_mut()),
            _ => {}
        }
    }
    event
}

fn rule(promise: &Promise<'_>, text: &str) -> Verdict {
    let Some(shape) = promise.shape() else {
        return unproved(NO_SCHEMA);
    };
    // What this version does not declare, the rule asks in vain: that is for its events to show.
    let read = Expression::read(text, Some(shape)).or_else(|_| Expression::read(text, None));
    let Ok(rule) = read else {
        return unproved(UNREADABLE);
    };
    if promise
        .rules()
        .iter()
        .any(|promised| promised.is_same(&rule))
    {
        return Verdict::Met;
    }
    let none = Map::new();
    let refuses = |event: &Value| match rule.judge(shape, event, &none) {
        Judgement::Holds => None,
        Judgement::Broken => Some((String::new(), "the rule is false".to_owned())),
        Judgement::Failed(why) => Some((String::new(), why)),
    };
    let reasons = match rule_schema::of(rule.root()) {
        Some(reader) => match proof(promise, &reader) {
            Some(reasons) if reasons.is_empty() => return Verdict::Met,
            reasons => reasons.unwrap_or_default(),
        },
        None => Vec::new(),
    };
    if uses_attributes(&rule) {
        return unproved("the rule reads attributes of the envelope, which no schema says");
    }
    match shown(promise, &reasons, &refuses) {
        Verdict::NotProved(_) => unproved(
            "no event was found that breaks the rule, and no proof that none does: have the event \
             promise it in its `rules`",
        ),
        other => other,
    }
}

/// The reasons why not all that a version may send fits a schema; `None` when they cannot be compared.
fn proof(promise: &Promise<'_>, reader: &Value) -> Option<Vec<Reason>> {
    let named = Named {
        name: "consumer",
        text: &reader.to_string(),
    };
    let reader = Comparable::read(named, &[], Draft::Twenty).ok()?;
    let writer = promise.writer()?;
    Some(json::compare(writer, &reader, OpenContent::Exact, &|| true))
}

fn uses_attributes(rule: &Expression) -> bool {
    rule.root().references().has_variable("attributes")
}

/// A reader of everything that a schema says.
fn whole(promise: &Promise<'_>, reads: &Schema, version: &str) -> Verdict {
    let Some(payload) = promise.payload() else {
        return unproved(NO_SCHEMA);
    };
    match (promise.schema(), payload.format, reads.format) {
        (Some(schema), ..) if is_same(schema, reads) => Verdict::Met,
        (_, SchemaFormat::JsonSchema, SchemaFormat::JsonSchema) => {
            let text = reads.text.as_deref().unwrap_or_default();
            match serde_json::from_str(text) {
                Ok(reader) => against(promise, &reader, &|_| None),
                Err(_) => unproved(&format!("the schema of version {version} is not valid")),
            }
        }
        (Some(schema), written, read) if written == read => encoded(promise, schema, reads),
        (None, ..) => unproved("a reader of the whole event reads it by the rules of its format"),
        _ => unproved("the two versions are of different formats"),
    }
}

fn is_same(one: &Schema, other: &Schema) -> bool {
    one.format == other.format
        && one.text == other.text
        && one.message() == other.message()
        && one.imports == other.imports
}

/// A reader that resolves what was written by the rules of Avro or Protobuf.
fn encoded(promise: &Promise<'_>, writes: &Schema, reads: &Schema) -> Verdict {
    let version = |schema: &Schema| Version {
        name: schema.path().unwrap_or("schema").to_owned(),
        text: schema.text.clone().unwrap_or_default(),
        properties: Map::new(),
        references: schema.imports.clone(),
    };
    let format = match writes.format {
        SchemaFormat::Protobuf => Format::Protobuf,
        _ => Format::Avro,
    };
    let options = Options {
        mode: Mode::Backward,
        profile: Profile::Exact,
        open_content: OpenContent::Exact,
        policy: json::Policy::default(),
        group: None,
        message: reads.message(),
        draft: Draft::Twenty,
        keep_going: &|| true,
    };
    let Ok(compared) = compare(format, &[version(writes)], &version(reads), &options) else {
        return unproved("the two versions cannot be compared");
    };
    if compared.verdict.answer == Answer::Compatible {
        return Verdict::Met;
    }
    let mut witnesses = compared.verdict.findings.iter();
    let witness = witnesses.find_map(|finding| {
        let witness = finding.witness.as_ref()?;
        promise.may_send(&witness.event).then_some(witness)
    });
    match witness {
        Some(witness) => Verdict::Unmet(Broken {
            event: witness.event.clone(),
            path: witness.path.clone(),
            reason: witness.error.clone(),
        }),
        None => {
            let first = compared.verdict.findings.first();
            unproved(first.map_or("", |finding| finding.reason.as_str()))
        }
    }
}
