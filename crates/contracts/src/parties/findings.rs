//! Contracts as findings of a design.

use std::collections::{BTreeSet, HashMap};

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde_json::{Map, Value};
use tidegate_base::Name;
use tidegate_model::design::{ConsumerRef, Event, Requirement, Rule};
use tidegate_model::{Code, CodeInfo, Design, Finding, Place, closest};

use super::codes::{
    EXAMPLE_BREAKS_RULE, NEVER_KEPT, NOT_A_RULE, NOT_MET, NOT_PROVED, RULE_READS_UNDECLARED,
    RULE_TYPES, UNKNOWN_VERSION, VALUE_NEVER_SENT,
};
use super::demand::{self, Clause};
use super::judge::{Broken, UNREADABLE, Verdict};
use super::keepable::{Unkeepable, unkeepable};
use super::matrix::{Cell, EventContracts, Judged, Matrix};
use super::payload::{Payload, shape_of};
use super::report::short;
use super::rule::{Expression, Judgement, Problem, ProblemKind};
use super::shape::{Found, Shape};

/// Everything about contracts that is wrong in `design`, by place and code.
#[must_use]
pub fn check(design: &Design) -> Vec<Finding> {
    let mut findings = versions(design);
    findings.extend(rules(design));
    findings.extend(values(design));
    findings.extend(contracts(design));
    findings.sort_by(|a, b| {
        (&a.place, a.code, &a.path, &a.message).cmp(&(&b.place, b.code, &b.path, &b.message))
    });
    findings
}

/// Adds what [`check`] finds to what else is wrong in `design`, each cause once: a field that is not
/// declared is no contract, and an event that lacks a field says more than that one may.
pub fn check_beside(design: &Design, findings: &mut Vec<Finding>) {
    let mut own = check(design);
    let undeclared = causes(findings, FIELD_NOT_DECLARED);
    let optional = causes(findings, FIELD_NOT_REQUIRED);
    own.retain(|finding| {
        let is_of = |causes: &BTreeSet<Cause>| causes.contains(&cause(finding));
        let is_said = match finding.code {
            code if code == NOT_MET.code => is_of(&undeclared),
            code if code == NOT_PROVED.code => is_of(&undeclared) || is_of(&optional),
            _ => false,
        };
        !is_said
    });
    let shown = causes(&own, NOT_MET.code);
    findings.retain(|one| one.code != FIELD_NOT_REQUIRED || !shown.contains(&cause(one)));
    findings.extend(own);
}

/// What rules over schemas say of fields that consumers rely on.
const FIELD_NOT_DECLARED: Code = Code("E0506");
const FIELD_NOT_REQUIRED: Code = Code("E0507");

/// A requirement and the schema that it is held against.
type Cause = (Place, Option<Place>);

fn cause(finding: &Finding) -> Cause {
    let schema = finding.related.first().map(|(place, _)| place.clone());
    (finding.place.clone(), schema)
}

fn causes(findings: &[Finding], code: Code) -> BTreeSet<Cause> {
    let found = findings.iter().filter(|finding| finding.code == code);
    found.map(cause).collect()
}

fn finding(info: CodeInfo, place: &Place, path: String, message: String) -> Finding {
    Finding {
        code: info.code,
        severity: info.severity,
        place: place.clone(),
        path,
        message,
        hint: None,
        related: Vec::new(),
    }
}

/// Versions that are named and not there.
fn versions(design: &Design) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut unknown = |event: &Name, version: &Name, place: &Place, path: String| {
        let Some(of) = design
            .events
            .get(event)
            .filter(|of| !of.has_version(version.as_str()))
        else {
            return;
        };
        let known: Vec<&str> = of.all_versions().map(|(name, _)| name).collect();
        let message = format!("`{event}` has no version `{version}`");
        let mut finding = finding(UNKNOWN_VERSION, place, path, message);
        finding.hint = Some(match closest(version.as_str(), known.iter().copied()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("its versions are {}", known.join(", ")),
        });
        findings.push(finding);
    };
    for (name, service) in &design.services {
        for (event, versions) in &service.publishes_versions {
            for version in versions {
                let path = format!("services.{name}.publishes");
                unknown(event, &version.value, &version.place, path);
            }
        }
    }
    for consumer in design.consumers() {
        if let Some(reads) = &consumer.consume.reads {
            let path = format!("{}.reads", consumer.path());
            unknown(consumer.event_name, &reads.value, &reads.place, path);
        }
    }
    findings
}

