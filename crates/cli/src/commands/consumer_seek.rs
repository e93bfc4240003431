//! `tidegate consumer seek`: what a consumer has finished runs again, or what it has not is skipped.

use serde::Deserialize;
use serde_json::json;

use super::consumer::path;
use crate::arguments::operate::{AnswerFormat, ConsumerSeek};
use crate::client::{Answer, Client};
use crate::commands::select::pretty;
use crate::exit::{Exit, Failure, Kind};
use crate::terminal::{self, shown};

/// What was done, or would be.
#[derive(Deserialize)]
struct Report {
    consumer: String,
    action: String,
    from: u64,
    until: u64,
    deliveries: u64,
    generation: Option<u64>,
    dry_run: bool,
    note: Option<String>,
}

pub(super) fn run(arguments: &ConsumerSeek) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.asked)?;
    let path = path(&arguments.consumer, "seek");
    let ask = |dry_run: bool| -> Result<Answer<Report>, Failure> {
        let until = arguments.until.as_ref().map(|until| &until.0);
        let body = json!({
            "to": arguments.to.0, "until": until, "reason": arguments.reason,
            "dry_run": dry_run, "confirm": arguments.yes,
        });
        client.post(&path, Some(&body))
    };
    let answer = if arguments.dry_run || arguments.yes {
        ask(arguments.dry_run)?
    } else {
        // What a skip would lose is said before it is asked for.
        let would = ask(true)?;
        if would.read.action == "skip" {
            let message = format!("{} would be skipped: they never run", count(&would.read));
            let failure = Failure::new(Kind::No, message);
            return Err(failure.hint("with --yes they are"));
        }
        ask(false)?
    };
    terminal::print(&match arguments.format {
        AnswerFormat::Human => told(&answer.read),
        AnswerFormat::Json => pretty(&answer.json),
    })?;
    Ok(match answer.read.action == "none" {
        true => Exit::No,
        false => Exit::Yes,
    })
}

fn count(report: &Report) -> String {
    let Report { from, until, .. } = report;
    match report.deliveries {
        1 => format!("1 delivery from sequence {from} up to {until}"),
        many => format!("{many} deliveries from sequence {from} up to {until}"),
    }
}

fn told(report: &Report) -> String {
    let consumer = shown(&report.consumer);
    let [run, are] = match (report.dry_run, report.deliveries) {
        (true, _) => ["would run", "would be"],
        (false, 1) => ["runs", "is"],
        (false, _) => ["run", "are"],
    };
    let mut text = match report.action.as_str() {
        "replay" => {
            let number = report.generation;
            let number = number.map_or(String::new(), |number| format!(", as replay {number}"));
            format!("{consumer}: {} {run} again{number}", count(report))
        }
        "skip" => format!("{consumer}: {} {are} skipped", count(report)),
        _ => format!("{consumer}: nothing is to be done"),
    };
    if let Some(note) = &report.note {
        text.push_str(&format!("\n{}", shown(note)));
    }
    text
}
