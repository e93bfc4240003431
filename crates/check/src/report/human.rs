//! For people: each finding with its line, in the look of the Rust compiler's messages.

use std::collections::HashMap;

use tidegate_model::{Finding, Place};

use super::paint::{Paint, Role};
use super::summary::{Summary, word};

/// Longest source line that is shown, in characters; a longer one is cut around the place.
const LINE_CHARS_MAX: usize = 160;

pub(super) fn render(findings: &[Finding], sources: &[(&str, &str)], paint: Paint) -> String {
    let lines: HashMap<&str, Vec<&str>> = sources
        .iter()
        .map(|(name, text)| (*name, text.lines().collect()))
        .collect();
    let page = Page { lines, paint };
    let mut text = String::new();
    for finding in findings {
        page.finding(finding, &mut text);
        text.push('\n');
    }
    text.push_str(&Summary::of(findings, sources).to_string());
    text.push('\n');
    text
}

struct Page<'a> {
    lines: HashMap<&'a str, Vec<&'a str>>,
    paint: Paint,
}

impl Page<'_> {
    fn finding(&self, finding: &Finding, text: &mut String) {
        let severity = Role::Severity(finding.severity);
        let head = format!("{}[{}]", word(finding.severity), finding.code);
        let numbers = std::iter::once(&finding.place).chain(finding.related.iter().map(|(p, _)| p));
        let margin = numbers
            .map(|place| place.line.to_string().len())
            .max()
            .unwrap_or(1);
        let frame = |mark: &str| self.paint.over(Role::Frame, mark);
        text.push_str(&self.paint.over(severity, &head));
        text.push_str(
            &self
                .paint
                .over(Role::Strong, &format!(": {}\n", clean(&finding.message))),
        );
        text.push_str(&format!(
            "{:margin$}{} {}\n",
            "",
            frame("-->"),
            clean_place(&finding.place)
        ));
        self.excerpt(&finding.place, margin, severity, text);
        for (place, why) in &finding.related {
            let place = clean_place(place);
            let why = clean(why);
            text.push_str(&format!("{:margin$} {} {place}: {why}\n", "", frame("=")));
        }
        if let Some(hint) = &finding.hint {
            let help = self.paint.over(Role::Help, "help");
            text.push_str(&format!(
                "{:margin$} {} {help}: {}\n",
                "",
                frame("="),
                clean(hint)
            ));
        }
    }

    /// The line of `place` with the meant characters underlined; nothing when it is not at hand.
    fn excerpt(&self, place: &Place, margin: usize, severity: Role, text: &mut String) {
        let at = usize::try_from(place.line)
            .ok()
            .and_then(|line| line.checked_sub(1));
        let line = self
            .lines
            .get(&*place.file)
            .zip(at)
            .and_then(|(lines, at)| lines.get(at));
        let Some(line) = line else { return };
        let column = usize::try_from(place.column).unwrap_or(1).max(1) - 1;
        let length = usize::try_from(place.length).unwrap_or(1);
        let start = if column < LINE_CHARS_MAX {
            0
        } else {
            column - LINE_CHARS_MAX / 2
        };
        let shown: String = line
            .chars()
            .skip(start)
            .take(LINE_CHARS_MAX)
            .map(visible)
            .collect();
        let before = column - start;
        let under = length
            .min(shown.chars().count().saturating_sub(before))
            .max(1);
        let bar = self.paint.over(Role::Frame, "|");
        let number = self
            .paint
            .over(Role::Frame, &format!("{:>margin$}", place.line));
        let carets = self.paint.over(severity, &"^".repeat(under));
        text.push_str(&format!("{:margin$} {bar}\n", ""));
        text.push_str(&format!("{number} {bar} {}\n", shown.trim_end()));
        text.push_str(&format!("{:margin$} {bar} {:before$}{carets}\n", "", ""));
    }
}

fn clean_place(place: &Place) -> String {
    clean(&place.to_string())
}

/// Names and messages come from files: nothing in them may steer a terminal.
fn clean(text: &str) -> String {
    text.chars().map(visible).collect()
}

fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        control if control.is_control() => '\u{fffd}',
        // Marks that change the direction of text can make a line read as something else.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        other => other,
    }
}
