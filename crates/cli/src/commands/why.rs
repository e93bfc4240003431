//! `tidegate why`: where an event is at each of its consumers, and what it waits for.

use serde::Deserialize;

use crate::arguments::operate::{AnswerFormat, Why};
use crate::client::{Answer, Client};
use crate::commands::dlq_report::{Attempt, attempts};
use crate::commands::select::pretty;
use crate::exit::{Exit, Failure};
use crate::table::{Tone, moment};
use crate::terminal::{self, shown};

#[derive(Deserialize)]
struct Trail {
    event: Event,
    deliveries: Vec<Delivery>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    key: Option<String>,
    accepted_ms: u64,
}

#[derive(Deserialize)]
struct Delivery {
    consumer: String,
    sequence: u64,
    state: String,
    gate: Option<Gate>,
    behind: Option<Behind>,
    next_ms: Option<u64>,
    attempts: Vec<Attempt>,
    dead_letter: Option<String>,
    /// Daemons of earlier versions do not say these.
    #[serde(default)]
    redrives: u32,
    #[serde(default)]
    edited_id: Option<String>,
    #[serde(default)]
    edits: Vec<Edited>,
    #[serde(default)]
    generation: u64,
    #[serde(default)]
    replay: Option<Ordered>,
    #[serde(default)]
    skip: Option<Ordered>,
}

/// An event in the place of another.
#[derive(Deserialize)]
struct Edited {
    replaced: String,
    reason: String,
    by: Option<String>,
    at_ms: u64,
}

/// What an operator has ordered.
#[derive(Deserialize)]
struct Ordered {
    reason: String,
    at_ms: u64,
}

/// What lets no delivery through.
#[derive(Deserialize)]
struct Gate {
    what: String,
    /// The same in a sentence.
    detail: Option<String>,
    until_ms: Option<u64>,
}

/// The delivery of the same key that goes first.
#[derive(Deserialize)]
struct Behind {
    sequence: u64,
    event_id: String,
}

pub(crate) fn run(arguments: &Why) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.asked)?;
    let source = arguments.source.as_deref();
    let query: Vec<(&str, &str)> = [
        ("event", Some(arguments.event.as_str())),
        ("source", source),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    let trail: Answer<Trail> = client.get("/v1/why", &query)?;
    terminal::print(&match arguments.format {
        AnswerFormat::Human => told(&trail.read, terminal::paints_stdout()),
        AnswerFormat::Json => pretty(&trail.json),
    })?;
    Ok(Exit::Yes)
}

fn told(trail: &Trail, paint: bool) -> String {
    let event = &trail.event;
    let key = event.key.as_ref();
    let key = key.map_or(String::new(), |key| format!(", key {key}"));
    let mut text = shown(&format!(
        "{} {} of {}{key}, accepted {}",
        event.kind,
        event.id,
        event.source,
        moment(event.accepted_ms)
    ));
    text.push('\n');
    if trail.deliveries.is_empty() {
        text.push_str("\nno consumer takes it\n");
    }
    for delivery in &trail.deliveries {
        text.push('\n');
        text.push_str(&at_consumer(delivery, paint));
    }
    text
}

fn at_consumer(delivery: &Delivery, paint: bool) -> String {
    let tone = match delivery.state.as_str() {
        "done" => Tone::Good,
        "held" | "waiting" | "suspect" => Tone::Poor,
        "dead-letter" | "discarded" | "skipped" => Tone::Bad,
        _ => Tone::Plain,
    };
    let mut text = format!(
        "{} {}: {}\n",
        shown(&delivery.consumer),
        delivery.sequence,
        tone.painted(&shown(&delivery.state), paint)
    );
    for line in reasons(delivery) {
        text.push_str(&format!("  {}\n", shown(&line)));
    }
    if !delivery.attempts.is_empty() {
        for line in attempts(&delivery.attempts, paint).lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

/// What the delivery waits for, each in a sentence.
fn reasons(delivery: &Delivery) -> Vec<String> {
    let gate = delivery.gate.as_ref().map(|gate| {
        let what = gate.detail.as_ref().unwrap_or(&gate.what);
        let until = gate.until_ms.map(moment);
        let until = until.map_or(String::new(), |until| format!(", until {until}"));
        format!("{what}{until}")
    });
    let behind = delivery.behind.as_ref();
    let behind = behind.map(|first| {
        let Behind { sequence, event_id } = first;
        format!("behind {sequence}, event {event_id}, of the same key")
    });
    let next = delivery
        .next_ms
        .map(|next| format!("next attempt {}", moment(next)));
    let letter = delivery.dead_letter.as_ref();
    let letter = letter.map(|id| format!("next: tidegate dlq show {id}"));
    let ordered = |what: String, order: &Ordered| {
        format!("{what}, ordered {}: {}", moment(order.at_ms), order.reason)
    };
    let number = delivery.generation;
    let replay = match &delivery.replay {
        Some(order) => Some(ordered(format!("replay {number}"), order)),
        None => (number > 0).then(|| format!("replay {number}")),
    };
    let skip = delivery.skip.as_ref();
    let skip = skip.map(|order| ordered("skipped".to_owned(), order));
    let redriven = match delivery.redrives {
        0 => None,
        1 => Some("redriven once".to_owned()),
        many => Some(format!("redriven {many} times")),
    };
    let all = [redriven, replay, skip, gate, behind, next, letter];
    edits(delivery).chain(all.into_iter().flatten()).collect()
}

/// What was put in the place of the event, by whom and why.
fn edits(delivery: &Delivery) -> impl Iterator<Item = String> {
    let edits = delivery.edits.iter().map(|edit| {
        let by = edit
            .by
            .as_ref()
            .map_or(String::new(), |by| format!(" by {by}"));
        let at = moment(edit.at_ms);
        format!(
            "event {} replaced{by}, {at}: {}",
            edit.replaced, edit.reason
        )
    });
    let now = delivery.edited_id.iter();
    edits.chain(now.map(|id| format!("delivered as event {id}")))
}
