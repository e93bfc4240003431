//! What `tidegate dlq` reads of the daemon's answers, and how it shows them to people.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::operate::LetterId;
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
#[derive(Debug, Deserialize)]
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
    event: Value,
    history: Vec<Attempt>,
}

/// One attempt of a delivery.
#[derive(Debug, Deserialize)]
pub(crate) struct Attempt {
    attempt: u64,
    started_ms: u64,
    duration_ms: Option<f64>,
    outcome: String,
    error: Option<String>,
}

/// What became of an order.
#[derive(Debug, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) ids: Vec<String>,
    pub(crate) refused: Vec<Refused>,
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
    for line in pretty(&detail.event).lines() {
        text.push_str(&shown(line));
        text.push('\n');
    }
    text
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
        [
            attempt.attempt.into(),
            Cell::new(&moment(attempt.started_ms)),
            Cell::new(&attempt.duration_ms.map_or("-".to_owned(), millis)),
            Cell::toned(&attempt.outcome, tone),
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
