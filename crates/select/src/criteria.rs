//! What remains is ranked by these: each turns facts into a value from 0 (the worst that is
//! acceptable) to 1 (ideal).
//!
//! Values are anchored on fixed points or on the design's own targets, never on the other options:
//! an option added or removed changes no other option's value. What is not known is an interval.

use serde::Serialize;

use crate::decision::Interval;
use crate::elimination::Check;
use crate::facts::{Criterion, Facts, MessagingOption, Runs, Value};
use crate::workload::Workload;

/// A margin of this much is ideal.
const MARGIN_IDEAL: f64 = 10.0;
/// A latency of this much is ideal, in seconds.
const LATENCY_IDEAL_SECONDS: f64 = 0.001;
/// The worst acceptable latency when the design has no target, in seconds.
const LATENCY_WORST_SECONDS: f64 = 1.0;
/// Latencies of different sources were taken under different loads: each may be off by this factor.
const LATENCY_DOUBT: f64 = 3.0;

/// What options are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ranking {
    /// Room below the tightest known limit.
    Headroom,
    /// How soon events arrive.
    Latency,
    /// How little work it is to run.
    Operations,
    /// What survives a crash, and the loss of a machine.
    Durability,
    /// How much of what the design uses is there natively.
    Features,
    /// Whether it, or something with its protocol, already runs.
    Familiarity,
    /// Whether it can be moved elsewhere, and its source be read.
    Independence,
}

impl Ranking {
    /// All, in the order of reports.
    pub const ALL: [Self; 7] = [
        Self::Headroom,
        Self::Latency,
        Self::Operations,
        Self::Durability,
        Self::Features,
        Self::Familiarity,
        Self::Independence,
    ];

    /// Its name in `messaging.weights` and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headroom => "headroom",
            Self::Latency => "latency",
            Self::Operations => "operations",
            Self::Durability => "durability",
            Self::Features => "features",
            Self::Familiarity => "familiarity",
            Self::Independence => "independence",
        }
    }

    /// What it weighs unless the design says otherwise. Only ratios count.
    #[must_use]
    pub const fn default_weight(self) -> f64 {
        match self {
            Self::Headroom | Self::Latency | Self::Operations => 2.0,
            Self::Durability => 1.5,
            Self::Features | Self::Familiarity => 1.0,
            Self::Independence => 0.5,
        }
    }
}

/// The value of one option by one criterion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Valued {
    /// The criterion.
    pub criterion: Ranking,
    /// From 0 to 1, with what is not known of it.
    #[serde(flatten)]
    pub value: Interval,
    /// Why, in a few words.
    pub because: String,
}

/// The value of `option` by every criterion, in the order of [`Ranking::ALL`].
#[must_use]
pub(crate) fn values(
    option: &MessagingOption,
    checks: &[Check],
    workload: &Workload,
    facts: &Facts,
) -> Vec<Valued> {
    Ranking::ALL
        .into_iter()
        .map(|criterion| {
            let (value, because) = match criterion {
                Ranking::Headroom => headroom(checks),
                Ranking::Latency => latency(option, workload, facts),
                Ranking::Operations => operations(option, workload, facts),
                Ranking::Durability => durability(option, facts),
                Ranking::Features => features(option, workload, facts),
                Ranking::Familiarity => familiarity(option, workload, facts),
                Ranking::Independence => independence(option, facts),
            };
            Valued {
                criterion,
                value,
                because,
            }
        })
        .collect()
}

/// Where `x` lies between `worst` and `ideal` on a logarithmic scale.
fn logarithmic(x: f64, worst: f64, ideal: f64) -> f64 {
    ((x / worst).ln() / (ideal / worst).ln()).clamp(0.0, 1.0)
}

fn headroom(checks: &[Check]) -> (Interval, String) {
    let tightest = checks
        .iter()
        .filter_map(|check| Some((check.margin?, check)))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    match tightest {
        Some((margin, check)) => (
            Interval::exact(logarithmic(margin.max(1.0), 1.0, MARGIN_IDEAL)),
            format!("tightest: {}, margin {margin:.1}", check.criterion),
        ),
        None => (Interval::UNKNOWN, "no known limit applies".to_owned()),
    }
}

fn latency(option: &MessagingOption, workload: &Workload, facts: &Facts) -> (Interval, String) {
    let worst = workload.latency_seconds.unwrap_or(LATENCY_WORST_SECONDS);
    // A target at or below the ideal leaves no scale: one step of it is kept.
    let worst = worst.max(LATENCY_IDEAL_SECONDS * LATENCY_DOUBT);
    let fact = facts
        .of(&option.id, Criterion::Latency)
        .filter(|fact| fact.decides());
    let Some((fact, Value::Number(seconds))) = fact.map(|fact| (fact, &fact.value)) else {
        return (Interval::UNKNOWN, "not known: measure".to_owned());
    };
    let at = |seconds: f64| logarithmic(seconds, worst, LATENCY_IDEAL_SECONDS);
    let interval = Interval::new(
        at(seconds * LATENCY_DOUBT),
        at(*seconds),
        at(seconds / LATENCY_DOUBT),
    );
    let text = crate::quantity::amount_text(Criterion::Latency, *seconds);
    let note = fact.note.as_deref().unwrap_or("load not given");
    (interval, format!("{text} ({note})"))
}

