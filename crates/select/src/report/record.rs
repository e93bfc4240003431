//! The selection as a decision record.
//!
//! Source: Markdown Architectural Decision Records (MADR) 4.0.0.

use std::fmt::Write as _;

use super::human::heading;
use crate::facts::{Confidence, Fact, Value, name_of};
use crate::selection::Selection;

impl Selection {
    /// The selection as an architectural decision record in the form of MADR 4.0.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("---\nstatus: proposed\ndate: {}\n---\n\n", self.date);
        let _ = writeln!(text, "# Messaging infrastructure of {}\n", self.system);
        self.write_context(&mut text);
        self.write_drivers(&mut text);
        self.write_options(&mut text);
        self.write_outcome(&mut text);
        self.write_pros_and_cons(&mut text);
        self.write_more(&mut text);
        text
    }

    fn write_context(&self, text: &mut String) {
        text.push_str("## Context and Problem Statement\n\n");
        let _ = writeln!(
            text,
            "Which messaging infrastructure carries the events of {}? The design asks for:\n",
            self.system
        );
        for need in &self.workload.needs {
            let amount = match need.amount {
                crate::Amount::Yes => String::new(),
                crate::Amount::AtLeast(amount) => {
                    format!(
                        " of {}",
                        crate::quantity::amount_text(need.criterion, amount)
                    )
                }
                crate::Amount::ShareOf(whole) => {
                    let whole = crate::quantity::amount_text(need.criterion, whole);
                    format!(", an unknown share of {whole}")
                }
            };
            let _ = writeln!(
                text,
                "* {}{amount}: {}",
                name_of(need.criterion),
                need.because
            );
        }
        if let Some(chosen) = self.chosen() {
            let _ = writeln!(text, "\nBefore this record, {chosen}.");
        }
        text.push('\n');
    }

    fn write_drivers(&self, text: &mut String) {
        text.push_str("## Decision Drivers\n\n");
        for weight in &self.weights {
            let given = if weight.given {
                ", given by the design"
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "* {}{given}",
                heading(weight.criterion, weight.weight)
            );
        }
        text.push('\n');
    }

    fn write_options(&self, text: &mut String) {
        text.push_str("## Considered Options\n\n");
        for ranked in &self.ranking {
            let _ = writeln!(text, "* {}", ranked.name);
        }
        for excluded in &self.out {
            let _ = writeln!(text, "* {} (out)", excluded.name);
        }
        text.push('\n');
    }

    fn write_outcome(&self, text: &mut String) {
        text.push_str("## Decision Outcome\n\n");
        match self.ranking.first() {
            Some(first) => {
                let _ = writeln!(
                    text,
                    "Chosen option: \"{}\", because it scores {:.2} of 1 by the drivers above; {}.\n",
                    first.name,
                    first.score,
                    self.verdict()
                );
            }
            None => {
                let _ = writeln!(text, "No option is chosen: {}.\n", self.verdict());
            }
        }
        text.push_str("### Consequences\n\n");
        if let Some(first) = self.ranking.first() {
            for valued in &first.values {
                let word = match valued.value.value {
                    value if value >= 0.7 => "Good",
                    value if value >= 0.4 => "Neutral",
                    _ => "Bad",
                };
                let name = valued.criterion.name();
                let _ = writeln!(text, "* {word}, because of {name}: {}", valued.because);
            }
            for line in first.tight() {
                let _ = writeln!(text, "* Bad, because it is tight: {line}");
            }
            for line in first.unknown() {
                let _ = writeln!(text, "* Neutral, because it is not known: {line}");
            }
        }
        for flip in self.flips.iter().take(3) {
            let _ = writeln!(text, "* The decision turns {}", flip.sentence);
        }
        text.push_str(
            "\n### Confirmation\n\nThe decision is confirmed when `tidegate simulate` meets every target \
             of the design, and `tidegate bench` measures the same on the chosen infrastructure; and it \
             is looked at again when a fact below is out of date.\n\n",
        );
    }

    fn write_pros_and_cons(&self, text: &mut String) {
        text.push_str("## Pros and Cons of the Options\n\n");
        for ranked in &self.ranking {
            let _ = writeln!(
                text,
                "### {}\n\nScore {:.2}; first in {:.0}% of all draws.\n",
                ranked.name,
                ranked.score,
                ranked.first_share * 100.0
            );
            for valued in &ranked.values {
                let word = match valued.value.value {
                    value if value >= 0.7 => "Good",
                    value if value >= 0.4 => "Neutral",
                    _ => "Bad",
                };
                let name = valued.criterion.name();
                let _ = writeln!(
                    text,
                    "* {word}, because {name} is {:.2}: {}",
                    valued.value.value, valued.because
                );
            }
            for line in ranked.tight() {
                let _ = writeln!(text, "* Bad, because it is tight: {line}");
            }
            text.push('\n');
        }
        for excluded in &self.out {
            let _ = writeln!(text, "### {}\n", excluded.name);
            for reason in excluded.reasons() {
                let _ = writeln!(text, "* Bad, because it is out: {reason}");
            }
            if let Some(readmission) = &excluded.readmission {
                let _ = writeln!(text, "* Neutral, because {readmission}");
            }
            text.push('\n');
        }
    }

    fn write_more(&self, text: &mut String) {
        text.push_str("## More Information\n\n");
        let notes = self.workload.gaps.iter().chain(&self.warnings);
        for line in notes {
            let _ = writeln!(text, "* {line}");
        }
        text.push_str("\nFacts used:\n\n");
        text.push_str(
            "| option | criterion | value | kind | source | as of |\n|---|---|---|---|---|---|\n",
        );
        for fact in self.facts_used() {
            let _ = writeln!(text, "{}", fact_row(fact));
        }
    }
}

fn fact_row(fact: &Fact) -> String {
    let value = match &fact.value {
        Value::Flag(true) => "yes".to_owned(),
        Value::Flag(false) => "no".to_owned(),
        Value::Number(number) => format!("{number} {}", fact.unit),
        Value::Text(words) => words.clone(),
    };
    let kind = match serde_json::to_value(fact.kind) {
        Ok(serde_json::Value::String(kind)) => kind,
        _ => String::new(),
    };
    let confidence = match fact.confidence {
        Confidence::Read => "",
        Confidence::GeneralKnowledge => " (verify)",
        Confidence::Unverified => " (unverified: decides nothing)",
    };
    let source = fact.source.replace('|', "\\|");
    let criterion = name_of(fact.criterion);
    let (option, as_of) = (&fact.option, &fact.as_of);
    format!("| {option} | {criterion} | {value} | {kind}{confidence} | {source} | {as_of} |")
}