/// Rules that cannot be read, and examples that break one.
fn rules(design: &Design) -> Vec<Finding> {
    let mut relied_on: HashMap<&Name, Vec<ConsumerRef<'_>>> = HashMap::new();
    for consumer in design.consumers() {
        if !consumer.consume.rules.is_empty() {
            let consumers = relied_on.entry(consumer.event_name).or_default();
            consumers.push(consumer);
        }
    }
    let events: Vec<_> = design
        .events
        .iter()
        .map(|(name, event)| (name, event, relied_on.remove(name).unwrap_or_default()))
        .filter(|(_, event, consumers)| !event.rules.is_empty() || !consumers.is_empty())
        .collect();
    let findings = events.into_par_iter().map(|(name, event, consumers)| {
        let mut findings = Vec::new();
        rules_of(name, event, &consumers, &mut findings);
        findings
    });
    findings.flatten().collect()
}

fn rules_of(
    name: &Name,
    event: &Event,
    consumers: &[ConsumerRef<'_>],
    findings: &mut Vec<Finding>,
) {
    let shape = event.schema.as_ref().and_then(shape_of);
    let mut readable = Vec::new();
    for rule in &event.rules {
        let path = format!("events.{name}.rules");
        match Expression::read(&rule.expression.value, shape.as_ref()) {
            Ok(expression) => readable.push((rule, expression)),
            Err(problems) => report(rule, &path, problems, findings),
        }
    }
    never_kept(name, event, &readable, findings);
    if let (Some(shape), false) = (&shape, readable.is_empty()) {
        examples(name, event, shape, &readable, findings);
    }
    for consumer in consumers {
        for rule in &consumer.consume.rules {
            let path = format!("{}.requires", consumer.path());
            if let Err(problems) = Expression::read(&rule.expression.value, shape.as_ref()) {
                report(rule, &path, problems, findings);
            }
        }
    }
}

fn report(rule: &Rule, path: &str, problems: Vec<Problem>, findings: &mut Vec<Finding>) {
    for problem in problems {
        let info = match problem.kind {
            ProblemKind::Text => NOT_A_RULE,
            ProblemKind::Field => RULE_READS_UNDECLARED,
            ProblemKind::Types => RULE_TYPES,
        };
        let text = &rule.expression.value;
        let message = format!("rule `{}`: {}", short(text), problem.message);
        let place = within(&rule.expression.place, text, problem.at);
        let mut finding = finding(info, &place, path.to_owned(), message);
        finding.hint = problem.hint;
        findings.push(finding);
    }
}

/// The character of a rule in its file, where the rule is written on one line and as it is.
fn within(place: &Place, text: &str, at: Option<usize>) -> Place {
    let written = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let quote = match place.length.checked_sub(written) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return place.clone(),
    };
    let at = at
        .and_then(|at| u32::try_from(at).ok())
        .filter(|at| *at < written);
    match at {
        Some(at) if !text.contains('\n') => Place {
            column: place.column.saturating_add(quote).saturating_add(at),
            length: 1,
            ..place.clone()
        },
        _ => place.clone(),
    }
}

