//! `tidegate dlq redrive`, `discard` and `restore`: what is to become of dead letters.

use serde_json::{Value, json};

use crate::arguments::letters::names;
use crate::arguments::operate::{AnswerFormat, DlqDiscard, DlqRedrive, DlqRestore};
use crate::client::{Answer, Client};
use crate::commands::dlq_jobs;
use crate::commands::dlq_report::{self, Outcome, Rehearsal};
use crate::commands::select::pretty;
use crate::exit::{Exit, Failure};
use crate::terminal;

pub(crate) fn redrive(arguments: &DlqRedrive) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.order.asked)?;
    if arguments.dry_run {
        return rehearse(&client, arguments);
    }
    if arguments.job.job {
        return dlq_jobs::begin(&client, arguments);
    }
    let body = Value::Object(arguments.selection.body());
    let outcome = client.post("/v1/dead-letters/redrive", Some(&body))?;
    report(&outcome, "redriven", arguments.order.format)
}

pub(crate) fn discard(arguments: &DlqDiscard) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.order.asked)?;
    let mut body = arguments.selection.body();
    body.insert("reason".to_owned(), arguments.reason.clone().into());
    let outcome = client.post("/v1/dead-letters/discard", Some(&Value::Object(body)))?;
    report(&outcome, "discarded", arguments.order.format)
}

pub(crate) fn restore(arguments: &DlqRestore) -> Result<Exit, Failure> {
    let client = Client::new(&arguments.order.asked)?;
    let body = json!({ "ids": names(&arguments.ids) });
    let outcome = client.post("/v1/dead-letters/restore", Some(&body))?;
    report(&outcome, "restored", arguments.order.format)
}

/// Says what became of an order. `done` is the word of the daemon for it.
pub(crate) fn report(
    outcome: &Answer<Outcome>,
    done: &str,
    format: AnswerFormat,
) -> Result<Exit, Failure> {
    let Outcome { ids, refused } = &outcome.read;
    let is_nothing = ids.is_empty() && refused.is_empty();
    match format {
        AnswerFormat::Json => terminal::print(&pretty(&outcome.json))?,
        AnswerFormat::Human if is_nothing => {}
        AnswerFormat::Human => {
            let paint = terminal::paints_stdout();
            terminal::print(&dlq_report::outcome(&outcome.read, done, paint))?;
        }
    }
    if is_nothing {
        terminal::say("nothing was selected: no dead letter is there");
    }
    Ok(match (ids.is_empty(), refused.is_empty()) {
        (true, _) => Exit::No,
        (false, true) => Exit::Yes,
        (false, false) => Exit::Partly,
    })
}

/// What the daemon says would go back, and what would come of it.
fn rehearse(client: &Client, arguments: &DlqRedrive) -> Result<Exit, Failure> {
    let mut body = arguments.selection.body();
    body.insert("dry_run".to_owned(), Value::Bool(true));
    let answer: Answer<Rehearsal> = client.post("/v1/redrives", Some(&Value::Object(body)))?;
    let Rehearsal {
        would_redrive,
        invalid_total,
        unreadable_total,
        refused_total,
        ..
    } = answer.read;
    match arguments.order.format {
        AnswerFormat::Json => terminal::print(&pretty(&answer.json))?,
        AnswerFormat::Human => {
            let told = dlq_report::rehearsal(&answer.read, terminal::paints_stdout());
            if !told.is_empty() {
                terminal::print(&told)?;
            }
        }
    }
    let mut said = format!("{would_redrive} would be redriven");
    for (count, what) in [
        (invalid_total, "no longer keep the design"),
        (unreadable_total, "cannot be read"),
        (refused_total, "would be refused"),
    ] {
        if count > 0 {
            said.push_str(&format!("; {count} {what}"));
        }
    }
    terminal::say(&said);
    Ok(Exit::Yes)
}
