//! The profile `exact`: what a reader that validates does with every event that a writer may write.

use serde_json::Value;

use super::OpenContent;
use super::draft::Draft;
use super::effort::Effort;
use super::failure::Failure;
use super::flat::Integers;
use super::judge::judge;
use super::known::{Known, Node};
use super::schema::Schema;
use super::study::Study;
use super::witness::Court;
use crate::verdict::{Answer, Reason, Witness};

/// Work for a proof.
const PROOF_STEPS: u64 = 120_000;
/// Work for samples of what the library says is the difference.
const SAMPLE_STEPS: u64 = 20_000;
/// From here on integers are read as floats: 2^63.
const INTEGERS_END: f64 = 9_223_372_036_854_775_808.0;
/// Most reasons for which an event is searched.
const REASONS_MAX: usize = 24;

/// The reasons why the reader does not read all that the writer may write; none is a proof that it
/// does.
pub(crate) fn compare(
    writer: &Schema,
    reader: &Schema,
    open: OpenContent,
    keep_going: &dyn Fn() -> bool,
) -> Vec<Reason> {
    let reasons = decide(writer, reader, open, keep_going);
    let rounded = [writer, reader].map(|schema| has_rounded(&schema.lowered.root));
    match rounded.contains(&true) {
        true => beyond_precision(reasons),
        false => reasons,
    }
}

/// Whether it has a number that was rounded when it was read, or may have been: one beyond 64 bits.
fn has_rounded(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            let is_float = !number.is_i64() && !number.is_u64();
            is_float
                && number
                    .as_f64()
                    .is_some_and(|float| float.abs() >= INTEGERS_END)
        }
        Value::Array(items) => items.iter().any(has_rounded),
        Value::Object(fields) => fields.values().any(has_rounded),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// What is left of an answer that rests on numbers that were rounded: events without such numbers.
fn beyond_precision(mut reasons: Vec<Reason>) -> Vec<Reason> {
    for reason in &mut reasons {
        let is_exact = |witness: &Witness| !has_rounded(&witness.event);
        reason.witness = reason.witness.take().filter(is_exact);
        if reason.witness.is_none() {
            reason.answer = Answer::NotProved;
        }
    }
    if !reasons.iter().any(|one| one.answer == Answer::Incompatible) {
        let why = "a number is beyond 64 bits, where those that differ in their last digits look the same";
        reasons.insert(0, unproved("not-understood", why));
    }
    reasons
}

fn decide(
    writer: &Schema,
    reader: &Schema,
    open: OpenContent,
    keep_going: &dyn Fn() -> bool,
) -> Vec<Reason> {
    let is_reserved = open == OpenContent::Reserved;
    let effort = Effort::new(PROOF_STEPS, keep_going);
    let how = (integers(writer, reader), is_reserved);
    let mut study = Study::new(&writer.lowered, &reader.lowered, how, effort);
    if study.covers() {
        return Vec::new();
    }
    let was_spent = study.effort.is_spent();
    let mut failures = std::mem::take(&mut study.failures);
    // What is nearest to the root is told of reasons that are met in more than one place.
    failures.sort_by_key(|failure| failure.trail.len());
    let left_out = failures.len().saturating_sub(REASONS_MAX);
    failures.truncate(REASONS_MAX);
    let court = Court {
        writer,
        reader,
        is_reserved,
    };
    let mut reasons: Vec<Reason> = Vec::new();
    let mut others = Vec::new();
    for failure in failures {
        let is_told = |told: &Reason| {
            (told.code, &told.path) == (failure.code, &failure.at) && told.witness.is_some()
        };
        if reasons.iter().any(is_told) {
            continue;
        }
        let (witness, other) = court.of_failure(&mut study, &failure);
        others.extend(other);
        reasons.push(reason(failure, witness));
    }
    let is_shown = |reasons: &[Reason]| reasons.iter().any(|one| one.witness.is_some());
    if !is_shown(&reasons) {
        let witness = court.of_samples(&mut study, others);
        reasons.extend(witness.map(found));
    }
    if !is_shown(&reasons) {
        let witness = court.of_writer(&mut study);
        reasons.extend(witness.map(found));
    }
    if !is_shown(&reasons) {
        let judgement = judge(writer, reader);
        if judgement.covers == Some(true) {
            return Vec::new();
        }
        let witness = judgement.difference.and_then(|difference| {
            let name = super::Named {
                name: "difference",
                text: &difference.to_string(),
            };
            let difference = Schema::read(name, &[], Draft::Twenty).ok()?;
            in_difference(&court, &difference, keep_going)
        });
        reasons.extend(witness.map(found));
    }
    let mut told = std::collections::BTreeSet::new();
    reasons.sort_by_key(|one| one.witness.is_none());
    reasons.retain(|one| told.insert((one.code, one.path.clone())));
    settle(&mut reasons, was_spent, left_out);
    reasons
}

