//! The decision: what is out, what remains in which order, and what would flip it.

use serde::Serialize;
use tidegate_base::{Name, Timestamp};
use tidegate_model::Design;

use crate::acceptability::first_shares;
use crate::criteria::{Ranking, Valued, values};
use crate::decision::{FlipPoint, Values, dominates, flips, normalised, ranked};
use crate::elimination::{Check, Outcome, check, readmission};
use crate::facts::{Confidence, Fact, Facts, MessagingOption, name_of};
use crate::workload::Workload;

/// Below this share of first places nobody is a clear winner.
const CLEAR_SHARE: f64 = 0.6;

/// The decision. Its JSON is `tidegate/select/v1`.
#[derive(Clone, Debug, Serialize)]
pub struct Selection {
    /// Always `tidegate/select/v1`.
    pub schema: &'static str,
    /// The design's name.
    pub system: Name,
    /// The day of the decision, `YYYY-MM-DD`.
    pub date: String,
    /// What the design asks for.
    pub workload: Workload,
    /// What the criteria weigh; they sum to 1.
    pub weights: Vec<Weight>,
    /// What remains, the best first.
    pub ranking: Vec<Ranked>,
    /// What is out, and what is dominated.
    pub out: Vec<Excluded>,
    /// How sure the first place is.
    pub certainty: Certainty,
    /// The changes of one weight that would give another winner, the smallest first.
    pub flips: Vec<Flip>,
    /// What to keep in mind: facts that are old or not verified, criteria without facts.
    pub warnings: Vec<String>,
}

/// What one criterion weighs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Weight {
    /// The criterion.
    pub criterion: Ranking,
    /// From 0 to 1.
    pub weight: f64,
    /// Whether the design gives it.
    pub given: bool,
}

/// An option that remains.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// Its id.
    pub option: String,
    /// Its name.
    pub name: String,
    /// The weighted sum of its values, from 0 to 1.
    pub score: f64,
    /// How often it comes first when weights and unknowns are drawn at random.
    pub first_share: f64,
    /// Its value by each criterion.
    pub values: Vec<Valued>,
    /// Every need held against it.
    pub checks: Vec<Check>,
}

/// An option that does not remain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Excluded {
    /// Its id.
    pub option: String,
    /// Its name.
    pub name: String,
    /// The option that is better or equal by everything; absent when a need stands against it.
    pub dominated_by: Option<String>,
    /// What would let it stay, when that is one thing.
    pub readmission: Option<String>,
    /// Every need held against it.
    pub checks: Vec<Check>,
}

/// How sure the first place is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Certainty {
    /// It comes first in most draws.
    Clear {
        /// The winner's id.
        winner: String,
        /// Its share of first places.
        share: f64,
    },
    /// No option comes first in 60 % of the draws.
    NoClearWinner {
        /// The first by the weights given.
        first: String,
        /// The option that comes first next often.
        second: String,
        /// The criterion by which the two differ most.
        differ_by: Ranking,
    },
    /// No option is left.
    Nothing,
}

/// A change of one weight that gives another winner.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// The criterion.
    pub criterion: Ranking,
    /// What it weighs.
    pub weight: f64,
    /// What it would have to weigh.
    pub at: f64,
    /// The option that wins beyond.
    pub winner: String,
    /// All of this in words.
    pub sentence: String,
}

/// Selects messaging infrastructure for `design` by `facts`, as of `today`.
///
/// The result depends on nothing else than the arguments.
#[must_use]
pub fn select(design: &Design, facts: &Facts, today: Timestamp) -> Selection {
    let workload = Workload::of(design);
    let (weights, mut warnings) = weights(design);
    let mut remaining = Vec::new();
    let mut out = Vec::new();
    for option in &facts.options {
        let checks = check(option, &workload, facts);
        if checks
            .iter()
            .any(|check| check.outcome == Outcome::Rejected)
        {
            out.push(Excluded {
                option: option.id.clone(),
                name: option.name.clone(),
                dominated_by: None,
                readmission: readmission(&checks),
                checks,
            });
        } else {
            let values = values(option, &checks, &workload, facts);
            remaining.push(Candidate {
                option,
                checks,
                values,
            });
        }
    }
    let remaining = without_dominated(remaining, &mut out);
    let alternatives: Vec<Values> = remaining.iter().map(Candidate::intervals).collect();
    let plain: Vec<f64> = weights.iter().map(|weight| weight.weight).collect();
    let order = ranked(&alternatives, &plain);
    let shares = first_shares(&alternatives, &plain);
    let flips = order.first().map_or(Vec::new(), |(winner, _)| {
        let points = flips(&alternatives, &plain, *winner);
        points
            .iter()
            .filter_map(|point| Flip::of(point, &remaining))
            .collect()
    });
    let ranking: Vec<Ranked> = order
        .iter()
        .filter_map(|(place, score)| {
            let candidate = remaining.get(*place)?;
            Some(candidate.ranked(*score, shares.get(*place).copied().unwrap_or(0.0)))
        })
        .collect();
    warnings.extend(fact_warnings(&ranking, &out, facts, today));
    Selection {
        schema: "tidegate/select/v1",
        system: design.system.value.clone(),
        date: today.to_string().chars().take(10).collect(),
        workload,
        weights,
        certainty: Certainty::of(&ranking),
        ranking,
        out,
        flips,
        warnings,
    }
}

/// An option that nothing stands against.
struct Candidate<'a> {
    option: &'a MessagingOption,
    checks: Vec<Check>,
    values: Vec<Valued>,
}

