//! What `tidegate dlq` reads of the daemon's answers, and how it shows them to people.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::letters::LetterId;
use crate::commands::select::pretty;
use crate::table::{Cell, Side, Tone, facts, millis, moment, table};
use crate::terminal::shown;

/// Most characters of an error in a table; `show` has all of it.
const ERROR_WIDTH: usize = 80;

/// A page of dead letters.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) letters: Vec<Letter>,
    pub(crate) groups: Vec<Group>,
    pub(crate) total: u64,
    /// Absent in the answer of a daemon that did not know it.
    #[serde(default, deserialize_with = "present")]
    pub(crate) next: Option<Option<LetterId>>,
}

fn present<'de, D: serde::Deserializer<'de>>(
    reader: D,
) -> Result<Option<Option<LetterId>>, D::Error> {
    Deserialize::deserialize(reader).map(Some)
}

impl Page {
    /// The letter after which the next page begins; `None`: there is no next page.
    pub(crate) fn goes_on_after(&self) -> Option<LetterId> {
        let last = || self.letters.last().map(|letter| letter.id.clone());
        self.next.clone().unwrap_or_else(last)
    }

    /// Takes the page after it in.
    pub(crate) fn add(&mut self, page: Self) {
        self.total += page.total;
        self.next = page.next;
        for group in page.groups {
            match self
                .groups
                .iter_mut()
                .find(|known| known.group == group.group)
            {
                Some(known) => {
                    known.count += group.count;
                    known.first_ms = known.first_ms.min(group.first_ms);
                    known.last_ms = known.last_ms.max(group.last_ms);
                }
                None => self.groups.push(group),
            }
        }
        self.groups
            .sort_by_key(|group| std::cmp::Reverse(group.count));
    }
}

/// A dead letter.
#[derive(Debug, Deserialize)]
pub(crate) struct Letter {
    pub(crate) id: LetterId,
    event_id: String,
    source: String,
    key: Option<String>,
    reason: String,
    error: String,
    group: String,
    attempts: u64,
    redrives: u64,
    /// Absent in the answer of a daemon that knew no edits.
    pub(crate) version: Option<u64>,
    followers: u64,
    accepted_ms: u64,
    dead_ms: u64,
    discarded: Option<Discarded>,
}

impl Letter {
    /// Whether it waits for a decision no more.
    pub(crate) fn is_discarded(&self) -> bool {
        self.discarded.is_some()
    }
}

/// Why and when a dead letter was given up.
#[derive(Debug, Deserialize)]
struct Discarded {
    reason: String,
    at_ms: u64,
}

/// Dead letters with one cause.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Group {
    group: String,
    consumer: String,
    reason: String,
    error: String,
    count: u64,
    first_ms: u64,
    last_ms: u64,
}

/// A dead letter in full.
#[derive(Debug, Deserialize)]
pub(crate) struct Detail {
    #[serde(flatten)]
    pub(crate) letter: Letter,
    pub(crate) event: Value,
    original: Option<Value>,
    #[serde(default)]
    edited: Vec<Edit>,
    history: Vec<Attempt>,
}

/// One edit of a dead letter.
#[derive(Debug, Deserialize)]
struct Edit {
    replaced: String,
    reason: String,
    by: Option<String>,
    at_ms: u64,
}

/// One attempt of a delivery.
#[derive(Debug, Deserialize)]
pub(crate) struct Attempt {
    attempt: u64,
    started_ms: u64,
    duration_ms: Option<f64>,
    outcome: String,
    error: Option<String>,
    #[serde(default)]
    rule: Option<String>,
}

/// What became of an order.
#[derive(Debug, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) ids: Vec<String>,
    pub(crate) refused: Vec<Refused>,
}

/// What would become of a selection.
#[derive(Debug, Deserialize)]
pub(crate) struct Rehearsal {
    pub(crate) would_redrive: u64,
    groups: Vec<Group>,
    pub(crate) refused_total: u64,
    refused: Vec<Refused>,
    pub(crate) invalid_total: u64,
    invalid: Vec<Invalid>,
    pub(crate) unreadable_total: u64,
    unreadable: Vec<Refused>,
}

