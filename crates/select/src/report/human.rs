//! The selection for a terminal.

use std::fmt::Write as _;

use crate::criteria::Ranking;
use crate::selection::Selection;

/// How many flips are shown.
const FLIPS_SHOWN: usize = 5;

impl Selection {
    /// The selection for a terminal.
    #[must_use]
    pub fn to_human(&self) -> String {
        let mut text = format!("{}: {}\n", self.system, self.verdict());
        if let Some(chosen) = self.chosen() {
            let _ = writeln!(text, "{chosen}");
        }
        self.write_ranking(&mut text);
        self.write_flips(&mut text);
        for ranked in &self.ranking {
            let lines = ranked.tight().into_iter().map(|line| ("tight  ", line));
            let unknown = ranked.unknown().into_iter().map(|line| ("unknown", line));
            let lines: Vec<_> = lines.chain(unknown).collect();
            if !lines.is_empty() {
                let _ = writeln!(text, "\n{}", ranked.name);
                for (word, line) in lines {
                    let _ = writeln!(text, "  {word}  {line}");
                }
            }
        }
        self.write_out(&mut text);
        for (title, lines) in [
            ("The design does not say", &self.workload.gaps),
            ("Keep in mind", &self.warnings),
        ] {
            if !lines.is_empty() {
                let _ = writeln!(text, "\n{title}");
                for line in lines {
                    let _ = writeln!(text, "  - {line}");
                }
            }
        }
        text
    }

    fn write_ranking(&self, text: &mut String) {
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
        let _ = writeln!(
            text,
            "\n    {:width$}  score  first  {}",
            "option",
            names.join("  ")
        );
        for (place, ranked) in self.ranking.iter().enumerate() {
            let _ = write!(
                text,
                "{:>2}  {:width$}  {:>5.2}  {:>4.0}%",
                place + 1,
                ranked.name,
                ranked.score,
                ranked.first_share * 100.0
            );
            for (valued, name) in ranked.values.iter().zip(&names) {
                let known = valued.value.high - valued.value.low < 1.0;
                let cell = if known {
                    format!("{:.2}", valued.value.value)
                } else {
                    "?".to_owned()
                };
                let _ = write!(text, "  {cell:>width$}", width = name.len());
            }
            text.push('\n');
        }
    }

    fn write_flips(&self, text: &mut String) {
        if self.flips.is_empty() {
            if self.ranking.len() > 1 {
                text.push_str("\nNo change of one weight gives another winner.\n");
            }
            return;
        }
        text.push_str("\nWhat would flip it\n");
        for flip in self.flips.iter().take(FLIPS_SHOWN) {
            let _ = writeln!(text, "  - {}", flip.sentence);
        }
    }

    fn write_out(&self, text: &mut String) {
        if self.out.is_empty() {
            return;
        }
        text.push_str("\nOut\n");
        for excluded in &self.out {
            let _ = writeln!(text, "  {}", excluded.name);
            for reason in excluded.reasons() {
                let _ = writeln!(text, "    - {reason}");
            }
            if let Some(readmission) = &excluded.readmission {
                let _ = writeln!(text, "    {readmission}");
            }
        }
    }
}

/// The criterion with its share, for a heading.
pub(super) fn heading(criterion: Ranking, weight: f64) -> String {
    format!("{} ({:.0}%)", criterion.name(), weight * 100.0)
}