/// An event can keep the rules.
fn never_kept(
    name: &Name,
    event: &Event,
    rules: &[(&Rule, Expression)],
    findings: &mut Vec<Finding>,
) {
    let expressions: Vec<&Expression> = rules.iter().map(|(_, expression)| expression).collect();
    if expressions.is_empty() {
        return;
    }
    let schema = event.schema.as_ref();
    let payload = schema.and_then(Payload::of);
    // What is no schema is reported elsewhere, and says nothing of rules.
    if schema.is_some() && payload.is_none() {
        return;
    }
    let (chosen, together) = match unkeepable(payload.as_ref(), &expressions) {
        Unkeepable::None => return,
        Unkeepable::Each(numbers) => (numbers, ""),
        Unkeepable::Together => (vec![0], " together with the other rules of the event"),
    };
    for (rule, expression) in chosen.iter().filter_map(|number| rules.get(*number)) {
        let message = format!(
            "no event of `{name}` keeps the rule `{}`{together}: every one would be refused",
            short(expression.text())
        );
        let path = format!("events.{name}.rules");
        let mut finding = finding(NEVER_KEPT, &rule.expression.place, path, message);
        let hint =
            "correct the rule so that an event that the schema allows can keep it, or remove it";
        finding.hint = Some(hint.to_owned());
        let places = schema.map(|schema| (schema.place.clone(), "the schema".to_owned()));
        finding.related.extend(places);
        findings.push(finding);
    }
}

/// The examples in the schema keep the rules of the event.
fn examples(
    name: &Name,
    event: &Event,
    shape: &Shape,
    rules: &[(&Rule, Expression)],
    findings: &mut Vec<Finding>,
) {
    let Some(schema) = &event.schema else { return };
    let text = schema.text.as_deref().unwrap_or_default();
    let root: Option<Value> = serde_json::from_str(text).ok();
    let examples = root
        .as_ref()
        .and_then(|root| root.get("examples")?.as_array());
    for (number, example) in examples.into_iter().flatten().enumerate() {
        for (rule, expression) in rules {
            let why = match expression.judge(shape, example, &Map::new()) {
                Judgement::Holds => continue,
                Judgement::Broken => "it is false".to_owned(),
                Judgement::Failed(why) => why,
            };
            let message = format!(
                "example {} in the schema of `{name}` breaks the rule `{}`: {why}",
                number + 1,
                short(expression.text())
            );
            let path = format!("events.{name}.rules");
            let mut finding = finding(EXAMPLE_BREAKS_RULE, &rule.expression.place, path, message);
            let hint = "correct the example, or the rule: such an event is refused";
            finding.hint = Some(hint.to_owned());
            finding
                .related
                .push((schema.place.clone(), "the schema".to_owned()));
            findings.push(finding);
        }
    }
}

/// Values that a consumer handles and no version ever sends.
fn values(design: &Design) -> Vec<Finding> {
    let mut findings = Vec::new();
    for consumer in design.consumers() {
        let Some(event) = design.events.get(consumer.event_name) else {
            continue;
        };
        for requirement in &consumer.consume.requires {
            if requirement.values.is_some() {
                never_sent(&consumer, event, requirement, &mut findings);
            }
        }
    }
    findings
}

fn never_sent(
    consumer: &ConsumerRef<'_>,
    event: &Event,
    requirement: &Requirement,
    findings: &mut Vec<Finding>,
) {
    let path = demand::path(requirement);
    let mut sent: Vec<Value> = Vec::new();
    for (_, schema) in event.all_versions() {
        let Some(shape) = schema.and_then(shape_of) else {
            return;
        };
        let node = match shape.at(&path) {
            Found::Node(id, _) => shape.node(id),
            _ => return,
        };
        match &node.values {
            Some(values) => sent.extend(values.iter().cloned()),
            None => return,
        }
    }
    for value in requirement.values.iter().flatten() {
        if sent.contains(&value.value) {
            continue;
        }
        let message = format!(
            "`{}` handles {} in `{}`, which `{}` never has there",
            consumer.id(),
            value.value,
            requirement.field.value,
            consumer.event_name
        );
        let path = format!("{}.requires", consumer.path());
        let mut finding = finding(VALUE_NEVER_SENT, &value.place, path, message);
        let known = sent.iter().filter_map(Value::as_str);
        let close = value
            .value
            .as_str()
            .and_then(|written| closest(written, known));
        finding.hint = Some(match close {
            Some(close) => format!("did you mean `{close}`?"),
            None => {
                let sent: Vec<String> = sent.iter().map(Value::to_string).collect();
                format!("the schema has {}", short(&sent.join(", ")))
            }
        });
        findings.push(finding);
    }
}