/// A dead letter whose event no longer keeps the design.
#[derive(Debug, Deserialize)]
struct Invalid {
    id: String,
    problem: String,
}

/// A dead letter that an order was refused for.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Refused {
    pub(crate) id: String,
    pub(crate) reason: String,
}

pub(crate) fn letters(letters: &[Letter], paint: bool) -> String {
    let heads = [
        ("id", Side::Left),
        ("reason", Side::Left),
        ("attempts", Side::Right),
        ("redrives", Side::Right),
        ("behind", Side::Right),
        ("since", Side::Left),
        ("event", Side::Left),
        ("error", Side::Left),
    ];
    let rows = letters.iter().map(|letter| {
        [
            Cell::new(&letter.id.to_string()),
            Cell::new(&letter.reason),
            letter.attempts.into(),
            letter.redrives.into(),
            letter.followers.into(),
            Cell::new(&moment(letter.dead_ms)),
            Cell::new(&letter.event_id),
            Cell::cut(&letter.error, ERROR_WIDTH),
        ]
    });
    table(heads, rows, paint)
}

pub(crate) fn discarded(letters: &[Letter], paint: bool) -> String {
    let heads = [
        ("id", Side::Left),
        ("reason", Side::Left),
        ("discarded", Side::Left),
        ("event", Side::Left),
        ("because", Side::Left),
        ("error", Side::Left),
    ];
    let rows = letters.iter().map(|letter| {
        let discarded = letter.discarded.as_ref();
        let at = discarded.map_or("-".to_owned(), |discarded| moment(discarded.at_ms));
        [
            Cell::new(&letter.id.to_string()),
            Cell::new(&letter.reason),
            Cell::new(&at),
            Cell::new(&letter.event_id),
            Cell::cut(discarded.map_or("-", |d| d.reason.as_str()), ERROR_WIDTH),
            Cell::cut(&letter.error, ERROR_WIDTH),
        ]
    });
    table(heads, rows, paint)
}

pub(crate) fn groups(groups: &[Group], paint: bool) -> String {
    let heads = [
        ("count", Side::Right),
        ("consumer", Side::Left),
        ("reason", Side::Left),
        ("group", Side::Left),
        ("first", Side::Left),
        ("last", Side::Left),
        ("error", Side::Left),
    ];
    let rows = groups.iter().map(|group| {
        [
            group.count.into(),
            Cell::new(&group.consumer),
            Cell::new(&group.reason),
            Cell::new(&group.group),
            Cell::new(&moment(group.first_ms)),
            Cell::new(&moment(group.last_ms)),
            Cell::cut(&group.error, ERROR_WIDTH),
        ]
    });
    table(heads, rows, paint)
}

pub(crate) fn detail(detail: &Detail, paint: bool) -> String {
    let letter = &detail.letter;
    let discarded = letter.discarded.as_ref();
    let discarded = discarded.map(|d| format!("{}: {}", moment(d.at_ms), d.reason));
    let mut text = facts(&[
        ("id", Some(letter.id.to_string())),
        ("reason", Some(letter.reason.clone())),
        ("error", Some(letter.error.clone())),
        ("group", Some(letter.group.clone())),
        ("attempts", Some(letter.attempts.to_string())),
        ("redrives", Some(letter.redrives.to_string())),
        ("version", letter.version.map(|version| version.to_string())),
        ("behind", Some(letter.followers.to_string())),
        ("accepted", Some(moment(letter.accepted_ms))),
        ("dead", Some(moment(letter.dead_ms))),
        ("discarded", discarded),
        ("event", Some(letter.event_id.clone())),
        ("source", Some(letter.source.clone())),
        ("key", letter.key.clone()),
    ]);
    text.push('\n');
    text.push_str(&attempts(&detail.history, paint));
    text.push('\n');
    if let Some(original) = &detail.original {
        text.push_str(&edits(&detail.edited, paint));
        text.push_str("\nas it was published:\n\n");
        text.push_str(&json(original));
        text.push_str("\nas it is delivered:\n\n");
    }
    text.push_str(&json(&detail.event));
    text
}

