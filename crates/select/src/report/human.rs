//! The selection for a terminal.

use std::fmt;

use crate::criteria::Ranking;
use crate::selection::Selection;

/// How many flips are shown.
const FLIPS_SHOWN: usize = 5;

/// A selection, written for a terminal.
struct Human<'a>(&'a Selection);

impl fmt::Display for Human<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_human(f)
    }
}

impl Selection {
    /// The selection for a terminal.
    #[must_use]
    pub fn to_human(&self) -> String {
        Human(self).to_string()
    }

    fn write_human(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.system, self.verdict())?;
        if let Some(chosen) = self.chosen() {
            writeln!(f, "{chosen}")?;
        }
        self.write_ranking(f)?;
        self.write_flips(f)?;
        for ranked in &self.ranking {
            let lines = ranked.tight().into_iter().map(|line| ("tight  ", line));
            let unknown = ranked.unknown().into_iter().map(|line| ("unknown", line));
            let lines: Vec<_> = lines.chain(unknown).collect();
            if !lines.is_empty() {
                writeln!(f, "\n{}", ranked.name)?;
                for (word, line) in lines {
                    writeln!(f, "  {word}  {line}")?;
                }
            }
        }
        self.write_out(f)?;
        for (title, lines) in [
            ("The design does not say", &self.workload.gaps),
            ("Keep in mind", &self.warnings),
        ] {
            if !lines.is_empty() {
                writeln!(f, "\n{title}")?;
                for line in lines {
                    writeln!(f, "  - {line}")?;
                }
            }
        }
        Ok(())
    }

    fn write_ranking(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .ranking
            .iter()
            .map(|r| r.name.chars().count())
            .max()
            .unwrap_or(0)
            .max(6);
        let names: Vec<String> = self
            .weights
            .iter()
            .map(|w| format!("{} {:.2}", w.criterion.name(), w.weight))
            .collect();
        writeln!(
            f,
            "\n    {:width$}  score  first  {}",
            "option",
            names.join("  ")
        )?;
        for (place, ranked) in self.ranking.iter().enumerate() {
            write!(
                f,
                "{:>2}  {:width$}  {:>5.2}  {:>4.0}%",
                place + 1,
                ranked.name,
                ranked.score,
                ranked.first_share * 100.0
            )?;
            for (valued, name) in ranked.values.iter().zip(&names) {
                let known = valued.value.high - valued.value.low < 1.0;
                let cell = if known {
                    format!("{:.2}", valued.value.value)
                } else {
                    "?".to_owned()
                };
                write!(f, "  {cell:>width$}", width = name.len())?;
            }
            f.write_str("\n")?;
        }
        Ok(())
    }

    fn write_flips(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.flips.is_empty() {
            if self.ranking.len() > 1 {
                f.write_str("\nNo change of one weight gives another winner.\n")?;
            }
            return Ok(());
        }
        f.write_str("\nWhat would flip it\n")?;
        for flip in self.flips.iter().take(FLIPS_SHOWN) {
            writeln!(f, "  - {}", flip.sentence)?;
        }
        Ok(())
    }

    fn write_out(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.out.is_empty() {
            return Ok(());
        }
        f.write_str("\nOut\n")?;
        for excluded in &self.out {
            writeln!(f, "  {}", excluded.name)?;
            for reason in excluded.reasons() {
                writeln!(f, "    - {reason}")?;
            }
            if let Some(readmission) = &excluded.readmission {
                writeln!(f, "    {readmission}")?;
            }
        }
        Ok(())
    }
}

/// The criterion with its share, for a heading.
pub(super) fn heading(criterion: Ranking, weight: f64) -> String {
    format!("{} ({:.0}%)", criterion.name(), weight * 100.0)
}
