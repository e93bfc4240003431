//! Hard constraints: what each option provably cannot do.
//!
//! A limit divided by the need is the margin: below 1 the option is out, below 1.5 it is tight. A
//! fact that can be changed, is advice, or was measured elsewhere never excludes; an unknown fact
//! neither excludes nor passes.

use serde::Serialize;

use crate::facts::{Fact, Facts, Kind, MessagingOption, Runs, Value, name_of};
use crate::quantity::amount_text;
use crate::workload::{Amount, Need, Workload};

/// The check of where an option runs.
const HOSTING: &str = "hosting";
/// Below this margin a limit is tight.
const TIGHT: f64 = 1.5;

/// One need held against one option.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What was checked: a criterion, or `hosting`.
    pub criterion: String,
    /// What came out.
    pub outcome: Outcome,
    /// The limit over the need, where both are numbers.
    pub margin: Option<f64>,
    /// Need, fact and margin in one sentence.
    pub sentence: String,
    /// The fact; absent when nothing is known.
    pub fact: Option<Fact>,
}

/// What came out of a check; ordered from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is there, with room.
    Met,
    /// Nothing is known: it cannot be excluded, and is not passed either.
    Unknown,
    /// It is there with little room, or must be configured, paid for or measured.
    Tight,
    /// It is not there: the option is out.
    Rejected,
}

/// Every need of `workload` held against `option`.
#[must_use]
pub(crate) fn check(option: &MessagingOption, workload: &Workload, facts: &Facts) -> Vec<Check> {
    let needs = workload
        .needs
        .iter()
        .map(|need| check_need(option, need, facts));
    needs.chain(check_hosting(option, workload)).collect()
}

fn check_hosting(option: &MessagingOption, workload: &Workload) -> Option<Check> {
    if workload.clouds.is_empty() {
        return None;
    }
    let only = match option.runs {
        Runs::Software => None,
        Runs::Aws => Some("aws"),
        Runs::Gcp => Some("gcp"),
        Runs::Azure => Some("azure"),
    };
    let allowed = only.is_none_or(|cloud| workload.clouds.iter().any(|c| c == cloud));
    let where_it_runs = only.map_or_else(
        || "runs on any machine".to_owned(),
        |cloud| format!("runs only as a service of {cloud}"),
    );
    let clouds = workload.clouds.join(", ");
    Some(Check {
        criterion: HOSTING.to_owned(),
        outcome: if allowed {
            Outcome::Met
        } else {
            Outcome::Rejected
        },
        margin: None,
        sentence: format!("{where_it_runs}; `messaging.clouds` allows {clouds}"),
        fact: None,
    })
}

fn check_need(option: &MessagingOption, need: &Need, facts: &Facts) -> Check {
    let criterion = name_of(need.criterion);
    let fact = facts.of(&option.id, need.criterion);
    let Some(fact) = fact.filter(|fact| fact.decides()) else {
        let known = match fact {
            Some(_) => "what is said of it is not verified",
            None => "nothing is known of it",
        };
        let sentence = format!(
            "{}: needs {}; {known}, so it is not excluded",
            need.because,
            need_text(need)
        );
        return Check {
            criterion,
            outcome: Outcome::Unknown,
            margin: None,
            sentence,
            fact: fact.cloned(),
        };
    };
    let (outcome, margin, verdict) = judge(need, fact);
    let sentence = format!(
        "{}: needs {}; {verdict} ({}, {}{})",
        need.because,
        need_text(need),
        fact.source,
        fact.as_of,
        fact.note
            .as_ref()
            .map(|note| format!("; {note}"))
            .unwrap_or_default(),
    );
    Check {
        criterion,
        outcome,
        margin,
        sentence,
        fact: Some(fact.clone()),
    }
}

/// The outcome, the margin, and the reason in words.
fn judge(need: &Need, fact: &Fact) -> (Outcome, Option<f64>, String) {
    match (need.amount, &fact.value) {
        (Amount::Yes, Value::Flag(true)) => (Outcome::Met, None, "it is there".to_owned()),
        (Amount::Yes, Value::Flag(false)) if fact.kind == Kind::Default => (
            Outcome::Tight,
            None,
            "not by default, it must be configured".to_owned(),
        ),
        (Amount::Yes, Value::Flag(false)) => {
            (Outcome::Rejected, None, "it is not there".to_owned())
        }
        (Amount::AtLeast(amount), Value::Number(limit)) => {
            let margin = limit / amount;
            let limit = amount_text(fact.criterion, *limit);
            let (outcome, words) = match (margin < 1.0, binds(fact.kind)) {
                (true, true) => (Outcome::Rejected, format!("the limit is {limit}")),
                (true, false) => (
                    Outcome::Tight,
                    format!("beyond {} {limit}", kind_text(fact.kind)),
                ),
                (false, _) if margin < TIGHT => {
                    (Outcome::Tight, format!("little room below {limit}"))
                }
                (false, _) => (Outcome::Met, format!("well below {limit}")),
            };
            (
                outcome,
                Some(margin),
                format!("{words}, margin {margin:.2}"),
            )
        }
        (Amount::ShareOf(whole), Value::Number(limit)) => judge_share(whole, *limit, fact),
        (_, Value::Flag(_) | Value::Number(_) | Value::Text(_)) => (
            Outcome::Unknown,
            None,
            "the fact says nothing about it".to_owned(),
        ),
    }
}

/// A limit for one key, whose share of the whole the design does not say.
fn judge_share(whole: f64, limit: f64, fact: &Fact) -> (Outcome, Option<f64>, String) {
    let text = amount_text(fact.criterion, limit);
    if limit >= whole {
        let margin = limit / whole;
        let outcome = if margin < TIGHT {
            Outcome::Tight
        } else {
            Outcome::Met
        };
        let words =
            format!("the limit of one key is {text}, margin {margin:.2} even for one key alone");
        return (outcome, Some(margin), words);
    }
    let share = limit / whole * 100.0;
    let words = format!(
        "the limit of one key is {text}: it holds while no key has more than {share:.2}% of the peak, \
         which the design does not say"
    );
    (Outcome::Unknown, None, words)
}

/// Whether a fact of this kind can exclude.
fn binds(kind: Kind) -> bool {
    matches!(kind, Kind::HardLimit | Kind::GeneralKnowledge)
}

fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::HardLimit => "the limit of",
        Kind::Default => "the default of",
        Kind::Guideline => "the advised",
        Kind::VendorBenchmark => "the vendor's measured",
        Kind::ThirdParty => "the measured",
        Kind::GeneralKnowledge => "the known",
    }
}

fn need_text(need: &Need) -> String {
    match need.amount {
        Amount::Yes => name_of(need.criterion),
        Amount::AtLeast(amount) => amount_text(need.criterion, amount),
        Amount::ShareOf(whole) => {
            format!("one key's share of {}", amount_text(need.criterion, whole))
        }
    }
}

/// What would have to change for a rejected option to stay: only when a single need stands against
/// it, with how far it missed.
#[must_use]
pub(crate) fn readmission(checks: &[Check]) -> Option<String> {
    let mut rejected = checks
        .iter()
        .filter(|check| check.outcome == Outcome::Rejected);
    let (only, None) = (rejected.next()?, rejected.next()) else {
        return None;
    };
    Some(match only.margin {
        Some(margin) => format!(
            "it would stay if the need for {} were {:.0}% of what it is",
            only.criterion,
            margin * 100.0
        ),
        None if only.criterion == HOSTING => {
            "it would stay if `messaging.clouds` allowed where it runs".to_owned()
        }
        None => format!("it would stay if {} were not needed", only.criterion),
    })
}
