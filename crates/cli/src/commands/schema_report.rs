//! What `tidegate schema` prints.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tidegate_compat::json::OpenContent;
use tidegate_compat::{
    Answer, Compared, Direction, Finding, Format, Mode, Profile, Version, Witness,
};

use super::schema_read::Judge;
use crate::table::Tone;
use crate::terminal::shown;

/// Longest line of an event that is shown on one line, in characters.
const LINE_CHARS_MAX: usize = 88;
/// Longest event that is shown to people, in characters.
const EVENT_CHARS_MAX: usize = 4_000;

/// A verdict with what it is about.
pub(crate) struct Page<'a> {
    pub(crate) compared: &'a Compared,
    pub(crate) format: Format,
    pub(crate) old: &'a [Version],
    pub(crate) new: &'a Version,
    pub(crate) mode: Mode,
    pub(crate) profile: Profile,
    pub(crate) open_content: OpenContent,
}

impl Page<'_> {
    fn old_name(&self, index: usize) -> &str {
        self.old.get(index).map_or("", |version| &version.name)
    }

    /// Who writes, and who reads.
    fn sides<'b>(&'b self, finding: &Finding) -> (&'b str, &'b str) {
        let old = self.old_name(finding.against);
        match finding.direction {
            Direction::Backward => (old, &self.new.name),
            Direction::Forward => (&self.new.name, old),
        }
    }

    /// For programs. Fields are added, and never taken away.
    pub(crate) fn json(&self) -> Value {
        let verdict = &self.compared.verdict;
        let compatible = match verdict.answer {
            Answer::Compatible => json!(true),
            Answer::Incompatible => json!(false),
            Answer::NotProved => Value::Null,
        };
        let findings: Vec<Value> = verdict.findings.iter().map(|f| self.finding(f)).collect();
        let against: Vec<&str> = self
            .compared
            .against
            .iter()
            .map(|index| self.old_name(*index))
            .collect();
        json!({
            "compatible": compatible,
            "witness": verdict.witness().map(witness),
            "type": self.format.name(),
            "mode": self.mode.name(),
            "profile": self.profile.name(),
            "open_content": open_content(self.open_content),
            "new": self.new.name,
            "against": against,
            "advice": self.advice(),
            "findings": findings,
        })
    }

    fn finding(&self, finding: &Finding) -> Value {
        let (writer, reader) = self.sides(finding);
        json!({
            "answer": match finding.answer {
                Answer::Compatible => "compatible",
                Answer::Incompatible => "incompatible",
                Answer::NotProved => "not-proved",
            },
            "code": finding.code,
            "direction": match finding.direction {
                Direction::Backward => "backward",
                Direction::Forward => "forward",
            },
            "writer": writer,
            "reader": reader,
            "path": finding.path,
            "reason": finding.reason,
            "fix": finding.fix,
            "witness": finding.witness.as_ref().map(witness),
        })
    }

    /// For people.
    pub(crate) fn human(&self, paint: bool) -> String {
        let mut text = String::new();
        let mut last = None;
        for finding in &self.compared.verdict.findings {
            let sides = self.sides(finding);
            if last != Some(sides) {
                let (writer, reader) = sides;
                let head = format!("{} reads events of {}", shown(reader), shown(writer));
                line(&mut text, &strong(&head, paint));
                last = Some(sides);
            }
            reason(&mut text, finding, paint);
        }
        self.summary(&mut text, paint);
        text
    }

    fn summary(&self, text: &mut String, paint: bool) {
        let verdict = &self.compared.verdict;
        let new = shown(&self.new.name);
        let against = &self.compared.against;
        let count = match against.as_slice() {
            [] => "no version before it".to_owned(),
            [one] => shown(self.old_name(*one)),
            more => format!("{} versions before it", more.len()),
        };
        let how = match (self.profile, self.open_content) {
            (Profile::Exact, OpenContent::Reserved) => {
                format!("{}, exact, undeclared names reserved", self.mode)
            }
            (profile, _) => format!("{}, {profile}", self.mode),
        };
        let findings = &verdict.findings;
        let of = |answer| findings.iter().filter(|one| one.answer == answer).count();
        let (tone, says) = match verdict.answer {
            Answer::Compatible => {
                let proof = match self.profile {
                    Profile::Exact if !against.is_empty() => ": proved for every event",
                    _ => "",
                };
                (Tone::Good, format!("compatible{proof}"))
            }
            Answer::Incompatible => {
                let reasons = of(Answer::Incompatible);
                let plural = if reasons == 1 { "reason" } else { "reasons" };
                (Tone::Bad, format!("not compatible: {reasons} {plural}"))
            }
            Answer::NotProved => (
                Tone::Poor,
                "not proved: neither a proof nor an event that breaks was found".to_owned(),
            ),
        };
        let says = tone.painted(&says, paint);
        line(text, &format!("{new} against {count} ({how}): {says}"));
        if let Some(advice) = self.advice() {
            line(text, advice);
        }
    }

    /// In which order services are upgraded: said only when versions were compared and go together.
    fn advice(&self) -> Option<&'static str> {
        let goes = self.compared.verdict.answer == Answer::Compatible;
        let advice = advice(self.mode);
        advice.filter(|_| goes && !self.compared.against.is_empty())
    }
}