/// The value of an amount of work in words; `None` when the words are not known.
pub(crate) fn effort(words: &str) -> Option<f64> {
    Some(match words {
        "none" => 1.0,
        "low" => 0.8,
        "low-medium" => 0.65,
        "low-if-run" | "medium" => 0.5,
        "medium-high" => 0.3,
        "high" => 0.1,
        _ => return None,
    })
}

fn operations(option: &MessagingOption, workload: &Workload, facts: &Facts) -> (Interval, String) {
    match facts
        .of(&option.id, Criterion::Operations)
        .map(|fact| &fact.value)
    {
        Some(Value::Text(words)) if words == "low-if-run" && runs_already(option, workload) => (
            Interval::exact(0.8),
            "low, since it already runs".to_owned(),
        ),
        Some(Value::Text(words)) => match effort(words) {
            Some(value) => (
                Interval::exact(value),
                words.replace("low-if-run", "medium: new here"),
            ),
            None => (Interval::UNKNOWN, "not known".to_owned()),
        },
        _ => (Interval::UNKNOWN, "not known".to_owned()),
    }
}

fn durability(option: &MessagingOption, facts: &Facts) -> (Interval, String) {
    let disk = facts.flag(&option.id, Criterion::FsyncBeforeAcknowledge);
    let node = facts.flag(&option.id, Criterion::SurvivesNodeLoss);
    let words = [
        (
            disk,
            "on disk before the acknowledgement",
            "acknowledged before it is on disk",
        ),
        (
            node,
            "survives the loss of a machine",
            "a lost machine can lose messages",
        ),
    ];
    let because = words.map(|(flag, yes, no)| match flag {
        Some(true) => yes.to_owned(),
        Some(false) => no.to_owned(),
        None => format!(
            "not known whether it {}",
            yes.replace("on disk", "is on disk")
        ),
    });
    let mean = Interval::mean([disk, node].into_iter().map(Interval::of_flag));
    (mean, because.join("; "))
}

fn features(option: &MessagingOption, workload: &Workload, facts: &Facts) -> (Interval, String) {
    let known: Vec<_> = workload
        .uses
        .iter()
        .map(|criterion| (*criterion, facts.flag(&option.id, *criterion)))
        .collect();
    let names = |wanted: Option<bool>| {
        let named = known.iter().filter(|(_, flag)| *flag == wanted);
        named
            .map(|(criterion, _)| crate::facts::name_of(*criterion))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let because = [
        ("has", Some(true)),
        ("lacks", Some(false)),
        ("unknown", None),
    ]
    .into_iter()
    .map(|(word, wanted)| (word, names(wanted)))
    .filter(|(_, names)| !names.is_empty())
    .map(|(word, names)| format!("{word} {names}"))
    .collect::<Vec<_>>()
    .join("; ");
    (
        Interval::mean(known.iter().map(|(_, flag)| Interval::of_flag(*flag))),
        because,
    )
}

fn runs_already(option: &MessagingOption, workload: &Workload) -> bool {
    workload.existing.iter().any(|name| option.is_called(name))
}

fn familiarity(option: &MessagingOption, workload: &Workload, facts: &Facts) -> (Interval, String) {
    if runs_already(option, workload) {
        return (Interval::exact(1.0), "already runs".to_owned());
    }
    let related = facts
        .options
        .iter()
        .filter(|other| runs_already(other, workload))
        .find(|other| {
            // Everything speaks HTTPS: that is no kinship.
            let mut shared = other
                .protocols
                .iter()
                .filter(|p| option.protocols.contains(p));
            shared.any(|protocol| protocol != "https")
        });
    match related {
        Some(other) => (
            Interval::exact(0.5),
            format!("speaks a protocol of {}", other.name),
        ),
        None if workload.existing.is_empty() => (
            Interval::exact(0.0),
            "the design names nothing that runs".to_owned(),
        ),
        None => (Interval::exact(0.0), "new here".to_owned()),
    }
}

fn independence(option: &MessagingOption, facts: &Facts) -> (Interval, String) {
    let (value, because) = match (option.runs, facts.flag(&option.id, Criterion::OpenSource)) {
        (Runs::Software, Some(true)) => (Interval::exact(1.0), "open source, runs anywhere"),
        (Runs::Software, Some(false)) => (Interval::exact(0.5), "not open source, runs anywhere"),
        (Runs::Software, None) => (
            Interval::new(0.5, 0.75, 1.0),
            "licence not known, runs anywhere",
        ),
        (Runs::Aws | Runs::Gcp | Runs::Azure, _) => (Interval::exact(0.0), "one cloud's service"),
    };
    (value, because.to_owned())
}