fn integers(writer: &Schema, reader: &Schema) -> Integers {
    let is_old = |schema: &Schema| schema.lowered.drafts.contains(&Draft::Four);
    match (writer.lowered.drafts.as_slice(), is_old(reader)) {
        (_, false) => Integers::ByValue,
        ([Draft::Four], true) => Integers::AsWritten,
        (_, true) => Integers::AsWrittenByReader,
    }
}

fn in_difference(
    court: &Court<'_>,
    difference: &Schema,
    keep_going: &dyn Fn() -> bool,
) -> Option<Witness> {
    let effort = Effort::new(SAMPLE_STEPS, keep_going);
    let how = (Integers::ByValue, false);
    let reader = &court.reader.lowered;
    let mut samples = Study::new(&difference.lowered, reader, how, effort);
    let known = Known::of(vec![Node::start(&difference.lowered)]);
    let events = samples.samples(&known, 0);
    let effort = Effort::new(SAMPLE_STEPS, keep_going);
    let mut study = Study::new(&court.writer.lowered, reader, how, effort);
    court.of_samples(&mut study, events)
}

/// Events that a schema allows.
pub(crate) fn samples(schema: &Schema, keep_going: &dyn Fn() -> bool) -> Vec<Value> {
    let effort = Effort::new(SAMPLE_STEPS, keep_going);
    let how = (integers(schema, schema), false);
    let mut study = Study::new(&schema.lowered, &schema.lowered, how, effort);
    let known = Known::of(vec![Node::start(&schema.lowered)]);
    let mut events = study.samples(&known, 0);
    events.retain(|event| schema.allows(event));
    events
}

fn reason(failure: Failure<'_>, witness: Option<Witness>) -> Reason {
    Reason {
        answer: match witness {
            Some(_) => Answer::Incompatible,
            None => Answer::NotProved,
        },
        code: failure.code,
        path: failure.at,
        reason: failure.reason,
        fix: failure.fix,
        witness,
    }
}

/// A reason that is an event alone.
fn found(witness: Witness) -> Reason {
    let subject = match witness.path.as_str() {
        "" => "an event".to_owned(),
        path => format!("a value of `{path}`"),
    };
    Reason {
        answer: Answer::Incompatible,
        code: "value-refused",
        path: String::new(),
        reason: format!("the writer may write {subject} that the reader refuses"),
        fix: None,
        witness: Some(witness),
    }
}

/// Puts what was shown first, and says why the rest was not.
fn settle(reasons: &mut Vec<Reason>, was_spent: bool, left_out: usize) {
    let is_shown = reasons.iter().any(|one| one.witness.is_some());
    if was_spent && !is_shown {
        reasons.insert(
            0,
            unproved("effort-spent", "the comparison takes more work than it may"),
        );
    } else if reasons.is_empty() {
        let why = "neither a proof nor an event that breaks was found";
        reasons.push(unproved("undecided", why));
    }
    if left_out > 0 {
        let why = format!("{left_out} more reasons are not told");
        reasons.push(unproved("more", &why));
    }
    reasons.sort_by_key(|one| one.answer != Answer::Incompatible);
}

fn unproved(code: &'static str, reason: &str) -> Reason {
    Reason {
        answer: Answer::NotProved,
        code,
        path: String::new(),
        reason: reason.to_owned(),
        fix: None,
        witness: None,
    }
}
