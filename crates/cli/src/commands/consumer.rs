//! `tidegate consumer`: how the consumers of a running daemon do; one is paused, or resumed.

use serde::Deserialize;
use serde_json::{Value, json};
use tidegate_base::ConsumerId;

use crate::arguments::operate::{
    AnswerFormat, Asked, Consumer, ConsumerPause, ConsumerResume, ConsumerShow, StateQuery,
};
use crate::client::{Answer, Client};
use crate::commands::select::pretty;
use crate::exit::{Exit, Failure, Kind};
use crate::table::{Cell, Side, Tone, facts, millis, moment, seconds, table};
use crate::terminal::{self, shown};

/// The part of the state that is about consumers.
#[derive(Deserialize)]
struct State {
    consumers: Vec<View>,
}

#[derive(Deserialize)]
struct View {
    id: String,
    state: String,
    state_since_ms: u64,
    reason: String,
    mode: String,
    lag_seconds: f64,
    objective_seconds: f64,
    backlog: u64,
    drain_seconds: Option<f64>,
    in_flight: u64,
    concurrency: u64,
    waiting_retry: u64,
    /// A daemon of before does not tell it.
    #[serde(default)]
    scheduled: u64,
    held: u64,
    held_by: Option<String>,
    in_per_second: f64,
    out_per_second: f64,
    retries_per_second: f64,
    failures_per_second: f64,
    handler_p50_ms: Option<f64>,
    handler_p99_ms: Option<f64>,
    transit_p99_ms: Option<f64>,
    dead_letters: u64,
    followers: u64,
    needs: Vec<String>,
    paused: Option<Paused>,
    /// Daemons without replays do not say it.
    #[serde(default)]
    replaying: Option<Replaying>,
}

/// A replay that is under way.
#[derive(Deserialize)]
struct Replaying {
    generation: u64,
    reason: String,
    deliveries: u64,
    ranges: u64,
}

/// Why a consumer is paused, and since when.
#[derive(Deserialize)]
struct Paused {
    reason: Option<String>,
    since_ms: u64,
}

/// What an order has made of a consumer.
#[derive(Deserialize)]
struct Switched {
    consumer: String,
    paused: bool,
}

pub(crate) fn run(consumer: &Consumer) -> Result<Exit, Failure> {
    match consumer {
        Consumer::List(arguments) => list(arguments),
        Consumer::Show(arguments) => show(arguments),
        Consumer::Pause(arguments) => pause(arguments),
        Consumer::Resume(arguments) => resume(arguments),
        Consumer::Seek(arguments) => super::consumer_seek::run(arguments),
    }
}

fn list(arguments: &StateQuery) -> Result<Exit, Failure> {
    let state = state(&arguments.asked)?;
    let consumers = &state.read.consumers;
    terminal::print(&match arguments.format {
        AnswerFormat::Json => pretty(&state_part(&state.json, "consumers")),
        AnswerFormat::Human => overview(consumers, terminal::paints_stdout()),
    })?;
    Ok(match consumers.is_empty() {
        true => Exit::No,
        false => Exit::Yes,
    })
}

fn show(arguments: &ConsumerShow) -> Result<Exit, Failure> {
    let state = state(&arguments.asked)?;
    let id = arguments.consumer.to_string();
    let mut found = state.read.consumers.iter().filter(|view| view.id == id);
    let Some(view) = found.next() else {
        let message = format!("there is no consumer `{id}`");
        let failure = Failure::new(Kind::No, message);
        return Err(failure.hint("`tidegate consumer list` lists them"));
    };
    let paint = terminal::paints_stdout();
    terminal::print(&match arguments.format {
        AnswerFormat::Human => described(view, paint),
        AnswerFormat::Json => {
            let consumers = state.json.get("consumers").and_then(Value::as_array);
            let is_it = |value: &&Value| value.get("id") == Some(&json!(id));
            pretty(&consumers.and_then(|all| all.iter().find(is_it)))
        }
    })?;
    Ok(Exit::Yes)
}

fn pause(arguments: &ConsumerPause) -> Result<Exit, Failure> {
    let reason = arguments.reason.as_ref();
    let body = reason.map(|reason| json!({ "reason": reason }));
    let client = Client::new(&arguments.order.asked)?;
    let path = path(&arguments.consumer, "pause");
    switched(&client.post(&path, body.as_ref())?, arguments.order.format)
}

fn resume(arguments: &ConsumerResume) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.order.asked)?;
    let path = path(&arguments.consumer, "resume");
    switched(&client.post(&path, None)?, arguments.order.format)
}

pub(super) fn path(consumer: &ConsumerId, order: &str) -> String {
    format!("/v1/consumers/{consumer}/{order}")
}