impl Candidate<'_> {
    fn intervals(&self) -> Values {
        self.values.iter().map(|valued| valued.value).collect()
    }

    fn ranked(&self, score: f64, first_share: f64) -> Ranked {
        Ranked {
            option: self.option.id.clone(),
            name: self.option.name.clone(),
            score,
            first_share,
            values: self.values.clone(),
            checks: self.checks.clone(),
        }
    }
}

/// Moves what is dominated to `out`.
fn without_dominated<'a>(all: Vec<Candidate<'a>>, out: &mut Vec<Excluded>) -> Vec<Candidate<'a>> {
    let better: Vec<Option<String>> = all
        .iter()
        .map(|worse| {
            let by = all
                .iter()
                .find(|c| dominates(&c.intervals(), &worse.intervals()))?;
            Some(by.option.name.clone())
        })
        .collect();
    let mut remaining = Vec::new();
    for (candidate, dominated_by) in all.into_iter().zip(better) {
        if dominated_by.is_none() {
            remaining.push(candidate);
            continue;
        }
        out.push(Excluded {
            option: candidate.option.id.clone(),
            name: candidate.option.name.clone(),
            dominated_by,
            readmission: None,
            checks: candidate.checks,
        });
    }
    remaining
}

/// The design's weights in the place of the usual ones, and names that mean nothing.
fn weights(design: &Design) -> (Vec<Weight>, Vec<String>) {
    let given = &design.messaging.weights;
    let raw: Vec<f64> = Ranking::ALL
        .iter()
        .map(|c| {
            given
                .get(c.name())
                .map_or(c.default_weight(), |weight| weight.value)
        })
        .collect();
    let weights = Ranking::ALL
        .into_iter()
        .zip(normalised(&raw))
        .map(|(criterion, weight)| Weight {
            criterion,
            weight,
            given: given.contains_key(criterion.name()),
        })
        .collect();
    let names: Vec<&str> = Ranking::ALL
        .iter()
        .map(|criterion| criterion.name())
        .collect();
    let unknown = given
        .keys()
        .filter(|name| !names.contains(&name.as_str()))
        .map(|name| {
            let names = names.join(", ");
            format!(
                "`messaging.weights` has `{name}`, for which there are no facts; there are {names}"
            )
        });
    (weights, unknown.collect())
}

/// Facts that took part and are old, or that decided and are not from a source.
fn fact_warnings(
    ranking: &[Ranked],
    out: &[Excluded],
    facts: &Facts,
    today: Timestamp,
) -> Vec<String> {
    let checks = ranking
        .iter()
        .flat_map(|r| &r.checks)
        .chain(out.iter().flat_map(|e| &e.checks));
    let mut warnings = Vec::new();
    for check in checks {
        let Some(fact) = &check.fact else { continue };
        let what = format!("{} of {}", name_of(fact.criterion), fact.option);
        if facts.is_expired(fact, today) {
            let days = facts.expires_after_days;
            warnings.push(format!(
                "{what} is of {}, more than {days} days ago: look again",
                fact.as_of
            ));
        }
        let heard = fact.confidence != Confidence::Read;
        if heard && check.outcome == Outcome::Rejected {
            warnings.push(format!("{what} excludes by general knowledge: verify it"));
        }
    }
    warnings
}

impl Certainty {
    fn of(ranking: &[Ranked]) -> Self {
        let Some(first) = ranking.first() else {
            return Self::Nothing;
        };
        let others = ranking.iter().skip(1);
        let second = others.max_by(|a, b| a.first_share.total_cmp(&b.first_share));
        match second {
            Some(second) if first.first_share < CLEAR_SHARE => {
                let lead = |(a, b): &(&Valued, &Valued)| (a.value.value - b.value.value).abs();
                let differ_by = first
                    .values
                    .iter()
                    .zip(&second.values)
                    .max_by(|a, b| lead(a).total_cmp(&lead(b)))
                    .map_or(Ranking::Headroom, |(a, _)| a.criterion);
                let (first, second) = (first.option.clone(), second.option.clone());
                Self::NoClearWinner {
                    first,
                    second,
                    differ_by,
                }
            }
            _ => Self::Clear {
                winner: first.option.clone(),
                share: first.first_share,
            },
        }
    }
}

impl Flip {
    fn of(point: &FlipPoint, candidates: &[Candidate<'_>]) -> Option<Self> {
        let criterion = *Ranking::ALL.get(point.criterion)?;
        let winner = candidates.get(point.rival)?.option.name.clone();
        let side = if point.at >= point.weight {
            "above"
        } else {
            "below"
        };
        let sentence = format!(
            "if {} weighed {side} {:.2} instead of {:.2}, {winner} would win",
            criterion.name(),
            point.at,
            point.weight,
        );
        Some(Self {
            criterion,
            weight: point.weight,
            at: point.at,
            winner,
            sentence,
        })
    }
}

impl Selection {
    /// Every fact that took part in a check, each once, in the order of the table.
    #[must_use]
    pub fn facts_used(&self) -> Vec<&Fact> {
        let checks = self.ranking.iter().flat_map(|r| &r.checks);
        let mut used: Vec<&Fact> = Vec::new();
        for fact in checks
            .chain(self.out.iter().flat_map(|e| &e.checks))
            .filter_map(|c| c.fact.as_ref())
        {
            if !used.contains(&fact) {
                used.push(fact);
            }
        }
        used
    }
}
