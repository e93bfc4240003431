//! A check against the past, as text in the formats that people and CI systems read.

use serde_json::{Value, json};
use tidegate_check::report::{self, Format, Paint};
use tidegate_model::{Design, Finding, Severity};

use super::changes::{Change, Kind};
use super::codes::PAST_UNREAD;
use super::mermaid;

/// Most rows of the Markdown table.
const ROWS_MAX: usize = 500;
/// Most bytes of it: the summaries of CI jobs are limited to 1 MiB, and the design's own findings
/// follow.
const MARKDOWN_BYTES_MAX: usize = 512 << 10;

/// A check of a design against what it was.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// What the past design is called: `main`.
    pub against: &'a str,
    /// The past design.
    pub past: &'a Design,
    /// The new one.
    pub new: &'a Design,
    /// Every change.
    pub changes: &'a [Change],
    /// What else there is to say: of the new design by itself, of acceptances, of the past design.
    pub findings: &'a [Finding],
    /// The files of both designs by name, for the lines that findings are about.
    pub sources: &'a [(&'a str, &'a str)],
    /// Whether harmless changes are shown.
    pub shows_harmless: bool,
}

/// How many changes there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    breaking: usize,
    risky: usize,
    harmless: usize,
    accepted: usize,
}

/// A finding about the past design, when it could not be read as a whole: what is missing from it
/// is not compared.
#[must_use]
pub fn unread(against: &str, of_the_reader: &[Finding]) -> Option<Finding> {
    let mut errors = of_the_reader
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    let first = errors.next()?;
    let more = match errors.count() {
        0 => String::new(),
        count => format!(", and {count} more"),
    };
    Some(Finding {
        code: PAST_UNREAD.code,
        severity: PAST_UNREAD.severity,
        place: first.place.clone(),
        path: first.path.clone(),
        message: format!(
            "the design at `{against}` cannot be read as a whole, and what cannot is not compared: {}: {}{more}",
            first.code, first.message
        ),
        hint: Some("compare with a version that has no errors".to_owned()),
        related: Vec::new(),
    })
}

impl Report<'_> {
    /// The worst of all findings that are shown.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        let shown = self.shown().map(|change| change.finding.severity);
        shown
            .chain(self.findings.iter().map(|finding| finding.severity))
            .max()
    }

    /// The report in `format`, with a line end.
    #[must_use]
    pub fn render(&self, format: Format, paint: Paint) -> String {
        match format {
            Format::Human => {
                let text = report::render(format, &self.all(false), self.sources, paint);
                let hint = match self.counts().harmless {
                    0 => "",
                    _ if self.shows_harmless => "",
                    _ => " (`--harmless` shows those)",
                };
                format!(
                    "{text}against {}: {}{hint}\n",
                    visible(self.against),
                    self.counts().text()
                )
            }
            Format::Json => self.json(),
            Format::Markdown => self.markdown(),
            Format::Sarif | Format::Junit | Format::Github => {
                report::render(format, &self.all(true), self.sources, paint)
            }
        }
    }

    fn shown(&self) -> impl Iterator<Item = &Change> {
        let shows_harmless = self.shows_harmless;
        let changes = self.changes.iter();
        changes.filter(move |change| shows_harmless || change.kind != Kind::Harmless)
    }

    /// The findings of the design, then those of the changes.
    fn all(&self, anchored: bool) -> Vec<Finding> {
        let changes = self.shown().map(|change| match anchored {
            true => change.anchored(),
            false => change.finding.clone(),
        });
        self.findings.iter().cloned().chain(changes).collect()
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in self.changes {
            let count = match (change.kind, &change.accepted) {
                (_, Some(_)) => &mut counts.accepted,
                (Kind::Breaking, None) => &mut counts.breaking,
                (Kind::Risky, None) => &mut counts.risky,
                (Kind::Harmless, None) => &mut counts.harmless,
            };
            *count += 1;
        }
        counts
    }

    fn json(&self) -> String {
        let findings = self.all(false);
        let text = report::render(Format::Json, &findings, self.sources, Paint::Plain);
        // The report of a check is a document: this only adds to it.
        let mut document: Value = serde_json::from_str(&text).unwrap_or_default();
        let counts = self.counts();
        let changes: Vec<Value> = self.shown().map(entry).collect();
        if let Some(document) = document.as_object_mut() {
            let against = json!({
                "past": self.against,
                "breaking": counts.breaking,
                "risky": counts.risky,
                "harmless": counts.harmless,
                "accepted": counts.accepted,
                "changes": changes,
            });
            document.insert("against".to_owned(), against);
        }
        format!("{document:#}\n")
    }

    fn markdown(&self) -> String {
        let against = report::cell(self.against);
        let mut text = format!("### Against {against}\n\n**{}**\n", self.counts().text());
        if let Some(picture) = mermaid::picture(self.past, self.new, self.changes) {
            text.push_str(&format!("\n```mermaid\n{picture}```\n"));
        }
        let shown: Vec<&Change> = self.shown().collect();
        if !shown.is_empty() {
            text.push_str(
                "\n| change | code | element | what | next step |\n|---|---|---|---|---|\n",
            );
        }
        let mut rows = 0;
        for change in shown.iter().take(ROWS_MAX) {
            let row = row(change);
            if text.len().saturating_add(row.len()) > MARKDOWN_BYTES_MAX {
                break;
            }
            text.push_str(&row);
            rows += 1;
        }
        match shown.len().saturating_sub(rows) {
            0 => {}
            more => text.push_str(&format!("\n… and {more} more\n")),
        }
        text.push_str("\n### The design itself\n\n");
        text.push_str(&report::render(
            Format::Markdown,
            self.findings,
            self.sources,
            Paint::Plain,
        ));
        text
    }
}

impl Counts {
    fn text(self) -> String {
        let all = [
            (self.breaking, "breaking"),
            (self.risky, "risky"),
            (self.accepted, "accepted"),
            (self.harmless, "harmless"),
        ];
        let said = all.iter().filter(|(count, _)| *count > 0);
        let said: Vec<String> = said
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        match said.as_slice() {
            [] => "no changes".to_owned(),
            said => format!(
                "{} {}",
                said.join(", "),
                if self.total() == 1 {
                    "change"
                } else {
                    "changes"
                }
            ),
        }
    }

    const fn total(self) -> usize {
        self.breaking + self.risky + self.harmless + self.accepted
    }
}

fn entry(change: &Change) -> Value {
    let Change {
        kind,
        finding,
        anchor,
        old,
        new,
        affected,
        witness,
        accepted,
    } = change;
    let accepted = accepted.as_ref();
    json!({
        "kind": kind,
        "code": finding.code,
        "path": finding.path,
        "place": finding.place,
        "anchor": anchor,
        "old": old,
        "new": new,
        "touches": affected,
        "witness": witness,
        "accepted": accepted.map(|(because, until)| json!({"because": because, "until": until})),
    })
}

fn row(change: &Change) -> String {
    let Finding {
        code,
        path,
        message,
        hint,
        ..
    } = &change.finding;
    let kind = match (change.kind, &change.accepted) {
        (_, Some(_)) => "accepted",
        (Kind::Breaking, None) => "**breaking**",
        (Kind::Risky, None) => "risky",
        (Kind::Harmless, None) => "harmless",
    };
    format!(
        "| {kind} | {code} | {} | {} | {} |\n",
        report::cell(path),
        report::cell(message),
        report::cell(hint.as_deref().unwrap_or_default())
    )
}

/// A name that a user gave, on one line.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