/// JSON of others, line by line.
fn json(value: &Value) -> String {
    let lines = pretty(value);
    let lines = lines.lines().map(|line| format!("{}\n", shown(line)));
    lines.collect()
}

fn edits(edits: &[Edit], paint: bool) -> String {
    let heads = [
        ("edited", Side::Left),
        ("by", Side::Left),
        ("in place of", Side::Left),
        ("because", Side::Left),
    ];
    let rows = edits.iter().map(|edit| {
        [
            Cell::new(&moment(edit.at_ms)),
            Cell::new(edit.by.as_deref().unwrap_or("-")),
            Cell::new(&edit.replaced),
            Cell::cut(&edit.reason, ERROR_WIDTH),
        ]
    });
    table(heads, rows, paint)
}

pub(crate) fn attempts(history: &[Attempt], paint: bool) -> String {
    let heads = [
        ("attempt", Side::Right),
        ("started", Side::Left),
        ("took", Side::Right),
        ("outcome", Side::Left),
        ("error", Side::Left),
    ];
    let rows = history.iter().map(|attempt| {
        let tone = match attempt.outcome.as_str() {
            "done" => Tone::Good,
            _ => Tone::Plain,
        };
        // What the design says of such a failure stands with its class.
        let outcome = match &attempt.rule {
            Some(rule) => format!("{}: {rule}", attempt.outcome),
            None => attempt.outcome.clone(),
        };
        [
            attempt.attempt.into(),
            Cell::new(&moment(attempt.started_ms)),
            Cell::new(&attempt.duration_ms.map_or("-".to_owned(), millis)),
            Cell::toned(&outcome, tone),
            Cell::new(attempt.error.as_deref().unwrap_or_default()),
        ]
    });
    table(heads, rows, paint)
}

/// Each letter with what became of it, and how many. `done` is the word for it.
pub(crate) fn outcome(outcome: &Outcome, done: &str, paint: bool) -> String {
    let Outcome { ids, refused } = outcome;
    let width = done.len().max("refused".len());
    let mut text = String::new();
    let mut line = |word: &str, tone: Tone, rest: &str| {
        let space = " ".repeat(width.saturating_sub(word.len()));
        let word = tone.painted(word, paint);
        text.push_str(&format!("{word}{space}  {}\n", shown(rest)));
    };
    for id in ids {
        line(done, Tone::Good, id);
    }
    for Refused { id, reason } in refused {
        line("refused", Tone::Bad, &format!("{id}: {reason}"));
    }
    let (ids, refused) = (ids.len(), refused.len());
    text.push_str(&match refused {
        0 => format!("\n{ids} {done}\n"),
        _ => format!("\n{ids} {done}, {refused} refused\n"),
    });
    text
}

/// The causes of what would go back, then each letter of which something would come that nobody wants.
pub(crate) fn rehearsal(rehearsal: &Rehearsal, paint: bool) -> String {
    let mut text = match rehearsal.groups.is_empty() {
        true => String::new(),
        false => groups(&rehearsal.groups, paint),
    };
    let invalid = rehearsal.invalid.iter();
    let invalid = invalid.map(|one| ("invalid", &one.id, &one.problem));
    let of = |word, all: &'_ [Refused]| -> Vec<(&'static str, String, String)> {
        let all = all.iter();
        all.map(|one| (word, one.id.clone(), one.reason.clone()))
            .collect()
    };
    let mut lines: Vec<(&str, String, String)> = invalid
        .map(|(word, id, problem)| (word, id.clone(), problem.clone()))
        .collect();
    lines.extend(of("unreadable", &rehearsal.unreadable));
    lines.extend(of("refused", &rehearsal.refused));
    if !lines.is_empty() && !text.is_empty() {
        text.push('\n');
    }
    for (word, id, reason) in lines {
        let painted = Tone::Bad.painted(word, paint);
        let space = " ".repeat("unreadable".len().saturating_sub(word.len()));
        text.push_str(&format!(
            "{painted}{space}  {}\n",
            shown(&format!("{id}: {reason}"))
        ));
    }
    text
}
