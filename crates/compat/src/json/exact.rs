//! The profile `exact`: what a reader that validates does with every event that a writer may write.

use serde_json::{Number, Value};

use super::OpenContent;
use super::draft::Draft;
use super::effort::Effort;
use super::failure::Failure;
use super::flat::Integers;
use super::judge::judge;
use super::known::{Known, Node};
use super::number;
use super::schema::Schema;
use super::study::Study;
use super::witness::Court;
use crate::verdict::{Answer, Reason, Witness};

/// Work for a proof.
const PROOF_STEPS: u64 = 120_000;
/// Work for samples of what the library says is the difference.
const SAMPLE_STEPS: u64 = 20_000;
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
    let schemas = [&writer.lowered.root, &reader.lowered.root];
    match schemas.into_iter().any(has_rounded) {
        true => beyond_precision(reasons, schemas),
        false => reasons,
    }
}

/// The numbers of a value, wherever they stand.
fn numbers<'v>(value: &'v Value, found: &mut Vec<&'v Number>) {
    match value {
        Value::Number(number) => found.push(number),
        Value::Array(items) => items.iter().for_each(|item| numbers(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| numbers(field, found)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Whether it has a number that was rounded when it was read, or may have been: one beyond 64 bits.
fn has_rounded(value: &Value) -> bool {
    let mut all = Vec::new();
    numbers(value, &mut all);
    all.into_iter().any(number::is_rounded)
}

/// Whether an event says the same however the numbers in it, and in the schemas, were rounded: those
/// that were are far from all others, and nothing divides them.
fn is_exact(event: &Value, schemas: [&Value; 2]) -> bool {
    let (mut own, mut others) = (Vec::new(), Vec::new());
    numbers(event, &mut own);
    for schema in schemas {
        numbers(schema, &mut others);
    }
    let is_rounded = own.iter().any(|number| number::is_rounded(number));
    let divides = |schema: &Value| schema.to_string().contains("\"multipleOf\"");
    let pairs = own.iter().flat_map(|a| others.iter().map(move |b| (a, b)));
    let mut touchy = pairs.filter(|(a, b)| number::is_rounded(a) || number::is_rounded(b));
    !(is_rounded && schemas.into_iter().any(divides))
        && touchy.all(|(a, b)| number::are_apart(a, b))
}

/// What is left of an answer that rests on numbers that were rounded: events that do not.
fn beyond_precision(mut reasons: Vec<Reason>, schemas: [&Value; 2]) -> Vec<Reason> {
    for reason in &mut reasons {
        let is_exact = |witness: &Witness| is_exact(&witness.event, schemas);
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
    // Without effort some questions are not asked: no yes may rest on that.
    if study.covers() && !study.effort.is_spent() {
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
        tell(&mut reasons, witness);
    }
    if !is_shown(&reasons) {
        let witness = court.of_writer(&mut study);
        tell(&mut reasons, witness);
    }
    if !is_shown(&reasons) && !study.effort.is_stopped() {
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
        tell(&mut reasons, witness);
    }
    let mut told = std::collections::BTreeSet::new();
    reasons.sort_by_key(|one| one.witness.is_none());
    reasons.retain(|one| told.insert((one.code, one.path.clone())));
    settle(
        &mut reasons,
        was_spent || study.effort.is_stopped(),
        left_out,
    );
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
    let how = (Integers::ByValue, court.is_reserved);
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

/// Tells of an event: as that of the one reason there is, where that has none, or else alone.
fn tell(reasons: &mut Vec<Reason>, witness: Option<Witness>) {
    match (reasons.as_mut_slice(), witness) {
        (_, None) => {}
        ([one], Some(witness)) if one.witness.is_none() && one.code != "not-understood" => {
            one.answer = Answer::Incompatible;
            one.witness = Some(witness);
        }
        (_, Some(witness)) => reasons.push(found(witness)),
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