/// Contracts of versions that are published and not met, or not proved.
fn contracts(design: &Design) -> Vec<Finding> {
    let is_asked = |event: &Event, version: &str, clause: &Clause<'_>| {
        let has_schema = super::matrix::schema_of(event, version).is_some();
        // A reader of this very version reads it, and that there is none is said elsewhere.
        let reads = |read: &str| read != version && super::matrix::schema_of(event, read).is_some();
        let is_open = match clause {
            Clause::Whole(read) => reads(read),
            Clause::Field(_) | Clause::Rule(_) => true,
        };
        has_schema && is_open
    };
    let matrix = Matrix::chosen(design, &is_asked);
    let findings = matrix.events.into_par_iter().map(|contracts| {
        let mut findings = Vec::new();
        for cell in &contracts.cells {
            let publishers = publishers(&contracts, &cell.version);
            if publishers.is_empty() {
                continue;
            }
            for judged in &cell.clauses {
                findings.extend(of_clause(design, (&contracts, cell), judged, &publishers));
            }
        }
        findings
    });
    findings.flatten().collect()
}

/// Who publishes a version.
fn publishers(contracts: &EventContracts, version: &str) -> Vec<String> {
    let all = contracts.producers.iter();
    let all = all.filter(|producer| producer.versions.iter().any(|known| known == version));
    let names = all.map(|producer| match &producer.service {
        Some(service) => format!("`{service}`"),
        None => "whoever publishes it".to_owned(),
    });
    names.collect()
}

fn of_clause(
    design: &Design,
    (contracts, cell): (&EventContracts, &Cell),
    judged: &Judged,
    publishers: &[String],
) -> Option<Finding> {
    let event = design.events.get(&contracts.event)?;
    let version = match event.versions.is_empty() {
        true => String::new(),
        false => format!(" in version {}", cell.version),
    };
    let who = format!("`{}/{}`", cell.consumer, contracts.event);
    let path = format!(
        "services.{}.consumes.{}.requires",
        cell.consumer, contracts.event
    );
    let publish = publishers.join(" and ");
    let mut found = match &judged.verdict {
        Verdict::Met => return None,
        Verdict::Unmet(broken) => {
            let message = format!(
                "{who} relies on {}, and {publish} may send{version} {}{}",
                judged.clause,
                short(&broken.event.to_string()),
                at(broken)
            );
            let mut found = finding(NOT_MET, &judged.place, path, message);
            found.hint = Some(hint(judged));
            found
        }
        Verdict::NotProved(why) => {
            // What is wrong with the rule itself is said already.
            if why == UNREADABLE {
                return None;
            }
            let message = format!(
                "whether {publish} keeps{version} what {who} relies on, {}, is not proved: {why}",
                judged.clause
            );
            finding(NOT_PROVED, &judged.place, path, message)
        }
    };
    let schema = super::matrix::schema_of(event, &cell.version)?;
    found
        .related
        .push((schema.place.clone(), "the schema".to_owned()));
    Some(found)
}

fn at(broken: &Broken) -> String {
    match broken.path.as_str() {
        "" => format!(": {}", broken.reason),
        path => format!(": at {path}, {}", broken.reason),
    }
}

fn hint(judged: &Judged) -> String {
    let because = match &judged.because {
        Some(because) => format!(" (it is relied on because: {because})"),
        None => String::new(),
    };
    format!(
        "have the consumer take such an event first, or the producer promise that it sends none{because}"
    )
}
