//! A selection as text: for people, for programs, and as a decision record.

mod human;
mod record;

use serde_json::Value;

use crate::elimination::{Check, Outcome};
use crate::selection::{Certainty, Excluded, Ranked, Selection};

impl Selection {
    /// The selection as JSON, `tidegate/select/v1`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// What came out, in one or two sentences.
    #[must_use]
    pub fn verdict(&self) -> String {
        let name = |id: &str| {
            let ranked = self.ranking.iter().find(|r| r.option == id);
            ranked.map_or_else(|| id.to_owned(), |r| r.name.clone())
        };
        match &self.certainty {
            Certainty::Clear { winner, share } => format!(
                "{} fits best: it comes first in {:.0}% of all draws of weights and unknowns",
                name(winner),
                share * 100.0
            ),
            Certainty::NoClearWinner {
                first,
                second,
                differ_by,
            } => format!(
                "no clear winner: {} is first by these weights, but not in 60% of all draws; it and \
                 {} differ most by {}",
                name(first),
                name(second),
                differ_by.name()
            ),
            Certainty::Nothing => "no option meets every need".to_owned(),
        }
    }

    /// How the broker that the design names did; `None` when it names none.
    #[must_use]
    pub fn chosen(&self) -> Option<String> {
        let chosen = self.workload.chosen.as_deref()?;
        let means = |option: &str| option == chosen || option.starts_with(&format!("{chosen}-"));
        let place = self.ranking.iter().position(|ranked| means(&ranked.option));
        let sentence = match place {
            Some(place) => format!(
                "the design names `{chosen}`, which is number {} here",
                place + 1
            ),
            None if self.out.iter().any(|excluded| means(&excluded.option)) => {
                format!("the design names `{chosen}`, which is out here")
            }
            None => format!("the design names `{chosen}`, which is not in the fact table"),
        };
        Some(sentence)
    }
}

impl Excluded {
    /// What stands against it.
    fn reasons(&self) -> Vec<String> {
        if let Some(better) = &self.dominated_by {
            return vec![format!("{better} is at least as good by every criterion")];
        }
        sentences(&self.checks, Outcome::Rejected)
    }
}

impl Ranked {
    fn tight(&self) -> Vec<String> {
        sentences(&self.checks, Outcome::Tight)
    }

    /// What could not be decided: each with its fact, then everything without one in one line.
    fn unknown(&self) -> Vec<String> {
        let unknown = || {
            self.checks
                .iter()
                .filter(|check| check.outcome == Outcome::Unknown)
        };
        let (with_fact, without): (Vec<_>, Vec<_>) = unknown().partition(|c| c.fact.is_some());
        let names: Vec<&str> = without
            .iter()
            .map(|check| check.criterion.as_str())
            .collect();
        let rest = (!names.is_empty()).then(|| {
            format!(
                "no limit is known of {}: not excluded by them",
                names.join(", ")
            )
        });
        with_fact
            .into_iter()
            .map(|check| format!("{}: {}", check.criterion, check.sentence))
            .chain(rest)
            .collect()
    }
}

fn sentences(checks: &[Check], outcome: Outcome) -> Vec<String> {
    let those = checks.iter().filter(|check| check.outcome == outcome);
    those
        .map(|check| format!("{}: {}", check.criterion, check.sentence))
        .collect()
}