fn open_content(open: OpenContent) -> &'static str {
    match open {
        OpenContent::Exact => "exact",
        OpenContent::Reserved => "reserved",
    }
}

/// In which order services are upgraded.
fn advice(mode: Mode) -> Option<&'static str> {
    Some(match mode {
        Mode::None => return None,
        Mode::Backward | Mode::BackwardTransitive => {
            "Upgrade consumers first: with the new version they read the events of both."
        }
        Mode::Forward | Mode::ForwardTransitive => {
            "Upgrade producers first: consumers with an older version read the new events."
        }
        Mode::Full | Mode::FullTransitive => "Upgrade producers and consumers in any order.",
    })
}

fn reason(text: &mut String, finding: &Finding, paint: bool) {
    let head = match finding.answer {
        Answer::Incompatible => Tone::Bad.painted(&format!("no[{}]", finding.code), paint),
        Answer::NotProved => Tone::Poor.painted(&format!("not proved[{}]", finding.code), paint),
        Answer::Compatible => Tone::Good.painted(&format!("note[{}]", finding.code), paint),
    };
    line(text, &format!("  {head}: {}", shown(&finding.reason)));
    if !finding.path.is_empty() {
        line(text, &format!("    at {}", shown(&finding.path)));
    }
    if let Some(witness) = &finding.witness {
        line(text, "    this event is written and not read:");
        for row in event(&witness.event).lines() {
            line(text, &format!("      {}", shown(row)));
        }
        let place = match witness.path.as_str() {
            "" => String::new(),
            path => format!("{}: ", shown(path)),
        };
        line(
            text,
            &format!("    the reader says: {place}{}", shown(&witness.error)),
        );
    }
    if let Some(fix) = &finding.fix {
        let help = match paint {
            true => "\x1b[1;36mhelp\x1b[0m",
            false => "help",
        };
        line(text, &format!("    {help}: {}", shown(fix)));
    }
    text.push('\n');
}

/// An event on one line where that is short, indented otherwise.
fn event(event: &Value) -> String {
    let short = event.to_string();
    if short.chars().count() <= LINE_CHARS_MAX {
        return short;
    }
    let long = serde_json::to_string_pretty(event).unwrap_or(short);
    if long.chars().count() <= EVENT_CHARS_MAX {
        return long;
    }
    let start: String = long.chars().take(EVENT_CHARS_MAX).collect();
    format!("{start}…")
}

fn witness(witness: &Witness) -> Value {
    json!({
        "event": witness.event,
        "bytes": witness.bytes.as_ref().map(|bytes| STANDARD.encode(bytes)),
        "path": witness.path,
        "error": witness.error,
    })
}

fn strong(text: &str, paint: bool) -> String {
    match paint {
        true => format!("\x1b[1m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}

fn line(text: &mut String, row: &str) {
    // Writing to a String does not fail.
    let _written = writeln!(text, "{row}").is_ok();
}

/// Events as a schema judges them.
pub(crate) fn events(
    schema: &Judge,
    answers: &[(&str, Vec<(String, String)>)],
    paint: bool,
) -> String {
    let mut text = String::new();
    let mut refused = 0_usize;
    for (name, violations) in answers {
        if violations.is_empty() {
            continue;
        }
        refused += 1;
        let no = Tone::Bad.painted("does not fit", paint);
        line(&mut text, &format!("{} {no}", shown(name)));
        for (path, error) in violations {
            let place = match path.as_str() {
                "" => String::new(),
                path => format!("{}: ", shown(path)),
            };
            line(&mut text, &format!("  {place}{}", shown(error)));
        }
    }
    let name = shown(&schema.name);
    let of = match schema.draft() {
        Some(draft) => format!("draft {draft}"),
        None => schema
            .message()
            .unwrap_or(schema.format().name())
            .to_owned(),
    };
    let summary = match (answers.len(), refused) {
        (0, _) => subject(schema),
        (all, 0) => {
            let good = Tone::Good.painted("fit", paint);
            format!("{name} ({of}): {all} of {all} events {good}")
        }
        (all, refused) => format!("{name} ({of}): {} of {all} events fit", all - refused),
    };
    line(&mut text, &summary);
    text
}

/// What a file is, in a sentence without its end.
pub(crate) fn subject(schema: &Judge) -> String {
    let name = shown(&schema.name);
    match (schema.format(), schema.draft(), schema.message()) {
        (Format::Json, Some(draft), _) => format!("{name} is a JSON Schema of draft {draft}"),
        (Format::Json, None, _) => format!("{name} is a JSON Schema"),
        (Format::Avro, ..) => format!("{name} is an Avro schema"),
        (Format::Protobuf, _, Some(message)) => {
            format!(
                "{name} is a Protobuf schema; an event is a {}",
                shown(message)
            )
        }
        (Format::Protobuf, _, None) => format!("{name} is a Protobuf schema"),
    }
}
