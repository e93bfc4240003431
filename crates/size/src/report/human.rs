//! The size for a terminal.

use std::fmt;

use crate::Size;

/// A size, written for a terminal.
struct Human<'a>(&'a Size);

impl fmt::Display for Human<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_human(f)
    }
}

impl Size {
    /// The size for a terminal: the verdict, what to change, tables, and how each number came to be.
    #[must_use]
    pub fn to_human(&self) -> String {
        Human(self).to_string()
    }

    fn write_human(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        for change in &self.changes {
            writeln!(
                f,
                "  {}: {}\n    {}",
                change.place, change.path, change.sentence
            )?;
        }
        f.write_str("\n")?;
        self.events().write_aligned(f)?;
        for table in [self.workers(), self.brokers()] {
            if !table.is_empty() {
                f.write_str("\n")?;
                table.write_aligned(f)?;
            }
        }
        f.write_str("\nHow each number comes about\n")?;
        for (name, lines) in self.derivations() {
            writeln!(f, "  {name}")?;
            for line in lines {
                writeln!(f, "    {line}")?;
            }
        }
        let notes: Vec<String> = self.notes.iter().cloned().chain(self.old_facts()).collect();
        for (title, lines) in [
            ("Not known", self.unknown()),
            ("Keep in mind", notes),
            ("Assumed", self.assumptions.clone()),
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
}
