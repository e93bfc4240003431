//! `tidegate breaker`: the breakers of a running daemon are listed; one is opened, or reset.

use serde::Deserialize;
use serde_json::json;
use tidegate_base::BreakerName;

use crate::arguments::operate::{AnswerFormat, Breaker, BreakerOpen, BreakerReset, StateQuery};
use crate::client::{Answer, Client};
use crate::commands::consumer::state_part;
use crate::commands::select::pretty;
use crate::exit::{Exit, Failure};
use crate::table::{Cell, Side, Tone, moment, table};
use crate::terminal::{self, shown};

/// The part of the state that is about dependencies.
#[derive(Deserialize)]
struct State {
    dependencies: Vec<View>,
}

#[derive(Deserialize)]
struct View {
    name: String,
    state: String,
    since_ms: u64,
    probes_at_ms: Option<u64>,
    calls: u64,
    failure_rate: f64,
    threshold: f64,
    opened_total: u64,
    consumers: Vec<String>,
    forced: Option<Forced>,
}

/// Why an operator holds it open.
#[derive(Deserialize)]
struct Forced {
    reason: String,
}

/// What an order has made of a breaker.
#[derive(Deserialize)]
struct Switched {
    dependency: String,
    state: String,
}

pub(crate) fn run(breaker: &Breaker) -> Result<Exit, Failure> {
    match breaker {
        Breaker::List(arguments) => list(arguments),
        Breaker::Open(arguments) => open(arguments),
        Breaker::Reset(arguments) => reset(arguments),
    }
}

fn list(arguments: &StateQuery) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.asked)?;
    let state: Answer<State> = client.get("/v1/state", &[])?;
    let dependencies = &state.read.dependencies;
    match arguments.format {
        AnswerFormat::Json => terminal::print(&pretty(&state_part(&state.json, "dependencies")))?,
        AnswerFormat::Human if dependencies.is_empty() => {}
        AnswerFormat::Human => {
            terminal::print(&overview(dependencies, terminal::paints_stdout()))?;
        }
    }
    if dependencies.is_empty() {
        terminal::say("the design has no consumer and no dependency");
        return Ok(Exit::No);
    }
    Ok(Exit::Yes)
}

fn open(arguments: &BreakerOpen) -> Result<Exit, Failure> {
    let reason = arguments.reason.as_ref();
    let body = reason.map(|reason| json!({ "reason": reason }));
    let client = Client::new(&arguments.order.asked)?;
    let path = path(&arguments.breaker, "open");
    switched(&client.post(&path, body.as_ref())?, arguments.order.format)
}

fn reset(arguments: &BreakerReset) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.order.asked)?;
    let path = path(&arguments.breaker, "reset");
    switched(&client.post(&path, None)?, arguments.order.format)
}

fn path(breaker: &BreakerName, order: &str) -> String {
    match breaker {
        BreakerName::Dependency(name) => format!("/v1/dependencies/{name}/{order}"),
        BreakerName::Own(consumer) => format!("/v1/consumers/{consumer}/breaker/{order}"),
    }
}

fn switched(answer: &Answer<Switched>, format: AnswerFormat) -> Result<Exit, Failure> {
    let Switched { dependency, state } = &answer.read;
    terminal::print(&match format {
        AnswerFormat::Human => format!("{} is {}", shown(dependency), shown(state)),
        AnswerFormat::Json => pretty(&answer.json),
    })?;
    Ok(Exit::Yes)
}

fn overview(dependencies: &[View], paint: bool) -> String {
    let heads = [
        ("dependency", Side::Left),
        ("breaker", Side::Left),
        ("since", Side::Left),
        ("probes", Side::Left),
        ("calls", Side::Right),
        ("failed", Side::Right),
        ("opens at", Side::Right),
        ("opened", Side::Right),
        ("consumers", Side::Left),
        ("why", Side::Left),
    ];
    let percent = |share: f64| Cell::new(&format!("{:.0}%", share * 100.0));
    let rows = dependencies.iter().map(|view| {
        let tone = match view.state.as_str() {
            "closed" => Tone::Good,
            "half-open" => Tone::Poor,
            _ => Tone::Bad,
        };
        [
            Cell::new(&view.name),
            Cell::toned(&view.state, tone),
            Cell::new(&moment(view.since_ms)),
            Cell::new(&view.probes_at_ms.map_or("-".to_owned(), moment)),
            view.calls.into(),
            percent(view.failure_rate),
            percent(view.threshold),
            view.opened_total.into(),
            Cell::new(&view.consumers.join(", ")),
            Cell::new(
                view.forced
                    .as_ref()
                    .map_or("", |forced| forced.reason.as_str()),
            ),
        ]
    });
    table(heads, rows, paint)
}