fn switched(answer: &Answer<Switched>, format: AnswerFormat) -> Result<Exit, Failure> {
    let Switched { consumer, paused } = &answer.read;
    let state = match paused {
        true => "is paused",
        false => "goes on",
    };
    terminal::print(&match format {
        AnswerFormat::Human => format!("{} {state}", shown(consumer)),
        AnswerFormat::Json => pretty(&answer.json),
    })?;
    Ok(Exit::Yes)
}

fn state(asked: &Asked) -> Result<Answer<State>, Failure> {
    Client::new(asked)?.get("/v1/state", &[])
}

/// What the state says of itself, and one list of it.
pub(crate) fn state_part(state: &Value, list: &str) -> Value {
    let mut part = state.clone();
    if let Some(part) = part.as_object_mut() {
        part.retain(|name, _| ["schema", "system", "time_ms", list].contains(&name.as_str()));
    }
    part
}

/// The state in a word, and how that is.
fn word(view: &View) -> (&str, Tone) {
    if view.paused.is_some() {
        return ("paused", Tone::Poor);
    }
    let tone = match view.state.as_str() {
        "ok" => Tone::Good,
        "catching-up" | "held" => Tone::Poor,
        "falling-behind" | "halted" | "stalled" => Tone::Bad,
        _ => Tone::Plain,
    };
    (&view.state, tone)
}

fn overview(consumers: &[View], paint: bool) -> String {
    let heads = [
        ("consumer", Side::Left),
        ("state", Side::Left),
        ("lag", Side::Right),
        ("backlog", Side::Right),
        ("running", Side::Right),
        ("held", Side::Right),
        ("dead", Side::Right),
        ("in/s", Side::Right),
        ("out/s", Side::Right),
        ("why", Side::Left),
    ];
    let rows = consumers.iter().map(|view| {
        let (state, tone) = word(view);
        [
            Cell::new(&view.id),
            Cell::toned(state, tone),
            Cell::new(&seconds(view.lag_seconds)),
            view.backlog.into(),
            view.in_flight.into(),
            view.held.into(),
            view.dead_letters.into(),
            Cell::new(&rate(view.in_per_second)),
            Cell::new(&rate(view.out_per_second)),
            Cell::new(&why(view)),
        ]
    });
    table(heads, rows, paint)
}

fn why(view: &View) -> String {
    match view
        .paused
        .as_ref()
        .and_then(|paused| paused.reason.as_ref())
    {
        Some(reason) => reason.clone(),
        None => view.reason.clone(),
    }
}

fn replaying(replaying: &Replaying) -> String {
    let Replaying {
        generation,
        reason,
        deliveries,
        ranges,
    } = replaying;
    let parts = match ranges {
        0 | 1 => String::new(),
        parts => format!(" in {parts} parts"),
    };
    format!("replay {generation}, {deliveries} left{parts}: {reason}")
}

fn rate(per_second: f64) -> String {
    format!("{per_second:.1}")
}

fn described(view: &View, paint: bool) -> String {
    let (state, tone) = word(view);
    let since = match &view.paused {
        Some(paused) => paused.since_ms,
        None => view.state_since_ms,
    };
    let title = format!(
        "{}: {} since {}\n\n",
        shown(&view.id),
        tone.painted(&shown(state), paint),
        moment(since)
    );
    let held = match &view.held_by {
        Some(by) => format!("{} by {by}", view.held),
        None => view.held.to_string(),
    };
    let needs = view.needs.join(", ");
    let rates = format!(
        "in {}, out {}, retries {}, failures {}",
        rate(view.in_per_second),
        rate(view.out_per_second),
        rate(view.retries_per_second),
        rate(view.failures_per_second)
    );
    let lag = format!(
        "{} of {} allowed",
        seconds(view.lag_seconds),
        seconds(view.objective_seconds)
    );
    let scheduled = (view.scheduled > 0).then(|| view.scheduled.to_string());
    let rows = [
        ("why", Some(why(view))),
        ("mode", Some(view.mode.clone())),
        ("lag", Some(lag)),
        ("backlog", Some(view.backlog.to_string())),
        ("drained in", view.drain_seconds.map(seconds)),
        (
            "running",
            Some(format!("{} of {}", view.in_flight, view.concurrency)),
        ),
        ("waits for retry", Some(view.waiting_retry.to_string())),
        ("for later", scheduled),
        ("held", Some(held)),
        ("dead letters", Some(view.dead_letters.to_string())),
        ("behind them", Some(view.followers.to_string())),
        ("replaying", view.replaying.as_ref().map(replaying)),
        ("per second", Some(rates)),
        ("handler p50", view.handler_p50_ms.map(millis)),
        ("handler p99", view.handler_p99_ms.map(millis)),
        ("transit p99", view.transit_p99_ms.map(millis)),
        ("needs", Some(needs).filter(|needs| !needs.is_empty())),
    ];
    title + &facts(&rows)
}
