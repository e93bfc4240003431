//! The selection as a decision record.
//!
//! Source: Markdown Architectural Decision Records (MADR) 4.0.0.

use std::fmt;

use super::human::heading;
use crate::facts::{Confidence, Fact, Value, name_of};
use crate::selection::Selection;

/// A selection, written as a decision record.
struct Record<'a>(&'a Selection);

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_record(f)
    }
}

impl Selection {
    /// The selection as an architectural decision record in the form of MADR 4.0.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        Record(self).to_string()
    }

    fn write_record(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "---\nstatus: proposed\ndate: {}\n---\n", self.date)?;
        writeln!(f, "# Messaging infrastructure of {}\n", self.system)?;
        self.write_context(f)?;
        self.write_drivers(f)?;
        self.write_options(f)?;
        self.write_outcome(f)?;
        self.write_pros_and_cons(f)?;
        self.write_more(f)?;
        Ok(())
    }

    fn write_context(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("## Context and Problem Statement\n\n")?;
        writeln!(
            f,
            "Which messaging infrastructure carries the events of {}? The design asks for:\n",
            self.system
        )?;
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
            writeln!(f, "* {}{amount}: {}", name_of(need.criterion), need.because)?;
        }
        if let Some(chosen) = self.chosen() {
            writeln!(f, "\nBefore this record, {chosen}.")?;
        }
        f.write_str("\n")?;
        Ok(())
    }

    fn write_drivers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("## Decision Drivers\n\n")?;
        for weight in &self.weights {
            let given = if weight.given {
                ", given by the design"
            } else {
                ""
            };
            writeln!(f, "* {}{given}", heading(weight.criterion, weight.weight))?;
        }
        f.write_str("\n")?;
        Ok(())
    }

    fn write_options(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("## Considered Options\n\n")?;
        for ranked in &self.ranking {
            writeln!(f, "* {}", ranked.name)?;
        }
        for excluded in &self.out {
            writeln!(f, "* {} (out)", excluded.name)?;
        }
        f.write_str("\n")?;
        Ok(())
    }

    fn write_outcome(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("## Decision Outcome\n\n")?;
        match self.ranking.first() {
            Some(first) => {
                writeln!(
                    f,
                    "Chosen option: \"{}\", because it scores {:.2} of 1 by the drivers above; {}.\n",
                    first.name,
                    first.score,
                    self.verdict()
                )?;
            }
            None => {
                writeln!(f, "No option is chosen: {}.\n", self.verdict())?;
            }
        }
        f.write_str("### Consequences\n\n")?;
        if let Some(first) = self.ranking.first() {
            for valued in &first.values {
                let word = match valued.value.value {
                    value if value >= 0.7 => "Good",
                    value if value >= 0.4 => "Neutral",
                    _ => "Bad",
                };
                let name = valued.criterion.name();
                writeln!(f, "* {word}, because of {name}: {}", valued.because)?;
            }
            for line in first.tight() {
                writeln!(f, "* Bad, because it is tight: {line}")?;
            }
            for line in first.unknown() {
                writeln!(f, "* Neutral, because it is not known: {line}")?;
            }
        }
        for flip in self.flips.iter().take(3) {
            writeln!(f, "* The decision turns {}", flip.sentence)?;
        }
        f.write_str(
            "\n### Confirmation\n\nThe decision is confirmed when `tidegate simulate` meets every target \
             of the design, and `tidegate bench` measures the same on the chosen infrastructure; and it \
             is looked at again when a fact below is out of date.\n\n",
        )?;
        Ok(())
    }

    fn write_pros_and_cons(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("## Pros and Cons of the Options\n\n")?;
        for ranked in &self.ranking {
            writeln!(
                f,
                "### {}\n\nScore {:.2}; first in {:.0}% of all draws.\n",
                ranked.name,
                ranked.score,
                ranked.first_share * 100.0
            )?;
            for valued in &ranked.values {
                let word = match valued.value.value {
                    value if value >= 0.7 => "Good",
                    value if value >= 0.4 => "Neutral",
                    _ => "Bad",
                };
                let name = valued.criterion.name();
                writeln!(
                    f,
                    "* {word}, because {name} is {:.2}: {}",
                    valued.value.value, valued.because
                )?;
            }
            for line in ranked.tight() {
                writeln!(f, "* Bad, because it is tight: {line}")?;
            }
            f.write_str("\n")?;
        }
        for excluded in &self.out {
            writeln!(f, "### {}\n", excluded.name)?;
            for reason in excluded.reasons() {
                writeln!(f, "* Bad, because it is out: {reason}")?;
            }
            if let Some(readmission) = &excluded.readmission {
                writeln!(f, "* Neutral, because {readmission}")?;
            }
            f.write_str("\n")?;
        }
        Ok(())
    }

    fn write_more(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("## More Information\n\n")?;
        let notes = self.workload.gaps.iter().chain(&self.warnings);
        for line in notes {
            writeln!(f, "* {line}")?;
        }
        f.write_str("\nFacts used:\n\n")?;
        f.write_str(
            "| option | criterion | value | kind | source | as of |\n|---|---|---|---|---|---|\n",
        )?;
        for fact in self.facts_used() {
            writeln!(f, "{}", fact_row(fact))?;
        }
        Ok(())
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
