//! The size for a document.

use std::fmt;

use crate::Size;

/// A size, written for a document.
struct Markdown<'a>(&'a Size);

impl fmt::Display for Markdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_markdown(f)
    }
}

impl Size {
    /// The size as Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        Markdown(self).to_string()
    }

    fn write_markdown(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Size of {}\n\n{}.", self.system, self.headline())?;
        if !self.changes.is_empty() {
            f.write_str("\n## To change\n\n")?;
            for change in &self.changes {
                writeln!(
                    f,
                    "- `{}` (`{}`): {}",
                    change.place, change.path, change.sentence
                )?;
            }
        }
        for (title, table) in [
            ("Events", self.events()),
            ("Workers", self.workers()),
            ("Brokers", self.brokers()),
        ] {
            if !table.is_empty() {
                writeln!(f, "\n## {title}\n")?;
                table.write_markdown(f)?;
            }
        }
        f.write_str("\n## How each number comes about\n")?;
        for (name, lines) in self.derivations() {
            writeln!(f, "\n### {name}\n")?;
            for line in lines {
                writeln!(f, "- {line}")?;
            }
        }
        let notes: Vec<String> = self.notes.iter().cloned().chain(self.old_facts()).collect();
        for (title, lines) in [
            ("Not known", self.unknown()),
            ("Keep in mind", notes),
            ("Assumptions", self.assumptions.clone()),
        ] {
            if !lines.is_empty() {
                writeln!(f, "\n## {title}\n")?;
                for line in lines {
                    writeln!(f, "- {line}")?;
                }
            }
        }
        Ok(())
    }
}
